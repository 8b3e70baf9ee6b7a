// Division and remainder by constants without dividing: by a multiplication with a scaled reciprocal and shifts (Granlund
// and Montgomery, "Division by Invariant Integers using Multiplication", 1994; Warren, "Hacker's Delight", chapter 10).
// And of a quotient and a remainder of the same operands, one division makes both.
//
// Requires constants on the right (fold). What may trap stays a division: by 0, and a signed quotient by -1.

import { bitsOf, type Func, type Inst, type Op } from '../ir/ir.ts';
import { Replacements } from '../ir/params.ts';
import { constOf } from './fold.ts';
import { Sequence } from './sequence.ts';

const QUOTIENT_OF: Partial<Record<Op, Op>> = { remu: 'divu', rems: 'divs' };

export function expandDivisions(func: Func): void {
  const replaced = new Replacements(func.nextValue);
  for (const block of func.blocks) {
    if (!block.insts.some(isDivision)) continue;
    const out: Inst[] = [];
    const quotients = new Quotients(block.insts);
    for (const inst of block.insts) {
      if (isDivision(inst)) {
        inst.args = inst.args.map((a) => replaced.get(a));
        const by = expand(new Sequence(func, out, inst), inst) ?? quotients.share(func, out, inst);
        if (by) {
          replaced.set(inst, by);
          continue;
        }
      }
      out.push(inst);
    }
    block.insts = out;
  }
  if (replaced.count > 0) replaced.rewrite(func);
}

function isDivision({ op }: Inst): boolean {
  return op === 'divu' || op === 'divs' || op === 'remu' || op === 'rems';
}

/** The divisions of a block whose quotient and remainder are both wanted. */
class Quotients {
  private readonly wanted = new Set<string>();
  private readonly made = new Map<string, Inst>();

  constructor(insts: Inst[]) {
    for (const inst of insts) {
      if (inst.op === 'divu' || inst.op === 'divs') this.wanted.add(keyOf(inst.op, inst));
    }
  }

  /** A remainder computed from the quotient. Only behind a signed one, which traps where the remainder does not. */
  share(func: Func, out: Inst[], inst: Inst): Inst | undefined {
    const op = QUOTIENT_OF[inst.op];
    const key = keyOf(op ?? inst.op, inst);
    let quotient = this.made.get(key);
    if (!op) {
      if (!quotient) this.made.set(key, inst);
      return quotient;
    }
    const b = new Sequence(func, out, inst);
    if (!quotient && op === 'divu' && this.wanted.has(key)) {
      quotient = b.emit('divu', inst.type, ...inst.args);
      this.made.set(key, quotient);
    }
    return quotient && remainder(b, inst.args[0], quotient, inst.args[1]);
  }
}

function keyOf(op: Op, { args: [a, b] }: Inst): string {
  return `${op} ${a.id} ${b.id}`;
}

function remainder(b: Sequence, x: Inst, quotient: Inst, divisor: Inst): Inst {
  return b.emit('sub', x.type, x, b.emit('mul', x.type, quotient, divisor));
}

/** What replaces a division by a constant. */
function expand(b: Sequence, inst: Inst): Inst | undefined {
  const [x, y] = inst.args;
  const c = constOf(y);
  if (c === undefined || c === 0n) return undefined;
  const bits = bitsOf(inst.type);
  if (inst.op === 'divu' || inst.op === 'remu') {
    const d = BigInt.asUintN(bits, c);
    if (isPowerOfTwo(d)) return undefined; // a shift or a mask, by fold
    const quotient = unsignedQuotient(b, x, d);
    return inst.op === 'divu' ? quotient : remainder(b, x, quotient, y);
  }
  const d = c < 0n ? -c : c;
  if (d === 1n) return inst.op === 'rems' ? b.int(inst.type, 0n) : undefined;
  if (isPowerOfTwo(d)) return byPowerOfTwo(b, inst, d, c < 0n);
  const quotient = signedQuotient(b, x, d, c < 0n);
  return inst.op === 'divs' ? quotient : remainder(b, x, quotient, y);
}

function isPowerOfTwo(n: bigint): boolean {
  return (n & (n - 1n)) === 0n;
}

/** Rounding towards zero: a negative dividend is first moved up by the divisor less one. */
function byPowerOfTwo(b: Sequence, { op, type, args: [x] }: Inst, d: bigint, negative: boolean): Inst {
  const bits = bitsOf(type);
  const shift = d.toString(2).length - 1;
  const sign = shift === 1 ? x : b.shift('shrs', x, bits - 1);
  const bias = b.shift('shru', sign, bits - shift);
  const sum = b.emit('add', type, x, bias);
  if (op === 'rems') return b.emit('sub', type, b.emit('and', type, sum, b.int(type, d - 1n)), bias);
  const quotient = b.shift('shrs', sum, shift);
  return negative ? b.emit('sub', type, b.int(type, 0n), quotient) : quotient;
}

/**
 * The smallest multiplier m = ⌈2^(bits+shift)/d⌉ so that ⌊x·m / 2^(bits+shift)⌋ is ⌊x/d⌋ for all 0 ≤ x < 2^`significant`:
 * it may exceed 2^(bits+shift)/d by 2^(bits+shift-significant)/d at most.
 */
function reciprocal(d: bigint, bits: number, significant: number): { m: bigint; shift: number } {
  for (let shift = 0; ; shift++) {
    const power = 1n << BigInt(bits + shift);
    const m = (power + d - 1n) / d;
    if (m * d - power <= 1n << BigInt(bits + shift - significant)) return { m, shift };
  }
}

function unsignedQuotient(b: Sequence, x: Inst, d: bigint): Inst {
  const bits = bitsOf(x.type);
  const { m, shift } = reciprocal(d, bits, bits);
  const fits = m >> BigInt(bits) === 0n;
  if (x.type === 'i32') {
    const wide = b.emit('zext', 'i64', x);
    if (fits) return b.wrap(b.shift('shru', b.emit('mul', 'i64', wide, b.int('i64', m)), 32 + shift));
    return b.wrap(b.emit('mulhiu', 'i64', b.int('i64', (1n << 64n) / d + 1n), wide));
  }
  if (fits) return b.shift('shru', b.emit('mulhiu', 'i64', b.int('i64', m), x), shift);
  const even = trailingZeros(d);
  if (even > 0) {
    const odd = reciprocal(d >> BigInt(even), 64, 64 - even);
    const high = b.emit('mulhiu', 'i64', b.int('i64', odd.m), b.shift('shru', x, even));
    return b.shift('shru', high, odd.shift);
  }
  // m has 65 bits: (x + high) / 2^shift, and the sum may not overflow.
  const high = b.emit('mulhiu', 'i64', b.int('i64', m), x);
  const half = b.shift('shru', b.emit('sub', 'i64', x, high), 1);
  return b.shift('shru', b.emit('add', 'i64', half, high), shift - 1);
}

function trailingZeros(n: bigint): number {
  return (n & -n).toString(2).length - 1;
}

/** The product rounds down; one more for a negative dividend rounds towards zero. */
function signedQuotient(b: Sequence, x: Inst, d: bigint, negative: boolean): Inst {
  const { type } = x;
  const bits = bitsOf(type);
  const { m, shift } = reciprocal(d, bits, bits - 1);
  const below = b.shift('shrs', x, bits - 1);
  let down: Inst;
  if (type === 'i32') {
    down = b.wrap(
      b.shift('shrs', b.emit('mul', 'i64', b.emit('sext', 'i64', x), b.int('i64', m)), 32 + shift),
    );
  } else {
    let high = b.emit('mulhis', 'i64', b.int('i64', m), x);
    if (m >> 63n !== 0n) high = b.emit('add', 'i64', high, x); // taken as m - 2^64
    down = b.shift('shrs', high, shift);
  }
  return negative ? b.emit('sub', type, below, down) : b.emit('sub', type, down, below);
}
