// Devices are told of memory for devices only, shown in QEMU and by QEMU: each page that a device reaches, as an IOMMU sees it, and each ring and
// buffer that QEMU says a device was told of, lies in frames that are allotted at that moment, and are no heap.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { GdbRemote } from '../../build/profile/gdb-remote.ts';
import type { Variables } from '../../build/qemu/options.ts';
import { hasStaticData } from '../kernel/segments.ts';
import { TALKS, udp } from '../machine/wire.ts';
import { Frames } from './frames.ts';
import { Iommu, PAGE_BYTES } from './iommu.ts';
import { type Ended, FIRST_FD, LiveMachine } from './live.ts';
import { Workbench } from './machine.ts';
import { at } from './symbols.ts';
import { type Told, toldOf } from './told.ts';

const bench = new Workbench();
afterAll(() => bench.remove());

const MEM_MIB = 64;
/** The device's other end. */
const SOCKET = `fd=${FIRST_FD + 1}`;
const MODERN = 'iommu_platform=on,disable-legacy=on';

interface Watched {
  complaints: string[];
  /** Pages, by device. */
  reached: Map<string, Set<number>>;
  /** Addresses, of all virtio devices. */
  told: Set<number>;
  ended: Ended;
}

/** `play` does what the host does meanwhile. */
async function watch(variables: Variables, play?: (live: LiveMachine) => Promise<void>): Promise<Watched> {
  const iommu = new Iommu(bench.directory, MEM_MIB);
  const gdb = `-S -chardev socket,id=gdb,fd=${FIRST_FD} -gdb chardev:gdb`;
  const QEMUEXTRA = `${iommu.arguments} ${gdb} ${variables.QEMUEXTRA ?? ''}`;
  const machine = { MACHINE: 'q35', SMP: '1', MEM: `${MEM_MIB}M`, DISK: 'none', ...variables, QEMUEXTRA };
  const live = new LiveMachine(machine, 2);
  const remote = new GdbRemote(live.sockets[0]!);
  await remote.runTo(at('start'));
  await iommu.enable(remote);
  /** Devices know the firmware's rings until a driver resets them. No map of memory offers these to kernels. */
  const firmwares = new Set((await toldOf(live)).flatMap(pagesOf));

  const frames = new Frames();
  const complaints = new Set<string>();
  const reached = new Map<string, Set<number>>();
  const told = new Set<number>();
  const judge = (what: string, page: number) => {
    const use = frames.use(page);
    if (use === 'allotted' || (use === 'never allotted' && firmwares.has(page))) return;
    complaints.add(`${what} page 0x${page.toString(16)}: ${use}`);
  };
  const lookAtAccesses = () => {
    for (const { device, page } of iommu.take()) {
      reached.set(device, (reached.get(device) ?? new Set()).add(page));
      judge(`${device} reaches`, page);
    }
  };
  const look = async () => {
    lookAtAccesses();
    for (const piece of await toldOf(live)) {
      told.add(piece.address);
      for (const page of pagesOf(piece)) judge(`${piece.device} is told of`, page);
    }
  };
  await Promise.all([frames.follow(remote, look), Promise.race([play?.(live), live.ended])]);
  lookAtAccesses();
  return { complaints: [...complaints], reached, told, ended: await live.ended };
}

function pagesOf({ address, bytes }: Told): number[] {
  const first = Math.floor(address / PAGE_BYTES);
  return Array.from({ length: Math.ceil((address + bytes) / PAGE_BYTES) - first }, (_, i) => first + i);
}

/** Answers the first text that is to be answered, with the machine stopped before: which empty buffers the device has is seen then. */
async function answer(live: LiveMachine, when: (text: string) => boolean, bytes: Buffer): Promise<void> {
  const socket = live.sockets[1]!;
  let text = '';
  await new Promise<void>((resolve) => {
    socket.on('data', (data: Buffer) => {
      text += data.toString('latin1');
      if (when(text)) resolve();
    });
  });
  await live.command('stop');
  socket.write(bytes);
}

function talk(live: LiveMachine): Promise<void> {
  const frames = [...TALKS.map(({ frame }) => frame), udp(Buffer.from('enough\n'))];
  const lengths = frames.map(({ length }) => Buffer.from([0, 0, length >> 8, length & 0xff]));
  const bytes = Buffer.concat(frames.flatMap((frame, i) => [lengths[i]!, frame]));
  return answer(live, (text) => text.length > 0, bytes);
}

function type(live: LiveMachine): Promise<void> {
  return answer(live, (text) => text.endsWith('waits for input\r\n'), Buffer.from('hello\r\x04'));
}

/** Comes, and is taken away in the midst of its work, twice: what it was told of is allotted anew meanwhile. */
async function plug(live: LiveMachine): Promise<void> {
  const count = (pattern: RegExp) => live.lines.filter((line) => pattern.test(line)).length;
  const times = (pattern: RegExp, number: number) =>
    live.when(() => (count(pattern) >= number ? true : undefined), `no ${number} lines ${pattern}`);
  await live.line(/help lists what there is/);
  for (let round = 1; round <= 2; round++) {
    const modern = { iommu_platform: true, 'disable-legacy': 'on' };
    await live.command('device_add', { driver: 'virtio-blk-pci', id: 'b', drive: 'd', bus: 'p', ...modern });
    await times(/0000:01:00\.0: \d+ sectors/, round);
    live.type('bench 16 1000000\r');
    await times(/bench 16 1000000/, round);
    await live.command('device_del', { id: 'b' });
    await live.event('DEVICE_DELETED', 2 * round - 2);
    await times(/0000:01:00\.0: detached/, round);
  }
  live.type('poweroff\r');
}

const disk = (properties: string): Variables => ({ BLK: MODERN + properties, APPEND: 'job=blkverify' });
const net = (properties: string): Variables => ({
  QEMUEXTRA: `-netdev socket,id=n,${SOCKET} -device virtio-net-pci,netdev=n,addr=4,romfile=,${MODERN}${properties}`,
  APPEND: 'job=net stop=enough',
});
const terminal = (properties: string): Variables => ({
  QEMUEXTRA: `-device virtio-serial-pci,addr=4,${MODERN}${properties} -chardev socket,id=c,${SOCKET} -device virtconsole,chardev=c`,
  APPEND: 'console=virtio job=console',
});

interface Case {
  name: string;
  machine: Variables;
  /** Where it is, in digits of the IOMMU's. */
  device?: string;
  /** How many pages it reaches at least, and of how many addresses it is told. */
  pages: number;
  addresses: number;
  play?: (live: LiveMachine) => Promise<void>;
}

const RNG = { QEMUEXTRA: `-device virtio-rng-pci,addr=4,${MODERN}`, APPEND: 'job=rng bytes=5000' };
const EDU = { QEMUEXTRA: '-device edu,addr=5', APPEND: 'job=edu n=5' };
const NODE = '-blockdev driver=null-co,node-name=d,size=1048576,read-zeroes=on';
const PLUGGED = { QEMUEXTRA: `${NODE} -device pcie-root-port,id=p,addr=6`, APPEND: 'job=shell' };

const CASES: Case[] = [
  { name: 'a disk, split ring', machine: disk(''), pages: 100, addresses: 3 },
  { name: 'a disk, packed ring', machine: disk(',packed=on'), pages: 100, addresses: 3 },
  { name: 'a disk, split ring, no tables', machine: disk(',indirect_desc=off'), pages: 100, addresses: 3 },
  {
    name: 'a disk, packed ring, no tables',
    machine: disk(',packed=on,indirect_desc=off'),
    pages: 100,
    addresses: 3,
  },
  { name: 'a network interface, split rings', machine: net(''), pages: 20, addresses: 200, play: talk },
  {
    name: 'a network interface, packed rings',
    machine: net(',packed=on'),
    pages: 20,
    addresses: 6,
    play: talk,
  },
  { name: 'a console, split rings', machine: terminal(''), pages: 5, addresses: 20, play: type },
  { name: 'a console, packed rings', machine: terminal(',packed=on'), pages: 4, addresses: 6, play: type },
  { name: 'random numbers', machine: RNG, pages: 3, addresses: 3 },
  { name: 'edu', machine: EDU, device: '00:05.00', pages: 1, addresses: 0 },
  {
    name: 'a disk that comes and goes',
    machine: PLUGGED,
    device: '01:00.00',
    pages: 20,
    addresses: 3,
    play: plug,
  },
];

test.each(CASES)('$name', async ({ machine, device = '00:04.00', pages, addresses, play }) => {
  const DISK = machine.BLK === undefined ? 'none' : bench.disk(4096, 64).path;
  const { complaints, reached, told, ended } = await watch({ DISK, ...machine }, play);
  expect(complaints, ended.lines.join('\n')).toEqual([]);
  expect(ended.status, `${ended.lines.join('\n')}${ended.stderr}`).toBe(0);
  expect([...reached.keys()]).toEqual([device]);
  expect(reached.get(device)!.size).toBeGreaterThanOrEqual(pages);
  expect(told.size).toBeGreaterThanOrEqual(addresses);
});

test('the host, by fw_cfg: pages of static data with nothing else in them', async () => {
  const log = join(bench.directory, 'fw_cfg-log');
  const QEMUEXTRA = `-S -chardev socket,id=gdb,fd=${FIRST_FD} -gdb chardev:gdb -D ${log} -device virtio-rng-pci`;
  const live = new LiveMachine({ SMP: '1', DISK: 'none', APPEND: 'job=none', QEMUEXTRA }, 1);
  const remote = new GdbRemote(live.sockets[0]!);
  await remote.runTo(at('start'));
  await live.command('trace-event-set-state', { name: 'memory_region_ops_write', enable: true });
  await remote.runTo(at('kernel/mm/frames/take'));
  const writes = readFileSync(log, 'utf8').matchAll(/ addr 0x518 value 0x([0-9a-f]+) .* name 'fwcfg\.dma'/g);
  const commands = [...new Set([...writes].map(([, value]) => Number.parseInt(value!, 16)))];
  expect(commands).toHaveLength(1);
  const [start] = commands as [number];
  const last = (await remote.memory(BigInt(start), 16))!; // control, length, address
  live.kill();
  await live.ended;
  expect(start % PAGE_BYTES).toBe(0);
  const address = Number(last.readBigUInt64BE(8));
  expect(address).toBeGreaterThanOrEqual(start);
  expect(address + last.readUInt32BE(4)).toBeLessThanOrEqual(start + 2 * PAGE_BYTES);
  expect(hasStaticData(start, start + 2 * PAGE_BYTES)).toBe(false);
});
