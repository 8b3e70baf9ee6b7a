// Malices of a PCI function: its capabilities, its BARs, what it decodes, and its vanishing (PCI 3.0 §6, virtio 1.2 §4.1.4).

import { ones, type Registers } from '../bus/space.ts';
import * as config from '../pci/config.ts';
import { PciFunction } from '../pci/function.ts';
import { type Attack, type Capability, intercept, type Malice } from './attack.ts';

const ID_VENDOR = 0x09;
const ID_MSIX = 0x11;
const MSIX_CONTROL = 2;
const MSIX_TABLE = 4;
const MSIX_CONTROL_SIZE = 0x7ff;

// struct virtio_pci_cap.
const CAP_LENGTH = 2;
const CAP_BAR = 4;
const CAP_OFFSET = 8;
const CAP_BYTES = 12;
const CAP_MULTIPLIER = 16;
const TYPE_NOTIFY = 2;
const TYPE_PCI = 5;

const BARS = 6;

/** One of the structures' capabilities that a driver needs; undefined for a legacy device. */
function structure(attack: Attack): Capability | undefined {
  const found = attack.capabilities.filter(({ id, type }) => id === ID_VENDOR && type !== TYPE_PCI);
  return found.length > 0 ? attack.random.pick(found) : undefined;
}

function change(attack: Attack, at: number, value: number, bytes: 1 | 2 | 4): void {
  const space = attack.pci.config;
  if (bytes === 1) space.set8(at, value);
  else if (bytes === 2) space.set16(at, value);
  else space.set32(at, value);
  attack.act();
}

/** Puts the list together anew, in this order. */
function relink(attack: Attack, order: readonly Capability[]): void {
  let at = config.CAPABILITIES;
  for (const capability of order) {
    change(attack, at, capability.at, 1);
    at = capability.at + 1;
  }
  change(attack, at, 0, 1);
}

/** A structure that is told to be where it is not. */
function misplace(field: number, bytes: 1 | 4, values: (attack: Attack) => number): Malice {
  return (attack) => {
    const capability = structure(attack);
    if (capability) change(attack, capability.at + field, values(attack) >>> 0, bytes);
  };
}

function msix(act: (attack: Attack, at: number) => void): Malice {
  return (attack) => {
    const found = attack.capabilities.find(({ id }) => id === ID_MSIX);
    if (found) act(attack, found.at);
  };
}

/** Since then the device is gone: it answers nobody and reaches nothing. */
function remove(attack: Attack, gone: () => boolean): void {
  const { pci } = attack;
  intercept(pci, 'readConfig', (read) => (offset, width) => (gone() ? ones(width) : read(offset, width)));
  intercept(pci, 'writeConfig', (write) => (offset, width, value) => {
    if (!gone()) write(offset, width, value);
  });
  for (const registers of new Set(pci.bars.map((bar) => bar?.registers))) {
    if (registers === undefined) continue;
    intercept(
      registers as Registers,
      'read',
      (read) => (offset, width) => (gone() ? ones(width) : read(offset, width)),
    );
    intercept(registers as Registers, 'write', (write) => (offset, width, value) => {
      if (!gone()) write(offset, width, value);
    });
  }
  const { enabled } = pci.dma;
  pci.dma.enabled = () => !gone() && enabled();
  intercept(pci, 'interrupt', (interrupt) => (vector) => {
    if (!gone()) interrupt(vector);
  });
}

export const FUNCTIONS = {
  'capabilities loop'(attack) {
    const { capabilities, random } = attack;
    if (capabilities.length === 0) return;
    change(attack, random.pick(capabilities).at + 1, random.pick(capabilities).at, 1);
  },

  'capability points into the header'(attack) {
    const { capabilities, random } = attack;
    if (capabilities.length === 0) return;
    change(attack, random.pick(capabilities).at + 1, random.between(1, 0x3f), 1);
  },

  'capability points anywhere'(attack) {
    const { capabilities, random } = attack;
    if (capabilities.length === 0) return;
    const at = random.once(4) ? config.CAPABILITIES : random.pick(capabilities).at + 1;
    change(attack, at, random.below(256), 1);
  },

  'capabilities in another order'(attack) {
    relink(attack, attack.random.shuffle(attack.capabilities));
  },

  'capability missing'(attack) {
    const { capabilities, random } = attack;
    if (capabilities.length === 0) return;
    const missing = random.pick(capabilities);
    relink(
      attack,
      capabilities.filter((capability) => capability !== missing),
    );
  },

  /** A wrong one of the same kind before the right one. */
  'capability twice'(attack) {
    const capability = structure(attack);
    const { random, pci } = attack;
    const at = 0xec; // if it is free
    if (capability === undefined || attack.capabilities.some((other) => other.at + 12 > at)) return;
    const body = pci.config.bytes.slice(capability.at + 2, capability.at + 20);
    if (random.once(2)) body[CAP_BAR - 2] = random.between(6, 255);
    pci.config.addCapability(ID_VENDOR, body, at);
    attack.act();
  },

  'capability too short'(attack) {
    const capability = structure(attack);
    if (capability) change(attack, capability.at + CAP_LENGTH, attack.random.below(16), 1);
  },

  'capability of an unknown type'(attack) {
    const capability = structure(attack);
    if (capability) change(attack, capability.at + 3, attack.random.pick([0, 6, 7, 8, 100, 255]), 1);
  },

  'capabilities of random bytes'(attack) {
    const { pci, random } = attack;
    for (let i = random.between(1, 6); i > 0; i--)
      change(attack, random.between(0x40, 0xff), random.edge(8), 1);
    pci.config.set8(pci.msix ? pci.msix.capability : 0x40, random.once(8) ? 0 : ID_MSIX);
  },

  'structure in no BAR': misplace(CAP_BAR, 1, ({ random }) => random.between(BARS, 255)),
  'structure in another BAR': misplace(CAP_BAR, 1, ({ random }) => random.below(BARS)),
  'structure beyond its BAR': misplace(CAP_OFFSET, 4, ({ random }) => random.between(0x4000, 0x7fff_ffff)),
  'structure whose end overflows': misplace(CAP_OFFSET, 4, ({ random }) => random.between(-0x4000, -1)),
  'structure at an odd place': misplace(CAP_OFFSET, 4, ({ random }) => random.below(0x4000)),
  'structure of no bytes': misplace(CAP_BYTES, 4, () => 0),
  'structure of few bytes': misplace(CAP_BYTES, 4, ({ random }) => random.between(1, 0x37)),
  'structure of 2^32 - 1 bytes': misplace(CAP_BYTES, 4, () => 0xffff_ffff),

  'doorbell multiplier 0'(attack) {
    setMultiplier(attack, 0);
  },

  'doorbell multiplier huge'(attack) {
    const { random } = attack;
    setMultiplier(attack, random.pick([0xffff_ffff, 0x8000_0000, 0x1_0000, random.next()]));
  },

  'doorbell multiplier huge and offset too'(attack) {
    setMultiplier(attack, attack.random.pick([0xffff_ffff, 0x8000_0000, 0x1_0000]));
    attack.register('notifyOffset', () => attack.random.between(1, 0xffff));
  },

  'MSI-X missing': msix((attack, at) => change(attack, at, 0x10, 1)),
  'MSI-X table in no BAR': msix((attack, at) =>
    change(attack, at + MSIX_TABLE, attack.random.between(6, 7), 4),
  ),
  'MSI-X table in another BAR': msix((attack, at) =>
    change(attack, at + MSIX_TABLE, attack.random.pick([0, 2, 3, 4, 5]), 4),
  ),
  'MSI-X table beyond its BAR': msix((attack, at) => {
    const { random, pci } = attack;
    const offset = random.pick([0x1000, 0xfff8, 0xffff_fff8, random.next()]);
    change(attack, at + MSIX_TABLE, ((offset & ~7) | (pci.config.bytes[at + MSIX_TABLE] & 7)) >>> 0, 4);
  }),
  'MSI-X table too long': msix((attack, at) => {
    const control = attack.pci.config.get16(at + MSIX_CONTROL);
    change(attack, at + MSIX_CONTROL, control | MSIX_CONTROL_SIZE, 2);
  }),
  'MSI-X of one entry': msix((attack, at) => {
    const control = attack.pci.config.get16(at + MSIX_CONTROL);
    change(attack, at + MSIX_CONTROL, control & ~MSIX_CONTROL_SIZE, 2);
  }),

  /** The register keeps no ones when it is sized. */
  'BAR of no bytes'(attack) {
    disguise(attack, () => 0);
  },

  'BAR reads as ones'(attack) {
    disguise(attack, () => 0xffff_ffff);
  },

  'BAR reads as anything'(attack) {
    disguise(attack, () => attack.random.edge(32));
  },

  'BAR of another kind'(attack) {
    const flags = attack.random.between(1, 15);
    disguise(attack, (value) => (value ^ flags) >>> 0);
  },

  /** It says that it decodes addresses that belong to others: RAM, the kernel, the local APIC. */
  'BAR in the way of others'(attack) {
    const { random } = attack;
    const address = random.pick([
      ...[0, 0x1000, 0x9000, 0xa_0000, 0xf_0000, 0x10_0000, 0x20_0000, 0x80_0000, 0x90_0000],
      ...[0xa0_0000, 0xa1_4000, 0xff_0000, 0xfec0_0000, 0xfee0_0000, 0xff00_0000, 0xffff_f000],
      random.next() & ~0xfff,
    ]);
    disguise(attack, (value, sizing) => (sizing ? value : (address | (value & 15)) >>> 0));
  },

  'BAR above all memory'(attack) {
    const { random, pci } = attack;
    const high = random.pick([1, 0x80, 0xff, 0x100, 0xffff, 0x7fff_ffff, 0xffff_ffff]);
    const bar = pci.bars.findIndex((b) => b?.is64);
    if (bar < 0) return;
    const at = config.BAR_0 + bar * 4 + 4;
    attack.configSpace((offset, _width, value) => (offset === at && value !== 0xffff_ffff ? high : value));
  },

  'decoding stays off'(attack) {
    intercept(attack.pci, 'writeConfig', (write) => (offset, width, value) => {
      if (!attack.kernelRuns || offset !== config.COMMAND) return write(offset, width, value);
      attack.act();
      write(offset, width, value & ~(config.COMMAND_MEMORY | config.COMMAND_IO));
    });
  },

  'bus mastering stays off'(attack) {
    intercept(attack.pci, 'writeConfig', (write) => (offset, width, value) => {
      if (!attack.kernelRuns || offset !== config.COMMAND) return write(offset, width, value);
      attack.act();
      write(offset, width, value & ~config.COMMAND_MASTER);
    });
  },

  /** Address lines for the function's number are not looked at: it is there eight times. */
  'function mirrored'(attack) {
    const { pci } = attack;
    const { bus, slot } = pci.location!;
    pci.config.bytes[config.HEADER_TYPE] |= config.HEADER_MULTIFUNCTION;
    for (let fn = 1; fn < 8; fn++)
      if (bus.functions[slot * 8 + fn] === undefined) mirror(attack, slot * 8 + fn);
    attack.act();
  },

  'header of another type'(attack) {
    change(attack, config.HEADER_TYPE, attack.random.pick([1, 2, 0x7f, 0x80, 0x81, 0xff]), 1);
  },

  'another vendor or device'(attack) {
    const { random } = attack;
    const at = random.pick([config.VENDOR_ID, config.DEVICE_ID, config.SUBSYSTEM_ID]);
    change(attack, at, random.pick([0, 1, 0xffff, 0x1040, 0x1041, 0x107f, 0x1080, random.below(0x10000)]), 2);
  },

  'bridge to any bus'(attack) {
    const { bridge } = attack.pci.location!.bus;
    if (bridge === undefined) return;
    const { random } = attack;
    const at = random.pick([config.PRIMARY_BUS, config.SECONDARY_BUS, config.SUBORDINATE_BUS]);
    const bus = random.pick([0, 1, 2, 254, 255, random.below(256)]);
    intercept(bridge as PciFunction, 'readConfig', (read) => (offset, width) => {
      const value = read(offset, width);
      if (!attack.kernelRuns || offset !== at || value === bus) return value;
      attack.act();
      return bus;
    });
  },

  'configuration space of random bytes'(attack) {
    const since = attack.moment(200, true);
    const { random } = attack;
    attack.configSpace((_offset, width, value) =>
      since() && random.once(3) ? (random.next() & ones(width)) >>> 0 : value,
    );
  },

  /** At any access to it: pulled out. */
  'removed by surprise'(attack) {
    let gone = false;
    const due = attack.moment(attack.random.pick([10, 60, 130, 220]));
    const { pci } = attack;
    remove(attack, () => {
      if (!gone && attack.kernelRuns && pci.location && due()) {
        gone = true;
        attack.act();
      }
      return gone;
    });
  },

  'removed while it works'(attack) {
    let gone = false;
    const due = attack.moment(4);
    intercept(attack.device, 'kick', (kick) => (index) => {
      kick(index);
      if (!due()) return;
      attack.machine.clock.schedule(attack.random.below(40_000), () => {
        gone = true;
        attack.act();
      });
    });
    remove(attack, () => gone);
  },
} satisfies Record<string, Malice>;

function setMultiplier(attack: Attack, multiplier: number): void {
  const notify = attack.capabilities.find(({ type }) => type === TYPE_NOTIFY);
  if (notify) change(attack, notify.at + CAP_MULTIPLIER, multiplier >>> 0, 4);
}

/** Shows another value in one of its BARs than that by which it decodes, which stays; `sizing`: ones were written. */
function disguise(attack: Attack, show: (value: number, sizing: boolean) => number): void {
  const { pci, random } = attack;
  const at = config.BAR_0 + 4 * random.pick(pci.bars.flatMap((bar) => (bar ? [bar.index] : [])));
  let before = 0;
  let sizing = false;
  intercept(pci, 'writeConfig', (write) => (offset, width, value) => {
    if (!attack.kernelRuns || offset !== at) return write(offset, width, value);
    if (!sizing) before = pci.config.get32(at);
    sizing = value === 0xffff_ffff;
    if (!sizing && value !== before) attack.act();
    write(offset, width, sizing ? value : before);
  });
  attack.configSpace((offset, _width, value) => (offset === at ? show(value, sizing) : value));
}

/** The same function under another number, as far as configuration space goes. */
function mirror(attack: Attack, index: number): void {
  const { pci } = attack;
  class Mirror extends PciFunction {
    override readConfig(offset: number, width: 1 | 2 | 4): number {
      return pci.readConfig(offset, width);
    }
    override writeConfig(offset: number, width: 1 | 2 | 4, value: number): void {
      pci.writeConfig(offset, width, value);
    }
  }
  pci.location!.bus.functions[index] = new Mirror(0, 0, 0);
}
