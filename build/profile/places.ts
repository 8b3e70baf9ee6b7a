// Which functions and lines addresses of kernel.elf stand for, inlined calls too, by addr2line of GNU binutils.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { qualifiedName } from '../debug/names.ts';
import { UserError } from '../error.ts';
import { readElfFile } from '../files.ts';
import { binutilsPrefix } from '../paths.ts';

export interface CodePlace {
  /** As in the module's name section, or in the assembly. */
  name: string;
  /** Unknown where there is no debugging information. */
  file?: string;
  line?: number;
}

const OUTPUT_BYTES_MAX = 2 ** 28;
const FUNCTION = 2;

/** By address: the innermost function first, then those that it was inlined in. `names` are those of the module's functions. */
export function placesOf(
  elf: string,
  addresses: Iterable<bigint>,
  names: readonly string[],
): Map<bigint, CodePlace[]> {
  const symbolAt = symbolsOf(elf);
  const full = fullNames(names);
  const places = addr2line(elf, new Set(addresses));
  for (const [address, chain] of places) {
    for (const place of chain) place.name = full.get(key(place.file, place.name)) ?? place.name;
    chain.at(-1)!.name = symbolAt(address) ?? chain.at(-1)!.name;
  }
  return places;
}

/** With the names that the source has, without file and class. */
function addr2line(elf: string, addresses: ReadonlySet<bigint>): Map<bigint, CodePlace[]> {
  const input = [...addresses].map((address) => `0x${address.toString(16)}\n`).join('');
  const directory = mkdtempSync(join(tmpdir(), 'yaos-profile-'));
  try {
    // It would give the symbol, which is that of the outermost function, as the innermost one's name.
    const bare = join(directory, 'kernel.elf');
    binutils('objcopy', ['--wildcard', '--strip-symbol=*', elf, bare]);
    return parse(binutils('addr2line', ['-e', bare, '-afi'], input));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function binutils(name: string, args: string[], input = ''): string {
  const program = `${binutilsPrefix()}${name}`;
  const options = { input, encoding: 'utf8', maxBuffer: OUTPUT_BYTES_MAX } as const;
  const { status, stdout, stderr, error } = spawnSync(program, args, options);
  if (status !== 0) throw new UserError(`yaos: ${program}: ${error?.message ?? stderr.trim()}`);
  return stdout;
}

/** For each address a line with it, then two for each function: its name, and its place. */
function parse(output: string): Map<bigint, CodePlace[]> {
  const places = new Map<bigint, CodePlace[]>();
  let chain: CodePlace[] = [];
  const lines = output.split('\n');
  for (let i = 0; i + 1 < lines.length; i++) {
    if (/^0x[0-9a-f]+$/.test(lines[i])) {
      chain = [];
      places.set(BigInt(lines[i]), chain);
      continue;
    }
    const name = lines[i++];
    const [, file, line] = /^(?:\.\/)*(.*):([1-9]\d*)/.exec(lines[i]) ?? [];
    chain.push(file === undefined ? { name } : { name, file, line: Number(line) });
  }
  return places;
}

/** The function that an address belongs to. */
function symbolsOf(elf: string): (address: bigint) => string | undefined {
  const { symbols, sections } = readElfFile(elf);
  const text = sections.findIndex(({ name }) => name === '.text');
  // Labels of the assembly have no type; a function's own symbol comes before the export's, which has no size.
  const own = symbols.filter(({ section, name }) => section === text && name !== '');
  own.sort((a, b) => Number(a.value - b.value) || Number(b.type === FUNCTION) - Number(a.type === FUNCTION));
  return (address) => {
    const next = own.findIndex(({ value }) => value > address);
    const last = own[(next < 0 ? own.length : next) - 1];
    return last && own.find(({ value }) => value === last.value)?.name;
  };
}

/** By file and name in the source; what stands for several functions is not there. */
function fullNames(names: readonly string[]): Map<string, string> {
  const full = new Map<string, string>();
  const several = new Set<string>();
  for (const name of names) {
    const [path] = /^[^<#]*(?=\/)/.exec(name) ?? [''];
    const short = key(`${path}.ts`, qualifiedName(name).name);
    if (full.has(short)) several.add(short);
    full.set(short, name);
  }
  for (const short of several) full.delete(short);
  return full;
}

function key(file: string | undefined, name: string): string {
  return `${file} ${name}`;
}
