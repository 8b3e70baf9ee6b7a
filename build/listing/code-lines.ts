// The machine code of a translation as lines: for each function its instructions as text, with their bytes, what they were
// translated from, and the stage that made them. `yaos compile -S` prints them, the page shows them.

import type { PlacedFunction, Program } from '../object/program.ts';
import { disassemble, type Instruction } from './disassemble.ts';
import type { Origins } from './origins.ts';

export interface CodeLine {
  /** Offset in .text. */
  at: number;
  bytes: number;
  /** Some jump or jump table of the function leads here. */
  isTarget: boolean;
  mnemonic: string;
  operands: string;
  /** Of the code that it is part of; undefined for what no operator asked for. */
  location: { loc: number; bodyStart: number } | undefined;
  stage: string;
}

interface Entry<T> {
  offset: number;
  value: T;
}

/** `program` has been written to an object, so that what its code refers to inside is in place. */
export function* codeLines(
  program: Program,
  origins: Origins,
): Generator<{ f: PlacedFunction; lines: CodeLine[] }> {
  const code = program.code();
  const names = new Map(program.functions.map((f) => [f.start, f.name]));
  const symbols = program.references();
  const entries = program.lines.map(({ offset, ...value }): Entry<typeof value> => ({ offset, value }));
  const location = cursor(entries.sort((a, b) => a.offset - b.offset));
  for (const f of program.functions) {
    const stages = origins.byFunction.get(f.key) ?? [{ offset: 0, stage: 'thunk' }];
    const stage = cursor(stages.map((s) => ({ offset: f.start + s.offset, value: s.stage })));
    const insts = instructionsOf(code, f);
    const labels = labelsOf(insts, f, program);
    const lines = [...insts].map(([at, inst]) => ({
      at,
      bytes: inst.bytes,
      isTarget: labels.has(at),
      mnemonic: inst.mnemonic,
      operands: operandsOf(at, inst, { labels, names, symbols }),
      location: location(at, f.start),
      stage: stage(at, f.start) ?? '',
    }));
    yield { f, lines };
  }
}

/** Finds the last of `entries` at or before an offset, and not before `start`; offsets must be asked in order. */
function cursor<T>(entries: readonly Entry<T>[]): (at: number, start: number) => T | undefined {
  let next = 0;
  return (at, start) => {
    while (next < entries.length && entries[next].offset <= at) next++;
    const found = entries[next - 1];
    return found !== undefined && found.offset >= start ? found.value : undefined;
  };
}

function instructionsOf(code: Uint8Array, f: PlacedFunction): Map<number, Instruction> {
  const insts = new Map<number, Instruction>();
  for (let at = f.start; at < f.start + f.size; ) {
    const inst = disassemble(code, at);
    insts.set(at, inst);
    at += inst.bytes;
  }
  return insts;
}

/** Where jumps and jump tables lead to inside the function. */
function labelsOf(insts: Map<number, Instruction>, f: PlacedFunction, program: Program): Set<number> {
  const labels = new Set(program.tableTargets(f));
  for (const { target, mnemonic } of insts.values()) {
    if (target !== undefined && mnemonic.startsWith('j') && insts.has(target)) labels.add(target);
  }
  return labels;
}

interface Names {
  labels: Set<number>;
  /** Functions by where they start. */
  names: Map<number, string>;
  /** What the fields in the code refer to that is outside of it, by offset. */
  symbols: Map<number, string>;
}

function operandsOf(at: number, inst: Instruction, { labels, names, symbols }: Names): string {
  const { operands, target, field } = inst;
  const outside = field === undefined ? undefined : symbols.get(field);
  if (target === undefined) {
    for (let i = at; i < at + inst.bytes; i++) if (symbols.has(i)) return `${operands} {${symbols.get(i)}}`;
    return operands;
  }
  const text =
    outside ??
    names.get(target) ??
    (labels.has(target) ? `.L${target.toString(16)}` : `0x${target.toString(16)}`);
  return operands === '' ? text : operands.replace(/\[rip[^\]]*\]/, `[rip+${text}]`);
}
