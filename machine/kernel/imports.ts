// The kernel's imports from module `x86` (docs/abi.md §6 and §7), carried out on the machine. Each one is a step of the
// CPU: time passes before it, and interrupts that are due are taken behind it.

import type { Ram } from '../bus/memory.ts';
import type { AddressSpace, Width } from '../bus/space.ts';
import { cpuid, type Identity } from '../cpu/cpuid.ts';
import type { Cpus } from '../cpu/cpus.ts';
import { IMAGE_END, IMAGE_START, MAP_UNCACHED, NOT_ALLOWED, type PageMap } from '../cpu/paging.ts';
import { MachineError } from '../error.ts';
import type { Trace } from '../trace.ts';
import type { Native } from './native.ts';
import type { Threads } from './threads.ts';
import type { OwnMemory } from './transform.ts';
import { WASM_PAGE_BYTES } from './wasm.ts';

export interface Surroundings {
  cpus: Cpus;
  ram: Ram;
  ports: AddressSpace;
  memory: AddressSpace;
  pages: PageMap;
  trace: Trace;
  identity: Omit<Identity, 'apicId'>;
  /** There when the module is. */
  threads(): Threads;
  /** There in a panic, or when a test has made it. */
  native(): Native | undefined;
}

type Intrinsics = Record<string, (...args: never[]) => unknown>;

// Control registers as asm/entry.S sets them.
const CR0 = 0x8001_0033n;
const CR4 = 0x620n;

/** Machine intrinsics, and the functions of asm/. */
export function x86Imports(machine: Surroundings): Intrinsics {
  return {
    ...portImports(machine),
    ...memoryImports(machine),
    ...cpuImports(machine),
    ...asmImports(machine),
  };
}

/**
 * What the transformation has added: memory.size and memory.grow of the kernel's own part of memory, and the check of a
 * plain access below it.
 */
export function modelImports(ram: Ram, pageMap: PageMap, own: OwnMemory): Intrinsics {
  let { pages } = own;
  return {
    memory_size: () => pages,
    memory_grow: (more: number) => {
      const before = pages;
      const after = before + (more >>> 0);
      if (after > own.pagesMax) return -1;
      ram.bytes.fill(0, before * WASM_PAGE_BYTES, after * WASM_PAGE_BYTES);
      pages = after;
      return before;
    },
    access: (address: number, write: number) => void pageMap.translate(address >>> 0, 1, write !== 0, true),
  };
}

function portImports({ cpus, ports, trace }: Surroundings): Intrinsics {
  const input = (width: Width) => (port: number) => {
    cpus.active.step();
    const address = port & 0xffff;
    let value = ports.read(address, width);
    if (trace.alterPort) value = trace.alterPort({ address, width, write: false, value });
    trace.port?.({ address, width, write: false, value });
    cpus.active.deliver();
    return value;
  };
  const output = (width: Width, mask: number) => (port: number, data: number) => {
    cpus.active.step();
    const address = port & 0xffff;
    const value = (data & mask) >>> 0;
    trace.port?.({ address, width, write: true, value });
    ports.write(address, width, value);
    cpus.active.deliver();
  };
  return {
    ...{ in8: input(1), in16: input(2), in32: input(4) },
    ...{ out8: output(1, 0xff), out16: output(2, 0xffff), out32: output(4, -1) },
  };
}

function memoryImports({ cpus, ram, memory, pages, trace }: Surroundings): Intrinsics {
  const readRegister = (address: number, width: Width): number => {
    let value = memory.read(address, width);
    if (trace.alterMmio) value = trace.alterMmio({ address, width, write: false, value });
    trace.mmio?.({ address, width, write: false, value });
    return value;
  };
  const writeRegister = (address: number, width: Width, value: number): void => {
    trace.mmio?.({ address, width, write: true, value });
    memory.write(address, width, value);
  };
  /** The physical address of an access; RAM is where linear memory has it. */
  const locate = (address: number, width: number, write: boolean): number => {
    cpus.active.step();
    const virtual = address >>> 0;
    const physical = pages.translate(virtual, width, write);
    if (physical < ram.size && physical !== virtual)
      throw new MachineError(`RAM is mapped at 0x${virtual.toString(16)}, not at its own address`);
    return physical;
  };
  const load = (width: Width) => (address: number) => {
    const physical = locate(address, width, false);
    const { view } = ram;
    let value: number;
    if (physical >= ram.size) value = readRegister(physical, width);
    else if (width === 1) value = view.getUint8(physical);
    else value = width === 2 ? view.getUint16(physical, true) : view.getUint32(physical, true);
    cpus.active.deliver();
    return value;
  };
  const store = (width: Width, mask: number) => (address: number, data: number) => {
    const physical = locate(address, width, true);
    const value = (data & mask) >>> 0;
    const { view } = ram;
    if (physical >= ram.size) writeRegister(physical, width, value);
    else if (width === 1) view.setUint8(physical, value);
    else if (width === 2) view.setUint16(physical, value, true);
    else view.setUint32(physical, value, true);
    cpus.active.deliver();
  };
  const load64 = (address: number) => {
    const physical = locate(address, 8, false);
    const value =
      physical < ram.size
        ? ram.view.getBigUint64(physical, true)
        : BigInt(readRegister(physical, 4)) | (BigInt(readRegister(physical + 4, 4)) << 32n);
    cpus.active.deliver();
    return value;
  };
  const store64 = (address: number, data: bigint) => {
    const physical = locate(address, 8, true);
    if (physical < ram.size) ram.view.setBigUint64(physical, data, true);
    else {
      writeRegister(physical, 4, Number(data & 0xffff_ffffn));
      writeRegister(physical + 4, 4, Number((data >> 32n) & 0xffff_ffffn));
    }
    cpus.active.deliver();
  };
  return {
    ...{ load8: load(1), load16: load(2), load32: load(4), load64 },
    ...{ store8: store(1, 0xff), store16: store(2, 0xffff), store32: store(4, -1), store64 },
  };
}

function cpuImports({ cpus, identity, threads }: Surroundings): Intrinsics {
  /** An intrinsic that is a step and nothing else. */
  const plain = () => {
    cpus.active.step();
    cpus.active.deliver();
  };
  const stepped =
    <A extends unknown[], R>(act: (...args: A) => R) =>
    (...args: A): R => {
      cpus.active.step();
      const result = act(...args);
      cpus.active.deliver();
      return result;
    };
  const identify = (register: number) =>
    stepped((leaf: number) => cpuid(leaf >>> 0, { ...identity, apicId: cpus.active.lapic.id })[register]);
  return {
    ...{ mfence: plain, lfence: plain, sfence: plain, pause: plain },
    rdtsc: stepped(() => cpus.active.readTsc()),
    rdmsr: stepped((msr: number) => cpus.active.readMsr(msr >>> 0)),
    wrmsr: stepped((msr: number, value: bigint) =>
      cpus.active.writeMsr(msr >>> 0, BigInt.asUintN(64, value)),
    ),
    ...{ read_cr0: () => CR0, read_cr2: () => 0n, read_cr3: () => 0n, read_cr4: () => CR4 },
    ...{ cpuid_eax: identify(0), cpuid_ebx: identify(1), cpuid_ecx: identify(2), cpuid_edx: identify(3) },
    cli: stepped(() => {
      cpus.active.interruptsEnabled = false;
    }),
    sti: stepped(() => {
      cpus.active.interruptsEnabled = true;
    }),
    hlt: () => {
      cpus.active.step();
      cpus.active.halt();
    },
    sti_hlt: () => threads().halt(),
    cpu: () => cpus.active.number,
    threads_only: () => {},
    irq_save: stepped(() => {
      const { flags } = cpus.active;
      cpus.active.interruptsEnabled = false;
      return flags;
    }),
    irq_restore: stepped((flags: number) => {
      cpus.active.flags = flags;
    }),
  };
}

function asmImports(machine: Surroundings): Intrinsics {
  const { pages } = machine;
  return {
    map: (virtual: number, physical: bigint, bytes: number, flags: number) => {
      const start = Number(BigInt.asUintN(64, physical));
      const outside = start + (bytes >>> 0) > machine.ram.size;
      // What is not RAM can be reached by volatile accesses only, which is how registers are mapped.
      if (outside && (flags & MAP_UNCACHED) === 0) return NOT_ALLOWED;
      return pages.map(virtual >>> 0, start, bytes >>> 0, flags >>> 0);
    },
    unmap: (virtual: number, bytes: number) => pages.unmap(virtual >>> 0, bytes >>> 0),
    mapping: (address: number) => pages.mapping(address >>> 0),
    image_start: () => IMAGE_START,
    image_end: () => IMAGE_END,
    thread_new: (slot: number, arg: number) => machine.threads().create(slot, arg),
    thread_switch: (from: number, to: number) => machine.threads().switch(from, to),
    cpu_prepare: (page: number, number: number, apicId: number) =>
      machine.threads().prepareCpu(page, number, apicId),
    table: (which: number) => machine.native()?.table(which) ?? 0n,
    peek8: (at: bigint) => machine.native()?.peek(at, 1) ?? 0,
    peek32: (at: bigint) => machine.native()?.peek(at, 4) ?? 0,
    peek64: (at: bigint) => {
      const low = machine.native()?.peek(at, 4) ?? 0;
      return BigInt(low) | (BigInt(machine.native()?.peek(at + 4n, 4) ?? 0) << 32n);
    },
  };
}
