// What somebody who uses the machine may get wrong: each mistake is said, with its remedy, and none passes for another.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import wabt from 'wabt';
import { type Kernel, loadKernel, Machine, PciBridge, PciFunction, VirtioBlk } from '../../machine/index.ts';
import { wasm } from '../../machine/kernel/wasm.ts';

const kernel = await loadKernel();
const { parseWat } = await wabt();
const disk = () => new Uint8Array(64 * 512);
const registers = { read: () => 0, write: () => {} };

class Plain extends PciFunction {
  constructor() {
    super(0x1234, 1, 0xff0000);
  }
}

function moduleOf(text: string): Kernel {
  return { module: new wasm.Module(parseWat('module.wat', text).toBinary({}).buffer) };
}

function machineWith(...devices: VirtioBlk[]): Machine {
  const pc = new Machine({ memory_mib: 16 });
  for (const device of devices) pc.pci.add(device);
  return pc;
}

const blk = new VirtioBlk(disk());

test.each<[string, () => unknown, RegExp]>([
  [
    'an unknown option',
    () => new Machine({ comandLine: '' } as object),
    /no option 'comandLine': it has machine,/,
  ],
  [
    'an unknown machine',
    () => new Machine({ machine: 'q36' } as object),
    /no machine 'q36': give 'pc', 'q35' or 'microvm'/,
  ],
  ['half a page of RAM', () => new Machine({ memory_mib: 16.3 }), /memory_mib is 16.3/],
  ['a path for a disk', () => new VirtioBlk('disk.img' as never), /new FileDisk\(path\)/],
  ['a block of 100 bytes', () => new VirtioBlk(disk(), { blockSize: 100 }), /blockSize is 100/],
  ['no queue', () => new VirtioBlk(disk(), { queues: 0 }), /queues are 0/],
  ['a slot that is not there', () => machineWith().pci.add(new Plain(), { slot: 32 }), /no slot 32.0/],
  ['a slot that is taken', () => machineWith().pci.add(new Plain(), { slot: 0 }), /slot 0.0 is taken/],
  ['a device in two slots', () => machineWith(blk, blk), /is in a machine already/],
  ['a device in two machines', () => machineWith(blk), /is in a machine already/],
  [
    'a bridge in no machine',
    () => machineWith().pci.add(new Plain(), { bridge: new PciBridge() }),
    /add it before what is behind it/,
  ],
  ['a BAR of 100 bytes', () => new Plain().addBar(0, { bytes: 100, registers }), /BAR 0 has 100 bytes/],
  ['a seventh BAR', () => new Plain().addBar(6, { bytes: 4096, registers }), /there is no BAR 6/],
  ['no RAM', () => new Machine().startFirmware(), /load\(\) a module first/],
  ['no memory', () => new Machine().load(moduleOf('(module)')), /exports no memory/],
  [
    'a small memory',
    () => new Machine().load(moduleOf('(module (memory (export "memory") 1 2))')),
    /memory of 1 pages cannot become the RAM of 1024/,
  ],
  [
    'an import of another module',
    () => new Machine().load(moduleOf('(module (import "env" "abort" (func)) (memory (export "memory") 1))')),
    /module="env".*with the option imports/,
  ],
  [
    'an import that is no intrinsic',
    () => new Machine().load(moduleOf('(module (import "x86" "in128" (func)) (memory (export "memory") 1))')),
    /function="in128"/,
  ],
  [
    'a module that is no kernel',
    () => new Machine().run(moduleOf('(module (memory (export "memory") 1))')),
    /exports no kmain/,
  ],
])('%s', (_name, mistake, message) => {
  expect(mistake).toThrow(message);
});

test('a file that is no module', async () => {
  await expect(loadKernel(import.meta.filename)).rejects.toThrow(/use.test.ts: not a WebAssembly module/);
});

test('a kernel that imports its memory', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'yaos-use-'));
  const file = join(folder, 'kernel.wasm');
  const imports = '(import "env" "memory" (memory 1)) (import "x86" "thread_switch" (func (param i32 i32)))';
  writeFileSync(file, parseWat('module.wat', `(module ${imports})`).toBinary({}).buffer);
  await expect(loadKernel(file)).rejects.toThrow(/kernel.wasm: a kernel has its memory itself/);
  rmSync(folder, { recursive: true });
});

test('a device’s own mistake is not the kernel’s', () => {
  class Wrong extends VirtioBlk {
    override execute(): number {
      return new DataView(new ArrayBuffer(2)).getUint32(0);
    }
  }
  const { end, error, serial } = machineWith(new Wrong(disk())).run(kernel);
  expect({ end, name: error?.name }).toEqual({ end: 'error', name: 'RangeError' });
  expect(serial).not.toContain('panic');
});

test('a device that schedules without end', () => {
  const pc = machineWith();
  const again = () => void pc.clock.schedule(0, again);
  again();
  expect(() => pc.clock.advance(1)).toThrow('events without end');
});

test('RAM stays the memory of a module that grows it itself', () => {
  const grows = '(func (export "grow") (result i32) (memory.grow (i32.const 1)))';
  const pc = new Machine({ memory_mib: 16 });
  const { grow } = pc.load(moduleOf(`(module (memory (export "memory") 1) ${grows})`)) as { grow(): number };
  pc.ram.bytes[5] = 7;
  grow();
  expect(pc.ram.bytes[5]).toBe(7);
  expect(pc.ram.view.getUint8(5)).toBe(7);
});

test('a device behind a bridge has its name in every hook', () => {
  const names = new Set<string>();
  const trace = {
    dma: (d: { device: string }) => names.add(d.device),
    kick: (k: { device: string }) => names.add(k.device),
  };
  const pc = new Machine({ memory_mib: 16, trace });
  const bridge = new PciBridge();
  pc.pci.add(bridge, { slot: 6 });
  pc.pci.add(new VirtioBlk(disk()), { bridge, slot: 3 });
  expect(pc.run(kernel).end).toBe('off');
  expect([...names].sort()).toEqual(['0000:01:03.0', 'fw_cfg']);
});

test('a machine does not keep the one whose RAM it has', () => {
  const first = machineWith();
  first.load(kernel);
  const second = new Machine({ memory_mib: 16, reuse: first });
  second.load(kernel);
  expect(Object.values(second)).not.toContain(first);
  expect(second.options).not.toHaveProperty('reuse');
});
