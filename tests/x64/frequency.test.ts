// Block frequencies against what the branch probabilities come to, worked out by hand.

import { describe, expect, it } from 'vitest';
import { estimateFrequencies } from '../../build/x64/frequency.ts';
import { MBlock, MFunc, MInst } from '../../build/x64/mir.ts';

/** Frequencies of a graph given as the successors of each block; 'trap' and 'call' mark blocks. */
function frequencies(successors: number[][], marks: Record<number, 'trap' | 'call'> = {}): number[] {
  const func = new MFunc('test');
  func.blocks = successors.map((_, i) => new MBlock(i));
  successors.forEach((to, i) => {
    const block = func.blocks[i];
    if (marks[i] === 'call') block.insts.push(new MInst('call', []));
    const last = new MInst(marks[i] === 'trap' ? 'trap' : to.length === 0 ? 'ret' : 'jmp', []);
    last.targets = to.map((t) => ({ block: func.blocks[t], args: [] }));
    block.insts.push(last);
  });
  estimateFrequencies(func);
  return func.blocks.map((b) => b.frequency);
}

describe('block frequencies', () => {
  it('a branch divides, a join adds up', () => {
    const f = frequencies([[1, 2], [3], [3], []]);
    expect(f[0]).toBe(1);
    expect(f[1]).toBeCloseTo(0.5);
    expect(f[2]).toBeCloseTo(0.5);
    expect(f[3]).toBeCloseTo(1);
  });

  it('a loop goes round, and everything that enters it leaves it', () => {
    const f = frequencies([[1], [2, 3], [1], []]);
    expect(f[1]).toBeGreaterThan(5);
    expect(f[3]).toBeCloseTo(1);
    expect(f[1]).toBeCloseTo(f[2] + 1);
  });

  it('nested loops multiply', () => {
    const f = frequencies([[1], [2], [3, 4], [2], [5, 6], [1], []]);
    expect(f[2]).toBeCloseTo(f[1] * f[1]);
    expect(f[6]).toBeCloseTo(1);
  });

  it('many nested loops stay below what the allocator weighs by', () => {
    const n = 400;
    const header = (i: number): number[] => [i + 1];
    const latch = (i: number): number[] => [n + i + 2, n - i];
    const steps = Array.from({ length: n }, (_, i) => i);
    const f = frequencies([[1], ...steps.map((i) => header(i + 1)), ...steps.map(latch), []]);
    expect(f.every((x) => x <= 1e12)).toBe(true);
  });

  it('what can only trap is cold, and so is what leads there', () => {
    const f = frequencies([[1, 2], [3], [], []], { 3: 'trap' });
    expect(f[1]).toBeLessThan(0.01);
    expect(f[3]).toBe(f[1]);
    expect(f[2]).toBeGreaterThan(0.99);
  });

  it('the way without a call is the likelier', () => {
    const f = frequencies([[1, 2], [3], [3], []], { 1: 'call' });
    expect(f[1]).toBeLessThan(f[2]);
    expect(f[3]).toBeCloseTo(1);
  });

  it('a loop without an end has a bound', () => {
    const f = frequencies([[1], [1]]);
    expect(f[1]).toBeGreaterThan(1);
    expect(f[1]).toBeLessThan(100);
  });

  it('the layout does not matter', () => {
    const f = frequencies([[4], [4], [1, 3], [], [2]]);
    expect(f[3]).toBeCloseTo(1);
    expect(f[4]).toBeCloseTo(f[2]);
  });
});
