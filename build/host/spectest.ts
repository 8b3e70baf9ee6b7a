// The official test suite's module `spectest`, as runtime/host_spectest.c implements it.

import type { ValType } from '../wasm/module.ts';
import type { HostExtern, HostModule } from './extern.ts';

const PRINTS: Record<string, ValType[]> = {
  print: [],
  print_i32: ['i32'],
  print_i64: ['i64'],
  print_f32: ['f32'],
  print_f64: ['f64'],
  print_i32_f32: ['i32', 'f32'],
  print_f64_f64: ['f64', 'f64'],
};
const GLOBALS: ValType[] = ['i32', 'i64', 'f32', 'f64'];

const symbol = (name: string): string => `yaos_spectest_${name}`;

export const SPECTEST_OPEN = symbol('open');

export const spectest: HostModule = new Map<string, HostExtern>([
  ...Object.entries(PRINTS).map(([name, params]): [string, HostExtern] => [
    name,
    { symbol: symbol(name), kind: 'func', type: { params, results: [] } },
  ]),
  ...GLOBALS.map((type): [string, HostExtern] => [
    `global_${type}`,
    { symbol: symbol(`global_${type}`), kind: 'global', type, mutable: false },
  ]),
  ['table', { symbol: symbol('table'), kind: 'table', element: 'funcref', min: 10, max: 20 }],
  ['memory', { symbol: symbol('memory'), kind: 'memory', shared: false, min: 1, max: 2 }],
  ['shared_memory', { symbol: symbol('shared_memory'), kind: 'memory', shared: true, min: 1, max: 2 }],
]);
