// Which page frames the kernel has allotted and not given back, and which of them are heap, at any moment: breakpoints at the allocator
// of kernel.elf, which runs in QEMU. The machine stands still while the test looks.

import { Disconnected, type GdbRemote } from '../../build/profile/gdb-remote.ts';
import { PAGE_BYTES } from './iommu.ts';
import { at, symbolAt } from './symbols.ts';

/** (bytes, from, to), and its result is a frame's number or 0; (address, bytes). docs/abi.md §2: in edi and esi, in eax. */
const TAKE = at('kernel/mm/frames/take');
const FREE = at('kernel/mm/frames/free');
const HEAP = /^kernel\/mm\/(heap\/|frames\/HeapPages)/;
const [RAX, RSI, RDI, RSP, RIP] = [0, 4, 5, 7, 16] as const;

/** What is allotted and no heap is for devices. */
export type Use = 'never allotted' | 'allotted' | 'heap' | 'given back';

export class Frames {
  private readonly uses = new Map<number, Use>();

  use(page: number): Use {
    return this.uses.get(page) ?? 'never allotted';
  }

  /** Runs the machine, of one CPU, until it is off; `look` whenever frames are about to change, and when somebody has stopped it. */
  async follow(remote: GdbRemote, look: () => Promise<void>): Promise<void> {
    try {
      for (;;) {
        const call = await stopAt(remote, TAKE, FREE);
        await look();
        if (call[RIP] !== TAKE && call[RIP] !== FREE) continue;
        const caller = (await remote.memory(call[RSP]!, 8))!.readBigUInt64LE();
        let back = await stopAt(remote, caller);
        while (back[RIP] !== caller) back = await stopAt(remote, caller);
        const [first, second] = [call[RDI]!, call[RSI]!].map((value) => Number(BigInt.asUintN(32, value)));
        if (call[RIP] === FREE) this.mark(first! / PAGE_BYTES, second!, 'given back');
        else if (back[RAX] !== 0n)
          this.mark(Number(back[RAX]), first!, HEAP.test(symbolAt(caller)) ? 'heap' : 'allotted');
      }
    } catch (error) {
      if (!(error instanceof Disconnected)) throw error;
    }
  }

  private mark(first: number, bytes: number, use: Use): void {
    for (let page = first; page * PAGE_BYTES < first * PAGE_BYTES + bytes; page++) this.uses.set(page, use);
  }
}

/** The registers there. Breakpoints are the processor's: memory is not written. */
async function stopAt(remote: GdbRemote, ...places: bigint[]): Promise<bigint[]> {
  for (const place of places) await remote.ask(`Z1,${place.toString(16)},1`);
  await remote.ask('c');
  for (const place of places) await remote.ask(`z1,${place.toString(16)},1`);
  return remote.registers();
}
