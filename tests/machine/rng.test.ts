// virtio-rng: the bytes that the kernel prints are those that the host gives, in order and each once, in QEMU and on the
// machine in Node.

import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadKernel, Machine, VirtioRng, type VirtioRngOptions } from '../../machine/index.ts';
import { Workbench } from '../qemu/machine.ts';
import { normalised } from './log.ts';

const kernel = await loadKernel();
const bench = new Workbench();
afterAll(() => bench.remove());

const MEM = 128;
/** Of the host. */
const entropy = Buffer.concat(
  Array.from({ length: 64 }, (_, i) => createHash('sha256').update(`${bench.seed} ${i}`).digest()),
);
const file = join(bench.directory, `seed-${bench.seed}-entropy`);
writeFileSync(file, entropy);

/** Gives the host's bytes, at most `most` at a time. */
function sourceOf(most: number): VirtioRngOptions['source'] {
  let at = 0;
  return (bytes) => {
    const start = at;
    at += Math.min(bytes, most);
    return entropy.subarray(start, at);
  };
}

function printed(lines: string[]): string {
  return lines
    .filter((line) => line.startsWith('rng: '))
    .map((line) => line.slice('rng: '.length))
    .join('');
}

function run(rng: VirtioRng, commandLine: string) {
  const pc = new Machine({ memory_mib: MEM, commandLine });
  pc.pci.add(rng, { slot: 4 });
  return pc.run(kernel);
}

describe('in QEMU and on the model', () => {
  test.each([
    { name: 'as it comes', properties: '', options: {}, bytes: 32 },
    { name: 'modern only', properties: ',disable-legacy=on', options: { legacy: false }, bytes: 1000 },
    { name: 'legacy only', properties: ',disable-modern=on', options: { modern: false }, bytes: 300 },
    { name: 'a packed ring', properties: ',packed=on', options: { packed: true }, bytes: 600 },
    { name: 'without EVENT_IDX', properties: ',event_idx=off', options: { eventIndex: false }, bytes: 513 },
  ])('$name', async ({ properties, options, bytes }) => {
    const APPEND = `job=rng bytes=${bytes}`;
    const QEMUEXTRA = `-object rng-random,id=r,filename=${file} -device virtio-rng-pci,rng=r,addr=4${properties}`;
    const qemu = await bench.boot({ DISK: 'none', SMP: '1', MEM: `${MEM}M`, APPEND, QEMUEXTRA }, true);
    const model = run(new VirtioRng({ ...options, source: sourceOf(Number.MAX_VALUE) }), APPEND);
    expect(printed(model.lines), model.serial).toBe(entropy.toString('hex', 0, bytes));
    expect(printed(qemu.lines)).toBe(entropy.toString('hex', 0, bytes));
    const common = (lines: string[]) => normalised(lines).filter((line) => !line.startsWith('cmdline: '));
    expect(common(model.lines)).toEqual(common(qemu.lines));
  });
});

test('a host that gives little at a time', () => {
  const { end, lines } = run(new VirtioRng({ source: sourceOf(5) }), 'job=rng bytes=100');
  expect(end).toBe('off');
  expect(printed(lines)).toBe(entropy.toString('hex', 0, 100));
});

class Wrong extends VirtioRng {
  readonly wrong: 'silent' | 'empty' | 'long';

  constructor(wrong: Wrong['wrong'], options: VirtioRngOptions = {}) {
    super(options);
    this.wrong = wrong;
  }

  override fill(...[queue, chain]: Parameters<VirtioRng['fill']>): void {
    if (this.wrong === 'empty') this.complete(queue, chain, 0);
    if (this.wrong === 'long') this.complete(queue, chain, 257);
  }
}

test.each([
  ['silent', /^virtio-rng 0000:00:04\.0: no random bytes in 5000 ms$/],
  ['empty', /^virtio-rng 0000:00:04\.0: answers without a single random byte$/],
  [
    'long',
    /^virtio-rng 0000:00:04\.0: queue 0: more bytes than the chain has: used entry with id 0, length 257$/,
  ],
] as const)('a device that is %s', (wrong, message) => {
  const { end, lines } = run(new Wrong(wrong), 'job=rng');
  expect(end).toBe('panic');
  expect(
    lines.filter((line) => message.test(line)),
    lines.join('\n'),
  ).toHaveLength(1);
  expect(lines).toContain('panic: no random bytes');
});

test('a device that answers too much by the legacy interface gives what there is room for', () => {
  const { end, lines } = run(new Wrong('long', { modern: false }), 'job=rng bytes=32');
  expect(end).toBe('off');
  expect(printed(lines)).toMatch(/^[0-9a-f]{64}$/);
});

test('nobody waits for a device that is not needed', () => {
  const { end, time_ns } = run(new Wrong('silent'), 'job=none');
  expect(end).toBe('off');
  expect(time_ns).toBeLessThan(1e9);
});

test('no device', () => {
  const { end, lines } = new Machine({ commandLine: 'job=rng' }).run(kernel);
  expect(end).toBe('panic');
  expect(lines).toContain('panic: no source of random bytes: attach one with -device virtio-rng-pci');
});
