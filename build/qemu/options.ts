// The machine that `yaos run` boots, as the variables of the Makefile describe it. Everything here comes from
// the user, so each value is checked and a wrong one is named.

import { UserError } from '../error.ts';
import { splitWords } from './words.ts';

export type Accel = 'auto' | 'kvm' | 'tcg';

export interface MachineOptions {
  /** A raw or qcow2 file, or 'none' for a machine without a disk. */
  disk: string;
  accel: Accel;
  /** QEMU's machine type with its properties: 'pc', 'q35', 'q35,hpet=off', 'microvm'. */
  machine: string;
  smp: number;
  /** Size of RAM as QEMU writes it. */
  mem: string;
  /** Properties added to virtio-blk-pci. */
  blk: string;
  /** The kernel's command line. */
  append: string;
  /** More arguments for QEMU. */
  qemuExtra: string[];
  timeout_s: number;
  /** More arguments for gdb, behind those that attach it. */
  gdbFlags: string[];
}

export type Variables = Record<string, string | undefined>;

const TIMEOUT_S_MAX = 86400;
const SMP_MAX = 255;

export function parseOptions(variables: Variables): MachineOptions {
  const value = (name: string, fallback: string) => variables[name]?.trim() || fallback;
  return {
    disk: value('DISK', 'out/usr.img'),
    accel: parseAccel(value('ACCEL', 'auto')),
    machine: parseMachine(value('MACHINE', 'pc')),
    smp: parseNumber('SMP', value('SMP', '2'), SMP_MAX),
    mem: parseMem(value('MEM', '512M')),
    blk: value('BLK', ''),
    append: value('APPEND', ''),
    qemuExtra: splitWords('QEMUEXTRA', value('QEMUEXTRA', '')),
    timeout_s: parseNumber('TIMEOUT', value('TIMEOUT', '60'), TIMEOUT_S_MAX),
    gdbFlags: splitWords('GDBFLAGS', value('GDBFLAGS', '')),
  };
}

function parseAccel(text: string): Accel {
  if (text === 'auto' || text === 'kvm' || text === 'tcg') return text;
  throw new UserError(`yaos: ACCEL=${text}: choose auto, kvm or tcg`);
}

function parseMachine(text: string): string {
  if (/^(pc|q35|microvm)(,|$)/.test(text)) return text;
  throw new UserError(`yaos: MACHINE=${text}: choose pc, q35 or microvm`);
}

function parseNumber(name: string, text: string, max: number): number {
  const number = /^[0-9]{1,9}$/.test(text) ? Number(text) : 0;
  if (number < 1 || number > max)
    throw new UserError(`yaos: ${name}=${text}: give a number from 1 to ${max}`);
  return number;
}

function parseMem(text: string): string {
  if (/^[1-9][0-9]*[KMGkmg]?$/.test(text)) return text;
  throw new UserError(`yaos: MEM=${text}: give a size such as 512M or 2G`);
}
