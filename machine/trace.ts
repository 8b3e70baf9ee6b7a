// Hooks for tests: what happens between the kernel and its machine, as it happens. All are optional; a hook that is
// not there costs nothing.

export interface Access {
  address: number;
  width: 1 | 2 | 4;
  write: boolean;
  /** What was read or is written. */
  value: number;
}

export interface DmaAccess {
  /** Name of the device's function, `0000:00:04.0`, or of another bus master. */
  device: string;
  address: number;
  bytes: number;
  write: boolean;
}

export interface Kick {
  device: string;
  queue: number;
}

export interface Message {
  device: string;
  /** Of MSI-X: the entry of the table; -1 for INTx. */
  entry: number;
  /** The CPU's vector; for INTx the number of the line. */
  vector: number;
}

export interface Trace {
  /** Before each intrinsic that the kernel executes: the number of those before it. */
  step?(steps: number): void;
  /** An I/O port is read or written. */
  port?(access: Access): void;
  /** A device register in memory is read or written; RAM is not told, whoever shares it. */
  mmio?(access: Access): void;
  /** A device reads or writes memory. */
  dma?(access: DmaAccess): void;
  /** A driver notifies a virtio device. */
  kick?(kick: Kick): void;
  /** A device sends an interrupt. */
  message?(message: Message): void;
  /** A CPU takes an interrupt. */
  interrupt?(cpu: number, vector: number): void;
  /** The kernel has trapped, and reports it next. */
  trap?(cause: Error): void;
  /** The driver writes a virtio device's status. */
  status?(device: string, status: number): void;

  // What follows changes what happens.

  /** What the kernel gets instead of what was read. */
  alterPort?(access: Access): number;
  alterMmio?(access: Access): number;
  /** False loses the interrupt. */
  allowMessage?(message: Message): boolean;
}
