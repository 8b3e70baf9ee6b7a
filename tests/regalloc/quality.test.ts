// What good allocation looks like: each function here has an allocation without needless moves and memory accesses
// where it runs most, and the allocator has to find it.

import { describe, expect, it } from 'vitest';
import { CALLEE_SAVED, type MFunc } from '../../build/x64/mir.ts';
import { allocated, traffic } from './program.ts';

const QUIET = { moves: 0, memory: 0 };

function names(prefix: string, n: number): string[] {
  return Array.from({ length: n }, (_, i) => `${prefix}${i}`);
}

function calleeSaved(func: MFunc): number {
  return (func.usedRegs & CALLEE_SAVED) >>> 0;
}

/** Total of moves and memory accesses in the function. */
function total(func: MFunc): { moves: number; memory: number } {
  const sum = { moves: 0, memory: 0 };
  for (const b of func.blocks) {
    const t = traffic(b);
    sum.moves += t.moves;
    sum.memory += t.memory;
  }
  return sum;
}

describe('loops', () => {
  it('parameters of a simple loop need no moves', () => {
    const func = allocated(`
      0 @1
        n:rdi p:rsi = entry
        i0 = imm
        s0 = imm
        jmp 1(i0 s0)
      1(i s) @10
        x = load p i
        s1~ = add s x
        i1~ = inc i
        br i1 n -> 2() 3()
      2 @9
        jmp 1(i1 s1)
      3 @1
        ret s1:rax`);
    expect(traffic(func.blocks[1])).toEqual(QUIET);
    expect(traffic(func.blocks[2])).toEqual(QUIET);
  });

  it('a reduction accumulates in place although its operation names the sum second', () => {
    const func = allocated(`
      0 @1
        n:rdi p:rsi = entry
        i0 = imm
        s0 = imm
        jmp 1(i0 s0)
      1(i s) @10
        x = load p i
        s1~ = add x s
        i1~ = inc i
        br i1 n -> 2() 3()
      2 @9
        jmp 1(i1 s1)
      3 @1
        ret s1:rax`);
    expect(traffic(func.blocks[1])).toEqual(QUIET);
    expect(traffic(func.blocks[2])).toEqual(QUIET);
  });

  it('ten values in a hot loop stay in registers although they live across calls outside', () => {
    const v = names('v', 10);
    const func = allocated(
      `
      0 @1
        ${v.map((x) => `${x} = imm`).join('\n')}
        call
        i0 = imm
        jmp 1(i0)
      1(i) @100
        ${v.map((x, k) => `${k === 9 ? 'z' : `t${k}`} = use ${x} i`).join('\n')}
        i1~ = inc i
        br i1 -> 2() 3()
      2 @99
        jmp 1(i1)
      3 @1
        call
        ret ${v[3]}:rax
        `.replace('ret', `done ${v.join(' ')}\nret`),
    );
    expect(traffic(func.blocks[1])).toEqual(QUIET);
    expect(traffic(func.blocks[2])).toEqual(QUIET);
  });

  it('a value that lives through a crowded loop is in memory around it, not in it', () => {
    const v = names('v', 14);
    const func = allocated(`
      0 @1
        p:rdi q:rsi = entry
        ${v.map((x) => `${x} = imm`).join('\n')}
        use p q
        jmp 1(v0)
      1(i) @100
        ${v
          .slice(1)
          .map((x) => `use ${x} i`)
          .join('\n')}
        i1~ = inc i
        br i1 -> 2() 3()
      2 @99
        jmp 1(i1)
      3 @1
        ${v
          .slice(1)
          .map((x) => `use ${x}`)
          .join('\n')}
        done p q
        ret p:rax`);
    expect(traffic(func.blocks[1])).toEqual(QUIET);
    expect(traffic(func.blocks[2])).toEqual(QUIET);
  });

  it('a value used in one of two crowded loops is in a register there', () => {
    const v = names('v', 14);
    const w = names('w', 14);
    const func = allocated(`
      0 @1
        p:rdi = entry
        ${v.map((x) => `${x} = imm`).join('\n')}
        jmp 1(v0)
      1(i) @100
        ${v
          .slice(1)
          .map((x) => `use ${x} i`)
          .join('\n')}
        i1~ = inc i
        br i1 -> 2() 3()
      2 @99
        jmp 1(i1)
      3 @1
        ${v
          .slice(1)
          .map((x) => `use ${x}`)
          .join('\n')}
        ${w
          .slice(1)
          .map((x) => `${x} = imm`)
          .join('\n')}
        k = imm
        jmp 4(k)
      4(j) @100
        ${w
          .slice(1)
          .map((x) => `use ${x} p`)
          .join('\n')}
        j1~ = inc j
        br j1 -> 5() 6()
      5 @99
        jmp 4(j1)
      6 @1
        ret p:rax`);
    for (const b of [1, 2, 4, 5]) expect(traffic(func.blocks[b])).toEqual(QUIET);
  });

  it('a value changed in a loop and kept across a call behind it is stored behind the loop', () => {
    const v = names('v', 7);
    const func = allocated(`
      0 @1
        ${v.map((x) => `${x} = imm`).join('\n')}
        s0 = imm
        jmp 1(s0)
      1(s) @100
        ${v.map((x) => `use ${x} s`).join('\n')}
        s1~ = inc s
        br s1 -> 2() 3()
      2 @99
        jmp 1(s1)
      3 @1
        call
        done ${v.join(' ')} s1
        ret s1:rax`);
    expect(traffic(func.blocks[1])).toEqual(QUIET);
    expect(traffic(func.blocks[2])).toEqual(QUIET);
  });
});

describe('cold code', () => {
  const ROUTE = `
      0 @1
        a:rdi b:rsi c:rdx d:rcx e:r8 n:r9 = entry
        i0 = imm
        jmp 1(i0)
      1(i) @100
        t1 = use a b
        t2 = use c d
        t3 = use e n
        br t1 t2 t3 -> 2() 3()
      2 @0.1
        call t1:rdi
        jmp 4()
      3 @99.9
        jmp 4()
      4 @100
        i1~ = inc i
        br i1 n -> 5() 6()
      5 @99
        jmp 1(i1)
      6 @1
        ret i1:rax`;

  it('a cold call in a hot loop costs the loop nothing', () => {
    const func = allocated(ROUTE);
    for (const b of [1, 3, 4, 5]) expect(traffic(func.blocks[b])).toEqual(QUIET);
  });

  it('a function saves no register for the sake of a call that it hardly makes', () => {
    const func = allocated(`
      0 @1
        p:rdi q:rsi = entry
        x = load p
        br x -> 1() 2()
      1 @0.001
        call x:rdi
        y = load p q
        ret y:rax
      2 @1
        z = load p q
        ret z:rax`);
    expect(calleeSaved(func)).toBe(0);
    expect(traffic(func.blocks[0])).toEqual(QUIET);
    expect(traffic(func.blocks[2])).toEqual(QUIET);
  });

  it('a value for a cold block is stored and loaded there, not where it is made', () => {
    const func = allocated(`
      0 @1
        p:rdi = entry
        i0 = imm
        jmp 1(i0)
      1(i) @100
        x = load p i
        br x -> 2() 3()
      2 @0.1
        call x:rdi
        use x p
        jmp 4()
      3 @99.9
        jmp 4()
      4 @100
        i1~ = inc i
        br i1 -> 5() 6()
      5 @99
        jmp 1(i1)
      6 @1
        ret i1:rax`);
    for (const b of [1, 3, 4, 5]) expect(traffic(func.blocks[b])).toEqual(QUIET);
  });
});

describe('calls', () => {
  it('arguments are made where the call wants them', () => {
    const func = allocated(`
      0 @1
        p:rdi = entry
        c = load p
        b = load p
        a = load p
        r:rax = call a:rdi b:rsi c:rdx
        ret r:rax`);
    expect(total(func)).toEqual(QUIET);
  });

  it('a chain of calls moves each result once', () => {
    const func = allocated(`
      0 @1
        p:rdi = entry
        a:rax = call p:rdi
        b:rax = call a:rdi
        c:rax = call b:rdi
        ret c:rax`);
    expect(total(func)).toEqual({ moves: 2, memory: 0 });
    expect(calleeSaved(func)).toBe(0);
  });

  it('a parameter that is used on both sides of a call is moved away once', () => {
    const func = allocated(`
      0 @1
        p:rdi = entry
        a:rax = call p:rdi
        b = load p a
        d = load p b
        c:rax = call d:rdi
        e = use p p c
        g = use p e
        ret g:rax`);
    expect(total(func)).toEqual({ moves: 1, memory: 0 });
  });

  it('a leaf function uses no callee-saved register', () => {
    const v = names('v', 8);
    const func = allocated(`
      0 @1
        p:rdi = entry
        ${v.map((x) => `${x} = load p`).join('\n')}
        r = use ${v.join(' ')}
        ret r:rax`);
    expect(total(func)).toEqual(QUIET);
    expect(calleeSaved(func)).toBe(0);
  });

  it('the results of both arms of a branch go straight to where they are returned', () => {
    const func = allocated(`
      0 @1
        p:rdi = entry
        c = load p
        br c -> 1() 2()
      1 @0.5
        a = load p
        jmp 3(a)
      2 @0.5
        b:rax = call p:rdi
        jmp 3(b)
      3(r) @1
        ret r:rax`);
    expect(total(func)).toEqual(QUIET);
  });
});

describe('fixed registers', () => {
  it('a shift count is computed in rcx', () => {
    const func = allocated(`
      0 @1
        p:rdi = entry
        x = load p
        n = load p
        r~ = shl x n:rcx
        ret r:rax`);
    expect(total(func)).toEqual(QUIET);
  });

  it('a division in a loop needs its operands in rax and nothing else', () => {
    const func = allocated(`
      0 @1
        n:rdi d:rsi = entry
        i0 = imm
        jmp 1(i0)
      1(i) @100
        x = load i
        q:rax r:rdx = div x:rax d!
        use q
        i1~ = inc i
        br i1 n -> 2() 3()
      2 @99
        jmp 1(i1)
      3 @1
        ret i1:rax`);
    expect(traffic(func.blocks[1])).toEqual(QUIET);
    expect(traffic(func.blocks[2])).toEqual(QUIET);
  });

  it('an operand that lives on is copied, not the one that dies', () => {
    const func = allocated(`
      0 @1
        a:rdi b:rsi = entry
        r~ = add a b
        s = use r a
        ret s:rax`);
    expect(total(func)).toEqual(QUIET);
  });
});

describe('slots', () => {
  it('values that are never live together share a slot', () => {
    const group = (k: number): string => `
        ${names(`v${k}_`, 8)
          .map((x) => `${x} = imm`)
          .join('\n')}
        call
        done ${names(`v${k}_`, 8).join(' ')}`;
    const func = allocated(`
      0 @1
        ${[0, 1, 2, 3].map(group).join('\n')}
        ret`);
    expect(func.spillSlots).toBeLessThanOrEqual(2);
  });

  it('an operand that may be in memory is used there', () => {
    const func = allocated(`
      0 @1
        f0 = load
        call
        f1 = imm
        f2~ = fadd f1 f0?
        ret f2:xmm0`);
    expect(total(func)).toEqual({ moves: 0, memory: 2 });
  });
});
