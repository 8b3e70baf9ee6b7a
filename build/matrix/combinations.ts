// Combinations of what single.ts shows alone: every two choices of different axes meet in a row, where QEMU has them together.

import type { Variables } from '../qemu/options.ts';
import { BY_PIN, COUNTED, type Configuration, features, TRANSPORTS, vectors } from './configuration.ts';
import { type Choice, pairwise } from './pairs.ts';
import { PLACES } from './single.ts';

interface Part extends Choice {
  machine?: Variables;
  says?: RegExp[];
  direct?: boolean;
  format?: string;
}

const MODERN_MMIO = '-global virtio-mmio.force-legacy=false';

/** What only a PCI function has, and what a bus without ports has not. */
const OF_PCI = [
  ...['modern only', 'legacy only', 'an IOMMU', 'no vector', 'one vector', 'two vectors'],
  ...['traps as doorbells', 'doorbells by I/O port', 'a page for each doorbell'],
];
const onMachine = (machine: 'pc' | 'q35') => PLACES.filter(([, on]) => on === machine).map(([name]) => name);
const PACKED = ['a packed ring', 'a packed ring without extras'];

const MACHINES: Part[] = [
  { name: 'pc', machine: { MACHINE: 'pc' }, excludes: onMachine('q35') },
  { name: 'q35', machine: { MACHINE: 'q35' }, excludes: onMachine('pc') },
  { name: 'pc by -kernel', machine: { MACHINE: 'pc' }, direct: true, excludes: onMachine('q35') },
  { name: 'q35 by -kernel', machine: { MACHINE: 'q35' }, direct: true, excludes: onMachine('pc') },
  {
    name: 'microvm',
    machine: { MACHINE: 'microvm', QEMUEXTRA: MODERN_MMIO },
    direct: true,
    excludes: [...OF_PCI, ...PLACES.map(([name]) => name), 'as function 3', 'an I/O thread'],
  },
  {
    name: 'microvm, legacy',
    machine: { MACHINE: 'microvm' },
    direct: true,
    excludes: [...OF_PCI, ...PACKED, ...PLACES.map(([name]) => name), 'as function 3', 'an I/O thread'],
  },
  {
    name: 'microvm with PCI',
    machine: { MACHINE: 'microvm,pcie=on' },
    direct: true,
    excludes: ['legacy only', 'doorbells by I/O port', 'a root port of another root', ...onMachine('pc')],
  },
];

const CPUS: Part[] = ['qemu64', 'core2duo', 'Haswell', 'Skylake-Server', 'EPYC', 'max'].map((name) => ({
  name,
  machine: { QEMUEXTRA: `-cpu ${name}` },
}));

const COUNTS: Part[] = ['2', '1', '3', '8', '16'].map((SMP) => ({ name: `${SMP} CPUs`, machine: { SMP } }));

const SIZES: Part[] = ['512M', '32M', '3G', '6G'].map((MEM) => ({ name: MEM, machine: { MEM } }));

const BUSES: Part[] = [
  { name: 'slot 4' },
  ...PLACES.map(([name, , QEMUEXTRA, BLK]) => ({ name, machine: { QEMUEXTRA, BLK } })),
  {
    name: 'as function 3',
    machine: { BLK: 'addr=5.3', QEMUEXTRA: '-device virtio-rng-pci,addr=5.0,multifunction=on' },
  },
];

const RINGS: Part[] = [
  { name: 'a split ring' },
  { name: 'modern only', machine: { BLK: 'disable-legacy=on' }, says: [TRANSPORTS.modern] },
  {
    name: 'legacy only',
    machine: { BLK: 'disable-legacy=off,disable-modern=on' },
    says: [TRANSPORTS.legacy],
    excludes: ['doorbells by I/O port', 'a page for each doorbell'],
  },
  { name: 'a packed ring', machine: { BLK: 'packed=on' }, says: [features('RING_PACKED')] },
  {
    name: 'a packed ring without extras',
    machine: { BLK: 'packed=on,event_idx=off,indirect_desc=off' },
    says: [features('RING_PACKED !EVENT_IDX !INDIRECT_DESC')],
  },
  { name: 'no events', machine: { BLK: 'event_idx=off' }, says: [features('!EVENT_IDX')] },
  { name: 'no tables', machine: { BLK: 'indirect_desc=off' }, says: [features('!INDIRECT_DESC')] },
  {
    name: 'an IOMMU',
    machine: { BLK: 'iommu_platform=on,disable-legacy=on' },
    says: [features('ACCESS_PLATFORM')],
  },
];

const VECTORS: Part[] = [
  { name: 'all vectors' },
  {
    name: 'no vector',
    machine: { BLK: 'vectors=0' },
    says: [BY_PIN],
    excludes: ['a root port of another root'],
  },
  { name: 'one vector', machine: { BLK: 'vectors=1' }, says: [vectors(1)] },
  { name: 'two vectors', machine: { BLK: 'vectors=2' }, says: [vectors(2)] },
];

const LENGTHS: Part[] = [
  { name: 'a ring of 256' },
  { name: 'a ring of 4', machine: { BLK: 'queue-size=4,seg-max-adjust=off' } },
  { name: 'a ring of 16', machine: { BLK: 'queue-size=16' } },
  { name: 'a ring of 1024', machine: { BLK: 'queue-size=1024' } },
];

const DOORBELLS: Part[] = [
  { name: 'ioeventfd' },
  { name: 'traps as doorbells', machine: { BLK: COUNTED } },
  { name: 'doorbells by I/O port', machine: { BLK: 'modern-pio-notify=on' } },
  { name: 'a page for each doorbell', machine: { BLK: 'page-per-vq=on' } },
  { name: 'an I/O thread', machine: { BLK: 'iothread=io', QEMUEXTRA: '-object iothread,id=io' } },
];

const BLOCKS: Part[] = [
  { name: 'blocks of 512' },
  {
    name: 'blocks of 4096',
    machine: { BLK: 'logical_block_size=4096,physical_block_size=4096' },
    says: [/, block size 4096, /],
  },
];

const FORMATS: Part[] = [{ name: 'raw' }, { name: 'qcow2', format: 'qcow2' }];

const CACHES: Part[] = [
  { name: 'a write cache' },
  {
    name: 'no write cache',
    machine: { BLK: 'config-wce=off,write-cache=off' },
    says: [features('!FLUSH !CONFIG_WCE')],
  },
  {
    name: 'no discard',
    machine: { BLK: 'discard=off,write-zeroes=off' },
    says: [features('!DISCARD !WRITE_ZEROES')],
  },
];

const AXES = [
  ...[MACHINES, BUSES, RINGS, CPUS, COUNTS, DOORBELLS, SIZES, VECTORS, LENGTHS],
  ...[CACHES, BLOCKS, FORMATS],
];

/** What needs no mention. */
const USUAL = new Set(AXES.slice(1).map(([first]) => first));

/** One in so many is booted in every test run. */
const OFTEN_STEP = 10;

export const COMBINATIONS: Configuration[] = pairwise(AXES).map((parts, i) => {
  const unusual = parts.filter((part) => !USUAL.has(part));
  const joined = (name: string, separator: string) =>
    parts.flatMap((part) => part.machine?.[name] ?? []).join(separator);
  const one = (name: string) => parts.find((part) => part.machine?.[name])?.machine?.[name];
  const format = parts.find((part) => part.format !== undefined)?.format;
  return {
    name: `mixed: ${unusual.map(({ name }) => name).join(', ')}`,
    machine: {
      ...{ MACHINE: one('MACHINE'), SMP: one('SMP'), MEM: one('MEM') },
      ...{ BLK: joined('BLK', ','), QEMUEXTRA: joined('QEMUEXTRA', ' ') },
    },
    often: i % OFTEN_STEP === 0,
    direct: parts.some((part) => part.direct),
    disk: { format },
    says: parts.flatMap((part) => part.says ?? []),
    ...(isCounted(parts) ? { kicks: 2, interrupts: 2 } : {}),
  };
});

/** Another virtio device may be quick enough to add its own. */
function isCounted(parts: readonly Part[]): boolean {
  const alone = !parts.some(({ machine }) => machine?.QEMUEXTRA?.includes('-device virtio-'));
  return alone && parts.some(({ machine }) => machine?.BLK === COUNTED);
}
