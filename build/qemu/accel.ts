// Chooses the accelerator. That /dev/kvm opens does not say that guests run: an emulated or nested KVM may hang
// in firmware, long mode, SSE or iretq. So a probe guest (probe.S) runs once, and its verdict is kept under out/
// until the host's kernel or QEMU changes.

import { spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { delimiter, join, relative } from 'node:path';
import { UserError } from '../error.ts';
import { replaceFile } from '../files.ts';
import { out } from '../paths.ts';
import { bootSectorArguments, QEMU } from './command.ts';
import type { Accel } from './options.ts';
import { assembleSector } from './sector.ts';

const PROBE_MS_MAX = 500;
const PROBE_PASSED = 85; // probe.S writes 0x2a to isa-debug-exit
const VERDICT = join(out, 'kvm-probe.json');

interface Verdict {
  /** The host's kernel and the QEMU that the verdict was found with. */
  key: string;
  works: boolean;
  why: string;
}

export interface Choice {
  accel: 'kvm' | 'tcg';
  /** One line for the user; absent when the user chose. */
  line?: string;
}

export async function chooseAccel(wanted: Accel, kvm = '/dev/kvm', memory = VERDICT): Promise<Choice> {
  if (wanted !== 'auto') return { accel: wanted };
  try {
    accessSync(kvm, constants.R_OK | constants.W_OK);
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const why = missing ? `there is no ${kvm}` : `${kvm} cannot be opened (${(error as Error).message})`;
    return { accel: 'tcg', line: `accel: tcg, because ${why}` };
  }
  const key = `${release()} ${qemuIdentity()}`;
  const kept = readVerdict(memory, key);
  const verdict = kept ?? (await probe(key));
  if (kept === null) replaceFile(memory, `${JSON.stringify(verdict)}\n`);
  const when = kept === null ? '' : `, as found before (${relative(process.cwd(), memory)})`;
  const accel = verdict.works ? 'kvm' : 'tcg';
  return { accel, line: `accel: ${accel}, because ${verdict.why}${when}` };
}

/** Path, time and size of the program: asking it for its version would take longer than all else here. */
function qemuIdentity(): string {
  for (const directory of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(directory || '.', QEMU);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat?.isFile()) return `${realpathSync(path)} ${stat.mtimeMs} ${stat.size}`;
  }
  throw new UserError(`yaos: ${QEMU} is not installed (make qemu installs it)`);
}

function readVerdict(memory: string, key: string): Verdict | null {
  try {
    const verdict: Verdict = JSON.parse(readFileSync(memory, 'utf8'));
    return verdict.key === key ? verdict : null;
  } catch {
    return null; // not there, or not whole
  }
}

async function probe(key: string): Promise<Verdict> {
  const directory = mkdtempSync(join(tmpdir(), 'yaos-probe-'));
  try {
    const image = assembleSector('build/qemu/probe.S', directory);
    const failure = await runProbe(bootSectorArguments(image, 'pc', 'kvm'));
    return { key, works: failure === null, why: `under KVM a probe guest ${failure ?? 'ran'}` };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Null if the guest passed; what it did otherwise. */
function runProbe(args: string[]): Promise<string | null> {
  return new Promise((resolve) => {
    const qemu = spawn(QEMU, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    const timer = setTimeout(() => {
      qemu.kill('SIGKILL');
      resolve(`did not finish in ${PROBE_MS_MAX} ms`);
    }, PROBE_MS_MAX);
    qemu.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (stderr.length < 4096) stderr += text;
    });
    qemu.on('error', (error) => {
      clearTimeout(timer);
      resolve(`could not be started (${error.message})`);
    });
    qemu.on('close', (status, signal) => {
      clearTimeout(timer);
      if (status === PROBE_PASSED) resolve(null);
      else resolve(`failed ${signal === null ? `with status ${status}` : `by ${signal}`}${lastLine(stderr)}`);
    });
  });
}

function lastLine(text: string): string {
  const line = text.trim().split('\n').at(-1);
  return line ? ` (${line})` : '';
}
