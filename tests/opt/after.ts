// A function in text form, run through passes and printed again.

import type { Func } from '../../build/ir/ir.ts';
import { parseFunc } from '../../build/ir/parse.ts';
import { printFunc } from '../../build/ir/print.ts';
import { verify } from '../../build/ir/verify.ts';

/** The lines of the function after the passes, without its head. */
export function after(text: string, ...passes: ((f: Func) => void)[]): string[] {
  const func = parseFunc(text);
  verify(func, 'as parsed');
  for (const pass of passes) {
    pass(func);
    verify(func, `after ${pass.name}`);
  }
  return printFunc(func)
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.trim());
}
