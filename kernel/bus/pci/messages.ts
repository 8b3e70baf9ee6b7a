// Messages to a local APIC (Intel SDM 3A §10.11): a function interrupts by a write, which MSI and MSI-X give an address, with the
// destination's APIC ID, and data.

const ADDRESS: u32 = 0xfee0_0000;
const DESTINATION_SHIFT: u32 = 12;

export function messageAddress(apicId: u32): u32 {
  return ADDRESS | (apicId << DESTINATION_SHIFT);
}

/** Edge, fixed delivery. */
export function messageData(vector: u32): u32 {
  return vector;
}

/** How a function sends messages. */
export abstract class Messages {
  /** How many it can tell apart. */
  abstract get count(): u32;
  /** Switches them on, which switches INTx off. None is sent before it has been routed. */
  abstract enable(): void;
  abstract disable(): void;
  /** Sends message `index` as `vector` to the CPU with this APIC ID. */
  abstract route(index: u32, vector: u32, apicId: u32): void;
}
