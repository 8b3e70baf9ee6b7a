// QEMU's own word for which pages its devices reach: an IOMMU (Intel, Virtualization Technology for Directed I/O, rev. 3.4) that the test
// switches on from outside, through gdb's stub, as the kernel begins. Its tables lead each page to itself, page by page, so that nothing
// changes for anybody, and QEMU traces every translation. The tables lie in memory that no map tells the kernel of.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { GdbRemote } from '../../build/profile/gdb-remote.ts';

export const PAGE_BYTES = 4096;
const MIB = 2 ** 20;

/** A DIMM that is there from the start: the firmware's map of memory leaves it out. */
const TABLES = 0x1_0000_0000n;
const TABLES_BYTES = 16 * MIB;
const ENTRIES = 512;

// §9: the root table has an entry for each bus, a context table one for each function, of 16 bytes; the others of 8.
const PRESENT = 1n;
const READ_WRITE = 3n;
const WIDTH_39_BITS = 1n;
const DOMAIN = 1n << 8n;

// §11.4: registers, and what is said to them.
const REGISTERS = 0xfed9_0000n;
const GLOBAL_COMMAND = REGISTERS + 0x18n;
const GLOBAL_STATUS = REGISTERS + 0x1cn;
const ROOT_TABLE = REGISTERS + 0x20n;
const SET_ROOT_TABLE = 1n << 30n;
const ENABLE = 1n << 31n;

const TRANSLATED = /vtd_dmar_translate dev ([0-9a-f:.]+) iova 0x([0-9a-f]+) -> gpa 0x([0-9a-f]+) mask 0xfff$/;

export interface Access {
  /** bus:device.function, in hexadecimal digits. */
  device: string;
  page: number;
}

export class Iommu {
  /** For QEMUEXTRA, on a q35. */
  readonly arguments: string;
  private readonly log: string;
  private linesRead = 0;

  constructor(directory: string, ram_mib: number) {
    const file = join(directory, 'iommu-tables');
    this.log = join(directory, 'iommu-log');
    writeFileSync(file, tables(ram_mib));
    writeFileSync(this.log, '');
    const backend = `memory-backend-file,id=tables,size=${TABLES_BYTES},mem-path=${file},share=on`;
    this.arguments = [
      `-m slots=1,maxmem=1G -object ${backend} -device pc-dimm,memdev=tables -device intel-iommu`,
      `-trace vtd_dmar_translate -D ${this.log}`,
    ].join(' ');
  }

  async enable(remote: GdbRemote): Promise<void> {
    await remote.ask('Qqemu.PhyMemMode:1');
    await store(remote, ROOT_TABLE, TABLES, 8);
    await store(remote, GLOBAL_COMMAND, SET_ROOT_TABLE, 4);
    await store(remote, GLOBAL_COMMAND, ENABLE, 4);
    const status = (await remote.memory(GLOBAL_STATUS, 4))!.readUInt32LE();
    if (BigInt(status) !== (ENABLE | SET_ROOT_TABLE)) throw new Error('the IOMMU does not translate');
    await remote.ask('Qqemu.PhyMemMode:0');
  }

  /** What devices have reached since the last call. */
  take(): Access[] {
    const lines = readFileSync(this.log, 'utf8').split('\n').slice(0, -1);
    const fresh = lines.slice(this.linesRead);
    this.linesRead = lines.length;
    return fresh.flatMap((line) => {
      const [, device, from, to] = TRANSLATED.exec(line) ?? [];
      if (device === undefined) return [];
      if (from !== to) throw new Error(`a page that is led astray: ${line}`);
      return [{ device, page: Number.parseInt(from!, 16) / PAGE_BYTES }];
    });
  }
}

async function store(remote: GdbRemote, address: bigint, value: bigint, bytes: number): Promise<void> {
  const data = Buffer.alloc(8);
  data.writeBigUInt64LE(value);
  await remote.ask(
    `M${address.toString(16)},${bytes.toString(16)}:${data.subarray(0, bytes).toString('hex')}`,
  );
}

/** A root table, a context table for all buses, and three levels of page tables for all functions. */
function tables(ram_mib: number): Buffer {
  const bytes = Buffer.alloc(TABLES_BYTES);
  const [root, context, top, middle, lowest] = [0, 1, 2, 3, 4];
  const table = (number: number) => TABLES + BigInt(number * PAGE_BYTES);
  const put = (number: number, entry: number, value: bigint) =>
    bytes.writeBigUInt64LE(value, number * PAGE_BYTES + entry * 8);
  for (let i = 0; i < 256; i++) {
    put(root, 2 * i, table(context) | PRESENT);
    put(context, 2 * i, table(top) | PRESENT);
    put(context, 2 * i + 1, DOMAIN | WIDTH_39_BITS);
  }
  put(top, 0, table(middle) | READ_WRITE);
  const pages = (ram_mib * MIB) / PAGE_BYTES;
  for (let i = 0; i * ENTRIES < pages; i++) put(middle, i, table(lowest + i) | READ_WRITE);
  for (let i = 0; i < pages; i++) put(lowest, i, BigInt(i * PAGE_BYTES) | READ_WRITE);
  return bytes;
}
