// The variables of a function as its source has them: parameters and locals with a name, in their order. Several locals of one name
// and type are one variable: which of them is meant where has been found out already (ir/bindings.ts).

import { sourceName } from '../ir/bindings.ts';
import type { WasmFunc } from '../wasm/module.ts';

export interface Variable {
  name: string;
  type: string;
  isParameter: boolean;
  /** Indices of the locals. */
  locals: number[];
}

export function variablesOf(func: WasmFunc): Variable[] {
  const { type, body, localNames } = func;
  const types = [...type.params, ...(body?.locals ?? [])];
  const found = new Map<string, Variable>();
  for (const [local, given] of [...(localNames ?? [])].sort(([a], [b]) => a - b)) {
    const name = sourceName(given);
    if (name === undefined || local >= types.length) continue;
    const known = found.get(name);
    if (!known) {
      const isParameter = local < type.params.length;
      found.set(name, { name, type: types[local], isParameter, locals: [local] });
    } else if (known.type === types[local]) known.locals.push(local);
  }
  return [...found.values()];
}
