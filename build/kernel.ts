// `yaos build`: the steps from the sources of the kernel to the files under out/. A step runs when its inputs or
// its commands are not those that its outputs were made of; the keys are kept in out/.steps.json.
//
//   kernel/*.ts -> kernel.wasm -> kernel.o (proven) -> kernel.elf (with asm/*.S) -> yaos.img (with boot/*.S)

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { translateInput } from './compile.ts';
import { UserError } from './error.ts';
import { readInput, replaceFile } from './files.ts';
import { makeImage } from './image.ts';
import { readSourceMap } from './object/sourcemap.ts';
import { binutilsPrefix, out, root } from './paths.ts';
import { readRules } from './proofs/rules.ts';

/** What is proved of the kernel, with constants of asm/layout.inc. */
const RULES = 'kernel/proofs.txt';

/** Imports a package: what the launcher does for code that was loaded as a script. */
export type ImportPackage = (name: string) => Promise<unknown>;

/** Not imported with its types: they declare AssemblyScript's globals, and those hide Node's. */
interface Asc {
  main(
    args: string[],
    options: { writeFile(name: string, contents: string | Uint8Array): void },
  ): Promise<{ error: Error | null; stderr: { toString(): string } }>;
}

interface Step {
  name: string;
  /** Paths below the root. */
  inputs: string[];
  outputs: string[];
  run(): Promise<void>;
}

export async function buildKernel(importPackage: ImportPackage): Promise<void> {
  if (!existsSync(join(root, 'kernel')))
    throw new UserError(`yaos build: ${root} is no checkout: no kernel/`);
  mkdirSync(join(out, 'asm'), { recursive: true });
  mkdirSync(join(out, 'boot'), { recursive: true });
  const prefix = binutilsPrefix();
  const keys = readKeys();
  const perform = async (step: Step) => {
    const key = keyOf(step);
    if (keys[step.name] === key && step.outputs.every((path) => existsSync(join(root, path)))) return;
    delete keys[step.name];
    await step.run();
    keys[step.name] = key;
  };
  try {
    await Promise.all([perform(wasmStep(importPackage)), ...assembleSteps(prefix).map(perform)]);
    await perform(objectStep());
    await perform(linkStep(prefix));
    await perform(bootStep(prefix));
    await perform(imageStep());
  } finally {
    replaceFile(join(root, 'out/.steps.json'), JSON.stringify(keys));
  }
}

function wasmStep(importPackage: ImportPackage): Step {
  return {
    name: 'asc',
    inputs: [...filesBelow('kernel', ''), 'package-lock.json', 'package.json'],
    outputs: ['out/kernel.wasm', 'out/kernel.wasm.map'],
    run: async () => {
      const asc = (await importPackage('assemblyscript/asc')) as Asc;
      const files = new Map<string, string | Uint8Array>();
      const { error, stderr } = await asc.main(
        ['kernel/main.ts', '--config', 'kernel/asconfig.json', '--baseDir', root],
        { writeFile: (name, contents) => void files.set(name, contents) },
      );
      const messages = stderr.toString();
      if (error !== null) throw new UserError(`${messages}yaos: kernel/main.ts: ${error.message}`);
      process.stderr.write(messages);
      for (const [name, contents] of files) replaceFile(join(out, basename(name)), contents);
    },
  };
}

function objectStep(): Step {
  return {
    name: 'translate',
    inputs: [
      ...['out/kernel.wasm', 'out/kernel.wasm.map', RULES, 'asm/layout.inc'],
      ...filesBelow('out/build', '.js'),
    ],
    outputs: ['out/kernel.o', 'out/proofs.txt'],
    run: async () => {
      const sourceMap = readSourceMap(join(out, 'kernel.wasm.map'));
      const proofs = readRules(join(root, RULES));
      const options = { memory: 'fixed', name: 'kernel', sourceMap, proofs, packTables: true } as const;
      const translation = translateInput(join(out, 'kernel.wasm'), options);
      replaceFile(join(out, 'kernel.o'), translation.object);
      replaceFile(join(out, 'proofs.txt'), translation.proofs!);
    },
  };
}

/** One object for each file of asm/ and boot/. A file that is included may change any of its folder's objects. */
function assembleSteps(prefix: string): Step[] {
  const steps = [];
  for (const [folder, flags] of [
    ['asm', ['--64', '-g', '--debug-prefix-map', `${root}=.`]],
    ['boot', ['--32']],
  ] as const) {
    const files = filesBelow(folder, '');
    for (const source of files.filter((path) => path.endsWith('.S'))) {
      const object = objectOf(source);
      steps.push({
        name: object,
        inputs: [source, ...files.filter((path) => !path.endsWith('.S'))],
        outputs: [object],
        run: () => command(`${prefix}as`, [...flags, '--divide', '-I', folder, '-o', object, source]),
      });
    }
  }
  return steps;
}

function linkStep(prefix: string): Step {
  const objects = [...filesBelow('asm', '.S').map(objectOf), 'out/kernel.o'];
  return {
    name: 'link',
    inputs: [...objects, 'asm/kernel.ld'],
    outputs: ['out/kernel.elf'],
    run: () =>
      command(`${prefix}ld`, [
        ...['-m', 'elf_x86_64', '-static', '-nostdlib', '-z', 'max-page-size=4096', '-z', 'noexecstack'],
        ...['-T', 'asm/kernel.ld', '-o', 'out/kernel.elf'],
        ...objects,
      ]),
  };
}

function bootStep(prefix: string): Step {
  const objects = filesBelow('boot', '.S').map(objectOf);
  return {
    name: 'boot',
    inputs: [...objects, 'boot/boot.ld'],
    outputs: ['out/boot.bin'],
    run: async () => {
      await command(`${prefix}ld`, [
        '-m',
        'elf_i386',
        '-T',
        'boot/boot.ld',
        '-o',
        'out/boot.elf',
        ...objects,
      ]);
      await command(`${prefix}objcopy`, ['-O', 'binary', 'out/boot.elf', 'out/boot.bin']);
    },
  };
}

function imageStep(): Step {
  return {
    name: 'image',
    inputs: ['out/boot.bin', 'out/kernel.elf', 'out/build/image.js'],
    outputs: ['out/yaos.img'],
    run: async () => {
      replaceFile(
        join(root, 'out/yaos.img'),
        makeImage(readFileSync(join(out, 'boot.bin')), readFileSync(join(out, 'kernel.elf'))),
      );
    },
  };
}

function objectOf(source: string): string {
  const folder = source.slice(0, source.indexOf('/'));
  return `out/${folder}/${basename(source, '.S')}.o`;
}

/** What a step is made of: its code, the programs it runs, and each input's content. */
function keyOf(step: Step): string {
  const hash = createHash('sha256').update(readInput(join(out, 'build/kernel.js')));
  for (const path of step.inputs) hash.update(`\n${path}\n`).update(readInput(join(root, path)));
  return hash.digest('hex');
}

function readKeys(): Record<string, string> {
  try {
    return JSON.parse(readFileSync(join(out, '.steps.json'), 'utf8'));
  } catch {
    return {}; // the first build, or an interrupted one
  }
}

function filesBelow(folder: string, extension: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => path.endsWith(extension) && statSync(join(root, path)).isFile())
    .sort();
}

function command(program: string, args: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
    child.on('error', (error) => reject(new UserError(`yaos: cannot run ${program}: ${error.message}`)));
    child.on('close', (status) => {
      if (status === 0) resolve();
      else reject(new UserError(`yaos: '${program} ${args.join(' ')}' failed with status ${status}`));
    });
  });
}
