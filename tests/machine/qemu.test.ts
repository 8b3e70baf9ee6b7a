// The same kernel on the same disk in QEMU and in the model: the log line by line, and the kicks and interrupts as QEMU's
// trace counts them. Only what is measured may differ.

import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { FROM_KERNEL } from '../../build/qemu/command.ts';
import {
  Machine,
  type MachineOptions,
  PciBridge,
  VirtioBlk,
  type VirtioBlkOptions,
} from '../../machine/index.ts';
import { Workbench } from '../qemu/machine.ts';
import { normalised } from './log.ts';

const bench = new Workbench();
afterAll(() => bench.remove());

const MEM = 128;

interface Case {
  name: string;
  machine?: 'pc' | 'q35' | 'microvm';
  /** QEMU's properties of the disk, and the model's. */
  blk?: string;
  options?: VirtioBlkOptions;
  command?: string;
  sectors?: number;
  /** More of QEMU's arguments for microvm. */
  extra?: string;
  bridge?: { extra: string; place: string; put: (machine: Machine) => { bridge: PciBridge; slot?: number } };
}

async function compare(settings: Case): Promise<void> {
  const { machine = 'pc', blk, options, command, sectors, bridge, extra = LEGACY_MMIO } = settings;
  const disk = bench.disk(sectors);
  const micro = machine === 'microvm';
  const properties = [bridge?.place, blk, micro ? undefined : 'ioeventfd=off'].filter(
    (text) => text !== undefined,
  );
  const variables = {
    ...{ MACHINE: machine, MEM: `${MEM}M`, SMP: '1', DISK: disk.path, APPEND: command },
    ...{ BLK: properties.join(','), QEMUEXTRA: micro ? extra : bridge?.extra },
  };
  const qemu = await bench.boot(variables, micro);
  const given: MachineOptions = { machine, memory_mib: MEM, commandLine: command };
  const pc = new Machine(micro ? { ...given, loaderLine: `${FROM_KERNEL.kernel} ` } : given);
  const device = new VirtioBlk(readFileSync(disk.path), options);
  if (micro) pc.mmio.add(device);
  else pc.pci.add(device, bridge ? bridge.put(pc) : { slot: 4 });
  const model = await pc.boot();
  expect(normalised(model.lines)).toEqual(normalised(qemu.lines));
  expect(model.status).toBe(qemu.status);
  expect({ kicks: device.kicks, interrupts: device.interrupts }).toEqual({
    kicks: qemu.kicks,
    interrupts: qemu.interrupts,
  });
}

const LEGACY_MMIO = '-global virtio-mmio.ioeventfd=off';
const MODERN_MMIO = `${LEGACY_MMIO} -global virtio-mmio.force-legacy=false`;
const MMIO_WITHOUT_BOTH = {
  extra: MODERN_MMIO,
  blk: 'event_idx=off,indirect_desc=off',
  options: { eventIndex: false, indirect: false },
};

const devices: Case[] = [
  { name: 'as it comes' },
  { name: 'modern only', blk: 'disable-legacy=on', options: { legacy: false } },
  { name: 'legacy only', blk: 'disable-modern=on', options: { modern: false } },
  { name: 'without EVENT_IDX', blk: 'event_idx=off', options: { eventIndex: false } },
  { name: 'without indirect descriptors', blk: 'indirect_desc=off', options: { indirect: false } },
  {
    name: 'legacy without both',
    blk: 'disable-modern=on,event_idx=off,indirect_desc=off',
    options: { modern: false, eventIndex: false, indirect: false },
  },
  { name: 'one vector', blk: 'vectors=1', options: { vectors: 1 } },
  { name: 'no vector', blk: 'vectors=0', options: { vectors: 0 } },
  { name: 'four queues', blk: 'num-queues=4', options: { queues: 4 } },
  { name: 'four queues and two vectors', blk: 'num-queues=4,vectors=2', options: { queues: 4, vectors: 2 } },
  {
    name: 'a ring smaller than seg_max',
    blk: 'queue-size=4,seg-max-adjust=off',
    options: { queueSize: 4, segMaxAdjust: false },
  },
  { name: 'a long ring', blk: 'queue-size=1024', options: { queueSize: 1024 } },
  { name: 'doorbells by I/O port', blk: 'modern-pio-notify=on', options: { portDoorbell: true } },
  { name: 'a page for each doorbell', blk: 'page-per-vq=on', options: { pagePerQueue: true } },
  {
    name: 'an IOMMU’s addresses',
    blk: 'iommu_platform=on,disable-legacy=on',
    options: { accessPlatform: true, legacy: false },
  },
  {
    name: 'blocks of 4096 bytes',
    blk: 'logical_block_size=4096,physical_block_size=4096',
    options: { blockSize: 4096 },
    sectors: 4096,
  },
  {
    name: 'no write cache',
    blk: 'config-wce=off,write-cache=off',
    options: { configWce: false, writeCache: false },
  },
  {
    name: 'no discard',
    blk: 'discard=off,write-zeroes=off',
    options: { discard: false, writeZeroes: false },
  },
  { name: 'many sectors', command: 'sector=0 count=40', sectors: 2000 },
  { name: 'many requests', command: 'sector=1 count=3 repeat=300', sectors: 2000 },
  {
    name: 'many requests without EVENT_IDX',
    command: 'sector=1 count=3 repeat=300',
    sectors: 2000,
    blk: 'event_idx=off',
    options: { eventIndex: false },
  },
  { name: 'a disk of one sector', sectors: 1 },
  { name: 'a sector that is not there', command: 'sector=4000000000' },
];

describe('pc', () => {
  test.each(devices)('$name', (settings) => compare({ ...settings, machine: 'pc' }));
});

describe('q35', () => {
  test.each(devices.slice(0, 4))('$name', (settings) => compare({ ...settings, machine: 'q35' }));
});

const micro: Case[] = [
  { name: 'legacy', options: { modern: false } },
  { name: 'legacy without EVENT_IDX', blk: 'event_idx=off', options: { modern: false, eventIndex: false } },
  { name: 'modern', extra: MODERN_MMIO },
  { name: 'modern without both', ...MMIO_WITHOUT_BOTH },
  { name: 'many requests', extra: MODERN_MMIO, command: 'sector=1 count=3 repeat=300', sectors: 2000 },
  { name: 'a disk of one sector', options: { modern: false }, sectors: 1 },
];
describe('microvm', () => {
  test.each(micro)('$name', (settings) => compare({ ...settings, machine: 'microvm' }));
});

const bridges: Case[] = [
  {
    name: 'a PCI bridge',
    bridge: {
      extra: '-device pci-bridge,id=b,chassis_nr=1,addr=6',
      place: 'bus=b,addr=5',
      put: (pc) => {
        const bridge = new PciBridge('pci-bridge');
        pc.pci.add(bridge, { slot: 6 });
        return { bridge, slot: 5 };
      },
    },
  },
  {
    name: 'two PCI bridges',
    bridge: {
      extra: '-device pci-bridge,id=a,chassis_nr=1,addr=6 -device pci-bridge,id=b,chassis_nr=2,bus=a,addr=3',
      place: 'bus=b,addr=5',
      put: (pc) => {
        const first = new PciBridge('pci-bridge');
        pc.pci.add(first, { slot: 6 });
        const bridge = new PciBridge('pci-bridge');
        pc.pci.add(bridge, { bridge: first, slot: 3 });
        return { bridge, slot: 5 };
      },
    },
  },
  {
    name: 'a root port',
    machine: 'q35',
    bridge: {
      extra: '-device pcie-root-port,id=b,addr=6',
      place: 'bus=b',
      put: (pc) => {
        const bridge = new PciBridge('pcie-root-port');
        pc.pci.add(bridge, { slot: 6 });
        return { bridge };
      },
    },
  },
  {
    name: 'a PCIe-to-PCI bridge',
    machine: 'q35',
    bridge: {
      extra: '-device pcie-pci-bridge,id=b,addr=6',
      place: 'bus=b,addr=3',
      put: (pc) => {
        const bridge = new PciBridge('pcie-pci-bridge');
        pc.pci.add(bridge, { slot: 6 });
        return { bridge, slot: 3 };
      },
    },
  },
  {
    name: 'a switch',
    machine: 'q35',
    bridge: {
      extra:
        '-device pcie-root-port,id=a,addr=6 -device x3130-upstream,id=u,bus=a -device xio3130-downstream,id=b,bus=u,chassis=9',
      place: 'bus=b',
      put: (pc) => {
        const port = new PciBridge('pcie-root-port');
        pc.pci.add(port, { slot: 6 });
        const upstream = new PciBridge('x3130-upstream');
        pc.pci.add(upstream, { bridge: port });
        const bridge = new PciBridge('xio3130-downstream');
        pc.pci.add(bridge, { bridge: upstream });
        return { bridge };
      },
    },
  },
];
describe('behind', () => {
  test.each(bridges)('$name', compare);
});
