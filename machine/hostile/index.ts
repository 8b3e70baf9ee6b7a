// Hostile devices: malices by name, and a machine's device put under some of them. README.md says how to use them.

import type { Machine } from '../machine.ts';
import { Random } from '../random.ts';
import type { VirtioDevice } from '../virtio/device.ts';
import { Attack, type Malice } from './attack.ts';
import { CLOCKS } from './clocks.ts';
import { BLOCK_CONFIGURATION, CONFIGURATION } from './configuration.ts';
import { FIRMWARE } from './firmware.ts';
import { FUNCTIONS } from './functions.ts';
import { HOST } from './host.ts';
import { INTERRUPTS } from './interrupts.ts';
import { NEGOTIATION } from './negotiation.ts';
import { REQUESTS } from './requests.ts';
import { RESETS } from './resets.ts';
import { RINGS } from './rings.ts';

export { Random } from '../random.ts';
export { Attack, intercept, type Malice } from './attack.ts';
export { NETWORK_MALICES } from './frames.ts';

/** By what they strike at. */
export const MALICES = {
  function: FUNCTIONS,
  negotiation: NEGOTIATION,
  configuration: CONFIGURATION,
  ring: RINGS,
  queueReset: RESETS,
  interrupt: INTERRUPTS,
  clock: CLOCKS,
  host: HOST,
  firmware: FIRMWARE,
  /** Of virtio's block device alone. */
  blockConfiguration: BLOCK_CONFIGURATION,
  blockRequest: REQUESTS,
} as const;

type UnionToNames<T> = T extends unknown ? keyof T : never;
export type MaliceName = UnionToNames<(typeof MALICES)[keyof typeof MALICES]>;

const ALL = Object.assign({}, ...Object.values(MALICES)) as Record<MaliceName, Malice>;
export const maliceNames = Object.keys(ALL) as MaliceName[];

const DOORBELLS: string[] = [
  'doorbells shuffled',
  'doorbell of another queue',
  'doorbell outside its structure',
] satisfies MaliceName[];
/** Those that a device on virtio-mmio can be put under: all but what only a PCI function can do. */
export const mmioMaliceNames = maliceNames.filter(
  (name) => !(name in FUNCTIONS) && !(name in FIRMWARE) && !DOORBELLS.includes(name),
);

/**
 * Puts `device`, which is in `machine` already, under a malice; `seed` decides what it leaves open. To be called before the
 * machine runs. The result's `acts` says afterwards how often it has struck.
 */
export function makeHostile(
  machine: Machine,
  device: VirtioDevice,
  malice: MaliceName | Malice,
  seed: number,
): Attack {
  const attack = new Attack(machine, device, new Random(seed));
  const lay = typeof malice === 'string' ? ALL[malice] : malice;
  lay(attack);
  return attack;
}
