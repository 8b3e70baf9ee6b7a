// Samples as a profile: stacks of functions, with those that were inlined, and how often each was found.

import type { CodePlace } from './places.ts';
import type { Samples } from './sample.ts';

/** A CPU that halts until an interrupt. */
const IDLE = '(idle)';
const UNKNOWN = '(outside the kernel)';

export interface ProfiledFunction {
  /** Without the path of its file, which AssemblyScript puts before it. */
  name: string;
  /** As in the module's name section. */
  symbol: string;
  file?: string;
  /** Samples in its own code, and in what it called too. */
  self: number;
  total: number;
  /** Its own, by line of its file. */
  lines: Map<number, number>;
}

export interface Profile {
  functions: ProfiledFunction[];
  /** The functions of a sample by their numbers, the outermost first. */
  stacks: { cpu: number; stack: number[] }[];
  ran_ms: number;
  /** Samples at an instruction. */
  addresses: Map<bigint, number>;
  /** Samples of a CPU that was halted. */
  idle: number;
}

export function profileOf({ samples, ran_ms }: Samples, places: ReadonlyMap<bigint, CodePlace[]>): Profile {
  const profile: Profile = { functions: [], stacks: [], ran_ms, addresses: new Map(), idle: 0 };
  const numbers = new Map<string, number>();
  const numberOf = (place: CodePlace) => {
    let number = numbers.get(place.name);
    if (number === undefined) {
      number = profile.functions.push({ ...named(place), self: 0, total: 0, lines: new Map() }) - 1;
      numbers.set(place.name, number);
    }
    return number;
  };
  for (const { cpu, calls } of samples) {
    const chain = calls === undefined ? [{ name: IDLE }] : calls.flatMap((at) => places.get(at) ?? []);
    const stack = chain.map(numberOf);
    for (const number of new Set(stack)) profile.functions[number].total++;
    addSelf(profile, stack, chain[0], calls);
    profile.stacks.push({ cpu, stack: stack.reverse() });
  }
  return profile;
}

function addSelf(profile: Profile, stack: number[], place: CodePlace, calls?: bigint[]): void {
  const { functions, addresses } = profile;
  const [innermost] = stack;
  if (innermost === undefined) return;
  const { lines, file } = functions[innermost];
  functions[innermost].self++;
  if (place.line !== undefined && place.file === file)
    lines.set(place.line, (lines.get(place.line) ?? 0) + 1);
  if (calls === undefined) profile.idle++;
  else addresses.set(calls[0], (addresses.get(calls[0]) ?? 0) + 1);
}

/** AssemblyScript begins names with their file's: kernel/lib/log/Line#text. */
function named({ name: symbol, file }: CodePlace): Pick<ProfiledFunction, 'name' | 'symbol' | 'file'> {
  if (symbol === '??') return { name: UNKNOWN, symbol: UNKNOWN };
  const [path] = /^[^<#]*(?=\/)/.exec(symbol) ?? [];
  if (path !== undefined) return { name: symbol.slice(path.length + 1), symbol, file: `${path}.ts` };
  return file === undefined ? { name: symbol, symbol } : { name: symbol, symbol, file };
}

/** The line with most of its samples. */
export function hottestLine({ lines }: ProfiledFunction): number | undefined {
  return [...lines].toSorted(([, a], [, b]) => b - a)[0]?.[0];
}

/** Those with samples of their own, the hottest first; the idle CPU last. */
export function hottest({ functions }: Profile): ProfiledFunction[] {
  const isIdle = ({ symbol }: ProfiledFunction) => Number(symbol === IDLE);
  return functions
    .filter(({ self }) => self > 0)
    .toSorted((a, b) => isIdle(a) - isIdle(b) || b.self - a.self);
}
