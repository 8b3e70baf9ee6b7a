// The monitor (job=shell) on the machine in Node, typed at as a person would: a command when the prompt is there.

import { expect, test } from 'vitest';
import {
  Edu,
  loadKernel,
  Machine,
  type MachineOptions,
  MemoryDisk,
  type PciFunction,
  VirtioBlk,
} from '../../machine/index.ts';

const kernel = await loadKernel();
const COM1 = 0x3f8;
const PROMPT = 'yaos> ';

interface Session extends MachineOptions {
  disk?: Uint8Array;
  serial?: string;
  device?: VirtioBlk;
  /** In slot 5. */
  card?: PciFunction;
  /** Is called before each command is typed. */
  before?: (device: VirtioBlk, command: string) => void;
}

/** Types the lines one by one; what came after each, and how the run ended. */
function session(typed: readonly string[], options: Session = {}) {
  const {
    disk = new Uint8Array(64 * 512).map((_, i) => i >> 9),
    serial,
    device,
    card,
    before,
    ...rest
  } = options;
  const blk = device ?? new VirtioBlk(new MemoryDisk(disk), { serial });
  const left = [...typed];
  let shown = '';
  const pc: Machine = new Machine({
    ...{ memory_mib: 16, commandLine: 'job=shell', ...rest },
    trace: {
      port({ address, write, value }) {
        if (!write || address !== COM1) return;
        shown += String.fromCharCode(value);
        if (!shown.endsWith(`${PROMPT}\x1b[K`) || left.length === 0) return;
        shown = '';
        pc.clock.schedule(1000, () => {
          const command = left.shift()!;
          before?.(blk, command);
          pc.serial.receive(command);
        });
      },
    },
  });
  pc.pci.add(blk, { slot: 4 });
  if (card) pc.pci.add(card, { slot: 5 });
  const { end, serial: shownInAll } = pc.run(kernel);
  const answers = shownInAll.split(PROMPT).slice(1);
  return {
    end,
    serial: shownInAll,
    answers: answers.map((text) => text.replaceAll('\x1b[K', '').replace(/\r$/, '').split('\r\n')),
  };
}

test('every command of the help, and an end', () => {
  const commands = [
    'help',
    'lspci',
    'blk',
    'read 3',
    'threads',
    'irq',
    'mem',
    'map 0x1000',
    'log 2',
    'poweroff',
  ];
  const { end, answers } = session(
    commands.map((line) => `${line}\r`),
    { cpus: 2 },
  );
  expect(end).toBe('off');
  expect(answers.map(([echo]) => echo)).toEqual(commands);
  for (const command of [
    'lspci',
    'blk',
    'read',
    'write',
    'threads',
    'irq',
    'mem',
    'map',
    'log',
    'panic',
    'poweroff',
  ])
    expect(
      answers[0]!.some((line) => line.startsWith(command)),
      command,
    ).toBe(true);
  expect(answers[1]!.join()).toMatch(/lspci: +\\-04\.0 {2}1af4:1001 SCSI controller/);
  expect(answers[2]![1]).toMatch(
    /^virtio-blk 0000:00:04.0: 64 sectors of 512 bytes, in blocks of 512, notified 1 times/,
  );
  expect(answers[3]!.filter((line) => /^~[0-9a-f]{8} - (03 ){16}/.test(line))).toHaveLength(32);
  expect(answers[4]!.filter((line) => / on CPU [01] /.test(line))).toHaveLength(4);
  expect(answers[5]!.join()).toMatch(/CPU 0: \d+ interrupts.*CPU 1: .*GSI 4 \(\d+ interrupts/);
  expect(answers[7]).toContain('00001000: physical 000000001000, page of 4 KiB, writable');
});

test('writes what it is told, and reads it back', () => {
  const disk = new Uint8Array(64 * 512);
  const { answers } = session(
    ['write 5 0xab 3\r', 'read 7\r', 'log 0\r', 'read 99\r', 'log 1\r', 'read 99\r', 'poweroff\r'],
    {
      disk,
    },
  );
  expect(answers[0]).toContain('3 sectors written');
  expect(answers[1]!.filter((line) => /^~[0-9a-f]{8} - (ab ){16}/.test(line))).toHaveLength(32);
  expect(disk.subarray(5 * 512, 8 * 512).every((byte) => byte === 0xab)).toBe(true);
  expect(disk.subarray(8 * 512).every((byte) => byte === 0)).toBe(true);
  expect(answers[3]).toEqual(['read 99', '']);
  expect(answers[5]!.join()).toMatch(/cannot read sector 99: the capacity is 64/);
});

test.each([
  ['read', 'read LBA [COUNT]'],
  ['read x', 'read LBA [COUNT]'],
  ['read 1 0', 'read LBA [COUNT]; COUNT is from 1 to 128'],
  ['read 1 129', 'read LBA [COUNT]; COUNT is from 1 to 128'],
  ['read 99999999999999999999999', 'read LBA [COUNT]'],
  ['write 1 256', 'write LBA BYTE [COUNT]: fills sectors'],
  ['write 1', 'write LBA BYTE [COUNT]: fills sectors'],
  ['map', 'map ADDR: what is mapped at an address of linear memory'],
  ['map 0x100000000', 'map ADDR: what is mapped at an address of linear memory'],
  ['log 3', 'log LEVEL: 0 nothing, 1 facts, 2 each interrupt and completion of a disk too'],
  ['lspci x', 'lspci [0000:BB:DD.F]: the tree of buses, or what configuration space tells of a function'],
  ['mem 1', 'this command stands alone: help lists what there is'],
  ['panic now', 'this command stands alone: help lists what there is'],
  ['poweroff x', 'this command stands alone: help lists what there is'],
  ['lspcii', 'unknown command: help lists what there is'],
  ['x'.repeat(300), 'unknown command: help lists what there is'],
])('bad input: %s', (line, usage) => {
  const { end, answers } = session([`${line}\r`, 'poweroff\r']);
  expect(end).toBe('off');
  expect(answers[0]![1]).toBe(usage);
});

test('the keys of a line editor', () => {
  const keys: [typed: string, executed: string][] = [
    ['maap\x7f\x7fp 0\r', 'map 0'],
    ['ap 0\x01m\r', 'map 0'],
    ['map 0\x1b[D\x1b[D\x1b[D\x1b[C\x08p\r', 'map 0'],
    ['nonsense\x15map 0\r', 'map 0'],
    ['map 7\x17 0\r', 'map 0'],
    ['ma\x01\x1b[C\x1b[C\x05p 0\r', 'map 0'],
    ['\x1b[A\r', 'map 0'],
    ['\x1b[A\x1b[A\x1b[B\x1b[B\x1b[Bmap 0\r', 'map 0'],
  ];
  const { end, answers } = session([...keys.map(([typed]) => typed), 'x\x03', 'poweroff\r']);
  expect(end).toBe('off');
  const texts = answers.map((lines) => lines.join('\n'));
  expect(texts.filter((text) => text.includes('00000000: not mapped'))).toHaveLength(keys.length);
  expect(texts.some((text) => text.includes('^C'))).toBe(true);
});

test('what else a disk can do', () => {
  const disk = new Uint8Array(64 * 512).fill(7);
  const typed = ['blk', 'zero 3 2', 'discard 10', 'flush', 'zero 63 2', 'bench 4 50', 'bench 0', 'poweroff'];
  const { answers } = session(
    typed.map((line) => `${line}\r`),
    { disk, serial: 'DISK-7' },
  );
  expect(answers[0]).toContain('virtio-blk 0000:00:04.0: id DISK-7');
  expect(answers[1]).toContain('done');
  expect(disk.subarray(3 * 512, 5 * 512).every((byte) => byte === 0)).toBe(true);
  expect(disk.subarray(5 * 512, 6 * 512).every((byte) => byte === 7)).toBe(true);
  expect(answers[2]).toContain('done');
  expect(answers[3]).toContain('done');
  expect(answers[4]!.join()).toMatch(/cannot write zeroes to sectors 63 to 64: the capacity is 64/);
  expect(answers[5]!.join()).toMatch(/BLK size=4096 qd=4 n=50 iops=\d+/);
  expect(answers[6]![1]).toMatch(/^bench QD \[COUNT\]/);
});

test('a disk that grows is noticed', () => {
  const content = new Uint8Array(128 * 512);
  class Growing extends MemoryDisk {
    size = 64 * 512;
    override get bytes(): number {
      return this.size;
    }
  }
  const growing = new Growing(content);
  const { answers } = session(['read 100\r', 'blk\r', 'read 100\r', 'poweroff\r'], {
    device: new VirtioBlk(growing),
    before(device, command) {
      if (command !== 'blk\r') return;
      growing.size = 128 * 512;
      device.resized();
    },
  });
  expect(answers[0]!.join()).toMatch(/the capacity is 64/);
  expect(answers[1]!.join()).toMatch(/has 128 sectors now, had 64/);
  expect(answers[2]!.filter((line) => line.startsWith('~'))).toHaveLength(32);
});

test('panic ends it with a report', () => {
  const { end, serial } = session(['panic\r']);
  expect(end).toBe('panic');
  expect(serial).toContain('panic: asked for by the monitor');
});

test('a card of edu goes from its driver, and comes back', () => {
  const commands = ['detach 0000:00:05.0\r', 'attach 0000:00:05.0\r', 'poweroff\r'];
  const { end, answers } = session(commands, { card: new Edu() });
  expect(end).toBe('off');
  const [detached, attached] = answers.map((lines) => lines.join('\n'));
  expect(detached).toMatch(/edu 0000:00:05\.0: detached/);
  expect(attached).toMatch(/edu 0000:00:05\.0: version 1\.0, by message/);
});

test('a detach comes to its end, with CPUs whose clock takes as long to be read as a short sleep', () => {
  const { end, answers } = session(['detach 0000:00:04.0\r', 'poweroff\r'], {
    ...{ cpus: 4, step_ns: 20_000, budget_steps: 2_000_000 },
  });
  expect(end).toBe('off');
  expect(answers[0].join('\n')).toMatch(/virtio-blk 0000:00:04\.0: detached/);
});
