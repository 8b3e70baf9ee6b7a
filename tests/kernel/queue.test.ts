// Both formats of the ring against devices that count without wrapping: enough chains to pass 2^16, in random order or in
// theirs, direct and indirect, with and without EVENT_IDX. Kicks and interrupts must come exactly when they are due, those
// included that are asked for only when all is used.

import { beforeAll, expect, test } from 'vitest';
import { type Kernel, Machine } from '../../machine/index.ts';
import { compileParts } from './compile.ts';
import { generator } from './random.ts';
import { PackedDevice, type RingDevice, type Segment, SplitDevice, type Taken } from './ring-devices.ts';

const ENTRY = `
import { Window } from './bus/window.ts';
import * as frames from './mm/frames.ts';
import { Regions } from './mm/regions.ts';
import { packedLayout, RingLayout, splitLayout } from './virtio/layout.ts';
import { PackedQueue } from './virtio/packed.ts';
import { QueueUser, Virtqueue } from './virtio/queue.ts';
import { SplitQueue } from './virtio/split.ts';

declare function completed(token: u32, written: u32): void;
class User extends QueueUser {
  completed(token: u32, written: u32): void { completed(token, written); }
  failed(): void {}
}
let ring: RingLayout | null = null;
let queue: Virtqueue | null = null;
export function setUp(size: u32, features: u64): void {
  const ram = new Regions();
  ram.add(0x100000, 0xf00000);
  frames.init(ram, 'the test');
  const doorbell = new Window(0xe0000000, 2, false);
  if (features & (1 << 34)) {
    ring = packedLayout(size);
    queue = new PackedQueue(7, ring!, doorbell, new User(), features);
  } else {
    ring = splitLayout(size);
    queue = new SplitQueue(7, ring!, doorbell, new User(), features);
  }
}
export function descriptors(): u32 { return ring!.descriptors; }
export function driverArea(): u32 { return ring!.driver; }
export function deviceArea(): u32 { return ring!.device; }
export function chainMax(): u32 { return queue!.chainMax; }
export function begin(segments: u32): bool { return queue!.begin(segments); }
export function add(address: u32, bytes: u32, write: bool): void { queue!.add(address, bytes, write); }
export function submit(token: u32): void { queue!.submit(token); }
export function kick(): void { queue!.kick(); }
export function awaitAll(): void { queue!.awaitAll(); }
export function collect(): void { queue!.collect(); }
export function setPolling(on: bool): void { queue!.setPolling(on); }
export function askForInterrupt(): void { queue!.askForInterrupt(); }
export function isDue(): bool { return queue!.isDue; }
export function hasUsed(): bool { return queue!.hasUsed; }
export function table(): u32 { return frames.allocate(256); }
export function tableEntry(next: u32, more: bool, write: bool): u64 { return queue!.tableEntry(next, more, write); }
export function submitTable(table: u32, segments: u32, writable: u32, token: u32): bool {
  return queue!.submitTable(table, segments, writable, token);
}
export function portion(): bool { return queue!.collectPortion(); }
export function healthy(): bool { return !queue!.reportFault('queue'); }
`;

let module: Kernel;
beforeAll(async () => {
  module = await compileParts(ENTRY);
}, 60_000);

const DOORBELL = 0xe000_0000;
const UNCACHED_WRITABLE = 3; // flags of x86.map

interface Driver {
  setUp(size: number, features: bigint): void;
  descriptors(): number;
  driverArea(): number;
  deviceArea(): number;
  chainMax(): number;
  begin(segments: number): number;
  add(address: number, bytes: number, write: boolean): void;
  submit(token: number): void;
  kick(): void;
  awaitAll(): void;
  collect(): void;
  setPolling(on: boolean): void;
  askForInterrupt(): void;
  isDue(): number;
  hasUsed(): number;
  table(): number;
  tableEntry(next: number, more: boolean, write: boolean): bigint;
  submitTable(table: number, segments: number, writable: number, token: number): number;
  portion(): number;
  healthy(): number;
}

interface Configuration {
  size: number;
  packed?: boolean;
  indirect?: boolean;
  events?: boolean;
  inOrder?: boolean;
  chains: number;
}

function start({ size, packed, indirect, events, inOrder }: Configuration) {
  const state = { kicks: [] as number[], completed: [] as [number, number][] };
  const env = { completed: (token: number, written: number) => state.completed.push([token, written]) };
  const machine = new Machine({ memory_mib: 16, imports: { 'entry-of-the-test': env } });
  machine.memory.map(DOORBELL, 2, { read: () => 0, write: (_at, _width, value) => state.kicks.push(value) });
  machine.pages.map(DOORBELL, DOORBELL, 4096, UNCACHED_WRITABLE);
  const driver = machine.load(module) as unknown as Driver;
  const bits = { 28: indirect, 29: events, 32: true, 34: packed, 35: inOrder };
  const features = Object.entries(bits).reduce(
    (sum, [bit, on]) => (on ? sum | (1n << BigInt(bit)) : sum),
    0n,
  );
  driver.setUp(size, features);
  const areas = {
    descriptors: driver.descriptors(),
    driver: driver.driverArea(),
    device: driver.deviceArea(),
  };
  const { view } = machine.ram;
  /** A chain in a table of the driver's own; false: no room. */
  const submitTable = (table: number, segments: Segment[], token: number): boolean => {
    for (const [i, { address, bytes, write }] of segments.entries()) {
      const entry = driver.tableEntry(i + 1, i + 1 < segments.length, write) | BigInt(bytes);
      view.setBigUint64(table + i * 16, BigInt(address), true);
      view.setBigUint64(table + i * 16 + 8, entry, true);
    }
    return driver.submitTable(table, segments.length, writableOf(segments), token) === 1;
  };
  const device: RingDevice = packed
    ? new PackedDevice(view, size, areas)
    : new SplitDevice(view, size, areas, inOrder ?? false);
  return { driver, state, device, submitTable };
}

function writableOf(segments: Segment[]): number {
  return segments.reduce((sum, { bytes, write }) => sum + (write ? bytes : 0), 0);
}

const BEYOND_WRAP = 70_000;
const configurations: Configuration[] = [
  { size: 4, events: true, chains: 20_000 },
  { size: 8, indirect: true, events: true, chains: BEYOND_WRAP },
  { size: 256, chains: BEYOND_WRAP },
  { size: 64, indirect: true, chains: 20_000 },
  { size: 1024, events: true, chains: 20_000 },
  { size: 8, inOrder: true, events: true, chains: 20_000 },
  { size: 64, inOrder: true, indirect: true, chains: 20_000 },
  { size: 3, packed: true, events: true, chains: 20_000 },
  { size: 8, packed: true, indirect: true, events: true, chains: 20_000 },
  { size: 255, packed: true, events: true, chains: 20_000 },
  { size: 64, packed: true, indirect: true, chains: BEYOND_WRAP },
  { size: 7, packed: true, inOrder: true, events: true, chains: 20_000 },
  { size: 100, packed: true, inOrder: true, indirect: true, events: true, chains: 20_000 },
];
test.each(configurations)('chains, kicks and completions: %o', (configuration) => {
  const { events, inOrder, chains, packed } = configuration;
  const seed = Number(process.env.YAOS_SEED ?? 1);
  const random = generator(seed);
  const { driver, state, device, submitTable } = start(configuration);
  const tables = configuration.indirect ? Array.from({ length: 8 }, () => driver.table()) : [];
  const context = `YAOS_SEED=${seed}`;

  /** How far the ring's count has moved with what was submitted and announced; chains. */
  let submitted = 0;
  let announced = 0;
  let token = 0;
  /** What the device wants to be notified of, and the used entry that the driver wants to hear of. */
  let asked: number | boolean = events ? 0 : true;
  let interruptAt = 0;
  device.ask(asked);
  const inFlight = new Map<number, Segment[]>(); // by token
  const taken: (Taken & { token: number })[] = [];
  const tableOf = new Map<number, number>(); // by token
  const order: number[] = []; // tokens in the order of submission

  while (token < chains) {
    const wanted = random(6);
    for (let i = 0; i < wanted; i++) {
      const count = 1 + random(Math.min(driver.chainMax(), 5));
      const readable = random(count + 1);
      const segments = Array.from({ length: count }, (_, j) => ({
        address: random(0x7fffffff),
        bytes: 1 + random(4096),
        write: j >= readable,
      }));
      const table = random(2) === 0 ? tables.pop() : undefined;
      if (table !== undefined) {
        if (!submitTable(table, segments, token)) {
          tables.push(table);
          break;
        }
        tableOf.set(token, table);
      } else {
        if (!driver.begin(count)) break;
        for (const { address, bytes, write } of segments) driver.add(address, bytes, write);
        driver.submit(token);
      }
      inFlight.set(token, segments);
      order.push(token++);
      submitted += packed && table === undefined && !(configuration.indirect && count > 1) ? count : 1;
    }
    if (random(4) === 0) {
      driver.awaitAll();
      if (submitted > device.used) interruptAt = submitted - 1;
    }
    state.kicks.length = 0;
    driver.kick();
    const passes = typeof asked === 'number' ? asked >= announced && asked < submitted : asked;
    const due = submitted > announced && passes;
    if (state.kicks.length !== (due ? 1 : 0)) expect.fail(`${context}: kicks ${state.kicks} at ${submitted}`);
    if (due && state.kicks[0] !== 7) expect.fail(`${context}: queue ${state.kicks}`);
    announced = submitted;

    // The device takes what it has seen, unless it sleeps and was not woken.
    if (due || random(2)) {
      for (let chain = device.take(); chain !== undefined; chain = device.take()) {
        const expected = order.shift()!;
        if (JSON.stringify(chain.segments) !== JSON.stringify(inFlight.get(expected)))
          expect.fail(`${context}: chain ${JSON.stringify(chain.segments)}`);
        taken.push({ ...chain, token: expected });
      }
      if (device.seen !== submitted) expect.fail(`${context}: ${device.seen} of ${submitted} seen`);
    }
    asked = events ? Math.max(device.seen, submitted + random(3) - 1) : random(3) > 0;
    // A packed ring's may ask for all or nothing with EVENT_IDX too.
    if (packed && events && random(3) === 0) asked = random(2) === 0;
    device.ask(asked);

    // It completes some in any order, or the oldest by one entry, and interrupts if the driver has asked for that.
    const finished: [number, number][] = [];
    const used: typeof taken = [];
    for (let left = random(taken.length + 1); left > 0; left--) {
      const [chain] = taken.splice(inOrder ? 0 : random(taken.length), 1);
      const writable = writableOf(chain!.segments);
      const more = inOrder && left > 1 && random(4) > 0;
      const bytes = more ? writable : random(writable + 1);
      used.push(chain!);
      finished.push([chain!.token, bytes]);
      inFlight.delete(chain!.token);
      const table = tableOf.get(chain!.token);
      if (table !== undefined) tables.push(table);
      if (more) continue;
      device.use(
        chain!.id,
        bytes,
        used.reduce((sum, one) => sum + one.steps, 0),
      );
      used.length = 0;
    }
    if (events && !device.isAwaited(interruptAt))
      expect.fail(`${context}: the event does not ask for the next interrupt, or for the last`);
    interruptAt = Math.max(interruptAt, device.used);
    state.completed.length = 0;
    driver.collect();
    if (JSON.stringify(state.completed) !== JSON.stringify(finished)) expect.fail(`${context}: completions`);
  }
  expect(driver.healthy(), context).toBe(1);
});

test.each([
  { size: 8, indirect: true, events: true },
  { size: 8, indirect: true },
  { size: 8, packed: true, indirect: true, events: true },
  { size: 8, packed: true, indirect: true },
])('a driver that polls asks for one interrupt, when half is used: %o', ({ events, ...configuration }) => {
  const { driver, state, device, submitTable } = start({ ...configuration, events, chains: 0 });
  const tables = Array.from({ length: 8 }, () => driver.table());
  const wanted = () =>
    Array.from({ length: 8 }, (_, i) => device.used + i).filter((at) => device.isAwaited(at));
  const expectRefused = () => {
    if (events) expect(wanted()).toEqual([]);
    else expect(device.isRefused).toBe(true);
  };
  const use = (count: number) => {
    for (let i = 0; i < count; i++) {
      const { id, steps } = device.take()!;
      device.use(id, 0, steps);
    }
  };
  driver.setPolling(true);
  expectRefused();
  for (let round = 0; round < 5; round++) {
    const submit = (count: number) => {
      for (const table of tables.splice(0, count)) {
        expect(submitTable(table, [{ address: 64, bytes: 4, write: false }], 7)).toBe(true);
        tables.push(table);
      }
    };
    submit(6);
    driver.askForInterrupt();
    if (events) expect(wanted()).toEqual([device.used + 2]);
    else expect(device.isRefused).toBe(false);
    expect(driver.hasUsed()).toBe(0);
    if (events) expect(driver.isDue()).toBe(0);
    use(3);
    expect(driver.hasUsed()).toBe(1);
    state.completed.length = 0;
    driver.collect();
    expect(state.completed).toHaveLength(3);
    expect(driver.isDue()).toBe(1);
    expectRefused();
    // What is there already is taken, and nothing is asked for.
    use(2);
    driver.askForInterrupt();
    expect(state.completed).toHaveLength(5);
    expectRefused();
    // Of one, all of it.
    driver.askForInterrupt();
    if (events) expect(wanted()).toEqual([device.used]);
    use(1);
    driver.collect();
    expectRefused();
  }
  driver.setPolling(false);
  if (events) expect(wanted()).toEqual([device.used]);
  else expect(device.isRefused).toBe(false);
  expect(driver.healthy()).toBe(1);
});

test.each<[string, Omit<Configuration, 'size' | 'chains'>]>([
  ['split', {}],
  ['split, with events', { events: true }],
  ['split, in order', { events: true, inOrder: true }],
  ['packed', { packed: true }],
  ['packed, with events', { packed: true, events: true }],
  ['packed, in order', { packed: true, events: true, inOrder: true }],
])('what is used is taken in portions: %s', (_, configuration) => {
  const { driver, state, device } = start({ size: 128, chains: 100, ...configuration });
  const rounds = 10; // some end in the midst of the ring
  for (let round = 0; round < rounds; round++) {
    for (let token = 0; token < 100; token++) {
      expect(driver.begin(1)).toBe(1);
      driver.add(token * 16, 16, true);
      driver.submit(token);
    }
    driver.kick();
    for (let chain = device.take(); chain !== undefined; chain = device.take())
      device.use(chain.id, 16, chain.steps);
    state.completed.length = 0;
    const portions: number[] = [];
    let more = 1;
    for (let before = 0; more === 1; before = state.completed.length) {
      more = driver.portion();
      portions.push(state.completed.length - before);
      // Only the last one asks for the next interrupt.
      if (configuration.events) expect(device.isAwaited((round + 1) * 100)).toBe(more === 0);
    }
    expect(portions).toEqual([32, 32, 32, 4]);
    expect(state.completed.map(([token]) => token)).toEqual(Array.from({ length: 100 }, (_, i) => i));
  }
  expect(driver.healthy()).toBe(1);
});
