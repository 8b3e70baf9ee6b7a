// The split ring against a device that counts without wrapping: enough chains to pass 2^16, in random
// order, direct and indirect, with and without EVENT_IDX. Kicks and interrupts must come exactly when they are due, those
// included that are asked for only when all is used.

import { beforeAll, expect, test } from 'vitest';
import { type Kernel, Machine } from '../../machine/index.ts';
import { compileParts } from './compile.ts';
import { generator } from './random.ts';

const ENTRY = `
import { Window } from './bus/window.ts';
import * as frames from './mm/frames.ts';
import { Regions } from './mm/regions.ts';
import { RingLayout, splitLayout } from './virtio/layout.ts';
import { QueueUser } from './virtio/queue.ts';
import { SplitQueue } from './virtio/split.ts';

declare function completed(token: u32, written: u32): void;
class User extends QueueUser {
  completed(token: u32, written: u32): void { completed(token, written); }
  failed(): void {}
}
let ring: RingLayout | null = null;
let queue: SplitQueue | null = null;
export function setUp(size: u32, indirect: bool, events: bool): void {
  const ram = new Regions();
  ram.add(0x100000, 0xf00000);
  frames.init(ram, 'the test');
  ring = splitLayout(size);
  const features: u64 = ((indirect as u64) << 28) | ((events as u64) << 29) | (1 << 32);
  queue = new SplitQueue(7, ring!, new Window(0xe0000000, 2, false), new User(), features);
}
export function descriptors(): u32 { return ring!.descriptors; }
export function available(): u32 { return ring!.driver; }
export function used(): u32 { return ring!.device; }
export function chainMax(): u32 { return queue!.chainMax; }
export function begin(segments: u32): bool { return queue!.begin(segments); }
export function add(address: u32, bytes: u32, write: bool): void { queue!.add(address, bytes, write); }
export function submit(token: u32): void { queue!.submit(token); }
export function kick(): void { queue!.kick(); }
export function awaitAll(): void { queue!.awaitAll(); }
export function collect(): void { queue!.collect(); }
export function healthy(): bool { return !queue!.reportFault('queue'); }
`;

let module: Kernel;
beforeAll(async () => {
  module = await compileParts(ENTRY);
}, 60_000);

const DOORBELL = 0xe000_0000;
const UNCACHED_WRITABLE = 3; // flags of x86.map

interface Driver {
  setUp(size: number, indirect: boolean, events: boolean): void;
  descriptors(): number;
  available(): number;
  used(): number;
  chainMax(): number;
  begin(segments: number): number;
  add(address: number, bytes: number, write: boolean): void;
  submit(token: number): void;
  kick(): void;
  awaitAll(): void;
  collect(): void;
  healthy(): number;
}

function start(size: number, indirect: boolean, events: boolean) {
  const state = { kicks: [] as number[], completed: [] as [number, number][] };
  const env = { completed: (token: number, written: number) => state.completed.push([token, written]) };
  const machine = new Machine({ memory_mib: 16, imports: { 'entry-of-the-test': env } });
  machine.memory.map(DOORBELL, 2, { read: () => 0, write: (_at, _width, value) => state.kicks.push(value) });
  machine.pages.map(DOORBELL, DOORBELL, 4096, UNCACHED_WRITABLE);
  const driver = machine.load(module) as unknown as Driver;
  driver.setUp(size, indirect, events);
  const { view } = machine.ram;
  return { driver, state, view };
}

interface Segment {
  address: number;
  bytes: number;
  write: boolean;
}

/** The chain at `head` as the device sees it (virtio 1.2 §2.7.5). */
function readChain(
  view: DataView,
  descriptors: number,
  head: number,
): { segments: Segment[]; slots: number } {
  let table = descriptors;
  let index = head;
  let indirect = false;
  if (view.getUint16(table + head * 16 + 12, true) & 4) {
    expect(view.getUint16(table + head * 16 + 12, true)).toBe(4);
    table = Number(view.getBigUint64(table + head * 16, true));
    index = 0;
    indirect = true;
  }
  const segments: Segment[] = [];
  for (;;) {
    const at = table + index * 16;
    const flags = view.getUint16(at + 12, true);
    segments.push({
      address: Number(view.getBigUint64(at, true)),
      bytes: view.getUint32(at + 8, true),
      write: (flags & 2) !== 0,
    });
    if (!(flags & 1)) return { segments, slots: indirect ? 1 : segments.length };
    index = view.getUint16(at + 14, true);
  }
}

const BEYOND_WRAP = 70_000;
const configurations = [
  { size: 4, indirect: false, events: true, chains: 20_000 },
  { size: 8, indirect: true, events: true, chains: BEYOND_WRAP },
  { size: 256, indirect: false, events: false, chains: BEYOND_WRAP },
  { size: 64, indirect: true, events: false, chains: 20_000 },
  { size: 1024, indirect: false, events: true, chains: BEYOND_WRAP },
];
test.each(configurations)('chains, kicks and completions: %o', ({ size, indirect, events, chains }) => {
  const seed = Number(process.env.YAOS_SEED ?? 1);
  const random = generator(seed);
  const { driver, state, view } = start(size, indirect, events);
  const context = `YAOS_SEED=${seed}`;
  const available = driver.available();
  const used = driver.used();

  // Indices of the device, not wrapped.
  let seen = 0;
  let usedIndex = 0;
  let submitted = 0;
  let announced = 0;
  let event = 0;
  /** The used entry that the driver wants to hear of. */
  let interruptAt = 0;
  let noNotify = false;
  let token = 0;
  const inFlight = new Map<number, Segment[]>(); // by token
  const taken: { head: number; token: number; bytes: number }[] = [];
  const order: number[] = []; // tokens in the order of submission

  while (submitted < chains) {
    const wanted = random(6);
    for (let i = 0; i < wanted; i++) {
      const count = 1 + random(Math.min(driver.chainMax(), 5));
      if (!driver.begin(count)) break;
      const readable = random(count + 1);
      const segments = Array.from({ length: count }, (_, j) => ({
        address: random(0x7fffffff),
        bytes: 1 + random(4096),
        write: j >= readable,
      }));
      for (const { address, bytes, write } of segments) driver.add(address, bytes, write);
      driver.submit(token);
      inFlight.set(token, segments);
      order.push(token++);
      submitted++;
    }
    if (random(4) === 0) {
      driver.awaitAll();
      if (submitted > usedIndex) interruptAt = submitted - 1;
    }
    state.kicks.length = 0;
    driver.kick();
    const due = submitted > announced && (events ? event >= announced && event < submitted : !noNotify);
    if (state.kicks.length !== (due ? 1 : 0)) expect.fail(`${context}: kicks ${state.kicks} at ${submitted}`);
    if (due) expect(state.kicks[0]).toBe(7);
    announced = submitted;

    // The device takes what it has seen, unless it sleeps and was not woken.
    if (due || seen < event || random(2)) {
      if (view.getUint16(available + 2, true) !== (submitted & 0xffff))
        expect.fail(`${context}: available index`);
      for (; seen < submitted; seen++) {
        const head = view.getUint16(available + 4 + (seen % size) * 2, true);
        const chain = readChain(view, driver.descriptors(), head);
        const expected = order.shift()!;
        if (JSON.stringify(chain.segments) !== JSON.stringify(inFlight.get(expected))) {
          expect.fail(`${context}: chain ${JSON.stringify(chain.segments)}`);
        }
        const bytes = chain.segments.reduce((sum, s) => sum + (s.write ? s.bytes : 0), 0);
        taken.push({ head, token: expected, bytes: random(bytes + 1) });
      }
    }
    noNotify = random(3) === 0;
    view.setUint16(used, noNotify ? 1 : 0, true);
    event = Math.max(seen, submitted + random(3) - 1);
    view.setUint16(used + 4 + size * 8, event & 0xffff, true);

    // It completes some in any order, and interrupts if the driver has asked for that.
    const finished: [number, number][] = [];
    for (let left = random(taken.length + 1); left > 0; left--) {
      const [chain] = taken.splice(random(taken.length), 1);
      view.setUint32(used + 4 + (usedIndex % size) * 8, chain!.head, true);
      view.setUint32(used + 8 + (usedIndex % size) * 8, chain!.bytes, true);
      usedIndex++;
      finished.push([chain!.token, chain!.bytes]);
      inFlight.delete(chain!.token);
    }
    view.setUint16(used + 2, usedIndex & 0xffff, true);
    if (events && view.getUint16(available + 4 + size * 2, true) !== (interruptAt & 0xffff)) {
      expect.fail(`${context}: used_event does not ask for the next interrupt, or for the last`);
    }
    interruptAt = Math.max(interruptAt, usedIndex);
    state.completed.length = 0;
    driver.collect();
    if (JSON.stringify(state.completed) !== JSON.stringify(finished)) expect.fail(`${context}: completions`);
  }
  expect(driver.healthy(), context).toBe(1);
});
