// Variables of make to a machine, words of QEMUEXTRA, the serial log and the verdict on a run: all without QEMU.

import { describe, expect, test } from 'vitest';
import { qemuArguments } from '../../build/qemu/command.ts';
import { parseOptions } from '../../build/qemu/options.ts';
import { type End, verdict } from '../../build/qemu/run.ts';
import { SerialLog } from '../../build/qemu/serial.ts';
import { splitWords } from '../../build/qemu/words.ts';

describe('options', () => {
  test('have the defaults of the Makefile when empty', () => {
    expect(parseOptions({ DISK: '', SMP: ' ' })).toEqual({
      disk: 'out/usr.img',
      accel: 'auto',
      machine: 'pc',
      smp: 2,
      mem: '512M',
      blk: '',
      append: '',
      qemuExtra: [],
      timeout_s: 60,
      gdbFlags: [],
    });
  });

  test.each([
    ['ACCEL', 'hvf', 'choose auto, kvm or tcg'],
    ['MACHINE', 'isapc', 'choose pc, q35 or microvm'],
    ['SMP', '0', 'give a number from 1 to 255'],
    ['SMP', '1e3', 'give a number from 1 to 255'],
    ['MEM', '512X', 'give a size such as 512M or 2G'],
    ['TIMEOUT', '-1', 'give a number from 1 to 86400'],
  ])('%s=%s is refused', (name, value, why) => {
    expect(() => parseOptions({ [name]: value })).toThrow(`yaos: ${name}=${value}: ${why}`);
  });
});

describe('words', () => {
  test.each([
    ['', []],
    ['  -device  x ', ['-device', 'x']],
    [`-a 'b c' "d e"f`, ['-a', 'b c', 'd ef']],
    [`a\\ b '\\' "\\"" "\\n"`, ['a b', '\\', '"', '\\n']],
    [`'' ""`, ['', '']],
  ])('of <%s>', (line, words) => {
    expect(splitWords('QEMUEXTRA', line)).toEqual(words);
  });

  test.each([`'a`, `a"b`, 'a\\'])('<%s> is refused', (line) => {
    expect(() => splitWords('QEMUEXTRA', line)).toThrow('QEMUEXTRA: unbalanced quotes');
  });
});

describe('command line', () => {
  const boot = (variables: Record<string, string>) =>
    qemuArguments({
      options: parseOptions(variables),
      disk: { path: '/a,b', format: 'qcow2' },
      accel: 'tcg',
      from: { image: 'boot.img' },
    });

  test('doubles the commas of file names and of the kernel’s words', () => {
    const args = boot({ APPEND: 'a=1,2' });
    expect(args).toContain('if=none,id=disk,werror=report,format=qcow2,snapshot=on,file=/a,,b');
    expect(args).toContain('name=opt/yaos/cmdline,string=a=1,,2');
  });

  test('has the disk before QEMUEXTRA, but behind it when BLK names a bus', () => {
    const extra = { QEMUEXTRA: '-device pcie-root-port,id=port' };
    const place = (args: string[]) => [
      args.findIndex((arg) => arg.startsWith('pcie-root-port')),
      args.findIndex((arg) => arg.startsWith('virtio-blk-pci')),
    ];
    const [port, disk] = place(boot(extra));
    expect(disk).toBeLessThan(port);
    const [portFirst, diskLast] = place(boot({ ...extra, BLK: 'bus=port,addr=0' }));
    expect(portFirst).toBeLessThan(diskLast);
  });
});

describe('verdict', () => {
  const log = (text: string, piece = text.length) => {
    const serial = new SerialLog();
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += piece) serial.add(bytes.subarray(at, at + piece));
    return serial;
  };
  const end = (change: Partial<End>): End => ({
    status: 0,
    signal: null,
    stopped: null,
    message: '',
    ...change,
  });
  const judge = (text: string, change: Partial<End> = {}) => verdict(log(text), end(change), 60);
  const DONE = 'yaos 0.1.0\r\nyaos: done\r\n';

  test('is good only with "yaos: done"', () => {
    expect(judge(DONE)).toBeNull();
    expect(judge(DONE, { status: 33 })).toBeNull();
    expect(verdict(log(DONE, 1), end({}), 60)).toBeNull();
    expect(judge('yaos 0.1.0\r\n')).toBe('the machine was reset or powered off before "yaos: done"');
    expect(judge('yaos 0.1.0\r\nyaos: done', { status: 33 })).toMatch('reset or powered off');
  });

  test.each([
    ['yaos 0.1.0\r\npanic: no memory é\r\npanic: again\r\n', { status: 35 }, 'panicked: no memory é'],
    ['', { status: 35 }, 'panicked without a reason on the serial line'],
    ['panic: stuck\r\n', { status: null, stopped: 'timeout' }, 'panicked: stuck'],
    ['boot: no long mode\r\n', { status: null, stopped: 'boot' }, 'did not boot: no long mode'],
    ['yaos 0.1.0\r\nboot: fine\r\n', { status: null, stopped: 'timeout' }, 'timed out after 60 s'],
    [DONE, { status: null, stopped: 'timeout' }, 'timed out after 60 s, although done'],
    [DONE, { status: null, stopped: 'interrupt' }, 'interrupted'],
    ['', { status: 1, message: 'no such device' }, 'QEMU failed with status 1: no such device'],
    ['', { status: null, signal: 'SIGABRT' }, 'QEMU failed by SIGABRT'],
  ] as [string, Partial<End>, string][])('of %j with %j', (text, change, expected) => {
    expect(judge(text, change)).toBe(expected);
  });

  test('does not depend on how long a line is', () => {
    const serial = log(`${'x'.repeat(1 << 20)}\r\n${DONE}`, 1000);
    expect(serial.done).toBe(true);
    expect(serial.atLineStart).toBe(true);
  });
});
