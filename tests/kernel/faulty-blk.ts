// A virtio block device that breaks the rules in one way that a test asks for.

import {
  type BlkRequest,
  type Chain,
  pciConfig,
  VirtioBlk,
  type VirtioBlkOptions,
  VirtioPci,
  type Virtqueue,
} from '../../machine/index.ts';

export interface Faults {
  /** The status never reads 0 after a reset. */
  neverResets?: boolean;
  refusesFeatures?: boolean;
  /** Notifications are ignored. */
  silent?: boolean;
  /** Every request gets this status. */
  status?: number;
  /** Changes what goes to the used ring. */
  used?: (id: number, length: number) => [number, number];
  /** The list of capabilities ends in itself. */
  capabilityLoop?: boolean;
  /** A vector reads back as none. */
  refusesVectors?: boolean;
}

export class FaultyBlk extends VirtioBlk {
  private readonly faults: Faults;

  constructor(disk: Uint8Array, options: VirtioBlkOptions & Faults) {
    super(disk, options);
    this.faults = options;
  }

  override toPci(express: boolean): VirtioPci {
    const pci = new FaultyPci(this, this.options, express);
    pci.faults = this.faults;
    if (this.faults.capabilityLoop) {
      const { bytes } = pci.config;
      let last = bytes[pciConfig.CAPABILITIES]!;
      while (bytes[last + 1] !== 0) last = bytes[last + 1]!;
      bytes[last + 1] = bytes[pciConfig.CAPABILITIES]!;
    }
    return pci;
  }

  override setStatus(value: number): void {
    super.setStatus(value);
    if (this.faults.neverResets && value === 0) this.status = 0x40;
  }

  override acceptsFeatures(): boolean {
    return !this.faults.refusesFeatures;
  }

  override serve(queue: Virtqueue): void {
    if (!this.faults.silent) super.serve(queue);
  }

  override execute(request: BlkRequest): number {
    const status = super.execute(request);
    return this.faults.status ?? status;
  }

  override complete(queue: Virtqueue, chain: Chain, written: number): void {
    const [id, length] = this.faults.used?.(chain.head, written) ?? [chain.head, written];
    queue.ring?.push({ ...chain, head: id }, length);
    this.notifyQueue(queue);
  }
}

class FaultyPci extends VirtioPci {
  faults: Faults = {};

  override usableVector(vector: number): number {
    return this.faults.refusesVectors ? 0xffff : super.usableVector(vector);
  }
}
