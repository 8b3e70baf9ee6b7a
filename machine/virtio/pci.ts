// virtio on PCI (virtio 1.2 §4.1): identity, BARs and capabilities of a virtio function, laid out as QEMU 7.2's
// hw/virtio/virtio-pci.c does, and what the legacy and the modern interface have in common.

import { type Registers, readBytes, type Width } from '../bus/space.ts';
import * as config from '../pci/config.ts';
import { PciFunction } from '../pci/function.ts';
import { Msix } from '../pci/msix.ts';
import type { Random } from '../random.ts';
import type { Clock } from '../time/clock.ts';
import type { Trace } from '../trace.ts';
import { NO_VECTOR, type Transport, type VirtioDevice } from './device.ts';
import { CONFIG_WITH_VECTORS, LegacyRegisters } from './legacy.ts';
import { CommonConfig, DeviceConfig, Doorbells, IsrStatus, PortDoorbell } from './modern.ts';
import { Virtqueue } from './queue.ts';

export interface VirtioPciOptions {
  /** The legacy interface; by default there, but not behind a PCI Express port. QEMU's disable-legacy=off. */
  legacy?: boolean;
  /** The modern interface; by default there. QEMU's disable-modern=off. */
  modern?: boolean;
  /** Entries of MSI-X, 0: none. By default one for the configuration and one for each queue. */
  vectors?: number;
  /** Doorbells by I/O port too: QEMU's modern-pio-notify=on. */
  portDoorbell?: boolean;
  /** A page for each doorbell: QEMU's page-per-vq=on. */
  pagePerQueue?: boolean;
  /** Bytes between doorbells in place of QEMU's 4; 0: one for all queues, told apart by the value written. */
  notifyMultiplier?: number;
}

const VENDOR = 0x1af4;
const TRANSITIONAL_IDS: Record<number, number> = { 1: 0x1000, 2: 0x1001, 3: 0x1003, 4: 0x1005, 5: 0x1002 };
const MODERN_FIRST = 0x1040;

// QEMU's BARs.
export const BAR_LEGACY = 0;
const BAR_MSIX = 1;
const BAR_PORTS = 2;
export const BAR_MODERN = 4;

const CAPABILITY_POWER = 0x01;
const CAPABILITY_VENDOR = 0x09;
const CAPABILITY_EXPRESS = 0x10;

// virtio_pci_cap's cfg_type (§4.1.4).
export const TYPE_COMMON = 1;
export const TYPE_NOTIFY = 2;
export const TYPE_ISR = 3;
export const TYPE_DEVICE = 4;
export const TYPE_PCI = 5;

const BLOCK_BYTES = 0x1000;
const QUEUES_MAX = 1024;
const DOORBELL_BYTES = 4;

/** What a capability of type 1 to 5 says. */
export interface StructureCapability {
  type: number;
  bar: number;
  offset: number;
  bytes: number;
  /** Of the doorbells. */
  multiplier?: number;
}

/** A PCI Express endpoint, as QEMU describes itself: device and link capabilities. */
const EXPRESS_BODY: readonly [at: number, value: number][] = [
  [0x02, 0x0002],
  [0x04, 0x10008000],
  [0x0c, 0x00000411],
  [0x10, 0x00110000],
  [0x24, 0x00300000],
];
const EXPRESS_BYTES = 0x3c;

export class VirtioPci extends PciFunction implements Transport {
  readonly device: VirtioDevice;
  readonly msix: Msix | undefined;
  queueSelect = 0;
  /** Bytes between two doorbells. */
  readonly notifyMultiplier: number;
  private readonly legacyRegisters: LegacyRegisters | undefined;
  private configAccess = -1;
  /** Queues that are not there, but whose registers a driver has selected: QEMU keeps what is written to them. */
  private readonly phantoms = new Map<number, Virtqueue>();

  constructor(device: VirtioDevice, options: VirtioPciOptions, express = false) {
    const modern = options.modern ?? true;
    const legacy = options.legacy ?? !(express && modern);
    const id = legacy ? (TRANSITIONAL_IDS[device.deviceId] ?? 0x1000) : MODERN_FIRST + device.deviceId;
    super(VENDOR, id, device.classCode, legacy ? 0 : 1, express && modern);
    this.device = device;
    device.transport = this;
    this.notifyMultiplier = options.notifyMultiplier ?? (options.pagePerQueue ? BLOCK_BYTES : DOORBELL_BYTES);
    this.config.bytes[config.INTERRUPT_PIN] = 1;
    if (legacy) this.config.set16(config.SUBSYSTEM_ID, device.deviceId);
    if (express && modern) this.addExpress();
    if (modern) this.addModern(options.portDoorbell ?? false);
    const vectors = options.vectors ?? device.queues.length + 1;
    if (vectors > 0) this.msix = new Msix(this, vectors, BAR_MSIX);
    if (legacy) {
      this.legacyRegisters = new LegacyRegisters(this, device);
      const bytes = 2 ** Math.ceil(Math.log2(CONFIG_WITH_VECTORS + device.readConfig().length));
      this.addBar(BAR_LEGACY, { ports: true, bytes, registers: this.legacyRegisters });
    }
  }

  get clock(): Clock {
    return this.system.clock;
  }

  get random(): Random | undefined {
    return this.system.random;
  }

  get trace(): Trace {
    return this.system.trace;
  }

  /** What a modern driver is offered. */
  get modernFeatures(): bigint {
    return this.device.deviceFeatures & ~this.device.legacyFeatures;
  }

  selectQueue(index: number): void {
    if (index < QUEUES_MAX) this.queueSelect = index;
  }

  get selectedQueue(): Virtqueue {
    const queue = this.device.queues[this.queueSelect] ?? this.phantoms.get(this.queueSelect);
    if (queue !== undefined) return queue;
    const phantom = new Virtqueue(this.queueSelect, 0);
    this.phantoms.set(this.queueSelect, phantom);
    return phantom;
  }

  /** §4.1.4.4: where a queue's doorbell is, in units of the multiplier. */
  notifyOffset(queue: number): number {
    return queue;
  }

  /** The queue of the doorbell at `offset` in their block; `value` is what was written there. */
  queueOfDoorbell(offset: number, value: number): number {
    return this.notifyMultiplier === 0 ? value : Math.floor(offset / this.notifyMultiplier);
  }

  kick(queue: number): void {
    this.device.kick(queue);
  }

  /** §4.1.5.1.2.1: a vector that is not there reads back as none. */
  usableVector(vector: number): number {
    return this.msix !== undefined && vector < this.msix.entries ? vector : NO_VECTOR;
  }

  /** §4.1.4.5: reading it acknowledges it. */
  readIsr(): number {
    const isr = this.device.isr;
    this.device.isr = 0;
    this.setIntx(false);
    return isr;
  }

  interrupt(vector: number): void {
    if (this.msix?.enabled) {
      if (vector !== NO_VECTOR) this.msix.notify(vector);
    } else {
      this.trace.message?.({
        device: this.name,
        entry: -1,
        vector: this.config.bytes[config.INTERRUPT_LINE],
      });
      this.setIntx(true);
    }
  }

  resetDone(): void {
    this.queueSelect = 0;
    this.phantoms.clear();
    this.legacyRegisters?.reset();
    this.msix?.reset();
    this.setIntx(false);
  }

  override removed(): void {
    this.device.reset();
    super.removed();
  }

  override readConfig(offset: number, width: Width): number {
    if (this.isConfigData(offset)) this.accessThroughConfig(false);
    return super.readConfig(offset, width);
  }

  override writeConfig(offset: number, width: Width, value: number): void {
    super.writeConfig(offset, width, value);
    this.msix?.updated();
    if (this.isConfigData(offset)) this.accessThroughConfig(true);
    // QEMU: a device that may no longer be bus master is stopped.
    if ((this.command & config.COMMAND_MASTER) === 0) this.device.status &= ~4;
  }

  protected addStructure(capability: StructureCapability): number {
    const notify = capability.type === TYPE_NOTIFY;
    const extra = notify || capability.type === TYPE_PCI ? 4 : 0;
    const body = new DataView(new ArrayBuffer(14 + extra));
    body.setUint8(0, 16 + extra);
    body.setUint8(1, capability.type);
    body.setUint8(2, capability.bar);
    body.setUint32(6, capability.offset, true);
    body.setUint32(10, capability.bytes, true);
    if (notify) body.setUint32(14, capability.multiplier ?? 0, true);
    return this.config.addCapability(CAPABILITY_VENDOR, new Uint8Array(body.buffer));
  }

  private addExpress(): void {
    const express = new DataView(new ArrayBuffer(EXPRESS_BYTES));
    for (const [at, value] of EXPRESS_BODY)
      express.setUint32(at === 2 ? 0 : at, at === 2 ? value << 16 : value, true);
    this.config.addCapability(CAPABILITY_EXPRESS, new Uint8Array(express.buffer, 2));
    this.config.addCapability(CAPABILITY_POWER, [3, 0, 0, 0, 0, 0]);
  }

  private addModern(portDoorbell: boolean): void {
    const notifyBytes = Math.max(this.notifyMultiplier * QUEUES_MAX, BLOCK_BYTES);
    const blocks: { capability: StructureCapability; registers: Registers }[] = [
      [TYPE_COMMON, 0, BLOCK_BYTES, new CommonConfig(this, this.device)] as const,
      [TYPE_ISR, 1, BLOCK_BYTES, new IsrStatus(this)] as const,
      [TYPE_DEVICE, 2, BLOCK_BYTES, new DeviceConfig(this.device)] as const,
      [TYPE_NOTIFY, 3, notifyBytes, new Doorbells(this)] as const,
    ].map(([type, index, bytes, registers]) => ({
      capability: {
        type,
        bar: BAR_MODERN,
        offset: index * BLOCK_BYTES,
        bytes,
        multiplier: this.notifyMultiplier,
      },
      registers,
    }));
    for (const { capability } of blocks) this.addStructure(capability);
    if (portDoorbell) {
      this.addBar(BAR_PORTS, { ports: true, bytes: 4, registers: new PortDoorbell(this) });
      this.addStructure({ type: TYPE_NOTIFY, bar: BAR_PORTS, offset: 0, bytes: 4, multiplier: 0 });
    }
    const bytes = 2 ** Math.ceil(Math.log2(3 * BLOCK_BYTES + notifyBytes));
    const find = (offset: number) => blocks[Math.min(Math.floor(offset / BLOCK_BYTES), 3)];
    const registers: Registers = {
      read: (offset, width) => {
        const block = find(offset);
        return block.registers.read(offset - block.capability.offset, width);
      },
      write: (offset, width, value) => {
        const block = find(offset);
        block.registers.write(offset - block.capability.offset, width, value);
      },
    };
    this.addBar(BAR_MODERN, { bytes, is64: true, prefetchable: true, registers });
    this.configAccess = this.addStructure({ type: TYPE_PCI, bar: 0, offset: 0, bytes: 0 });
    for (const [at, width] of [
      [4, 1],
      [8, 4],
      [12, 4],
      [16, 4],
    ] as const)
      this.config.setWritable(this.configAccess + at, 0xffff_ffff, width);
  }

  private isConfigData(offset: number): boolean {
    const data = this.configAccess + 16;
    return this.configAccess >= 0 && offset >= data && offset < data + 4;
  }

  /** §4.1.4.9: registers of a BAR through configuration space. */
  private accessThroughConfig(write: boolean): void {
    const at = this.configAccess;
    const bar = this.bars[this.config.bytes[at + 4]];
    const offset = this.config.get32(at + 8);
    const width = this.config.get32(at + 12);
    if (bar === undefined || (width !== 1 && width !== 2 && width !== 4) || offset % width !== 0) return;
    if (offset + width > bar.bytes) return;
    if (write) bar.registers.write(offset, width, readBytes(this.config.view, at + 16, width));
    else this.config.set32(at + 16, bar.registers.read(offset, width));
  }
}
