// `yaos header`: a C header by which a program in C or C++ uses a translated module as plain functions
// (docs/embedding.md). It is made of runtime/yaosrt.h's calls: the instance's type, the imports to provide, and for
// each export a function with C types that passes its values in an array.

import { basename } from 'node:path';
import { moduleName, moduleSymbol, RESERVED } from '../compile.ts';
import { UserError } from '../error.ts';
import { readInput, replaceFile } from '../files.ts';
import { sortedExports } from '../object/descriptor.ts';
import { interfaceHash } from '../object/interface.ts';
import { type FuncType, type ValType, WasmError, type WasmExport, type WasmModule } from '../wasm/module.ts';
import { readModule } from '../wasm/validate.ts';

const C_TYPE: Record<ValType, string> = {
  i32: 'int32_t ',
  i64: 'int64_t ',
  f32: 'float ',
  f64: 'double ',
  funcref: 'struct yaos_func *',
  externref: 'void *',
};

export function makeHeader(input: string, output: string, name: string | undefined): void {
  const prefix = moduleName('header', input, name);
  try {
    const module = readModule(readInput(input));
    replaceFile(output, Buffer.from(headerText(module, prefix, basename(input))));
  } catch (error) {
    if (error instanceof WasmError) throw new UserError(`yaos: ${input}: ${error.message}`);
    throw error;
  }
}

export function headerText(module: WasmModule, prefix: string, file: string): string {
  const guard = `YAOS_HEADER_${prefix}`;
  const members = importMembers(module);
  return [
    `/* The module ${comment(file)} as C functions: made by yaos header, for the object that yaos compile makes. Each`,
    ` * returns YAOS_OK or the trap it ended with; ${prefix}_last_error tells more. In one C file, \`#define ${prefix.toUpperCase()}_API\``,
    ' * before this header makes external functions of them, for programs in other languages. */',
    `#ifndef ${guard}`,
    `#define ${guard}`,
    '',
    '#include <stdlib.h>',
    '#include "yaosrt.h"',
    '',
    `#ifndef ${prefix.toUpperCase()}_API`,
    `#define ${prefix.toUpperCase()}_API static inline`,
    '#endif',
    '',
    '#ifdef __cplusplus',
    'extern "C" {',
    '#endif',
    '',
    `extern const struct yaos_module ${moduleSymbol(prefix)};`,
    `struct ${prefix};`,
    '',
    ...importsStruct(module, prefix, members),
    ...instance(prefix),
    ...module.imports.flatMap((i, n) =>
      i.kind === 'func' ? adapter(prefix, n, members[n], module.funcs[i.index].type) : [],
    ),
    ...constructors(module, prefix, members),
    ...module.exports.flatMap(exporter(module, prefix)),
    '#ifdef __cplusplus',
    '}',
    '#endif',
    '#endif',
    '',
  ].join('\n');
}

/** Names in C, each once: what C has not becomes an underscore, and a name that is taken gets a number. */
class Names {
  /** By name: the number to try for the next one that would be called so. */
  private readonly next: Map<string, number>;
  constructor(taken: string[]) {
    this.next = new Map(taken.map((name) => [name, 2]));
  }

  of(text: string): string {
    const plain = text.replaceAll(/[^A-Za-z0-9_]/g, '_');
    let name = plain;
    let n = this.next.get(plain) ?? 2;
    while (this.next.has(name) || RESERVED.test(name)) name = `${plain}_${n++}`;
    this.next.set(plain, n);
    if (name !== plain) this.next.set(name, 2);
    return name;
  }
}

function comment(text: string): string {
  return text.replaceAll(/[^ -~]|\*\/|\/\*/g, '_');
}

/** A name as a C string's contents: escaped byte by byte, in three octal digits so that nothing runs on. */
function literal(text: string): string {
  const bytes = [...Buffer.from(text)];
  const plain = (b: number) => b >= 0x20 && b < 0x7f && !'"\\?'.includes(String.fromCharCode(b));
  return bytes
    .map((b) => (plain(b) ? String.fromCharCode(b) : `\\${b.toString(8).padStart(3, '0')}`))
    .join('');
}

/** MODULE_NAME for each import, in order; not with an underscore first, as C has keywords of that kind. */
function importMembers(module: WasmModule): string[] {
  const names = new Names(['context']);
  return module.imports.map((i) => names.of(`${i.module}_${i.name}`.replace(/^(?![A-Za-z])/, 'import_')));
}

function importsStruct(module: WasmModule, prefix: string, members: string[]): string[] {
  const fields = module.imports.flatMap((i, n) => {
    const what = `	/* ${comment(`${i.module}.${i.name}`)}: `;
    if (i.kind !== 'func') return [`${what}${describe(module, i)} */`, `	struct yaos_extern ${members[n]};`];
    const { params, results } = module.funcs[i.index].type;
    const result = results.length === 1 ? C_TYPE[results[0]] : 'void ';
    const list = [`struct ${prefix} *self`, ...declare(params, 'a'), ...outs(results)].join(', ');
    return [
      `${what}a C function, or \`link\` */`,
      `	struct {`,
      `		${result}(*call)(${list});`,
      '		struct yaos_extern link;',
      `	} ${members[n]};`,
    ];
  });
  return [
    `/* What the module imports. A function is a C function, which gets the instance that calls it, or what another`,
    ` * instance exports. */`,
    `struct ${prefix}_imports {`,
    "	void *context; /* the host's own */",
    ...fields,
    '};',
    '',
  ];
}

function describe(module: WasmModule, { kind, index }: { kind: WasmExport['kind']; index: number }): string {
  if (kind === 'memory') {
    const { min, max, shared } = module.memories[index];
    return `a ${shared ? 'shared ' : ''}memory of ${min} pages, at most ${max ?? 65536}`;
  }
  if (kind === 'table') {
    const { min, max, element } = module.tables[index];
    return `a table of ${min} ${element}s${max === undefined ? '' : `, at most ${max}`}`;
  }
  if (kind === 'global')
    return `a ${module.globals[index].mutable ? 'mutable ' : ''}global, ${module.globals[index].type}`;
  return 'a function';
}

function instance(prefix: string): string[] {
  return [
    `struct ${prefix} {`,
    '	struct yaos_instance *instance;',
    `	struct ${prefix}_imports imports;`,
    '};',
    '',
  ];
}

function declare(types: ValType[], letter: string): string[] {
  return types.map((t, i) => `${C_TYPE[t]}${letter}${i}`);
}

/** Where results go: pointers, of a host function only if there are several. */
function outs(results: ValType[], from = 2): string[] {
  return results.length < from ? [] : results.map((t, i) => `${C_TYPE[t]}*r${i}`);
}

/** The yaos_host_fn that calls the host's C function. */
function adapter(prefix: string, n: number, member: string, { params, results }: FuncType): string[] {
  const self = `struct ${prefix} *self = (struct ${prefix} *)env;`;
  const single = results.length === 1;
  const args = ['self', ...params.map((t, i) => `yaos_to_${t}(values[${i}])`)];
  if (!single) args.push(...results.map((_, i) => `&r${i}`));
  const call = `self->imports.${member}.call(${args.join(', ')})`;
  const body = single
    ? [`	values[0] = yaos_of_${results[0]}(${call});`]
    : [
        ...results.map((t, i) => `	${C_TYPE[t]}r${i} = 0;`),
        `	${call};`,
        ...results.map((t, i) => `	values[${i}] = yaos_of_${t}(r${i});`),
      ];
  const unused = params.length + results.length === 0 ? ['	(void)values;'] : [];
  return [
    `static inline void ${prefix}_import_${n}(void *env, uint64_t *values)`,
    '{',
    `	${self}`,
    ...unused,
    ...body,
    '}',
    '',
  ];
}

function constructors(module: WasmModule, prefix: string, members: string[]): string[] {
  const self = `struct ${prefix} *self`;
  const api = `${prefix.toUpperCase()}_API`;
  const fill = module.imports.map((i, n) => {
    const given = `imports->${members[n]}`;
    if (i.kind !== 'func') return `	externs[${n}] = ${given};`;
    return `	externs[${n}] = ${given}.call ? yaos_extern_func(${prefix}_import_${n}, self) : ${given}.link;`;
  });
  return [
    `${api} void ${prefix}_free(${self})`,
    '{',
    '	if (self == NULL)',
    '		return;',
    '	if (self->instance != NULL)',
    '		yaos_instance_free(self->instance);',
    '	free(self);',
    '}',
    '',
    `${api} void ${prefix}_last_error(const ${self}, struct yaos_error *error)`,
    '{',
    '	yaos_last_error(self->instance, error);',
    '}',
    '',
    '/* Makes an instance and runs its start function; null on failure, with the reason in *error. The imports are',
    ' * copied; null: there are none. */',
    `${api} struct ${prefix} *${prefix}_new(const struct ${prefix}_imports *imports, struct yaos_error *error)`,
    '{',
    `	struct ${prefix}_imports none;`,
    `	struct yaos_extern externs[${module.imports.length + 1}];`,
    `	${self} = (struct ${prefix} *)calloc(1, sizeof(*self));`,
    '	memset(&none, 0, sizeof(none));',
    '	memset(externs, 0, sizeof(externs));',
    '	if (imports == NULL)',
    '		imports = &none;',
    '	if (self == NULL) {',
    '		yaos_set_error(error, "not enough memory");',
    '		return NULL;',
    '	}',
    '	self->imports = *imports;',
    ...fill,
    `	if (${moduleSymbol(prefix)}.interface == ${interfaceHash(module)}ull)`,
    `		self->instance = yaos_instance_new(&${moduleSymbol(prefix)}, externs, error);`,
    '	else',
    `		yaos_set_error(error, "${prefix}: the header and the object were made of different modules");`,
    '	if (self->instance != NULL && yaos_instance_init(self->instance) == YAOS_OK)',
    '		return self;',
    '	if (self->instance != NULL)',
    '		yaos_last_error(self->instance, error);',
    `	${prefix}_free(self);`,
    '	return NULL;',
    '}',
    '',
  ];
}

function exporter(module: WasmModule, prefix: string): (e: WasmExport) => string[] {
  const own = ['new', 'free', 'last_error', 'imports', ...module.imports.map((_, n) => `import_${n}`)];
  const order = new Map(sortedExports(module).map((e, i) => [e, i]));
  const names = new Names(own.map((name) => `${prefix}_${name}`));
  const self = `struct ${prefix} *self`;
  const api = `${prefix.toUpperCase()}_API`;
  return (e) => {
    const name = names.of(`${prefix}_${e.name}`);
    const found = `"${literal(e.name)}", ${Buffer.from(e.name).length}`;
    const extern = [
      `/* ${comment(e.name)}, for another instance's import: ${describe(module, e)}. */`,
      `${api} struct yaos_extern ${names.of(`${name}_extern`)}(${self})`,
      '{',
      `	return yaos_export_extern(self->instance, ${found});`,
      '}',
      '',
    ];
    if (e.kind === 'func')
      return [
        ...caller(
          name,
          self,
          api,
          `&${moduleSymbol(prefix)}.exports[${order.get(e)}]`,
          module.funcs[e.index].type,
        ),
        ...extern,
      ];
    if (e.kind === 'global') {
      const { type, mutable } = module.globals[e.index];
      const cell = `*yaos_global_get(self->instance, ${e.index})`;
      const get = [
        `${api} ${C_TYPE[type]}${names.of(`${name}_get`)}(${self})`,
        '{',
        `	return yaos_to_${type}(${cell});`,
        '}',
        '',
      ];
      const set = [
        `${api} void ${mutable ? names.of(`${name}_set`) : ''}(${self}, ${C_TYPE[type]}value)`,
        '{',
        `	${cell} = yaos_of_${type}(value);`,
        '}',
        '',
      ];
      return [...extern, ...get, ...(mutable ? set : [])];
    }
    const call =
      e.kind === 'memory' ? 'yaos_memory_get(self->instance)' : `yaos_table_get(self->instance, ${e.index})`;
    return [...extern, `${api} struct yaos_${e.kind} *${name}(${self})`, '{', `	return ${call};`, '}', ''];
  };
}

/** The function that calls an export. A result that is not wanted may be given as null. */
function caller(
  name: string,
  self: string,
  api: string,
  exported: string,
  { params, results }: FuncType,
): string[] {
  const list = [self, ...declare(params, 'a'), ...outs(results, 1)].join(', ');
  const count = Math.max(params.length, results.length, 1);
  return [
    `${api} enum yaos_trap ${name}(${list})`,
    '{',

    `	uint64_t values[${count}];`,
    ...(params.length === 0
      ? ['	values[0] = 0;']
      : params.map((t, i) => `	values[${i}] = yaos_of_${t}(a${i});`)),
    `	enum yaos_trap trap = yaos_call(yaos_export_func(self->instance, ${exported}), values);`,
    ...(results.length === 0 ? [] : ['	if (trap != YAOS_OK)', '		return trap;']),
    ...results.flatMap((t, i) => [`	if (r${i} != NULL)`, `		*r${i} = yaos_to_${t}(values[${i}]);`]),
    '	return trap;',
    '}',
    '',
  ];
}
