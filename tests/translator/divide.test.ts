// Division and remainder by constants, which become multiplications, and quotients with the remainder of the same operands:
// around every multiple where a wrong reciprocal would show. SEED=7 chooses other constants.

import { test } from 'vitest';
import { type Call, expectSame } from './harness.ts';
import { Random } from './values.ts';
import { type Bytes, constant, get, ModuleBuilder, op } from './wasm.ts';

const SEED = Number(process.env.SEED ?? 1);
const OPS = ['div_u', 'div_s', 'rem_u', 'rem_s'];

function divisors(bits: 32 | 64, random: Random): bigint[] {
  const top = 1n << BigInt(bits - 1);
  const small = [0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n, 9n, 10n, 11n, 12n, 14n, 25n, 28n, 60n, 100n, 125n, 641n];
  const large = [1000n, 3600n, 65535n, 65536n, 86400n, 1_000_000_007n, 6_700_417n];
  const huge = bits === 64 ? [10n ** 9n, 0x1_0000_0001n, 274_177n, 10n ** 19n, 0xcccc_cccc_cccc_cccdn] : [];
  const ends = [top - 1n, top, top + 1n, 2n * top - 1n, 2n * top - 2n, 2n * top - 7n, 2n * top - 8n];
  const others = Array.from({ length: 12 }, () => random.u64() >> BigInt(random.below(bits) + 64 - bits));
  return [...new Set([...small, ...large, ...huge, ...ends, ...others])];
}

/** The ends of the range, and what lies around multiples of the divisor near them. */
function dividends(bits: 32 | 64, d: bigint, random: Random): bigint[] {
  const top = 1n << BigInt(bits - 1);
  const magnitude = BigInt.asIntN(bits, d) < 0n ? -BigInt.asIntN(bits, d) : d;
  const step = [d, magnitude].map((n) => (n === 0n ? 1n : n));
  const around = [0n, top, 2n * top, step[0], step[1], random.u64() >> BigInt(64 - bits)].flatMap((n) =>
    step.flatMap((s) => [(n / s) * s, (n / s - 1n) * s, n]),
  );
  const values = around.flatMap((n) => [n - 1n, n, n + 1n, -n]).map((n) => BigInt.asUintN(bits, n));
  return [...new Set(values)];
}

for (const bits of [32, 64] as const) {
  const type = `i${bits}` as const;

  test(`divide: ${type} by constants, seed ${SEED}`, async () => {
    const random = new Random(SEED);
    const module = new ModuleBuilder();
    const calls: Call[] = [];
    for (const d of divisors(bits, random)) {
      const args = dividends(bits, d, random);
      for (const name of OPS) {
        const computed: Bytes = [...get(0), ...constant(type, d), ...op(`${type}.${name}`)];
        module.export(`${name} ${d}`, [type], [type], computed);
        for (const n of args) calls.push({ name: `${name} ${d}`, args: [n] });
      }
    }
    await expectSame(`divide-${type}`, module, calls);
  });

  test(`divide: ${type} quotients and remainders of the same operands`, async () => {
    const module = new ModuleBuilder();
    const calls: Call[] = [];
    const values = [0n, 1n, 2n, 7n, 10n, -1n, -7n, 1n << BigInt(bits - 1), (1n << BigInt(bits - 1)) - 1n];
    for (const sign of ['u', 's']) {
      for (const [first, second] of [
        ['div', 'rem'],
        ['rem', 'div'],
      ]) {
        const of = (name: string): Bytes => [...get(0), ...get(1), ...op(`${type}.${name}_${sign}`)];
        module.export(
          `${first} ${sign}`,
          [type, type],
          [type],
          [...of(first), ...constant(type, 3n), ...op(`${type}.mul`), ...of(second), ...op(`${type}.xor`)],
        );
        const unsigned = values.map((n) => BigInt.asUintN(bits, n));
        for (const a of unsigned)
          for (const b of unsigned) calls.push({ name: `${first} ${sign}`, args: [a, b] });
      }
    }
    await expectSame(`divide-both-${type}`, module, calls);
  });
}
