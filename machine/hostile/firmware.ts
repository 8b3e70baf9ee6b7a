// Malices of the firmware in what it leaves on the PCI bus: addresses that are none, or others', and bus numbers that lead
// nowhere. A kernel can put all of it right.

import type { PciBridge } from '../pci/bridge.ts';
import * as config from '../pci/config.ts';
import type { Bar, PciFunction } from '../pci/function.ts';
import { type Attack, intercept, type Malice } from './attack.ts';

/** Changes what the firmware has left, before the kernel is entered. */
function afterFirmware(attack: Attack, damage: () => void): void {
  intercept(attack.machine, 'startFirmware', (start) => () => {
    const info = start();
    damage();
    return info;
  });
}

function place(fn: PciFunction, bar: Bar, address: number): void {
  const at = config.BAR_0 + bar.index * 4;
  fn.writeConfig(at, 4, address % 2 ** 32);
  if (bar.is64) fn.writeConfig(at + 4, 4, Math.floor(address / 2 ** 32));
}

function bars(fn: PciFunction): Bar[] {
  return fn.bars.flatMap((bar) => bar ?? []);
}

/** The bridges before the device, the nearest first. */
function bridges(attack: Attack): PciBridge[] {
  const found: PciBridge[] = [];
  for (let at = attack.pci.location?.bus.bridge; at !== undefined; at = at.location?.bus.bridge)
    found.push(at);
  return found;
}

export const FIRMWARE = {
  'BARs left empty'(attack) {
    afterFirmware(attack, () => {
      const { pci, random } = attack;
      for (const bar of bars(pci)) if (!random.once(3)) place(pci, bar, 0);
      if (random.once(2)) pci.writeConfig(config.COMMAND, 2, 0);
      attack.act();
    });
  },

  'BARs placed anywhere'(attack) {
    afterFirmware(attack, () => {
      const { pci, random } = attack;
      for (const bar of bars(pci)) {
        // Not at the serial port, the APICs or ECAM: who is there is lost before the bus is looked at.
        const memory = [0x1000, 0x80_0000, 0xa1_4000, 0x9000_0000, 0xfebf_0000, 2 ** 50];
        place(pci, bar, random.pick(bar.ports ? [0x200, 0xc000, 0xff80] : memory));
      }
      attack.act();
    });
  },

  'BARs of two functions at one place'(attack) {
    afterFirmware(attack, () => {
      const { pci, machine, random } = attack;
      const all = [...machine.pci.functions()].flatMap((fn) => bars(fn).map((bar) => ({ fn, bar })));
      for (const bar of bars(pci)) {
        const other = random.pick(all);
        if (other.bar.ports === bar.ports) place(pci, bar, other.fn.barAddress(other.bar.index));
      }
      attack.act();
    });
  },

  'bridge windows of any kind'(attack) {
    afterFirmware(attack, () => {
      const { random } = attack;
      for (const bridge of bridges(attack)) {
        for (const at of [config.IO_BASE, config.MEMORY_BASE, config.PREFETCHABLE_BASE]) {
          if (random.once(3)) continue;
          bridge.writeConfig(at, 4, random.pick([0, 0xffff_ffff, random.next()]));
          attack.act();
        }
      }
    });
  },

  'bus numbers of any kind'(attack) {
    afterFirmware(attack, () => {
      const { random } = attack;
      for (const bridge of bridges(attack)) {
        for (const at of [config.PRIMARY_BUS, config.SECONDARY_BUS, config.SUBORDINATE_BUS])
          bridge.writeConfig(at, 1, random.pick([0, 1, 2, 255, random.below(256)]));
        attack.act();
      }
    });
  },
} satisfies Record<string, Malice>;
