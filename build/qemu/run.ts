// Boots the machine, passes its serial line on as it comes, and tells how it went: exit status 0 only when the
// kernel said that it is done, else one last line that names what went wrong.

import type { ChildProcessByStdio } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Socket } from 'node:net';
import { relative } from 'node:path';
import type { Readable } from 'node:stream';
import { complaint, type Place } from '../complaint.ts';
import { rowAt } from '../debug/line-reader.ts';
import { UserError } from '../error.ts';
import { readElfFile } from '../files.ts';
import { out, root } from '../paths.ts';
import { runProfiled } from '../profile/run.ts';
import { runTraced, tracedCommandLine } from '../trace/run.ts';
import { chooseAccel } from './accel.ts';
import { imageIn, kernelIn, QEMU, qemuArguments, SOCKET_FD, STATUS_DONE, STATUS_PANIC } from './command.ts';
import { openDisk } from './disk.ts';
import { runGdb } from './gdb.ts';
import type { MachineOptions } from './options.ts';
import { SerialLog } from './serial.ts';
import { spawnQemu } from './spawn.ts';

export interface RunMode {
  /** Boot out/kernel.elf with -kernel. */
  direct: boolean;
  /** Start paused and attach gdb; sample it, for out/profile.html and others; have it record what happens, for out/trace.json. */
  tool?: 'gdb' | 'profile' | 'trace';
  /** What is typed goes to the machine, Ctrl-C too. */
  shell: boolean;
  /** The folder of what is booted. */
  folder?: string;
  /** Do not say again what runs the machine. */
  quiet?: boolean;
  /** Ends the machine when it is aborted. */
  signal?: AbortSignal;
}

export const STATUS_INTERRUPTED = 130;
/** By which people and terminals end a program. */
export const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Gives the exit status of the command. */
export async function run(options: MachineOptions, mode: RunMode): Promise<number> {
  const from = (mode.direct ? kernelIn : imageIn)(mode.folder ?? out);
  const [file] = Object.values(from);
  if (!existsSync(file)) throw new UserError(`yaos: ${relative(root, file)} is missing: run make`);
  const disk = openDisk(options.disk);
  const { accel, line } = await chooseAccel(options.accel);
  if (line !== undefined && !mode.quiet) console.error(line);
  const append = mode.tool === 'trace' ? tracedCommandLine(options.append) : options.append;
  const args = qemuArguments({ options: { ...options, append }, disk, accel, from, typed: mode.shell });
  const boot = (more: string[], attend?: Attend) =>
    runToEnd([...args, ...more], options.timeout_s, mode, attend);
  if (mode.tool === 'gdb') return runGdb(args, options.gdbFlags);
  if (mode.tool === 'profile') return runProfiled(append, boot);
  return mode.tool === 'trace' ? runTraced(options, boot) : boot([]);
}

/** How QEMU ended: what is needed to say why. */
export interface End {
  status: number | null;
  signal: NodeJS.Signals | null;
  /** Why yaos ended it, if it did. */
  stopped: 'timeout' | 'boot' | 'interrupt' | 'abort' | null;
  /** QEMU's last message. */
  message: string;
}

/** Gets a socket that QEMU has as its file descriptor SOCKET_FD. */
type Attend = (socket: Socket) => void;

function runToEnd(
  args: string[],
  timeout_s: number,
  { shell: typed, signal, folder }: RunMode,
  attend?: Attend,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const stdio = [typed ? 'inherit' : 'ignore', 'pipe', 'pipe', attend ? 'pipe' : 'ignore'] as const;
    const qemu = spawnQemu(args, { stdio: [...stdio] }) as ChildProcessByStdio<null, Readable, Readable>;
    attend?.(qemu.stdio[SOCKET_FD] as Socket);
    const log = new SerialLog();
    let stopped: End['stopped'] = null;
    let message = '';
    const stop = (why: End['stopped']) => {
      stopped ??= why;
      qemu.kill(typed ? 'SIGTERM' : 'SIGKILL'); // by itself it puts the terminal right
    };
    const timer = setTimeout(stop, timeout_s * 1000, 'timeout');
    const interrupt = () => stop('interrupt');
    for (const name of SIGNALS) process.on(name, interrupt);
    process.stdout.on('error', interrupt); // the reader of our output went away
    const abort = () => stop('abort');
    signal?.addEventListener('abort', abort);
    if (signal?.aborted) abort();
    qemu.stdout.pipe(process.stdout, { end: false });
    qemu.stdout.on('data', (bytes: Buffer) => {
      log.add(bytes);
      if (log.bootFailure !== null) stop('boot');
    });
    qemu.stderr.pipe(process.stderr, { end: false });
    qemu.stderr.on('data', (bytes: Buffer) => {
      message = bytes.toString().trim().split('\n').at(-1) || message;
    });
    qemu.on('error', (error) => reject(new UserError(`yaos: cannot run ${QEMU}: ${error.message}`)));
    qemu.on('close', (status, signalled) => {
      clearTimeout(timer);
      for (const name of SIGNALS) process.off(name, interrupt);
      process.stdout.off('error', interrupt);
      signal?.removeEventListener('abort', abort);
      const failure =
        stopped === 'abort' ? null : verdict(log, { status, signal: signalled, stopped, message }, timeout_s);
      if (failure !== null) {
        const place = placeOfPanic(log, kernelIn(folder ?? out).kernel);
        const source = place === undefined ? '' : `${complaint(place, log.panic ?? '')}\n`;
        process.stdout.write(`${log.atLineStart ? '' : '\n'}${source}yaos: ${failure}\n`);
      }
      resolve(failure === null ? 0 : stopped === 'interrupt' ? STATUS_INTERRUPTED : 1);
    });
  });
}

/** With the column where debugging information has the instruction on that line: a panic's tables have no columns. */
function placeOfPanic({ place, address }: SerialLog, kernel: string): Place | undefined {
  if (place === null || address === null) return place ?? undefined;
  try {
    const lines = readElfFile(kernel).sections.find(({ name }) => name === '.debug_line');
    const row = lines && rowAt(lines.contents, address);
    return row?.line === place.line ? { ...place, column: row.column } : place;
  } catch {
    return place; // the file is gone, or damaged: what has been booted was an image of its own
  }
}

/** Null when the kernel did its job. QEMU's status alone does not tell: with -no-reboot, a reset gives 0 too. */
export function verdict(log: SerialLog, end: End, timeout_s: number): string | null {
  if (end.stopped === 'interrupt') return 'interrupted';
  if (log.panic !== null) return `panicked: ${log.panic}`;
  if (log.bootFailure !== null) return `did not boot: ${log.bootFailure}`;
  if (end.status === STATUS_PANIC) return 'panicked without a reason on the serial line';
  if (end.stopped === 'timeout') return `timed out after ${timeout_s} s${log.done ? ', although done' : ''}`;
  if (end.status === 0 || end.status === STATUS_DONE) {
    return log.done ? null : 'the machine was reset or powered off before "yaos: done"';
  }
  const how = end.signal === null ? `with status ${end.status}` : `by ${end.signal}`;
  return `QEMU failed ${how}${end.message === '' ? '' : `: ${end.message}`}`;
}
