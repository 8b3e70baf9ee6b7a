// What can end a run besides the kernel itself: the model's own complaint, a fault of the processor, and the machine's end.

/** The machine cannot go on, or is used in a way that it does not model. The message names the thing and a remedy. */
export class MachineError extends Error {
  override name = 'MachineError';
}

/** More steps than the run was given: usually a wait without end. */
export class BudgetError extends MachineError {
  override name = 'BudgetError';
}

/** Page fault: an access to what is not mapped, or a write to what is read-only (Intel SDM 3A §6.15). */
export class PageFault extends Error {
  override name = 'PageFault';
  readonly address: number;
  readonly write: boolean;
  readonly present: boolean;
  /** By a plain load or store: a trap of WebAssembly. */
  readonly plain: boolean;

  constructor(address: number, write: boolean, present: boolean, plain = false) {
    const what = present ? 'read-only' : 'not mapped';
    super(`${write ? 'write' : 'read'} at 0x${address.toString(16).padStart(8, '0')}, which is ${what}`);
    this.address = address;
    this.write = write;
    this.present = present;
    this.plain = plain;
  }
}

/** Thrown through the kernel when the machine is switched off, reset, or left by the debug exit. */
export class MachineEnd extends Error {
  override name = 'MachineEnd';
  readonly how: 'off' | 'exit' | 'reset';
  /** QEMU's exit status. */
  readonly status: number;

  constructor(how: 'off' | 'exit' | 'reset', status: number) {
    super(`the machine ended: ${how}, status ${status}`);
    this.how = how;
    this.status = status;
  }
}
