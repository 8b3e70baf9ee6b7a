// The driver of docs/writing-a-driver.md, on the machine in Node and in QEMU: what it says, what it does when its device does
// wrong, and that the model's device is QEMU's, register by register.

import { describe, expect, test } from 'vitest';
import { Edu, intercept, loadKernel, Machine, type MachineOptions, PciBridge } from '../../machine/index.ts';
import { generator } from '../kernel/random.ts';
import { Workbench } from '../qemu/machine.ts';
import { normalised } from './log.ts';
import { type Bench, ModelBench, QemuBench } from './qtest.ts';

const SEED = Number(process.env.YAOS_SEED ?? 1);
const kernel = await loadKernel();
const workbench = new Workbench();

/** 20 factorial, modulo 2^32, by the host. */
const FACTORIAL_20 = Number(
  Array.from({ length: 20 }, (_, i) => BigInt(i + 1)).reduce((product, n) => (product * n) & 0xffff_ffffn),
);

function boot(edu: Edu, options: MachineOptions = {}) {
  const pc = new Machine({ commandLine: 'job=edu n=20', ...options });
  pc.pci.add(edu, { slot: 5 });
  return pc.run(kernel);
}

describe('job=edu', () => {
  test.each(['pc', 'q35'] as const)('in Node, on a %s', (machine) => {
    const { end, lines } = boot(new Edu(), { machine });
    expect(end).toBe('off');
    expect(lines).toContain(`edu: 20! = ${FACTORIAL_20}`);
    expect(lines).toContain('edu: 4095 bytes through the device and back');
  });

  test.each([true, false])('by a message or the pin: MSI %s', (msi) => {
    const { lines } = boot(new Edu({ msi }));
    expect(lines).toContain(`edu 0000:00:05.0: version 1.0, by ${msi ? 'message' : 'pin'}`);
    expect(lines).toContain(`edu: 20! = ${FACTORIAL_20}`);
  });

  test.each([0, 3])('by a message to CPU 0, for a thread on CPU %s of 4', async (cpu) => {
    const append = `job=edu n=20 cpu=${cpu}`;
    const qemu = await workbench.boot({
      ...{ DISK: 'none', SMP: '4', MEM: '128M', QEMUEXTRA: '-device edu,addr=5', APPEND: append },
    });
    expect(qemu.failure).toBeNull();
    for (const { lines } of [qemu, boot(new Edu(), { cpus: 4, commandLine: append })]) {
      expect(lines).toContain('edu 0000:00:05.0: version 1.0, by message');
      expect(lines).toContain(`edu: 20! = ${FACTORIAL_20}`);
      expect(lines).toContain('edu: 4095 bytes through the device and back');
      expect(lines.some((line) => /^irq: [1-9]\d* interrupts, 0 stray$/.test(line))).toBe(true);
    }
  });

  test('behind a bridge', () => {
    const pc = new Machine({ commandLine: 'job=edu n=20' });
    const bridge = new PciBridge('pci-bridge');
    pc.pci.add(bridge, { slot: 6 });
    pc.pci.add(new Edu(), { slot: 3, bridge });
    expect(pc.run(kernel).lines).toContain(`edu: 20! = ${FACTORIAL_20}`);
  });

  test.each(['pc', 'q35'] as const)('says the same in QEMU, on a %s', async (MACHINE) => {
    const outcome = await workbench.boot({
      ...{ MACHINE, DISK: 'none', SMP: '1', MEM: '128M' },
      QEMUEXTRA: '-device edu,addr=5',
      APPEND: 'job=edu n=20',
    });
    expect(outcome.failure).toBeNull();
    const { lines } = boot(new Edu(), { machine: MACHINE, memory_mib: 128 });
    const about = (all: string[]) => normalised(all).filter((line) => /edu|0000:00:05\.0/.test(line));
    expect(about(lines)).toEqual(about(outcome.lines));
  });
});

/** A device with a register that reads otherwise from the `nth` time on. */
function reading(at: number, nth: number, alter: (value: number) => number): Edu {
  const edu = new Edu();
  let count = 0;
  intercept(edu.bars[0]!.registers, 'read', (read) => (offset, width) => {
    const value = read(offset, width);
    return offset === at && ++count >= nth ? alter(value) : value;
  });
  return edu;
}

/** By its pin, which stays high then. */
function deaf(at: number): Edu {
  const edu = new Edu({ msi: false });
  intercept(edu.bars[0]!.registers, 'write', (write) => (offset, width, value) => {
    if (offset !== at) write(offset, width, value);
  });
  return edu;
}

const wrongs: [string, () => Edu, RegExp][] = [
  [
    'another identification',
    () => reading(0x00, 1, () => 0x0100_00ee),
    /edu 0000:00:05.0: cannot be used: its registers/,
  ],
  [
    'a dead card',
    () => reading(0x04, 1, () => 0),
    /edu 0000:00:05.0: cannot be used: its registers are not those of edu/,
  ],
  [
    'a factorial without end',
    () => reading(0x20, 1, (value) => value | 1),
    /no interrupt for a factorial in 5000 ms: status 0x81/,
  ],
  ['a copy without end', () => reading(0x98, 2, (value) => value | 1), /no interrupt for a copy in 5000 ms/],
  [
    'a card that has gone',
    () => reading(0x20, 1, () => 0xffff_ffff),
    /no interrupt for a factorial in 5000 ms: status 0xff/,
  ],
  [
    'an interrupt that is not taken back',
    () => deaf(0x64),
    /no interrupt for a copy in 5000 ms: status 0x80, DMA command 0x04/,
  ],
];

test.each(wrongs)('%s', (_, edu, says) => {
  const { lines, error, end } = boot(edu());
  expect(lines.join('\n')).toMatch(says);
  expect(
    end === 'off' || lines.some((line) => /^panic: (no edu device|the edu device has failed)/.test(line)),
    `${error}`,
  ).toBe(true);
});

test(`registers, at random, are QEMU's (YAOS_SEED=${SEED})`, async () => {
  const work = async (bench: Bench): Promise<string[]> => {
    const random = generator(SEED);
    const config = async (at: number, value: number) => {
      await bench.out(0xcf8, 4, 0x8000_2800 | at);
      await bench.out(0xcfc, 4, value);
    };
    const BASE = 0xfe00_0000;
    await config(0x10, BASE);
    await config(0x04, 6);
    const seen: string[] = [];
    // Not the registers that take time: they are compared by the kernel's job.
    const registers = [0x00, 0x04, 0x0c, 0x20, 0x24, 0x60, 0x64, 0x80, 0x88, 0x90, 0x100];
    for (let i = 0; i < 800; i++) {
      const at = registers[random(registers.length)];
      const width = ([1, 2, 4, 4, 4] as const)[random(5)];
      if (random(2)) await bench.store(BASE + at, width, random(0x7fff_ffff));
      else
        seen.push(`${i}: ${at.toString(16)}.${width} ${(await bench.load(BASE + at, width)).toString(16)}`);
    }
    return seen;
  };
  const qemu = new QemuBench(['-machine', 'pc', '-m', '128M', '-device', 'edu,addr=5']);
  const pc = new Machine();
  pc.pci.add(new Edu(), { slot: 5 });
  const model = await work(new ModelBench(pc));
  try {
    expect(model).toEqual(await work(qemu));
  } finally {
    await qemu.close();
  }
});
