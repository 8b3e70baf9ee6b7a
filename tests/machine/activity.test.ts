// What a panic says of the driver in charge, on the machine in Node: a fault strikes a driver in mid-work, in a thread or in its
// interrupt handler, where it touches its device. tests/qemu/gdb.test.ts does so in QEMU.

import { expect, test } from 'vitest';
import {
  Edu,
  loadKernel,
  Machine,
  type MachineOptions,
  type Trace,
  VirtioBalloon,
  VirtioBlk,
  VirtioConsole,
  VirtioNet,
  VirtioRng,
} from '../../machine/index.ts';
import { TALKS } from './wire.ts';

const kernel = await loadKernel();
const disk = new Uint8Array(64 * 512);

function fault(): never {
  throw new WebAssembly.RuntimeError('memory access out of bounds');
}

/** Strikes at the `which`th time that a queue's doorbell is written. */
function atKick(queue: number, which: number): Trace {
  let kicks = 0;
  return {
    kick: (kick) => {
      if (kick.queue === queue && ++kicks === which) fault();
    },
  };
}

/** Strikes at an access in an interrupt handler, to a register at an address that ends so. */
function inHandler(low: number): Trace {
  let handling = false;
  return {
    interrupt: () => {
      handling = true;
    },
    mmio: ({ address, write }) => {
      if (!handling || write || (address & 0xfff) !== low) return;
      handling = false; // the report reads it too
      fault();
    },
  };
}

const TALK = new VirtioNet({
  peer: (_frame, net) => {
    if (net.sent.length === 1) net.receive(TALKS[0]!.frame);
  },
});

const cases: [string, Parameters<Machine['pci']['add']>[0], MachineOptions, RegExp[]][] = [
  [
    'a disk',
    new VirtioBlk(disk),
    { commandLine: 'sector=3', trace: atKick(0, 2) },
    [
      /^panic: thread main, CPU 0$/,
      /^virtio-blk .*: reading sector 3, requests in flight 1$/,
      /^virtio-blk .*: queue 0 of 256: available 2, /,
      /^virtio-blk .*: device status 0x0f, /,
    ],
  ],
  [
    'a disk, by its pin',
    new VirtioBlk(disk, { vectors: 0, legacy: false }),
    { trace: inHandler(0) },
    [
      /^panic: interrupt handler of line in thread (main|idle), CPU 0$/,
      /^virtio-blk .*: queue 0 of 256: available 1, /,
      /^virtio-blk .*: device status 0x0f, .* line GSI /,
    ],
  ],
  [
    'entropy, when it is brought up',
    new VirtioRng(),
    { commandLine: 'job=rng', trace: atKick(0, 1) },
    [/^panic: thread main, CPU 0$/, /^virtio-rng .*: queue 0 of \d+: available 1, /],
  ],
  [
    'entropy, on another CPU',
    new VirtioRng(),
    { commandLine: 'job=rng bytes=600 cpu=1', cpus: 2, trace: atKick(0, 2) },
    [
      /^panic: thread job, CPU 1$/,
      /^virtio-rng .*: waiting for random bytes, left in the pool 0$/,
      /^virtio-rng .*: queue 0 of \d+: available 2, /,
    ],
  ],
  [
    'a network interface',
    TALK,
    { commandLine: 'job=net', trace: atKick(1, 2) },
    [
      /^panic: thread net, CPU 0$/,
      /^virtio-net .*: received 1 frames, sent 2$/,
      /^virtio-net .*: queue 0 of \d+: /,
      /^virtio-net .*: queue 1 of \d+: available 2, /,
    ],
  ],
  [
    'a console',
    new VirtioConsole(),
    { commandLine: 'job=none console=virtio', trace: atKick(1, 3) },
    [/^virtio-console .*: output buffers in use: [1-9]\d* of \d+, bytes of input left: 0$/],
  ],
  [
    'a balloon',
    new VirtioBalloon(),
    { commandLine: 'job=balloon changes=2', trace: atKick(0, 1) },
    [
      /^panic: thread balloon, CPU 0$/,
      /^virtio-balloon .*: the host has 0 pages, and wants 300$/,
      /^virtio-balloon .*: queue 0 of \d+: available 1, /,
    ],
  ],
  [
    'edu',
    new Edu(),
    {
      commandLine: 'job=edu',
      trace: { mmio: ({ address, write }) => write && (address & 0xfff) === 8 && fault() },
    },
    [/^panic: thread main, CPU 0$/, /^edu .*: busy with a factorial: status 0x/],
  ],
  [
    'edu, by a message',
    new Edu(),
    { commandLine: 'job=edu', trace: inHandler(0x24) },
    [
      /^panic: interrupt handler of 0000:00:04\.0 in thread (main|idle), CPU 0$/,
      /^edu .*: busy with a factorial: status 0x/,
    ],
  ],
];

test.each(cases)('%s', (_, device, options, told) => {
  const pc = new Machine({ memory_mib: 32, ...options });
  pc.pci.add(device, { slot: 4 });
  if (device instanceof VirtioBalloon) pc.clock.schedule(50_000_000, () => device.want(300));
  const { end, lines } = pc.run(kernel);
  const report = lines.slice(lines.findIndex((line) => line.startsWith('panic: out of bounds')));
  expect(end, lines.join('\n')).toBe('panic');
  for (const line of told)
    expect(
      report.some((one) => line.test(one)),
      `${line}\n${report.join('\n')}`,
    ).toBe(true);
});

test('not what other threads of the CPU are at', () => {
  const pc = new Machine({ memory_mib: 32, commandLine: 'job=fault-division' });
  pc.pci.add(new VirtioBalloon(), { slot: 4 }); // its thread waits for the host
  const { lines } = pc.run(kernel);
  const report = lines.slice(lines.indexOf('panic: integer divide by zero'));
  expect(report.filter((line) => line.startsWith('virtio'))).toEqual([]);
});
