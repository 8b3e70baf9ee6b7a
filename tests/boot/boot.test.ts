// The ways into the kernel: from disk through firmware and boot block, by QEMU's multiboot loader and through
// PVH; on each the kernel of kernel.c finds the machine of docs/abi.md 7 and 8.

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { drive, run, STATUS_DONE, Workbench } from './machine.ts';

const MULTIBOOT_HEADER_MAGIC = 0x1badb002;
const MIB = 1 << 20;

let bench: Workbench;
let image: string;
let elf: string;
/** As `elf`, without the multiboot header: QEMU takes the PVH entry. */
let pvh: string;
let facts: string[];

beforeAll(() => {
  bench = new Workbench();
  const kernel = bench.kernel('kernel');
  elf = bench.path('kernel.elf');
  image = bench.image('kernel', kernel);
  const bytes = Uint8Array.from(kernel);
  const view = new DataView(bytes.buffer);
  let at = 0;
  while (view.getUint32(at, true) !== MULTIBOOT_HEADER_MAGIC) at += 4;
  view.setUint32(at, 0, true);
  pvh = bench.write('pvh.elf', bytes);
  facts = expectedFacts();
});
afterAll(() => bench.close());

/** facts.txt, with the addresses that the linker chose. */
function expectedFacts(): string[] {
  const symbols = bench.symbols('kernel.elf');
  const text = readFileSync(new URL('facts.txt', import.meta.url), 'utf8');
  return text
    .replaceAll(/\{(\w+)([+-]\d+)?( physical)?\}/g, (_, name, offset, physical) => {
      const address = symbols.get(name)! + BigInt(offset ?? 0);
      return `0x${(physical ? address & 0x7fffffffn : address).toString(16)}`;
    })
    .trim()
    .split('\n');
}

/** From disk, by multiboot, through PVH. */
function waysIn(machine: string): string[][] {
  const disk = ['-machine', machine, ...drive(image, 'if=ide')];
  return [
    disk,
    [...disk, '-kernel', elf, '-append', 'one two'],
    [...disk, '-kernel', pvh, '-append', 'one two'],
  ];
}

for (const machine of ['pc', 'q35']) {
  for (const cpus of ['1', '2']) {
    test(`${machine}, ${cpus} CPUs: every way in finds the same machine`, async () => {
      const maps: string[][] = [];
      const heads: string[][] = [];
      for (const args of waysIn(machine)) {
        const { status, lines } = await run([...args, '-smp', cpus, '-m', '64M']);
        expect(status).toBe(STATUS_DONE);
        const ranges = lines.filter((line) => line.startsWith('range '));
        maps.push(ranges);
        const head = lines.slice(0, lines.indexOf(ranges[0]));
        heads.push(head);
        expect(lines.slice(head.length + ranges.length)).toEqual(['padding 0x0', ...facts]);
      }
      expect(maps[1].length).toBeGreaterThan(3);
      expect(maps[0]).toEqual(maps[1]); // QEMU's own multiboot loader
      expect(maps[2]).toEqual(maps[1]);
      const start = ['kmain', 'init calls 0x1', 'bss dirty 0x0', 'cr0 0x80010033', 'cr4 0x620', 'efer 0xd00'];
      const upper = heads[1].find((line) => line.startsWith('upper KiB'));
      expect(heads).toEqual([
        [...start, 'magic 0x2badb002', 'loader yaos boot', "command line ''", upper],
        [...start, 'magic 0x2badb002', 'loader qemu', `command line '${elf} one two'`, upper],
        [...start, 'magic 0x336ec578', 'start info 0x336ec578', "command line 'one two'"],
      ]);
    });
  }
}

test.each([
  ['virtio-blk', 'pc', ['-device', 'virtio-blk-pci,drive=d']],
  ['virtio-blk', 'q35', ['-device', 'virtio-blk-pci,drive=d']],
  ['AHCI', 'pc', ['-device', 'ahci,id=a', '-device', 'ide-hd,drive=d,bus=a.0']],
  ['USB 2', 'pc', ['-device', 'usb-ehci', '-device', 'usb-storage,drive=d']],
  ['USB 3', 'q35', ['-device', 'qemu-xhci', '-device', 'usb-storage,drive=d']],
  ['virtio-scsi', 'q35', ['-device', 'virtio-scsi-pci', '-device', 'scsi-hd,drive=d']],
  ['NVMe', 'q35', ['-device', 'nvme,serial=1,drive=d']],
])('boots from %s on %s', async (_, machine, device) => {
  const { status, lines } = await run(['-machine', machine, ...drive(image, 'if=none,id=d'), ...device]);
  expect(lines).toContain('loader yaos boot');
  expect(lines.slice(-facts.length)).toEqual(facts);
  expect(status).toBe(STATUS_DONE);
});

test('boots from IDE without PCI', async () => {
  const { status, lines } = await run(['-machine', 'isapc', '-cpu', 'qemu64', ...drive(image, 'if=ide')]);
  expect(lines.slice(-facts.length)).toEqual(facts);
  expect(status).toBe(STATUS_DONE);
});

test.each(['0', '1', '2', '3'])('reads the kernel by DMA from IDE drive %s', async (index) => {
  const log = bench.path('trace.log');
  const trace = ['-trace', 'bmdma_cmd_writeb', '-D', log];
  const { status, lines } = await run([...trace, ...drive(image, `if=ide,index=${index}`)]);
  expect(readFileSync(log, 'latin1').match(/val: 0x0+9$/gm)).toHaveLength(1);
  expect(lines.slice(-facts.length)).toEqual(facts);
  expect(status).toBe(STATUS_DONE);
});

test('a kernel of 4 MiB is loaded whole, in seconds', async () => {
  const padding = new Uint32Array(MIB);
  let random = 12345;
  let sum = 0;
  for (let i = 0; i < padding.length; i++) {
    random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
    padding[i] = random;
    sum = Math.imul(sum ^ random, 16777619) >>> 0;
  }
  const kernel = bench.kernel('large', { padding: new Uint8Array(padding.buffer) });
  expect(kernel.length).toBeGreaterThan(4 * MIB);
  const start = performance.now();
  for (const args of [drive(bench.image('large', kernel), 'if=ide'), ['-kernel', bench.path('large.elf')]]) {
    const { status, lines } = await run(args);
    expect(lines).toContain(`padding 0x${sum.toString(16)}`);
    expect(status).toBe(STATUS_DONE);
  }
  expect(performance.now() - start).toBeLessThan(10_000);
});

test('what earlier owners left in RAM does no harm', async () => {
  const dirty = bench.write('dirty.bin', new Uint8Array(15 * MIB).fill(0xa5));
  const ram = ['-device', `loader,file=${dirty},addr=0x100000,force-raw=on`];
  const { status, lines } = await run([...drive(image, 'if=ide'), ...ram]);
  expect(lines).toContain('bss dirty 0x0');
  expect(lines.slice(-facts.length)).toEqual(facts);
  expect(status).toBe(STATUS_DONE);
});

test('without floats an interrupt leaves the xmm registers alone', async () => {
  const kernel = bench.kernel('integer', { usesFloat: false });
  const { status, lines } = await run(drive(bench.image('integer', kernel), 'if=ide'));
  expect(lines).toContain('registers kept 0x1ff');
  expect(lines).toContain('floats kept 0x0'); // the test's handler clears them
  expect(status).toBe(STATUS_DONE);
});

test('a processor with pages of 1 GiB shows the same memory', async () => {
  const { status, lines } = await run(['-cpu', 'qemu64,+pdpe1gb', ...drive(image, 'if=ide')]);
  expect(lines.slice(-facts.length)).toEqual(facts);
  expect(status).toBe(STATUS_DONE);
});

test('a processor with SMEP, SMAP and UMIP runs with them', async () => {
  const { status, lines } = await run(['-cpu', 'max', ...drive(image, 'if=ide')]);
  expect(lines).toContain('cr4 0x300e20'); // SMAP, SMEP, OSXMMEXCPT, OSFXSR, UMIP, PAE
  expect(status).toBe(STATUS_DONE);
});

test('the file has the layout that the page tables repeat', () => {
  const headers = bench.tool('readelf', ['-lW', elf]);
  const loads = [...headers.matchAll(/LOAD\s+(\w+) (\w+) (\w+) (\w+) (\w+) (.{3}) (\w+)/g)];
  expect(loads.map((load) => load[6])).toEqual(['R  ', 'R E', 'RW ']);
  for (const [, offset, virtual, physical] of loads) {
    expect(BigInt(physical) - BigInt(offset)).toBe(0x100000n); // the multiboot loader reads one piece
    expect(BigInt(virtual) - BigInt(physical)).toBe(0xffffffff80000000n);
    expect(BigInt(physical) % 4096n).toBe(0n);
  }
});
