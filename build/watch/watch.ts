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
import { type Change, Changes, pause } from './changes.ts';

/** So many make the first change take no longer than later ones. */
const WARM_UPS = 2;
/** Until the first boot has ended, or is not going to. */
const BOOT_MS = 2000;
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
    const early = booting && !quiet ? await warmUp(importPackage, running!, changes) : undefined;
    quiet ||= booting;
    change = later ?? early ?? (await changes.next(ending.signal));
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
  const failure = await failureOf(importPackage, FLAVOUR);
  if (failure === undefined)
    tell(`built, not optimised, ${((Date.now() - time_ms) / 1000).toFixed(2)} s after the change`);
  else console.error(failure);
  return failure === undefined;
}

/** What is wrong with the sources, if it is they. */
async function failureOf(importPackage: ImportPackage, flavour: Flavour): Promise<string | undefined> {
  try {
    await buildKernel(importPackage, flavour);
    return undefined;
  } catch (error) {
    const vanished = (error as NodeJS.ErrnoException).code === 'ENOENT'; // while it was to be read
    if (!(error instanceof UserError) && !vanished) throw error;
    return (error as Error).message;
  }
}

/** Builds the same again, until there is a change: an engine optimises what it has run some times, better while nobody waits. */
async function warmUp(
  importPackage: ImportPackage,
  running: Promise<void>,
  changes: Changes,
): Promise<Change | undefined> {
  const again = { ...FLAVOUR, folder: `${FLAVOUR.folder}/again` };
  await Promise.race([running, pause(BOOT_MS)]);
  let change = await changes.take();
  for (let i = 0; i < WARM_UPS && !change; i++) {
    await failureOf(importPackage, again); // none, but in what has just been written: the next build tells it
    rmSync(join(root, again.folder), { recursive: true, force: true });
    change = await changes.take();
  }
  return change;
}

async function boot(options: MachineOptions, mode: Omit<RunMode, 'gdb' | 'trace' | 'shell'>): Promise<void> {
  const folder = join(root, FLAVOUR.folder);
  const status = await run(options, { ...mode, folder, shell: false });
  if (!mode.signal!.aborted && status !== STATUS_INTERRUPTED) tell('waiting for a change');
}

function tell(text: string): void {
  console.error(`watch: ${text}`);
}
