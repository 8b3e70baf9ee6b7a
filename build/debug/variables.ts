// The variables of a function as its source has them: parameters and locals with a name, in their order. Several locals of one name
// and type are one variable: which of them is meant where has been found out already (ir/bindings.ts).

import { sourceName } from '../ir/bindings.ts';
import type { WasmFunc } from '../wasm/module.ts';
import type { Types } from './types.ts';

export interface Variable {
  name: string;
  type: string;
  isParameter: boolean;
  /** Indices of the locals. */
  locals: number[];
}

export function variablesOf(func: WasmFunc, known: Types): Variable[] {
  const { type, body, localNames } = func;
  const types = [...type.params, ...(body?.locals ?? [])];
  const found = new Map<string, Variable>();
  for (const [local, given] of [...(localNames ?? [])].sort(([a], [b]) => a - b)) {
    const name = sourceName(given);
    if (name === undefined || local >= types.length) continue;
    const ofSource = known.typeOf(func.name, given, types[local]);
    const before = found.get(name);
    if (!before) {
      const isParameter = local < type.params.length;
      found.set(name, { name, type: ofSource, isParameter, locals: [local] });
    } else if (before.type === ofSource) before.locals.push(local);
  }
  return [...found.values()];
}
