// Builds the boot tests' kernel (kernel.c with asm/) and its image with boot/, and boots them in QEMU.

import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeImage, seal } from '../../build/image.ts';
import { binutilsPrefix, root } from '../../build/paths.ts';

const RUN_MS_MAX = 20_000;
/** isa-debug-exit: (value << 1) | 1. */
export const STATUS_DONE = 33;
export const STATUS_FAILED = 35;

const CFLAGS = [
  '-O1',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-ffreestanding',
  '-fno-builtin',
  '-fno-stack-protector',
];
const KERNEL_CFLAGS = ['-fno-pic', '-fno-pie', '-mcmodel=kernel', '-mno-red-zone'];

export interface Result {
  status: number | null;
  /** What came over COM1, a line an entry, without the line ends. */
  lines: string[];
}

export class Workbench {
  readonly directory = mkdtempSync(join(tmpdir(), 'yaos-boot-'));
  readonly #prefix = binutilsPrefix();
  readonly boot: Uint8Array;

  constructor() {
    this.#assemble('asm', '--64');
    this.#assemble('boot', '--32');
    const objects = this.#objects('boot');
    this.tool('ld', [
      '-m',
      'elf_i386',
      '-T',
      join(root, 'boot/boot.ld'),
      '-o',
      this.path('boot.elf'),
      ...objects,
    ]);
    this.tool('objcopy', ['-O', 'binary', this.path('boot.elf'), this.path('boot.bin')]);
    this.boot = readFileSync(this.path('boot.bin'));
    const source = join(root, 'tests/boot/kernel.c');
    execFileSync('gcc', [...CFLAGS, ...KERNEL_CFLAGS, '-c', source, '-o', this.path('kernel.o')]);
  }

  close(): void {
    rmSync(this.directory, { recursive: true });
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  write(name: string, contents: Uint8Array): string {
    writeFileSync(this.path(name), contents);
    return this.path(name);
  }

  tool(name: string, args: string[]): string {
    return execFileSync(this.#prefix + name, args, { encoding: 'utf8' });
  }

  /** Links NAME.elf; `padding` makes it as much larger. */
  kernel(name: string, { padding = new Uint8Array(0), usesFloat = true } = {}): Uint8Array {
    const bytes = this.write(`${name}.bin`, padding);
    const source = `.section .rodata\n.globl padding, padding_end\npadding: .incbin "${bytes}"\npadding_end:\n`;
    this.assembleText(`${name}-padding`, source, '--64');
    this.tool('ld', [
      ...['-m', 'elf_x86_64', '-static', '-nostdlib', '-z', 'max-page-size=4096', '-z', 'noexecstack'],
      ...['--defsym', 'yaos_text=text_start', '--defsym', 'yaos_text_end=data_start'],
      ...(usesFloat ? ['--defsym', 'yaos_uses_float=1'] : []),
      ...['-T', join(root, 'asm/kernel.ld'), '-o', this.path(`${name}.elf`)],
      ...[...this.#objects('asm'), this.path('kernel.o'), this.path(`${name}-padding.o`)],
    ]);
    return readFileSync(this.path(`${name}.elf`));
  }

  /** The bootable image NAME.img, changed by `patch` before its sum is made. */
  image(name: string, kernel: Uint8Array, patch: (image: Uint8Array) => void = () => {}): string {
    const image = makeImage(this.boot, kernel);
    patch(image);
    seal(image);
    return this.write(`${name}.img`, image);
  }

  assembleText(name: string, source: string, mode: string): string {
    writeFileSync(this.path(`${name}.s`), source);
    this.tool('as', [mode, '-o', this.path(`${name}.o`), this.path(`${name}.s`)]);
    return this.path(`${name}.o`);
  }

  /** The addresses of a linked file's symbols. */
  symbols(file: string): Map<string, bigint> {
    const lines = this.tool('nm', [this.path(file)])
      .trim()
      .split('\n');
    return new Map(lines.map((line) => [line.split(' ')[2], BigInt(`0x${line.split(' ')[0]}`)]));
  }

  #assemble(folder: string, mode: string): void {
    for (const file of readdirSync(join(root, folder)).filter((name) => name.endsWith('.S'))) {
      const object = this.path(`${folder}-${file}.o`);
      this.tool('as', [mode, '--divide', '-I', join(root, folder), '-o', object, join(root, folder, file)]);
    }
  }

  #objects(folder: string): string[] {
    const names = readdirSync(this.directory).filter((name) => name.startsWith(`${folder}-`));
    return names.map((name) => this.path(name));
  }
}

/** A disk drive for QEMU, whose contents stay as they are. */
export function drive(image: string, rest: string): string[] {
  return ['-drive', `format=raw,snapshot=on,file=${image},${rest}`];
}

const MACHINE = ['-nodefaults', '-display', 'none', '-no-reboot', '-accel', 'tcg'];
const DEBUG_EXIT = ['-device', 'isa-debug-exit,iobase=0xf4,iosize=4'];

/** Runs QEMU until the guest ends it. */
export async function run(args: string[]): Promise<Result> {
  const { status, serial } = await spawnQemu([...DEBUG_EXIT, ...args]);
  return { status, lines: serial.split('\r\n').filter((line) => line !== '') };
}

/** Runs QEMU until a whole line has come over COM1, and returns the text on the VGA screen. */
export async function screenOf(args: string[]): Promise<string> {
  const monitor = ['-vga', 'std', '-chardev', 'socket,id=monitor,fd=3', '-mon', 'monitor'];
  const dump = 'xp /4000xb 0xb8000\nquit\n';
  const output = (await spawnQemu([...monitor, ...args], dump)).monitor;
  const rows = [...output.matchAll(/^[0-9a-f]+:((?: 0x[0-9a-f]{2})+)/gm)]; // ADDRESS: 0x41 0x07 ...
  const cells = rows.flatMap((row) => row[1].trim().split(' ').map(Number));
  return String.fromCharCode(...cells.filter((_, i) => i % 2 === 0));
}

/** `commands` are given to the monitor at descriptor 3 when the guest has ended a line. */
function spawnQemu(args: string[], commands?: string) {
  return new Promise<{ status: number | null; serial: string; monitor: string }>((resolve, reject) => {
    const qemu = spawn('qemu-system-x86_64', [...MACHINE, '-serial', 'stdio', ...args], {
      stdio: ['ignore', 'pipe', 'inherit', commands === undefined ? 'ignore' : 'pipe'],
    });
    const timer = setTimeout(() => qemu.kill('SIGKILL'), RUN_MS_MAX);
    const monitor = qemu.stdio[3] as Socket | null;
    const output = { serial: '', monitor: '' };
    qemu.stdout!.on('data', (data) => {
      output.serial += data;
      if (output.serial.endsWith('\n')) monitor?.write(commands!);
    });
    monitor?.on('data', (data) => {
      output.monitor += data;
    });
    qemu.on('error', reject);
    qemu.on('close', (status) => {
      clearTimeout(timer);
      resolve({ status, ...output });
    });
  });
}
