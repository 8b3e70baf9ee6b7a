// `make trace`: boots a machine whose memory is a file, and makes out/trace.json of what the kernel has recorded there. The
// file is there whatever became of the machine, and QEMU need not be asked for it.

import { closeSync, existsSync, mkdtempSync, openSync, readSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { UserError } from '../error.ts';
import { replaceFile } from '../files.ts';
import { out, root } from '../paths.ts';
import type { MachineOptions } from '../qemu/options.ts';
import { type ChromeTrace, chromeTrace } from './chrome.ts';
import { type Memory, type Recording, readRecording } from './memory.ts';
import { phaseTable } from './phases.ts';

/** Of each CPU, unless APPEND says how many. */
const EVENTS = 65536;
const SHARED_MEMORY = '/dev/shm';
/** As long as the kernel has not measured it: then times are in units of their own. */
const TSC_KHZ_UNKNOWN = 1_000_000;

export function tracedCommandLine(append: string): string {
  return /(^|\s)trace=/.test(append) ? append : `trace=${EVENTS} ${append}`.trim();
}

/** `boot` runs QEMU with more arguments, and gives the exit status of the command. */
export async function runTraced(
  { mem }: MachineOptions,
  boot: (args: string[]) => Promise<number>,
  output = join(out, 'trace.json'),
): Promise<number> {
  const kib = kibOf(mem);
  const directory = mkdtempSync(join(fileSystemFor(kib * 1024), 'yaos-trace-'));
  const ram = join(directory, 'ram');
  try {
    const backend = `memory-backend-file,id=ram,size=${kib}K,mem-path=${ram},share=on`;
    const status = await boot(['-object', backend, '-machine', 'memory-backend=ram']);
    report(ram, output);
    return status;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** QEMU counts in MiB by itself. */
function kibOf(mem: string): number {
  const unit = /[A-Z]$/i.exec(mem)?.[0].toUpperCase() ?? 'M';
  return Number.parseInt(mem, 10) * { K: 1, M: 2 ** 10, G: 2 ** 20 }[unit]!;
}

/** One in memory if there is room: each first access to a page on a disk takes so long that it would show. */
function fileSystemFor(bytes: number): string {
  if (!existsSync(SHARED_MEMORY)) return tmpdir();
  const { bavail, bsize } = statfsSync(SHARED_MEMORY);
  return bavail * bsize > bytes ? SHARED_MEMORY : tmpdir();
}

function report(ram: string, output: string): void {
  const fd = openSync(ram, 'r');
  try {
    const recording = readRecording(memoryIn(fd));
    if (recording === undefined) throw new UserError('yaos: no trace: the kernel has not run');
    write({ ...recording, tsc_khz: recording.tsc_khz || TSC_KHZ_UNKNOWN }, output);
  } finally {
    closeSync(fd);
  }
}

/** RAM below 3 GiB lies in the file where it has its address. */
function memoryIn(fd: number): Memory {
  return {
    read(address, bytes) {
      const buffer = Buffer.alloc(bytes);
      return buffer.subarray(0, readSync(fd, buffer, 0, bytes, address));
    },
  };
}

function write(recording: Recording, output: string): void {
  const trace = chromeTrace(recording);
  replaceFile(output, traceFile(recording, trace));
  for (const line of [...summary(recording, trace, output), ...phaseTable(trace.phases)]) console.log(line);
}

/** The format's JSON object. */
export function traceFile({ cpus, lostPhases }: Recording, { events }: ChromeTrace): string {
  const lost = Object.fromEntries(cpus.map(({ cpu, lost }) => [`CPU ${cpu}`, lost]));
  const otherData = JSON.stringify({ producer: 'yaos', lost, lostPhases });
  const lines = events.map((event) => JSON.stringify(event)).join(',\n');
  return `{"displayTimeUnit":"ns","otherData":${otherData},"traceEvents":[\n${lines}\n]}\n`;
}

function summary(
  { cpus, tsc_khz }: Recording,
  { span_ms, unanswered, unasked }: ChromeTrace,
  output: string,
): string[] {
  const count = cpus.reduce((sum, { events }) => sum + events.length, 0);
  const lost = cpus.reduce((sum, each) => sum + each.lost, 0);
  const lines = [
    `trace: ${count} events of ${cpus.length} CPUs in ${span_ms.toFixed(1)} ms, ${lost} before them lost: ${relative(root, output)}`,
    'trace: open it in ui.perfetto.dev or chrome://tracing',
  ];
  if (lost > 0) lines.push(`trace: APPEND="trace=N" keeps the last N of each CPU (${EVENTS})`);
  if (unanswered + unasked > 0)
    lines.push(`trace: ${unanswered} requests without an answer, ${unasked} answers to what came before`);
  if (tsc_khz === TSC_KHZ_UNKNOWN)
    lines.push('trace: the rate of the TSC may not be known: 1 GHz is assumed');
  return lines;
}
