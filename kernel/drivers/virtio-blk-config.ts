// The virtio block device's features and configuration (virtio 1.2 §5.2.3 and §5.2.4). A field exists only under its
// feature; the others keep harmless values.

import { BYTE, LONG, Register, Window, WORD } from '../bus/window.ts';
import { Line } from '../lib/line.ts';
import { log } from '../lib/log.ts';
import { VirtioDevice } from '../virtio/device.ts';
import { appendNames } from '../virtio/features.ts';

// Feature bits.
const SIZE_MAX: u32 = 1;
const SEG_MAX: u32 = 2;
const GEOMETRY: u32 = 4;
const RO: u32 = 5;
const BLK_SIZE: u32 = 6;
const TOPOLOGY: u32 = 10;
export const FLUSH: u32 = 9;
const CONFIG_WCE: u32 = 11;
const MQ: u32 = 12;
export const DISCARD: u32 = 13;
export const WRITE_ZEROES: u32 = 14;

/** Names of the bits 0 … 23; BARRIER and SCSI are legacy (§5.2.3.1). */
const NAMES: StaticArray<string> = [
  'BARRIER',
  'SIZE_MAX',
  'SEG_MAX',
  '',
  'GEOMETRY',
  'RO',
  'BLK_SIZE',
  'SCSI',
  '',
  'FLUSH',
  'TOPOLOGY',
  'CONFIG_WCE',
  'MQ',
  'DISCARD',
  'WRITE_ZEROES',
  'LIFETIME',
  'SECURE_ERASE',
  'ZONED',
  '',
  '',
  '',
  '',
  '',
  '',
];

/** What this driver makes use of. */
export const UNDERSTOOD: u64 =
  (1 << SIZE_MAX) |
  (1 << SEG_MAX) |
  (1 << GEOMETRY) |
  (1 << RO) |
  (1 << BLK_SIZE) |
  (1 << TOPOLOGY) |
  (1 << CONFIG_WCE) |
  (1 << FLUSH) |
  (1 << MQ) |
  (1 << DISCARD) |
  (1 << WRITE_ZEROES);

// struct virtio_blk_config.
const CAPACITY_LOW: Register = LONG | 0x00;
const CAPACITY_HIGH: Register = LONG | 0x04;
const SIZE_MAX_BYTES: Register = LONG | 0x08;
const SEGMENTS: Register = LONG | 0x0c;
const CYLINDERS: Register = WORD | 0x10;
const HEADS: Register = BYTE | 0x12;
const TRACK_SECTORS: Register = BYTE | 0x13;
const BLOCK_BYTES: Register = LONG | 0x14;
const PHYSICAL_BLOCK_EXPONENT: Register = BYTE | 0x18;
const ALIGNMENT_OFFSET: Register = BYTE | 0x19;
const IO_BLOCKS_MIN: Register = WORD | 0x1a;
const IO_BLOCKS_OPTIMAL: Register = LONG | 0x1c;
const WRITEBACK: Register = BYTE | 0x20;
const QUEUE_COUNT: Register = WORD | 0x22;
const DISCARD_SECTORS: Register = LONG | 0x24;
const ZEROES_SECTORS: Register = LONG | 0x30;

const READS_MAX: u32 = 16;
/** Of a request, and so of a block. */
export const REQUEST_BYTES_MAX: u32 = 0x1_0000;

export class BlockConfig {
  /** In sectors of 512 bytes, whatever the block size is. */
  capacity: u64 = 0;
  /** Largest segment in bytes. */
  sizeMax: u32 = u32.MAX_VALUE;
  /** Most data segments in a request; one is always allowed. */
  segMax: u32 = 1;
  cylinders: u32 = 0;
  heads: u32 = 0;
  trackSectors: u32 = 0;
  blockBytes: u32 = 512;
  physicalBlockExponent: u32 = 0;
  alignmentOffset: u32 = 0;
  ioBlocksMin: u32 = 0;
  ioBlocksOptimal: u32 = 0;
  writeback: bool = false;
  readOnly: bool = false;
  queueCount: u32 = 1;
  private discardMax: u32 = 0;
  private zeroesMax: u32 = 0;

  constructor(private readonly device: VirtioDevice) {}

  /** Reads it all as one consistent state; empty, or what is wrong. */
  read(): string {
    const window = this.device.config();
    if (window === null || !window.has(CAPACITY_HIGH)) return 'has no configuration, or too short a one';
    for (let reads: u32 = 0; reads < READS_MAX; reads++) {
      // §2.5.1: a field wider than 32 bits, or several fields, are of one state if the generation has not moved;
      // §2.5.4: for a legacy device, if two reads agree.
      const generation = this.device.configGeneration();
      this.readFields(window);
      const capacity = readCapacity(window);
      if (this.device.configGeneration() === generation && capacity === this.capacity) return this.problem();
    }
    return 'has a configuration that changes at each read';
  }

  /** Most sectors of a command of this feature. */
  rangeMax(feature: u32): u32 {
    return feature === DISCARD ? this.discardMax : this.zeroesMax;
  }

  /** Has the device keep what is written (`writeback`), or write it at once (`writethrough`), if it lets us (§5.2.5). */
  setCache(mode: string): void {
    const window = this.device.config();
    if (mode.length === 0 || window === null) return;
    const known = mode === 'writeback' || mode === 'writethrough';
    if (!known || !this.exists(window, CONFIG_WCE, WRITEBACK)) {
      const why = known ? ': it cannot be set' : ': choose writeback or writethrough, ignored';
      log(this.device.name).text('cache=').text(mode).text(why).end();
      return;
    }
    window.write(WRITEBACK, mode === 'writeback' ? 1 : 0);
    this.writeback = window.read(WRITEBACK) !== 0;
  }

  /** Appends the facts and the features by name. */
  describe(line: Line): void {
    line
      .decimal('', this.capacity)
      .text(' sectors of 512 bytes, ')
      .text(this.device.legacy ? 'legacy' : 'modern');
    if (this.device.has(BLK_SIZE)) line.decimal(', block size ', this.blockBytes);
    if (this.device.has(GEOMETRY)) {
      line.decimal(', geometry ', this.cylinders).decimal('/', this.heads).decimal('/', this.trackSectors);
    }
    if (this.device.has(TOPOLOGY)) {
      line
        .decimal(', topology 2^', this.physicalBlockExponent)
        .decimal('+', this.alignmentOffset)
        .decimal(', I/O of ', this.ioBlocksMin)
        .decimal(' to ', this.ioBlocksOptimal)
        .text(' blocks');
    }
    if (this.device.has(SIZE_MAX)) line.decimal(', segments of ', this.sizeMax);
    if (this.device.has(SEG_MAX)) line.decimal(', ', this.segMax).text(' segments');
    if (this.device.has(CONFIG_WCE)) line.text(this.writeback ? ', writeback' : ', writethrough');
    if (this.readOnly) line.text(', read-only');
    appendNames(line.text(', features'), this.device.offered, NAMES);
  }

  private readFields(window: Window): void {
    this.capacity = readCapacity(window);
    this.readOnly = this.device.has(RO);
    if (this.exists(window, SIZE_MAX, SIZE_MAX_BYTES)) this.sizeMax = window.read(SIZE_MAX_BYTES);
    if (this.exists(window, SEG_MAX, SEGMENTS)) this.segMax = window.read(SEGMENTS);
    if (this.exists(window, GEOMETRY, TRACK_SECTORS)) {
      this.cylinders = window.read(CYLINDERS);
      this.heads = window.read(HEADS);
      this.trackSectors = window.read(TRACK_SECTORS);
    }
    if (this.exists(window, BLK_SIZE, BLOCK_BYTES)) this.blockBytes = window.read(BLOCK_BYTES);
    if (this.exists(window, TOPOLOGY, IO_BLOCKS_OPTIMAL)) {
      this.physicalBlockExponent = window.read(PHYSICAL_BLOCK_EXPONENT);
      this.alignmentOffset = window.read(ALIGNMENT_OFFSET);
      this.ioBlocksMin = window.read(IO_BLOCKS_MIN);
      this.ioBlocksOptimal = window.read(IO_BLOCKS_OPTIMAL);
    }
    if (this.exists(window, CONFIG_WCE, WRITEBACK)) this.writeback = window.read(WRITEBACK) !== 0;
    if (this.exists(window, MQ, QUEUE_COUNT)) this.queueCount = max(window.read(QUEUE_COUNT), 1);
    if (this.exists(window, DISCARD, DISCARD_SECTORS)) this.discardMax = window.read(DISCARD_SECTORS);
    if (this.exists(window, WRITE_ZEROES, ZEROES_SECTORS)) this.zeroesMax = window.read(ZEROES_SECTORS);
  }

  private problem(): string {
    if (this.blockBytes < 512 || this.blockBytes & (this.blockBytes - 1))
      return 'has a configuration with blocks that are not of 512 bytes times a power of two';
    return this.blockBytes > REQUEST_BYTES_MAX ? 'has blocks of more than 64 KiB' : '';
  }

  private exists(window: Window, feature: u32, last: Register): bool {
    return this.device.has(feature) && window.has(last);
  }
}

function readCapacity(window: Window): u64 {
  const low = window.read(CAPACITY_LOW);
  return ((window.read(CAPACITY_HIGH) as u64) << 32) | low;
}
