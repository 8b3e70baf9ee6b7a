// The command line of the toolchain: out/yaos in a checkout, npx yaos where the package is installed. What the
// user did wrong is one line on standard error and exit status 1. A command's code is loaded when it is asked
// for, so that each starts fast.

import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import type { ImportPackage } from './asc.ts';
import type { TranslatorFlags } from './compile.ts';
import { UserError } from './error.ts';
import { readInput } from './files.ts';
import { root } from './paths.ts';

interface Option {
  /** What the value is, in capitals; absent for a switch. */
  value?: string;
  short?: string;
  required?: boolean;
  /** May be given several times. */
  multiple?: boolean;
  help: string;
}

interface Command {
  help: string;
  /** Name of the one argument, if there is one. */
  argument?: string;
  options: Record<string, Option>;
  /** It works on the kernel's sources, or on what was built of them. */
  inCheckout?: boolean;
  run(argument: string, values: Values, importPackage: ImportPackage): Promise<number | undefined>;
}

type Values = Record<string, string | boolean | string[] | undefined>;

const OUTPUT = (what: string): Option => ({ value: 'FILE', short: 'o', required: true, help: what });

const NAME: Option = { value: 'NAME', help: "what the module is called in C (the file's name)" };

/** Of every command that translates a module. */
const TRANSLATOR_OPTIONS: Record<string, Option> = {
  'disable-pass': {
    value: 'NAME,…',
    multiple: true,
    help: 'leave optimisation passes out (may be repeated)',
  },
  'source-map': { value: 'FILE', help: 'where the source lines are (IN.wasm.map, if there is one)' },
  'verify-ir': { help: 'check the translator: the IR between passes, every register allocation' },
};

/** Of every command that boots a machine. */
const MACHINE_OPTIONS: Record<string, Option> = {
  disk: { value: 'FILE', help: 'raw or qcow2, or none (out/usr.img)' },
  accel: { value: 'NAME', help: 'auto, kvm or tcg (auto)' },
  machine: { value: 'TYPE', help: 'pc or q35 (pc)' },
  smp: { value: 'N', help: 'number of CPUs (2)' },
  mem: { value: 'SIZE', help: 'RAM (512M)' },
  blk: { value: 'PROPERTIES', help: 'added to -device virtio-blk-pci' },
  append: { value: 'WORDS', help: 'command line of the kernel' },
  qemuextra: { value: 'ARGUMENTS', help: 'more arguments for QEMU' },
};

function translatorFlags(values: Values): TranslatorFlags {
  return {
    disablePass: values['disable-pass'] as string[] | undefined,
    sourceMap: values['source-map'] as string | undefined,
    verifyIr: values['verify-ir'] === true,
  };
}

const COMMANDS: Record<string, Command> = {
  compile: {
    help: 'translate a WebAssembly module to an x86-64 ELF object',
    argument: 'IN.wasm',
    options: {
      output: { ...OUTPUT('the object to make; with -S the listing (standard output)'), required: false },
      assembly: {
        short: 'S',
        help: 'list the assembly: with Wasm offset, source line and the stage that made it',
      },
      proofs: { value: 'RULES', help: 'what has to hold of the stacks and calls (docs/abi.md §10)' },
      memory: { value: 'MODEL', help: 'register (a hosted process, the default) or fixed (the kernel)' },
      name: NAME,
      ...TRANSLATOR_OPTIONS,
    },
    run: async (input, values) => {
      const { compileFile } = await import('./compile.ts');
      const [output, name] = [values.output, values.name] as (string | undefined)[];
      const proofs = values.proofs as string | undefined;
      const flags = { name, proofs, assembly: values.assembly === true, ...translatorFlags(values) };
      compileFile(input, output, String(values.memory ?? 'register'), flags);
      return 0;
    },
  },
  exe: {
    help: 'make a Linux program that runs a WebAssembly module',
    argument: 'IN.wasm',
    options: {
      output: OUTPUT('the program to make'),
      spectest: { help: "provide the official test suite's module spectest" },
      wasi: { help: 'provide WASI preview 1 and run _start' },
      ...TRANSLATOR_OPTIONS,
    },
    run: async (input, values) => {
      const { makeExe } = await import('./host/exe.ts');
      const flags = { spectest: values.spectest === true, wasi: values.wasi === true };
      await makeExe(input, String(values.output), { ...flags, ...translatorFlags(values) });
      return 0;
    },
  },
  header: {
    help: 'make the C header for the object that compile makes of a module',
    argument: 'IN.wasm',
    options: { output: OUTPUT('the header to make'), name: NAME },
    run: async (input, values) => {
      const { makeHeader } = await import('./host/header.ts');
      makeHeader(input, String(values.output), values.name as string | undefined);
      return 0;
    },
  },
  listing: {
    help: 'make a page that shows a module with its sources and its machine code',
    argument: 'IN.wasm',
    options: {
      output: OUTPUT('the HTML file to make'),
      memory: { value: 'MODEL', help: 'register (a hosted process, the default) or fixed (the kernel)' },
      profile: { value: 'FILE', help: 'samples by address, of make profile (out/profile.json)' },
      linked: { value: 'FILE', help: 'the program that was sampled' },
      ...TRANSLATOR_OPTIONS,
    },
    run: async (input, values) => {
      const { makeListing } = await import('./compile.ts');
      const [profile, linked] = [values.profile, values.linked] as (string | undefined)[];
      const memory = String(values.memory ?? 'register');
      makeListing(input, String(values.output), memory, { profile, linked, ...translatorFlags(values) });
      return 0;
    },
  },
  build: {
    help: 'build the kernel and its image from the sources in the checkout',
    inCheckout: true,
    options: {},
    run: async (_argument, _values, importPackage) => {
      const { buildKernel } = await import('./kernel.ts');
      await buildKernel(importPackage);
      return 0;
    },
  },
  watch: {
    help: 'build the kernel and boot it, anew after each change of a source; not optimised, for it is quick',
    inCheckout: true,
    options: {
      kernel: { help: 'boot kernel.elf directly, without firmware and boot block' },
      ...MACHINE_OPTIONS,
    },
    run: async (_, { kernel, ...values }, importPackage) => {
      const { parseOptions } = await import('./qemu/options.ts');
      const { watch } = await import('./watch/watch.ts');
      const options = parseOptions({ ...machineVariables(values), TIMEOUT: SESSION_S });
      return watch(options, kernel === true, importPackage);
    },
  },
  run: {
    help: 'boot the image in QEMU; each option has the meaning of the variable of make with its name',
    inCheckout: true,
    options: {
      kernel: { help: 'boot out/kernel.elf directly, without firmware and boot block' },
      gdb: { help: 'start paused and attach gdb' },
      profile: { help: 'sample the running kernel, for out/profile.html, .speedscope.json and .json' },
      trace: { help: 'record interrupts, requests, wake-ups, switches and the boot in out/trace.json' },
      shell: { help: "the kernel's monitor on this terminal, for as long as it takes" },
      ...MACHINE_OPTIONS,
      timeout: { value: 'SECONDS', help: 'how long the machine may run (60; with job=shell a day)' },
    },
    run: async (_, { kernel, gdb, profile, trace, shell, ...values }) => {
      const { parseOptions } = await import('./qemu/options.ts');
      const { run } = await import('./qemu/run.ts');
      const variables = machineVariables(values);
      if (shell === true) variables.APPEND = `job=shell ${variables.APPEND ?? ''}`; // the first one counts
      const typed = isShell(variables.APPEND);
      if (typed) variables.TIMEOUT ||= SESSION_S;
      const tools = { gdb, profile, trace };
      const tool = (['gdb', 'profile', 'trace'] as const).find((name) => tools[name] === true);
      return run(parseOptions(variables), { direct: kernel === true, tool, shell: typed });
    },
  },
};

/** Options go before the variables of the environment. */
function machineVariables(values: Values): Record<string, string | undefined> {
  const variables = { ...process.env };
  for (const [name, value] of Object.entries(values)) variables[name.toUpperCase()] = String(value);
  return variables;
}

/** A day. */
const SESSION_S = '86400';

/** Whether somebody is going to type. */
function isShell(append = ''): boolean {
  return append.split(/\s+/).find((word) => word.startsWith('job=')) === 'job=shell';
}

/** Returns the exit status; every error has been told. */
export async function main(args: string[], importPackage: ImportPackage): Promise<number | undefined> {
  try {
    return await dispatch(args, importPackage);
  } catch (error) {
    console.error(errorLine(error));
    return 1;
  }
}

async function dispatch(args: string[], importPackage: ImportPackage): Promise<number | undefined> {
  const [name, ...rest] = args;
  if (name === undefined || name === '--help' || name === '-h') {
    console.log(usage());
    return name === undefined ? 1 : 0;
  }
  if (name === '--version') {
    const manifest = Buffer.from(readInput(join(root, 'package.json'))).toString();
    console.log(JSON.parse(manifest).version);
    return 0;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) throw new UserError(`yaos: unknown command '${name}' (yaos --help tells them)`);
  if (rest.includes('--help') || rest.includes('-h')) {
    console.log(commandUsage(name, command));
    return 0;
  }
  const { values, positionals } = parse(name, command, rest);
  const wanted = command.argument === undefined ? 0 : 1;
  if (positionals.length > wanted) throw wrong(name, `unexpected argument '${positionals[wanted]}'`);
  if (positionals.length < wanted) throw wrong(name, `${command.argument} is missing`);
  for (const [option, { required }] of Object.entries(command.options)) {
    if (required && values[option] === undefined) throw wrong(name, `--${option} is missing`);
  }
  if (command.inCheckout && !existsSync(join(root, 'kernel/main.ts')))
    throw new UserError(`yaos ${name}: ${root} is no checkout of yaos: there is no kernel/main.ts in it`);
  const [input = ''] = positionals;
  if (typeof values.output === 'string' && resolve(values.output) === resolve(input))
    throw wrong(name, `--output ${values.output}: it is the input`);
  return command.run(input, values, importPackage);
}

function parse(name: string, command: Command, args: string[]): { values: Values; positionals: string[] } {
  const options: ParseArgsConfig['options'] = {};
  for (const [option, { value, short, multiple }] of Object.entries(command.options)) {
    const type = value === undefined ? 'boolean' : 'string';
    options[option] = { type, multiple: multiple === true, ...(short ? { short } : {}) };
  }
  try {
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
    return { values: values as Values, positionals };
  } catch (error) {
    throw wrong(name, (error as Error).message.split(/\. |\n/)[0]);
  }
}

function wrong(name: string, what: string): UserError {
  return new UserError(`yaos ${name}: ${what} (yaos ${name} --help tells the options)`);
}

function usage(): string {
  const lines = Object.entries(COMMANDS).map(([name, { help }]) => `  ${name.padEnd(9)} ${help}`);
  return ['usage: yaos COMMAND', ...lines, '  COMMAND --help tells its options'].join('\n');
}

function commandUsage(name: string, command: Command): string {
  const lines = Object.entries(command.options).map(([option, { value, short, help }]) => {
    const names = `${short ? `-${short}, ` : ''}--${option}${value ? ` ${value}` : ''}`;
    return `  ${names.padEnd(24)} ${help}`;
  });
  const argument = command.argument === undefined ? '' : ` ${command.argument}`;
  return [`usage: yaos ${name}${argument} [OPTIONS]`, `  ${command.help}`, ...lines].join('\n');
}

function errorLine(error: unknown): string {
  if (error instanceof UserError) return error.message;
  const { message, stack } = error as Error;
  if (process.env.YAOS_TRACE) return stack ?? message;
  return `yaos: internal error: ${message.split('\n')[0]} (YAOS_TRACE=1 tells where)`;
}
