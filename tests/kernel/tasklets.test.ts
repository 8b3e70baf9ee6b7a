// Tasklets: in which order they run, with interrupts on, and how many at once.

import { beforeAll, expect, test } from 'vitest';
import { type Kernel, Machine } from '../../machine/index.ts';
import { compileParts } from './compile.ts';

const ENTRY = `
import * as lapic from './irq/lapic.ts';
import { schedule, Tasklet, taskletsOf } from './irq/tasklets.ts';
import * as vectors from './irq/vectors.ts';
import { interrupt, InterruptHandler } from './irq/vectors.ts';
import * as frames from './mm/frames.ts';
import { Regions } from './mm/regions.ts';
import * as x86 from './x86.ts';
export { interrupt };

let notes: Array<i32> = [];
export function noted(): i32 { return notes.length === 0 ? 0 : notes.shift(); }

/** Its id, plus 1000 if interrupts are off; and with a minus at its end. */
class Work extends Tasklet {
  again: i32 = 0;
  sends: u32 = 0;
  constructor(private readonly id: i32) { super(); }
  run(): void {
    const flags = x86.irq_save();
    notes.push(this.id + (flags & 0x200 ? 0 : 1000));
    if (this.again-- > 0) schedule(this);
    const vector = this.sends;
    this.sends = 0;
    x86.irq_restore(flags);
    if (vector !== 0) lapic.sendToSelf(vector);
    notes.push(-this.id);
  }
}

const works: Array<Work> = [new Work(1), new Work(2), new Work(3)];

/** Schedules the works whose bits are set. */
class Handler extends InterruptHandler {
  constructor(private readonly bits: i32) { super(); }
  interrupt(vector: u32): void {
    notes.push(100 + this.bits);
    for (let i = 0; i < 3; i++) if ((this.bits >> i) & 1) schedule(works[i]);
  }
}

export function prepare(): void {
  const ram = new Regions();
  ram.add(0x10_0000, 0x3f0_0000);
  frames.init(ram, 'the test');
  vectors.init();
  notes = [];
  x86.sti();
}
export function handler(bits: i32): u32 { return vectors.allocateVector(new Handler(bits)); }
export function again(work: i32, times: i32): void { works[work - 1].again = times; }
export function sends(work: i32, vector: u32): void { works[work - 1].sends = vector; }
export function send(vector: u32): void { lapic.sendToSelf(vector); x86.mfence(); }
export function count(): u32 { return taskletsOf(0).count as u32; }
`;

interface Exports {
  prepare(): void;
  handler(bits: number): number;
  again(work: number, times: number): void;
  sends(work: number, vector: number): void;
  send(vector: number): void;
  noted(): number;
  count(): number;
}

let parts: Kernel;
beforeAll(async () => {
  parts = await compileParts(ENTRY, 'release');
}, 60_000);

function load(x2apic = false) {
  const kernel = new Machine({ memory_mib: 64, x2apic }).load(parts) as unknown as Exports;
  kernel.prepare();
  const notes = () => {
    const all: number[] = [];
    for (let one = kernel.noted(); one !== 0; one = kernel.noted()) all.push(one);
    return all.join(' ');
  };
  return { kernel, notes };
}

test.each([false, true])(
  'they run behind the handler, in their order, once, interrupts on: x2APIC %s',
  (x2apic) => {
    const { kernel, notes } = load(x2apic);
    kernel.send(kernel.handler(7));
    expect(kernel.count()).toBe(3);
    expect(notes()).toBe('107 1 -1 2 -2 3 -3');
  },
);

test('an interrupt in the midst of one is handled at once, and what it schedules comes after', () => {
  const { kernel, notes } = load();
  kernel.sends(1, kernel.handler(5));
  kernel.send(kernel.handler(3));
  expect(notes()).toBe('103 1 105 -1 2 -2 1 -1 3 -3');
});

test('one that is scheduled twice runs once, and may schedule itself', () => {
  const { kernel, notes } = load();
  kernel.sends(1, kernel.handler(2));
  kernel.again(2, 2);
  kernel.send(kernel.handler(3));
  expect(notes()).toBe('103 1 102 -1 2 -2 2 -2 2 -2');
});

test('so many in a row, then others may interrupt, then the rest', () => {
  const { kernel, notes } = load();
  kernel.again(1, 39);
  kernel.send(kernel.handler(1));
  expect(kernel.count()).toBe(40);
  expect(notes()).toBe(`101${' 1 -1'.repeat(40)}`);
});
