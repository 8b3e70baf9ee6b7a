// The types of variables.

import type { EntryLabel, EntryWriter } from './die.ts';
import { AT, ATE, FORM, TAG } from './dwarf.ts';

const BASE: Readonly<Record<string, { encoding: number; bytes: number }>> = {
  i32: { encoding: ATE.signed, bytes: 4 },
  i64: { encoding: ATE.signed, bytes: 8 },
  f32: { encoding: ATE.float, bytes: 4 },
  f64: { encoding: ATE.float, bytes: 8 },
  funcref: { encoding: ATE.unsigned, bytes: 8 },
  externref: { encoding: ATE.unsigned, bytes: 8 },
};

export class Types {
  private readonly used = new Map<string, EntryLabel>();

  /** The entry of a type, which will be written. */
  entry(name: string): EntryLabel {
    let label = this.used.get(name);
    if (!label) {
      label = {};
      this.used.set(name, label);
    }
    return label;
  }

  write(entries: EntryWriter): void {
    for (const [name, label] of this.used) {
      const { encoding, bytes } = BASE[name];
      entries.leaf(
        TAG.base_type,
        [
          [AT.name, FORM.string, name],
          [AT.encoding, FORM.data1, encoding],
          [AT.byte_size, FORM.data1, bytes],
        ],
        label,
      );
    }
  }
}
