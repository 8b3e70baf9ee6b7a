// virtio-console: the log goes there too, a panic as well, and what is typed arrives. In QEMU by a socket, and on the
// machine in Node.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import {
  loadKernel,
  Machine,
  type MachineOptions,
  VirtioBlk,
  VirtioConsole,
  type VirtioConsoleOptions,
  VirtioRng,
  type Virtqueue,
} from '../../machine/index.ts';
import { FIRST_FD, LiveMachine } from '../qemu/live.ts';
import { Workbench } from '../qemu/machine.ts';
import { normalised } from './log.ts';

const kernel = await loadKernel();
const bench = new Workbench();
afterAll(() => bench.remove());

const MEM = 128;
const WAITS = 'waits for input\r\n';
const TYPED = `hello\r${'x'.repeat(300)}\r\nyaos: "${'~'.repeat(200)}"\n\x01\xff\n\x04`;
const END = '\x04';

function machine(device: VirtioConsole, commandLine: string, options: MachineOptions = {}): Machine {
  const pc = new Machine({ memory_mib: MEM, commandLine, ...options });
  pc.pci.add(device, { slot: 4 });
  return pc;
}

/** Types when the kernel waits for it. */
function typist(text: string, options: VirtioConsoleOptions = {}): VirtioConsole {
  const output = (_text: string, self: VirtioConsole) => {
    if (self.text.endsWith(WAITS)) self.receive(text);
  };
  return new VirtioConsole({ ...options, output });
}

/** QEMU throws away what a slow reader's socket has no room for: some hundred pieces, however small. */
async function typeInQemu(properties: string, append: string, typed: string) {
  const serial = `-device virtio-serial-pci,addr=4${properties} -chardev socket,id=c,fd=${FIRST_FD}`;
  const QEMUEXTRA = `${serial} -device virtconsole,chardev=c`;
  const live = new LiveMachine({ DISK: 'none', SMP: '1', MEM: `${MEM}M`, APPEND: append, QEMUEXTRA }, 1);
  const terminal = live.sockets[0]!;
  let text = '';
  terminal.on('data', (data: Buffer) => {
    text += data.toString('latin1');
    if (text.endsWith(WAITS)) terminal.write(Buffer.from(typed, 'latin1'));
  });
  return { ...(await live.ended), text };
}

/** From the line on that says so. */
function mirrored(lines: string[]): string[] {
  return lines.slice(lines.findIndex((line) => line.startsWith('console: the log goes to ')));
}

/** What a terminal shows, without what comes back of what was typed. */
function shown(text: string): string[] {
  return text.split('\r\n').slice(0, -1);
}

describe('in QEMU and on the model', () => {
  test.each([
    { name: 'as it comes', properties: '', options: {} },
    { name: 'modern only', properties: ',disable-legacy=on', options: { legacy: false } },
    { name: 'legacy only', properties: ',disable-modern=on', options: { modern: false } },
    { name: 'packed rings', properties: ',packed=on', options: { packed: true } },
    {
      name: 'without emergency writes and EVENT_IDX',
      properties: ',emergency-write=off,event_idx=off',
      options: { emergencyWrite: false, eventIndex: false },
    },
  ])('$name', async ({ properties, options }) => {
    const append = 'console=virtio job=console';
    const qemu = await typeInQemu(properties, append, TYPED);
    const device = typist(TYPED, options);
    const model = machine(device, append).run(kernel);
    for (const { lines, text } of [qemu, { lines: model.lines, text: device.text }]) {
      expect(lines, lines.join('\n')).toContain('console: "hello"');
      const quoted = lines.filter((line) => line.startsWith('console: "'));
      expect(quoted).toEqual([
        'console: "hello"',
        `console: "${'x'.repeat(256)}"`,
        `console: "${'x'.repeat(44)}"`,
        'console: ""',
        `console: "yaos: "${'~'.repeat(200)}""`,
        'console: ".."',
      ]);
      expect(lines).toContain(`console: ${TYPED.length - 1} bytes typed`);
      // What was typed comes back, between the log's lines.
      let rest = text;
      for (const line of mirrored(lines)) {
        const at = rest.indexOf(`${line}\r\n`);
        expect(at, `${line} in ${JSON.stringify(rest)}`).toBeGreaterThanOrEqual(0);
        rest = rest.slice(0, at) + rest.slice(at + line.length + 2);
      }
      expect(rest).toBe(TYPED.slice(0, -1));
    }
    expect(device.text.replace(/irq: .*/, '')).toBe(qemu.text.replace(/irq: .*/, ''));
    const common = (lines: string[]) =>
      normalised(lines).filter((line) => !/^(cmdline|irq): /.test(line) || /^irq: xAPIC/.test(line));
    expect(common(model.lines)).toEqual(common(qemu.lines));
  });
});

test('a panic goes to both consoles', async () => {
  const append = 'console=virtio job=fault-memory';
  // Character by character: too many pieces for a socket.
  const file = join(bench.directory, 'console');
  const QEMUEXTRA = `-chardev file,id=c,path=${file} -device virtio-serial-pci -device virtconsole,chardev=c`;
  const { lines } = await bench.boot({ DISK: 'none', APPEND: append, QEMUEXTRA }, true);
  const qemu = { lines, text: readFileSync(file, 'latin1') };
  const device = new VirtioConsole();
  const model = machine(device, append).run(kernel);
  expect(shown(qemu.text)).toEqual(mirrored(qemu.lines));
  expect(shown(device.text)).toEqual(mirrored(model.lines));
  expect(qemu.text).toContain('panic: out of bounds memory access at 0x00000000\r\n');
});

test('without console=virtio nothing is written', () => {
  const device = new VirtioConsole();
  const { end } = machine(device, 'job=none').run(kernel);
  expect({ end, text: device.text }).toEqual({ end: 'off', text: '' });
});

test('a long log on several CPUs comes whole, line by line', () => {
  const device = new VirtioConsole({ queueSize: 8, latency_ns: 1_000_000 });
  const pc = machine(device, 'console=virtio job=rng bytes=20000', { cpus: 2 });
  pc.pci.add(new VirtioRng(), { slot: 5 });
  const { lines } = pc.run(kernel);
  expect(lines.length).toBeGreaterThan(600);
  expect(shown(device.text)).toEqual(mirrored(lines));
});

test('a terminal that nobody reads does not stop the kernel', () => {
  const device = new VirtioConsole({ queueSize: 2 });
  device.blocked = true;
  const { end, time_ns } = machine(device, 'console=virtio job=threads').run(kernel);
  expect(end).toBe('off');
  expect(time_ns).toBeLessThan(2e9);
});

test('job=console ends by its time', () => {
  const { lines, time_ns } = machine(typist('abc'), 'console=virtio job=console seconds=2').run(kernel);
  expect(lines).toContain('console: 3 bytes typed in its time');
  expect(time_ns).toBeGreaterThan(2e9);
});

test.each<VirtioConsoleOptions>([
  { queueSize: 2, indirect: false },
  { queueSize: 1, modern: false },
  { vectors: 0 },
  { vectors: 1 },
  { inOrder: true, packed: true },
])('with %o', (options) => {
  const { end, lines, serial } = machine(typist(TYPED, options), 'console=virtio job=console').run(kernel);
  expect(end, serial).toBe('off');
  expect(lines).toContain(`console: ${TYPED.length - 1} bytes typed`);
});

class Liar extends VirtioConsole {
  written = 0;

  override fill(...[queue, chain]: Parameters<VirtioConsole['fill']>): void {
    this.complete(queue, chain, this.written);
    if (this.written === 0) super.receive(END);
    this.written = 1;
  }
}

test('buffers that come back empty', () => {
  const liar = new Liar({ output: (_text, self) => self.text.endsWith(WAITS) && self.receive('a') });
  const { lines } = machine(liar, 'console=virtio job=console seconds=1').run(kernel);
  expect(lines).toContain('console: 1 bytes typed in its time');
});

/** Gives every buffer back at once, with nothing in it. */
class Empty extends VirtioConsole {
  override serve(queue: Virtqueue): void {
    if (queue.index !== 0) super.serve(queue);
    for (let chain = this.take(queue); chain !== undefined; chain = this.take(queue)) {
      const taken = chain;
      this.transport.clock.schedule(1000, () => this.complete(queue, taken, 0));
    }
  }
}

test('empty buffers without end take no more than the time there is', () => {
  const pc = machine(new Empty(), 'job=console seconds=1', { budget_steps: 8_000_000 });
  const { lines } = pc.run(kernel);
  expect(lines).toContain('console: 0 bytes typed in its time');
  // At powers of two of 16, of some ten thousand.
  const told = lines.filter((line) => line.includes('input without a byte, times '));
  expect(told[0]).toBe('virtio-console 0000:00:04.0: input without a byte, times 16');
  expect(told.length).toBeGreaterThan(5);
  expect(told.length).toBeLessThan(20);
});

/** Gives back a buffer that it was never given. */
class Wrong extends VirtioConsole {
  override fill(...[queue, chain]: Parameters<VirtioConsole['fill']>): void {
    queue.ring!.push({ ...chain, head: 4711 }, 1, false);
    this.notifyQueue(queue);
  }
}

test('a device that breaks the rules is told of', () => {
  const wrong = new Wrong({ output: (_text, self) => self.text.endsWith(WAITS) && self.receive('a') });
  const { lines } = machine(wrong, 'console=virtio job=console seconds=1').run(kernel);
  expect(lines).toContain(
    'virtio-console 0000:00:04.0: queue 0: no such descriptor: used entry with id 4711, length 1',
  );
});

test.each([1, 4])('the log goes on over the serial line when its console goes, with %s CPUs', (cpus) => {
  let text = '';
  const output = (more: string) => {
    text += more;
  };
  const device = new VirtioConsole({ queueSize: 2, latency_ns: 3_000_000, output });
  const pc = machine(device, 'console=virtio job=shell', { cpus });
  pc.pci.add(new VirtioBlk(new Uint8Array(2 ** 16)), { slot: 5 });
  // Somebody else writes meanwhile.
  for (let i = 0; i < 20; i++) pc.clock.schedule(1e8 + i * 2e7, () => pc.serial.receive('log 2\r'));
  pc.clock.schedule(3e8, () => pc.pci.release(device.toPci(false)));
  pc.clock.schedule(6e8, () => pc.serial.receive('blk\rpoweroff\r'));
  const { end, lines, serial } = pc.run(kernel);
  expect(end, serial).toBe('off');
  const gone = 'console: virtio-console 0000:00:04.0 is taken away: the log goes over the serial line only';
  expect(lines).toContain(gone);
  expect(lines.indexOf('virtio-console 0000:00:04.0: detached')).toBe(lines.indexOf(gone) + 1);
  expect(text).toContain('the log goes to virtio-console');
  expect(text).not.toContain('is taken away');
  expect(lines.at(-1)).toBe('yaos: done');
});

test('there is no such console', () => {
  const run = (commandLine: string) => new Machine({ commandLine }).run(kernel).lines;
  expect(run('console=virtio job=none')).toContain(
    'console: there is no virtio console: the log goes over the serial line only',
  );
  expect(run('console=vga job=none')).toContain('cmdline: console=vga: choose serial or virtio, ignored');
  expect(run('job=console')).toContain(
    'panic: no terminal: attach one with -device virtio-serial-pci -device virtconsole,chardev=ID',
  );
});
