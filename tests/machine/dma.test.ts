// Devices are told of memory for devices only: each address in a ring, a table or a queue's registers, and each access that a device makes, lies in
// frames that a driver has allotted and not given back, never in objects, static data, the image or what was never allotted.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { decode } from '../../build/wasm/decode.ts';
import {
  Edu,
  Machine,
  type MachineOptions,
  VirtioBalloon,
  VirtioBlk,
  VirtioConsole,
  VirtioDevice,
  VirtioNet,
  VirtioRng,
} from '../../machine/index.ts';
import { root } from '../kernel/compile.ts';
import { commandLine } from './trace.ts';
import { TALKS, udp } from './wire.ts';
import { loadWitnessed, Witness } from './witness.ts';

const kernel = await loadWitnessed();
const DISK = new Uint8Array(64 * 512).map((_, i) => i & 0xff);
const TRACE = commandLine({ seed: 1, requests: 300, depth: 8, blocks: 2, writes: 40 });

type Card = VirtioDevice | Edu;

function witnessed(cards: Card[], options: MachineOptions, prepare?: (pc: Machine) => void) {
  const witness = new Witness();
  const { imports, trace } = witness;
  const pc = new Machine({ memory_mib: 64, ...options, imports, trace });
  prepare?.(pc);
  for (const [i, card] of cards.entries()) {
    pc.pci.add(card, { slot: 4 + i });
    if (card instanceof VirtioDevice) witness.watch(card);
  }
  const result = pc.run(kernel);
  expect(result.end, result.lines.join('\n')).toBe('off');
  return { witness, ...result };
}

function talker(): VirtioNet {
  const frames = [...TALKS.map(({ frame }) => frame), udp(Buffer.from('enough\n'))];
  const peer = (_frame: Uint8Array, self: VirtioNet) => {
    if (self.sent.length === 1) for (const frame of frames) self.receive(frame);
  };
  return new VirtioNet({ peer });
}

function typist(): VirtioConsole {
  const output = (_text: string, self: VirtioConsole) => {
    if (self.text.endsWith('waits for input\r\n')) self.receive('hello\r\x04');
  };
  return new VirtioConsole({ output });
}

const CASES: [string, () => Card[], MachineOptions][] = [
  ['a disk, split ring', () => [new VirtioBlk(DISK.slice(), {})], { commandLine: TRACE }],
  ['a disk, packed ring', () => [new VirtioBlk(DISK.slice(), { packed: true })], { commandLine: TRACE }],
  ['a disk, no tables', () => [new VirtioBlk(DISK.slice(), { indirect: false })], { commandLine: TRACE }],
  ['a disk, legacy', () => [new VirtioBlk(DISK.slice(), { modern: false })], { commandLine: TRACE }],
  [
    'a disk and four CPUs',
    () => [new VirtioBlk(DISK.slice(), {})],
    { commandLine: 'job=blkverify', cpus: 4 },
  ],
  ['a network interface', () => [talker()], { commandLine: 'job=net stop=enough' }],
  ['a console', () => [typist()], { commandLine: 'console=virtio job=console' }],
  ['random numbers', () => [new VirtioRng({})], { commandLine: 'job=rng bytes=5000' }],
  ['edu', () => [new Edu()], { commandLine: 'job=edu n=5' }],
];

describe('told of its own memory only:', () => {
  test.each(CASES)('%s', (_, cards, options) => {
    const { witness, lines } = witnessed(cards(), options);
    expect(witness.complaints, lines.join('\n')).toEqual([]);
    const devices = [...witness.reached.keys()].filter((name) => name !== 'fw_cfg');
    expect(devices).toHaveLength(1);
    if (!options.commandLine!.includes('edu')) expect(witness.told.get(devices[0])).toBeGreaterThan(10);
  });
});

test("a balloon: what it has is no longer anybody else's", () => {
  const balloon = new VirtioBalloon({});
  const { witness, lines } = witnessed([balloon], { commandLine: 'job=balloon changes=2' }, (pc) => {
    pc.clock.schedule(50_000_000, () => balloon.want(500));
    pc.clock.schedule(90_000_000, () => balloon.want(20));
  });
  expect(witness.complaints, lines.join('\n')).toEqual([]);
  expect(witness.told.size).toBe(1);
});

test('the host, by fw_cfg: pages that nothing else is in', () => {
  const { witness } = witnessed([], { commandLine: 'job=none', loaderLine: 'nothing=1' });
  expect(witness.reached.get('fw_cfg')).toBeGreaterThan(3);
  const [start, end] = witness.fixedPages;
  expect(end - start).toBe(2 * 4096);
  const datas = decode(readFileSync(join(root, 'out/kernel.wasm'))).datas;
  for (const { offset, bytes } of datas) {
    const [op] = offset!;
    if (op.op !== 'const' || op.type !== 'i32') throw new Error('a segment of no fixed place');
    expect(op.bits + bytes.length <= start || op.bits >= end).toBe(true);
  }
});
