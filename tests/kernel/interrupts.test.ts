// The kernel by interrupt lines, on the machine in Node: neighbours on a line, lines that misbehave, CPUs and I/O APICs in
// other numbers. tests/qemu/interrupts.test.ts and microvm.test.ts have the same on the real machine.

import { beforeAll, expect, test } from 'vitest';
import {
  intercept,
  type Kernel,
  loadKernel,
  Machine,
  type MachineOptions,
  VirtioBlk,
  type VirtioBlkOptions,
} from '../../machine/index.ts';

let kernel: Kernel;
beforeAll(async () => {
  kernel = await loadKernel();
}, 60_000);

const disk = new Uint8Array(64 * 512).map((_, i) => (i * 7 + (i >> 9)) & 0xff);

/** A machine with a disk that interrupts by its pin, in a slot of line 11 (pc) or 20 (q35). */
function machine(options: MachineOptions = {}, blk: VirtioBlkOptions = {}) {
  const pc = new Machine({ memory_mib: 16, ...options });
  const first = new VirtioBlk(disk, { vectors: 0, ...blk });
  const fn = pc.pci.add(first, { slot: 4 });
  return { pc, first, fn };
}

const INTERRUPT = /: interrupt vector 0x[0-9a-f]{2}, ISR status 0x01, CPU \d+$/;

/** Two reads, each by one interrupt. */
function expectJob(pc: Machine): string {
  const { end, serial, lines } = pc.run(kernel);
  expect(end, serial).toBe('off');
  expect(lines.filter((line) => INTERRUPT.test(line))).toHaveLength(2);
  expect(lines.filter((line) => /completion length 513, status 0/.test(line))).toHaveLength(2);
  return serial;
}

test.each([
  [{ machine: 'pc' }, 11],
  [{ machine: 'q35' }, 20],
  [{ machine: 'q35', x2apic: true }, 20],
  [{ machine: 'q35', cpus: 4, commandLine: 'cpu=2' }, 20],
] as const)('by the pin: %j', (options, gsi) => {
  expect(expectJob(machine(options).pc)).toContain(`pin A: GSI ${gsi}, vector`);
});

test.each([
  [4, 11],
  [5, 10],
] as const)('on pc by the chipset’s routes, whatever stands in the function: slot %i', (slot, gsi) => {
  const pc = new Machine({ memory_mib: 16 });
  const fn = pc.pci.add(new VirtioBlk(disk, { vectors: 0 }), { slot });
  intercept(pc, 'startFirmware', (start) => () => {
    const info = start();
    fn.config.bytes[0x3c] = 0;
    return info;
  });
  expect(expectJob(pc)).toContain(`pin A: GSI ${gsi}, vector`);
});

test('a neighbour that interrupts by itself', () => {
  const { pc, first } = machine();
  const second = new VirtioBlk(disk, { vectors: 0 });
  pc.pci.add(second, { slot: 8 });
  let raised = 0;
  intercept(first, 'kick', (kick) => (index) => {
    for (let at_ns = 1000; at_ns <= 50_000; at_ns += 1000)
      pc.clock.schedule(at_ns, () => {
        raised++;
        second.notifyQueue(second.queues[0]!);
      });
    kick(index);
  });
  const log = expectJob(pc);
  expect(raised).toBe(100);
  expect(log.match(/pin A: GSI 11, vector 0x[0-9a-f]{2}/g)).toHaveLength(2);
  expect(log).not.toMatch(/masked/);
});

test('functions without a driver do not hold the line', () => {
  const { pc } = machine({ machine: 'q35' });
  const other = new VirtioBlk(disk, { vectors: 0 });
  const fn = pc.pci.add(other, { slot: 8 });
  fn.config.set16(0, 0x1234); // nobody's
  intercept(pc, 'startFirmware', (start) => () => {
    const info = start();
    fn.setIntx(true);
    return info;
  });
  expect(expectJob(pc)).not.toMatch(/masked/);
});

test('a line that is stuck is masked, and the wait says so', () => {
  const { pc, first, fn } = machine();
  intercept(first, 'notifyQueue', (notify) => (queue) => {
    notify(queue);
    fn.setIntx = () => {}; // from now on it stays high, whatever is read
  });
  const { end, serial } = pc.run(kernel);
  expect(end).toBe('panic');
  expect(serial).toMatch(/sector 1: an answer, but no interrupt in 5000 ms/);
  expect(serial).toMatch(/line GSI 11 \(\d+ interrupts; masked after 10000 in a row that brought nothing\)/);
});

test('a line that is stuck when nobody waits is told at the end', () => {
  const { pc, first, fn } = machine();
  let left = 2;
  intercept(first, 'notifyQueue', (notify) => (queue) => {
    notify(queue);
    if (--left === 0) fn.setIntx = () => {};
  });
  expect(expectJob(pc)).toMatch(/^irq: GSI 11 \(\d+ interrupts; masked after 10000 in a row/m);
});

test('a message of the line’s own vector does not stop the line', () => {
  const vector = Number(/GSI 11, vector (0x[0-9a-f]{2})/.exec(expectJob(machine().pc))![1]);
  const { pc, first } = machine();
  // It comes when the line has asked and has not been served: the local APIC takes both for the message.
  intercept(first, 'notifyQueue', (notify) => (queue) => {
    notify(queue);
    pc.pci.messages(0xfee0_0000, vector);
  });
  expectJob(pc);
});

test.each([1, 2])('virtio-mmio on line 24 and up, %i CPUs', (cpus) => {
  const pc = new Machine({ memory_mib: 16, machine: 'microvm', cpus, commandLine: `cpu=${cpus - 1}` });
  for (const place of [0, 23]) pc.mmio.add(new VirtioBlk(disk), { place });
  const log = expectJob(pc);
  expect(log).toContain('virtio: mmio-feb00000: GSI 24, vector');
  expect(log).toContain('virtio: mmio-feb02e00: GSI 47, vector');
});
