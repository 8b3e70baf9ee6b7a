// What job=trace (kernel/jobs/trace.ts) has to do, computed on the host from the disk's content and the command line: every
// request, all that is read, what is on the disk at the end, and the exact number of notifications and interrupts.

import { crc32 } from 'node:zlib';
import { generator } from '../kernel/random.ts';

const SECTOR_BYTES = 512;
/** Most requests that the driver has in flight. */
const IN_FLIGHT_MAX = 32;
/** Header, data and status. */
const DESCRIPTORS = 3;

export interface Words {
  seed: number;
  requests: number;
  depth: number;
  blocks: number;
  /** Percent. */
  writes: number;
}

/** What the numbers depend on besides. */
export interface Device {
  queueSize: number;
  indirect: boolean;
  events: boolean;
}

/** What is the same whatever the device is like. */
export interface Replay {
  /** As Outcome.requests. */
  requests: string[];
  /** The disk at the end. */
  disk: Buffer;
  /** How many requests are in flight together. */
  batches: number[];
  writes: number;
  checksum: number;
}

export interface Expected extends Replay {
  /** Of the log. */
  lines: string[];
  kicks: number;
  /** Sent by the device. */
  interrupts: number;
  /** Taken by the driver, at least. */
  taken_min: number;
}

export function commandLine(words: Words): string {
  return ['job=trace', ...Object.entries(words).map(([name, value]) => `${name}=${value}`)].join(' ');
}

export function replay(image: Uint8Array, words: Words, blockSectors: number): Replay {
  const disk = Buffer.from(image);
  const requests: string[] = [];
  const random = generator(words.seed);
  const blockBytes = blockSectors * SECTOR_BYTES;
  const part = Math.floor(disk.length / blockBytes / words.depth);
  let checksum = 0;
  let writes = 0;
  const batches: number[] = [];
  while (requests.length < words.requests) {
    const left = words.requests - requests.length;
    const size = batches.length === 0 ? 1 : Math.min(1 + random(words.depth), left);
    batches.push(size);
    for (let i = 0; i < size; i++) {
      const write = random(100) < words.writes;
      const blocks = 1 + random(words.blocks);
      const block = i * part + random(part - blocks + 1);
      const at = block * blockBytes;
      const end = at + blocks * blockBytes;
      const sectors = `${block * blockSectors}+${blocks * blockSectors}`;
      requests.push(`${write ? 'write' : 'read'} ${sectors}`);
      if (write) {
        writes++;
        for (let word = at; word < end; word += 4) disk.writeUInt32LE(random(2 ** 32), word);
      } else {
        checksum = crc32(disk.subarray(at, end), checksum);
      }
    }
  }
  return { requests, disk, batches, writes, checksum };
}

export function expectedOf(replayed: Replay, words: Words, device: Device): Expected {
  const { requests, batches, writes, checksum } = replayed;
  const kicks = kicksOf(batches, device);
  const lines = [
    `trace: ${requests.length} requests, ${writes} of them writes, in ${batches.length} batches`,
    `trace: CRC-32 of all that was read: 0x${checksum.toString(16).padStart(8, '0')}`,
  ];
  return { ...replayed, lines, kicks, ...interruptsOf(words, device, kicks) };
}

/**
 * Virtio 1.2 §2.7.10: a device that has taken all there is wants to hear of the next chain, be it by avail_event or by its
 * flags; so what the driver makes available together is one notification. A ring that has no room for a whole batch gets it
 * in parts, each after all of the part before it.
 */
function kicksOf(batches: number[], { queueSize, indirect }: Device): number {
  const room = Math.min(Math.floor(queueSize / (indirect ? 1 : DESCRIPTORS)), IN_FLIGHT_MAX);
  return batches.reduce((sum, size) => sum + Math.ceil(size / room), 0);
}

/**
 * §2.7.7: with EVENT_IDX the driver asks for one interrupt, when all is used. Without it each used buffer is one, and the
 * driver may find several with one interrupt; but whoever finds the last of a notification's comes before the next
 * notification, so there are not fewer than those.
 */
function interruptsOf(words: Words, { events }: Device, kicks: number) {
  const interrupts = events ? kicks : words.requests;
  return { interrupts, taken_min: words.depth === 1 ? interrupts : kicks };
}
