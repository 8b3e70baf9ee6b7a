// The types of every operation: arguments and result, for the verifier.

import { bytesOf, type Func, type Inst, type Op, type Type } from './ir.ts';

/** Letters: i an i32, l an i64, n either; x any float; v any type; t the same type as the result; - none. */
const SIGNATURES: Partial<Record<Op, string>> = {};

function define(ops: string, signature: string): void {
  for (const op of ops.split(' ')) SIGNATURES[op as Op] = signature;
}

define('const', ':v');
define('add sub mul and or xor shl shrs shru rotl rotr divs divu rems remu', 'tt:n');
define('mulhis mulhiu', 'll:l');
define('clz ctz popcnt extend8s extend16s', 't:n');
define('extend32s', 'l:l');
define('eqz', 'n:i');
define('fadd fsub fmul fdiv fmin fmax fcopysign', 'tt:x');
define('fabs fneg fsqrt fceil ffloor ftrunc fnearest', 't:x');
define('wrap', 'l:i');
define('sext zext', 'i:l');
define('truncs truncu truncsats truncsatu', 'x:n');
define('converts convertu', 'n:x');
define('demote', 'd:f');
define('promote', 'f:d');
define('select', 'itt:v');
define('load aload', 'i:v');
define('armw', 'it:n');
define('acmpxchg', 'itt:n');
define('store astore', 'iv:-');
define('fence', ':-');
define('ctxaddr symaddr membase', ':l');
define('ctxload', ':v');
define('ctxstore', 'v:-');
define('slotload', ':v');
define('slotstore', 'v:-');
define('nload', 'l:v');
define('nstore', 'lv:-');
define('memcopy', 'lll:-');
define('memfill', 'lil:-');
define('trapif br', 'i:-');
define('switch', 'i:-');
define('jump trap', ':-');

const MATCHES: Record<string, (type: Type, inst: Inst) => boolean> = {
  i: (t) => t === 'i32',
  l: (t) => t === 'i64',
  f: (t) => t === 'f32',
  d: (t) => t === 'f64',
  n: (t) => t === 'i32' || t === 'i64',
  x: (t) => t === 'f32' || t === 'f64',
  v: (t) => t !== 'none',
  t: (t, inst) => t === inst.type,
  '-': (t) => t === 'none',
};

/** What is wrong with the types of `inst`, if anything. */
export function typeError(inst: Inst, func: Func): string | undefined {
  const signature = SIGNATURES[inst.op];
  if (signature === undefined) return special(inst, func);
  const [args, result] = signature.split(':');
  if (inst.args.length !== args.length) return `${inst.args.length} arguments instead of ${args.length}`;
  if (!MATCHES[result](inst.type, inst)) return `wrong result type ${inst.type}`;
  for (let i = 0; i < args.length; i++) {
    if (!MATCHES[args[i]](inst.args[i].type, inst)) return `argument ${i} has type ${inst.args[i].type}`;
  }
  return WIDTH_OPS.has(inst.op) ? (slotError(inst, func) ?? widthError(inst)) : undefined;
}

const WIDTH_OPS: ReadonlySet<Op> = new Set([
  'load',
  'store',
  'aload',
  'astore',
  'armw',
  'acmpxchg',
  'ctxload',
  'ctxstore',
  'slotload',
  'slotstore',
  'nload',
  'nstore',
]);

/** The type that is loaded or stored. */
function accessType({ type, args }: Inst): Type {
  return type === 'none' ? args[args.length - 1].type : type;
}

/** A slot has one type, and is accessed as a whole. */
function slotError(inst: Inst, func: Func): string | undefined {
  if (inst.op !== 'slotload' && inst.op !== 'slotstore') return undefined;
  const type = func.slots[inst.index];
  if (type !== accessType(inst)) return `slot ${inst.index} has type ${type}`;
  return inst.width === bytesOf(type) ? undefined : `width ${inst.width} is not that of ${type}`;
}

function widthError(inst: Inst): string | undefined {
  const type = accessType(inst);
  const full = type === 'i32' || type === 'f32' ? 4 : 8;
  const float = type === 'f32' || type === 'f64';
  const ok = inst.width === full || (!float && [1, 2, 4].includes(inst.width) && inst.width < full);
  return ok ? undefined : `width ${inst.width} does not fit ${type}`;
}

/** Operations whose types depend on a signature or on each other. */
function special(inst: Inst, func: Func): string | undefined {
  const types = inst.args.map((a) => a.type);
  switch (inst.op) {
    case 'eq':
    case 'ne':
    case 'lts':
    case 'ltu':
    case 'gts':
    case 'gtu':
    case 'les':
    case 'leu':
    case 'ges':
    case 'geu':
      return inst.type === 'i32' && sameInts(types)
        ? undefined
        : 'a comparison of two integers of one type gives an i32';
    case 'feq':
    case 'fne':
    case 'flt':
    case 'fgt':
    case 'fle':
    case 'fge':
      return inst.type === 'i32' && sameFloats(types)
        ? undefined
        : 'a comparison of two floats of one type gives an i32';
    case 'bitcast':
      return BITCAST[types.join()] === inst.type ? undefined : `no bitcast from (${types}) to ${inst.type}`;
    case 'call':
    case 'callref':
      return callError(inst, types) ?? resultError(inst);
    case 'tailcall':
    case 'tailcallref':
      return callError(inst, types) ?? listError(func.sig.results, inst.sig!.results, 'results');
    case 'result':
      return inst.args.length === 1 && inst.args[0].sig?.results[inst.index] === inst.type
        ? undefined
        : 'no such result';
    case 'return':
      return listError(func.sig.results, types, 'results');
    case 'libcall':
      return types.length <= 6 && types.every((t) => MATCHES.n(t, inst))
        ? undefined
        : 'at most six integer arguments';
    case 'x86':
      return inst.intrinsic === '' ? 'no intrinsic' : undefined;
    default:
      return `unknown operation`;
  }
}

const BITCAST: Record<string, Type | undefined> = { i32: 'f32', f32: 'i32', i64: 'f64', f64: 'i64' };

function sameInts([a, b, ...more]: Type[]): boolean {
  return a === b && more.length === 0 && (a === 'i32' || a === 'i64');
}

function sameFloats([a, b, ...more]: Type[]): boolean {
  return a === b && more.length === 0 && (a === 'f32' || a === 'f64');
}

function callError(inst: Inst, types: Type[]): string | undefined {
  if (!inst.sig) return 'no signature';
  const indirect = inst.op === 'callref' || inst.op === 'tailcallref';
  return listError(indirect ? ['i64', ...inst.sig.params] : inst.sig.params, types, 'arguments');
}

function resultError(inst: Inst): string | undefined {
  const { results } = inst.sig!;
  const want = results.length === 1 ? results[0] : 'none';
  return inst.type === want ? undefined : `result type ${inst.type} instead of ${want}`;
}

function listError(want: Type[], have: Type[], what: string): string | undefined {
  return want.join() === have.join() ? undefined : `${what} (${have}) instead of (${want})`;
}
