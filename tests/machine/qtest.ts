// QEMU's devices without a kernel: the CPU halts at reset, and QEMU's qtest interface drives ports and memory from here. The
// same operations go to the model through the same interface.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { QEMU } from '../../build/qemu/command.ts';
import type { Machine, Width } from '../../machine/index.ts';

/** A machine seen from where its CPU would be. */
export interface Bench {
  in(port: number, width: Width): Promise<number>;
  out(port: number, width: Width, value: number): Promise<void>;
  load(address: number, width: Width): Promise<number>;
  store(address: number, width: Width, value: number): Promise<void>;
  readRam(address: number, bytes: number): Promise<Uint8Array>;
  writeRam(address: number, data: Uint8Array): Promise<void>;
  /** Lets what devices have begun come to its end: until `done`. */
  settle(done: () => Promise<boolean>): Promise<void>;
  close(): Promise<void>;
}

const LETTERS: Record<Width, string> = { 1: 'b', 2: 'w', 4: 'l' };
/** QEMU's main loop completes block requests between two commands. */
const SETTLE_ROUNDS_MAX = 5000;
const SETTLE_NS = 10_000_000;
const BIOS_BYTES = 65536;
const HLT = 0xf4;

export class QemuBench implements Bench {
  private readonly qemu: ChildProcessWithoutNullStreams;
  private readonly waiting: ((answer: string) => void)[] = [];
  private messages = '';

  private readonly folder = mkdtempSync(join(tmpdir(), 'yaos-qtest-'));

  constructor(args: string[]) {
    const bios = join(this.folder, 'bios.bin');
    writeFileSync(bios, new Uint8Array(BIOS_BYTES).fill(HLT));
    this.qemu = spawn(QEMU, [
      ...['-nodefaults', '-display', 'none', '-accel', 'tcg', '-bios', bios],
      ...['-qtest', 'stdio', '-qtest-log', 'none', ...args],
    ]);
    createInterface({ input: this.qemu.stdout }).on('line', (line) => {
      if (!line.startsWith('IRQ ')) this.waiting.shift()?.(line);
    });
    this.qemu.stderr.on('data', (text) => {
      this.messages += text;
    });
    this.qemu.on('exit', () => {
      for (const answer of this.waiting.splice(0)) answer(`FAIL QEMU has ended: ${this.messages}`);
    });
  }

  async in(port: number, width: Width): Promise<number> {
    return Number(await this.command(`in${LETTERS[width]} ${port}`));
  }

  async out(port: number, width: Width, value: number): Promise<void> {
    await this.command(`out${LETTERS[width]} ${port} ${value}`);
  }

  async load(address: number, width: Width): Promise<number> {
    return Number(await this.command(`read${LETTERS[width]} ${address}`));
  }

  async store(address: number, width: Width, value: number): Promise<void> {
    await this.command(`write${LETTERS[width]} ${address} ${value}`);
  }

  async readRam(address: number, bytes: number): Promise<Uint8Array> {
    const hex = await this.command(`read ${address} ${bytes}`);
    return Uint8Array.from(Buffer.from(hex.slice(2), 'hex'));
  }

  async writeRam(address: number, data: Uint8Array): Promise<void> {
    await this.command(`write ${address} ${data.length} 0x${Buffer.from(data).toString('hex')}`);
  }

  async settle(done: () => Promise<boolean>): Promise<void> {
    for (let i = 0; i < SETTLE_ROUNDS_MAX; i++) if (await done()) return;
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.qemu.on('close', () => {
        rmSync(this.folder, { recursive: true });
        resolve();
      });
      this.qemu.kill();
    });
  }

  private command(text: string): Promise<string> {
    return new Promise((resolve, reject) => {
      this.waiting.push((answer) => {
        if (answer.startsWith('OK')) resolve(answer.slice(3));
        else reject(new Error(`qtest: ${text}: ${answer}`));
      });
      this.qemu.stdin.write(`${text}\n`);
    });
  }
}

const RAM_BYTES = 128 << 20;

export class ModelBench implements Bench {
  private readonly machine: Machine;

  constructor(machine: Machine) {
    this.machine = machine;
    machine.ram.use({ buffer: new ArrayBuffer(RAM_BYTES) });
  }

  async in(port: number, width: Width): Promise<number> {
    return this.machine.ports.read(port, width);
  }

  async out(port: number, width: Width, value: number): Promise<void> {
    this.machine.ports.write(port, width, value);
  }

  async load(address: number, width: Width): Promise<number> {
    return this.machine.memory.read(address, width);
  }

  async store(address: number, width: Width, value: number): Promise<void> {
    this.machine.memory.write(address, width, value);
  }

  async readRam(address: number, bytes: number): Promise<Uint8Array> {
    return this.machine.ram.bytes.slice(address, address + bytes);
  }

  async writeRam(address: number, data: Uint8Array): Promise<void> {
    this.machine.ram.bytes.set(data, address);
  }

  async settle(): Promise<void> {
    this.machine.clock.advance(SETTLE_NS);
  }

  async close(): Promise<void> {}
}
