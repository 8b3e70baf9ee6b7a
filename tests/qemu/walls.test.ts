// The walls around the kernel's code, stacks and tables, as QEMU sees them: control registers, every entry of the page tables, and what happens when
// code runs or writes where it must not, as if it had got past WebAssembly. The addresses are those of kernel.elf's symbols.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { GdbRemote } from '../../build/profile/gdb-remote.ts';
import { STATUS_PANIC } from '../../build/qemu/command.ts';
import type { Variables } from '../../build/qemu/options.ts';
import { root } from '../kernel/compile.ts';
import { FIRST_FD, LiveMachine } from './live.ts';
import { Workbench } from './machine.ts';
import { at } from './symbols.ts';

const bench = new Workbench();
afterAll(() => bench.remove());

const KERNEL_BASE = 0xffffffff80000000n;
const PAGE = 4096n;
const GIB = 1n << 30n;
/** asm/layout.inc: each stack is above a page that is not there. */
const STACKS: [symbol: string, count: number, stride: bigint][] = [
  ['stacks', 64, 32_768n + PAGE],
  ['fault_stacks', 16, 16_384n + PAGE],
];

function physical(symbol: string): bigint {
  return at(symbol) - KERNEL_BASE;
}

const image = { start: physical('image_start'), end: physical('image_end') };

async function monitor(live: LiveMachine, command: string): Promise<string> {
  return String(await live.command('human-monitor-command', { 'command-line': command }));
}

/** Has the monitor answer, while the kernel waits at its prompt. */
async function ask(variables: Variables, ...commands: string[]): Promise<string[]> {
  const live = new LiveMachine({ APPEND: 'job=shell', DISK: 'none', ...variables });
  await live.line(/help/);
  const answers: string[] = [];
  for (const command of commands) answers.push(await monitor(live, command));
  await live.command('quit');
  await live.ended;
  return answers;
}

describe('what the processor guards', () => {
  const PLAIN = { smep: 0n, smap: 0n, umip: 0n };
  const ALL = { smep: 1n << 20n, smap: 1n << 21n, umip: 1n << 11n };
  test.each([
    ['max', ALL],
    ['qemu64', PLAIN],
    ['max,-smep', { ...ALL, smep: 0n }],
    ['max,-smap', { ...ALL, smap: 0n }],
    ['max,-umip', { ...ALL, umip: 0n }],
  ])('-cpu %s', async (cpu, { smep, smap, umip }) => {
    const [answer] = await ask({ SMP: '2', QEMUEXTRA: `-cpu ${cpu}` }, 'info registers -a');
    const cpus = answer!.split('CPU#').slice(1);
    expect(cpus).toHaveLength(2);
    for (const registers of cpus) {
      const value = (name: string) => BigInt(`0x${new RegExp(`\\b${name}=([0-9a-f]+)`).exec(registers)![1]}`);
      expect(value('CR0') & 0x8001_0001n).toBe(0x8001_0001n); // PG, WP, PE
      expect(value('CR4')).toBe(0x620n | smep | smap | umip); // OSXMMEXCPT, OSFXSR, PAE
      expect(value('EFER') & 0xd00n).toBe(0xd00n); // NXE, LMA, LME
      expect(value('CR3')).toBe(physical('top_table'));
      for (const table of ['GDT', 'IDT', 'TR']) {
        const base = BigInt(`0x${new RegExp(`\\b${table} *=[0-9a-f ]*?([0-9a-f]{16})`).exec(registers)![1]}`);
        expect(base >= at('data_start') && base < at('image_end'), table).toBe(true);
      }
    }
  });
});

interface Mapping {
  virtual: bigint;
  physical: bigint;
  bytes: bigint;
  executable: boolean;
  writable: boolean;
  user: boolean;
}

/** Of `info tlb`: each page, large page and huge page, with X for NX, P for large, U and W. */
function mappings(text: string): Mapping[] {
  const rows = text
    .trim()
    .split(/\r?\n/)
    .map((row) => /^([0-9a-f]{16}): ([0-9a-f]{16}) (\S{9})$/.exec(row)!);
  return rows.map(([, virtual, frame, flags], i) => {
    const start = BigInt(`0x${virtual}`);
    const next = i + 1 < rows.length ? BigInt(`0x${rows[i + 1]![1]}`) - start : GIB;
    // A large page may be of 2 MiB or 1 GiB: at most up to the next one.
    const bytes = flags![2] === 'P' ? (next < GIB ? next : GIB) : PAGE;
    const [executable, user, writable] = [flags![0] !== 'X', flags![7] === 'U', flags![8] === 'W'];
    return { virtual: start, physical: BigInt(`0x${frame}`), bytes, executable, writable, user };
  });
}

describe.each<[string, Variables]>([
  ['pc', { SMP: '4', QEMUEXTRA: '-cpu max' }],
  ['q35', { MACHINE: 'q35', MEM: '5G', QEMUEXTRA: '-cpu max' }],
])('every page that is mapped, on a %s', async (machine, variables) => {
  const file = join(bench.directory, `image-${machine}`);
  const save = `pmemsave ${image.start} ${image.end - image.start} "${file}"`;
  const [text] = await ask(variables, 'info tlb', save);
  const all = mappings(text!);
  const [low, high] = [
    all.filter((m) => m.virtual < KERNEL_BASE),
    all.filter((m) => m.virtual >= KERNEL_BASE),
  ];

  test('below: what WebAssembly can reach, without the image, page 0 and anything to run', () => {
    expect(low.length).toBeGreaterThan(500);
    for (const m of low) {
      expect(m.virtual).toBeGreaterThan(0n);
      expect(m.virtual + m.bytes).toBeLessThanOrEqual(4n * GIB - PAGE);
      expect(m.executable || m.user, `0x${m.virtual.toString(16)}`).toBe(false);
      expect(
        m.physical + m.bytes <= image.start || m.physical >= image.end,
        `0x${m.virtual.toString(16)}`,
      ).toBe(true);
    }
  });

  test('above: the image, in its place and with its rights, and no page below a stack', () => {
    const guards = STACKS.flatMap(([symbol, count, stride]) =>
      Array.from({ length: count }, (_, i) => at(symbol) + BigInt(i) * stride),
    );
    const found = new Map(high.map((m) => [m.virtual, m]));
    for (let page = at('image_start'); page < at('image_end'); page += PAGE) {
      const m = found.get(page);
      found.delete(page);
      expect(m === undefined, `0x${page.toString(16)}`).toBe(guards.includes(page));
      if (!m) continue;
      const code = page >= at('text_start') && page < at('data_start');
      const data = page >= at('data_start');
      const wanted = { executable: code, writable: data, user: false };
      expect(m).toEqual({ virtual: page, physical: page - KERNEL_BASE, bytes: PAGE, ...wanted });
    }
    expect([...found.keys()]).toEqual([]);
  });

  test('all page tables lie in the image, and code and constants are those of the file', () => {
    const memory = readFileSync(file);
    const tables = (table: bigint, level: number): void => {
      expect(table >= image.start && table + PAGE <= image.end, `table 0x${table.toString(16)}`).toBe(true);
      for (let i = 0; level > 0 && i < 512; i++) {
        const entry = memory.readBigUInt64LE(Number(table - image.start) + i * 8);
        const leaf = level < 3 && (entry & 0x80n) !== 0n;
        if (entry & 1n && !leaf) tables(entry & 0x000f_ffff_ffff_f000n, level - 1);
      }
    };
    tables(physical('top_table'), 3);
    // The file and memory have the same layout (asm/kernel.ld).
    const kernel = readFileSync(join(root, 'out/kernel.elf'));
    const [from, to] = [64 + 4 * 56, Number(at('data_start') - at('image_start'))];
    expect(memory.subarray(from, to).equals(kernel.subarray(from, to))).toBe(true);
  });
});

describe('job=fault-memory: WebAssembly cannot reach', () => {
  test.each([
    ['code', 'yaos_text'],
    ['constants', 'image_start'],
    ["the translator's tables", 'yaos_packed'],
    ['the IDT', 'idt'],
    ['the GDT', 'gdt'],
    ['a task state', 'task_states'],
    ['the page tables', 'top_table'],
    ["the low zone's page tables", 'low_directories'],
    ["the image's page table", 'kernel_pages'],
    ['a return address on its own stack', 'stacks'],
    ["another thread's registers", 'thread_rsp'],
    ['a stack for faults', 'fault_stacks'],
    ['globals and tables', 'yaos_context'],
  ])('%s', async (_, symbol) => {
    const address = physical(symbol) + (symbol.includes('stacks') ? 0x8000n : 0n);
    await expectFault(address);
  });

  test.each([
    ['the last page', 0xffff_f000n],
    ['the hole below option ROMs', 0xa_0000n],
    ['firmware, to write there', 0xf_0000n],
  ])('%s', (_, address) => expectFault(address));
});

async function expectFault(address: bigint): Promise<void> {
  const { status, lines } = await bench.boot(
    { DISK: 'none', APPEND: `job=fault-memory address=${address}` },
    true,
  );
  expect(status, lines.join('\n')).toBe(STATUS_PANIC);
  const hex = address.toString(16).padStart(8, '0');
  expect(lines).toContain(`panic: out of bounds memory access at 0x${hex}`);
  expect(lines.join('\n')).toMatch(/^panic: #0 memoryFault \(kernel\/jobs\/fault\.ts:\d+\)$/m);
}

test('runaway recursion, on another CPU in a thread of its own', async () => {
  const { status, lines } = await bench.boot(
    { SMP: '2', DISK: 'none', APPEND: 'job=fault-stack cpu=1' },
    true,
  );
  expect(status, lines.join('\n')).toBe(STATUS_PANIC);
  expect(lines).toContain('panic: kernel stack overflow');
  expect(lines).toContain('panic: thread job, CPU 1');
  expect(lines.join('\n')).toMatch(/^panic: #0 stackFault \(kernel\/jobs\/fault\.ts:\d+\)$/m);
});

describe('if it got past WebAssembly all the same, it could not', () => {
  const RIP = 16;
  const [RDX, RSI, RDI] = [3, 4, 5];
  const run = (address: bigint): [number, bigint][] => [[RIP, address]];
  const write = (address: bigint): [number, bigint][] => [
    [RDI, address],
    [RSI, 0x90n],
    [RDX, 1n],
    [RIP, at('memset')],
  ];
  const FETCHED = '00000011';
  const WRITTEN = '00000003';

  test.each([
    ['run a buffer', () => run(0xa8_0000n), FETCHED, 0xa8_0000n],
    ['run low memory', () => run(0x8000n), FETCHED, 0x8000n],
    ['run a stack', () => run(at('stacks') + 5n * PAGE), FETCHED, at('stacks') + 5n * PAGE],
    ['run a page table', () => run(at('top_table')), FETCHED, at('top_table')],
    ['run constants', () => run(at('image_start')), FETCHED, at('image_start')],
    ['write code', () => write(at('yaos_text')), WRITTEN, at('yaos_text')],
    ['write constants', () => write(at('image_start')), WRITTEN, at('image_start')],
  ])('%s', async (_, registers, error, address) => {
    const gdb = `-S -chardev socket,id=gdb,fd=${FIRST_FD} -gdb chardev:gdb`;
    const live = new LiveMachine({ SMP: '1', DISK: 'none', APPEND: 'job=none', QEMUEXTRA: gdb }, 1);
    const remote = new GdbRemote(live.sockets[0]!);
    await remote.runTo(at('x86.thread_switch'));
    await remote.ask('qXfer:features:read:target.xml:0,fff'); // else QEMU sets no single registers
    for (const [register, value] of registers()) await setRegister(remote, register, value);
    await remote.ask('D');
    const { status, lines } = await live.ended;
    expect(status, lines.join('\n')).toBe(STATUS_PANIC);
    const place = BigInt.asUintN(64, address).toString(16).padStart(16, '0');
    expect(lines.find((line) => line.startsWith('panic: '))).toBe(
      `panic: page fault, vector 14, error code 0x${error}, address 0x${place}`,
    );
  });
});

async function setRegister(remote: GdbRemote, register: number, value: bigint): Promise<void> {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  await remote.ask(`P${register.toString(16)}=${bytes.toString('hex')}`);
}
