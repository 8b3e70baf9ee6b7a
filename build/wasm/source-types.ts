// The types of a module's source, from the custom section `yaos.types` (kernel/types.mjs writes it): JSON of the classes'
// layouts, `{ name, id, bytes, fields: [[name, offset, type]…], element }`, and of the types of each function's locals and of globals,
// by name. Types are `i32`, `bool` and so on, or `*N` for a reference to class N of the list. It is a convenience, as names are: what is not as it should
// be is left out.

import type { Reader } from './reader.ts';

export interface Field {
  name: string;
  offset: number;
  type: string;
}

export interface ClassLayout {
  /** In the header of an object. */
  id: number;
  bytes: number;
  fields: Field[];
  /** Of a StaticArray, which begins with them. */
  element?: string;
}

export interface SourceTypes {
  classes: Map<string, ClassLayout>;
  functions: Map<string, Map<string, string>>;
  globals: Map<string, string>;
}

/** The rest of the section. */
export function readTypesSection(r: Reader): SourceTypes | undefined {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(r.bytes.subarray(r.pos, r.end)));
  } catch {
    return undefined;
  }
  const { classes, functions, globals } = isObject(json) ? json : {};
  const list = Array.isArray(classes) ? classes : [];
  const names = list.map((each) => (isObject(each) && typeof each.name === 'string' ? each.name : undefined));
  const readType = (value: unknown) => {
    if (typeof value !== 'string' || !value.startsWith('*'))
      return typeof value === 'string' ? value : undefined;
    const name = names[Number(value.slice(1))];
    return name === undefined ? undefined : `*${name}`;
  };
  const layouts = list.map((each) => readClass(each, readType));
  return {
    classes: new Map(
      names.flatMap((name, i) => (name !== undefined && layouts[i] ? [[name, layouts[i]]] : [])),
    ),
    functions: readMap(functions, (locals) => readMap(locals, readType)),
    globals: readMap(globals, readType),
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function readMap<T>(value: unknown, read: (value: unknown) => T | undefined): Map<string, T> {
  const map = new Map<string, T>();
  if (!isObject(value)) return map;
  for (const [name, each] of Object.entries(value)) {
    const known = read(each);
    if (known !== undefined) map.set(name, known);
  }
  return map;
}

function readClass(
  value: unknown,
  readType: (value: unknown) => string | undefined,
): ClassLayout | undefined {
  if (!isObject(value) || !isOffset(value.bytes) || !Array.isArray(value.fields)) return undefined;
  const fields: Field[] = [];
  for (const field of value.fields) {
    const [name, offset, given] = Array.isArray(field) ? field : [];
    const type = readType(given);
    if (typeof name === 'string' && isOffset(offset) && type !== undefined)
      fields.push({ name, offset, type });
  }
  const id = isOffset(value.id) ? value.id : 0;
  return { id, bytes: value.bytes, fields, element: readType(value.element) };
}

function isOffset(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 32;
}
