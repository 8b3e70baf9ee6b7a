// What one device may not do to the rest of the machine: be one too many, take a CPU for itself, fill the log.

import { expect, test } from 'vitest';
import { loadKernel, Machine, MemoryDisk, VirtioBlk, VirtioNet, VirtioRng } from '../../machine/index.ts';
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

test('a link that flaps does not fill the log', () => {
  const net = new VirtioNet();
  const pc = new Machine({ memory_mib: 128, commandLine: 'job=net seconds=1' });
  pc.pci.add(net, { slot: 4 });
  repeat(pc, 100_000_000, 100_000, () => net.setLink(!net.linkUp));
  const { lines, status } = pc.run(kernel);
  const link = lines.filter((line) => /: link (up|down), changes \d+$/.test(line));
  expect(link.length).toBeLessThan(24);
  expect(Number(/\d+$/.exec(link.at(-1)!))).toBeGreaterThan(4000);
  expect(status).toBe(0);
});

test.each([
  ['by the last device’s vector', { vectors: undefined }],
  ['by its only one', { vectors: 1 }],
])('more devices than vectors: a read %s', (_, { vectors }) => {
  const pc = new Machine({ memory_mib: 128 });
  for (let i = 0; i < 26 * 8; i++) pc.pci.add(new VirtioRng(), { slot: 3 + (i >> 3), function: i & 7 });
  const data = new Uint8Array(64 * 512).map((_, i) => i >> 9);
  const blk = new VirtioBlk(new MemoryDisk(data), { vectors });
  pc.pci.add(blk, { slot: 30 });
  const { lines, status } = pc.run(kernel);
  expect(lines.at(-1)).toBe('yaos: done');
  expect(lines.some((line) => / interrupt vector 0xfe, ISR status 0x01, CPU 0$/.test(line))).toBe(true);
  expect(lines.filter((line) => line.includes(' 01 01 01 '))).toHaveLength(64);
  expect(status).toBe(0);
});
