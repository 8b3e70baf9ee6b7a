// The machine: all parts put together, a kernel loaded into it and run to its end.

import { Dma, Ram } from './bus/memory.ts';
import { AddressSpace } from './bus/space.ts';
import { Cpu, Steps } from './cpu/cpu.ts';
import { Cpus } from './cpu/cpus.ts';
import { KvmClock } from './cpu/kvmclock.ts';
import { LocalApic } from './cpu/lapic.ts';
import { PAGE_BYTES, PageMap } from './cpu/paging.ts';
import { Cmos } from './devices/cmos.ts';
import { FwCfg } from './devices/fwcfg.ts';
import { Hpet } from './devices/hpet.ts';
import { IOAPIC_2_ADDRESS, IOAPIC_ADDRESS, IOAPIC_PINS, IoApic } from './devices/ioapic.ts';
import { Pic } from './devices/pic.ts';
import { Pit } from './devices/pit.ts';
import { Power } from './devices/power.ts';
import { Serial } from './devices/serial.ts';
import { mapSleepControl } from './devices/sleep.ts';
import { MachineEnd, MachineError, PageFault } from './error.ts';
import { SCI_INTERRUPT, writeAcpi } from './firmware/acpi.ts';
import { writeReducedAcpi } from './firmware/acpi-reduced.ts';
import { MULTIBOOT_MAGIC, usableEnd, writeMultiboot } from './firmware/multiboot.ts';
import { configurePci } from './firmware/pci.ts';
import { modelImports, type Surroundings, x86Imports } from './kernel/imports.ts';
import { type Kernel, loadKernel } from './kernel/module.ts';
import {
  type Fault,
  faultOf,
  type Native,
  PAGE_FAULT,
  PanicMemory,
  TRAP_MEMORY,
  wasmCalls,
} from './kernel/native.ts';
import { Threads } from './kernel/threads.ts';
import { MODEL } from './kernel/transform.ts';
import { WASM_PAGE_BYTES, type WasmImports, type WasmMemory, wasm } from './kernel/wasm.ts';
import {
  BUDGET_STEPS,
  checkOptions,
  type MachineOptions,
  MEMORY_MIB,
  type MemoryOwner,
  STEP_NS,
  TSC_KHZ,
} from './options.ts';
import { AcpiSlots } from './pci/acpi-slots.ts';
import type { PciBus } from './pci/bus.ts';
import { addChipset, PIRQ_ISA, PIRQ_ROUTES } from './pci/chipset.ts';
import { PciHost } from './pci/host.ts';
import { Random } from './random.ts';
import { Clock } from './time/clock.ts';
import { MmioBus } from './virtio/mmio-bus.ts';

/** How a run ended. */
export interface Result {
  /**
   * `off`: by ACPI; `exit`: by the debug exit; `reset`; `panic`: the kernel's report, or a trap that it could not
   * report; `error`: the model gave up (see `error`).
   */
  end: 'off' | 'exit' | 'reset' | 'panic' | 'error';
  /** QEMU's exit status: 0 when switched off, 2 * value + 1 from the debug exit; 1 for an error. */
  status: number;
  /** The serial log, and its lines without CR LF. */
  serial: string;
  lines: string[];
  /** What it ended with, if it did not end by itself. Its stack has the kernel's functions by name. */
  error: Error | undefined;
  /** Intrinsics executed, and virtual time passed. */
  steps: number;
  time_ns: number;
}

const STATUS_PANIC = 35;
const LAPIC_ADDRESS = 0xfee0_0000;
const MIB = 2 ** 20;
const ZERO_PAGE = Buffer.alloc(WASM_PAGE_BYTES);
/** Enough for the kernel's calls in a panic. */
const STACK_TRACE_CALLS = 60;

export class Machine implements MemoryOwner {
  readonly clock = new Clock();
  readonly ports = new AddressSpace();
  readonly memory = new AddressSpace();
  readonly ram = new Ram();
  readonly pages = new PageMap();
  readonly pci: PciHost;
  /** The first CPU, and all of them. */
  readonly cpu: Cpu;
  readonly cpus: Cpus;
  readonly pic: Pic;
  readonly pit: Pit;
  /** Undefined: there is none. */
  readonly hpet: Hpet | undefined;
  readonly cmos: Cmos;
  readonly kvmclock: KvmClock;
  readonly ioapic: IoApic;
  /** All I/O APICs, in the order of their GSIs. */
  private readonly ioapics: IoApic[];
  readonly serial: Serial;
  readonly fwcfg: FwCfg;
  readonly options: Omit<MachineOptions, 'reuse'>;
  /** Not among the options: each machine would keep the one before it. */
  private reuse: MemoryOwner | undefined;
  /** What the kernel's peek intrinsics read; a panic makes its own. */
  native: Native | undefined;
  /** What is on virtio-mmio; on microvm. */
  readonly mmio: MmioBus;
  private readonly type: 'pc' | 'q35' | 'microvm';
  private readonly steps: Steps;
  private wasmMemory: WasmMemory | undefined;
  private threads: Threads | undefined;
  /** Which of the chipset's PCI interrupt lines are driven; two of them share an ISA interrupt. */
  private readonly pirqs: boolean[] = PIRQ_ISA.map(() => false);

  private firmwareRan = false;
  /** How many steps the module took to initialise itself. */
  private stepsOfStart = 0;

  constructor(options: MachineOptions = {}) {
    checkOptions(options);
    const { reuse, ...own } = options;
    this.options = own;
    this.reuse = reuse;
    this.type = options.machine ?? 'pc';
    const { clock, ports, memory, ram, type } = this;
    const trace = options.trace ?? {};
    const random = options.seed === undefined ? undefined : new Random(options.seed);
    this.pic = new Pic(ports);
    this.steps = new Steps(options.budget_steps ?? BUDGET_STEPS);
    const { step_ns = STEP_NS, tsc_khz = TSC_KHZ } = options;
    this.kvmclock = new KvmClock(ram, clock, tsc_khz);
    const { steps, kvmclock } = this;
    const cpus: Cpu[] = [];
    for (let id = 0; id < (options.cpus ?? 1); id++) {
      const lapic = new LocalApic(id, clock);
      lapic.onEnd = (vector) => {
        for (const ioapic of this.ioapics) ioapic.end(vector);
      };
      cpus.push(new Cpu(lapic, this.pic, clock, trace, { step_ns, tsc_khz, steps, random, kvmclock }));
    }
    this.cpu = cpus[0];
    this.cpu.started = true;
    this.cpus = new Cpus(cpus, clock);
    memory.map(LAPIC_ADDRESS, PAGE_BYTES, this.cpus);
    const addresses = type === 'microvm' ? [IOAPIC_ADDRESS, IOAPIC_2_ADDRESS] : [IOAPIC_ADDRESS];
    this.ioapics = addresses.map((address) => new IoApic(memory, this.cpus.request.bind(this.cpus), address));
    this.ioapic = this.ioapics[0];
    this.pit = new Pit(ports, clock, this.pic, type !== 'microvm');
    if (type !== 'microvm' && options.hpet !== false) this.hpet = new Hpet(memory, clock);
    this.cmos = new Cmos(ports, clock, options.date ?? new Date(0));
    this.serial = new Serial(ports, 0x3f8, (high) => this.setIsaLine(4, high));
    const messages = (address: number, data: number) => this.message(address, data);
    this.fwcfg = new FwCfg(ports, new Dma(() => 'fw_cfg', ram, trace, messages));
    if (options.commandLine) this.fwcfg.addFile('opt/yaos/cmdline', options.commandLine);
    const setGsi = (gsi: number, high: boolean) => this.setGsi(gsi, high);
    this.mmio = new MmioBus({
      memory,
      ram,
      clock,
      trace,
      messages,
      random,
      setGsi,
      exists: type === 'microvm',
      acpi: options.firmware?.acpi ?? true,
    });
    this.pci = new PciHost({
      ...{ ports, memory, ram, clock, trace, messages, random },
      exists: type !== 'microvm',
      ecam: type === 'q35',
      pirqRoute: PIRQ_ROUTES[type === 'q35' ? 'q35' : 'pc'],
      pirqSink: (pirq, high) => this.setPirq(pirq, high),
    });
    if (type === 'microvm') {
      mapSleepControl(memory, ports);
    } else {
      new Power(ports, clock, type);
      addChipset(this.pci, type);
      const eject = (bus: PciBus, slot: number) => {
        for (const fn of bus.functions.slice(slot << 3, (slot + 1) << 3))
          if (fn !== undefined) this.pci.remove(fn);
      };
      this.pci.acpi = new AcpiSlots(ports, type, eject, (high) => this.setIsaLine(SCI_INTERRUPT, high));
    }
  }

  /** Boots a kernel, out/kernel.wasm by default, and runs it to its end. */
  async boot(kernel?: Kernel | string): Promise<Result> {
    return this.run(typeof kernel === 'object' ? kernel : await loadKernel(kernel));
  }

  /** As `boot`, with a kernel that is loaded already. A machine runs once. */
  run(kernel: Kernel): Result {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = STACK_TRACE_CALLS;
    try {
      return this.runKernel(kernel);
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
    }
  }

  private runKernel(kernel: Kernel): Result {
    const exports = this.load(kernel);
    const kmain = exports.kmain as ((magic: number, info: number) => void) | undefined;
    if (kmain === undefined)
      throw new MachineError('the module exports no kmain: load() it, and call the functions that it has');
    const info = this.startFirmware();
    try {
      this.threads!.run(() => kmain(MULTIBOOT_MAGIC, info));
      return this.result('error', 1, new MachineError('the kernel returned'));
    } catch (error) {
      return this.ended(error as Error, exports);
    }
  }

  /** Puts a module into the machine and returns its exports: for tests that call parts of a kernel. */
  load(kernel: Kernel): Record<string, unknown> {
    const mib = this.options.memory_mib ?? MEMORY_MIB;
    const pages = (mib * MIB) / WASM_PAGE_BYTES;
    const x86 = x86Imports(this.surroundings());
    const imports: WasmImports = { ...this.options.imports, x86 };
    let memory: WasmMemory | undefined;
    const own = kernel.ownMemory;
    if (own !== undefined) {
      memory = this.reuse?.takeMemory(pages) ?? new wasm.Memory({ initial: pages });
      this.wasmMemory = memory;
      this.ram.use(memory);
      imports[MODEL] = { memory, ...modelImports(this.ram, this.pages, own) };
    }
    this.reuse = undefined;
    const exports = instantiate(kernel, imports);
    this.stepsOfStart = this.steps.count;
    if (memory === undefined) {
      memory = grown(exports.memory, pages);
      this.ram.use(memory);
    }
    const handler = exports.interrupt as ((vector: number) => void) | undefined;
    if (handler) for (const cpu of this.cpus.all) cpu.handler = handler;
    this.threads = new Threads(memory.buffer, exports, this.cpus);
    return exports;
  }

  /** Gives its memory away to the next machine (option `reuse`), if it is of this size. */
  takeMemory(pages: number): WasmMemory | undefined {
    const memory = this.wasmMemory;
    if (memory?.buffer.byteLength !== pages * WASM_PAGE_BYTES) return undefined;
    this.wasmMemory = undefined;
    clear(memory);
    return memory;
  }

  /** Whether the kernel has executed anything but its modules' initialisers, which run before the firmware here. */
  get started(): boolean {
    return this.steps.count > this.stepsOfStart;
  }

  private surroundings(): Surroundings {
    const { x2apic = false, tscDeadline = false, kvmclock = false } = this.options;
    return {
      ...{ cpus: this.cpus, ram: this.ram, ports: this.ports, memory: this.memory, pages: this.pages },
      trace: this.options.trace ?? {},
      identity: { x2apic, tscDeadline, kvmclock },
      threads: () => this.threads!,
      native: () => this.native,
    };
  }

  /** PCI's resources, ACPI's tables, the boot loader's information, whose address it returns. */
  startFirmware(): number {
    if (this.ram.size === 0) throw new MachineError('there is no RAM yet: load() a module first');
    if (this.firmwareRan) throw new MachineError('a machine runs once: make a new one');
    this.firmwareRan = true;
    const { type, ram } = this;
    const apicIds = this.cpus.all.map((cpu) => cpu.lapic.id);
    if (type === 'microvm') {
      if (this.options.firmware?.acpi ?? true) writeReducedAcpi(ram.view, apicIds, this.mmio.present());
    } else {
      configurePci(this.pci, type, ram.size, this.options.firmware);
      const address = usableEnd(type, ram.size);
      writeAcpi(ram.view, {
        machine: type,
        apicIds,
        ramBytes: ram.size,
        address,
        hpet: this.hpet !== undefined,
        pci: this.pci,
      });
      this.pci.start();
    }
    return writeMultiboot(ram.view, {
      machine: type,
      ramBytes: ram.size,
      commandLine: (this.options.loaderLine ?? '') + this.mmio.words,
    });
  }

  /** A line of the ISA bus: to the 8259s, and to the IOAPIC, where line 0 is on pin 2. */
  setIsaLine(line: number, high: boolean): void {
    this.pic.set(line, high);
    this.setGsi(line === 0 ? 2 : line, high);
  }

  private setGsi(gsi: number, high: boolean): void {
    this.ioapics[Math.floor(gsi / IOAPIC_PINS)].set(gsi % IOAPIC_PINS, high);
  }

  /** q35's lines have pins 16 to 23 of the IOAPIC; pc's come in as ISA interrupts. */
  private setPirq(pirq: number, high: boolean): void {
    this.pirqs[pirq] = high;
    const isa = PIRQ_ISA[pirq];
    const isaHigh = this.pirqs.some((driven, other) => driven && PIRQ_ISA[other] === isa);
    this.pic.set(isa, isaHigh);
    if (this.type === 'q35') this.setGsi(16 + pirq, high);
    else this.setGsi(isa, isaHigh);
  }

  /** Intel SDM 3A §10.11: to the CPU with this APIC ID, or to all. */
  private message(address: number, data: number): void {
    this.cpus.request((address >>> 12) & 0xff, data & 0xff, (data & 0x8000) !== 0);
  }

  private ended(error: Error, exports: Record<string, unknown>): Result {
    if (error instanceof MachineEnd) return this.result(endOf(error), error.status, undefined);
    let fault: Fault;
    if (error instanceof PageFault) {
      const code = (error.present ? 1 : 0) | (error.write ? 2 : 0);
      fault = {
        vector: PAGE_FAULT,
        error: code,
        kind: error.plain ? TRAP_MEMORY : 0,
        address: error.address,
      };
    } else if (isTrap(error)) fault = faultOf(error.message, this.ram.size);
    else return this.result('error', 1, error);
    return this.panic(fault, error, exports);
  }

  /** Has the kernel report a fault, as asm/ does (docs/abi.md §7). */
  private panic(fault: Fault, cause: Error, exports: Record<string, unknown>): Result {
    const exception = exports.exception as
      | ((vector: number, error: number, frame: bigint) => void)
      | undefined;
    const memory = new PanicMemory(
      fault,
      wasmCalls(cause.stack ?? ''),
      /unrepresentable/.test(cause.message),
    );
    this.options.trace?.trap?.(cause);
    this.native = memory;
    this.cpus.active.interruptsEnabled = false;
    try {
      exception?.(fault.vector, fault.error, memory.frame);
    } catch (error) {
      if (error instanceof MachineEnd) return this.result(endOf(error), error.status, cause);
    }
    return this.result('panic', STATUS_PANIC, cause);
  }

  private result(end: Result['end'], status: number, error: Error | undefined): Result {
    const serial = this.serial.text;
    const lines = serial.split('\r\n').slice(0, -1);
    return { end, status, serial, lines, error, steps: this.steps.count, time_ns: this.clock.now_ns };
  }
}

function instantiate(kernel: Kernel, imports: WasmImports): Record<string, unknown> {
  try {
    return new wasm.Instance(kernel.module, imports).exports;
  } catch (error) {
    // V8: a LinkError for a wrong import, a TypeError where all of a module's are missing.
    if (!(error instanceof wasm.LinkError || error instanceof TypeError)) throw error;
    throw new MachineError(
      `${error.message}: give what the module imports besides x86 with the option imports (\`asc --use abort=\` needs no env.abort)`,
    );
  }
}

/** Looks before it writes: a run leaves most pages as they were, and zeros over zeros cost twice what a look does. */
function clear(memory: WasmMemory): void {
  const bytes = Buffer.from(memory.buffer);
  for (let at = 0; at < bytes.length; at += WASM_PAGE_BYTES) {
    const end = at + WASM_PAGE_BYTES;
    if (bytes.compare(ZERO_PAGE, 0, WASM_PAGE_BYTES, at, end) !== 0) bytes.fill(0, at, end);
  }
}

/** A module's own memory, which becomes the RAM. */
function grown(memory: unknown, pages: number): WasmMemory {
  if (!(memory instanceof wasm.Memory))
    throw new MachineError('the module exports no memory: compile it with its own, exported as `memory`');
  const own = memory.buffer.byteLength / WASM_PAGE_BYTES;
  try {
    memory.grow(pages - own);
  } catch {
    throw new MachineError(
      `the module's memory of ${own} pages cannot become the RAM of ${pages}: compile it without a maximum, or change memory_mib`,
    );
  }
  return memory;
}

function endOf({ how, status }: MachineEnd): Result['end'] {
  return how === 'exit' && status === STATUS_PANIC ? 'panic' : how;
}

/** A trap of the module, or its stack's end, which V8 reports as one of JavaScript's. */
function isTrap(error: unknown): boolean {
  if (error instanceof wasm.RuntimeError) return true;
  return error instanceof RangeError && /call stack/i.test(error.message);
}
