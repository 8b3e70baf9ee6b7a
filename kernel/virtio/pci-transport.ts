// What the two transports over PCI have in common: how the function interrupts.

import { PciInterrupts } from '../bus/pci/interrupts.ts';
import { Line as IrqLine, LineUser } from '../irq/line.ts';
import { Transport } from './transport.ts';

export abstract class PciTransport extends Transport {
  constructor(
    name: string,
    deviceId: u32,
    legacy: bool,
    protected readonly interrupts: PciInterrupts,
  ) {
    super(name, deviceId, legacy);
  }

  vectorCount(): u32 {
    return this.interrupts.vectorCount;
  }

  routeVector(index: u32, vector: u32, apicId: u32): void {
    this.interrupts.route(index, vector, apicId);
  }

  close(): bool {
    this.interrupts.close();
    return true;
  }

  useLine(user: LineUser): IrqLine | null {
    return this.interrupts.usePin(user);
  }
}
