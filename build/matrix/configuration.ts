// A configuration of QEMU that yaos must run on: its machine as the variables of make say it, how the disk's content lies on
// the host, and what the kernel must say of it.

import type { Variables } from '../qemu/options.ts';

/** `$DISK` in a machine's QEMUEXTRA is the disk's file, which is then attached by that alone. */
export const DISK_FILE = '$DISK';

export interface Configuration {
  /** No two have the same. */
  name: string;
  machine: Variables;
  /** Booted with -kernel, not through the firmware and the boot block. */
  direct?: boolean;
  disk?: {
    /** One that qemu-img can convert to, with its options behind a comma; raw otherwise. */
    format?: string;
    /** Of 512 bytes; random otherwise. */
    sectors?: number;
    /** It holds nothing but zeros. */
    blank?: boolean;
  };
  /** What the log must have besides the main job's lines. */
  says?: RegExp[];
  /** The disk's name in the log, where it is known. */
  at?: string;
  /** The machine cannot read the disk, and panics with this. */
  panics?: RegExp;
  /** Booted in every test run, not only by `make matrix`. */
  often?: boolean;
  /** How often QEMU must have been notified and must have interrupted, where that is certain. */
  kicks?: number;
  interrupts?: number;
}

export const TRANSPORTS = {
  legacy: /: \d+ sectors of 512 bytes, legacy, /,
  modern: /: \d+ sectors of 512 bytes, modern, /,
};

/** The features that the disk's line must have, and, after `!`, those that it must not. */
export function features(names: string): RegExp {
  const tests = names.split(' ').map((name) => {
    const absent = name.startsWith('!');
    return `(?${absent ? '!' : '='}.* ${absent ? name.slice(1) : name}( |$))`;
  });
  return new RegExp(`^virtio-blk \\S+: \\d+ sectors of .*?, features(?=( |$))${tests.join('')}`);
}

/** With fewer vectors than queues, or none (virtio 1.2 §4.1.4.5). */
export const BY_PIN = / (pin [A-D]|mmio-[0-9a-f]{8}): GSI \d+, vector 0x/;
export const vectors = (count: number) => new RegExp(`^pci: \\S+ MSI-X at .*: ${count} entries at `);

/** QEMU notifies the device itself when it starts, and may merge notifications, unless they are traps of the CPU. */
export const COUNTED = 'ioeventfd=off';
