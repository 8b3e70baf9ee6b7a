// Malices of time: counters that stand still or jump. They are the machine's, whatever its devices do.

import { type Attack, intercept, type Malice } from './attack.ts';

const LAPIC_TIMER_INITIAL = 0x380;
const LAPIC_TIMER_CURRENT = 0x390;
const PIT_CHANNEL_2 = 2;
const HPET_COUNTER = 0xf0;

function tsc(attack: Attack, alter: (ticks: bigint) => bigint): void {
  intercept(attack.machine.cpu, 'readTsc', (read) => () => {
    const ticks = read();
    const told = BigInt.asUintN(64, alter(ticks));
    if (told !== ticks) attack.act();
    return told;
  });
}

/** On a machine that has one. */
function hpet(attack: Attack, alter: () => number): void {
  if (!attack.machine.hpet) return;
  intercept(attack.machine.hpet, 'read', (read) => (offset, width) => {
    if (offset !== HPET_COUNTER) return read(offset, width);
    attack.act();
    return alter();
  });
}

/** Without it the PIT is what is measured by. */
function withoutHpet({ machine }: Attack): void {
  if (machine.hpet) intercept(machine.hpet, 'read', () => () => 0xffff_ffff);
}

export const CLOCKS = {
  'TSC stands still'(attack) {
    const since = attack.moment(60, true);
    let last = 0n;
    tsc(attack, (ticks) => {
      if (!since()) last = ticks;
      return last;
    });
  },

  'TSC jumps forward'(attack) {
    const since = attack.moment(60, true);
    const jump = 1n << BigInt(attack.random.between(10, 63));
    tsc(attack, (ticks) => (since() ? ticks + jump : ticks));
  },

  'TSC jumps backward'(attack) {
    const since = attack.moment(60, true);
    const jump = 1n << BigInt(attack.random.between(10, 63));
    tsc(attack, (ticks) => (since() ? ticks - jump : ticks));
  },

  'TSC reads as anything'(attack) {
    const since = attack.moment(60, true);
    const { random } = attack;
    tsc(attack, (ticks) => (since() ? (BigInt(random.next()) << BigInt(random.below(32))) | 1n : ticks));
  },

  'PIT stands still'(attack) {
    withoutHpet(attack);
    intercept(attack.machine.pit, 'read', (read) => (offset, width) => {
      if (offset !== PIT_CHANNEL_2) return read(offset, width);
      attack.act();
      return 0xff;
    });
  },

  'PIT reads as anything'(attack) {
    withoutHpet(attack);
    const since = attack.moment(60, true);
    intercept(attack.machine.pit, 'read', (read) => (offset, width) => {
      const value = read(offset, width);
      if (!since()) return value;
      attack.act();
      return attack.random.below(256);
    });
  },

  'PIT falls back'(attack) {
    withoutHpet(attack);
    const since = attack.moment(80, true);
    intercept(attack.machine.pit, 'read', (read) => (offset, width) => {
      const value = read(offset, width);
      if (!since()) return value;
      attack.act();
      return 0xff;
    });
  },

  'HPET stands still'(attack) {
    hpet(attack, () => 0);
  },

  'HPET reads as anything'(attack) {
    const { random } = attack;
    hpet(attack, () => random.edge(32));
  },

  'APIC timer counts anyhow'(attack) {
    const { random } = attack;
    intercept(attack.machine.cpu.lapic, 'read', (read) => (offset, width) => {
      if (offset !== LAPIC_TIMER_CURRENT) return read(offset, width);
      attack.act();
      return random.edge(32);
    });
  },

  'APIC timer stands still'(attack) {
    const { lapic } = attack.machine.cpu;
    let count = 0;
    intercept(lapic, 'write', (write) => (offset, width, value) => {
      if (offset !== LAPIC_TIMER_INITIAL) return write(offset, width, value);
      attack.act();
      count = value;
    });
    intercept(
      lapic,
      'read',
      (read) => (offset, width) => (offset === LAPIC_TIMER_CURRENT ? count : read(offset, width)),
    );
  },

  'APIC timer runs fast'(attack) {
    const factor = attack.random.pick([2, 10, 1000]);
    intercept(attack.machine.cpu.lapic, 'write', (write) => (offset, width, value) => {
      if (offset !== LAPIC_TIMER_INITIAL || value === 0xffff_ffff) return write(offset, width, value);
      attack.act();
      write(offset, width, Math.ceil(value / factor));
    });
  },
} satisfies Record<string, Malice>;
