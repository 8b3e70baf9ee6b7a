// A whole translated module as objdump sees it: the tables beside the code agree with the instructions.

import asc from 'assemblyscript/asc';
import { beforeAll, describe, expect, it } from 'vitest';
import { type ElfFile, readElf } from '../../build/object/elf-reader.ts';
import { parseSourceMap } from '../../build/object/sourcemap.ts';
import { translate } from '../../build/translate.ts';
import { inFolder } from './binutils.ts';
import { type FunctionInfo, readTables } from './info.ts';

/** Memory, division, indirect calls, conversions, many arguments, deep frames, loops. */
const SOURCE = `
const words = new Map<string, i32>();
function many(a: i64, b: i64, c: i64, d: i64, e: i64, f: i64, g: i64, h: f64): i64 {
  return a / g + (b % c) + (d << e) + i64(h) + f;
}
function twice(x: i32): i32 { return x * 2; }
function thrice(x: i32): i32 { return x * 3; }
const table: ((x: i32) => i32)[] = [twice, thrice];
export function work(n: i32, x: f64): f64 {
  const list: f64[] = [];
  for (let i = 0; i < n; i++) {
    list.push(f64(i) * x);
    words.set(i.toString(), table[i & 1](i) / (n - i));
  }
  list.sort((a, b) => a < b ? -1 : 1);
  let sum: f64 = 0;
  for (let i = 0; i < list.length; i++) sum += list[i] + f64(words.get(i.toString()));
  return sum + f64(many(1, 2, 3, 4, 5, 6, i64(n), x)) + f64(u32(x) >>> 3);
}
`;

interface Instruction {
  at: number;
  text: string;
}

interface Translated {
  file: ElfFile;
  code: Map<number, string>;
  listing: Instruction[];
  functions: FunctionInfo[];
}

function disassemble(object: Uint8Array): Translated {
  const listing = inFolder(({ write, run }) => {
    write('a.o', object);
    return run('objdump', '-d', '-w', '-Mintel', '--no-show-raw-insn', '-j', '.text', 'a.o');
  });
  const instructions = [...listing.matchAll(/^\s*([0-9a-f]+):\s+(.*?)\s*$/gm)].map((m) => ({
    at: Number.parseInt(m[1], 16),
    text: m[2],
  }));
  const file = readElf(object);
  return {
    file,
    code: new Map(instructions.map((i) => [i.at, i.text])),
    listing: instructions,
    functions: readTables(file),
  };
}

const EXPLICIT = /^ud2/;
const DIVISION = /^(idiv|div) +r\w+$|^(idiv|div) +e\w+$/;
const MEMORY = /\[|ds:0x/;

describe.each(['register', 'fixed'] as const)('an object of the %s memory model', (memory) => {
  let t: Translated;

  beforeAll(async () => {
    const outputs = new Map<string, Uint8Array>();
    const flags = ['--outFile', 'a.wasm', '--sourceMap', '-O2', '--runtime', 'minimal', '--use', 'abort='];
    const { error } = await asc.main(['a.ts', ...flags], {
      readFile: (name: string) => (name === 'a.ts' ? SOURCE : null),
      writeFile: (name: string, contents: Uint8Array | string) =>
        void outputs.set(name, Buffer.from(contents)),
      listFiles: () => [],
    });
    expect(error).toBe(null);
    const sourceMap = parseSourceMap(new TextDecoder().decode(outputs.get('a.wasm.map')), 'a.wasm.map');
    t = disassemble(translate(outputs.get('a.wasm')!, { memory, sourceMap, verify: true }).object);
  });

  it('has only instructions that objdump knows', () => {
    expect(t.listing.filter((i) => /\(bad\)|^\.byte/.test(i.text))).toEqual([]);
    expect(t.listing.length).toBeGreaterThan(1000);
  });

  it('has trap entries at instructions of their kind', () => {
    const wrong = t.functions
      .flatMap((f) => f.traps)
      .filter(([at, kind]) => {
        const text = t.code.get(at) ?? 'no instruction begins here';
        if (kind === 'division') return !DIVISION.test(text);
        if (EXPLICIT.test(text)) return false;
        return (kind !== 'memory' && kind !== 'uninitializedElement') || !MEMORY.test(text);
      });
    expect(wrong.map(([at, kind]) => `${at.toString(16)}: kind ${kind}: ${t.code.get(at)}`)).toEqual([]);
  });

  it('has a trap entry for every instruction that may trap', () => {
    const entries = new Set(t.functions.flatMap((f) => f.traps).map(([at]) => at));
    // Reads of tables and descriptors look like linear memory in the fixed model, unless the address is a constant.
    // In the register model linear memory lies above r15, the context below it.
    const linear = memory === 'fixed' ? /ds:0x/ : /\[r15(?!-0x\w+\])/;
    const mayTrap = (text: string) =>
      /^(ud2|i?div )/.test(text) || (linear.test(text) && !text.startsWith('lea '));
    const missing = t.listing.filter((i) => mayTrap(i.text) && !entries.has(i.at));
    expect(missing.map((i) => `${i.at.toString(16)}: ${i.text}`)).toEqual([]);
  });

  it('has functions that are symbols of that size, with the frame that the prologue makes', () => {
    const symbols = new Map(
      t.file.symbols.filter((s) => s.type === 2).map((s) => [Number(s.value), [s.name, Number(s.size)]]),
    );
    expect(t.functions.length).toBeGreaterThan(20);
    for (const { start, size, frame, pop, name: label } of t.functions) {
      if (memory === 'register') expect(symbols.get(start)).toEqual([label, size]);
      const body = t.listing.filter((i) => i.at >= start && i.at < start + size);
      expect([label, prologueBytes(body)]).toEqual([label, frame]);
      for (const i of body) {
        const popped = i.text.match(/^ret *(0x\w+)?/);
        if (popped) expect([label, Number(popped[1] ?? 0)]).toEqual([label, pop]);
      }
    }
  });

  it('knows the lines of the source', () => {
    const places = t.functions.flatMap((f) => f.places);
    expect(places.map(([at]) => at)).toEqual(places.map(([at]) => at).toSorted((a, b) => a - b));
    const at = t.listing.find((i) => t.code.get(i.at)?.startsWith('idiv'))!.at;
    const [, calls] = places.findLast(([offset]) => offset <= at)!;
    expect(calls.at(-1)).toMatch(/ a\.ts:\d+$/);
  });
});

function prologueBytes(body: Instruction[]): number {
  let bytes = 0;
  let i = 0;
  for (; /^push +r\w+$/.test(body[i].text); i++) bytes += 8;
  // Large frames are probed first.
  const sub = body.slice(i).find(({ text }) => !/^or +DWORD PTR \[rsp-/.test(text));
  const amount = sub?.text.match(/^sub +rsp,(0x\w+)$/);
  return bytes + (amount ? Number(amount[1]) : 0);
}
