// Compares the log of the main job with what the host knows: the disk's bytes, the machine's CPUs and memory, and what QEMU's trace says.

import type { Outcome } from '../qemu/collect.ts';
import { addressOf, dumpsOf, hexDump } from '../qemu/dump.ts';
import { parseOptions } from '../qemu/options.ts';
import type { Configuration } from './configuration.ts';
import type { KnownDisk } from './row.ts';

/** Of RAM, what the firmware may keep. */
const FIRMWARE_KIB_MAX = 1024;
const KIB = { K: 1, M: 1024, G: 1024 * 1024 };

/** Everything that is wrong, a line each. */
export function judge(configuration: Configuration, disk: KnownDisk, outcome: Outcome): string[] {
  const { panics, says = [], kicks, interrupts } = configuration;
  const { lines, failure } = outcome;
  if (lines.length === 0) return [failure ?? 'nothing came on the serial line'];
  const problems = [
    ...(panics ? expectPanic(panics, failure) : expectDone(outcome)),
    ...says.filter((pattern) => !lines.some((line) => pattern.test(line))).map((p) => `no line has ${p}`),
    ...expectMachine(configuration, lines),
    ...expectDisk(configuration, disk, lines),
  ];
  if (!panics) problems.push(...expectDumps(disk, lines));
  if (kicks !== undefined && outcome.kicks !== kicks)
    problems.push(`QEMU was notified ${outcome.kicks} times, not ${kicks}`);
  if (interrupts !== undefined && outcome.interrupts !== interrupts)
    problems.push(`QEMU has interrupted ${outcome.interrupts} times, not ${interrupts}`);
  return problems;
}

function expectDone({ lines, failure }: Outcome): string[] {
  const problems = failure === null ? [] : [failure];
  if (!/^yaos \d+\.\d+\.\d+$/.test(lines[0] ?? '')) problems.push('the first line is not the version');
  if (failure === null && lines.at(-1) !== 'yaos: done') problems.push('the last line is not "yaos: done"');
  return problems;
}

function expectPanic(reason: RegExp, failure: string | null): string[] {
  const [, panic] = /^panicked: (.*)/.exec(failure ?? '') ?? [];
  return panic !== undefined && reason.test(panic) ? [] : [`no panic ${reason}, but ${failure ?? 'success'}`];
}

function expectMachine({ machine }: Configuration, lines: string[]): string[] {
  const { smp, mem } = parseOptions(machine);
  const problems: string[] = [];
  if (!lines.includes(`cpu: ap start done: ${smp} of ${smp} CPUs`))
    problems.push(`not all of ${smp} CPUs run`);
  const [, kib] =
    lines.map((line) => /^memory: (\d+) KiB of RAM in /.exec(line)).find((found) => found) ?? [];
  const size = Number.parseInt(mem, 10) * KIB[mem.at(-1) as keyof typeof KIB];
  if (!(Number(kib) <= size && Number(kib) > size - FIRMWARE_KIB_MAX))
    problems.push(`${kib ?? 'no'} KiB of RAM are known of ${size}`);
  return problems;
}

function expectDisk({ at }: Configuration, { sectors }: KnownDisk, lines: string[]): string[] {
  const [, name, size] =
    lines
      .map((line) => /^virtio-blk (\S+): (\d+) sectors of 512 bytes, /.exec(line))
      .find((found) => found) ?? [];
  if (name === undefined) return ['no disk was found'];
  const problems = Number(size) === sectors ? [] : [`the disk has ${sectors} sectors, not ${size}`];
  if (at !== undefined && name !== at) problems.push(`the disk is at ${at}, not ${name}`);
  return problems;
}

/** Two dumps, each with every byte of the disk. */
function expectDumps({ dumped }: KnownDisk, lines: string[]): string[] {
  const dumps = dumpsOf(lines, dumped.length);
  if (dumps.length !== 2) return [`${dumps.length} dumps, not 2`];
  return dumps.flatMap((dump, i) => {
    const right = hexDump(dumped, addressOf(dump));
    const wrong = right.findIndex((line, at) => dump[at] !== line);
    if (wrong < 0) return [];
    return [`dump ${i + 1}, line ${wrong}: "${dump[wrong] ?? 'nothing'}", the disk has "${right[wrong]}"`];
  });
}
