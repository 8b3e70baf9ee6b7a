// Constant expressions as IR: of globals, of the offsets of segments, of the elements of tables.

import type { ConstExpr } from '../wasm/module.ts';
import { type Emitter, irType } from './emitter.ts';
import type { Inst } from './ir.ts';

/** The value of a constant expression (WebAssembly core 3.3.10). */
export function evaluate(e: Emitter, expr: ConstExpr): Inst {
  const { module, layout } = e.env;
  const stack: Inst[] = [];
  for (const c of expr) {
    switch (c.op) {
      case 'const':
        stack.push(e.const(c.type, c.bits));
        break;
      case 'ref.null':
        stack.push(e.i64(0));
        break;
      case 'ref.func':
        stack.push(e.ctxAddr(layout.descriptors.get(c.index)!));
        break;
      case 'global.get': {
        const { offset, imported } = layout.globals[c.index];
        const type = irType(module.globals[c.index].type);
        // An own global has just been stored: this load must not be taken for one of a constant.
        stack.push(
          imported ? e.nLoad(type, e.ctxLoad('i64', offset, false), 0) : e.ctxLoad(type, offset, true),
        );
        break;
      }
      default: {
        const right = stack.pop()!;
        stack.push(e.emit(c.op, c.type, [stack.pop()!, right]));
      }
    }
  }
  return stack[0];
}
