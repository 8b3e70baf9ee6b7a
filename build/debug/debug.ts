// Debugging information for what was made of a module with a source map: DWARF 5, in sections that are not loaded.

import type { Locations } from '../ir/locations.ts';
import type { ElfObject, ElfSection } from '../object/elf.ts';
import type { ContextLayout } from '../object/layout.ts';
import type { Places } from '../object/places.ts';
import type { Program } from '../object/program.ts';
import type { WasmModule } from '../wasm/module.ts';
import { writeInfo } from './entries.ts';
import { writeFrames } from './frames.ts';
import { debugFunctions } from './functions.ts';
import { Files, writeLines } from './lines.ts';
import { Types } from './types.ts';
import type { ValueRange } from './values.ts';
import { variablesOf } from './variables.ts';

/** Sources are named by their paths below the folder that the compiler was run in, where a debugger is run too. */
const FOLDER = '.';

export interface DebugInput {
  name: string;
  module: WasmModule;
  program: Program;
  places: Places;
  locations: Locations;
  /** The module's, and the symbol of the context, where references are machine addresses. */
  globals?: { layout: ContextLayout; context: string };
  /** By function. */
  values: ReadonlyMap<number, readonly ValueRange[]>;
}

export function addDebugInfo(elf: ElfObject, text: ElfSection, input: DebugInput): void {
  const { name, module, program, places, locations } = input;
  const functions = debugFunctions(program, places, locations, input.values);
  const files = new Files(name);
  // Only where linear memory begins at address 0 is a reference an address; that of a hosted program is found by a register,
  // if it is the program's own.
  const reached = input.globals !== undefined || (module.memories[0] && !module.memories[0].import);
  const types = new Types(reached ? module.sourceTypes : undefined, input.globals !== undefined);
  const declarations = module.funcs.map((func) => {
    return { name: func.name, place: places.ofBody(func.index), variables: variablesOf(func, types) };
  });
  const declaration = (func: number) => declarations[func];
  const { textSize } = program;
  const globals = module.globals.flatMap(({ name, index }) => {
    const cell = input.globals?.layout.globals[index];
    return name && cell && !cell.imported ? [{ name, field: cell.offset }] : [];
  });
  const unit = { name, folder: FOLDER, textSize, functions, types, globals, declaration };
  const info = writeInfo(unit, files);
  const lines = writeLines(functions, files, FOLDER);
  const frames = writeFrames(functions);
  const section = (suffix: string, bytes: Uint8Array) =>
    elf.section(`.debug_${suffix}`, { type: 'progbits', bytes });
  const sections = {
    abbrev: section('abbrev', info.abbrev),
    line: section('line', lines.bytes),
    rnglists: section('rnglists', info.rnglists),
    loclists: section('loclists', info.loclists),
    frame: section('frame', frames.bytes),
    info: section('info', info.info),
  };
  for (const [to, addresses] of [
    [sections.info, info.addresses],
    [sections.line, lines.addresses],
    [sections.frame, frames.addresses],
  ] as const)
    for (const { at, to: offset } of addresses) elf.relocation(to, at, 'abs64', text, offset);
  for (const { at, to } of info.fields)
    elf.relocation(sections.info, at, 'abs64', input.globals!.context, to);
  for (const at of frames.links) elf.relocation(sections.frame, at, 'abs32', sections.frame);
  for (const { at, section: of, to } of info.offsets)
    elf.relocation(sections.info, at, 'abs32', sections[of], to);
}
