// What is proved of the kernel, against GNU objdump's reading of the linked image, against stacks in QEMU, and with violations
// planted in small programs over the kernel's own modules.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readSourceMap } from '../../build/object/sourcemap.ts';
import { parseRules } from '../../build/proofs/rules.ts';
import { translate } from '../../build/translate.ts';
import { compileBytes, root } from '../kernel/compile.ts';
import { LiveMachine } from '../qemu/live.ts';
import { type Image, readImage } from './image.ts';

const TABLES = readFileSync(join(root, 'out/proofs.txt'), 'utf8');
const RULES = readFileSync(join(root, 'kernel/proofs.txt'), 'utf8');

/** Bytes of the deepest chain from an entry. */
function deepest(entry: string): number {
  const row = TABLES.split('\n').find((line) => new RegExp(`^${entry} +\\d+ `).test(line))!;
  return Number(row.split(/ +/)[1]);
}

/** What the rules say that assembly takes: `NAME+BYTES`. */
function declared(name: string): number {
  const stacks = RULES.split('\n').filter((line) => /^(stack|assembly)/.test(line));
  const [, bytes = 0] = new RegExp(`(?<= )${name}(?:\\+(\\d+))?(?= |$)`, 'm').exec(stacks.join('\n'))!;
  return Number(bytes);
}

/** Functions that overflow on purpose, and one whose indirect call reaches nothing: there is no function of its type. */
const OVERFLOWING = ['stackFault', 'argumentsFault', 'callFault'].map((name) => `kernel/jobs/fault/${name}`);

describe('the linked image, read by objdump', () => {
  let image: Image;
  beforeAll(() => {
    image = readImage(join(root, 'out/kernel.elf'));
  });

  // The proofs count 8 bytes for the flags in every function that calls nothing.
  test.each(['kmain', 'cpu_main', 'thread_main', 'interrupt', 'exception'])('%s is as deep', (name) => {
    const known = deepest(name) - declared(name) + 8;
    const seen = 8 + image.depth(name, OVERFLOWING);
    expect(seen).toBeLessThanOrEqual(known);
    expect(seen).toBeGreaterThanOrEqual(known - 8);
  });

  test('assembly takes what the rules say', () => {
    const names = [...RULES.matchAll(/^assembly (.*)$/gm)].flatMap((match) => match[1].split(' '));
    for (const name of names.map((word) => word.split('+')[0]))
      expect([name, image.ownDepth(name)]).toEqual([name, declared(name)]);
  });

  // Pushed by the processor: 5 words, behind up to 8 bytes for alignment (Intel SDM 3A, 6.14.2); then by the stub: the vector.
  test('the stubs take what the rules say', () => {
    expect(8 + 5 * 8 + 8 + image.ownDepth('interrupt_common')).toBe(declared('interrupt'));
    expect(8 + 5 * 8 + 16 + image.ownDepth('exception_common')).toBe(declared('exception'));
  });
});

describe('stacks in QEMU', () => {
  const folder = mkdtempSync(join(tmpdir(), 'yaos-proofs-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const symbols = new Map(
    execFileSync('nm', [join(root, 'out/kernel.elf')], { encoding: 'utf8' })
      .split('\n')
      .map((line) => [line.slice(19), BigInt(`0x${line.slice(0, 16) || 0}`)] as const),
  );

  /** RAM is zero when QEMU starts, and nobody clears the stacks: what is not zero was used. Deepest use by stack. */
  async function used(live: LiveMachine): Promise<number[]> {
    const [stride, count, guard] = [32768 + 4096, 64, 4096];
    const file = join(folder, 'stacks');
    const at = Number(symbols.get('stacks')! & 0x7fff_ffffn);
    await live.command('pmemsave', { val: at, size: stride * count, filename: file });
    const bytes = readFileSync(file);
    return Array.from({ length: count }, (_, i) => {
      const stack = bytes.subarray(i * stride + guard, (i + 1) * stride);
      const lowest = stack.findIndex((byte) => byte !== 0);
      return lowest < 0 ? 0 : stack.length - lowest;
    });
  }

  const needed = (stack: string) =>
    Math.max(...[...TABLES.matchAll(new RegExp(`^${stack} .* (\\d+)$`, 'gm'))].map((row) => Number(row[1])));

  /** Returns the deepest use of the other CPUs' own stacks. */
  async function compare(live: LiveMachine): Promise<number> {
    const [boot, ...others] = await used(live);
    expect(boot).toBeGreaterThan(200);
    expect(boot).toBeLessThanOrEqual(needed('boot'));
    const threads = Math.max(...others.slice(15));
    expect(threads).toBeGreaterThan(400);
    expect(threads).toBeLessThanOrEqual(needed('thread'));
    const cpus = Math.max(...others.slice(0, 15));
    expect(cpus).toBeLessThanOrEqual(needed('cpu'));
    return cpus;
  }

  test('the monitor at work', async () => {
    const devices = '-device virtio-rng-pci -device virtio-net-pci -device virtio-balloon-pci';
    const live = new LiveMachine({ APPEND: 'job=shell', QEMUEXTRA: devices });
    await live.line(/help lists what there is/);
    live.type(['read 1', 'lspci', 'bench 16 20000', 'detach 0000:00:04.0', ''].join('\r'));
    await live.line(/virtio-blk 0000:00:04.0: detached/);
    await compare(live);
    live.type('poweroff\r');
    expect((await live.ended).status).toBe(0);
  });

  test('threads on four CPUs', async () => {
    const live = new LiveMachine({ APPEND: 'job=threads', QEMUEXTRA: '-no-shutdown', SMP: '4' });
    await live.event('SHUTDOWN');
    expect(live.lines).toContain('yaos: done');
    const cpus = await compare(live);
    expect(cpus).toBeGreaterThan(200); // interrupts come to idle ones
    await live.command('quit');
    await live.ended;
  });

  test('a panic too', async () => {
    const live = new LiveMachine({ APPEND: 'job=fault-memory panic=halt' });
    await live.line(/^panic: #0/);
    await live.line(/^panic: #\d+ assembly at/);
    await compare(live);
    await live.command('quit');
    await live.ended;
  });
});

describe('planted in programs with modules of the kernel', () => {
  const SOURCE = `
    import { InterruptHandler } from './irq/vectors.ts';
    import { ThreadLock, SpinLock } from './lib/lock.ts';
    import { log } from './lib/log.ts';
    import { usedBytes } from './mm/heap.ts';
    import { Event } from './sched/event.ts';
    import { Timer } from './sched/timer.ts';
    import { NEVER } from './sched/thread.ts';

    export { usedBytes }; // the heap is in the program
    const event = new Event();
    const shared = new ThreadLock();
    const spin = new SpinLock();
    let list: Array<i32> = [];

    class Fine extends InterruptHandler { interrupt(vector: u32): void { event.signal(); spin.acquire(); spin.release(); } }
    class Push extends InterruptHandler { interrupt(vector: u32): void { list.push(vector); } }
    class Wait extends Timer { expired(): void { event.wait(NEVER); } }

    const handlers: InterruptHandler[] = [new Fine(), new Push()];
    const timer: Timer = new Wait();
    const fine = new Fine();

    export function good(vector: u32): void { fine.interrupt(vector); }
    export function virtual(vector: u32): void { handlers[vector].interrupt(vector); }
    export function suspends(vector: u32): void { timer.expired(); }
    export function locks(vector: u32): void { shared.acquire(); shared.release(); }
    export function logs(vector: u32): void { log('irq').decimal('vector ', vector).end(); }
    let link: (depth: u32) => u32 = (depth) => depth;
    function nested(depth: u32): u32 { return depth > 9 ? 0 : link(depth + 1); }
    export function circle(vector: u32): u32 { link = (depth) => nested(depth) * 3; return nested(vector); }
  `;
  let module: Uint8Array;
  beforeAll(async () => {
    module = await compileBytes(SOURCE, 'release');
  });

  /** The rules for the kernel's interrupt handlers, for another entry. */
  function prove(entry: string): void {
    const never = RULES.split('\n').filter((line) => line.startsWith('never interrupt'));
    const text = never.map((line) => line.replace('interrupt', entry)).join('\n');
    translate(module, { memory: 'fixed', proofs: parseRules(text, 'rules', () => '') });
  }

  test('a handler that signals and takes a spin lock passes', () => prove('good'));

  test.each([
    [
      'virtual',
      /^virtual must never allocate: .*InterruptHandler#interrupt@override > .*Push#interrupt > .*> kernel\/mm\/heap\/allocate\w*$/,
    ],
    [
      'suspends',
      /^suspends must never (suspend|take .*): .*Wait#expired > kernel\/sched\/event\/Event#wait > kernel\/sched\/scheduler\/suspend > .*x86\.thread_switch$/,
    ],
    [
      'locks',
      /^locks must never take a lock that threads hold: .*locks > kernel\/lib\/lock\/ThreadLock#acquire > x86\.threads_only$/,
    ],
    [
      'logs',
      /^logs must never take a lock that threads hold: .*logs > kernel\/lib\/line\/Line#end > kernel\/lib\/serial\/write > .*x86\.threads_only$/,
    ],
  ])('%s fails', (entry, message) => {
    expect(() => prove(entry)).toThrow(message);
  });

  test('a circle through closures fails', () => {
    const assembly = [...RULES.matchAll(/^assembly.*$/gm)].map(([line]) => line).join('\n');
    const rules = parseRules(`${assembly}\nstack s 4096 circle`, 'rules', () => '');
    expect(() => translate(module, { memory: 'fixed', proofs: rules })).toThrow(
      /^stack s has no bound: .*nested calls itself: .*circle > .*nested > .*anonymous\|0 > .*nested: make it a loop$/,
    );
  });
});

describe('what does not hold of the kernel', () => {
  const module = readFileSync(join(root, 'out/kernel.wasm'));
  const sourceMap = readSourceMap(join(root, 'out/kernel.wasm.map'));
  const prove = (rules: string) => {
    const assembly = [...RULES.matchAll(/^assembly.*$/gm)].map(([line]) => line).join('\n');
    const proofs = parseRules(`${assembly}\n${rules}`, 'rules', () => '');
    translate(module, { memory: 'fixed', sourceMap, proofs });
  };

  // Through methods that override others, inlined ones, and through a table.
  test.each([
    ['never interrupt signal kernel/sched/event/Event#signal', /^interrupt must never signal: /],
    ['stack small 500 interrupt', /^stack small has 500 bytes and needs \d+: \d+ by interrupt: /],
  ])('%s: each call is told with its file and line', (rules, message) => {
    let told = '';
    try {
      prove(rules);
    } catch (error) {
      told = (error as Error).message;
    }
    const [first, ...calls] = told.split('\n');
    expect(first).toMatch(message);
    expect(calls.length).toBeGreaterThan(2);
    for (const call of calls) {
      const [, file, line, callee] =
        /^(kernel\/[\w/-]+\.ts):(\d+): \S+ calls \S*?([\w~]+)(?:@override)?$/.exec(call)!;
      const source = readFileSync(join(root, file!), 'utf8').split('\n')[Number(line) - 1];
      expect(source, call).toContain(callee!);
    }
  });
});

test('the head of a table has rows below, and chains are there in full', () => {
  const lines = TABLES.split('\n');
  for (const [i, line] of lines.entries())
    if (/ {2}chain$/.test(line)) expect(lines[i + 1]).toMatch(/^\S+ +\d+ +/);
  expect(TABLES).toMatch(/^kernel\/main\/MainProgram#run +\d+ +jobs\/table\/runJob > /m);
  const full = TABLES.slice(TABLES.indexOf('Chains in full'));
  const [, chain] = /^frame +of the deepest chain from thread_main\n((?: *[\d-]+ .*\n)+)/m.exec(full)!;
  const frames = chain
    .trimEnd()
    .split('\n')
    .map((line) => Number(line.trim().split(' ')[0]) || 0);
  // With return addresses; thread_main's is in what is declared, and the last function may save the flags.
  expect(frames.reduce((sum, frame) => sum + frame + 8, 0) + declared('thread_main')).toBe(
    deepest('thread_main'),
  );
});
