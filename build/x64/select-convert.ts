// Selection of conversions between integers and floats. The sequences themselves, with their traps and
// saturations, are in emit-convert.ts; here they get their registers.

import type { Inst } from '../ir/ir.ts';
import { type Selector, sizeOf } from './selector.ts';

export function lowerConvert(s: Selector, inst: Inst): boolean {
  const [a] = inst.args;
  switch (inst.op) {
    case 'demote':
      s.emit('sseconvert', [s.def(inst), s.use(a, 'any')], { sse: 'cvtsd2ss' });
      return true;
    case 'promote':
      s.emit('sseconvert', [s.def(inst), s.use(a, 'any')], { sse: 'cvtss2sd' });
      return true;
    case 'bitcast': {
      const toFloat = inst.type === 'f32' || inst.type === 'f64';
      s.emit(toFloat ? 'int2bits' : 'bits2int', [s.def(inst), s.use(a)], { size: sizeOf(inst.type) });
      return true;
    }
    case 'converts':
      s.emit('converts', [s.def(inst), s.use(a, 'any')], { from: sizeOf(a.type), size: sizeOf(inst.type) });
      return true;
    case 'convertu':
      if (a.type === 'i32') {
        // An i32 register is zero-extended: its 64 bits are the unsigned value.
        s.emit('converts', [s.def(inst), s.use(a)], { from: 8, size: sizeOf(inst.type) });
      } else {
        s.emit('convertu64', [s.def(inst, 'reg'), s.lateUse(a), s.temp(), s.temp()], {
          size: sizeOf(inst.type),
        });
      }
      return true;
    case 'truncs':
    case 'truncu':
    case 'truncsats':
    case 'truncsatu':
      lowerTruncate(s, inst, a);
      return true;
    default:
      return false;
  }
}

function lowerTruncate(s: Selector, inst: Inst, a: Inst): void {
  const ops = [s.def(inst), s.lateUse(a), s.temp(), s.temp('float')];
  s.emit('truncate', ops, {
    from: sizeOf(a.type),
    size: sizeOf(inst.type),
    signed: inst.op === 'truncs' || inst.op === 'truncsats',
    saturate: inst.op === 'truncsats' || inst.op === 'truncsatu',
  });
}
