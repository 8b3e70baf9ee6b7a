// virtio-blk as QEMU has it and as the model has it, register by register and ring by ring: the same operations on both,
// without a kernel between. What the specification leaves open is what QEMU does.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { Machine, VirtioBlk, type VirtioBlkOptions, type Width } from '../../machine/index.ts';
import { generator } from '../kernel/random.ts';
import { type Bench, ModelBench, QemuBench } from './qtest.ts';

const SEED = Number(process.env.YAOS_SEED ?? 1);
const SECTORS = 64;
const folder = mkdtempSync(join(tmpdir(), 'yaos-devices-'));
afterAll(() => rmSync(folder, { recursive: true }));

let disks = 0;

const content = () => new Uint8Array(SECTORS * 512).map((_, i) => (i * 31 + (i >> 9)) & 0xff);

/** Runs `work` on both, each with a disk of its own, and gives what it returned. */
async function both<T>(
  work: (bench: Bench) => Promise<T>,
  properties = '',
  options: VirtioBlkOptions = {},
): Promise<[qemu: T, model: T]> {
  const path = join(folder, `${disks++}.img`);
  writeFileSync(path, content());
  const qemu = new QemuBench([
    ...['-machine', 'pc', '-m', '128M', '-drive', `if=none,id=d,format=raw,file=${path}`],
    ...['-device', `virtio-blk-pci,drive=d,addr=4,ioeventfd=off${properties}`],
  ]);
  const pc = new Machine();
  pc.pci.add(new VirtioBlk(content(), options), { slot: 4 });
  try {
    return [await work(qemu), await work(new ModelBench(pc))];
  } finally {
    await qemu.close();
  }
}

const CONFIG = 0x8000_2000;
const LEGACY = 0xc000;
const TABLE = 0xfe00_0000;
const MODERN = 0xfe10_0000;

async function readConfig(bench: Bench, offset: number): Promise<number> {
  await bench.out(0xcf8, 4, CONFIG | offset);
  return bench.in(0xcfc, 4);
}

async function writeConfig(bench: Bench, offset: number, value: number): Promise<void> {
  await bench.out(0xcf8, 4, CONFIG | offset);
  await bench.out(0xcfc, 4, value);
}

async function placeBars(bench: Bench): Promise<void> {
  await writeConfig(bench, 0x10, LEGACY);
  await writeConfig(bench, 0x14, TABLE);
  await writeConfig(bench, 0x20, MODERN);
  await writeConfig(bench, 0x24, 0);
  await writeConfig(bench, 0x04, 7);
}

const variants: [string, string, VirtioBlkOptions][] = [
  ['as it comes', '', {}],
  ['modern', ',disable-legacy=on', { legacy: false }],
  ['legacy', ',disable-modern=on', { modern: false }],
  ['many vectors', ',num-queues=4', { queues: 4 }],
  ['no vectors', ',vectors=0', { vectors: 0 }],
  [
    'doorbells by port and by page',
    ',modern-pio-notify=on,page-per-vq=on',
    { portDoorbell: true, pagePerQueue: true },
  ],
];

test.each(variants)('configuration space: %s', async (_, properties, options) => {
  const [qemu, model] = await both(
    async (bench) => {
      const values: string[] = [];
      const note = async (offset: number, what: string) =>
        values.push(`${offset.toString(16)} ${what} ${(await readConfig(bench, offset)).toString(16)}`);
      for (let offset = 0; offset < 256; offset += 4) await note(offset, 'is');
      for (let offset = 0; offset < 256; offset += 4) {
        await writeConfig(bench, offset, 0xffff_ffff);
        await note(offset, 'takes');
        if (offset === 4) await writeConfig(bench, offset, 0);
      }
      return values;
    },
    properties,
    options,
  );
  expect(model).toEqual(qemu);
});

test("BARs in the way of the machine's own registers", async () => {
  const [qemu, model] = await both(async (bench) => {
    await placeBars(bench);
    const seen: string[] = [];
    // The I/O APIC's version, and what is beside it in the BAR; then the second 8259's ports.
    await writeConfig(bench, 0x20, 0xfec0_0000);
    await writeConfig(bench, 0x10, 0x80);
    await bench.store(0xfec0_0000, 4, 1);
    for (const address of [0xfec0_0010, 0xfec0_2000]) seen.push((await bench.load(address, 4)).toString(16));
    for (let port = 0x80; port < 0xc0; port += 4) seen.push((await bench.in(port, 4)).toString(16));
    // The local APIC has none of these: the BAR would show the number of queues.
    await writeConfig(bench, 0x20, 0xfee0_0000);
    return [...seen, (await bench.load(0xfee0_0010, 4)).toString(16)];
  });
  expect(model).toEqual(qemu);
  expect(model.slice(0, 2)).toEqual(['170020', SECTORS.toString(16)]);
});

describe(`registers, at random (YAOS_SEED=${SEED})`, () => {
  /** Blocks of registers: where, how many, and which must not be written, because rings would start. */
  const blocks: [string, number, number, number[]][] = [
    ['common', MODERN, 0x40, [0x1c, 0x1d, 0x3a, 0x3b]],
    ['ISR status', MODERN + 0x1000, 0x10, []],
    ['device configuration', MODERN + 0x2000, 0x50, []],
  ];
  test.each(blocks)('%s', async (_, base, bytes, unwritten) => {
    const [qemu, model] = await both(async (bench) => {
      const random = generator(SEED);
      const seen: string[] = [];
      await placeBars(bench);
      for (let i = 0; i < 1500; i++) {
        const width = ([1, 2, 4] as const)[random(3)]!;
        const offset = random(bytes / width) * width;
        // Statuses that make sense, or hardly any feature would ever be agreed on.
        const value =
          offset === 0x14 ? [0, 1, 3, 11, 15, 128][random(6)]! : random(2) ? random(4) : random(0x7fffffff);
        if (random(2) && !unwritten.includes(offset)) await bench.store(base + offset, width, value >>> 0);
        else
          seen.push(
            `${i}: ${offset.toString(16)}.${width} ${(await bench.load(base + offset, width)).toString(16)}`,
          );
      }
      return seen;
    });
    expect(model).toEqual(qemu);
  });

  test('legacy', async () => {
    const [qemu, model] = await both(async (bench) => {
      const random = generator(SEED);
      const seen: string[] = [];
      await placeBars(bench);
      for (let i = 0; i < 1500; i++) {
        const width = ([1, 2, 4] as const)[random(3)]!;
        const offset = random(128 / width) * width;
        const value =
          offset === 0x12 ? [0, 1, 3, 7, 128][random(5)]! : random(2) ? random(4) : random(0x7fffffff);
        // Not the ring's address and the doorbell.
        const written = random(2) && (offset < 8 || offset > 0x11);
        if (written) await bench.out(LEGACY + offset, width, value >>> 0);
        else
          seen.push(
            `${i}: ${offset.toString(16)}.${width} ${(await bench.in(LEGACY + offset, width)).toString(16)}`,
          );
      }
      return seen;
    });
    expect(model).toEqual(qemu);
  });
});

// Rings in RAM.
const DESCRIPTORS = 0x10_0000;
const AVAILABLE = 0x10_1000;
const USED = 0x10_2000;
const INDIRECT = 0x10_3000;
const HEADER = 0x10_4000;
const STATUS_BYTE = 0x10_4100;
const DATA = 0x10_5000;
const MESSAGES = 0x10_9000;
const SHOWN = [
  ['used', USED, 0x60],
  ['status', STATUS_BYTE, 4],
  ['data', DATA, 0x1200],
  ['messages', MESSAGES, 8],
] as const;
const QUEUE_SIZE = 8;
const NEXT = 1;
const WRITE = 2;
const INDIRECT_FLAG = 4;
const OUTSIDE = 0x2000_0000;

type Descriptor = [address: number, bytes: number, flags: number, next: number];

interface Request {
  type?: number;
  sector?: number;
  /** The ring's descriptors from 0 on, and those of an indirect table. */
  ring: Descriptor[];
  table?: Descriptor[];
  /** What becomes available, 0 if not given. */
  head?: number;
  /** What the driver asks for: flags of the available ring, used_event. */
  flags?: number;
  event?: number;
  /** What the buffer holds. */
  data?: number[];
}

function descriptorBytes(descriptors: Descriptor[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(descriptors.length * 16));
  for (const [i, [address, bytes, flags, next]] of descriptors.entries()) {
    view.setBigUint64(i * 16, BigInt(address), true);
    view.setUint32(i * 16 + 8, bytes, true);
    view.setUint16(i * 16 + 12, flags, true);
    view.setUint16(i * 16 + 14, next, true);
  }
  return new Uint8Array(view.buffer);
}

async function startQueue(bench: Bench, features: number): Promise<void> {
  const common = (offset: number, width: Width, value: number) => bench.store(MODERN + offset, width, value);
  await placeBars(bench);
  await writeConfig(bench, 0x98, 0x8000_0000); // MSI-X on
  for (const entry of [0, 1]) {
    await bench.store(TABLE + entry * 16, 4, MESSAGES + entry * 4);
    await bench.store(TABLE + entry * 16 + 8, 4, 0x1234_0000 + entry);
    await bench.store(TABLE + entry * 16 + 12, 4, 0);
  }
  for (const status of [0, 1, 3]) await common(0x14, 1, status);
  for (const [select, value] of [
    [0, features],
    [1, 1],
  ] as const) {
    await common(0x08, 4, select);
    await common(0x0c, 4, value);
  }
  await common(0x14, 1, 11);
  await common(0x10, 2, 0);
  await common(0x16, 2, 0);
  await common(0x18, 2, QUEUE_SIZE);
  await common(0x1a, 2, 1);
  await common(0x20, 4, DESCRIPTORS);
  await common(0x28, 4, AVAILABLE);
  await common(0x30, 4, USED);
  await common(0x1c, 2, 1);
  await common(0x14, 1, 15);
}

/** Serves requests one kick after the other and shows all that the driver can see. */
async function serve(bench: Bench, requests: Request[], features: number): Promise<string[]> {
  await startQueue(bench, features);
  const seen: string[] = [];
  for (const [i, request] of requests.entries()) seen.push(...(await serveOne(bench, i, request)));
  return seen;
}

/** `index`: requests before. */
async function serveOne(bench: Bench, index: number, request: Request): Promise<string[]> {
  const header = new DataView(new ArrayBuffer(16));
  header.setUint32(0, request.type ?? 0, true);
  header.setBigUint64(8, BigInt(request.sector ?? 1), true);
  await bench.writeRam(HEADER, new Uint8Array(header.buffer));
  await bench.writeRam(DATA, new Uint8Array(0x1200).fill(0x77));
  if (request.data) await bench.writeRam(DATA, Uint8Array.from(request.data));
  await bench.writeRam(STATUS_BYTE, new Uint8Array(4).fill(0xee));
  await bench.writeRam(MESSAGES, new Uint8Array(8));
  await bench.writeRam(DESCRIPTORS, new Uint8Array(QUEUE_SIZE * 16));
  await bench.writeRam(DESCRIPTORS, descriptorBytes(request.ring));
  if (request.table) await bench.writeRam(INDIRECT, descriptorBytes(request.table));
  const available = new DataView(new ArrayBuffer(4 + QUEUE_SIZE * 2 + 2));
  available.setUint16(0, request.flags ?? 0, true);
  available.setUint16(2, index + 1, true);
  available.setUint16(4 + (index % QUEUE_SIZE) * 2, request.head ?? 0, true);
  available.setUint16(4 + QUEUE_SIZE * 2, request.event ?? 0, true);
  await bench.writeRam(AVAILABLE, new Uint8Array(available.buffer));
  await bench.store(MODERN + 0x3000, 2, 0);
  // The device answers, or has broken off.
  await bench.settle(async () => {
    const used = await bench.readRam(USED + 2, 2);
    return used[0] === index + 1 || ((await bench.load(MODERN + 0x14, 1)) & 0x40) !== 0;
  });
  const seen: string[] = [];
  for (const [name, address, bytes] of SHOWN)
    seen.push(`${name} ${Buffer.from(await bench.readRam(address, bytes)).toString('hex')}`);
  const status = await bench.load(MODERN + 0x14, 1);
  return [...seen, `device status ${status}, ISR ${await bench.load(MODERN + 0x1000, 1)}`];
}

const HEAD: Descriptor = [HEADER, 16, NEXT, 1];
const LAST: Descriptor = [STATUS_BYTE, 1, WRITE, 0];
const read = (bytes = 512): Descriptor[] => [HEAD, [DATA, bytes, NEXT | WRITE, 2], LAST];
const write = (bytes = 512): Descriptor[] => [HEAD, [DATA, bytes, NEXT, 2], LAST];
const range = (sector: number, count: number, flags = 0) => [
  ...[sector & 0xff, sector >> 8, 0, 0, 0, 0, 0, 0],
  ...[count & 0xff, (count >> 8) & 0xff, (count >> 16) & 0xff, 0, flags, 0, 0, 0],
];
const EVENT_IDX = 1 << 29;
const INDIRECT_DESC = 1 << 28;

const requests: [string, Request[], number?][] = [
  ['a read', [{ ring: read() }]],
  [
    'reads one after the other',
    [{ ring: read() }, { ring: read(1024), sector: 3 }, { ring: read(), sector: 9 }],
  ],
  [
    'a read in pieces',
    [{ ring: [HEAD, [DATA, 100, 3, 2], [DATA + 100, 300, 3, 3], [DATA + 400, 112, 3, 4], LAST] }],
  ],
  ['a header in pieces', [{ ring: [[HEADER, 3, 1, 1], [HEADER + 3, 13, 1, 2], [DATA, 512, 3, 3], LAST] }]],
  ['a status byte behind the data', [{ ring: [HEAD, [DATA, 513, WRITE, 0]] }]],
  [
    'data behind the header',
    [{ type: 1, ring: [[HEADER, 16, 1, 1], [DATA, 512, 1, 2], LAST], data: [1, 2, 3] }],
  ],
  ['the last sector', [{ ring: read(), sector: SECTORS - 1 }]],
  [
    'beyond the end',
    [
      { ring: read(1024), sector: SECTORS - 1 },
      { ring: read(), sector: 1e12 },
    ],
  ],
  ['a part of a sector', [{ ring: read(100) }, { ring: read(513) }]],
  ['no data', [{ ring: [HEAD, [STATUS_BYTE, 1, WRITE, 0]] }]],
  [
    'a write, then a read',
    [{ type: 1, ring: write(), data: [...Array(512).keys()].map((i) => i & 0xff) }, { ring: read() }],
  ],
  ['a legacy barrier', [{ type: 0x8000_0000, ring: read() }]],
  ['a flush', [{ type: 4, ring: [HEAD, [STATUS_BYTE, 1, WRITE, 0]] }]],
  [
    'GET_ID',
    [
      { type: 8, ring: read(20) },
      { type: 8, ring: read(3) },
    ],
  ],
  [
    'SCSI, and types that nobody knows',
    [
      { type: 2, ring: read() },
      { type: 99, ring: read() },
      { type: 5, ring: read() },
    ],
  ],
  ['write-zeroes', [{ type: 13, ring: write(16), data: range(1, 2) }, { ring: read(1024) }]],
  ['write-zeroes that unmap', [{ type: 13, ring: write(16), data: range(1, 1, 1) }, { ring: read() }]],
  [
    'write-zeroes out of range',
    [
      { type: 13, ring: write(16), data: range(60, 9) },
      { type: 13, ring: write(16), data: range(0, 0xffffff) },
    ],
  ],
  ['write-zeroes with unknown flags', [{ type: 13, ring: write(16), data: range(1, 1, 2) }]],
  ['write-zeroes without its direction', [{ type: 12, ring: write(16), data: range(1, 1) }]],
  ['two ranges at once', [{ type: 13, ring: write(32), data: range(1, 1) }]],
  ['half a range', [{ type: 13, ring: write(8), data: range(1, 1) }]],
  ['discard', [{ type: 11, ring: write(16), data: range(1, 1) }, { ring: read() }]],
  ['discard that unmaps', [{ type: 11, ring: write(16), data: range(1, 1, 1) }]],
  ['an indirect table', [{ ring: [[INDIRECT, 48, INDIRECT_FLAG, 0]], table: read() }], INDIRECT_DESC],
  ['an indirect table, not negotiated', [{ ring: [[INDIRECT, 48, INDIRECT_FLAG, 0]], table: read() }]],
  ['an empty table', [{ ring: [[INDIRECT, 0, INDIRECT_FLAG, 0]], table: read() }], INDIRECT_DESC],
  [
    'a table of half a descriptor',
    [{ ring: [[INDIRECT, 40, INDIRECT_FLAG, 0]], table: read() }],
    INDIRECT_DESC,
  ],
  [
    'a chain that leaves its table',
    [{ ring: [[INDIRECT, 32, INDIRECT_FLAG, 0]], table: read() }],
    INDIRECT_DESC,
  ],
  ['a table outside RAM', [{ ring: [[OUTSIDE, 48, INDIRECT_FLAG, 0]] }], INDIRECT_DESC],
  ['a head outside the ring', [{ ring: read(), head: QUEUE_SIZE }]],
  ['a chain that leaves the ring', [{ ring: [[HEADER, 16, NEXT, 200]] }]],
  ['a chain that loops', [{ ring: [HEAD, [DATA, 512, 3, 1]] }]],
  ['what is written before what is read', [{ ring: [[DATA, 512, 3, 1], [HEADER, 16, 1, 2], LAST] }]],
  ['a buffer of no bytes', [{ ring: [HEAD, [DATA, 0, 3, 2], LAST] }]],
  ['no header', [{ ring: [[DATA, 512, 3, 1], LAST] }]],
  ['a header that is too short', [{ ring: [[HEADER, 15, 1, 1], [DATA, 512, 3, 2], LAST] }]],
  ['nothing to write to', [{ ring: [HEAD, [DATA, 512, 0, 0]] }]],
  ['a request after a fault', [{ ring: [HEAD, [DATA, 0, 3, 2], LAST] }, { ring: read() }]],
  ['no interrupt wanted', [{ ring: read(), flags: 1 }]],
  [
    'EVENT_IDX: the next one',
    [
      { ring: read(), event: 0 },
      { ring: read(), event: 1 },
    ],
    EVENT_IDX,
  ],
  [
    'EVENT_IDX: a later one',
    [
      { ring: read(), event: 1 },
      { ring: read(), event: 1 },
      { ring: read(), event: 5 },
    ],
    EVENT_IDX,
  ],
  [
    'EVENT_IDX: an earlier one',
    [
      { ring: read(), event: 0 },
      { ring: read(), event: 0 },
    ],
    EVENT_IDX,
  ],
];
describe('requests', () => {
  test.each(requests)('%s', async (_, list, features = 0) => {
    const [qemu, model] = await both((bench) => serve(bench, list, features));
    expect(model).toEqual(qemu);
  });
});

// Where a driver is wrong beyond doubt, the model is stricter than QEMU.
describe('stricter than QEMU', () => {
  test('a buffer outside RAM', async () => {
    const [qemu, model] = await both((bench) =>
      serve(bench, [{ ring: [HEAD, [OUTSIDE, 512, 3, 2], LAST] }], 0),
    );
    expect(qemu).toContain('device status 15, ISR 1');
    expect(model).toContain('device status 79, ISR 3');
  });

  test('a kick before DRIVER_OK (virtio 1.2 §3.1.1)', async () => {
    const kick = async (bench: Bench) => {
      await startQueue(bench, 0);
      await bench.store(MODERN + 0x14, 1, 11);
      return (await serveOne(bench, 0, { ring: read() }))
        .at(0)!
        .slice('used 0000'.length, 'used 000001'.length);
    };
    expect(await both(kick)).toEqual(['01', '00']);
  });
});
