// Live ranges against liveness by its definition, solved as data flow: found by walking block by block, and by
// dominators, on random functions whose blocks stand in any order.

import { describe, expect, it } from 'vitest';
import { CALLEE_SAVED, type MFunc, type RegEnv, type VReg } from '../../build/x64/mir.ts';
import { Cfg } from '../../build/x64/regalloc/cfg.ts';
import { computeRanges, type Patience } from '../../build/x64/regalloc/liveness.ts';
import { Program, terminatorOf } from '../../build/x64/regalloc/program.ts';
import { Reach } from '../../build/x64/regalloc/reach.ts';
import { generate, Random, regSet } from './generate.ts';
import { parse } from './program.ts';

const ENV: RegEnv = { allocatable: ~regSet([4, 31]) >>> 0, calleeSaved: CALLEE_SAVED };
const WALK: Patience = { steps: Number.POSITIVE_INFINITY, few: 0, stretches: 0 };
const DOMINATORS: Patience = { steps: 0, few: 0, stretches: Number.POSITIVE_INFINITY };
const HULLS: Patience = { steps: 0, few: 0, stretches: 0 };

/** All blocks but the entry in another order. */
function shuffle(func: MFunc, random: Random): void {
  const { blocks } = func;
  for (let i = blocks.length - 1; i > 1; i--) {
    const k = 1 + random.below(i);
    [blocks[i], blocks[k]] = [blocks[k], blocks[i]];
  }
}

interface LiveSets {
  into: Set<VReg>[];
  out: Set<VReg>[];
}

/** Block parameters are defined at the start of their block, arguments used at the end of theirs. */
function liveSets(p: Program): LiveSets {
  const { blocks } = p.func;
  const into = blocks.map(() => new Set<VReg>());
  const out = blocks.map(() => new Set<VReg>());
  for (let changed = true; changed; ) {
    changed = false;
    for (let b = blocks.length - 1; b >= 0; b--) {
      const live = out[b];
      for (const { block, args } of terminatorOf(blocks[b]).targets) {
        for (const a of args) live.add(a);
        for (const v of into[p.blockIndex.get(block)!]) live.add(v);
      }
      const before = new Set(live);
      for (const { ops } of [...blocks[b].insts].reverse()) {
        for (const op of ops) if (op.role !== 'use' && op.role !== 'lateuse') before.delete(op.vreg);
        for (const op of ops) if (op.role === 'use' || op.role === 'lateuse') before.add(op.vreg);
      }
      for (const v of blocks[b].params) before.delete(v);
      if (before.size === into[b].size) continue;
      into[b] = before;
      changed = true;
    }
  }
  return { into, out };
}

/** The same as computed; a vreg is live at a point if one of its ranges covers it and does not begin there. */
function coveredSets(p: Program, patience: Patience): LiveSets {
  const ranges = computeRanges(p, () => new Cfg(p), patience);
  const into = p.func.blocks.map(() => new Set<VReg>());
  const out = p.func.blocks.map(() => new Set<VReg>());
  for (let b = 0; b < into.length; b++) {
    for (let v = 0; v < ranges.length; v++) {
      const start = p.blockStart(b);
      const end = p.blockEnd(b);
      for (const r of ranges[v]) {
        if (r.from <= start && r.to > start && r.from !== p.defPoint[v]) into[b].add(v);
        else if (r.from < start && r.to > start) into[b].add(v);
        if (r.from < end && r.to >= end) out[b].add(v);
      }
    }
  }
  return { into, out };
}

function shapesOf(p: Program, patience: Patience): number[][][] {
  const ranges = computeRanges(p, () => new Cfg(p), patience);
  return ranges.map((list) => list.map((r) => [r.from, r.to, r.useBegin, r.useEnd]));
}

/** A loop with n variables, each changed in a branch of its own. */
function manyVariables(n: number): string {
  const all = (prefix: string): string => Array.from({ length: n }, (_, i) => `${prefix}${i}`).join(' ');
  const branches = Array.from({ length: n }, (_, i) => {
    const b = 2 + 3 * i;
    const end = i + 1 < n ? `jmp ${b + 3}()` : `br c -> ${b + 3}() ${b + 4}()`;
    return `
      ${b} @10
        br c -> ${b + 1}() ${b + 2}(p${i})
      ${b + 1} @5
        r${i} = add p${i} c
        jmp ${b + 2}(r${i})
      ${b + 2}(q${i}) @10
        ${end}`;
  });
  const last = 2 + 3 * n;
  return `
      0 @1
        c:rdi = entry
        v = imm
        jmp 1(${Array.from({ length: n }, () => 'v').join(' ')})
      1(${all('p')}) @10
        jmp 2()
      ${branches.join('')}
      ${last} @9
        jmp 1(${all('q')})
      ${last + 1} @1
        ret c`;
}

/** Loops of one block, one behind the other, with the blocks that split their critical edges. */
function loopsInARow(n: number): string {
  const loops = Array.from({ length: n }, (_, i) => {
    const b = 1 + 3 * i;
    return `
      ${b} @10
        br c -> ${b + 1}() ${b + 2}()
      ${b + 1} @9
        jmp ${b}()
      ${b + 2} @1
        jmp ${b + 3}()`;
  });
  return `
      0 @1
        c:rdi = entry
        v = imm
        jmp 1()
      ${loops.join('')}
      ${1 + 3 * n} @1
        ret v`;
}

/** How often the predecessors of a block are looked at. */
function steps(n: number): number {
  const p = new Program(parse(manyVariables(n)), ENV);
  let count = 0;
  const preds = new Proxy(p.preds, {
    get: (target, key) => {
      count++;
      return Reflect.get(target, key);
    },
  });
  Object.defineProperty(p, 'preds', { value: preds });
  const cfg = new Cfg(p);
  computeRanges(p, () => cfg);
  return count;
}

describe('live ranges', () => {
  it('are those of the data flow, on 150 random functions', () => {
    for (let seed = 1; seed <= 150; seed++) {
      const func = generate(seed, ENV, { size: 60, pressure: 10, floats: 20 });
      if (seed % 3 !== 0) shuffle(func, new Random(seed));
      const p = new Program(func, ENV);
      const wanted = liveSets(p);
      expect(coveredSets(p, WALK), `seed ${seed}`).toEqual(wanted);
      expect(coveredSets(p, DOMINATORS), `seed ${seed}`).toEqual(wanted);
    }
  });

  it('are more than those in single stretches, and all ways into a block agree there', () => {
    for (let seed = 1; seed <= 150; seed++) {
      const func = generate(seed, ENV, { size: 60, pressure: 10, floats: 20 });
      if (seed % 3 === 0) shuffle(func, new Random(seed));
      const p = new Program(func, ENV);
      const wanted = liveSets(p);
      const covered = coveredSets(p, HULLS);
      expect(covered.into[0].size, `seed ${seed}`).toBe(0);
      p.preds.forEach((preds, b) => {
        expect([...wanted.into[b]].filter((v) => !covered.into[b].has(v))).toEqual([]);
        expect([...wanted.out[b]].filter((v) => !covered.out[b].has(v))).toEqual([]);
        for (const pred of preds)
          expect([...covered.into[b]].filter((v) => !covered.out[pred].has(v))).toEqual([]);
      });
    }
  });

  it('are the same by dominators as block by block, on large functions', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const func = generate(seed, ENV, { size: 900, pressure: 24, floats: 20 });
      if (seed % 3 === 0) shuffle(func, new Random(seed));
      const p = new Program(func, ENV);
      expect(shapesOf(p, DOMINATORS), `seed ${seed}`).toEqual(shapesOf(p, WALK));
    }
  });

  it('take steps in proportion to the function, however many values live far', () => {
    expect(steps(400)).toBeLessThan(2.5 * steps(200));
  });

  it('are put together from few intervals on a long way through many loops', () => {
    const p = new Program(parse(loopsInARow(1000)), ENV);
    const found: number[] = [];
    const reach = new Reach(p, new Cfg(p));
    reach.begin();
    reach.collect(p.preds.length - 1, false, 0, found);
    const blocks = new Set<number>();
    for (let i = 0; i < found.length; i += 2) for (let b = found[i]; b <= found[i + 1]; b++) blocks.add(b);
    expect(blocks.size).toBe(p.preds.length - 2); // all but the definition's and the last
    expect(found.length).toBeLessThan(200);
  });

  it('are found block by block where the control flow is irreducible', () => {
    const p = new Program(
      parse(`
        0 @1
          x:rdi = entry
          v = imm
          br x -> 1() 2()
        1 @1
          br x -> 3() 5()
        2 @1
          br x -> 4() 5()
        3 @1
          jmp 6()
        4 @1
          jmp 7()
        5 @1
          ret v
        6 @1
          br x -> 7() 5()
        7 @1
          br v -> 6() 5()`),
      ENV,
    );
    expect(new Reach(p, new Cfg(p)).usable).toBe(false);
    expect(shapesOf(p, DOMINATORS)).toEqual(shapesOf(p, WALK));
  });
});
