// Reads the tables of an object back, by docs/abi.md §4 and not by the code that wrote them.

import { TrapKind, type TrapName } from '../../build/ir/ir.ts';
import { type ElfFile, readElf } from '../../build/object/elf-reader.ts';

export interface FunctionInfo {
  start: number;
  size: number;
  frame: number;
  pop: number;
  name: string;
  traps: [offset: number, kind: TrapName][];
  /** Each holds to the next one, from inside out: `name file:line`. */
  places: [offset: number, calls: string[]][];
}

const KINDS = new Map<number, TrapName>(Object.entries(TrapKind).map(([name, n]) => [n, name as TrapName]));

export function readTables(object: Uint8Array | ElfFile): FunctionInfo[] {
  const { sections } = object instanceof Uint8Array ? readElf(object) : object;
  const contents = (name: string) => Buffer.from(sections.find((s) => s.name === `.yaos.${name}`)!.contents);
  const [funcs, info, strings] = ['funcs', 'info', 'strings'].map(contents);
  const stringAt = (at: number) => strings.toString('utf8', at, strings.indexOf(0, at));
  return Array.from({ length: funcs.length / 8 }, (_, i) => {
    const start = funcs.readUInt32LE(8 * i);
    return readRecord(new Numbers(info, funcs.readUInt32LE(8 * i + 4)), start, stringAt);
  });
}

function readRecord(r: Numbers, start: number, stringAt: (at: number) => string): FunctionInfo {
  const [size, frame, pop] = [r.next(), r.next(), r.next()];
  const traps: FunctionInfo['traps'] = [];
  r.steps(start, (offset, kind) => traps.push([offset, KINDS.get(kind)!]));
  const scopes: { caller: number; callCode: number; name: string; file: number; base: number }[] = [];
  r.list(() => {
    const [caller, callCode, name, file, base] = Array.from({ length: 5 }, () => r.next());
    if (caller > scopes.length) throw new Error(`scope ${scopes.length} is called by ${caller - 1}`);
    scopes.push({ caller, callCode, name: stringAt(name), file, base });
  });
  const callsOf = (number: number, code: number): string[] => {
    const { caller, callCode, name, file, base } = scopes[number];
    const own = code === 0 ? name : `${name} ${file === 0 ? '' : stringAt(file)}:${base + code - 1}`;
    return [own, ...(caller === 0 ? [] : callsOf(caller - 1, callCode))];
  };
  const places: FunctionInfo['places'] = [];
  r.steps(start, (offset, scope) => places.push([offset, callsOf(scope, r.next())]));
  return { start, size, frame, pop, name: scopes[0].name, traps, places };
}

/** ULEB128 (Wasm core 5.2.2). */
class Numbers {
  private readonly bytes: Uint8Array;
  private at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  next(): number {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.bytes[this.at++];
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number(value);
    }
  }

  list(element: () => void): void {
    const bytes = this.next();
    const end = this.at + bytes;
    while (this.at < end) element();
    if (this.at !== end) throw new Error(`a list ends at ${this.at}, not at ${end}`);
  }

  steps(start: number, element: (offset: number, value: number) => void): void {
    let offset = start;
    let value = 0;
    this.list(() => {
      const distance = this.next();
      if (distance & 1) value = this.next();
      offset += distance >>> 1;
      element(offset, value);
    });
  }
}
