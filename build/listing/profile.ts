// A profile for the listing: how often the program was seen at each instruction. The file is JSON,
// { "samples": [{ "function": NAME, "offset": BYTES, "count": N }, …] }, with offsets in the function's machine code.

import { UserError } from '../error.ts';
import { readInput } from '../files.ts';

/** Samples by function and offset in it. */
export type Profile = Map<string, Map<number, number>>;

export function readProfile(path: string): Profile {
  const fail = (what: string): never => {
    throw new UserError(`yaos: ${path}: not a profile: ${what}`);
  };
  const profile: Profile = new Map();
  let json: { samples?: unknown };
  try {
    json = JSON.parse(new TextDecoder().decode(readInput(path)));
  } catch (error) {
    if (error instanceof UserError) throw error;
    return fail((error as Error).message.replaceAll(/\s+/g, ' '));
  }
  const { samples } = json ?? {};
  if (!Array.isArray(samples)) return fail('"samples" is no array');
  for (const [i, sample] of samples.entries()) {
    const { function: name, offset, count } = sample ?? {};
    if (typeof name !== 'string' || !Number.isSafeInteger(offset) || !Number.isSafeInteger(count))
      fail(`sample ${i} has no "function", "offset" and "count"`);
    const offsets = profile.get(name) ?? new Map<number, number>();
    offsets.set(offset, (offsets.get(offset) ?? 0) + count);
    profile.set(name, offsets);
  }
  return profile;
}
