// What the machine does when things are wrong: each has its own line, its exit status, and ends in seconds. A
// device that refuses FEATURES_OK or never resets is in tests/kernel: QEMU has none.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { STATUS_PANIC } from '../../build/qemu/command.ts';
import type { Variables } from '../../build/qemu/options.ts';
import { type Outcome, Workbench } from './machine.ts';

const bench = new Workbench();
afterAll(() => bench.remove());

const PATHS: [string, boolean][] = [
  ['disk boot', false],
  ['-kernel', true],
];
const WAIT_MS_MAX = 20_000;

async function expectPanic(variables: Variables, direct: boolean, reason: RegExp): Promise<Outcome> {
  const outcome = await bench.boot(variables, direct, WAIT_MS_MAX);
  const log = outcome.lines.join('\n');
  expect(outcome.failure, log).toMatch(/^panicked: /);
  expect(outcome.failure, log).toMatch(reason);
  expect(outcome.status).toBe(STATUS_PANIC);
  expect(outcome.lines).not.toContain('yaos: done');
  return outcome;
}

/** A disk of 16 sectors, one of which cannot be read or written. */
function badDisk(type: 'read' | 'write', sector: number): string {
  const error = ['event=none', `iotype=${type}`, `sector=${sector}`, 'errno=5'];
  return [
    `-blockdev driver=file,filename=${bench.disk(16).path},node-name=file`,
    '-blockdev driver=raw,file=file,node-name=raw',
    `-blockdev driver=blkdebug,image=raw,node-name=bad,${error.map((e) => `inject-error.0.${e}`).join()}`,
    '-device virtio-blk-pci,drive=bad,addr=4,rerror=report,werror=report',
  ].join(' ');
}

describe.each(PATHS)('by %s', (_, direct) => {
  test('no disk', async () => {
    await expectPanic({ DISK: 'none' }, direct, /no usable disk/);
  });

  test('a disk of one sector', async () => {
    const { lines, kicks } = await expectPanic(
      { DISK: bench.disk(1).path },
      direct,
      /the disk cannot be read/,
    );
    expect(lines).toContain('virtio-blk 0000:00:04.0: cannot read sector 1: the capacity is 1');
    expect(kicks).toBeLessThanOrEqual(2); // QEMU's own at the start, one for each queue
  });

  test('a request that never completes', async () => {
    // With a geometry, or QEMU itself would read the partition table before the machine starts.
    const backend = '-blockdev driver=null-co,node-name=slow,latency-ns=3600000000000,size=1048576';
    const device = '-device virtio-blk-pci,drive=slow,addr=4,cyls=2,heads=16,secs=63';
    const variables = { DISK: 'none', QEMUEXTRA: `${backend} ${device}` };
    const { lines } = await expectPanic(variables, direct, /the disk cannot be read/);
    const log = lines.join('\n');
    expect(log).toMatch(/^virtio-blk 0000:00:04\.0: sector 1: no answer in \d+ ms$/m);
    expect(log).toMatch(/^virtio-blk 0000:00:04\.0: reading sector 1, requests in flight 1$/m);
    expect(log).toMatch(/^virtio-blk 0000:00:04\.0: queue 0 of \d+: available 1, announced 1, used 0, /m);
  });

  test('a read error', async () => {
    const variables = { DISK: 'none', QEMUEXTRA: badDisk('read', 1) };
    const { lines } = await expectPanic(variables, direct, /the disk cannot be read/);
    expect(lines.join('\n')).toMatch(/^virtio-blk .*: read of sector 1 failed: status 1 \(I\/O error\)$/m);
  });

  test('a write error', async () => {
    const APPEND = 'job=trace writes=100 blocks=1 depth=1 requests=1000';
    const variables = { DISK: 'none', QEMUEXTRA: badDisk('write', 7), APPEND };
    const { lines } = await expectPanic(variables, direct, /the trace came to an end/);
    const log = lines.join('\n');
    expect(log).toMatch(/^virtio-blk .*: write of sector 7 failed: status 1 \(I\/O error\)$/m);
    expect(log).toMatch(/^trace: failed in requests (\d+) to \1$/m);
  });

  test('16 MiB of RAM are enough', async () => {
    const outcome = await bench.boot({ MEM: '16M', DISK: bench.disk().path }, direct);
    expect(outcome.failure, outcome.lines.join('\n')).toBeNull();
  });

  test('12 MiB are not', async () => {
    await expectPanic({ MEM: '12M', DISK: bench.disk().path }, direct, /too little RAM/);
  });

  test('a CPU without long mode', async () => {
    const outcome = await bench.boot({ DISK: 'none', QEMUEXTRA: '-cpu qemu32' }, direct, WAIT_MS_MAX);
    expect(outcome.lines).toContain('boot: no long mode');
    expect(outcome.failure).toBe('did not boot: no long mode');
    expect(outcome.status).toBe(STATUS_PANIC);
  });
});

test('a kernel larger than RAM', async () => {
  const outcome = await bench.boot({ MEM: '1M', DISK: 'none' }, false, WAIT_MS_MAX);
  expect(outcome.lines.join('\n')).toMatch(/^boot: not enough memory: the kernel needs \d+ KiB$/m);
  expect(outcome.status).toBe(STATUS_PANIC);
});

describe('yaos run', () => {
  const run = (variables: Record<string, string>, ...args: string[]) => {
    const env = { ...process.env, ACCEL: 'tcg', DISK: 'none', ...variables };
    const { status, stdout, stderr } = spawnSync('out/yaos', ['run', ...args], { encoding: 'utf8', env });
    const all = stdout.trimEnd().split(/\r?\n/);
    return { status, all, last: all.at(-1), first: all[0], stderr };
  };

  test('is 0 when the kernel did its job, and says nothing more', () => {
    const { path } = bench.disk();
    const { status, first, last, stderr } = run({ DISK: path });
    expect({ status, last, stderr }).toEqual({ status: 0, last: 'yaos: done', stderr: '' });
    expect(first).toMatch(/^yaos \d/);
  });

  test('is 1 when it panicked, and the last line says why', () => {
    expect(run({})).toMatchObject({
      status: 1,
      last: expect.stringMatching(/^yaos: panicked: no usable disk/),
    });
  });

  test.each(['job=fault-memory', 'job=fault-assert', 'job=fault-copy'])(
    'shows the line that failed: %s',
    (APPEND) => {
      const { last, all } = run({ APPEND });
      const reason = last!.replace('yaos: panicked: ', '');
      const [place, source, caret] = all.slice(-4, -1);
      const [, line, column, why] = /^kernel\/jobs\/fault\.ts:(\d+):(\d+): (.*)$/.exec(place!)!;
      expect(why).toBe(reason);
      const text = readFileSync('kernel/jobs/fault.ts', 'utf8').split('\n')[Number(line) - 1]!;
      expect(text).toMatch(/store<u32>|assert\(|memory\.copy/);
      expect(source).toBe(`${line} | ${text}`);
      expect(caret).toBe(`${' '.repeat(line!.length)} | ${' '.repeat(Number(column) - 1)}^`);
      expect(text.slice(0, Number(column) - 1).trim()).toBe('');
    },
  );

  test('is 1 when the time is over', () => {
    const start = performance.now();
    const outcome = run({ TIMEOUT: '1', QEMUEXTRA: '-S' });
    expect(outcome).toMatchObject({ status: 1, last: 'yaos: timed out after 1 s' });
    expect(performance.now() - start).toBeLessThan(10_000);
  });

  test('is 1 when the machine was reset, though QEMU’s status is 0', () => {
    const kernel = join(bench.directory, 'triple-fault');
    writeFileSync(kernel, tripleFault());
    const { status, last } = run({ QEMUEXTRA: `-kernel ${kernel}` }, '--kernel');
    expect({ status, last }).toEqual({
      status: 1,
      last: 'yaos: the machine was reset or powered off before "yaos: done"',
    });
  });

  test('is 1 when QEMU fails, with its message', () => {
    const { status, last } = run({ QEMUEXTRA: '-device nonesuch' });
    expect(status).toBe(1);
    expect(last).toMatch(/^yaos: QEMU failed with status 1: .*'nonesuch' is not a valid device model name$/);
  });

  test('is 130 after Ctrl-C, and leaves no QEMU behind', async () => {
    const pidFile = join(bench.directory, 'pid');
    const env = { ...process.env, ACCEL: 'tcg', DISK: 'none', QEMUEXTRA: `-S -pidfile ${pidFile}` };
    const child = spawn('out/yaos', ['run'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    let log = '';
    child.stdout.on('data', (bytes: Buffer) => {
      log += bytes.toString();
    });
    const readPid = () => (existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8')) : 0);
    await expect.poll(readPid, { timeout: 10_000 }).toBeGreaterThan(0);
    const qemu = readPid();
    child.kill('SIGINT');
    const [status] = await once(child, 'close');
    expect({ status, log }).toEqual({ status: 130, log: 'yaos: interrupted\n' });
    expect(() => process.kill(qemu, 0)).toThrow('ESRCH');
  });

  test('leaves no QEMU behind when it is killed', async () => {
    const pidFile = join(bench.directory, 'killed-pid');
    const env = { ...process.env, ACCEL: 'tcg', DISK: 'none', QEMUEXTRA: `-S -pidfile ${pidFile}` };
    const child = spawn('out/yaos', ['run'], { env, stdio: 'ignore' });
    const readPid = () => (existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8')) : 0);
    await expect.poll(readPid, { timeout: 10_000 }).toBeGreaterThan(0);
    const qemu = readPid();
    child.kill('SIGKILL');
    // A process whose parent has gone may stay as a zombie, if nobody waits for it.
    const runs = () => {
      const status = existsSync(`/proc/${qemu}/stat`) ? readFileSync(`/proc/${qemu}/stat`, 'utf8') : '';
      return /\) [^Z] /.test(status);
    };
    await expect.poll(runs, { timeout: 10_000 }).toBe(false);
  });

  test('is 1 when DISK is not there, without starting QEMU', () => {
    expect(run({ DISK: 'no/such.img' })).toMatchObject({
      status: 1,
      first: '',
      last: '',
      stderr: 'yaos: DISK=no/such.img: no such file or directory\n',
    });
  });

  test('with KVM that does not work falls back to TCG', () => {
    const { status, last, stderr } = run({ ACCEL: 'auto', DISK: bench.disk().path });
    expect({ status, last }).toEqual({ status: 0, last: 'yaos: done' });
    expect(stderr).toMatch(/^accel: (tcg|kvm), because .*\n$/);
  });
});

/** A multiboot 1 kernel (multiboot 3.1.1) that loads an empty IDT and raises an exception. */
function tripleFault(): Buffer {
  const base = 0x100000;
  const flags = 0x10000; // the addresses are in the header
  const code = 32;
  const image = Buffer.alloc(4096);
  const words = [0x1badb002, flags, -(0x1badb002 + flags) >>> 0, base, base, 0, 0, base + code];
  words.forEach((word, i) => void image.writeUInt32LE(word, i * 4));
  image.set([0x0f, 0x01, 0x1d, 0x40, 0x00, 0x10, 0x00, 0xcc], code); // lidt [base + 64]; int3
  return image;
}
