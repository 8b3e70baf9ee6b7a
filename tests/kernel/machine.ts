// A PC small enough to read: RAM, serial port, PIT, local APIC and PCI configuration space behind the kernel's `x86`
// imports, so that kernel.wasm runs in Node. Threads are emulated as far as the kernel's use of them goes: while the
// main thread is suspended, interrupts are delivered, and then it goes on.

/// <reference lib="dom" /> for the type of WebAssembly

/** The machine was switched off or left by the debug exit. */
export class MachineExit extends Error {
  readonly status: number;
  constructor(status: number) {
    super(`exit ${status.toString(16)}`);
    this.status = status;
  }
}

/** A range of device registers in physical memory. */
export interface Registers {
  address: number;
  bytes: number;
  read(offset: number, width: number): number;
  write(offset: number, width: number, value: number): void;
}

/** A PCI function: what configuration space shows, 256 bytes, and what a write does. */
export interface PciFunction {
  device: number;
  config: DataView;
  writeConfig(offset: number, width: number, value: number): void;
}

const RAM_BYTES = 16 * 1024 * 1024;
const PAGE = 4096;
const MULTIBOOT_INFO = 0x9000;
const MULTIBOOT_MAGIC = 0x2badb002;
const COMMAND_LINE = 0x9800;

export class Machine {
  serial = '';
  readonly functions: PciFunction[] = [];
  readonly registers: Registers[] = [];
  /** Vectors that wait to be delivered. */
  readonly pending: number[] = [];
  ram!: DataView;
  private exports!: Record<string, CallableFunction>;
  private readonly pages = new Map<number, number>();
  private configAddress = 0;
  private tsc = 1_000_000n;
  /** Counts down by what the kernel's loop takes. */
  private pitCount = 0xffff;
  private pitReads = 0;
  private divisorLatch = false;
  private mainArg = 0;
  private mainStarted = false;

  constructor() {
    const apic = new DataView(new ArrayBuffer(PAGE));
    this.registers.push({
      address: 0xfee00000,
      bytes: PAGE,
      read: (offset) => (offset === 0x390 ? this.pitCount * 16 : apic.getUint32(offset, true)),
      write: (offset, _width, value) => apic.setUint32(offset, value, true),
    });
  }

  /** Runs the kernel to its end; the exit's value, or what it trapped with. */
  run(module: WebAssembly.Module, commandLine = ''): number | WebAssembly.RuntimeError {
    const instance = new WebAssembly.Instance(module, { x86: this.imports() });
    this.exports = instance.exports as Record<string, CallableFunction>;
    const memory = instance.exports.memory as WebAssembly.Memory;
    memory.grow(RAM_BYTES / 65536 - memory.buffer.byteLength / 65536);
    this.ram = new DataView(memory.buffer);
    this.writeBootInfo(commandLine);
    try {
      this.exports.kmain(MULTIBOOT_MAGIC, MULTIBOOT_INFO);
    } catch (error) {
      if (error instanceof MachineExit) return error.status;
      if (error instanceof WebAssembly.RuntimeError) return error;
      throw error;
    }
    throw new Error('kmain returned');
  }

  private writeBootInfo(commandLine: string): void {
    const set = (at: number, value: number) => this.ram.setUint32(at, value, true);
    set(MULTIBOOT_INFO, 0x45); // memory, command line, memory map
    set(MULTIBOOT_INFO + 4, 639);
    set(MULTIBOOT_INFO + 8, RAM_BYTES / 1024 - 1024);
    set(MULTIBOOT_INFO + 16, COMMAND_LINE);
    set(MULTIBOOT_INFO + 44, 24);
    set(MULTIBOOT_INFO + 48, MULTIBOOT_INFO + 0x100);
    set(MULTIBOOT_INFO + 0x100, 20);
    set(MULTIBOOT_INFO + 0x104, 0x100000);
    set(MULTIBOOT_INFO + 0x10c, RAM_BYTES - 0x100000);
    set(MULTIBOOT_INFO + 0x114, 1);
    for (let i = 0; i < commandLine.length; i++)
      this.ram.setUint8(COMMAND_LINE + i, commandLine.charCodeAt(i));
  }

  private imports(): Record<string, CallableFunction> {
    const nothing = () => {};
    const load = (width: number) => (address: number) => this.load(address >>> 0, width);
    const store = (width: number) => (address: number, value: number) =>
      this.store(address >>> 0, width, value >>> 0);
    const input = (width: number) => (port: number) => this.in(port, width);
    const output = (width: number) => (port: number, value: number) => this.out(port, width, value >>> 0);
    return {
      ...{ in8: input(1), in16: input(2), in32: input(4) },
      ...{ out8: output(1), out16: output(2), out32: output(4) },
      ...{ load8: load(1), load16: load(2), load32: load(4) },
      ...{ store8: store(1), store16: store(2), store32: store(4) },
      load64: (address: number) =>
        BigInt(this.load(address >>> 0, 4)) | (BigInt(this.load((address + 4) >>> 0, 4)) << 32n),
      store64: (address: number, value: bigint) => {
        this.store(address >>> 0, 4, Number(value & 0xffffffffn));
        this.store((address + 4) >>> 0, 4, Number((value >> 32n) & 0xffffffffn));
      },
      ...{ peek8: () => 0, peek32: () => 0, peek64: () => 0n, table: () => 0n },
      ...{ rdmsr: (msr: number) => (msr === 0x1b ? 0xfee00900n : 0n), wrmsr: nothing },
      ...{ read_cr0: () => 0n, read_cr2: () => 0n, read_cr3: () => 0n, read_cr4: () => 0n },
      cpuid_eax: (leaf: number) => (leaf === 0 ? 1 : 0),
      ...{ cpuid_ebx: () => 0, cpuid_ecx: () => 0, cpuid_edx: (leaf: number) => (leaf === 1 ? 1 << 9 : 0) },
      rdtsc: () => {
        this.tsc += 1000n;
        return this.tsc;
      },
      ...{ mfence: nothing, lfence: nothing, sfence: nothing, pause: nothing },
      ...{ cli: nothing, sti: nothing, sti_hlt: nothing, irq_save: () => 0, irq_restore: nothing },
      hlt: () => {
        throw new Error('halted');
      },
      map: (virt: number, phys: bigint, bytes: number) => {
        for (let at = 0; at < bytes >>> 0; at += PAGE) this.pages.set((virt >>> 0) + at, Number(phys) + at);
        return 0;
      },
      ...{ unmap: () => 0, memory_limit: nothing, image_start: () => 0x100000, image_end: () => 0x200000 },
      thread_new: (_slot: number, arg: number) => {
        this.mainArg = arg;
      },
      thread_switch: (from: number) => this.switchFrom(from),
    };
  }

  private switchFrom(from: number): void {
    if (from === 0) {
      if (this.mainStarted) throw new Error('the idle thread runs, which only the real machine can do');
      this.mainStarted = true;
      this.exports.thread_main(this.mainArg);
    }
    if (this.pending.length === 0) this.tsc += 10_000_000_000n;
    for (let vector = this.pending.shift(); vector !== undefined; vector = this.pending.shift()) {
      this.exports.interrupt(vector);
    }
  }

  private locate(address: number): { device: Registers; offset: number } | undefined {
    const phys = this.pages.get(address - (address % PAGE));
    if (phys === undefined) return undefined;
    const at = phys + (address % PAGE);
    const device = this.registers.find((r) => at >= r.address && at < r.address + r.bytes);
    return device && { device, offset: at - device.address };
  }

  private load(address: number, width: number): number {
    const found = this.locate(address);
    if (found) return found.device.read(found.offset, width);
    if (width === 1) return this.ram.getUint8(address);
    return width === 2 ? this.ram.getUint16(address, true) : this.ram.getUint32(address, true);
  }

  private store(address: number, width: number, value: number): void {
    const found = this.locate(address);
    if (found) found.device.write(found.offset, width, value);
    else if (width === 1) this.ram.setUint8(address, value);
    else if (width === 2) this.ram.setUint16(address, value, true);
    else this.ram.setUint32(address, value, true);
  }

  private in(port: number, width: number): number {
    if (port === 0x42) return this.readPit();
    if (port === 0x3fd) return 0x60; // the transmitter is empty and idle
    if (port === 0x61) return 0;
    if (port >= 0xcfc && port <= 0xcff) return this.readConfig(port - 0xcfc, width);
    return width === 1 ? 0xff : width === 2 ? 0xffff : 0xffffffff;
  }

  private out(port: number, width: number, value: number): void {
    if (port === 0x3fb) this.divisorLatch = (value & 0x80) !== 0;
    else if (port === 0x3f8) this.serial += this.divisorLatch ? '' : String.fromCharCode(value);
    else if (port === 0xcf8) this.configAddress = value;
    else if (port >= 0xcfc && port <= 0xcff) this.writeConfig(port - 0xcfc, width, value);
    else if (port === 0x43 && value === 0x80) this.pitCount -= 100;
    else if (port === 0xf4) throw new MachineExit(value);
  }

  private readPit(): number {
    return (this.pitReads++ % 2 === 0 ? this.pitCount : this.pitCount >> 8) & 0xff;
  }

  private selected(): PciFunction | undefined {
    if ((this.configAddress & 0x00ff0700) !== 0) return undefined; // bus 0, function 0 only
    return this.functions.find((f) => f.device === ((this.configAddress >> 11) & 31));
  }

  private readConfig(low: number, width: number): number {
    const config = this.selected()?.config;
    const at = (this.configAddress & 0xfc) + low;
    if (!config) return width === 4 ? 0xffffffff : width === 2 ? 0xffff : 0xff;
    if (width === 1) return config.getUint8(at);
    return width === 2 ? config.getUint16(at, true) : config.getUint32(at, true);
  }

  private writeConfig(low: number, width: number, value: number): void {
    this.selected()?.writeConfig((this.configAddress & 0xfc) + low, width, value);
  }
}
