// One small function on its way through the translator, as text: what ARCHITECTURE.md shows.

import type { Func } from '../../build/ir/ir.ts';
import { printFunc } from '../../build/ir/print.ts';
import type { Trace } from '../../build/listing/trace.ts';
import { translate } from '../../build/translate.ts';
import type { MFunc } from '../../build/x64/mir.ts';
import { wat } from '../wasm/wat.ts';
import { printMir } from './print-mir.ts';

/** The texts by stage; `source` is a module whose first function is followed. */
export function followFunction(source: string, name: string): Record<string, string> {
  const stages: Record<string, string> = {};
  let passes = '';
  const trace: Trace = {
    ir(func: Func, stage: string): void {
      if (func.name !== name) return;
      stages[stage === 'builder' ? 'builder' : 'passes'] = printFunc(func);
      passes = stage;
    },
    mir(func: MFunc, stage: string): void {
      if (func.name === name) stages[stage] = printMir(func);
    },
  };
  const bytes = wat(source);
  translate(bytes, { memory: 'register', trace });
  const { listing } = translate(bytes, { memory: 'register', listing: true });
  if (passes === '') throw new Error(`no function ${name}`);
  stages.code = listing!.slice(listing!.indexOf(`\n${name}:\n`) + 1).split('\n\n')[0];
  return stages;
}
