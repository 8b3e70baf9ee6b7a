// `yaos compile -S`: the code as assembly, each instruction with its bytes as the object has them, and in the margin the
// offset in the Wasm file, the source line, and the stage that made it. Addresses are offsets in .text.

import type { Places } from '../object/places.ts';
import type { PlacedFunction, Program } from '../object/program.ts';

import { disassemble, type Instruction } from './disassemble.ts';
import type { Origins } from './origins.ts';

const BYTES_WIDTH = 30;
const CODE_WIDTH = 92;

interface Position {
  offset: number;
  text: string;
}

/** `program` has been written to an object, so that what its code refers to inside is in place. */
export function listing(program: Program, origins: Origins, places: Places): string {
  const code = program.code();
  const names = new Map(program.functions.map((f) => [f.start, f.name]));
  const symbols = program.references();
  const positions = program.lines.map(({ offset, loc, bodyStart }): Position => {
    const { file, line } = places.placeOf(loc, bodyStart);
    const source = file === undefined ? '' : ` ${file}:${line}`;
    return { offset, text: `@0x${places.offsetOf(loc).toString(16)}${source}` };
  });
  positions.sort((a, b) => a.offset - b.offset);
  const lines = ['.intel_syntax noprefix', '.text'];
  const place = cursor(positions);
  for (const f of program.functions) {
    const stages = origins.byFunction.get(f.key) ?? [{ offset: 0, stage: 'thunk' }];
    const stage = cursor(stages.map((s) => ({ offset: f.start + s.offset, text: s.stage })));
    const insts = instructionsOf(code, f);
    const labels = labelsOf(insts, f, program);
    const index = /^yaos_func_(\d+)$/.exec(f.key);
    const head = index ? `function ${index[1]}, ` : '';
    lines.push('', `# ${head}${f.size} bytes, frame of ${f.frame} bytes`, `${f.name}:`);
    for (const [at, inst] of insts) {
      if (labels.has(at)) lines.push(`.L${at.toString(16)}:`);
      const bytes = Buffer.from(code.subarray(at, at + inst.bytes))
        .toString('hex')
        .replaceAll(/..(?=.)/g, '$& ');
      const text = `${inst.mnemonic.padEnd(6)} ${operandsOf(at, inst, { labels, names, symbols })}`;
      const left = `  ${at.toString(16).padStart(6)}: ${bytes.padEnd(BYTES_WIDTH)} ${text}`;
      const from = place(at, f.start);
      lines.push(`${left.padEnd(CODE_WIDTH)} # ${from === '' ? '' : `${from} `}${stage(at, f.start)}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** Finds the last of `entries` at or before an offset, and not before `start`; offsets must be asked in order. */
function cursor(entries: readonly Position[]): (at: number, start: number) => string {
  let next = 0;
  return (at, start) => {
    while (next < entries.length && entries[next].offset <= at) next++;
    const found = entries[next - 1];
    return found !== undefined && found.offset >= start ? found.text : '';
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
