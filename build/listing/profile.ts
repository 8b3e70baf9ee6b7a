// A profile for the listing: how often the program was seen at each instruction, as `make profile` leaves it in out/profile.json:
// { "addresses": { "0xADDRESS": SAMPLES, … } }, with addresses in the linked program. What is not translated code does not count.

import { oneLine, UserError } from '../error.ts';
import { readElfFile, readInput } from '../files.ts';

/** Samples by offset in the translated code. */
export type Profile = Map<number, number>;

/** `linked`: the program that was sampled. */
export function readProfile(path: string, linked: string): Profile {
  const text = readElfFile(linked).symbols.find(({ name }) => name === 'yaos_text');
  if (!text) throw new UserError(`yaos: ${linked}: has no translated code (no symbol yaos_text)`);
  const profile: Profile = new Map();
  for (const [address, count] of Object.entries(readAddresses(path))) {
    if (!/^0x[0-9a-f]+$/.test(address) || !Number.isSafeInteger(count))
      throw notProfile(path, `"addresses" has ${JSON.stringify(address)}: ${JSON.stringify(count)}`);
    profile.set(Number(BigInt(address) - text.value), count as number);
  }
  return profile;
}

function readAddresses(path: string): object {
  let json: { addresses?: unknown } | null;
  try {
    json = JSON.parse(new TextDecoder().decode(readInput(path)));
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw notProfile(path, oneLine((error as Error).message));
  }
  const addresses = json?.addresses;
  if (typeof addresses !== 'object' || addresses === null) throw notProfile(path, 'it has no "addresses"');
  return addresses;
}

function notProfile(path: string, why: string): UserError {
  return new UserError(`yaos: ${path}: not a profile: ${why}`);
}
