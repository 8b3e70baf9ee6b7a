// `yaos build`: the steps from the sources of the kernel to the files under out/.
//
//   kernel/*.ts -> kernel.wasm -> kernel.o (proven) -> kernel.elf (with asm/*.S) -> yaos.img (with boot/*.S)

import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type ImportPackage, runAsc } from './asc.ts';
import { translateInput } from './compile.ts';
import { makeFolder, replaceFile } from './files.ts';
import { makeImage } from './image.ts';
import { readSourceMap } from './object/sourcemap.ts';
import { binutilsPrefix, out, root } from './paths.ts';
import { readRules } from './proofs/rules.ts';
import { command, filesBelow, performing, type Step, together } from './steps.ts';
import type { TranslateOptions } from './translate.ts';

/** What is proved of the kernel, with constants of asm/layout.inc. */
const RULES = 'kernel/proofs.txt';

/** One way to build the kernel. */
export interface Flavour {
  /** Where its files go. */
  folder: string;
  /** Of kernel/asconfig.json, which names the same folder. */
  target: string;
  translation: Pick<TranslateOptions, 'disabledPasses' | 'kept' | 'debug'>;
}

const RELEASE: Flavour = { folder: 'out', target: 'release', translation: {} };

export async function buildKernel(importPackage: ImportPackage, flavour = RELEASE): Promise<void> {
  for (const folder of ['out/asm', 'out/boot', flavour.folder]) makeFolder(join(root, folder));
  const prefix = binutilsPrefix();
  await performing(async (perform) => {
    await together([perform(wasmStep(importPackage, flavour)), ...assembleSteps(prefix).map(perform)]);
    await perform(objectStep(flavour));
    await perform(linkStep(prefix, flavour));
    await perform(bootStep(prefix));
    await perform(imageStep(flavour));
  });
}

function wasmStep(importPackage: ImportPackage, { folder, target }: Flavour): Step {
  return {
    name: `asc ${folder}`,
    inputs: [
      ...filesBelow('kernel', '').filter((path) => path !== RULES),
      ...['package-lock.json', 'package.json'],
    ],
    outputs: [`${folder}/kernel.wasm`, `${folder}/kernel.wasm.map`],
    run: async () => {
      for (const [name, contents] of await runAsc(importPackage, target))
        replaceFile(join(root, folder, basename(name)), contents);
    },
  };
}

function objectStep({ folder, translation }: Flavour): Step {
  const wasm = `${folder}/kernel.wasm`;
  return {
    name: `translate ${folder}`,
    inputs: [wasm, `${wasm}.map`, RULES, 'asm/layout.inc', ...filesBelow('out/build', '.js')],
    outputs: [`${folder}/kernel.o`, `${folder}/proofs.txt`],
    run: async () => {
      const sourceMap = readSourceMap(join(root, `${wasm}.map`));
      const proofs = readRules(join(root, RULES));
      const always = { memory: 'fixed', name: 'kernel', packTables: true } as const;
      const translated = translateInput(join(root, wasm), { ...always, sourceMap, proofs, ...translation });
      replaceFile(join(root, folder, 'kernel.o'), translated.object);
      replaceFile(join(root, folder, 'proofs.txt'), translated.proofs!);
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

function linkStep(prefix: string, { folder }: Flavour): Step {
  const objects = [...filesBelow('asm', '.S').map(objectOf), `${folder}/kernel.o`];
  const elf = `${folder}/kernel.elf`;
  return {
    name: `link ${folder}`,
    inputs: [...objects, 'asm/kernel.ld'],
    outputs: [elf],
    run: () =>
      command(`${prefix}ld`, [
        ...['-m', 'elf_x86_64', '-static', '-nostdlib', '-z', 'max-page-size=4096', '-z', 'noexecstack'],
        ...['-T', 'asm/kernel.ld', '-o', elf],
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

function imageStep({ folder }: Flavour): Step {
  const [elf, image] = [`${folder}/kernel.elf`, `${folder}/yaos.img`];
  return {
    name: `image ${folder}`,
    inputs: ['out/boot.bin', elf, 'out/build/image.js'],
    outputs: [image],
    run: async () => {
      const boot = readFileSync(join(out, 'boot.bin'));
      replaceFile(join(root, image), makeImage(boot, readFileSync(join(root, elf))));
    },
  };
}

function objectOf(source: string): string {
  const folder = source.slice(0, source.indexOf('/'));
  return `out/${folder}/${basename(source, '.S')}.o`;
}
