// A copy of the kernel's module that tells which frames it allots and takes back, and which of them become heap, so that what devices
// are told of and reach can be held against it.

import { readFileSync } from 'node:fs';
import { type DmaAccess, intercept, PackedRing, type Ring, type VirtioDevice } from '../../machine/index.ts';
import { defaultKernel, type Kernel, loadKernel } from '../../machine/kernel/module.ts';
import { wasm } from '../../machine/kernel/wasm.ts';

export const PAGE_BYTES = 4096;
const PAGES = 2 ** 20;
const MODULE = 'witness';
const FRAMES = 'kernel/mm/frames';

/** Not imported with its types: they declare AssemblyScript's globals, and those hide Node's. */
const BINARYEN_MODULE: string = 'assemblyscript/binaryen';

type Expression = number;

interface Module {
  i32: { wrap(value: Expression): Expression };
  local: {
    get(index: number, type: number): Expression;
    set(index: number, value: Expression): Expression;
  };
  getFunction(name: string): number;
  addFunction(name: string, params: number, results: number, vars: number[], body: Expression): number;
  removeFunction(name: string): void;
  addFunctionImport(name: string, module: string, base: string, params: number, results: number): void;
  copyExpression(expression: Expression): Expression;
  call(name: string, operands: Expression[], type: number): Expression;
  block(label: null, children: Expression[], type?: number): Expression;
  emitBinary(): Uint8Array<ArrayBuffer>;
  dispose(): void;
}

interface Binaryen {
  i32: number;
  i64: number;
  none: number;
  Features: { All: number };
  createType(types: number[]): number;
  expandType(type: number): number[];
  readBinary(bytes: Uint8Array): Module & { setFeatures(features: number): void };
  getFunctionInfo(func: number): { params: number; results: number; vars: number[]; body: Expression };
}

/** What a page is. */
type Use = 'nothing' | 'devices' | 'heap';
const USES: Use[] = ['nothing', 'devices', 'heap'];

export class Witness {
  /** What devices were told of and reached that they must not. */
  readonly complaints: string[] = [];
  /** Of how many addresses they were told, and how many accesses they made, by device. */
  readonly told = new Map<string, number>();
  readonly reached = new Map<string, number>();
  private readonly pages = new Uint8Array(PAGES);
  /** The static data that fw_cfg may have, which is read before there are frames. */
  private fixed: [start: number, end: number] | undefined;

  /** For MachineOptions. */
  readonly imports = {
    [MODULE]: {
      allot: (address: number, bytes: number) => this.mark(address >>> 0, bytes, 'devices'),
      heap: (address: number, bytes: number) => this.mark(address >>> 0, bytes, 'heap'),
      free: (address: number, bytes: number) => this.mark(address >>> 0, bytes, 'nothing'),
    },
  };

  readonly trace = {
    dma: ({ device, address, bytes }: DmaAccess) => {
      count(this.reached, device);
      this.judge(device, 'reaches', address, bytes);
    },
  };

  /** Follows what a device is told of by its rings. */
  watch(device: VirtioDevice): void {
    intercept(device, 'makeRing', (make) => (queue) => {
      const ring = make(queue);
      const { descriptors, driver, device: used } = ring.addresses;
      const packed = ring instanceof PackedRing;
      this.tell(ring, descriptors, ring.size * 16);
      this.tell(ring, driver, packed ? 4 : ring.size * 2 + 6);
      this.tell(ring, used, packed ? 4 : ring.size * 8 + 6);
      intercept(ring, 'next', (next) => () => {
        const chain = next();
        for (const { address, bytes } of [...(chain?.readable ?? []), ...(chain?.writable ?? [])])
          this.tell(ring, address, bytes);
        return chain;
      });
      return ring;
    });
  }

  /** What fw_cfg has reached, in whole pages. */
  get fixedPages(): [start: number, end: number] {
    const [start, end] = this.fixed!;
    return [start - (start % PAGE_BYTES), Math.ceil(end / PAGE_BYTES) * PAGE_BYTES];
  }

  private tell(ring: Ring, address: number, bytes: number): void {
    count(this.told, ring.dma.name);
    this.judge(ring.dma.name, 'is told of', address, bytes);
  }

  private judge(device: string, how: string, address: number, bytes: number): void {
    if (device === 'fw_cfg') {
      const [start, end] = this.fixed ?? [address, address];
      this.fixed = [Math.min(start, address), Math.max(end, address + bytes)];
      return;
    }
    for (let page = Math.floor(address / PAGE_BYTES); page * PAGE_BYTES < address + bytes; page++) {
      const use = USES[this.pages[page] ?? 0];
      if (use === 'devices') continue;
      const what = `${bytes} bytes at 0x${address.toString(16)}`;
      this.complaints.push(`${device} ${how} ${what}: ${use === 'heap' ? 'objects' : 'not allotted'}`);
      return;
    }
  }

  private mark(address: number, bytes: number, use: Use): void {
    if (address !== 0)
      this.pages.fill(USES.indexOf(use), address / PAGE_BYTES, Math.ceil((address + bytes) / PAGE_BYTES));
  }
}

function count(map: Map<string, number>, name: string): void {
  map.set(name, (map.get(name) ?? 0) + 1);
}

export async function loadWitnessed(): Promise<Kernel> {
  const plain = await loadKernel();
  const path = defaultKernel().replace(/\.wasm$/, '.machine.wasm');
  const { default: binaryen }: { default: Binaryen } = await import(BINARYEN_MODULE);
  const module = binaryen.readBinary(readFileSync(path));
  module.setFeatures(binaryen.Features.All);
  const { i32, none } = binaryen;
  for (const name of ['allot', 'heap', 'free'])
    module.addFunctionImport(`${MODULE}.${name}`, MODULE, name, binaryen.createType([i32, i32]), none);
  tellAfter(binaryen, module, `${FRAMES}/tryAllocate`, 'allot');
  tellAfter(binaryen, module, `${FRAMES}/HeapPages#take`, 'heap');
  tellBefore(binaryen, module, `${FRAMES}/free`);
  const bytes = module.emitBinary();
  module.dispose();
  return { module: new wasm.Module(bytes), ownMemory: plain.ownMemory };
}

/** Moves the function's body to another one and gives its name to what `make` makes, with a local for the result. */
function wrap(
  { getFunctionInfo, expandType, i32 }: Binaryen,
  module: Module,
  name: string,
  make: (inner: string, params: number[]) => Expression[],
): void {
  const { params, results, vars, body } = getFunctionInfo(module.getFunction(name));
  const inner = `${name}|inner`;
  module.addFunction(inner, params, results, vars, module.copyExpression(body));
  module.removeFunction(name);
  module.addFunction(
    name,
    params,
    results,
    [i32],
    module.block(null, make(inner, expandType(params)), results),
  );
}

/** Of a function whose last parameter is a number of bytes: its result is their address. */
function tellAfter(binaryen: Binaryen, module: Module, name: string, event: string): void {
  const { i32, none } = binaryen;
  wrap(binaryen, module, name, (inner, params) => {
    const operands = params.map((type, i) => module.local.get(i, type));
    const [result, bytes] = [params.length, params.length - 1];
    return [
      module.local.set(result, module.call(inner, operands, i32)),
      module.call(`${MODULE}.${event}`, [module.local.get(result, i32), module.local.get(bytes, i32)], none),
      module.local.get(result, i32),
    ];
  });
}

/** Address of 64 bits, then bytes. */
function tellBefore(binaryen: Binaryen, module: Module, name: string): void {
  const { i32, i64, none } = binaryen;
  wrap(binaryen, module, name, (inner) => {
    const [address, bytes] = [() => module.local.get(0, i64), () => module.local.get(1, i32)];
    return [
      module.call(`${MODULE}.free`, [module.i32.wrap(address()), bytes()], none),
      module.call(inner, [address(), bytes()], none),
    ];
  });
}
