// virtio-net: a host on the other end of the wire sends frames, good ones and bad ones, and knows what must come back. In
// QEMU by a socket, and on the machine in Node.

import { createSocket } from 'node:dgram';
import { describe, expect, test } from 'vitest';
import type { Variables } from '../../build/qemu/options.ts';
import {
  loadKernel,
  Machine,
  type MachineOptions,
  VirtioNet,
  type VirtioNetOptions,
} from '../../machine/index.ts';
import { FIRST_FD, LiveMachine } from '../qemu/live.ts';
import { normalised } from './log.ts';
import { arp, EVERYBODY, GUEST_IP, GUEST_MAC, ping, TALKS, udp } from './wire.ts';

const kernel = await loadKernel();
const MEM = 128;
const STOP = 'enough';
const stop = udp(Buffer.from(`${STOP}\n`));
const announcement = arp(EVERYBODY, GUEST_MAC, { senderIp: GUEST_IP });
const frames = [...TALKS.map(({ frame }) => frame), stop];
const expected = [
  announcement,
  ...TALKS.flatMap(({ answer }) => (typeof answer === 'string' ? [] : [answer])),
  udp(Buffer.from(`${STOP}\n`), { back: true }),
];

/** What the log must count. */
function dropped(talks = TALKS): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { answer } of talks)
    if (typeof answer === 'string') counts.set(answer, (counts.get(answer) ?? 0) + 1);
  return counts;
}

function countsOf(lines: string[]): Map<string, number> {
  const line = lines.find((one) => one.startsWith('net: dropped'))!;
  const reasons = line.split(', ').slice(1);
  return new Map(reasons.map((reason) => [reason.replace(/ \d+$/, ''), Number(/\d+$/.exec(reason))]));
}

const hex = (all: Uint8Array[]) => all.map((frame) => Buffer.from(frame).toString('hex'));

function machine(net: VirtioNet, commandLine = `job=net stop=${STOP}`, options: MachineOptions = {}) {
  const pc = new Machine({ memory_mib: MEM, commandLine, ...options });
  pc.pci.add(net, { slot: 4 });
  return pc;
}

/** Sends all frames when the guest has told that it is there. */
function talker(options: VirtioNetOptions = {}): VirtioNet {
  const peer = (_frame: Uint8Array, self: VirtioNet) => {
    if (self.sent.length === 1) for (const frame of frames) self.receive(frame);
  };
  return new VirtioNet({ ...options, peer });
}

/** The other end of QEMU's socket: each frame has its length before it. */
async function talkInQemu(properties: string, append: string, talk = frames) {
  return talkTo(`virtio-net-pci,netdev=n,addr=4,romfile=${properties}`, { SMP: '1', APPEND: append }, talk);
}

async function talkTo(device: string, variables: Variables, talk = frames) {
  const QEMUEXTRA = `-netdev socket,id=n,fd=${FIRST_FD} -device ${device}`;
  const live = new LiveMachine({ DISK: 'none', MEM: `${MEM}M`, QEMUEXTRA, ...variables }, 1);
  const wire = live.sockets[0]!;
  const sent: Buffer[] = [];
  let bytes = Buffer.alloc(0);
  wire.on('data', (data: Buffer) => {
    bytes = Buffer.concat([bytes, data]);
    for (; bytes.length >= 4 && bytes.length >= 4 + bytes.readUInt32BE(); ) {
      const end = 4 + bytes.readUInt32BE();
      sent.push(bytes.subarray(4, end));
      bytes = bytes.subarray(end);
      if (sent.length > 1) continue;
      const lengths = talk.map((frame) => Buffer.from([0, 0, frame.length >> 8, frame.length & 0xff]));
      wire.write(Buffer.concat(talk.flatMap((frame, i) => [lengths[i]!, frame])));
    }
  });
  return { ...(await live.ended), sent };
}

const JUMBO = 'a jumbo frame';

describe('in QEMU and on the model', () => {
  test.each([
    { name: 'as it comes', properties: '', options: {} },
    { name: 'modern only', properties: ',disable-legacy=on', options: { legacy: false } },
    { name: 'legacy only', properties: ',disable-modern=on', options: { modern: false } },
    { name: 'a buffer a frame', properties: ',mrg_rxbuf=off', options: { mergeable: false }, lost: JUMBO },
    {
      name: 'legacy with a buffer a frame',
      properties: ',disable-modern=on,mrg_rxbuf=off,event_idx=off,indirect_desc=off',
      options: { modern: false, mergeable: false, eventIndex: false, indirect: false },
      lost: JUMBO,
    },
    { name: 'packed rings', properties: ',packed=on', options: { packed: true } },
    { name: 'by its pin', properties: ',vectors=0', options: { vectors: 0 } },
  ])('$name', async ({ properties, options, lost }) => {
    const qemu = await talkInQemu(properties, `job=net stop=${STOP}`);
    const net = talker(options);
    const model = machine(net).run(kernel);
    expect(hex(net.sent), model.serial).toEqual(hex(expected));
    expect(hex(qemu.sent), qemu.lines.join('\n')).toEqual(hex(expected));
    // What no buffer can hold is lost on the way.
    expect(countsOf(model.lines)).toEqual(dropped(TALKS.filter(({ name }) => name !== lost)));
    const common = (lines: string[]) =>
      normalised(lines).filter((line) => !/^(cmdline|irq): /.test(line) || /^irq: xAPIC/.test(line));
    expect(common(model.lines)).toEqual(common(qemu.lines));
    expect([model.status, qemu.status]).toEqual([0, 0]);
  });
});

describe('in QEMU', () => {
  const pci = 'virtio-net-pci,netdev=n,romfile=';
  const mmio = 'virtio-net-device,netdev=n -global virtio-mmio.force-legacy=';
  test.each<[string, string, Variables]>([
    ['four CPUs', pci, { SMP: '4' }],
    ['on another CPU than the job', pci, { SMP: '4', APPEND: `job=net stop=${STOP} cpu=3` }],
    ['q35, behind a root port', `pcie-root-port,id=p -device ${pci},bus=p`, { MACHINE: 'q35' }],
    [
      'an IOMMU’s addresses, a page for each doorbell',
      `${pci},iommu_platform=on,disable-legacy=on,page-per-vq=on`,
      {},
    ],
    ['one vector', `${pci},vectors=1`, {}],
    ['two vectors', `${pci},vectors=2`, {}],
    ['a long ring', `${pci},rx_queue_size=1024,tx_queue_size=1024`, {}],
    ['virtio-mmio', `${mmio}off`, { MACHINE: 'microvm' }],
    ['legacy virtio-mmio', `${mmio}on`, { MACHINE: 'microvm' }],
  ])('%s', async (_, device, variables) => {
    const { status, lines, sent } = await talkTo(device, { APPEND: `job=net stop=${STOP}`, ...variables });
    expect(status, lines.join('\n')).toBe(0);
    expect(hex(sent), lines.join('\n')).toEqual(hex(expected));
    expect(countsOf(lines)).toEqual(dropped());
  });
});

test('over QEMU’s user network, from a socket of the host', async () => {
  const net = '-netdev user,id=n,hostfwd=udp:127.0.0.1:0-:7 -device virtio-net-pci,netdev=n,romfile=';
  const live = new LiveMachine({ DISK: 'none', APPEND: `job=net stop=${STOP} seconds=20`, QEMUEXTRA: net });
  await live.line(/answers as 10\.0\.2\.15/);
  const table = (await live.command('human-monitor-command', { 'command-line': 'info usernet' })) as string;
  const port = Number(/UDP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)/.exec(table)![1]);
  const socket = createSocket('udp4');
  const answers: string[] = [];
  const texts = ['one', 'x'.repeat(1400), 'three', STOP];
  socket.on('message', (message) => {
    answers.push(message.toString());
    if (answers.length < texts.length) socket.send(texts[answers.length]!, port, '127.0.0.1');
  });
  socket.send(texts[0]!, port, '127.0.0.1');
  const { status, lines } = await live.ended;
  socket.close();
  expect(status, lines.join('\n')).toBe(0);
  expect(answers).toEqual(texts);
  expect(lines).toContain('net: stopped by a datagram');
});

test('a flood is answered, or counted as it is dropped', async () => {
  const flood = Array.from({ length: 3000 }, (_, i) => ping(Buffer.alloc(i % 1400, i)));
  const { status, lines, sent } = await talkInQemu('', `job=net stop=${STOP}`, [...flood, stop]);
  expect(status, lines.join('\n')).toBe(0);
  const noRoom = countsOf(lines).get('no room to send') ?? 0;
  expect(sent.length + noRoom).toBe(3002);
  expect(lines).toContain('net: answered 0 ARP requests, 3000 pings, 1 UDP datagrams');
});

test('the link goes down and comes up', () => {
  const peer = (_frame: Uint8Array, self: VirtioNet) => {
    const { clock } = self.transport;
    if (self.sent.length === 1) {
      self.setLink(false);
      clock.schedule(1_000_000, () => self.receive(stop)); // lost
      clock.schedule(2_000_000, () => self.setLink(true));
    } else self.receive(stop);
  };
  const net = new VirtioNet({ peer });
  const { lines } = machine(net).run(kernel);
  expect(hex(net.sent)).toEqual(hex([announcement, announcement, expected.at(-1)!]));
  const link = lines.filter((line) => /: link (up|down),/.test(line));
  expect(link).toEqual([
    'virtio-net 0000:00:04.0: link down, changes 1',
    'virtio-net 0000:00:04.0: link up, changes 2',
  ]);
});

test('a link that is down at the start', () => {
  const net = talker();
  net.linkUp = false;
  const pc = machine(net);
  pc.clock.schedule(2e9, () => net.setLink(true));
  const { lines } = pc.run(kernel);
  expect(hex(net.sent)).toEqual(hex(expected));
  expect(lines).toContain('virtio-net 0000:00:04.0: 52:54:00:12:34:56, modern, mergeable buffers, link down');
});

test('other addresses, another port, an end by time', () => {
  const [ip, mac] = [
    [192, 168, 7, 254],
    [2, 3, 4, 5, 6, 7],
  ];
  const question = udp(Buffer.from(STOP), { to: ip, toMac: mac, port: 5000 });
  const peer = (_frame: Uint8Array, self: VirtioNet) => self.sent.length === 1 && self.receive(question);
  const net = new VirtioNet({ mac, peer: peer as VirtioNetOptions['peer'] });
  const { lines, time_ns } = machine(net, 'job=net ip=192.168.7.254 port=5000 seconds=3').run(kernel);
  const back = { back: true, from: ip, fromMac: mac, sourcePort: 5000 };
  expect(hex(net.sent)).toEqual(
    hex([arp(EVERYBODY, mac, { senderIp: ip, targetIp: ip }), udp(Buffer.from(STOP), back)]),
  );
  expect(lines).toContain('net: its time is over');
  expect(time_ns).toBeGreaterThan(3e9);
});

test('on several CPUs', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const net = talker();
    const { end, serial } = machine(net, `job=net stop=${STOP}`, { cpus: 4, seed }).run(kernel);
    expect(end, serial).toBe('off');
    expect(hex(net.sent)).toEqual(hex(expected));
  }
});

test.each<VirtioNetOptions>([
  { queueSize: 4, indirect: false },
  { queueSize: 4, modern: false, eventIndex: false },
  { queueSize: 2, mergeable: false },
  { queueSize: 1024, vectors: 1 },
  { packed: true, queueSize: 5, legacy: false, indirect: false },
  { inOrder: true },
  { packed: true, inOrder: true, mergeable: false },
  { vectors: 2, pagePerQueue: true },
  { portDoorbell: true, accessPlatform: true, legacy: false },
])('with %o', (options) => {
  const small = frames.filter((frame) => frame.length <= 1515); // what a few buffers hold
  const peer = (_frame: Uint8Array, self: VirtioNet) => {
    // Slowly: a small ring has room for few answers.
    const later = (frame: Buffer, i: number) =>
      self.transport.clock.schedule(i * 500_000, () => self.receive(frame));
    if (self.sent.length === 1) small.forEach(later);
  };
  const net = new VirtioNet({ ...options, peer });
  const { end, serial } = machine(net).run(kernel);
  expect(end, serial).toBe('off');
  expect(hex(net.sent), serial).toEqual(hex(expected));
});

test.each(['10.0.2', '10.0.2.256', '10.0.2.15.1', '10..2.15', '127.0.0.1', '224.0.0.1', '0.0.0.0', 'x'])(
  'ip=%s',
  (ip) => {
    const { end, lines } = machine(new VirtioNet(), `job=net ip=${ip}`).run(kernel);
    expect(end).toBe('panic');
    expect(lines).toContain(`cmdline: ip=${ip} is no address of a host: give four numbers, as in 10.0.2.15`);
  },
);

/** Says something else of each frame than what is true, then is as it should be. */
class Liar extends VirtioNet {
  lies = 0;
  private readonly lie: (self: Liar, header: DataView) => void;

  constructor(lie: Liar['lie'], options: VirtioNetOptions = {}) {
    super({ ...options, peer: (frame, self) => talk(frame, self as Liar) });
    this.lie = lie;
  }

  override header(count: number): Uint8Array {
    const header = super.header(count);
    if (this.lies-- > 0) this.lie(this, new DataView(header.buffer));
    return header;
  }
}

function talk(_frame: Uint8Array, self: Liar): void {
  if (self.sent.length > 1) return;
  self.lies = 3;
  for (const frame of [ping([1]), ping([2]), ping([3]), ping([4]), stop]) self.receive(frame);
}

test.each<[string, (self: Liar, header: DataView) => void]>([
  ['with a checksum to be completed', (_, header) => header.setUint8(0, 1)],
  ['with a checksum that is said to be right', (_, header) => header.setUint8(0, 2)],
  ['with segments', (_, header) => header.setUint8(1, 1)],
  ['in no buffers', (_, header) => header.setUint16(10, 0, true)],
  ['in more buffers than there are', (_, header) => header.setUint16(10, 65535, true)],
])('frames %s are dropped', (_, lie) => {
  const net = new Liar(lie);
  const { end, lines } = machine(net).run(kernel);
  expect(end).toBe('off');
  expect(countsOf(lines)).toEqual(new Map([['bad virtio header', 3]]));
  expect(hex(net.sent)).toEqual(hex([announcement, ping([4], { back: true }), expected.at(-1)!]));
});

test('bad frames in a row: others get the CPU in between, and a line tells', () => {
  let bad = 100;
  class Flood extends VirtioNet {
    override header(count: number): Uint8Array {
      const header = super.header(count);
      header[0] = this.sent.length > 0 && bad-- > 0 ? 1 : 0;
      return header;
    }
  }
  const frames = [...Array.from({ length: bad }, () => ping([1])), ping([4]), stop];
  const net = new Flood({
    peer: (_frame, self) => {
      if (self.sent.length === 1) for (const frame of frames) self.receive(frame);
    },
  });
  const { end, lines } = machine(net).run(kernel);
  expect(end).toBe('off');
  expect(countsOf(lines)).toEqual(new Map([['bad virtio header', 100]]));
  expect(lines).toContain('virtio-net 0000:00:04.0: bad frames in a row: 32, times 1');
  expect(lines).toContain('virtio-net 0000:00:04.0: bad frames in a row: 32, times 3');
});

test('a frame that takes the next ones for its own', () => {
  const net = new Liar((self, header) => self.lies === 2 && header.setUint16(10, 3, true));
  const { end, lines } = machine(net).run(kernel);
  expect(end).toBe('off');
  // The first ping and what was taken for the rest of it are one frame, whose datagram is good.
  expect(countsOf(lines)).toEqual(new Map());
  expect(net.sent).toHaveLength(4);
});

test.each([
  [0, 'too short'],
  [11, 'too short'],
  [12, 'too short'],
  [25, 'too short'],
])('a frame of which %s bytes were written', (written, reason) => {
  class Short extends VirtioNet {
    override complete(...[queue, chain, bytes]: Parameters<VirtioNet['complete']>): void {
      super.complete(queue, chain, queue.index === 0 && bytes === 72 ? written : bytes);
    }
  }
  const net = new Short({
    peer: (_frame, self) => {
      if (self.sent.length === 1) for (const frame of [ping([1]), stop]) self.receive(frame);
    },
  });
  const { lines } = machine(net, 'job=net seconds=1').run(kernel);
  expect(countsOf(lines)).toEqual(new Map([[reason, 2]]));
});

test('a device that breaks a ring’s rules', () => {
  class Broken extends VirtioNet {
    override complete(...[queue, chain, bytes]: Parameters<VirtioNet['complete']>): void {
      super.complete(queue, chain, queue.index === 0 ? 100_000 : bytes);
    }
  }
  const net = new Broken({ peer: (_frame, self) => self.receive(ping([1])) });
  const { end, lines } = machine(net).run(kernel);
  expect(end).toBe('panic');
  expect(lines.join('\n')).toMatch(/^virtio-net 0000:00:04\.0: queue 0: more bytes than the chain has/m);
  expect(lines).toContain('panic: the network interface has failed');
});

test.each([
  ['no host’s', [0, 0, 0, 0, 0, 0]],
  ['a group’s', [1, 0, 0x5e, 0, 0, 1]],
])('an address that is %s', (_, mac) => {
  const { end, lines } = machine(new VirtioNet({ mac })).run(kernel);
  expect(end).toBe('panic');
  expect(lines).toContain("virtio-net 0000:00:04.0: has an address that is no single host's");
});
