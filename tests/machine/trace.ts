// What job=trace (kernel/jobs/trace.ts) has to do, computed on the host from the disk's content and the command line: every
// request, all that is read, what is on the disk at the end, and the exact number of notifications and interrupts.

import { crc32 } from 'node:zlib';
import { generator } from '../kernel/random.ts';

const SECTOR_BYTES = 512;
/** Most requests that the driver has in flight. */
const IN_FLIGHT_MAX = 32;
/** The driver makes larger queues smaller, where it may. */
const QUEUE_SIZE_MAX = 256;
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
  packed?: boolean;
  inOrder?: boolean;
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
  return { ...replayed, lines, kicks, ...interruptsOf(words, batches, device, kicks) };
}

/** Requests of each notification. */
function notifications(batches: number[], { queueSize, indirect }: Device): number[] {
  const room = Math.min(Math.floor(queueSize / (indirect ? 1 : DESCRIPTORS)), IN_FLIGHT_MAX);
  return batches.flatMap((size) =>
    Array.from({ length: Math.ceil(size / room) }, (_, i) => Math.min(room, size - i * room)),
  );
}

/**
 * Virtio 1.2 §2.7.10, §2.8.10: a device that has taken all there is wants to hear of the next chain, be it by an event or by
 * its flags; so what the driver makes available together is one notification. A ring that has no room for a whole batch gets
 * it in parts, each after all of the part before it.
 */
function kicksOf(batches: number[], device: Device): number {
  return notifications(batches, device).length;
}

/**
 * §2.7.7, §2.8.10: with EVENT_IDX the driver asks for one interrupt, when all is used. Without it each used buffer is one, and
 * the driver may find several with one interrupt; but whoever finds the last of a notification's comes before the next
 * notification, so there are not fewer than those. With IN_ORDER what comes with one notification is used as one (§2.7.9).
 */
function interruptsOf(words: Words, batches: number[], device: Device, kicks: number) {
  const { events, packed, inOrder } = device;
  let interrupts = kicks;
  if (!inOrder && !events) interrupts = words.requests;
  if (!inOrder && events && packed) interrupts += roundsWithin(batches, device);
  return { interrupts, taken_min: words.depth === 1 ? interrupts : kicks };
}

/**
 * How often the end of a packed ring is reached by another request than the last of a notification: QEMU's device reports
 * that one whatever the driver asks for.
 */
function roundsWithin(batches: number[], device: Device): number {
  const size = Math.min(device.queueSize, QUEUE_SIZE_MAX);
  const slots = device.indirect ? 1 : DESCRIPTORS;
  let at = 0;
  let rounds = 0;
  for (const requests of notifications(batches, device)) {
    for (let i = 0; i < requests; i++) {
      at += slots;
      if (at < size) continue;
      at -= size;
      if (i < requests - 1) rounds++;
    }
  }
  return rounds;
}
