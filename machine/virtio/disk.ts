// What a block device keeps its sectors in: memory, or a file of the host. Sectors have 512 bytes.

import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';

export const SECTOR_BYTES = 512;

export interface Disk {
  readonly bytes: number;
  readonly readOnly: boolean;
  read(offset: number, bytes: number): Uint8Array;
  write(offset: number, data: Uint8Array): void;
}

export class MemoryDisk implements Disk {
  readonly readOnly: boolean;
  readonly content: Uint8Array;

  /** `content`: the disk itself, not a copy; or its size in bytes. */
  constructor(content: Uint8Array | number, readOnly = false) {
    this.content = typeof content === 'number' ? new Uint8Array(content) : content;
    this.readOnly = readOnly;
  }

  get bytes(): number {
    return this.content.length;
  }

  read(offset: number, bytes: number): Uint8Array {
    return this.content.subarray(offset, offset + bytes);
  }

  write(offset: number, data: Uint8Array): void {
    this.content.set(data, offset);
  }
}

/** A raw image. */
export class FileDisk implements Disk {
  readonly bytes: number;
  readonly readOnly: boolean;
  private readonly file: number;

  constructor(path: string, readOnly = false) {
    this.file = openSync(path, readOnly ? 'r' : 'r+');
    this.bytes = fstatSync(this.file).size;
    this.readOnly = readOnly;
  }

  read(offset: number, bytes: number): Uint8Array {
    const data = new Uint8Array(bytes);
    readSync(this.file, data, 0, bytes, offset);
    return data;
  }

  write(offset: number, data: Uint8Array): void {
    writeSync(this.file, data, 0, data.length, offset);
  }

  close(): void {
    closeSync(this.file);
  }
}
