// Debugging information entries (DWARF 5 §2 and §7.5): a tree in .debug_info, each entry behind the number of its
// abbreviation, which says what it is and how its attributes are written; equal ones share one, in .debug_abbrev.

import { ADDRESS_BYTES, DwarfWriter, FORM, OP, type TextReference } from './dwarf.ts';

/** Names an entry before it is written. */
export interface EntryLabel {
  /** Offset in .debug_info. */
  at?: number;
}

export type OtherSection = 'abbrev' | 'line' | 'rnglists' | 'loclists';

export type Value =
  | number
  | string
  | Uint8Array
  | EntryLabel
  | { section: OtherSection; to: number }
  /** The place of a variable: the expression with its address. */
  | ContextField;

export interface ContextField {
  /** Bytes from the module's context. */
  field: number;
}

export type Attribute = readonly [at: number, form: number, value: Value];

export class EntryWriter {
  readonly info = new DwarfWriter();
  readonly addresses: TextReference[] = [];
  /** Where the offset `to` in another section has to be put. */
  readonly offsets: { at: number; section: OtherSection; to: number }[] = [];
  /** Where the address of a field of the context has to be put. */
  readonly fields: TextReference[] = [];
  private readonly abbreviations = new Map<string, number>();
  private readonly abbreviationBytes = new DwarfWriter();
  private readonly references: { at: number; to: EntryLabel }[] = [];

  /** An entry with children, which `write` writes. */
  parent(tag: number, attributes: readonly Attribute[], write: () => void, label?: EntryLabel): void {
    this.begin(tag, true, attributes, label);
    write();
    this.info.u8(0);
  }

  /** An entry without. */
  leaf(tag: number, attributes: readonly Attribute[], label?: EntryLabel): void {
    this.begin(tag, false, attributes, label);
  }

  address(to: number): void {
    this.addresses.push({ at: this.info.length, to });
    this.info.u64(0);
  }

  offset(section: OtherSection, to: number): void {
    this.offsets.push({ at: this.info.length, section, to });
    this.info.u32(0);
  }

  /** Once all entries have been written. */
  resolve(): void {
    for (const { at, to } of this.references) this.info.patch32(at, to.at!);
  }

  abbrev(): Uint8Array {
    const out = new DwarfWriter();
    out.append(this.abbreviationBytes.written());
    out.u8(0);
    return out.written();
  }

  private begin(
    tag: number,
    children: boolean,
    attributes: readonly Attribute[],
    label: EntryLabel | undefined,
  ): void {
    if (label) label.at = this.info.length;
    this.info.uleb(this.abbreviation(tag, children, attributes));
    for (const [, form, value] of attributes) this.value(form, value);
  }

  private abbreviation(tag: number, children: boolean, attributes: readonly Attribute[]): number {
    const numbers: number[] = [];
    for (const [at, form] of attributes) numbers.push(at, form);
    const key = `${tag} ${children} ${numbers}`;
    let number = this.abbreviations.get(key);
    if (number === undefined) {
      number = this.abbreviations.size + 1;
      this.abbreviations.set(key, number);
      const out = this.abbreviationBytes;
      for (const n of [number, tag, children ? 1 : 0, ...numbers]) out.uleb(n);
      out.u16(0);
    }
    return number;
  }

  private value(form: number, value: Value): void {
    const { info } = this;
    if (typeof value === 'string') info.text(value);
    else if (value instanceof Uint8Array) {
      info.uleb(value.length);
      info.append(value);
    } else if (typeof value !== 'number') {
      if ('section' in value) this.offset(value.section, value.to);
      else if ('field' in value) {
        info.uleb(1 + ADDRESS_BYTES);
        info.u8(OP.addr);
        this.fields.push({ at: info.length, to: value.field });
        info.u64(0);
      } else {
        this.references.push({ at: info.length, to: value });
        info.u32(0);
      }
    } else if (form === FORM.flag_present) return;
    else if (form === FORM.addr) this.address(value);
    else if (form === FORM.data1) info.u8(value);
    else if (form === FORM.data2) info.u16(value);
    else if (form === FORM.data4) info.u32(value);
    else info.uleb(value);
  }
}
