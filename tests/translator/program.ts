// Writes random valid programs: a few functions that call each other, with structured control flow, locals of all
// types, memory, globals and traps. Fuel in a global makes every one of them end. A float whose bits an engine may
// choose (WebAssembly core 4.3.3.2) is made canonical wherever its bits would show.

import {
  canonical,
  FunctionWriter,
  isFloat,
  MEMORY_BASE,
  NUMBERS,
  REFERENCES,
  type Shared,
  TABLE_SLOTS,
} from './function.ts';
import { type NumType, type Random, widthOf } from './values.ts';
import { access, type Bytes, constant, get, i32, ModuleBuilder, op, set, tee, type ValType } from './wasm.ts';

const FUEL = 400;
const MEMORY_BYTES = 0x10000;

export function startModule(): Shared {
  const module = new ModuleBuilder();
  module.setMemory(2, 2);
  const fuel = module.addGlobal('i32', true, i32(0));
  const globals = Object.fromEntries(
    NUMBERS.map((t) => [
      t,
      [module.addGlobal(t, true, constant(t, 0n)), module.addGlobal(t, true, constant(t, 1n))],
    ]),
  ) as Record<NumType, number[]>;
  const shared = { module, fuel, globals, slots: [] };
  addReset(shared);
  addHash(shared);
  return shared;
}

/** After the last program. */
export function finishModule(shared: Shared): ModuleBuilder {
  // Some null, so that calls through the table trap.
  shared.module.addTable('funcref', shared.slots.length + TABLE_SLOTS);
  shared.slots.forEach((f, slot) => {
    if (f >= 0) shared.module.addElements(slot, [f]);
  });
  return shared.module;
}

/** Memory and globals to values that depend on the seed. */
function addReset({ module, fuel, globals }: Shared): void {
  const next: Bytes = [
    ...[...get(1), ...op('i64.extend_i32_u'), ...constant('i64', 0x9e3779b97f4a7c15n), ...op('i64.mul')],
    ...[...get(0), ...op('i64.add'), ...set(0)],
  ];
  const floats = (['f32', 'f64'] as const).flatMap((t) =>
    globals[t].flatMap((g) => [...get(0), ...op(`${t}.convert_i64_s`), ...op('global.set', g)]),
  );
  module.export(
    'reset',
    ['i64'],
    [],
    [
      ...[...i32(FUEL), ...op('global.set', fuel)],
      ...[...op('loop'), 0x40, ...next, ...get(1), ...get(0), ...access('i64.store', MEMORY_BASE)],
      ...[...get(1), ...i32(8), ...op('i32.add'), ...tee(1), ...i32(MEMORY_BYTES), ...op('i32.lt_u')],
      ...[...op('br_if', 0), ...op('end'), ...floats],
      ...globals.i64.flatMap((g) => [...get(0), ...op('global.set', g)]),
      ...globals.i32.flatMap((g) => [...get(0), ...op('i32.wrap_i64'), ...op('global.set', g)]),
    ],
    ['i32'],
  );
}

function addHash({ module, fuel, globals }: Shared): void {
  const mix: Bytes = [
    ...get(1),
    ...op('i64.xor'),
    ...constant('i64', 0x100000001b3n),
    ...op('i64.mul'),
    ...set(1),
  ];
  const number = (type: NumType, g: number): Bytes => {
    const value = op('global.get', g);
    if (type === 'i32') return [...value, ...op('i64.extend_i32_u')];
    if (type === 'i64') return value;
    const bits = [
      ...canonical(type, value, type === 'f32' ? 2 : 3),
      ...op(`i${widthOf(type)}.reinterpret_${type}`),
    ];
    return type === 'f32' ? [...bits, ...op('i64.extend_i32_u')] : bits;
  };
  module.export(
    'hash',
    [],
    ['i64', 'i32'],
    [
      ...[...op('loop'), 0x40, ...get(0), ...access('i64.load', MEMORY_BASE), ...mix],
      ...[...get(0), ...i32(8), ...op('i32.add'), ...tee(0), ...i32(MEMORY_BYTES), ...op('i32.lt_u')],
      ...[...op('br_if', 0), ...op('end')],
      ...NUMBERS.flatMap((t) => globals[t].flatMap((g) => [...number(t, g), ...mix])),
      ...[...get(1), ...op('global.get', fuel), ...i32(FUEL), ...op('global.set', fuel)],
    ],
    ['i32', 'i64', 'f32', 'f64'],
  );
}

export interface Entry {
  name: string;
  params: ValType[];
}

/** Adds the functions of one program to the module; its entry is exported as `name`. */
export function addProgram(shared: Shared, random: Random, name: string): Entry {
  const { module } = shared;
  const count = 1 + random.below(5);
  const first = module.nextFunction;
  const many = random.chance(0.2) ? 16 : 5;
  const types = (max: number): ValType[] =>
    Array.from({ length: random.below(max + 1) }, () =>
      random.chance(0.06) ? random.pick(REFERENCES) : random.pick(NUMBERS),
    );
  const functions = Array.from({ length: count }, (_, i) => ({
    index: first + i,
    params: types(many).filter((t) => i > 0 || t !== 'funcref'),
    // The entry's results are seen from outside; floats show in globals, which `hash` makes canonical.
    results: types(random.chance(0.2) ? 6 : 1).filter((t) => i > 0 || !isFloat(t)),
  }));
  const slot = shared.slots.length;
  for (let i = 0; i < TABLE_SLOTS; i++)
    shared.slots.push(i === 0 ? first : random.chance(0.25) ? -1 : first + random.below(count));
  functions.forEach((f, i) => {
    const writer = new FunctionWriter(shared, random, functions, slot, f);
    const body = writer.body();
    if (i === 0) module.export(name, f.params, f.results, body, writer.locals);
    else module.internal(f.params, f.results, body, writer.locals);
  });
  return { name, params: functions[0].params };
}
