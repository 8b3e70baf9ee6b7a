// One run of the driver fuzzer about hot-plug: cards come and go at any time, in slots that lie, while the monitor waits. It must
// still be there at the end, and all memory but the kernel's own as it was.

import {
  type Kernel,
  Machine,
  makeSlotHostile,
  PciBridge,
  Random,
  type Result,
  SLOTS,
  type SlotMalice,
  VirtioBlk,
  VirtioRng,
} from '../../../machine/index.ts';

const MIB = 2 ** 20;
const MS_NS = 1_000_000;
const END_MS = 12_000;
const NAMES = Object.keys(SLOTS) as SlotMalice[];

let last: Machine | undefined;

/** `only`: this malice, alone. */
export function fuzzSlots(
  seed: number,
  kernel: Kernel,
  only?: SlotMalice,
): { failure?: string; result: Result } {
  const random = new Random(seed);
  const express = only === undefined ? random.once(2) : !/^(hot-plug|bridge)/.test(only);
  const bridgeOnly = only?.startsWith('bridge') === true;
  const cpus = random.pick([1, 1, 2, 4]);
  const pc: Machine = new Machine({
    ...{ machine: express ? 'q35' : 'pc', memory_mib: 16, cpus, step_ns: 20_000, budget_steps: 6_000_000 },
    ...{ commandLine: 'job=shell', reuse: last },
  });
  last = pc;
  const port = express ? new PciBridge('pcie-root-port', { buses: random.below(4) }) : undefined;
  if (port) pc.pci.add(port, { slot: 6 });
  const slot = express ? 0 : 7;
  const card = () => (random.once(2) ? new VirtioBlk(new Uint8Array(64 * 512)) : new VirtioRng());
  /** One more, if the bridge is still there. */
  const later = (bridge: PciBridge) => {
    if ([...pc.pci.functions()].includes(bridge)) pc.pci.add(card(), { bridge, slot: random.between(4, 31) });
  };
  const put = () => {
    if (bridgeOnly || random.once(3)) {
      const bridge = new PciBridge(express ? 'x3130-upstream' : 'pci-bridge');
      const down = express ? new PciBridge('xio3130-downstream') : bridge;
      pc.pci.add(bridge, { bridge: port, slot });
      if (express) pc.pci.add(down, { bridge });
      pc.pci.add(card(), { bridge: down, slot: express ? 0 : random.between(1, 3) });
      if (!express) pc.clock.schedule(random.between(1, 900) * MS_NS, () => later(down));
    } else {
      pc.pci.add(card(), { bridge: port, slot });
    }
  };
  if (random.once(2)) put();
  const malices = only ? [only] : Array.from({ length: random.between(1, 3) }, () => random.pick(NAMES));
  for (const malice of malices) makeSlotHostile(pc, port, malice, random.next());
  const there = () => (port?.secondary ?? pc.pci.root).functions[slot << 3];
  for (let i = random.between(1, 6); i > 0; i--) {
    pc.clock.schedule(random.between(50, 3000) * MS_NS, () => {
      const fn = there();
      if (fn === undefined) put();
      else if (express && random.once(2)) pc.pci.pull(fn);
      else pc.pci.release(fn);
    });
  }
  pc.clock.schedule(END_MS * MS_NS, () => pc.serial.receive('lspci\rblk\rmem\rpoweroff\r'));
  const firmware = Buffer.alloc(MIB);
  const start = pc.startFirmware.bind(pc);
  pc.startFirmware = () => {
    const info = start();
    firmware.set(pc.ram.bytes.subarray(0, MIB));
    return info;
  };
  const result = pc.run(kernel);
  return { failure: judge(pc, result, firmware), result };
}

function judge(pc: Machine, { end, lines, error }: Result, firmware: Buffer): string | undefined {
  if (end === 'error') return `no end: ${error?.stack ?? error}`;
  if (end !== 'off') return `ended by ${end}: ${lines.find((line) => line.startsWith('panic: '))}`;
  if (!lines.some((line) => /objects take/.test(line))) return 'the monitor does not answer';
  if (Buffer.compare(pc.ram.bytes.subarray(0, MIB), firmware) !== 0) return 'low memory has changed';
  return undefined;
}
