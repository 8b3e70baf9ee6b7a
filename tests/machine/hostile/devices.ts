// One run of the driver fuzzer against another device than a disk: its job does its work, as far as the device lets it.
// The judges ask what no malice excuses: an end, in order or by a panic of the kernel's own, buffers in memory for
// devices, and all other memory as it was.

import {
  type Chain,
  intercept,
  type Kernel,
  MALICES,
  Machine,
  type Malice,
  makeHostile,
  maliceNames,
  NETWORK_MALICES,
  type PciDevice,
  Random,
  type Result,
  VirtioBalloon,
  VirtioConsole,
  type VirtioDevice,
  VirtioNet,
  type VirtioOptions,
  VirtioRng,
} from '../../../machine/index.ts';
import { TALKS, udp } from '../wire.ts';
import { judgeEnd } from './run.ts';

const MIB = 2 ** 20;
const MEMORY_MIB = 16;
const FRAMES_START = 10 * MIB;
const HOLE = [2 * MIB, 8 * MIB] as const;
const STEPS_MAX = 6_000_000;
const DEAD_TIMER = 'APIC timer stands still';
/** Together with a dead one nobody could wait; and what the kernel is told of its memory is for the disk's runs. */
const LEFT_OUT = ['APIC timer counts anyhow', 'memory map damaged', 'boot information damaged'];
const OF_DISKS = { ...MALICES.blockConfiguration, ...MALICES.blockRequest };
const NAMES = maliceNames.filter((name) => !(name in OF_DISKS) && !LEFT_OUT.includes(name));
const FRAMES: Malice[] = Object.values(NETWORK_MALICES);

interface Subject {
  device: VirtioDevice & PciDevice;
  commandLine: string;
  /** Sees to what its job waits for. */
  prepare?: (pc: Machine) => void;
}

const SUBJECTS: ((random: Random, options: VirtioOptions) => Subject)[] = [
  (random, options) => ({
    device: new VirtioRng(options),
    commandLine: `job=rng bytes=${random.pick([0, 1, 32, 600])}`,
  }),
  (random, options) => {
    const frames = random.shuffle([...TALKS.map(({ frame }) => frame)]).slice(0, random.between(1, 20));
    const peer = (_frame: Uint8Array, self: VirtioNet) => {
      if (self.sent.length !== 1) return;
      for (const frame of [...frames, udp(Buffer.from('enough'))]) self.receive(frame);
    };
    const device = new VirtioNet({ ...options, peer, mergeable: !random.once(3) });
    return { device, commandLine: 'job=net stop=enough seconds=2' };
  },
  (random, options) => {
    const text = Array.from({ length: random.below(300) }, () => String.fromCharCode(random.below(256)));
    const output = (_text: string, self: VirtioConsole) => {
      if (self.text.endsWith('waits for input\r\n')) self.receive(text.join(''));
    };
    return {
      device: new VirtioConsole({ ...options, output }),
      commandLine: 'job=console seconds=1 console=virtio',
    };
  },
  (random, options) => {
    const device = new VirtioBalloon({ ...options, vectors: random.pick([0, 1, 4]) });
    const prepare = (pc: Machine) => {
      for (let i = 1; i <= 4; i++)
        pc.clock.schedule(i * 200_000_000, () => {
          device.want(random.below(3000));
          device.askStatistics(() => {});
        });
    };
    return { device, prepare, commandLine: 'job=balloon changes=4 seconds=2' };
  },
];

let last: Machine | undefined;

/** What is wrong with the run of a seed; undefined: nothing. */
export function fuzzDevice(seed: number, kernel: Kernel): string | undefined {
  const random = new Random(seed);
  const { device, commandLine, prepare } = random.pick(SUBJECTS)(random, optionsOf(random));
  const malices = Array.from({ length: random.below(4) }, () => random.pick(NAMES));
  const frames = device instanceof VirtioNet && random.once(2) ? [random.pick(FRAMES)] : [];
  const step_ns = malices.includes(DEAD_TIMER) ? 100_000 : 20_000;
  const pc = new Machine({
    memory_mib: MEMORY_MIB,
    budget_steps: STEPS_MAX,
    step_ns,
    commandLine,
    reuse: last,
  });
  last = pc;
  pc.pci.add(device, { slot: 4 });
  prepare?.(pc);
  const complaints: string[] = [];
  watch(device, complaints);
  const attacks = [...malices, ...frames].map((malice) => makeHostile(pc, device, malice, random.next()));
  const result = pc.run(kernel);
  const struck = attacks.some(({ acts }) => acts > 0);
  const failure =
    judgeEnd(result) ??
    complaints[0] ??
    judgeMemory(pc) ??
    (struck ? undefined : judgeHonest(result, device));
  if (failure === undefined) return undefined;
  const what = [...malices, ...frames.map(({ name }) => name)].join(', ') || 'no malice';
  return `seed ${seed}, ${device.constructor.name}, ${what}: ${failure}\n${result.lines.join('\n')}`;
}

function optionsOf(random: Random): VirtioOptions {
  return {
    ...random.pick([{}, {}, { legacy: false }, { modern: false }]),
    eventIndex: !random.once(3),
    indirect: !random.once(3),
    packed: random.once(3),
    inOrder: random.once(4),
    queueSize: random.pick([2, 4, 8, 64, 256]),
    vectors: random.pick([0, 1, 2, 4]),
  };
}

/** Each buffer lies in memory for devices, and none in another of its chain. */
function watch(device: VirtioDevice, complaints: string[]): void {
  intercept(device, 'makeRing', (make) => (queue) => {
    const ring = make(queue);
    intercept(ring, 'next', (next) => () => {
      const chain = next();
      const complaint = chain && judgeChain(chain);
      if (complaint) complaints.push(complaint);
      return chain;
    });
    return ring;
  });
}

function judgeChain({ readable, writable }: Chain): string | undefined {
  const segments = [...readable, ...writable];
  for (const [i, { address, bytes }] of segments.entries()) {
    if (address < FRAMES_START || address + bytes > MEMORY_MIB * MIB || bytes === 0)
      return `a buffer of ${bytes} bytes at 0x${address.toString(16)}, which is no memory for devices`;
    if (segments.some((b, j) => j > i && address < b.address + b.bytes && b.address < address + bytes))
      return 'buffers of one chain that overlap';
  }
  return undefined;
}

function judgeMemory({ ram }: Machine): string | undefined {
  const hole = ram.bytes.subarray(...HOLE);
  return Buffer.compare(hole, Buffer.alloc(hole.length)) === 0
    ? undefined
    : 'the hole below 8 MiB has changed';
}

function judgeHonest(result: Result, device: VirtioDevice): string | undefined {
  if (result.end !== 'off') return `${result.end} without a malice`;
  if (device.broken) return 'the driver broke a rule';
  return device instanceof VirtioBalloon ? device.complaints[0] : undefined;
}
