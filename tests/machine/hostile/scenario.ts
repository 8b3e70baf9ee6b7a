// What one run of the driver fuzzer is: a machine, a disk, a job, and the malices, all from one number.

import {
  Machine,
  type MachineOptions,
  type MaliceName,
  maliceNames,
  mmioMaliceNames,
  PciBridge,
  Random,
  type Trace,
  VirtioBlk,
  type VirtioBlkOptions,
} from '../../../machine/index.ts';
import { commandLine, type Words } from '../trace.ts';

export interface Scenario {
  seed: number;
  machine: MachineOptions;
  /** Bridges before the disk, the outermost first. */
  bridges: ('pci-bridge' | 'pcie-root-port')[];
  disk: VirtioBlkOptions;
  /** The kernel's job: sectors to be read twice, or a trace of random reads and writes. */
  job: { sector: number; count: number } | Words;
  /** Each with a seed of its own, so that one can go and the others stay as they are. */
  malices: { name: MaliceName; seed: number }[];
}

export const SECTORS = 64;
/** No two sectors are alike, nor like what buffers are filled with. */
export const CONTENT = new Uint8Array(SECTORS * 512).map((_, i) => (i * 7 + (i >> 9) * 3 + (i >> 4)) & 0xff);

const MALICES = [1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 4, 5] as const;
/** Without its tables microvm has no devices at all. */
const MMIO_NAMES = mmioMaliceNames.filter((name) => name !== 'ACPI tables damaged');
/** Together they are a timer that counts but never ends, by which nobody could wait. */
const DEAD_TIMER = 'APIC timer stands still';
const LYING_TIMER = 'APIC timer counts anyhow';
const STEPS_MAX = 6_000_000;
/** Without a timer the kernel asks the clock all the time it waits: the steps are longer, or the budget does not last. */
const POLLING_STEP_NS = 100_000;

export function scenarioOf(seed: number): Scenario {
  const random = new Random(seed);
  const machine = random.pick(['pc', 'pc', 'pc', 'q35', 'q35', 'microvm'] as const);
  const names = machine === 'microvm' ? MMIO_NAMES : maliceNames;
  const bridges = random.once(4)
    ? random.pick([['pci-bridge'], ['pci-bridge', 'pci-bridge'], ['pcie-root-port']] as const)
    : [];
  const many = random.once(8);
  const small = many || random.once(8);
  const { job, commandLine } = random.once(3) ? traceOf(random, small ? 1 : 2) : readOf(random, many);
  const malices = Array.from({ length: random.once(50) ? 0 : random.pick(MALICES) }, () => ({
    name: random.pick(names),
    seed: random.next(),
  })).filter(({ name }, _, all) => name !== DEAD_TIMER || !all.some((other) => other.name === LYING_TIMER));
  const step_ns = random.pick([5_000, 20_000, 50_000]);
  return {
    ...{ seed, job, malices },
    machine: {
      ...{ machine, commandLine, memory_mib: 16, budget_steps: STEPS_MAX },
      step_ns: malices.some(({ name }) => name === DEAD_TIMER) ? POLLING_STEP_NS : step_ns,
      seed: random.once(2) ? random.next() : undefined,
      x2apic: random.once(4),
    },
    bridges: bridges.filter((model) => machine === 'q35' || (machine === 'pc' && model === 'pci-bridge')),
    disk: {
      ...random.pick([{}, {}, { legacy: false }, { modern: false }]),
      eventIndex: !random.once(3),
      indirect: !random.once(3),
      queueSize: random.pick([256, 256, 4, 8, 16, 1024]),
      ...(many && { sizeMax: 512, segMax: random.between(1, 4) }),
      ...(!many && (small ? { sizeMax: 256 } : random.pick([{}, {}, {}, {}, { blockSize: 1024 }]))),
      vectors: random.once(6) ? random.pick([0, 1, 2, 3]) : undefined,
      packed: random.once(3),
      inOrder: random.once(4),
      pagePerQueue: random.once(8),
      portDoorbell: random.once(8),
    },
  };
}

function readOf(random: Random, many: boolean) {
  const count = many ? random.between(2, 5) : 1;
  const sector = random.below(SECTORS - count);
  const repeat = random.pick([0, 0, 0, 1, 2, many ? 20 : 3]);
  const attempts = random.pick([1, 1, 2, 4]);
  const commandLine = `sector=${sector} count=${count} repeat=${repeat} attempts=${attempts}`;
  return { job: { sector, count }, commandLine };
}

function traceOf(random: Random, blocks: number) {
  const [seed, requests, depth] = [random.next(), random.between(1, 16), random.between(1, 4)];
  const job: Words = { seed, requests, depth, blocks, writes: random.pick([0, 50, 100]) };
  return { job, commandLine: commandLine(job) };
}

/** A machine without peculiarities. */
export function plain(seed: number, malices: Scenario['malices'], disk?: VirtioBlkOptions): Scenario {
  const machine = {
    commandLine: 'sector=1 count=1',
    memory_mib: 16,
    budget_steps: STEPS_MAX,
    step_ns: 20_000,
  };
  return {
    seed,
    machine,
    bridges: [],
    disk: { ...disk, legacy: false },
    job: { sector: 1, count: 1 },
    malices,
  };
}

/** The machine with the disk in it, honest as yet. */
export function build(scenario: Scenario, reuse?: Machine, trace?: Trace): { pc: Machine; disk: VirtioBlk } {
  const pc = new Machine({ ...scenario.machine, reuse, trace });
  const disk = new VirtioBlk(CONTENT.slice(), scenario.disk);
  if (scenario.machine.machine === 'microvm') {
    pc.mmio.add(disk);
    return { pc, disk };
  }
  let bridge: PciBridge | undefined;
  for (const model of scenario.bridges) {
    const next = new PciBridge(model);
    pc.pci.add(next, { slot: 6, bridge });
    bridge = next;
  }
  pc.pci.add(disk, { slot: bridge?.model === 'pcie-root-port' ? 0 : 4, bridge });
  return { pc, disk };
}
