// Where QEMU's microvm has its virtio-mmio devices: 24 places, each with its line on the second I/O APIC, taken from the
// last one on.

import { Dma, type MessageSink, type Ram } from '../bus/memory.ts';
import type { AddressSpace } from '../bus/space.ts';
import { MachineError } from '../error.ts';
import type { Random } from '../random.ts';
import type { Clock } from '../time/clock.ts';
import type { Trace } from '../trace.ts';
import type { VirtioDevice } from './device.ts';
import { MMIO_BYTES, VirtioMmio } from './mmio.ts';

const FIRST_ADDRESS = 0xfeb0_0000;
const PLACES = 24;
const FIRST_GSI = 24;
/** Without ACPI there are only the lines of the ISA bus. */
const ISA_PLACES = 8;
const FIRST_ISA_GSI = 5;

export interface MmioBusOptions {
  memory: AddressSpace;
  ram: Ram;
  clock: Clock;
  trace: Trace;
  messages: MessageSink;
  random: Random | undefined;
  setGsi(gsi: number, high: boolean): void;
  /** Whether the machine has such a bus. */
  exists: boolean;
  acpi: boolean;
}

export class MmioBus {
  /** By place. */
  readonly devices: (VirtioMmio | undefined)[];
  private readonly options: MmioBusOptions;

  constructor(options: MmioBusOptions) {
    this.options = options;
    this.devices = new Array(options.acpi ? PLACES : ISA_PLACES).fill(undefined);
  }

  /** What QEMU adds to the kernel's command line where ACPI does not tell of the devices. */
  get words(): string {
    const word = ({ address, gsi }: VirtioMmio) =>
      ` virtio_mmio.device=${MMIO_BYTES}@0x${address.toString(16)}:${gsi}`;
    return this.options.acpi ? '' : this.present().map(word).join('');
  }

  present(): VirtioMmio[] {
    return this.devices.filter((device) => device !== undefined);
  }

  /**
   * Puts a device into a place, the last free one if none is given. Its option `modern: false` is what QEMU does unless it
   * has virtio-mmio.force-legacy=false.
   */
  add(device: VirtioDevice, { place }: { place?: number } = {}): VirtioMmio {
    if (!this.options.exists) throw new MachineError("only the machine 'microvm' has virtio-mmio devices");
    const index = place ?? this.devices.lastIndexOf(undefined);
    if (!(Number.isInteger(index) && index >= 0 && index < this.devices.length))
      throw new MachineError(
        `there is no free place for this virtio-mmio device: there are 0 to ${this.devices.length - 1}`,
      );
    if (this.devices[index] !== undefined)
      throw new MachineError(`virtio-mmio place ${index} is taken: give another with { place }`);
    const { memory, ram, clock, trace, messages, random, setGsi } = this.options;
    const gsi = (this.options.acpi ? FIRST_GSI : FIRST_ISA_GSI) + index;
    const dma: Dma = new Dma(() => added.name, ram, trace, messages);
    const setLine = (high: boolean) => setGsi(gsi, high);
    const platform = { dma, clock, trace, random, setLine };
    const added = new VirtioMmio(device, FIRST_ADDRESS + index * MMIO_BYTES, gsi, platform);
    this.devices[index] = added;
    memory.map(added.address, MMIO_BYTES, added);
    return added;
  }
}
