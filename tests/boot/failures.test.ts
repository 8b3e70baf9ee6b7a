// When the machine or the image is not good: one line on the serial line and on the screen, and status 35; and
// what must not fail: a read that works the second time, and the A20 line's ways.

import { copyFileSync, readFileSync, truncateSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { randomBytes } from '../../build/qemu/dump.ts';
import { drive, run, STATUS_DONE, STATUS_FAILED, screenOf, Workbench } from './machine.ts';

const SECTOR = 512;
const MIB = 1 << 20;
const BAD_IMAGE = ['boot: bad kernel image'];

let bench: Workbench;
let kernel: Uint8Array;
let image: string;

beforeAll(() => {
  bench = new Workbench();
  kernel = bench.kernel('kernel', { padding: new Uint8Array(100_000) });
  image = bench.image('kernel', kernel);
});
afterAll(() => bench.close());

async function expectFailure(args: string[], lines: (string | RegExp)[]): Promise<void> {
  const result = await run(args);
  expect(result.lines).toEqual(
    lines.map((line) => (typeof line === 'string' ? line : expect.stringMatching(line))),
  );
  expect(result.status).toBe(STATUS_FAILED);
}

describe('a processor without', () => {
  test.each([
    ['long mode', 'qemu32', 'boot: no long mode'],
    ['the long mode bit', 'qemu64,-lm', 'boot: no long mode'],
    ['extended CPUID', '486', 'boot: no long mode'],
    ['NX', 'qemu64,-nx', 'boot: no execute-disable (NX) in the page tables'],
  ])('%s', async (_, cpu, line) => {
    await expectFailure(['-cpu', cpu, ...drive(image, 'if=ide')], [line]);
    await expectFailure(['-cpu', cpu, '-kernel', bench.path('kernel.elf')], [line]);
  });
});

test('the line is on the screen too', async () => {
  const screen = await screenOf(['-cpu', 'qemu32', ...drive(image, 'if=ide')]);
  expect(screen).toContain('boot: no long mode    ');
});

describe('a kernel file with', () => {
  const HEADER = 64;
  const DATA = HEADER + 2 * 56; // the third program header: .data, .bss
  const write = (at: number, value: bigint) => (image: Uint8Array) =>
    new DataView(image.buffer).setBigUint64(SECTOR + at, value, true);
  test.each([
    ['no ELF magic', write(0, 0n)],
    ['32 bits', (image: Uint8Array) => image.fill(1, SECTOR + 4, SECTOR + 5)],
    ['another byte order', (image: Uint8Array) => image.fill(2, SECTOR + 5, SECTOR + 6)],
    ['another machine', (image: Uint8Array) => image.fill(3, SECTOR + 18, SECTOR + 19)],
    ['no program headers', (image: Uint8Array) => image.fill(0, SECTOR + 56, SECTOR + 58)],
    ['too many program headers', (image: Uint8Array) => image.fill(255, SECTOR + 56, SECTOR + 58)],
    ['program headers of another size', (image: Uint8Array) => image.fill(32, SECTOR + 54, SECTOR + 55)],
    ['program headers far away', write(32, 1n << 20n)],
    ['program headers beyond 4 GiB', write(32, (1n << 32n) + 64n)],
    ['an entry outside', write(24, 0x100000n + (1n << 32n))],
    ['an entry in .bss', write(24, 0x180000n)],
    ['a segment below 1 MiB', write(DATA + 24, 0x7000n)],
    ['a segment above 8 MiB', write(DATA + 24, 0x900000n)],
    ['a segment that ends above 8 MiB', write(DATA + 40, 0x700000n)],
    ['a segment that wraps', write(DATA + 40, 0xfffff000n)],
    ['a segment above 4 GiB', write(DATA + 24, (1n << 32n) + 0x180000n)],
    ['more bytes in the file than in memory', write(DATA + 40, 1n)],
    ['a segment behind the end of the file', write(DATA + 8, 0x100000n)],
    ['a segment that starts in the file and ends behind it', write(DATA + 8, 0x1d000n)],
    ['a segment at an offset that wraps', write(DATA + 8, 0xfffffff0n)],
  ])('%s', async (_, patch) => {
    await expectFailure(drive(bench.image('bad', kernel, patch), 'if=ide'), BAD_IMAGE);
  });
});

describe('a bad disk', () => {
  const SEED = process.env.YAOS_SEED ?? '1';
  const FLIPS = 12;
  const HEADERS = 1024;

  /** Bytes of the file that are read, headers and segments, by readelf. */
  function loaded(): [start: number, end: number][] {
    const loads = bench.tool('readelf', ['-lW', bench.path('kernel.elf')]).match(/LOAD.*/g)!;
    const segments = loads.map((load): [number, number] => {
      const [offset, , , size] = load.split(/\s+/).slice(1).map(Number);
      return [offset!, offset! + size!];
    });
    return [[0, HEADERS], ...segments];
  }

  test(`one bit that is not as it was, of headers or segments, from seed ${SEED}`, async () => {
    const good = readFileSync(image);
    const parts = loaded().filter(([start, end]) => end > start);
    const random = randomBytes(`${SEED} bits`, FLIPS * 8);
    // The first and the last byte of each part, which may be one of those that make no word; then any.
    const edges = parts.flatMap(([start, end]) => [start, end - 1]);
    const any = Array.from({ length: FLIPS }, (_, i) => {
      const [start, end] = parts[i % parts.length]!;
      return start + (random.readUInt32LE(i * 8) % (end - start));
    });
    for (const [i, at] of [...edges, ...any].entries()) {
      const bad = Buffer.from(good);
      bad[SECTOR + at]! ^= 1 << (random[i % random.length]! & 7);
      await expectFailure(drive(bench.write('bad.img', bad), 'if=ide'), BAD_IMAGE);
    }
  });

  test(`one bit of the loader, from seed ${SEED}`, async () => {
    const good = readFileSync(image);
    const start = SECTOR * (1 + Math.ceil(lastLoadedByte(kernel) / SECTOR));
    const bytes = bench.boot.length - SECTOR;
    const random = randomBytes(`${SEED} loader`, 4 * 8);
    const any = Array.from({ length: 4 }, (_, i) => random.readUInt32LE(i * 8) % bytes);
    for (const [i, at] of [0, bytes - 1, ...any].entries()) {
      const bad = Buffer.from(good);
      bad[start + at]! ^= 1 << (random[i]! & 7);
      await expectFailure(drive(bench.write('bad.img', bad), 'if=ide'), ['boot: bad boot loader']);
    }
  });

  test(`an image that ends early, also within a sector, from seed ${SEED}`, async () => {
    const good = readFileSync(image);
    const end = SECTOR * (Math.ceil(lastLoadedByte(kernel) / SECTOR) + Math.ceil(bench.boot.length / SECTOR));
    const random = randomBytes(`${SEED} lengths`, 6 * 4);
    for (let i = 0; i < 6; i++) {
      const bytes = SECTOR + (random.readUInt32LE(i * 4) % (end - SECTOR - 1));
      const { status, lines } = await run(drive(bench.write('bad.img', good.subarray(0, bytes)), 'if=ide'));
      expect([status, lines], `${bytes} bytes`).toEqual([
        STATUS_FAILED,
        [expect.stringMatching(/^boot: (disk read failed, status 0x..|bad boot loader|bad kernel image)$/)],
      ]);
    }
    const { status } = await run(drive(bench.write('bad.img', good.subarray(0, end)), 'if=ide'));
    expect(status).toBe(STATUS_DONE);
  });

  test(`sectors that hold those of another place, from seed ${SEED}`, async () => {
    const good = readFileSync(image);
    const sectors = Math.floor(lastLoadedByte(kernel) / SECTOR);
    const random = randomBytes(`${SEED} sectors`, 16);
    for (let i = 0; i < 4; i++) {
      const [one, other] = [0, 2].map((at) => SECTOR * (1 + (random.readUInt16LE(4 * i + at) % sectors)));
      const bad = Buffer.from(good);
      good.copy(bad, one, other!, other! + SECTOR);
      const same = bad.equals(good);
      const { status, lines } = await run(drive(bench.write('bad.img', bad), 'if=ide'));
      if (same) expect(status).toBe(STATUS_DONE);
      else expect([status, lines]).toEqual([STATUS_FAILED, BAD_IMAGE]);
    }
  });
});

describe('not enough memory', () => {
  test('for a kernel that is larger than RAM', async () => {
    const large = bench.kernel('large', { padding: new Uint8Array(4 * MIB) });
    const end = bench.symbols('large.elf').get('stacks')! & 0x7fffffffn;
    const line = `boot: not enough memory: the kernel needs ${end / 1024n} KiB`;
    await expectFailure(['-m', '4M', ...drive(bench.image('large', large), 'if=ide')], [line]);
  });

  test('for linear memory', async () => {
    const line = 'boot: not enough memory: the kernel needs 9216 KiB: give the machine 16 MiB or more';
    await expectFailure(['-m', '8M', ...drive(image, 'if=ide')], [line]);
    await expectFailure(['-m', '8M', '-kernel', bench.path('kernel.elf')], [line]);
  });
});

describe('disk reads', () => {
  const READ_FAILED = /^boot: disk read failed, status 0x(?!00)[0-9a-f]{2}$/;
  const KERNEL_SECTOR = 100;

  function faultyDisk(file: string, sector: number, once: boolean, device: string): string[] {
    const fault = `inject-error.0.event=none,inject-error.0.iotype=read,inject-error.0.errno=5`;
    return [
      ...[
        '-blockdev',
        `driver=blkdebug,node-name=d,image.driver=file,image.filename=${file},${fault},inject-error.0.sector=${sector},inject-error.0.once=${once ? 'on' : 'off'}`,
      ],
      ...['-device', `${device},drive=d`],
    ];
  }

  test.each(['ide-hd', 'virtio-blk-pci'])('of a bad sector fail: %s', async (device) => {
    await expectFailure(faultyDisk(image, KERNEL_SECTOR, false, device), [READ_FAILED]);
    const loader = 1 + Math.ceil(lastLoadedByte(kernel) / SECTOR);
    await expectFailure(faultyDisk(image, loader, false, device), [READ_FAILED]);
  });

  test.each(['ide-hd', 'virtio-blk-pci'])('that fail once are tried again: %s', async (device) => {
    const { status } = await run(faultyDisk(image, KERNEL_SECTOR, true, device));
    expect(status).toBe(STATUS_DONE);
  });

  test('past the end of a cut image fail', async () => {
    const cut = bench.path('cut.img');
    copyFileSync(image, cut);
    truncateSync(cut, 50_176);
    await expectFailure(drive(cut, 'if=ide'), [READ_FAILED]);
  });
});

describe('the A20 line', () => {
  // A boot block in front of ours: it shuts the line by port 0x92, makes INT 15h refuse to open it, and starts
  // ours, which lies in the image's last sector.
  const SHUT = `
    .code16
    cli; xor %ax, %ax; mov %ax, %ds; mov %ax, %es; mov %ax, %ss; mov $0x7c00, %sp
    mov $0x7c00, %si; mov $0x600, %di; mov $256, %cx; rep movsw
    ljmp $0, $0x600 + main
  main:
    mov 0x54, %eax; mov %eax, 0x600 + old_int15
    movw $0x600 + int15, 0x54; movw $0, 0x56
    mov $0x42, %ah; mov $0x600 + packet, %si; int $0x13
    in $0x92, %al; and $0xfd, %al; out %al, $0x92
    ljmp $0, $0x7c00
  int15:
    cmp $0x24, %ah; je 1f
    ljmp *%cs:0x600 + old_int15
  1: push %bp; mov %sp, %bp; orw $1, 6(%bp); pop %bp; iret
  old_int15: .long 0
  packet: .byte 16, 0; .word 1, 0x7c00, 0; .quad ${MIB / SECTOR - 1}
    .org 510
    .word 0xaa55
  `;

  test('is opened by the fast gate where the BIOS does not', async () => {
    bench.assembleText('shut', SHUT, '--32');
    bench.tool('objcopy', ['-O', 'binary', bench.path('shut.o'), bench.path('shut.bin')]);
    const shut = bench.image('shut', kernel, (image) => {
      image.set(image.slice(0, SECTOR), MIB - SECTOR);
      image.set(readFileSync(bench.path('shut.bin')), 0);
    });
    const { status } = await run(drive(shut, 'if=ide'));
    expect(status).toBe(STATUS_DONE);
  });

  test('that stays off is a failure', async () => {
    // The probe made to find the line shut: xor %ax, %ax; ret.
    const at = Number(bench.symbols('boot.elf').get('a20_is_on')!) - 0x7e00;
    const broken = bench.image('a20', kernel, (image) => {
      const view = new DataView(image.buffer);
      const loader = Number(view.getBigUint64(0x1b0, true)) * SECTOR;
      image.set([0x31, 0xc0, 0xc3], loader + at);
    });
    await expectFailure(drive(broken, 'if=ide'), ['boot: A20 line stays off']);
  });
});

/** Where the part of the file ends that the program headers name. */
function lastLoadedByte(elf: Uint8Array): number {
  const view = new DataView(elf.buffer, elf.byteOffset);
  const ends = [0, 1, 2].map(
    (i) => view.getBigUint64(64 + i * 56 + 8, true) + view.getBigUint64(64 + i * 56 + 32, true),
  );
  return Number(ends.sort((a, b) => Number(a - b))[2]);
}
