// The types of variables and of the fields of objects: numbers, and references, which are pointers to a debugger.

import type { ClassLayout, SourceTypes } from '../wasm/source-types.ts';
import type { EntryLabel, EntryWriter } from './die.ts';
import { AT, ATE, FORM, TAG } from './dwarf.ts';
import { qualifiedName } from './names.ts';

const { boolean, float, signed, unsigned } = ATE;
const BASE: Readonly<Record<string, readonly [encoding: number, bytes: number]>> = {
  bool: [boolean, 1],
  i8: [signed, 1],
  i16: [signed, 2],
  i32: [signed, 4],
  i64: [signed, 8],
  isize: [signed, 4],
  u8: [unsigned, 1],
  u16: [unsigned, 2],
  u32: [unsigned, 4],
  u64: [unsigned, 8],
  usize: [unsigned, 4],
  f32: [float, 4],
  f64: [float, 8],
  funcref: [unsigned, 8],
  externref: [unsigned, 8],
};
/** Of an address in a linear memory that begins at address 0, and of one anywhere. */
const [NEAR_BYTES, FAR_BYTES] = [4, 8];

export class Types {
  private readonly source: SourceTypes | undefined;
  /** A reference is an address as it stands in memory. */
  private readonly pointing: boolean;
  private readonly base = new Map<string, EntryLabel>();
  private readonly pointers = new Map<string, EntryLabel>();
  private readonly structures = new Map<string, EntryLabel>();

  /**
   * Without a source there are only the types of WebAssembly. Where a reference is no address (`pointing`), but an offset in a memory
   * that lies anywhere, a variable is a pointer that the offset gives, and a field is the offset.
   */
  constructor(source: SourceTypes | undefined, pointing: boolean) {
    this.source = source;
    this.pointing = pointing;
  }

  /** Whether an address is to be made of a variable's value, or a field's. */
  isOffset(type: string): boolean {
    return type.startsWith('*') && !this.pointing;
  }

  /** What a local is: as its source has it, if that is known. */
  typeOf(func: string, local: string, wasm: string): string {
    const type = this.source?.functions.get(func)?.get(local);
    return type !== undefined && this.isKnown(type) ? type : wasm;
  }

  /** Undefined: it is not known. */
  ofGlobal(name: string): string | undefined {
    const type = this.source?.globals.get(name);
    return type !== undefined && this.isKnown(type) ? type : undefined;
  }

  private isKnown(type: string): boolean {
    if (type in BASE) return true;
    const layout = this.layout(type.slice(1));
    return layout !== undefined && (this.pointing || layout.fields.length > 0);
  }

  private layout(name: string): ClassLayout | undefined {
    return this.source?.classes.get(name);
  }

  /** The class that a function is a method of, if its layout is known. */
  classOf(func: string): string | undefined {
    for (const end of [func.indexOf('#'), func.lastIndexOf('.')])
      if (end > 0 && this.layout(func.slice(0, end))) return func.slice(0, end);
    return undefined;
  }

  /** The entry of a type, which will be written. */
  entry(type: string): EntryLabel {
    if (!type.startsWith('*')) return labelOf(this.base, type);
    return labelOf(this.pointers, type.slice(1));
  }

  /** The entry of a class, with its methods. */
  writeClass(entries: EntryWriter, name: string, methods: readonly (() => void)[]): void {
    const { bytes, fields } = this.layout(name)!;
    const attributes = [
      [AT.name, FORM.string, qualifiedName(name).name],
      [AT.byte_size, FORM.udata, bytes],
    ] as const;
    const write = () => {
      for (const field of fields) {
        const known = this.isKnown(field.type) && !this.isOffset(field.type);
        entries.leaf(TAG.member, [
          [AT.name, FORM.string, field.name],
          [AT.type, FORM.ref4, this.entry(known ? field.type : 'usize')],
          [AT.data_member_location, FORM.udata, field.offset],
        ]);
      }
      for (const method of methods) method();
    };
    const label = labelOf(this.structures, name);
    entries.parent(TAG.structure_type, attributes, write, label);
  }

  /** A StaticArray is its elements, as C has them. */
  private target(name: string): EntryLabel {
    const element = this.layout(name)!.element;
    return element !== undefined && this.isKnown(element)
      ? this.entry(element)
      : labelOf(this.structures, name);
  }

  /** The classes by the numbers in the headers of their objects, which tell what a reference really refers to. */
  private writeIds(entries: EntryWriter, { classes }: SourceTypes): void {
    const attributes = [
      [AT.name, FORM.string, CLASS_IDS],
      [AT.byte_size, FORM.udata, 4],
    ] as const;
    entries.parent(TAG.enumeration_type, attributes, () => {
      for (const [name, { id }] of classes) {
        if (id === 0) continue;
        entries.leaf(TAG.enumerator, [
          [AT.name, FORM.string, `is_${qualifiedName(name).name}`],
          [AT.const_value, FORM.udata, id],
        ]);
      }
    });
  }

  /** All that has been referred to and not been written. */
  write(entries: EntryWriter): void {
    for (const name of this.pointers.keys()) {
      // What fields and elements refer to is added on the way.
      if (
        this.target(name) === labelOf(this.structures, name) &&
        labelOf(this.structures, name).at === undefined
      )
        this.writeClass(entries, name, []);
    }
    for (const [name, label] of this.pointers) {
      const attributes = [
        [AT.byte_size, FORM.udata, this.pointing ? NEAR_BYTES : FAR_BYTES],
        [AT.type, FORM.ref4, this.target(name)],
      ] as const;
      entries.leaf(TAG.pointer_type, attributes, label);
    }
    if (this.source) this.writeIds(entries, this.source);
    for (const [name, label] of this.base) {
      const [encoding, bytes] = BASE[name];
      const attributes = [
        [AT.name, FORM.string, name],
        [AT.encoding, FORM.data1, encoding],
        [AT.byte_size, FORM.udata, bytes],
      ] as const;
      entries.leaf(TAG.base_type, attributes, label);
    }
  }
}

/** Names of what has none in the source. */
const CLASS_IDS = 'yaos_class_ids';

function labelOf(labels: Map<string, EntryLabel>, name: string): EntryLabel {
  let label = labels.get(name);
  if (!label) {
    label = {};
    labels.set(name, label);
  }
  return label;
}
