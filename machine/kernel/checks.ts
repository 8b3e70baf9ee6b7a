// Plain loads and stores of the kernel are the engine's, for which all of RAM is there. So that a null pointer is found
// here as it is on the real machine, accesses below the kernel's own memory ask the model whether they are mapped: the
// text of the module, one operator a line as Binaryen prints it, gets a comparison in front of each access. Those whose
// constant address is above are left alone. What is mapped higher up, and where RAM ends, is left to the engine.

import { IMAGE_END } from '../cpu/paging.ts';

/** From here on RAM is the kernel's (docs/abi.md §8). */
const CHECKED_END = IMAGE_END;

const FUNCTION = /^ \(func /;
const ACCESS =
  /^( *)\([if](?:32|64)\.(?:atomic\.)?(load|store|rmw)\S*(?: (?!offset|align)\S+)?(?: offset=(\d+))?/;
const CONSTANT = /^ *\(i32\.const (-?\d+)\)$/;

/** Bulk operators touch nothing if they have nothing to do. */
const BULK = (access: string) => `
 (func $${access}.fill (param $to i32) (param $value i32) (param $bytes i32)
  (if (i32.and (i32.lt_u (local.get $to) (i32.const ${CHECKED_END})) (i32.ne (local.get $bytes) (i32.const 0)))
   (then (call $${access} (local.get $to) (i32.const 1))))
  (memory.fill (local.get $to) (local.get $value) (local.get $bytes)))
 (func $${access}.copy (param $to i32) (param $from i32) (param $bytes i32)
  (if (local.get $bytes) (then
   (if (i32.lt_u (local.get $to) (i32.const ${CHECKED_END}))
    (then (call $${access} (local.get $to) (i32.const 1))))
   (if (i32.lt_u (local.get $from) (i32.const ${CHECKED_END}))
    (then (call $${access} (local.get $from) (i32.const 0))))))
  (memory.copy (local.get $to) (local.get $from) (local.get $bytes)))`;

/**
 * The module's text with checks. `access` is a function that takes an address, and 1 for a write; it throws if that is
 * not allowed.
 */
export function checkAccesses(text: string, access: string): string {
  const at = `$${access}.at`;
  const result: string[] = [];
  /** Operands that have not ended: their indentation, and what then follows. */
  const open: { indentation: number; rest: string }[] = [];
  let operand: { indentation: number; rest: string } | undefined;
  const lines = text.replace(/\(memory\.(fill|copy)/g, `(call $${access}.$1`).split('\n');
  for (const [i, line] of lines.entries()) {
    result.push(line);
    if (operand !== undefined) open.push(operand);
    operand = undefined;
    const indentation = line.search(/\S/);
    const ends = open.at(-1)?.indentation === indentation && (isWhole(line) || line.trim() === ')');
    if (ends) result.push(open.pop()!.rest);
    if (FUNCTION.test(line)) result.push(`(local ${at} i32)`);
    const [, spaces, kind, offsetText] = ACCESS.exec(line) ?? [];
    const limit = CHECKED_END - Number(offsetText ?? 0);
    const constant = CONSTANT.exec(lines[i + 1] ?? '');
    if (spaces === undefined || limit <= 0 || (constant && Number(constant[1]) >>> 0 >= limit)) continue;
    result.push(`(block (result i32) (if (i32.lt_u (local.tee ${at}`);
    const address = `(i32.add (local.get ${at}) (i32.const ${CHECKED_END - limit}))`;
    const call = `(call $${access} ${address} (i32.const ${kind === 'load' ? 0 : 1}))`;
    operand = {
      indentation: spaces.length + 1,
      rest: `) (i32.const ${limit})) (then ${call})) (local.get ${at}))`,
    };
  }
  return result.join('\n').replace(/\)\s*$/, `${BULK(access)}\n)`);
}

/** Whether an expression ends on the line that it begins on. */
function isWhole(line: string): boolean {
  let depth = 0;
  for (const character of line) depth += character === '(' ? 1 : character === ')' ? -1 : 0;
  return depth === 0;
}
