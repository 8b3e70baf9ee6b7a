// The package's `yaos/machine`: a PC in TypeScript that runs a kernel's module in Node. README.md has the manual.

export { Dma, DmaError, Ram } from './bus/memory.ts';
export { AddressSpace, ByteRegisters, type Registers, type Width } from './bus/space.ts';
export { BudgetError, MachineEnd, MachineError, PageFault } from './error.ts';
export {
  Attack,
  intercept,
  MALICES,
  type Malice,
  type MaliceName,
  makeHostile,
  maliceNames,
  mmioMaliceNames,
  NETWORK_MALICES,
  Random,
} from './hostile/index.ts';
export { makeSlotHostile, SLOTS, SlotAttack, type SlotMalice } from './hostile/slots.ts';
export { type Kernel, loadKernel } from './kernel/module.ts';
export type { Native } from './kernel/native.ts';
export { Machine, type Result } from './machine.ts';
export type { MachineOptions } from './options.ts';
export { type BridgeModel, PciBridge } from './pci/bridge.ts';
export { PciBus } from './pci/bus.ts';
export * as pciConfig from './pci/config.ts';
export { Edu } from './pci/edu.ts';
export {
  type Bar,
  type BarDescription,
  type PciDevice,
  PciFunction,
  type PciSystem,
} from './pci/function.ts';
export { PciHost, type Place } from './pci/host.ts';
export { Msi } from './pci/msi.ts';
export { Msix } from './pci/msix.ts';
export { Clock, type TimedEvent } from './time/clock.ts';
export type { Access, DmaAccess, Kick, Message, Trace } from './trace.ts';
export { VirtioBalloon, type VirtioBalloonOptions } from './virtio/balloon.ts';
export { type BlkRequest, VirtioBlk, type VirtioBlkOptions } from './virtio/blk.ts';
export { VirtioConsole, type VirtioConsoleOptions } from './virtio/console.ts';
export * as virtio from './virtio/device.ts';
export { VirtioDevice, type VirtioOptions } from './virtio/device.ts';
export { type Disk, FileDisk, MemoryDisk } from './virtio/disk.ts';
export * as virtioFeatures from './virtio/features.ts';
export { VirtioMmio } from './virtio/mmio.ts';
export { MmioBus } from './virtio/mmio-bus.ts';
export { VirtioNet, type VirtioNetOptions } from './virtio/net.ts';
export { PackedRing } from './virtio/packed.ts';
export { type StructureCapability, VirtioPci, type VirtioPciOptions } from './virtio/pci.ts';
export {
  type Chain,
  type RingAddresses,
  readSegments,
  type Segment,
  Virtqueue,
  VirtqueueError,
  writeSegments,
} from './virtio/queue.ts';
export { Ring, type RingFeatures } from './virtio/ring.ts';
export { VirtioRng, type VirtioRngOptions } from './virtio/rng.ts';
export { SplitRing } from './virtio/split.ts';
