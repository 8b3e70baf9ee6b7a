// .debug_info (DWARF 5 §2): one compilation unit with its functions, what was inlined in each, and their variables.
// Methods stand in a namespace of their class's name, so that a debugger knows them as Class::method. What was inlined
// somewhere has an abstract entry, with names and types, to which its instances refer.

import type { Place } from '../object/function-info.ts';
import { type Attribute, type EntryLabel, EntryWriter, type OtherSection } from './die.ts';
import {
  ADDRESS_BYTES,
  AT,
  DWARF_VERSION,
  FORM,
  INL_INLINED,
  LANG_CPP_14,
  OP,
  TAG,
  type TextReference,
} from './dwarf.ts';
import type { DebugFunction, Inlined } from './functions.ts';
import type { Files } from './lines.ts';
import { Lists } from './lists.ts';
import { qualifiedName } from './names.ts';
import type { Types } from './types.ts';
import type { Variable } from './variables.ts';

export interface Unit {
  name: string;
  folder: string;
  textSize: number;
  functions: readonly DebugFunction[];
  types: Types;
  /** By offset in the context. */
  globals: readonly { name: string; field: number }[];
  /** Of a function by its index in the module. */
  declaration(func: number): Declaration;
}

export interface Declaration {
  name: string;
  place: Place | undefined;
  variables: readonly Variable[];
}

export interface InfoSections {
  info: Uint8Array;
  abbrev: Uint8Array;
  rnglists: Uint8Array;
  loclists: Uint8Array;
  /** In `info`. */
  addresses: TextReference[];
  fields: TextReference[];
  offsets: { at: number; section: OtherSection; to: number }[];
}

export function writeInfo(unit: Unit, files: Files): InfoSections {
  return new InfoWriter(unit, files).write();
}

/** An abstract entry, and those of its variables. */
interface Abstract {
  label: EntryLabel;
  variables: Map<Variable, EntryLabel>;
}

class InfoWriter {
  private readonly entries = new EntryWriter();
  private readonly unit: Unit;
  private readonly files: Files;
  private readonly lists = new Lists();
  /** Of each function that is inlined somewhere, by its index. */
  private readonly abstract = new Map<number, Abstract>();
  /** What writes the methods of a class. */
  private readonly methods = new Map<string, (() => void)[]>();

  constructor(unit: Unit, files: Files) {
    this.unit = unit;
    this.files = files;
  }

  write(): InfoSections {
    const { entries, unit, lists } = this;
    const { info } = entries;
    info.sized(() => {
      info.u16(DWARF_VERSION);
      info.u8(1); // DW_UT_compile
      info.u8(ADDRESS_BYTES);
      entries.offset('abbrev', 0);
      const attributes: Attribute[] = [
        [AT.producer, FORM.string, 'yaos'],
        [AT.language, FORM.data2, LANG_CPP_14],
        [AT.name, FORM.string, unit.name],
        [AT.comp_dir, FORM.string, unit.folder],
        [AT.stmt_list, FORM.sec_offset, { section: 'line', to: 0 }],
        [AT.low_pc, FORM.addr, 0],
        [AT.high_pc, FORM.data4, unit.textSize],
      ];
      entries.parent(TAG.compile_unit, attributes, () => {
        this.writeAbstract();
        this.writeFunctions();
        this.writeGlobals();
        for (const [type, methods] of this.methods) unit.types.writeClass(entries, type, methods);
        unit.types.write(entries);
      });
    });
    entries.resolve();
    return {
      info: info.written(),
      abbrev: entries.abbrev(),
      rnglists: lists.ranges(),
      loclists: lists.locations(),
      addresses: entries.addresses,
      fields: entries.fields,
      offsets: entries.offsets,
    };
  }

  /** Variables of files, in a namespace of the file's name where two have one name. */
  private writeGlobals(): void {
    const { globals, types } = this.unit;
    const named = globals.map((g) => ({
      ...g,
      file: /([\w-]+)\/\w+$/.exec(g.name)?.[1],
      own: /\w+$/.exec(g.name)?.[0],
    }));
    for (const { name, own, file, field } of named) {
      const type = types.ofGlobal(name);
      if (type === undefined || own === undefined) continue;
      const attributes: Attribute[] = [
        [AT.name, FORM.string, own],
        [AT.type, FORM.ref4, types.entry(type)],
        [AT.location, FORM.exprloc, { field }],
      ];
      const write = () => this.entries.leaf(TAG.variable, attributes);
      if (named.some((other) => other.own === own && other.name !== name) && file)
        this.entries.parent(TAG.namespace, [[AT.name, FORM.string, file.replaceAll('-', '_')]], write);
      else write();
    }
  }

  private place(place: Place | undefined): Attribute[] {
    if (!place) return [];
    return [
      [AT.decl_file, FORM.udata, this.files.numberOf(place.file!)],
      [AT.decl_line, FORM.udata, place.line!],
    ];
  }

  /** An entry, in its class if it has one: later, if the class has an entry of its own. */
  private inScope(name: string, write: (name: string) => void): void {
    const { scope, name: own } = qualifiedName(name);
    const type = this.unit.types.classOf(name);
    if (type !== undefined) {
      const methods = this.methods.get(type);
      if (methods) methods.push(() => write(own));
      else this.methods.set(type, [() => write(own)]);
    } else if (scope === undefined) write(own);
    else this.entries.parent(TAG.namespace, [[AT.name, FORM.string, scope]], () => write(own));
  }

  private writeAbstract(): void {
    for (const func of inlinedFunctions(this.unit.functions)) {
      const { name, place, variables } = this.unit.declaration(func);
      const abstract: Abstract = { label: {}, variables: new Map(variables.map((v) => [v, {}])) };
      this.abstract.set(func, abstract);
      this.inScope(name, (own) => {
        const attributes: Attribute[] = [
          [AT.name, FORM.string, own],
          [AT.inline, FORM.data1, INL_INLINED],
          ...this.place(place),
        ];
        const writeVariables = () => {
          for (const variable of variables) {
            const label = abstract.variables.get(variable);
            this.entries.leaf(tagOf(variable), this.nameAndType(variable), label);
          }
        };
        this.entries.parent(TAG.subprogram, attributes, writeVariables, abstract.label);
      });
    }
  }

  private writeFunctions(): void {
    for (const f of this.unit.functions) {
      const origin = f.func === undefined ? undefined : this.abstract.get(f.func);
      if (origin) this.writeFunction(f, [[AT.abstract_origin, FORM.ref4, origin.label]], origin);
      else
        this.inScope(f.name, (own) => {
          this.writeFunction(f, [[AT.name, FORM.string, own], ...this.place(f.place)], undefined);
        });
    }
  }

  private writeFunction(f: DebugFunction, head: Attribute[], origin: Abstract | undefined): void {
    const attributes: Attribute[] = [
      ...head,
      [AT.low_pc, FORM.addr, f.start],
      [AT.high_pc, FORM.data4, f.size],
      [AT.frame_base, FORM.exprloc, Uint8Array.of(OP.call_frame_cfa)],
    ];
    this.entries.parent(TAG.subprogram, attributes, () => this.writeInside(f, f.func, origin));
  }

  private writeInlined(call: Inlined): void {
    const { func, ranges } = call;
    const origin = this.abstract.get(func)!;
    const { file, line, column } = call.call;
    const attributes: Attribute[] = [
      [AT.abstract_origin, FORM.ref4, origin.label],
      [AT.ranges, FORM.sec_offset, { section: 'rnglists', to: this.lists.addRanges(ranges) }],
      [AT.call_file, FORM.udata, file === undefined ? 0 : this.files.numberOf(file)],
      [AT.call_line, FORM.udata, line ?? 0],
      [AT.call_column, FORM.udata, column ?? 0],
    ];
    this.entries.parent(TAG.inlined_subroutine, attributes, () => this.writeInside(call, func, origin));
  }

  /** The variables of a function or of an inlined call, and what was inlined in it. */
  private writeInside(
    scope: Pick<Inlined, 'inlined' | 'values'>,
    func: number | undefined,
    origin: Abstract | undefined,
  ): void {
    const variables = func === undefined ? [] : this.unit.declaration(func).variables;
    for (const variable of variables) {
      const values = variable.locals.flatMap((local) => scope.values.get(local) ?? []);
      const abstract = origin?.variables.get(variable);
      if (abstract && values.length === 0) continue; // it has no place here
      const attributes: Attribute[] = abstract
        ? [[AT.abstract_origin, FORM.ref4, abstract]]
        : this.nameAndType(variable);
      const at = this.lists.addLocations(values, this.unit.types.isOffset(variable.type));
      if (at !== undefined) attributes.push([AT.location, FORM.sec_offset, { section: 'loclists', to: at }]);
      this.entries.leaf(tagOf(variable), attributes);
    }
    for (const inner of scope.inlined) this.writeInlined(inner);
  }

  private nameAndType({ name, type, isParameter }: Variable): Attribute[] {
    const attributes: Attribute[] = [
      [AT.name, FORM.string, name],
      [AT.type, FORM.ref4, this.unit.types.entry(type)],
    ];
    // So a method is known.
    if (isParameter && name === 'this') attributes.push([AT.artificial, FORM.flag_present, 0]);
    return attributes;
  }
}

function tagOf({ isParameter }: Variable): number {
  return isParameter ? TAG.formal_parameter : TAG.variable;
}

function inlinedFunctions(functions: readonly { inlined: Inlined[] }[]): Set<number> {
  const found = new Set<number>();
  const visit = ({ func, inlined }: Inlined) => {
    found.add(func);
    inlined.forEach(visit);
  };
  for (const { inlined } of functions) inlined.forEach(visit);
  return found;
}
