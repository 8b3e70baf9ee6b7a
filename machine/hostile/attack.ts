// One malice at work on one virtio device of one machine: the places where it can take hold. Each place is a method of a
// part of the machine that is replaced by one which may do something else; several attacks on one place lie one on the
// other.

import type { Registers, Width } from '../bus/space.ts';
import { MachineError } from '../error.ts';
import type { Machine } from '../machine.ts';
import * as config from '../pci/config.ts';
import type { Random } from '../random.ts';
import type { VirtioDevice } from '../virtio/device.ts';
import { CONFIG_WITHOUT } from '../virtio/legacy.ts';
import type { VirtioMmio } from '../virtio/mmio.ts';
import { BAR_LEGACY, BAR_MODERN, type VirtioPci } from '../virtio/pci.ts';
import type { Chain, Virtqueue } from '../virtio/queue.ts';
import type { Ring } from '../virtio/ring.ts';

/** Lays its traps; what it draws from `attack.random` decides how and when. */
export type Malice = (attack: Attack) => void;

/** Where a register is, in the modern and in the legacy interface (virtio 1.2 §4.1.4.3, §4.1.4.8), and by MMIO (§4.2.2). */
const REGISTERS = {
  features: { modern: 0x04, legacy: 0x00, mmio: 0x10 },
  configVector: { modern: 0x10, legacy: 0x14, mmio: -1 },
  queueCount: { modern: 0x12, legacy: -1, mmio: -1 },
  status: { modern: 0x14, legacy: 0x12, mmio: 0x70 },
  generation: { modern: 0x15, legacy: -1, mmio: 0xfc },
  queueSize: { modern: 0x18, legacy: 0x0c, mmio: 0x34 },
  queueVector: { modern: 0x1a, legacy: 0x16, mmio: -1 },
  notifyOffset: { modern: 0x1e, legacy: -1, mmio: -1 },
  queueReset: { modern: 0x3a, legacy: -1, mmio: 0xc0 },
  isr: { modern: 0x1000, legacy: 0x13, mmio: 0x60 },
} as const;
export type RegisterName = keyof typeof REGISTERS;

export interface Capability {
  at: number;
  id: number;
  /** virtio's cfg_type, if it is a vendor's. */
  type: number;
}

export class Attack {
  readonly machine: Machine;
  readonly device: VirtioDevice;
  /** Of a device on virtio-mmio; one on PCI has `pci`. */
  readonly mmio: VirtioMmio | undefined;
  readonly random: Random;
  /** How often it has struck. */
  acts = 0;

  /** `device` is in the machine, which has not run yet. */
  constructor(machine: Machine, device: VirtioDevice, random: Random) {
    this.machine = machine;
    this.device = device;
    this.mmio = machine.mmio.present().find((there) => there.device === device);
    this.random = random;
  }

  /** Its function; there is none on virtio-mmio. */
  get pci(): VirtioPci {
    if (this.mmio !== undefined)
      throw new MachineError('this malice is of PCI: the device is on virtio-mmio');
    return this.device.toPci(false);
  }

  /** To be called whenever something is done that is not as it should be. */
  act(): void {
    this.acts++;
  }

  /** False while the firmware still works. */
  get kernelRuns(): boolean {
    return this.machine.started;
  }

  /** A moment: false for up to `most` calls, then true once; or, `lasting`, from then on. */
  moment(most: number, lasting = false): () => boolean {
    let left = this.random.between(0, most);
    return () => {
      if (left < 0) return lasting;
      return left-- === 0;
    };
  }

  /** Changes what the driver reads from a register, of either interface or of one. */
  register(name: RegisterName, alter: (value: number) => number, only?: 'modern' | 'legacy'): void {
    if (this.mmio !== undefined) {
      const kind = this.device.modern ? 'modern' : 'legacy';
      const at = REGISTERS[name].mmio;
      if (at >= 0 && (only ?? kind) === kind) this.alterReads(this.mmio, at, alter);
      return;
    }
    for (const kind of ['modern', 'legacy'] as const) {
      const at = REGISTERS[name][kind];
      const registers = this.pci.bars[kind === 'modern' ? BAR_MODERN : BAR_LEGACY]?.registers;
      if (registers === undefined || at < 0 || (only ?? kind) !== kind) continue;
      // §4.1.4.8: without MSI-X the device's configuration is where the legacy vectors would be.
      const there = () => kind === 'modern' || at < CONFIG_WITHOUT || this.pci.msix?.enabled === true;
      this.alterReads(registers, at, alter, there);
    }
  }

  private alterReads(
    registers: Registers,
    at: number,
    alter: (value: number) => number,
    there = () => true,
  ): void {
    intercept(registers, 'read', (read) => (offset: number, width: Width) => {
      const value = read(offset, width);
      return offset === at && there() ? this.altered(value, alter(value)) : value;
    });
  }

  /** Changes the bytes of the device's configuration as they are read. */
  deviceConfig(alter: (view: DataView) => void): void {
    intercept(this.device, 'readConfig', (read) => () => {
      const bytes = read();
      // Not while it is built: its BAR's size depends on this.
      if (!this.kernelRuns) return bytes;
      this.act();
      alter(new DataView(bytes.buffer, bytes.byteOffset, bytes.length));
      return bytes;
    });
  }

  /** Changes what the kernel reads from the device's configuration space. */
  configSpace(alter: (offset: number, width: Width, value: number) => number): void {
    intercept(this.pci, 'readConfig', (read) => (offset, width) => {
      const value = read(offset, width);
      return this.kernelRuns ? this.altered(value, alter(offset, width, value)) : value;
    });
  }

  /** Takes hold of a queue's ring when the driver has set it up. */
  ring(take: (ring: Ring, queue: Virtqueue) => void): void {
    intercept(this.device, 'makeRing', (make) => (queue) => {
      const ring = make(queue);
      take(ring, queue);
      return ring;
    });
  }

  /** Stands in for what gives a chain back to the driver. */
  used(push: (ring: Ring, chain: Chain, written: number, honest: () => void) => void): void {
    this.ring((ring) => {
      intercept(ring, 'push', (original) => (chain, written, more) => {
        push(ring, chain, written, () => original(chain, written, more));
      });
    });
  }

  /** In its configuration space, in the order of the list. */
  get capabilities(): Capability[] {
    if (this.mmio !== undefined) return [];
    const { bytes } = this.pci.config;
    const list: Capability[] = [];
    for (let at = bytes[config.CAPABILITIES]; at >= 0x40 && list.length < 48; at = bytes[at + 1]) {
      list.push({ at, id: bytes[at], type: bytes[at] === 0x09 ? bytes[at + 3] : 0 });
    }
    return list;
  }

  private altered(before: number, after: number): number {
    if (before !== after) this.act();
    return after;
  }
}

/** Replaces a method of one object by what `make` makes of it. */
export function intercept<T extends object, K extends keyof T>(
  object: T,
  name: K,
  make: (original: T[K]) => T[K],
): void {
  const original = object[name] as (...args: unknown[]) => unknown;
  const replacement = make(original.bind(object) as T[K]);
  Object.defineProperty(object, name, { value: replacement, writable: true, configurable: true });
}
