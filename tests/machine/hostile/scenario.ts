// What one run of the driver fuzzer is: a machine, a disk, a job, and the malices, all from one number.

import {
  Machine,
  type MachineOptions,
  type MaliceName,
  maliceNames,
  PciBridge,
  Random,
  VirtioBlk,
  type VirtioBlkOptions,
} from '../../../machine/index.ts';
import { commandLine as traceLine, type Words } from '../trace.ts';

export interface Scenario {
  seed: number;
  machine: MachineOptions;
  /** Bridges before the disk, the outermost first. */
  bridges: ('pci-bridge' | 'pcie-root-port')[];
  disk: VirtioBlkOptions;
  sector: number;
  count: number;
  /** Reads and writes, many at once, in place of reads of these sectors. */
  trace?: Words;
  /** Each with a seed of its own, so that one can go and the others stay as they are. */
  malices: { name: MaliceName; seed: number }[];
}

export const SECTORS = 64;
/** No two sectors are alike, nor like what buffers are filled with. */
export const CONTENT = new Uint8Array(SECTORS * 512).map((_, i) => (i * 7 + (i >> 9) * 3 + (i >> 4)) & 0xff);

const MALICES = [1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 4, 5] as const;
const STEPS_MAX = 6_000_000;

export function scenarioOf(seed: number): Scenario {
  const random = new Random(seed);
  const machine = random.pick(['pc', 'pc', 'q35'] as const);
  const bridges = random.once(4)
    ? random.pick([['pci-bridge'], ['pci-bridge', 'pci-bridge'], ['pcie-root-port']] as const)
    : [];
  const many = random.once(8);
  const count = many ? random.between(2, 5) : 1;
  const sector = random.below(SECTORS - count);
  const repeat = random.pick([0, 0, 0, 1, 2, many ? 20 : 3]);
  const malices = Array.from({ length: random.once(50) ? 0 : random.pick(MALICES) }, () => ({
    name: random.pick(maliceNames),
    seed: random.next(),
  }));
  const settings = {
    ...{ machine, memory_mib: 16, budget_steps: STEPS_MAX },
    step_ns: random.pick([2_000, 5_000, 20_000]),
    x2apic: random.once(4),
  };
  const disk: VirtioBlkOptions = {
    ...random.pick([{}, {}, { legacy: false }, { modern: false }]),
    eventIndex: !random.once(3),
    indirect: !random.once(3),
    queueSize: random.pick([256, 256, 4, 8, 16, 1024]),
    ...(many && { sizeMax: 512, segMax: random.between(1, 4) }),
    ...(!many && random.pick([{}, {}, {}, {}, { sizeMax: 256 }, { blockSize: 1024 }])),
    vectors: random.once(6) ? random.pick([1, 3]) : undefined,
    pagePerQueue: random.once(8),
    portDoorbell: random.once(8),
  };
  const trace = traceOf(seed, disk);
  const commandLine = trace ? traceLine(trace) : `sector=${sector} count=${count} repeat=${repeat}`;
  return {
    ...{ seed, sector, count, trace, malices, disk },
    machine: { ...settings, commandLine },
    bridges: bridges.filter((model) => machine === 'q35' || model === 'pci-bridge'),
  };
}

/** Of one run in three; apart from what else the seed decides. */
function traceOf(seed: number, disk: VirtioBlkOptions): Words | undefined {
  const random = new Random(~seed);
  if (!random.once(3)) return undefined;
  return {
    seed: random.next(),
    requests: random.between(1, 40),
    depth: random.between(1, 8),
    blocks: disk.sizeMax === undefined ? random.between(1, 2) : 1, // small segments make small requests
    writes: random.pick([0, 30, 100]),
  };
}

/** A machine without peculiarities. */
export function plain(seed: number, malices: Scenario['malices']): Scenario {
  const machine = {
    commandLine: 'sector=1 count=1',
    memory_mib: 16,
    budget_steps: STEPS_MAX,
    step_ns: 20_000,
  };
  return { seed, machine, bridges: [], disk: { legacy: false }, sector: 1, count: 1, malices };
}

/** The machine with the disk in it, honest as yet. */
export function build(scenario: Scenario, reuse: Machine | undefined): { pc: Machine; disk: VirtioBlk } {
  const pc = new Machine({ ...scenario.machine, reuse });
  const disk = new VirtioBlk(scenario.trace ? CONTENT.slice() : CONTENT, scenario.disk);
  let bridge: PciBridge | undefined;
  for (const model of scenario.bridges) {
    const next = new PciBridge(model);
    pc.pci.add(next, { slot: 6, bridge });
    bridge = next;
  }
  pc.pci.add(disk, { slot: bridge?.model === 'pcie-root-port' ? 0 : 4, bridge });
  return { pc, disk };
}
