// What a block request costs the kernel, in instructions: QEMU's execution log of the kernel's code, an instruction
// a line, over a run that reads one sector some hundred times more often than another. The difference is the
// requests' own: submission, interrupt, completion and two switches of threads. The machine's speed is not in it, but
// when the device answers is: before the thread has gone to sleep, or after. Hence the median of some runs.

import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { UserError } from '../error.ts';
import { binutilsPrefix, out } from '../paths.ts';
import { FROM_KERNEL, QEMU, qemuArguments } from '../qemu/command.ts';
import { openDisk } from '../qemu/disk.ts';
import { parseOptions } from '../qemu/options.ts';

const REQUESTS = 200;
const RUNS = 3;
const RUN_MS_MAX = 120_000;
/** Trace 0: HOST [CS_BASE/PC/FLAGS/CFLAGS] SYMBOL */
const TRACE = /^Trace \d+: \S+ \[[0-9a-f]+\/([0-9a-f]+)\//;

export interface RequestCost {
  instructions: number;
  /** By function, the dearest first. */
  functions: { name: string; instructions: number }[];
}

export async function measureRequests(kernel = FROM_KERNEL.kernel): Promise<RequestCost> {
  const symbols = readSymbols(kernel);
  const without = await countInstructions(kernel, symbols, 0);
  const runs: RequestCost[] = [];
  for (let run = 0; run < RUNS; run++) {
    runs.push(costOf(await countInstructions(kernel, symbols, REQUESTS), without));
  }
  runs.sort((a, b) => a.instructions - b.instructions);
  return runs[RUNS >> 1];
}

function costOf(counts: Map<string, number>, without: Map<string, number>): RequestCost {
  const functions = [...counts].map(([name, count]) => {
    return { name, instructions: (count - (without.get(name) ?? 0)) / REQUESTS };
  });
  functions.sort((a, b) => b.instructions - a.instructions);
  return { instructions: functions.reduce((sum, each) => sum + each.instructions, 0), functions };
}

interface Symbols {
  /** Ascending. */
  addresses: bigint[];
  names: string[];
}

function readSymbols(kernel: string): Symbols {
  const nm = spawnSync(`${binutilsPrefix()}nm`, ['-n', kernel], { encoding: 'utf8' });
  if (nm.status !== 0) throw new UserError(`bench: nm ${kernel}: ${nm.stderr.trim()}`);
  const lines = [...nm.stdout.matchAll(/^([0-9a-f]+) [tT] (.+)$/gm)];
  return { addresses: lines.map(([, at]) => BigInt(`0x${at}`)), names: lines.map(([, , name]) => name!) };
}

/** Instructions that the kernel executes, by function, in a run with so many reads before the two that it shows. */
async function countInstructions(
  kernel: string,
  symbols: Symbols,
  repeat: number,
): Promise<Map<string, number>> {
  const options = parseOptions({ SMP: '1', APPEND: `repeat=${repeat}`, DISK: join(out, 'usr.img') });
  const from = { kernel };
  const start = symbols.addresses[0]!;
  const bytes = symbols.addresses.at(-1)! - start;
  const args = [
    ...qemuArguments({ options, disk: openDisk(options.disk), accel: 'tcg', from }),
    ...stepping(),
    ...['-d', 'exec,nochain', '-dfilter', `0x${start.toString(16)}+0x${bytes.toString(16)}`],
  ];
  const qemu = spawn(QEMU, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const timer = setTimeout(() => qemu.kill('SIGKILL'), RUN_MS_MAX);
  const byAddress = new Map<string, number>();
  let other = '';
  for await (const line of createInterface({ input: qemu.stderr })) {
    const address = TRACE.exec(line)?.[1];
    if (address === undefined) other = line;
    else byAddress.set(address, (byAddress.get(address) ?? 0) + 1);
  }
  clearTimeout(timer);
  if (byAddress.size === 0) throw new UserError(`bench: QEMU logged no instruction of the kernel: ${other}`);
  const byFunction = new Map<string, number>();
  for (const [address, count] of byAddress) {
    const name = functionAt(symbols, BigInt(`0x${address}`));
    byFunction.set(name, (byFunction.get(name) ?? 0) + count);
  }
  return byFunction;
}

/** One instruction a translation block: a property of the accelerator since QEMU 8.1, an option before. */
function stepping(): string[] {
  const version = /version (\d+)\.(\d+)/.exec(spawnSync(QEMU, ['--version'], { encoding: 'utf8' }).stdout);
  const [major, minor] = [Number(version?.[1]), Number(version?.[2])];
  return major > 8 || (major === 8 && minor >= 1) ? ['-accel', 'tcg,one-insn-per-tb=on'] : ['-singlestep'];
}

function functionAt({ addresses, names }: Symbols, address: bigint): string {
  let low = 0;
  let high = addresses.length;
  while (low + 1 < high) {
    const middle = (low + high) >> 1;
    if (addresses[middle]! <= address) low = middle;
    else high = middle;
  }
  return names[low]!;
}
