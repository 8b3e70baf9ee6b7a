// Devices that are taken away from their drivers, and come back: by the monitor, on the machine in Node.

import { describe, expect, test } from 'vitest';
import {
  intercept,
  loadKernel,
  Machine,
  type MachineOptions,
  MemoryDisk,
  PciBridge,
  VirtioBalloon,
  VirtioBlk,
  type VirtioBlkOptions,
  VirtioConsole,
  type VirtioDevice,
  VirtioNet,
  VirtioRng,
} from '../../machine/index.ts';

const kernel = await loadKernel();
const COM1 = 0x3f8;
const PROMPT = 'yaos> \x1b[K';
const image = () => new Uint8Array(64 * 512).map((_, i) => i >> 9);

/** Types commands, each when the prompt is there; what came after each. */
function monitor(
  device: VirtioDevice,
  commands: readonly string[],
  options: MachineOptions = {},
  before: (index: number) => void = () => {},
): string[][] {
  const left = [...commands, 'poweroff'];
  let shown = '';
  const pc: Machine = new Machine({
    ...{ memory_mib: 64, commandLine: 'job=shell', ...options },
    trace: {
      port({ address, write, value }) {
        if (!write || address !== COM1) return;
        shown += String.fromCharCode(value);
        if (!shown.endsWith(PROMPT) || left.length === 0) return;
        shown = '';
        pc.clock.schedule(5_000_000, () => {
          before(commands.length + 1 - left.length);
          pc.serial.receive(`${left.shift()}\r`);
        });
      },
    },
  });
  pc.pci.add(device, { slot: 4 });
  const result = pc.run(kernel);
  expect(result.end, result.serial).toBe('off');
  const answers = result.serial.split('yaos> ').slice(1);
  return answers.map((text) => text.replaceAll('\x1b[K', '').trimEnd().split('\r\n').slice(1));
}

const detach = 'detach 0000:00:04.0';
const attach = 'attach 0000:00:04.0';

/** What is taken and free, by the answers to `mem` and `irq`. */
function figures(memory: string[], irq: string[]) {
  const text = [...memory, ...irq].join();
  const [free, unit] = match(text, /free (\d+) (\wiB)/);
  const [objects, bytes] = match(text, /(\d+) objects take (\d+ \w*) of the heap/);
  const [vectors] = match(text, /vectors free (\d+)/);
  return { kib: Number(free) * (unit === 'MiB' ? 1024 : 1), objects, bytes, vectors };
}

function match(text: string, pattern: RegExp): string[] {
  const found = pattern.exec(text);
  expect(found, text).not.toBeNull();
  return found!.slice(1);
}

/** From now on the device says so of a queue. */
function setSize(device: VirtioDevice, queue: number, size: number): void {
  Object.assign(device.queues[queue]!, { sizeMax: size, size });
}

describe('by the monitor', () => {
  test.each<[string, VirtioBlkOptions, MachineOptions]>([
    ['modern', {}, {}],
    ['legacy', { modern: false }, {}],
    ['packed', { packed: true }, {}],
    ['by its pin', { vectors: 0 }, {}],
    ['one vector', { vectors: 1 }, {}],
    ['a queue for each CPU', { queues: 4 }, { cpus: 4 }],
  ])('a disk goes and comes back: %s', (_, options, machine) => {
    const device = new VirtioBlk(new MemoryDisk(image()), options);
    const [first, gone, mem, none, nothing, again, back, afterwards] = monitor(
      device,
      ['read 3', detach, 'mem', 'read 3', detach, attach, 'read 5', 'blk'],
      machine,
    );
    expect(first!.filter((line) => line.includes(' 03 03 03 '))).toHaveLength(32);
    expect(gone).toEqual(['virtio-blk 0000:00:04.0: detached']);
    expect(mem!.join()).toMatch(/free \d+/);
    expect(none).toEqual(['there is no disk']);
    expect(nothing!.join()).toMatch(/^detach 0000/);
    expect(again!.join()).toMatch(/virtio-blk 0000:00:04.0: 64 sectors/);
    expect(back!.filter((line) => line.includes(' 05 05 05 '))).toHaveLength(32);
    expect(afterwards!.join()).toMatch(/virtio-blk 0000:00:04.0: 64 sectors/);
  });

  test.each<[string, () => VirtioDevice, number?, string?]>([
    ['disk', () => new VirtioBlk(new MemoryDisk(image()))],
    ['disk with packed rings', () => new VirtioBlk(new MemoryDisk(image()), { packed: true })],
    ['disk by its pin', () => new VirtioBlk(new MemoryDisk(image()), { vectors: 0 })],
    ['disk with a queue for each CPU', () => new VirtioBlk(new MemoryDisk(image()), { queues: 4 }), 4],
    ['network', () => new VirtioNet()],
    ['random bytes', () => new VirtioRng()],
    ['console', () => new VirtioConsole()],
    ['balloon', () => new VirtioBalloon(), 4],
    ['console that has the log', () => new VirtioConsole(), 1, 'console=virtio '],
  ])('nothing is lost when it goes and comes: %s', (_, make, cpus = 1, words = '') => {
    const look = ['mem', 'irq'];
    const cycles = Array.from({ length: 100 }, () => [detach, attach]).flat();
    const answers = monitor(make(), [...look, detach, ...look, attach, ...cycles, ...look, detach, ...look], {
      ...{ cpus, commandLine: `${words}job=shell` },
    });
    const at = (index: number) => figures(answers.at(index)!, answers.at(index + 1)!);
    // A log that went there has objects of its own.
    if (words === '') expect(at(-6)).toEqual(at(0));
    expect(at(-3)).toEqual(at(3));
    expect(at(3).kib).toBeGreaterThan(at(0).kib);
  });

  test.each<[string, () => VirtioDevice, (device: VirtioDevice) => void]>([
    ['a disk without a queue', () => new VirtioBlk(new MemoryDisk(image())), (disk) => setSize(disk, 0, 0)],
    ['a disk with a bad queue', () => new VirtioBlk(new MemoryDisk(image())), (disk) => setSize(disk, 0, 3)],
    [
      'a disk without its last queue',
      () => new VirtioBlk(new MemoryDisk(image()), { queues: 4 }),
      (disk) => setSize(disk, 3, 0),
    ],
    ['a network without transmission', () => new VirtioNet(), (net) => setSize(net, 1, 0)],
    ['a balloon that cannot deflate', () => new VirtioBalloon(), (balloon) => setSize(balloon, 1, 0)],
    ['a console without output', () => new VirtioConsole(), (console) => setSize(console, 1, 3)],
    [
      'a function without capabilities',
      () => new VirtioRng({ legacy: false }),
      (device) => void device.toPci(false).config.bytes.fill(0, 0x34, 0x35),
    ],
  ])('nothing is lost when it cannot be attached: %s', (_, make, spoil) => {
    const look = ['mem', 'irq'];
    const attempts = Array.from({ length: 100 }, () => attach);
    const device = make();
    const answers = monitor(
      device,
      [detach, ...look, attach, ...look, ...attempts, ...look],
      { cpus: 4 },
      (index) => {
        if (index === 3) spoil(device);
      },
    );
    const at = (index: number) => figures(answers.at(index)!, answers.at(index + 1)!);
    expect(answers[3]!.join()).toContain('attach 0000:BB:DD.F');
    expect(at(4)).toEqual(at(1));
    expect(at(-3)).toEqual(at(1));
    expect(answers.at(-4)!.join()).toContain('attach 0000:BB:DD.F');
  });

  test('a balloon that goes takes no memory with it', () => {
    const balloon = new VirtioBalloon();
    const wants = new Map([[1, 2000]]);
    const answers = monitor(balloon, ['mem', 'irq', 'mem', detach, 'mem'], {}, (index) => {
      if (wants.has(index)) balloon.want(wants.get(index)!);
    });
    const [before, , lent, , after] = answers.map((lines) => {
      const [, number, unit] = /free (\d+) (\wiB)/.exec(lines.join()) ?? [];
      return Number(number) * (unit === 'MiB' ? 1024 : 1);
    });
    expect(balloon.complaints).toEqual([]);
    expect(before! - lent!).toBeGreaterThan(2000 * 4 - 16);
    expect(after).toBeGreaterThanOrEqual(before!);
  });
});

/** Of a root port: its PCI Express capability and Slot Status in it. */
const SLOT_STATUS = 0x54 + 0x1a;

describe('in a slot of a PCI Express port', () => {
  const slot = () => {
    const port = new PciBridge('pcie-root-port');
    return port;
  };

  /** On a q35 with an empty port, or one with `device`; `events` are done at their times in ms. */
  function machine(
    commandLine: string,
    events: Record<number, (pc: Machine, port: PciBridge) => void>,
    cpus = 1,
    trace: MachineOptions['trace'] = {},
  ) {
    const pc = new Machine({ machine: 'q35', memory_mib: 64, commandLine, cpus, trace });
    const port = slot();
    pc.pci.add(port, { slot: 6 });
    for (const [ms, act] of Object.entries(events)) pc.clock.schedule(Number(ms) * 1e6, () => act(pc, port));
    return { pc, port };
  }
  const disk = (options: VirtioBlkOptions = {}) => new VirtioBlk(new MemoryDisk(image()), options);

  test('a disk is plugged in, and used', () => {
    const { pc } = machine('job=shell', {
      100: (machine, bridge) => void machine.pci.add(disk(), { bridge }),
      400: (machine) => machine.serial.receive('read 3\r'),
      450: (machine) => machine.serial.receive('poweroff\r'),
    });
    const { lines, end, serial } = pc.run(kernel);
    expect(end, serial).toBe('off');
    expect(serial).toContain('pci: 0000:00:06.0: there is a card');
    expect(serial).toMatch(/pci: 0000:01:00.0 BAR 4: memory64 at 0x\w+, 16 KiB, prefetchable: placed/);
    expect(serial).toContain('virtio-blk 0000:01:00.0: 64 sectors of 512 bytes, modern');
    expect(lines.filter((line) => line.includes(' 03 03 03 '))).toHaveLength(32);
  });

  test.each([1, 2, 3, 4])('a disk comes just when the slot is looked at the %sth time', (nth) => {
    const { pc, port } = machine('job=shell', {
      400: (machine) => machine.serial.receive('read 3\r'),
      450: (machine) => machine.serial.receive('poweroff\r'),
    });
    let looks = 0;
    intercept(port, 'readConfig', (read) => (offset, width) => {
      if (pc.started && offset === SLOT_STATUS && ++looks === nth) pc.pci.add(disk(), { bridge: port });
      return read(offset, width);
    });
    const { end, serial } = pc.run(kernel);
    expect(end, serial).toBe('off');
    expect(serial.match(/there is a card/g) ?? []).toHaveLength(looks < nth ? 0 : 1);
    expect(serial).not.toContain('to be given free');
  });

  test.each([
    ['asked for by its button', true],
    ['without a word', false],
  ])('a disk goes while a read waits for it: %s', (_, asked) => {
    const { pc, port } = machine('job=shell', {
      100: (machine) => machine.serial.receive('read 3\r'),
      200: (machine, bridge) => {
        const fn = bridge.secondary.functions[0]!;
        if (asked) machine.pci.release(fn);
        else machine.pci.pull(fn);
      },
      400: (machine) => machine.serial.receive('read 4\r'),
      450: (machine) => machine.serial.receive('lspci\r'),
      500: (machine) => machine.serial.receive('poweroff\r'),
    });
    pc.pci.add(disk({ latency_ns: 1e12 }), { bridge: port });
    const { end, serial } = pc.run(kernel);
    expect(end, serial).toBe('off');
    expect(serial).toContain(`0000:00:06.0: the card ${asked ? 'is to be given free' : 'has gone'}`);
    expect(serial).toContain('virtio-blk 0000:01:00.0: queue 0: the device was removed');
    expect(serial).toContain(`virtio-blk 0000:01:00.0: ${asked ? 'detached' : 'has gone'}`);
    expect(serial).toContain('there is no disk');
    expect(serial).toMatch(/06\.0-\[01\]--\r/);
    expect(port.secondary.functions[0]).toBeUndefined();
  });

  test.each([
    ['job=blkbench size=4096 qd=16 count=100000', 1],
    ['job=blkbench size=4096 qd=16 count=100000 poll=1', 1],
    ['job=blkverify rounds=1000', 4],
    ['job=trace requests=100000', 1],
  ])('a disk goes under load: %s', (commandLine, cpus) => {
    const { pc, port } = machine(
      commandLine,
      { 100: (machine, bridge) => machine.pci.pull(bridge.secondary.functions[0]!) },
      cpus,
    );
    pc.pci.add(new VirtioBlk(new MemoryDisk(new Uint8Array(2 ** 22))), { bridge: port });
    const { serial } = pc.run(kernel);
    expect(serial).toContain('virtio-blk 0000:01:00.0: queue 0: the device was removed');
    expect(serial).not.toContain('assert');
  });

  test('a slot of a switch, which has MSI and no MSI-X', () => {
    const messages: string[] = [];
    const events = {
      100: (machine: Machine) => void machine.pci.add(disk(), { bridge: down }),
      400: (machine: Machine) => machine.serial.receive('read 3\r'),
      500: (machine: Machine) => machine.pci.release(down.secondary.functions[0]!),
      700: (machine: Machine) => machine.serial.receive('blk\rlspci\rpoweroff\r'),
    };
    const trace = { message: ({ device }: { device: string }) => void messages.push(device) };
    const { pc, port } = machine('job=shell', events, 1, trace);
    const up = new PciBridge('x3130-upstream');
    const down = new PciBridge('xio3130-downstream');
    pc.pci.add(up, { bridge: port });
    pc.pci.add(down, { bridge: up });
    const { lines, end, serial } = pc.run(kernel);
    expect(end, serial).toBe('off');
    expect(serial).toContain('pci: 0000:02:00.0 MSI at 0x70, control 0x0080');
    expect(serial).toContain('pci: 0000:02:00.0: there is a card');
    expect(lines.filter((line) => line.includes(' 03 03 03 '))).toHaveLength(32);
    expect(serial).toContain('virtio-blk 0000:03:00.0: detached');
    expect(messages).toContain('0000:02:00.0');
  });

  test('cards come and go', () => {
    const events: Record<number, (pc: Machine, port: PciBridge) => void> = {
      9000: (machine) => machine.serial.receive('mem\rpoweroff\r'),
    };
    for (let i = 0; i < 8; i++) {
      events[200 + i * 1000] = (machine, bridge) => void machine.pci.add(disk(), { bridge });
      events[700 + i * 1000] = (machine, bridge) => machine.pci.release(bridge.secondary.functions[0]!);
    }
    const { pc } = machine('job=shell', events);
    const { end, lines, serial } = pc.run(kernel);
    expect(end, serial).toBe('off');
    expect(lines.filter((line) => line.endsWith('0000:01:00.0: detached'))).toHaveLength(8);
    expect(new Set(lines.filter((line) => line.endsWith(': placed'))).size).toBe(2);
  });
});

test.each([
  ['a slot of pc', 0, '0000:00:09.0'],
  ['a slot behind a bridge', 1, '0000:01:09.0'],
  ['a slot behind two', 2, '0000:02:09.0'],
])('%s: a disk comes and goes by ACPI', (_, depth, name) => {
  const pc = new Machine({ memory_mib: 64, commandLine: 'job=shell' });
  let bridge: PciBridge | undefined;
  for (let i = 0; i < depth; i++) {
    const next = new PciBridge('pci-bridge');
    pc.pci.add(next, { slot: 6, bridge });
    bridge = next;
  }
  const device = new VirtioBlk(new MemoryDisk(image()));
  const at = (ms: number, act: () => void) => pc.clock.schedule(ms * 1e6, act);
  at(100, () => void pc.pci.add(device, { slot: 9, bridge }));
  at(200, () => pc.serial.receive('read 3\r'));
  at(300, () => pc.pci.release(device.toPci(false)));
  at(400, () => pc.serial.receive('read 3\rpoweroff\r'));
  const { end, lines, serial } = pc.run(kernel);
  expect(end, serial).toBe('off');
  expect(serial).toContain(`virtio-blk ${name}: 64 sectors of 512 bytes`);
  expect(lines.filter((line) => line.includes(' 03 03 03 '))).toHaveLength(32);
  expect(serial).toContain(`virtio-blk ${name}: detached`);
  expect(serial).toContain('there is no disk');
  expect((bridge?.secondary ?? pc.pci.root).functions[9 << 3]).toBeUndefined();
});

test('a card that comes between the scan and the first look at its slot', () => {
  let shown = '';
  const pc: Machine = new Machine({
    ...{ memory_mib: 64, commandLine: 'job=shell' },
    trace: {
      port({ address, write, value }) {
        if (!write || address !== COM1) return;
        shown += String.fromCharCode(value);
        if (shown.endsWith('ap start done')) pc.pci.add(new VirtioBlk(image()), { slot: 9 });
      },
    },
  });
  pc.clock.schedule(3e8, () => pc.serial.receive('read 3\rpoweroff\r'));
  const { end, lines, serial } = pc.run(kernel);
  expect(end, serial).toBe('off');
  expect(serial).toContain('pci: slot 0000:00:09: there is a card');
  expect(lines.filter((line) => line.includes(' 03 03 03 '))).toHaveLength(32);
});
