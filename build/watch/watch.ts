// `yaos watch`: builds and boots, and again whenever a source of the kernel changes. One process does it all, so that the
// compilers stay warm; the kernel is built for that moment and not for speed: Binaryen does not optimise it, nothing is inlined,
// and the machine code of what has not changed is kept.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ImportPackage } from '../asc.ts';
import { tuneEngineForLong } from '../engine.ts';
import { UserError } from '../error.ts';
import { KeptCode, NEEDS_OTHERS } from '../kept/kept.ts';
import { buildKernel, type Flavour } from '../kernel.ts';
import { root } from '../paths.ts';
import type { MachineOptions } from '../qemu/options.ts';
import { type RunMode, run, SIGNALS, STATUS_INTERRUPTED } from '../qemu/run.ts';
import { type Change, Changes } from './changes.ts';

const FOLDERS = ['kernel', 'asm', 'boot'];
const FLAVOUR: Flavour = {
  folder: 'out/watch',
  target: 'watch',
  translation: { disabledPasses: NEEDS_OTHERS, kept: new KeptCode(), debug: false },
};

/** Until somebody ends it. */
export async function watch(
  options: MachineOptions,
  direct: boolean,
  importPackage: ImportPackage,
): Promise<number> {
  tuneEngineForLong();
  const ending = new AbortController();
  for (const name of SIGNALS) process.on(name, () => ending.abort());
  rmSync(join(root, FLAVOUR.folder), { recursive: true, force: true }); // so that the first build warms the compilers
  const changes = new Changes(FOLDERS);
  let change: Change | undefined = { files: [], time_ms: Date.now() };
  let quiet = false;
  while (change && !ending.signal.aborted) {
    const machine = new AbortController();
    const good = await build(importPackage, change);
    const later: Change | undefined = await changes.take();
    const booting = good && !later;
    const running = booting ? boot(options, { direct, quiet, signal: machine.signal }) : undefined;
    quiet ||= booting;
    change = later ?? (await changes.next(ending.signal));
    machine.abort();
    await running;
    if (change) tell(`${change.files.join(', ')} changed`);
  }
  return STATUS_INTERRUPTED;
}

/** Whether there is something to boot. */
async function build(importPackage: ImportPackage, { files, time_ms }: Change): Promise<boolean> {
  const transform = files.find((file) => file.endsWith('.mjs'));
  if (transform !== undefined) tell(`${transform} has been loaded already: end this and start it again`);
  try {
    await buildKernel(importPackage, FLAVOUR);
  } catch (error) {
    const vanished = (error as NodeJS.ErrnoException).code === 'ENOENT'; // while it was to be read
    if (!(error instanceof UserError) && !vanished) throw error;
    console.error((error as Error).message);
    return false;
  }
  tell(`built, not optimised, ${((Date.now() - time_ms) / 1000).toFixed(2)} s after the change`);
  return true;
}

async function boot(options: MachineOptions, mode: Omit<RunMode, 'gdb' | 'trace' | 'shell'>): Promise<void> {
  const folder = join(root, FLAVOUR.folder);
  const status = await run(options, { ...mode, folder, shell: false });
  if (!mode.signal!.aborted && status !== STATUS_INTERRUPTED) tell('waiting for a change');
}

function tell(text: string): void {
  console.error(`watch: ${text}`);
}
