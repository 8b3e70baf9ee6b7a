// Configurations that each show one thing: every property of the disk on pc and q35, every place on the buses, CPU models, sizes of
// RAM, numbers of CPUs, machine versions, formats on the host, and microvm.

import {
  BY_PIN,
  COUNTED,
  type Configuration,
  DISK_FILE,
  features,
  TRANSPORTS,
  vectors,
} from './configuration.ts';

const { legacy, modern } = TRANSPORTS;
type Traits = Omit<Configuration, 'name' | 'machine'>;

/** Properties of the disk, with what the kernel must see of them. */
const PROPERTIES: [name: string, BLK: string, traits: Traits][] = [
  [
    'as it comes',
    '',
    { says: [modern, vectors(3), features('SEG_MAX GEOMETRY BLK_SIZE FLUSH TOPOLOGY CONFIG_WCE')] },
  ],
  ['modern only', 'disable-legacy=on', { says: [modern] }],
  ['legacy only', 'disable-legacy=off,disable-modern=on', { says: [legacy, features('!VERSION_1')] }],
  ['legacy without EVENT_IDX', 'disable-modern=on,event_idx=off', { says: [legacy, features('!EVENT_IDX')] }],
  [
    'legacy without indirect descriptors',
    'disable-modern=on,indirect_desc=off',
    { says: [features('!INDIRECT_DESC')] },
  ],
  ['without EVENT_IDX', 'event_idx=off', { says: [features('!EVENT_IDX INDIRECT_DESC')] }],
  ['without indirect descriptors', 'indirect_desc=off', { says: [features('EVENT_IDX !INDIRECT_DESC')] }],
  ['without both', 'event_idx=off,indirect_desc=off', { says: [features('!EVENT_IDX !INDIRECT_DESC')] }],
  ['packed ring', 'packed=on', { says: [features('RING_PACKED')] }],
  [
    'packed ring, without both',
    'packed=on,event_idx=off,indirect_desc=off',
    { says: [features('RING_PACKED !EVENT_IDX')] },
  ],
  ['no vector', 'vectors=0', { says: [BY_PIN] }],
  ['one vector', 'vectors=1', { says: [vectors(1)] }],
  ['four queues and two vectors', 'num-queues=4,vectors=2', { says: [vectors(2), features('MQ')] }],
  ['one queue', 'num-queues=1', { says: [features('!MQ')] }],
  ['a ring smaller than seg_max', 'queue-size=4,seg-max-adjust=off', { says: [/, 126 segments, /] }],
  [
    'a packed ring smaller than seg_max',
    'packed=on,queue-size=4,seg-max-adjust=off',
    { says: [/, 126 segments, /] },
  ],
  ['a long ring', 'queue-size=1024', { says: [/, 1022 segments, /] }],
  ['a long packed ring', 'packed=on,queue-size=1024', { says: [/, 1022 segments, /] }],
  ['kicks by I/O port', 'modern-pio-notify=on', {}],
  ['a page for each doorbell', 'page-per-vq=on', {}],
  ['an IOMMU’s addresses', 'iommu_platform=on,disable-legacy=on', { says: [features('ACCESS_PLATFORM')] }],
  [
    'blocks of 4096 bytes',
    'logical_block_size=4096,physical_block_size=4096',
    { says: [/, block size 4096, /] },
  ],
  [
    'blocks of 512 in 4096 bytes',
    'physical_block_size=4096',
    { says: [/, block size 512, .*, topology 2\^3\+0, /] },
  ],
  ['no write cache', 'config-wce=off,write-cache=off', { says: [features('!FLUSH !CONFIG_WCE')] }],
  ['no discard', 'discard=off,write-zeroes=off', { says: [features('!DISCARD !WRITE_ZEROES')] }],
  ['a serial number', 'serial=yaos-42', {}],
  ['another slot', 'addr=9', { at: '0000:00:09.0' }],
  ['a slot’s function', 'addr=4.0,multifunction=on', {}],
];

/** Disks that are attached in another way than by BLK. */
const ATTACHED: [name: string, QEMUEXTRA: string, traits: Traits][] = [
  ['transitional device', disk('virtio-blk-pci-transitional'), { says: [modern] }],
  ['non-transitional device', disk('virtio-blk-pci-non-transitional'), { says: [modern] }],
  ['read-only', disk('virtio-blk-pci', 'readonly=on'), { says: [features('RO'), /, read-only, /] }],
  ['throttled', disk('virtio-blk-pci', 'throttling.iops-total=100'), {}],
  [
    'null-co, which reads zeros',
    '-blockdev driver=null-co,node-name=disk,read-zeroes=on,size=8192 -device virtio-blk-pci,drive=disk,addr=4',
    { disk: { sectors: 16, blank: true } },
  ],
];

function disk(device: string, drive = 'snapshot=on'): string {
  return `-drive if=none,id=disk,format=raw,${drive},file=${DISK_FILE} -device ${device},drive=disk,addr=4,${COUNTED}`;
}

/** Other devices and things around the disk. */
const AROUND: [name: string, machine: Configuration['machine'], traits?: Traits][] = [
  ['with ioeventfd', {}, { interrupts: 2 }],
  ['an I/O thread', { BLK: 'iothread=io', QEMUEXTRA: '-object iothread,id=io' }],
  [
    'a second disk',
    { QEMUEXTRA: '-blockdev driver=null-co,node-name=n,size=4096 -device virtio-blk-pci,drive=n,addr=8' },
  ],
  [
    'every other virtio device',
    {
      QEMUEXTRA:
        '-device virtio-rng-pci -device virtio-balloon-pci -device virtio-serial-pci -netdev user,id=n -device virtio-net-pci,netdev=n',
    },
  ],
  [
    'as function 3',
    { BLK: `addr=5.3,${COUNTED}`, QEMUEXTRA: '-device virtio-rng-pci,addr=5.0,multifunction=on' },
    { at: '0000:00:05.3' },
  ],
  [
    'a disk of one sector',
    {},
    {
      disk: { sectors: 1 },
      panics: /^the disk cannot be read/,
      says: [/: cannot read sector 1: the capacity is 1$/],
    },
  ],
  ['a disk of two sectors', {}, { disk: { sectors: 2 } }],
  ['without ACPI, so with one CPU', { QEMUEXTRA: '-machine acpi=off', SMP: '1' }],
  ['without HPET', { QEMUEXTRA: '-machine hpet=off' }],
  [
    'firmware that assigns nothing',
    { QEMUEXTRA: '-bios qboot.rom' },
    { direct: true, says: [/^pci: .* BAR 1: .*: placed$/] },
  ],
  ...[1, 3, 4, 8, 16].map((count): [string, Configuration['machine'], Traits] => [
    `${count} CPUs`,
    { SMP: String(count), BLK: COUNTED },
    { says: [vectors(count + 1), features(count > 1 ? 'MQ' : '!MQ')] }, // a queue for each CPU
  ]),
  ...['32M', '64M', '1G', '3G', '4G', '5G', '6G'].map((MEM): [string, Configuration['machine']] => [
    `${MEM} of RAM`,
    { MEM },
  ]),
  ...[
    'qcow2',
    'qcow2,compat=0.10',
    'qcow2,cluster_size=512',
    'qcow2,extended_l2=on',
    'qed',
    'vdi',
    'vmdk',
    'vhdx',
  ].map((format): [string, Configuration['machine'], Traits] => {
    const [driver] = format.split(',');
    const attached = { QEMUEXTRA: disk('virtio-blk-pci').replace('format=raw', `format=${driver}`) };
    return [format, driver === 'qcow2' ? { BLK: COUNTED } : attached, { disk: { format, sectors: 4096 } }];
  }),
];

/** Where a disk can be: on a bus with the id b. */
export const PLACES: [name: string, machine: 'pc' | 'q35', bridges: string, BLK: string][] = [
  ['a root port', 'q35', '-device pcie-root-port,id=b', 'bus=b'],
  [
    'a switch',
    'q35',
    '-device pcie-root-port,id=a -device x3130-upstream,id=u,bus=a -device xio3130-downstream,id=b,bus=u,chassis=9',
    'bus=b',
  ],
  ['a PCIe-to-PCI bridge', 'q35', '-device pcie-pci-bridge,id=b', 'bus=b,addr=3'],
  [
    'a PCI bridge behind a switch',
    'q35',
    '-device pcie-root-port,id=a -device x3130-upstream,id=u,bus=a -device xio3130-downstream,id=d,bus=u,chassis=9 -device pcie-pci-bridge,id=b,bus=d',
    'bus=b,addr=2',
  ],
  [
    'a root port of another root',
    'q35',
    '-device pxb-pcie,id=x,bus_nr=128 -device pcie-root-port,id=b,bus=x',
    'bus=b',
  ],
  ['a PCI bridge', 'pc', '-device pci-bridge,id=b,chassis_nr=1', 'bus=b,addr=5'],
  [
    'three PCI bridges',
    'pc',
    '-device pci-bridge,id=x,chassis_nr=1 -device pci-bridge,id=y,chassis_nr=2,bus=x,addr=3 -device pci-bridge,id=b,chassis_nr=3,bus=y,addr=4',
    'bus=b,addr=5',
  ],
  ['another root', 'pc', '-device pxb,id=b,bus_nr=32', 'bus=b,addr=1'],
];

/** With and without pages of 1 GiB, NX, SMEP, SMAP, UMIP, 57 bits of addresses, and of both makers. */
export const CPU_MODELS = [
  ...[
    'qemu64',
    'kvm64',
    'core2duo',
    'phenom',
    'Nehalem',
    'SandyBridge',
    'Haswell',
    'Skylake-Server',
    'Icelake-Server',
  ],
  ...['Opteron_G1', 'EPYC', 'EPYC-Milan', 'max', 'max,la57=off', 'qemu64,+pdpe1gb', 'max,-smep,-smap,-umip'],
];

/** What they changed: virtio 1.0 off by default, fewer queues, shorter rings, older ACPI tables. */
const VERSIONS: ['pc' | 'q35', string[]][] = [
  [
    'pc',
    ['pc-i440fx-2.0', 'pc-i440fx-2.6', 'pc-i440fx-2.12', 'pc-i440fx-4.2', 'pc-i440fx-5.1', 'pc-i440fx-6.0'],
  ],
  ['q35', ['pc-q35-2.4', 'pc-q35-2.12', 'pc-q35-4.2', 'pc-q35-5.1', 'pc-q35-6.0']],
];

function onPc(MACHINE: 'pc' | 'q35'): Configuration[] {
  const TWO = { kicks: 2, interrupts: 2 };
  return [
    ...PROPERTIES.map(([name, blk, traits]) => {
      const BLK = blk === '' ? COUNTED : `${blk},${COUNTED}`;
      const SMP = blk.includes('num-queues=4') ? '4' : '2';
      return { name, machine: { BLK, SMP }, at: '0000:00:04.0', ...TWO, ...traits };
    }),
    ...ATTACHED.map(([name, QEMUEXTRA, traits]) => ({
      name,
      machine: { QEMUEXTRA },
      at: '0000:00:04.0',
      ...traits,
    })),
    ...AROUND.map(([name, machine, traits]) => ({
      name,
      machine,
      ...(machine.BLK === COUNTED ? TWO : {}),
      ...traits,
    })),
  ].map((row, i) => ({
    ...row,
    name: `${MACHINE}: ${row.name}`,
    machine: { ...row.machine, MACHINE },
    often: i < PROPERTIES.length + ATTACHED.length && i % 2 === (MACHINE === 'pc' ? 0 : 1), // each on one of the two
  }));
}

/** Of the rest, one in so many is booted in every test run. */
const OFTEN_STEP = 8;

function rest(): Configuration[] {
  return [
    ...(['pc', 'q35'] as const).map((MACHINE) => ({
      name: `${MACHINE}: -kernel`,
      machine: { MACHINE, BLK: COUNTED },
      direct: true,
      kicks: 2,
      interrupts: 2,
    })),
    ...PLACES.map(([name, MACHINE, QEMUEXTRA, BLK]) => ({
      name: `${MACHINE}: behind ${name}`,
      machine: { MACHINE, QEMUEXTRA, BLK: `${BLK},${COUNTED}` },
      kicks: 2,
      interrupts: 2,
    })),
    ...CPU_MODELS.map((model) => ({ name: `pc: CPU ${model}`, machine: { QEMUEXTRA: `-cpu ${model}` } })),
    ...VERSIONS.flatMap(([MACHINE, versions]) =>
      versions.map((version) => ({
        name: `machine ${version}`,
        machine: { MACHINE, QEMUEXTRA: `-machine ${version}` },
      })),
    ),
    ...microvm(),
  ].map((row, i) => ({ ...row, often: i % OFTEN_STEP === 0 }));
}

function microvm(): Configuration[] {
  const types = ['', ',ioapic2=off', ',pit=on,pic=on,rtc=on', ',pit=off,pic=off,rtc=off', ',acpi=off'];
  const kinds: [string, RegExp, string][] = [
    ['legacy', legacy, ''],
    ['modern', modern, '-global virtio-mmio.force-legacy=false'],
  ];
  const mmio = kinds.flatMap(([kind, transport, QEMUEXTRA]) => [
    ...types.map((type) => {
      const SMP = type === ',acpi=off' ? '1' : '2'; // ACPI's tables have the CPUs
      return [`${kind}${type}`, { MACHINE: `microvm${type}`, QEMUEXTRA, SMP }, transport] as const;
    }),
    ...[
      'event_idx=off',
      'indirect_desc=off',
      'event_idx=off,indirect_desc=off',
      'queue-size=1024',
      'logical_block_size=4096,physical_block_size=4096',
    ].map((BLK) => [`${kind}, ${BLK}`, { MACHINE: 'microvm', QEMUEXTRA, BLK }, transport] as const),
    [`${kind}, 4 CPUs`, { MACHINE: 'microvm', QEMUEXTRA, SMP: '4' }, transport] as const,
  ]);
  const packed = { MACHINE: 'microvm', QEMUEXTRA: kinds[1][2], BLK: 'packed=on' };
  return [
    ...mmio.map(([name, machine, transport]) => ({
      name: `microvm: ${name}`,
      machine,
      says: [transport, BY_PIN],
      interrupts: 2,
    })),
    { name: 'microvm: modern, packed', machine: packed, says: [features('RING_PACKED')] },
    { name: 'microvm: PCI', machine: { MACHINE: 'microvm,pcie=on' }, says: [vectors(3)] },
    {
      name: 'microvm: PCI, no vector',
      machine: { MACHINE: 'microvm,pcie=on', BLK: 'vectors=0' },
      says: [BY_PIN],
    },
    {
      name: 'microvm: PCI, behind a root port',
      machine: { MACHINE: 'microvm,pcie=on', BLK: 'bus=b', QEMUEXTRA: PLACES[0][2] },
    },
  ].map((row) => ({ ...row, direct: true }));
}

export const SINGLE: Configuration[] = [...onPc('pc'), ...onPc('q35'), ...rest()];
