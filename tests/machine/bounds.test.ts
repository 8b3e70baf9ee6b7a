// What one device may not do to the rest of the machine: be one too many, take a CPU for itself, fill the log.

import { expect, test } from 'vitest';
import { loadKernel, Machine, MemoryDisk, VirtioBlk, VirtioNet } from '../../machine/index.ts';
import { ethernet, HOST_MAC } from './wire.ts';

const kernel = await loadKernel();
const disk = () => new VirtioBlk(new MemoryDisk(new Uint8Array(1024 * 512)));

/** Has `work` done every `ns` nanoseconds from `start` on. */
function repeat(pc: Machine, start: number, ns: number, work: () => void): void {
  const again = () => {
    work();
    pc.clock.schedule(ns, again);
  };
  pc.clock.schedule(start, again);
}

test('the seventeenth disk is left out, and says so', () => {
  const pc = new Machine({ memory_mib: 128 });
  for (let i = 0; i < 17; i++) pc.pci.add(disk(), { slot: 4 + i });
  const result = pc.run(kernel);
  expect(result.lines).toContain('virtio-blk 0000:00:14.0: is one too many: of its kind 16 are used');
  expect(result.status).toBe(0);
});

test.each([5, 10, 20])('frames every %i µs leave time for others', (us) => {
  // About as fast as they are handled: there is always another one, and never a whole batch.
  const net = new VirtioNet();
  const pc = new Machine({ memory_mib: 128, commandLine: 'job=net seconds=1', budget_steps: 8_000_000 });
  pc.pci.add(net, { slot: 4 });
  const frame = ethernet([2, 0, 0, 0, 0, 9], HOST_MAC, 0x0800, new Uint8Array(46));
  repeat(pc, 950_000_000, us * 1000, () => net.receive(frame));
  const result = pc.run(kernel);
  expect(result.lines.slice(-8).join('\n')).toContain('net: its time is over');
  expect(result.status).toBe(0);
});
