// Clocks on the machine in Node: which one tells the rates, the timer's two kinds, and the date. tests/qemu/time.test.ts has
// on the real machine what QEMU has.

import { describe, expect, test } from 'vitest';
import {
  intercept,
  loadKernel,
  Machine,
  type MachineOptions,
  makeHostile,
  VirtioBlk,
} from '../../machine/index.ts';

const kernel = await loadKernel();
const IDLE = { memory_mib: 16, commandLine: 'job=none' };
const TIMER_INITIAL = 0x380;

/** What is logged about time. */
function times(pc: Machine): string[] {
  const { end, lines, serial } = pc.run(kernel);
  expect(end, serial).toBe('off');
  return lines.filter((line) => line.startsWith('time: '));
}

/** The first line, without the rates. */
function source(pc: Machine): string {
  const [line] = times(pc);
  const [, tsc, timer, by] = /^time: TSC (\d+) kHz, (?:APIC timer (\d+) kHz|.*timer) by (.*)$/.exec(line!)!;
  expect(Math.abs(Number(tsc) / (pc.options.tsc_khz ?? 2_000_000) - 1), line).toBeLessThan(0.002);
  if (timer !== undefined) expect(Math.abs(Number(timer) / 1e6 - 1), line).toBeLessThan(0.002);
  return by!;
}

describe('the rates', () => {
  test.each([
    [{}, 'HPET'],
    [{ machine: 'q35' }, 'HPET'],
    [{ hpet: false }, 'PIT'],
    [{ machine: 'microvm' }, 'PIT'],
    [{ tsc_khz: 3_456_789 }, 'HPET'],
    [{ tsc_khz: 123_456, hpet: false }, 'PIT'],
    [{ kvmclock: true }, 'kvmclock'],
    [{ kvmclock: true, tsc_khz: 700_000 }, 'kvmclock'],
    [{ kvmclock: true, tsc_khz: 4_294_967, tscDeadline: true }, 'kvmclock'],
  ] as [MachineOptions, string][])('%j: by %s', (options, by) => {
    expect(source(new Machine({ ...IDLE, ...options }))).toBe(by);
  });

  test.each([
    ['stands still', 0xf0, 0],
    ['has no rate', 0x04, 0],
    ['has a rate that cannot be', 0x04, 0xffff_ffff],
  ])('an HPET that %s: by the PIT', (_, register, value) => {
    const pc = new Machine(IDLE);
    intercept(
      pc.hpet!,
      'read',
      (read) => (offset, width) => (offset === register ? value : read(offset, width)),
    );
    expect(source(pc)).toBe('PIT');
  });

  test('a clock of KVM’s that is always about to change: by the HPET', () => {
    const pc = new Machine({ ...IDLE, kvmclock: true });
    pc.kvmclock.busy = true;
    expect(source(pc)).toBe('HPET');
  });

  test('KVM writes to the page no more afterwards', () => {
    const pc = new Machine({ ...IDLE, kvmclock: true });
    const written: bigint[] = [];
    intercept(pc.kvmclock, 'write', (write) => (value, tsc) => {
      written.push(value);
      write(value, tsc);
    });
    times(pc);
    expect(written.map((value) => value & 1n)).toEqual([1n, 0n]);
  });
});

describe.each([{}, { x2apic: true }, { cpus: 4, seed: 5 }])('the TSC-deadline timer: %j', (options) => {
  const deadlines = { memory_mib: 16, tscDeadline: true, ...options };

  test('timers and sleeping threads', () => {
    const pc = new Machine({ ...deadlines, commandLine: 'job=threads rounds=20' });
    const counts: number[] = [];
    for (const { lapic } of pc.cpus.all)
      intercept(lapic, 'write', (write) => (offset, width, value) => {
        if (offset === TIMER_INITIAL) counts.push(value);
        write(offset, width, value);
      });
    const { end, lines, serial } = pc.run(kernel);
    expect(end, serial).toBe('off');
    expect(lines).toContain('threads: counted 160, token passed 160 times, timers expired 80');
    expect(lines.join('\n')).toMatch(/^time: TSC \d+ kHz, TSC-deadline timer by HPET$/m);
    // Counts are for measuring only; enabling the timer stops it.
    expect(counts.slice(-pc.cpus.all.length)).toEqual(pc.cpus.all.map(() => 0));
  });

  test('a silent disk is given up in time', () => {
    const pc = new Machine({ ...deadlines, commandLine: 'wait_ms=700' });
    const blk = new VirtioBlk(new Uint8Array(64 * 512));
    pc.pci.add(blk, { slot: 4 });
    blk.serve = () => {};
    const { lines, time_ns } = pc.run(kernel);
    expect(lines.join('\n')).toMatch(/no answer in 700 ms/);
    expect(time_ns).toBeGreaterThan(0.7e9);
    expect(time_ns).toBeLessThan(1.8e9);
  });
});

test('a counter that is set back moves deadlines too', () => {
  const pc = new Machine({ memory_mib: 16, tscDeadline: true, commandLine: 'job=threads rounds=20' });
  const blk = new VirtioBlk(new Uint8Array(64 * 512));
  pc.pci.add(blk, { slot: 4 });
  makeHostile(
    pc,
    blk,
    (attack) => {
      const since = attack.moment(400, true);
      intercept(pc.cpu, 'readTsc', (read) => () => read() - (since() ? 1000n : 0n));
    },
    1,
  );
  const { end, serial } = pc.run(kernel);
  expect(end, serial).toBe('off');
});

describe('the date', () => {
  const date = (iso: string, prepare: (pc: Machine) => void = () => {}, options: MachineOptions = {}) => {
    const pc = new Machine({ ...IDLE, ...options, date: new Date(iso) });
    prepare(pc);
    return times(pc)[1];
  };
  const status = (value: number) => (pc: Machine) => {
    pc.ports.write(0x70, 1, 0x0b);
    pc.ports.write(0x71, 1, value);
  };
  const BINARY = 4;
  const HOURS_24 = 2;

  test.each([
    ['1999-12-31T09:08:07Z', 'time: 1999-12-31 09:08:07 UTC'],
    ['2024-02-29T23:59:00Z', 'time: 2024-02-29 23:59:00 UTC'],
    ['2101-01-01T00:00:00Z', 'time: 2101-01-01 00:00:00 UTC'],
  ])('%s', (iso, line) => {
    for (const format of [HOURS_24, HOURS_24 | BINARY, 0, BINARY])
      expect(date(iso, status(format))).toBe(line);
  });

  test.each(['00', '01', '11', '12', '13', '23'])('at %s o’clock by a clock of twelve hours', (hour) => {
    expect(date(`2026-11-21T${hour}:30:00Z`, status(0))).toBe(`time: 2026-11-21 ${hour}:30:00 UTC`);
  });

  // The machine is asked some 2 ms after it is switched on: somewhere here in the middle of an update.
  test('is read before an update or after it', () => {
    const seen = new Set<string | undefined>();
    for (let ms = 995; ms < 1000; ms += 0.2) {
      const start = new Date(Date.parse('2026-12-31T23:59:59Z'));
      const pc = new Machine({ ...IDLE, date: start });
      pc.clock.advance(ms * 1e6);
      seen.add(times(pc)[1]);
    }
    expect([...seen]).toEqual(['time: 2026-12-31 23:59:59 UTC', 'time: 2027-01-01 00:00:00 UTC']);
  });

  // QEMU's clock says that it is updating until QEMU comes to it.
  test('is read after an update that a busy host draws out', () => {
    expect(
      date('2026-11-21T00:00:00Z', ({ cmos, clock }) => {
        intercept(cmos, 'read', (read) => (offset: number) => (clock.now_ns < 80e6 ? 0x80 : read(offset)));
      }),
    ).toBe('time: 2026-11-21 00:00:00 UTC');
  });

  test('is not waited for without end', () => {
    expect(
      date('2026-11-21T00:00:00Z', ({ cmos }) => {
        intercept(cmos, 'read', () => () => 0x80);
      }),
    ).toBe('time: no date: the clock in CMOS memory has been updating for 1000 ms');
  });

  test('of a machine without such a clock', () => {
    expect(
      date('2026-11-21T00:00:00Z', ({ cmos }) => {
        intercept(cmos, 'read', () => () => 0xff);
      }),
    ).toBeUndefined();
  });
});
