// A disk with a write cache that a power cut empties, as an NBD server for QEMU (the NBD protocol's doc/proto.md): what was written
// lives in memory until a flush, and at the cut each sector keeps any of its versions since then, by chance. The host's page
// cache, which outlives QEMU, would show nothing of a flush that is missing.

import type { Socket } from 'node:net';

export const SECTOR_BYTES = 512;

const HELLO_MAGIC = Buffer.from('NBDMAGICIHAVEOPT');
const OPTION_REPLY_MAGIC = 0x3e889045565a9n;
const REQUEST_MAGIC = 0x25609513;
const REPLY_MAGIC = 0x67446698;
const FIXED_NEWSTYLE_NO_ZEROES = 3;

const OPTION_GO = 7;
const REPLY_ACK = 1;
const REPLY_INFO = 3;
const REPLY_UNSUPPORTED = 0x80000001;
const INFO_EXPORT = 0;

const HAS_FLAGS = 1;
const SENDS_FLUSH = 4;
const SENDS_FUA = 8;
const FLAG_FUA = 1;
const READ = 0;
const WRITE = 1;
export const FLUSH = 3;
const EINVAL = 22;

const CLIENT_FLAGS_BYTES = 4;
const OPTION_BYTES = 16;
const REQUEST_BYTES = 28;

/** A request has come, has been carried out, has been answered. */
export type Phase = 'asked' | 'done' | 'answered';
/** Of a request: 0 reads, 1 writes, 3 flushes. */
export type Watch = (phase: Phase, type: number) => void;

export class VolatileDisk {
  /** What a cut cannot take. */
  readonly durable: Buffer;
  /** Versions of a sector since the last flush, the newest last. */
  private readonly pending = new Map<number, Buffer[]>();
  off = false;
  private readonly watch: Watch;

  /** `watch` is told of each request; what it does may be a cut. */
  constructor(content: Buffer, watch: Watch) {
    this.durable = Buffer.from(content);
    this.watch = watch;
  }

  serve(socket: Socket): void {
    const steps = this.session(socket);
    let input: Buffer = Buffer.alloc(0);
    let wanted = steps.next(Buffer.alloc(0)).value ?? 0;
    socket.on('data', (bytes: Buffer) => {
      input = Buffer.concat([input, bytes]);
      while (!this.off && input.length >= wanted && wanted > 0) {
        const piece = input.subarray(0, wanted);
        input = input.subarray(wanted);
        wanted = steps.next(piece).value ?? 0;
      }
    });
  }

  /** Nothing is heard or done any more; `keep` chooses one of so many versions of a sector, 0 being the durable one. */
  cut(keep: (versions: number) => number): void {
    this.off = true;
    for (const [sector, versions] of this.pending) {
      const kept = keep(versions.length + 1);
      if (kept > 0) versions[kept - 1].copy(this.durable, sector * SECTOR_BYTES);
    }
    this.pending.clear();
  }

  /** Yields how many bytes it needs, and gets them. */
  private *session(socket: Socket): Generator<number, undefined, Buffer> {
    socket.write(Buffer.concat([HELLO_MAGIC, Buffer.from([0, FIXED_NEWSTYLE_NO_ZEROES])]));
    yield CLIENT_FLAGS_BYTES;
    for (let option = 0; option !== OPTION_GO; ) {
      const head = yield OPTION_BYTES;
      option = head.readUInt32BE(8);
      const length = head.readUInt32BE(12);
      if (length > 0) yield length;
      if (option === OPTION_GO) {
        socket.write(optionReply(option, REPLY_INFO, this.describe()));
        socket.write(optionReply(option, REPLY_ACK));
      } else {
        socket.write(optionReply(option, REPLY_UNSUPPORTED));
      }
    }
    for (;;) {
      const request = yield REQUEST_BYTES;
      if (request.readUInt32BE(0) !== REQUEST_MAGIC) return;
      const length = request.readUInt32BE(24);
      const type = request.readUInt16BE(6);
      const data = type === WRITE ? yield length : null;
      this.watch('asked', type);
      if (this.off) return;
      const reply = this.execute(request, data);
      this.watch('done', type);
      if (this.off) return;
      socket.write(reply);
      this.watch('answered', type);
    }
  }

  private describe(): Buffer {
    const info = Buffer.alloc(12);
    info.writeUInt16BE(INFO_EXPORT, 0);
    info.writeBigUInt64BE(BigInt(this.durable.length), 2);
    info.writeUInt16BE(HAS_FLAGS | SENDS_FLUSH | SENDS_FUA, 10);
    return info;
  }

  private execute(request: Buffer, written: Buffer | null): Buffer {
    const flags = request.readUInt16BE(4);
    const type = request.readUInt16BE(6);
    const first = Number(request.readBigUInt64BE(16)) / SECTOR_BYTES;
    const count = request.readUInt32BE(24) / SECTOR_BYTES;
    const reply = Buffer.alloc(16);
    reply.writeUInt32BE(REPLY_MAGIC, 0);
    request.copy(reply, 8, 8, 16); // the handle
    if (type === FLUSH) this.flush();
    else if (type === WRITE) this.write(first, written!, (flags & FLAG_FUA) !== 0);
    else if (type === READ) return Buffer.concat([reply, this.read(first, count)]);
    else reply.writeUInt32BE(EINVAL, 4);
    return reply;
  }

  private read(first: number, count: number): Buffer {
    const data = Buffer.from(this.durable.subarray(first * SECTOR_BYTES, (first + count) * SECTOR_BYTES));
    for (let i = 0; i < count; i++)
      this.pending
        .get(first + i)
        ?.at(-1)
        ?.copy(data, i * SECTOR_BYTES);
    return data;
  }

  private write(first: number, data: Buffer, durable: boolean): void {
    for (let i = 0; i * SECTOR_BYTES < data.length; i++) {
      const sector = Buffer.from(data.subarray(i * SECTOR_BYTES, (i + 1) * SECTOR_BYTES));
      if (durable) sector.copy(this.durable, (first + i) * SECTOR_BYTES);
      if (durable) this.pending.delete(first + i);
      else this.pending.set(first + i, [...(this.pending.get(first + i) ?? []), sector]);
    }
  }

  private flush(): void {
    for (const [sector, versions] of this.pending) versions.at(-1)!.copy(this.durable, sector * SECTOR_BYTES);
    this.pending.clear();
  }
}

function optionReply(option: number, type: number, data: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(20);
  head.writeBigUInt64BE(OPTION_REPLY_MAGIC, 0);
  head.writeUInt32BE(option, 8);
  head.writeUInt32BE(type, 12);
  head.writeUInt32BE(data.length, 16);
  return Buffer.concat([head, data]);
}
