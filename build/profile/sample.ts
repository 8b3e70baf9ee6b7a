// Samples a machine in QEMU: stops all CPUs every now and then by the gdb stub, and looks where each is and who called.

import type { Socket } from 'node:net';
import { type ElfFile, readElf } from '../object/elf-reader.ts';
import { FrameTable } from './frames.ts';
import { Disconnected, GdbRemote } from './gdb-remote.ts';
import { GDB_ORDER, unwind } from './unwind.ts';

/** Where the kernel proper begins: the firmware and the loader are not of interest. */
const ENTRY = 'kmain';
/**
 * QEMU completes all I/O in flight when it stops a machine, so each stop brings the kernel to the same place of what it does over
 * and over. Times between stops are therefore those of a Poisson process, and this is their mean.
 */
const WAIT_MS_MEAN = 3;

export interface Sample {
  cpu: number;
  /** Addresses of instructions, the innermost first; undefined: the CPU is halted until an interrupt. */
  calls?: bigint[];
}

export interface Samples {
  samples: Sample[];
  /** For how long the machine ran, without the stops. */
  ran_ms: number;
}

/** To the end of the machine, which is to be started stopped. */
export async function sampleMachine(socket: Socket, elf: Uint8Array): Promise<Samples> {
  const samples: Sample[] = [];
  let ran_ms = 0;
  const { frames, entry } = readKernel(readElf(elf));
  const gdb = new GdbRemote(socket);
  try {
    await gdb.runTo(entry);
    const threads = await gdb.threads();
    for (;;) {
      const start = performance.now();
      await gdb.runFor(-Math.log(1 - Math.random()) * WAIT_MS_MEAN);
      ran_ms += performance.now() - start;
      for (const [cpu, thread] of threads.entries())
        samples.push({ cpu, ...(await look(gdb, thread, frames)) });
    }
  } catch (error) {
    if (!(error instanceof Disconnected)) throw error;
  }
  return { samples, ran_ms };
}

async function look(gdb: GdbRemote, thread: string, frames: FrameTable): Promise<Pick<Sample, 'calls'>> {
  if (await gdb.isHalted(thread)) return {};
  await gdb.select(thread);
  const values = await gdb.registers();
  const registers = new Map(GDB_ORDER.map((register, i) => [register, values[i]]));
  return { calls: await unwind(registers, frames, (address, bytes) => gdb.memory(address, bytes)) };
}

function readKernel({ sections, symbols }: ElfFile): { frames: FrameTable; entry: bigint } {
  const section = sections.find(({ name }) => name === '.debug_frame');
  const entry = symbols.find(({ name }) => name === ENTRY);
  if (section === undefined || entry === undefined)
    throw new Error(`kernel.elf has no .debug_frame, or no symbol ${ENTRY}`);
  return { frames: new FrameTable(section), entry: entry.value };
}
