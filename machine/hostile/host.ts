// Malices of the host and its firmware: fw_cfg, ACPI's tables, the boot loader's information.

import { usableEnd } from '../firmware/multiboot.ts';
import { type Attack, intercept, type Malice } from './attack.ts';

const KEY_DIRECTORY = 0x19;
const DIRECTORY_ENTRY_BYTES = 64;
const COMMAND_LINE = 'opt/yaos/cmdline';
const MIB = 0x10_0000;
const RSDP_SEARCH = [0xf_0000, MIB] as const;

/** Changes what the firmware has left in RAM, before the kernel is entered. */
function afterFirmware(attack: Attack, damage: (info: number) => void): void {
  intercept(attack.machine, 'startFirmware', (start) => () => {
    const info = start();
    damage(info);
    return info;
  });
}

function flip(attack: Attack, at: number, bytes: number, most: number): void {
  const { random, machine } = attack;
  for (let i = random.between(1, most); i > 0; i--) {
    machine.ram.bytes[at + random.below(bytes)] = random.edge(8);
    attack.act();
  }
}

/** Whether it is firmware's memory: another malice may have put a pointer or a length anywhere. */
function isFirmware({ machine }: Attack, at: number, bytes: number): boolean {
  const { size } = machine.ram;
  const top = usableEnd(machine.options.machine ?? 'pc', size);
  return at + bytes <= MIB || (at >= top && at + bytes <= size);
}

function text(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

/** Addresses of ACPI's tables, the root pointer first. */
function acpiTables(attack: Attack): { at: number; bytes: number }[] {
  const { bytes, view } = attack.machine.ram;
  const [start, end] = RSDP_SEARCH;
  for (let at: number = start; at < end; at += 16) {
    if (text(bytes.subarray(at, at + 8)) !== 'RSD PTR ') continue;
    const root = view.getUint32(at + 16, true);
    if (root + 8 > bytes.length) return [];
    const length = view.getUint32(root + 4, true);
    const tables = [
      { at, bytes: 20 },
      { at: root, bytes: length },
    ];
    for (let entry = root + 36; entry < Math.min(root + length, bytes.length - 4); entry += 4) {
      const table = view.getUint32(entry, true);
      if (table + 8 <= bytes.length) tables.push({ at: table, bytes: view.getUint32(table + 4, true) });
    }
    return tables.filter((table) => isFirmware(attack, table.at, table.bytes));
  }
  return [];
}

/** So that the damage is looked at (ACPI 6.4 §5.2.5.3, §5.2.6). */
function mendChecksum(attack: Attack, { at, bytes }: { at: number; bytes: number }): void {
  const ram = attack.machine.ram.bytes;
  const field = bytes === 20 ? at + 8 : at + 9;
  ram[field] = 0;
  let sum = 0;
  for (let i = 0; i < bytes; i++) sum += ram[at + i];
  ram[field] = -sum & 0xff;
}

export const HOST = {
  'fw_cfg missing'(attack) {
    attack.machine.fwcfg.items.delete(0);
    attack.act();
  },

  'fw_cfg fails'(attack) {
    intercept(attack.machine.fwcfg, 'transfer', () => (command) => {
      attack.act();
      const { view, size } = attack.machine.ram;
      if (command + 4 <= size) view.setUint32(command, 1); // the error bit, big-endian
    });
  },

  'fw_cfg directory of random bytes'(attack) {
    const { machine, random } = attack;
    const { items } = machine.fwcfg;
    machine.fwcfg.addFile('opt/other', 'x');
    const directory = items.get(KEY_DIRECTORY)!.slice();
    for (let i = random.between(1, 8); i > 0; i--) directory[random.below(directory.length)] = random.edge(8);
    if (random.once(3)) directory.set([255, 255, 255, 255].slice(random.below(4)), 0);
    if (random.once(3)) directory.set([255, 255, 255, 255], 4 + DIRECTORY_ENTRY_BYTES * random.below(2));
    items.set(KEY_DIRECTORY, directory);
    attack.act();
  },

  'command line of random bytes'(attack) {
    const { machine, random } = attack;
    const words = [
      'job=read',
      'sector=',
      'count=',
      '=',
      ' ',
      'wait_ms',
      '99999999999',
      '\0',
      'sector=1 count=1',
    ];
    let line = '';
    for (let i = random.between(1, 12); i > 0; i--)
      line += random.once(2) ? random.pick(words) : String.fromCharCode(random.between(1, 255));
    if (random.once(4)) line += 'x'.repeat(random.pick([1000, 1023, 1024, 5000]));
    machine.fwcfg.addFile(COMMAND_LINE, line);
    attack.act();
  },

  'ACPI tables damaged'(attack) {
    afterFirmware(attack, () => {
      const { random } = attack;
      for (const table of acpiTables(attack)) {
        if (!random.once(2)) continue;
        const bytes = Math.min(table.bytes, 4096);
        flip(attack, table.at, bytes, 4);
        if (random.once(2)) mendChecksum(attack, { at: table.at, bytes });
      }
    });
  },

  'boot information damaged'(attack) {
    afterFirmware(attack, (info) => flip(attack, info, 0x58, 3));
  },

  'memory map damaged'(attack) {
    afterFirmware(attack, (info) => {
      const { view } = attack.machine.ram;
      const map = view.getUint32(info + 48, true);
      const bytes = view.getUint32(info + 44, true);
      if (isFirmware(attack, map, bytes)) flip(attack, map, bytes, 3);
    });
  },
} satisfies Record<string, Malice>;
