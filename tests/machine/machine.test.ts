// The machine's own behaviour: interrupts and their priorities, lines and messages, time, faults, and how a run ends.

import { describe, expect, test } from 'vitest';
import {
  loadKernel,
  Machine,
  type MachineOptions,
  PciFunction,
  VirtioBlk,
  type Virtqueue,
} from '../../machine/index.ts';

const kernel = await loadKernel();
const disk = new Uint8Array(64 * 512).map((_, i) => i & 0xff);

function boot(commandLine: string, options: MachineOptions = {}) {
  const pc = new Machine({ memory_mib: 16, commandLine, ...options });
  pc.pci.add(new VirtioBlk(disk), { slot: 4 });
  return pc.run(kernel);
}

describe('a run', () => {
  test('is the same each time, also with a seed', () => {
    for (const seed of [undefined, 1, 2]) {
      const [first, second] = [boot('', { seed }), boot('', { seed })];
      expect({ ...second }).toEqual({ ...first });
      expect(first.end).toBe('off');
    }
    expect(boot('', { seed: 1 }).time_ns).not.toBe(boot('', { seed: 2 }).time_ns);
  });

  test('is the same in RAM that was used before', () => {
    const first = new Machine({ memory_mib: 16 });
    first.pci.add(new VirtioBlk(disk), { slot: 4 });
    const expected = first.run(kernel);
    const second = new Machine({ memory_mib: 16, reuse: first });
    second.pci.add(new VirtioBlk(disk), { slot: 4 });
    expect({ ...second.run(kernel) }).toEqual({ ...expected });
    expect(second.ram.bytes.buffer).toBe(first.ram.bytes.buffer);
  });

  test('reads the right bytes under many seeds', () => {
    const expected = boot('sector=3 count=2').lines.filter((line) => line.startsWith('~'));
    for (let seed = 1; seed <= 40; seed++) {
      const { lines } = boot('sector=3 count=2', { seed });
      expect(lines.filter((line) => line.startsWith('~'))).toEqual(expected);
    }
  });

  test('on an x2APIC', () => {
    const { end, lines } = boot('', { x2apic: true });
    expect(lines).toContain('irq: x2APIC, CPU 0');
    expect(end).toBe('off');
  });

  test('ends when its steps are used up', () => {
    const { end, error } = boot('', { budget_steps: 5000 });
    expect(end).toBe('error');
    expect(error!.message).toMatch(/given up after 5000 steps/);
  });

  test('goes on by its timer when interrupts are lost', () => {
    const pc = new Machine({ memory_mib: 16, trace: { allowMessage: () => false } });
    pc.pci.add(new VirtioBlk(disk, { latency_ns: 0 }));
    const { lines } = pc.run(kernel);
    expect(lines.join('\n')).toMatch(/an answer, but no interrupt in 5000 ms/);
  });
});

// As on the real machine: tests/kernel/panic.test.ts has these jobs in QEMU.
test.each([
  ['fault-division', 'panic: integer divide by zero', 'kernel/jobs/fault/divisionFault'],
  ['fault-overflow', 'panic: integer overflow', 'kernel/jobs/fault/overflowFault'],
  ['fault-unreachable', 'panic: unreachable', 'kernel/jobs/fault/unreachableFault'],
  ['fault-call', 'panic: undefined element', 'kernel/jobs/fault/callFault'],
  // What V8 says of a function of another type, too.
  ['fault-call function=0', 'panic: uninitialized element', 'kernel/jobs/fault/callFault'],
  ['fault-atomic', 'panic: unaligned atomic', 'kernel/jobs/fault/atomicFault'],
  ['fault-memory', 'panic: out of bounds memory access at 0x00000000', 'kernel/jobs/fault/memoryFault'],
  [
    'fault-memory address=720896',
    'panic: out of bounds memory access at 0x000b0000',
    'kernel/jobs/fault/memoryFault',
  ],
  [
    'fault-memory address=1048576',
    'panic: out of bounds memory access at 0x00100000',
    'kernel/jobs/fault/memoryFault',
  ],
  ['fault-arguments', 'panic: out of bounds memory access at 0x00000000', 'kernel/jobs/fault/argumentsFault'],
  [
    'fault-memory address=4294967290',
    'panic: out of bounds memory access at 0x01000000',
    'kernel/jobs/fault/memoryFault',
  ],
  ['fault-stack', 'panic: kernel stack overflow', 'kernel/jobs/fault/stackFault'],
  [
    'fault-assert',
    expect.stringMatching(/^panic: job=fault-assert \(kernel\/jobs\/fault\.ts:\d+\)$/),
    'kernel/lib/panic/panic',
  ],
])('job=%s', (job, reason, name) => {
  const { end, status, lines, error } = boot(`job=${job}`);
  expect({ end, status }).toEqual({ end: 'panic', status: 35 });
  expect(lines.find((line) => line.startsWith('panic: '))).toEqual(reason);
  expect(lines.find((line) => line.startsWith('panic: #0'))).toBe(`panic: #0 ${name}`);
  expect(error!.stack).toContain(name);
});

test.each(['pc', 'microvm'] as const)('panic=2 resets a %s after two seconds', (machine) => {
  const pc = new Machine({ memory_mib: 16, machine, commandLine: 'job=fault-division panic=2' });
  const { end, time_ns, lines } = pc.run(kernel);
  expect(end).toBe('reset');
  expect(time_ns / 1e9).toBeGreaterThan(2);
  expect(time_ns / 1e9).toBeLessThan(2.1);
  expect(lines.at(-1)).toBe('panic: reset in 2 s');
});

test('panic= and no number', () => {
  const { end, status, lines } = boot('job=fault-division panic=soon');
  expect({ end, status }).toEqual({ end: 'panic', status: 35 });
  expect(lines).toContain(
    'cmdline: panic=soon: choose exit, halt or a number of seconds up to 86400, ignored',
  );
});

test('words of the command line that nobody knows, and jobs that there are not', () => {
  const { lines } = boot('job=rea panc=1 repeat=1 quiet wait_ms');
  expect(lines).toContain('cmdline: ignored, there are no such words: panc=1 quiet wait_ms');
  expect(lines.join('\n')).toMatch(/^cmdline: job=rea: choose read, lspci, trace, .*, fault-stack$/m);
});

test('a register that is not mapped is a page fault', () => {
  const pc = new Machine({ memory_mib: 16 });
  expect(() => pc.pages.translate(0xfee0_0000, 4, false)).toThrow('read at 0xfee00000, which is not mapped');
  expect(() => pc.pages.translate(0xc_0000, 1, true)).toThrow('write at 0x000c0000, which is read-only');
  expect(() => pc.pages.translate(0xffd, 4, false)).toThrow('read at 0x00000ffd, which is not mapped');
  expect(pc.pages.map(0xffff_f000, 0xfee0_0000, 0x1000, 3)).toBe(0);
  expect(pc.pages.translate(0xffff_f080, 4, true)).toBe(0xfee0_0080);
  expect(pc.pages.map(0x40_0000, 0x1f_f000, 0x1000, 0)).toBe(2); // the kernel's image
  expect(pc.pages.map(0, 0x40_0000, 0x1000, 0)).toBe(2);
  expect(pc.pages.map(0x40_0000, 0x40_0800, 0x1000, 0)).toBe(1);
});

describe('the local APIC', () => {
  const started = () => {
    const pc = new Machine();
    const { lapic } = pc.cpu;
    lapic.write(0xf0, 4, 0x1ff);
    return { pc, lapic };
  };

  test('delivers by priority, and waits for the end of what is in service', () => {
    const { lapic } = started();
    for (const vector of [0x41, 0x63, 0x52]) lapic.request(vector);
    expect(lapic.pending()).toBe(0x63);
    lapic.accept(0x63);
    expect(lapic.pending()).toBe(-1);
    lapic.request(0x70);
    expect(lapic.pending()).toBe(0x70); // a higher class comes through
    lapic.write(0xb0, 4, 0);
    expect(lapic.pending()).toBe(0x70);
    lapic.accept(0x70);
    lapic.write(0xb0, 4, 0);
    expect(lapic.pending()).toBe(0x52);
    lapic.write(0x80, 4, 0x50); // task priority
    expect(lapic.pending()).toBe(-1);
    expect(lapic.read(0x220, 4)).toBe((1 << 0x01) | (1 << 0x12)); // requests 0x40 … 0x5f
  });

  test('counts its timer down on the virtual clock', () => {
    const { pc, lapic } = started();
    lapic.write(0x3e0, 4, 3); // by 16
    lapic.write(0x320, 4, 0x55);
    lapic.write(0x380, 4, 1000);
    pc.clock.advance(8000);
    expect(lapic.read(0x390, 4)).toBe(500);
    expect(lapic.pending()).toBe(-1);
    pc.clock.advance(8000);
    expect(lapic.pending()).toBe(0x55);
    expect(lapic.read(0x390, 4)).toBe(0);
  });

  test('ticks on after a jump of time, and where it is unmasked late', () => {
    const { pc, lapic } = started();
    lapic.write(0x3e0, 4, 11); // by 1
    lapic.write(0x320, 4, 0x2_0055);
    lapic.write(0x380, 4, 1000);
    const tick = () => {
      expect(lapic.pending()).toBe(0x55);
      lapic.accept(0x55);
      lapic.write(0xb0, 4, 0);
    };
    pc.clock.advance(10_500);
    tick();
    pc.clock.advance(400);
    expect(lapic.pending()).toBe(-1);
    pc.clock.advance(100); // 11 periods
    tick();
    lapic.write(0x320, 4, 0x3_0055);
    pc.clock.advance(5_500);
    lapic.write(0x320, 4, 0x2_0055);
    expect(lapic.pending()).toBe(-1);
    pc.clock.advance(500);
    tick();
  });
});

class Line extends PciFunction {
  constructor() {
    super(0x1234, 1, 0xff0000);
    this.config.bytes[0x3d] = 1; // INTA
  }
}

describe('INTx', () => {
  const start = (machine: 'pc' | 'q35') => {
    const pc = new Machine({ machine });
    const functions = [new Line(), new Line()];
    for (const [i, fn] of functions.entries()) pc.pci.add(fn, { slot: 4 + 4 * i }); // they share a line
    pc.cpu.lapic.write(0xf0, 4, 0x1ff);
    const redirect = (pin: number, low: number) => {
      pc.memory.write(0xfec0_0000, 4, 0x10 + 2 * pin);
      pc.memory.write(0xfec0_0010, 4, low);
    };
    return { pc, functions: functions as [Line, Line], redirect };
  };

  test.each([
    ['pc', 11],
    ['q35', 20],
  ] as const)('is shared and level-triggered: %s', (machine, pin) => {
    const { pc, functions, redirect } = start(machine);
    const { lapic } = pc.cpu;
    redirect(pin, 0x8060); // level, vector 0x60
    functions[0].setIntx(true);
    functions[1].setIntx(true);
    expect(lapic.pending()).toBe(0x60);
    lapic.accept(0x60);
    functions[0].setIntx(false);
    lapic.write(0xb0, 4, 0);
    expect(lapic.pending()).toBe(0x60); // the other still holds the line
    lapic.accept(0x60);
    functions[1].setIntx(false);
    lapic.write(0xb0, 4, 0);
    expect(lapic.pending()).toBe(-1);
  });

  test('is silent while the command register says so', () => {
    const { pc, functions, redirect } = start('pc');
    redirect(11, 0x8060);
    functions[0].writeConfig(4, 2, 1 << 10);
    functions[0].setIntx(true);
    expect(functions[0].readConfig(6, 2) & 8).toBe(8); // the status shows it
    expect(pc.cpu.lapic.pending()).toBe(-1);
    functions[0].writeConfig(4, 2, 0);
    expect(pc.cpu.lapic.pending()).toBe(0x60);
    pc.cpu.lapic.accept(0x60);
    functions[0].writeConfig(4, 2, 1 << 10);
    pc.cpu.lapic.write(0xb0, 4, 0);
    expect(pc.cpu.lapic.pending()).toBe(-1);
  });

  test('comes through the 8259s where they are not masked', () => {
    const { pc, functions } = start('pc');
    for (const [port, value] of [
      [0x20, 0x11],
      [0xa0, 0x11],
      [0x21, 0x20],
      [0xa1, 0x28],
      [0x21, 4],
      [0xa1, 2],
      [0x21, 1],
      [0xa1, 1],
      [0x21, 0xfb],
      [0xa1, 0xf7],
    ] as const)
      pc.ports.write(port, 1, value);
    functions[0].setIntx(true);
    expect(pc.pic.acknowledge()).toBe(0x2b); // 0x28 + line 11 - 8
    expect(pc.pic.acknowledge()).toBe(-1);
  });
});

test('MSI-X keeps what is masked, and sends it then', () => {
  const pc = new Machine({ memory_mib: 16 });
  const blk = new VirtioBlk(disk);
  const fn = pc.pci.add(blk, { slot: 4 });
  pc.load(kernel);
  pc.startFirmware();
  const table = fn.barAddress(1);
  fn.writeConfig(4, 2, fn.command | 4);
  pc.cpu.lapic.write(0xf0, 4, 0x1ff);
  pc.memory.write(table + 16, 4, 0xfee0_0000);
  pc.memory.write(table + 24, 4, 0x61);
  fn.writeConfig(0x9a, 2, 0x8000);
  blk.queues[0]!.vector = 1;
  blk.notifyQueue(blk.queues[0]!);
  expect(pc.cpu.lapic.pending()).toBe(-1);
  expect(pc.memory.read(table + 0x800, 4)).toBe(2); // its pending bit
  pc.memory.write(table + 28, 4, 0);
  expect(pc.cpu.lapic.pending()).toBe(0x61);
  expect(pc.memory.read(table + 0x800, 4)).toBe(0);
});

test.each([true, false])('microvm without ACPI: modern %s', (modern) => {
  const pc = new Machine({ machine: 'microvm', memory_mib: 64, firmware: { acpi: false } });
  pc.mmio.add(new VirtioBlk(new Uint8Array(64 * 512), { modern }));
  const { lines, status } = pc.run(kernel);
  expect(lines.at(-1)).toBe('yaos: done');
  expect(lines).toContain('virtio: mmio-feb00e00: GSI 12, vector 0x32');
  expect(status).toBe(33); // by isa-debug-exit
});

test.each([
  ['is no number@0xfeb00000:5', 'virtio_mmio.device=x@0xfeb00000:5'],
  ['no address', 'virtio_mmio.device=512:5'],
  ['no interrupt', 'virtio_mmio.device=512@0xfeb00000'],
])('a word for a virtio-mmio device: %s', (_, loaderLine) => {
  const pc = new Machine({
    ...{ machine: 'microvm', memory_mib: 64, loaderLine, firmware: { acpi: false } },
    commandLine: 'job=none',
  });
  const { lines } = pc.run(kernel);
  expect(lines).toContain(`cmdline: ${loaderLine}: give BYTES@0xADDRESS:GSI`);
});

test('a queue of virtio-mmio is reset when a request gets no answer', () => {
  class Silent extends VirtioBlk {
    silent = 1;
    override serve(queue: Virtqueue): void {
      if (this.silent-- > 0) this.take(queue);
      else super.serve(queue);
    }
  }
  const pc = new Machine({
    ...{ machine: 'microvm', memory_mib: 64, loaderLine: 'attempts=2 wait_ms=1000' },
  });
  pc.mmio.add(new Silent(new Uint8Array(64 * 512)));
  const { lines, status } = pc.run(kernel);
  expect(lines).toContain('virtio-blk mmio-feb02e00: queue 0 was reset, requests given up: 1');
  expect(lines.at(-1)).toBe('yaos: done');
  expect(status).toBe(0);
});
