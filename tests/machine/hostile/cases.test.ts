// Faults that the driver fuzzer has found, each with the malice that shows it, a few times with other seeds; and that each
// malice alone, on a plain disk, does what is expected of it.

import { beforeAll, expect, test } from 'vitest';
import {
  intercept,
  type Kernel,
  loadKernel,
  Machine,
  type MaliceName,
  makeHostile,
  maliceNames,
  VirtioBlk,
  type VirtioBlkOptions,
} from '../../../machine/index.ts';
import { commandLine, type Words } from '../trace.ts';
import { reduce } from './fuzz.ts';
import { run } from './run.ts';
import { build, plain, type Scenario, scenarioOf } from './scenario.ts';

const COM1 = 0x3f8;
const LAPIC_LVT_TIMER = 0xfee0_0320;
const LAPIC_TIMER_INITIAL = 0xfee0_0380;
const LVT_MASKED = 1 << 16;

let kernel: Kernel;
beforeAll(async () => {
  kernel = await loadKernel();
});

/** Runs with other seeds; the logs. */
function runs(count: number, names: MaliceName[], disk?: VirtioBlkOptions): string[] {
  return Array.from({ length: count }, (_, seed) => {
    const malices = names.map((name, i) => ({ name, seed: seed * 10 + i }));
    const { failure, result } = run(plain(seed, malices, disk), kernel);
    expect(failure, `${names.join(' and ')}, seed ${seed}\n${result.serial}`).toBeUndefined();
    return result.serial;
  });
}

const found: [fault: string, malices: MaliceName[], says: RegExp][] = [
  [
    'a message of the spurious vector holds back all interrupts',
    ['interrupts of vectors that are not its own'],
    /^irq: \d+ interrupts, [1-9]\d* stray/m,
  ],
  [
    'a BAR over RAM or the APICs is written through',
    ['BAR in the way of others'],
    /was at 0x.*, nothing reaches it there[\s\S]*: it does not keep this address/,
  ],
  [
    'the TSC stands still',
    ['TSC stands still', 'request never answered'],
    /panic: the time-stamp counter stands still/,
  ],
  [
    'the TSC stands still during a reset',
    ['TSC stands still', 'reset never done'],
    /panic: the time-stamp counter/,
  ],
  ['the TSC is set back', ['TSC jumps backward', 'request never answered'], /no answer in 5000 ms/],
  ['the PIT falls back while it is measured by', ['PIT falls back'], /yaos: done/],
  [
    'clocks measured as impossibly fast',
    ['APIC timer counts anyhow', 'request never answered'],
    /no answer in/,
  ],
  [
    'no timer to wake up by',
    ['APIC timer stands still', 'request never answered'],
    /timer stands still: waits keep/,
  ],
  ['an answer without an interrupt', ['interrupts lost'], /an answer, but no interrupt in 5000 ms/],
  [
    'no capabilities at all',
    ['capability missing', 'capability points anywhere'],
    /lead to no virtio interface/,
  ],
  ['a device that is gone while it works', ['removed while it works'], /no answer in 5000 ms/],
  [
    'answers whose delays add up',
    ['request answered late', 'request answered late'],
    /: no answer in 5000 ms/,
  ],
  [
    'an answer and its interrupt, both late',
    ['interrupts late', 'request answered late'],
    /an answer, but no interrupt in 5000 ms/,
  ],
  [
    'a capability added after the list was rearranged leaves the others out',
    ['capabilities in another order', 'capability twice'],
    /yaos: done/,
  ],
];

test.each(found)('%s', (_, malices, says) => {
  expect(runs(30, malices).filter((log) => says.test(log))).not.toEqual([]);
});

/** Faults that take malices' own seeds to show, and mostly a machine, a disk or a job that is not the plain one. */
const TRACE: Words = { seed: 1983531909, requests: 11, depth: 4, blocks: 2, writes: 50 };

const particular: [fault: string, malices: Scenario['malices'], change: Partial<Scenario>, says: RegExp][] = [
  [
    'a structure that random bytes have put elsewhere',
    [{ name: 'capabilities of random bytes', seed: 3052415541 }],
    {},
    /does not offer VERSION_1/,
  ],
  [
    'a table of messages that random bytes have moved: the device writes its message where that says',
    [{ name: 'capabilities of random bytes', seed: 946719341 }],
    { disk: { queueSize: 16 } },
    /an answer, but no interrupt in 5000 ms/,
  ],
  [
    'damage to a memory map whose length is damaged',
    [
      { name: 'boot information damaged', seed: 2207438534 },
      { name: 'memory map damaged', seed: 3778028724 },
    ],
    { disk: {} },
    /memory map at 0x00009100, 16711848 bytes, unusable/,
  ],
  [
    'a device that writes late, and is gone by then',
    [
      { name: 'used entry written after the index', seed: 1440 },
      { name: 'removed while it works', seed: 1441 },
    ],
    {},
    /status 0, but 0 bytes of 513/,
  ],
  [
    'an order that is promised and not kept, with two requests in flight',
    [{ name: 'order promised and not kept', seed: 0 }],
    {
      machine: { ...plain(0, []).machine, commandLine: 'sector=27 count=3' },
      disk: { legacy: false, inOrder: true, sizeMax: 512, segMax: 2 },
      job: { sector: 27, count: 3 },
    },
    /more chains than the index says: used entry/,
  ],
  [
    'a device behind a bridge whose bus has got another number, with a fault of its own',
    [
      { name: 'bus numbers of any kind', seed: 763580459 },
      { name: 'features of all kinds', seed: 1071581935 },
    ],
    { machine: { ...plain(0, []).machine, machine: 'q35' }, bridges: ['pcie-root-port'] },
    /virtio-blk 0000:02:00.0: cannot read sector 1: a request cannot hold a block/,
  ],
  [
    "a BAR in the I/O APIC's place, and no other way to interrupt",
    [{ name: 'BARs of two functions at one place', seed: 578631646 }],
    { machine: { ...plain(0, []).machine, machine: 'q35' }, disk: { vectors: 0, pagePerQueue: true } },
    /BAR 4: .* nothing reaches it there[\s\S]*yaos: done/,
  ],
  [
    'a BAR that the firmware has placed, and that then stays at 0',
    [{ name: 'BAR in the way of others', seed: 3252683222 }],
    {
      machine: { ...plain(0, []).machine, machine: 'q35' },
      bridges: ['pcie-root-port'],
      disk: { packed: true, pagePerQueue: true },
    },
    /BAR 1: .* it does not keep this address/,
  ],
  [
    'a packed ring of random bytes, which the device reads too',
    [{ name: 'used ring of random bytes', seed: 76785611 }],
    {
      machine: { ...plain(0, []).machine, machine: 'microvm', commandLine: commandLine(TRACE) },
      job: TRACE,
      disk: { eventIndex: false, queueSize: 8, blockSize: 1024, packed: true, inOrder: true },
    },
    /needs reset/,
  ],
];

test.each(particular)('%s', (_, malices, change, says) => {
  const { failure, result } = run({ ...plain(0, malices), ...change }, kernel);
  expect(failure, result.serial).toBeUndefined();
  expect(result.serial).toMatch(says);
});

test('a panic in an interrupt handler, within a line of the log', () => {
  let vector = 0;
  let latest = 0n;
  let stopped = false;
  let sent = false;
  const pc: Machine = new Machine({
    memory_mib: 16,
    trace: {
      // The time-stamp counter stops when the APIC's timer is set for the first wait.
      mmio({ address, write, value }) {
        if (write && address === LAPIC_LVT_TIMER && !(value & LVT_MASKED)) vector = value & 0xff;
        if (write && address === LAPIC_TIMER_INITIAL && vector > 0) stopped = true;
      },
      // The timer interrupts in the next line.
      port({ address, write, value }) {
        if (!stopped || sent || !write || address !== COM1 || value !== ':'.charCodeAt(0)) return;
        sent = true;
        pc.cpu.lapic.request(vector);
      },
    },
  });
  intercept(pc.cpu, 'readTsc', (read) => () => {
    if (!stopped) latest = read();
    return latest;
  });
  pc.pci.add(new VirtioBlk(new Uint8Array(1024)));
  const { end, serial } = pc.run(kernel);
  expect(end).toBe('panic');
  expect(serial).toMatch(/[^\n]:\r\npanic: the time-stamp counter stands still\r\n/);
});

test('rings that take all memory there is', () => {
  const pc = new Machine({ memory_mib: 16 });
  for (let slot = 4; slot < 16; slot++)
    pc.pci.add(new VirtioBlk(new Uint8Array(1024), { modern: false, queueSize: 32768 }), { slot });
  const { end, serial } = pc.run(kernel);
  expect(end).toBe('off');
  expect(serial).toMatch(/asks for too much memory for queue 0/);
});

test('a clock that jumps while it is measured stretches no wait by much', () => {
  for (let seed = 50; seed < 70; seed++) {
    const malices = (['TSC jumps forward', 'reset never done'] as const).map((name, i) => ({
      name,
      seed: seed * 10 + i,
    }));
    const { failure, result } = run(plain(seed, malices), kernel);
    expect(failure).toBeUndefined();
    expect(result.time_ns, `seed ${seed}`).toBeLessThan(6e9); // 1 s by a clock that is at most five times too fast
  }
});

test('waits without a timer do not use up the steps', () => {
  const words: Words = { seed: 4282436454, requests: 9, depth: 2, blocks: 1, writes: 50 };
  const [dead, late] = ['APIC timer stands still', 'request answered too late'] as const;
  for (let seed = 1, left = 3; left > 0; seed++) {
    const scenario = scenarioOf(seed);
    const timer = scenario.malices.find(({ name }) => name === dead);
    if (timer === undefined) continue;
    left--;
    const machine = { ...scenario.machine, commandLine: commandLine(words) };
    const malices = [timer, { name: late, seed: 3564751343 }];
    const disk = { modern: false, eventIndex: false };
    const { failure } = run({ ...scenario, machine, malices, disk, job: words }, kernel);
    expect(failure, `seed ${seed}`).toBeUndefined();
  }
});

test.each(maliceNames)('alone: %s', (name) => {
  runs(4, [name]);
  runs(4, [name], { packed: true });
  runs(1, [name], { inOrder: true });
  runs(1, [name], { packed: true, inOrder: true, queueSize: 6 });
});

test('a device is honest until the firmware has done its work', () => {
  const { pc, disk } = build(plain(0, []));
  const attack = makeHostile(pc, disk, 'BAR of no bytes', 1);
  pc.load(kernel);
  pc.startFirmware();
  expect(pc.started).toBe(false);
  for (const bar of [1, 4]) expect(disk.toPci(false).barAddress(bar)).toBeGreaterThan(0);
  expect(attack.acts).toBe(0);
});

test('no malice at all', () => {
  for (const log of runs(1, [])) expect(log).toMatch(/yaos: done\r\n$/);
});

test('a failure is reduced to the malices that make it', () => {
  const scenario = plain(1, [
    { name: 'interrupts doubled', seed: 1 },
    { name: 'seg_max 0 or huge', seed: 2 },
  ]);
  const fails = (small: Scenario) => small.malices.some(({ name }) => name === 'seg_max 0 or huge');
  expect(reduce(scenario, fails).malices.map(({ name }) => name)).toEqual(['seg_max 0 or huge']);
});
