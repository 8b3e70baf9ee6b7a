// `yaos compile -S`: the code as assembly, each instruction with its bytes as the object has them, and in the margin the
// offset in the Wasm file, the source line, and the stage that made it. Addresses are offsets in .text.

import type { Places } from '../object/places.ts';
import type { Program } from '../object/program.ts';
import { type CodeLine, codeLines } from './code-lines.ts';
import type { Origins } from './origins.ts';

const BYTES_WIDTH = 30;
const CODE_WIDTH = 92;

/** `program` has been written to an object. */
export function listing(program: Program, origins: Origins, places: Places): string {
  const code = program.code();
  const text = ['.intel_syntax noprefix', '.text'];
  for (const { f, lines } of codeLines(program, origins)) {
    const head = f.func === undefined ? '' : `function ${f.func}, `;
    text.push('', `# ${head}${f.size} bytes, frame of ${f.frame} bytes`, `${f.name}:`);
    for (const line of lines) {
      const { at, bytes, mnemonic, operands, stage } = line;
      if (line.isTarget) text.push(`.L${at.toString(16)}:`);
      const hex = hexOf(code.subarray(at, at + bytes));
      const left = `  ${at.toString(16).padStart(6)}: ${hex.padEnd(BYTES_WIDTH)} ${mnemonic.padEnd(6)} ${operands}`;
      text.push(`${left.padEnd(CODE_WIDTH)} # ${positionOf(line, places)}${stage}`);
    }
  }
  return `${text.join('\n')}\n`;
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('hex')
    .replaceAll(/..(?=.)/g, '$& ');
}

function positionOf({ location }: CodeLine, places: Places): string {
  if (!location) return '';
  const { file, line } = places.placeOf(location.loc, location.bodyStart);
  const source = file === undefined ? '' : ` ${file}:${line}`;
  return `@0x${places.offsetOf(location.loc).toString(16)}${source} `;
}
