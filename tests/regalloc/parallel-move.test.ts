// Parallel moves against their definition: every destination ends up with what its source held before.

import { describe, expect, it } from 'vitest';
import { SLOT0 } from '../../build/x64/mir.ts';
import { type Move, SCRATCH_FLOAT, sequence } from '../../build/x64/regalloc/parallel-move.ts';
import { Random } from './generate.ts';

const RAX = 0;
const RCX = 1;
const RDX = 2;
const XMM0 = 16;
const XMM1 = 17;
const NONE = (): number => -1;

function int(to: number, from: number): Move {
  return { to, from, float: false, narrow: false };
}

function float(to: number, from: number): Move {
  return { to, from, float: true, narrow: false };
}

/** Runs the steps on locations that hold their own numbers; a mixed-class move between registers is an error. */
function run(moves: Move[], free: () => number): Map<number, number> {
  const held = new Map<number, number>();
  const get = (loc: number): number => held.get(loc) ?? loc;
  for (const step of sequence(moves, free)) {
    if (!step.float && step.to < SLOT0 && step.from < SLOT0)
      expect(step.to < 16 && step.from < 16).toBe(true);
    if (step.float && step.to < SLOT0 && step.from < SLOT0)
      expect(step.to >= 16 && step.from >= 16).toBe(true);
    const [a, b] = [get(step.to), get(step.from)];
    held.set(step.to, b);
    if (step.exchange) held.set(step.from, a);
  }
  return held;
}

describe('parallel moves', () => {
  it('does nothing for what is in place', () => {
    expect(sequence([int(RAX, RAX)], NONE)).toEqual([]);
    expect(sequence([int(RAX, RAX), int(RCX, RCX)], NONE)).toEqual([]);
  });

  it('orders a chain so that nothing is lost', () => {
    const steps = sequence([int(RAX, RCX), int(RCX, RDX)], NONE);
    expect(steps.map((s) => [s.to, s.from])).toEqual([
      [RAX, RCX],
      [RCX, RDX],
    ]);
  });

  it('copies one source to several places', () => {
    const held = run([int(RAX, RDX), int(RCX, RDX), int(SLOT0, RDX)], NONE);
    expect([held.get(RAX), held.get(RCX), held.get(SLOT0)]).toEqual([RDX, RDX, RDX]);
  });

  it('exchanges two integer registers where none is free', () => {
    const steps = sequence([int(RAX, RCX), int(RCX, RAX)], NONE);
    expect(steps).toHaveLength(1);
    expect(steps[0].exchange).toBe(true);
  });

  it('goes through a free register where there is one', () => {
    const steps = sequence([int(RAX, RCX), int(RCX, RAX)], () => RDX);
    expect(steps.map((s) => s.exchange)).toEqual([false, false, false]);
    expect(steps[0].to).toBe(RDX);
  });

  it('takes floats through the scratch register', () => {
    const steps = sequence([float(XMM0, XMM1), float(XMM1, XMM0)], NONE);
    expect(steps.some((s) => s.exchange)).toBe(false);
    expect(steps[0].to).toBe(SCRATCH_FLOAT);
    expect(steps).toHaveLength(3);
  });

  it('breaks a cycle of slots of both classes at a float', () => {
    const moves = [int(SLOT0, SLOT0 + 1), float(SLOT0 + 1, SLOT0)];
    const held = run(moves, NONE);
    expect([held.get(SLOT0), held.get(SLOT0 + 1)]).toEqual([SLOT0 + 1, SLOT0]);
  });

  it('does what 20000 random ones say', () => {
    const rnd = new Random(77);
    for (let n = 0; n < 20000; n++) {
      const ints = [0, 1, 2, 3, 5, SLOT0, SLOT0 + 1, SLOT0 + 2];
      const floats = [16, 17, 18, 19, SLOT0 + 3, SLOT0 + 4];
      const moves: Move[] = [];
      for (const [locs, isFloat] of [
        [ints, false],
        [floats, true],
      ] as const) {
        for (const to of locs)
          if (rnd.chance(60)) moves.push({ to, from: rnd.pick(locs), float: isFloat, narrow: false });
      }
      const scratch = rnd.chance(50) ? 9 : -1;
      const held = run(moves, () => scratch);
      for (const m of moves) if ((held.get(m.to) ?? m.to) !== m.from) expect.fail(JSON.stringify(moves));
      const written = new Set(moves.map((m) => m.to));
      for (const loc of [...ints, ...floats])
        if (!written.has(loc) && (held.get(loc) ?? loc) !== loc) expect.fail(JSON.stringify(moves));
    }
  });
});
