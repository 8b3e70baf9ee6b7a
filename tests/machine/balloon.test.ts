// virtio-balloon: the host takes memory and gives it back, and asks for statistics. In QEMU by QMP, and on the machine in
// Node, where the host looks whether its pages stay as they are.

import { describe, expect, test } from 'vitest';
import {
  loadKernel,
  Machine,
  type MachineOptions,
  VirtioBalloon,
  type VirtioBalloonOptions,
} from '../../machine/index.ts';
import { LiveMachine } from '../qemu/live.ts';

const kernel = await loadKernel();
const MEM = 128;
const MIB = 2 ** 20;
const PAGE = 4096;
const WAITS = /^balloon: waits for the host$/;
/** By their tags (virtio 1.2 §5.5.6.3). */
const [FREE, TOTAL, AVAILABLE] = [4, 5, 6];

function machine(balloon: VirtioBalloon, commandLine: string, options: MachineOptions = {}): Machine {
  const pc = new Machine({ memory_mib: 64, commandLine, ...options });
  pc.pci.add(balloon, { slot: 4 });
  return pc;
}

/** Wants so many pages, one after the other as it gets them; 50 ms after the start at first. */
function run(
  wishes: number[],
  options: VirtioBalloonOptions = {},
  settings: MachineOptions = {},
  words = '',
) {
  const left = [...wishes];
  const seen: number[] = [];
  const changed = (pages: number, self: VirtioBalloon) => {
    seen.push(pages);
    if (pages !== self.target) return;
    const next = left.shift();
    if (next !== undefined) self.transport.clock.schedule(1_000_000, () => self.want(next));
  };
  const balloon = new VirtioBalloon({ ...options, changed });
  const pc = machine(balloon, `job=balloon changes=${wishes.length + 1} ${words}`, settings);
  pc.clock.schedule(50_000_000, () => balloon.want(left.shift()!));
  return { ...pc.run(kernel), balloon, seen };
}

interface Line {
  has: number;
  wants: number;
  free: number;
}

function linesOf(lines: string[]): Line[] {
  return lines.flatMap((line) => {
    const found = /: the host has (\d+) pages of (\d+) that it wants, free are (\d+)$/.exec(line);
    return found ? [{ has: Number(found[1]), wants: Number(found[2]), free: Number(found[3]) }] : [];
  });
}

describe('in QEMU, by QMP', () => {
  test.each(['', ',disable-legacy=on', ',disable-modern=on', ',packed=on', ',event_idx=off'])(
    'virtio-balloon-pci%s',
    async (properties) => {
      const QEMUEXTRA = `-device virtio-balloon-pci,id=b,addr=4${properties}`;
      const APPEND = 'job=balloon changes=2 seconds=20';
      const live = new LiveMachine({ DISK: 'none', MEM: `${MEM}M`, APPEND, QEMUEXTRA });
      await live.line(WAITS);
      const statistics = async () => {
        const path = '/machine/peripheral/b';
        const answer = await live.command('qom-get', { path, property: 'guest-stats' });
        return (answer as { stats: Record<string, number> }).stats;
      };
      const actual = async () => ((await live.command('query-balloon')) as { actual: number }).actual;

      await live.command('balloon', { value: 100 * MIB });
      const smaller = await live.line(/the host has 7168 pages of 7168 that it wants/);
      expect(await actual()).toBe(100 * MIB);

      // QEMU has statistics of the start already; it asks for others at once, and then each second.
      const interval = { path: '/machine/peripheral/b', property: 'guest-stats-polling-interval', value: 1 };
      await live.command('qom-set', interval);
      const free = Number(/free are (\d+)$/.exec(smaller)![1]) * PAGE;
      let stats = await statistics();
      while (stats['stat-free-memory'] !== free) stats = await statistics();
      expect(stats['stat-available-memory']).toBe(stats['stat-free-memory']);
      expect(stats['stat-total-memory']).toBeGreaterThan(stats['stat-free-memory']! + 28 * MIB);
      expect(stats['stat-total-memory']).toBeLessThan(MEM * MIB);

      await live.command('balloon', { value: MEM * MIB });
      const { status, lines } = await live.ended;
      expect(status, lines.join('\n')).toBe(0);
      expect(lines).toContain('balloon: 2 changes, the host has 0 pages');
      const [less, more] = linesOf(lines);
      expect(more!.free - less!.free).toBe(7168 + 8); // and those of the list of them
    },
  );
});

describe('on the model', () => {
  test.each<VirtioBalloonOptions>([
    {},
    { legacy: false },
    { modern: false },
    { packed: true, legacy: false },
    { vectors: 4 },
    { vectors: 1, statistics: false },
    { inOrder: true, indirect: false },
    { queueSize: 1, eventIndex: false },
  ])('%o', (options) => {
    const wishes = [1, 2000, 2001, 1000, 5000, 0, 300, 0];
    const { end, lines, serial, balloon, seen } = run(wishes, options);
    expect(end, serial).toBe('off');
    expect(balloon.complaints).toEqual([]);
    expect(balloon.broken).toBe(false);
    expect(linesOf(lines).map(({ has }) => has)).toEqual(wishes);
    for (const pages of wishes) expect(seen).toContain(pages);
    expect(balloon.pages.size).toBe(0);
    const free = linesOf(lines);
    expect(free.at(-1)!.free).toBe(free[5]!.free); // all came back
  });
});

test('statistics when the host asks', () => {
  const all: Map<number, bigint>[] = [];
  const balloon = new VirtioBalloon();
  const pc = machine(balloon, 'job=balloon changes=2');
  const ask = () => balloon.askStatistics((statistics) => all.push(statistics));
  for (const [at_ns, event] of [
    [50_000_000, ask],
    [60_000_000, () => balloon.want(1000)],
    [200_000_000, ask],
    [201_000_000, ask],
    [300_000_000, () => balloon.want(0)],
  ] as const)
    pc.clock.schedule(at_ns, event);
  const { lines } = pc.run(kernel);
  const [, settled] = linesOf(lines);
  const free = all.map((statistics) => Number(statistics.get(FREE)) / PAGE);
  expect(free, lines.join('\n')).toEqual([settled!.free, settled!.free - 1001, settled!.free - 1001]);
  for (const statistics of all) {
    expect([...statistics.keys()]).toEqual([FREE, TOTAL, AVAILABLE]);
    expect(statistics.get(AVAILABLE)).toBe(statistics.get(FREE));
    expect(statistics.get(TOTAL)).toBe(all[0]!.get(TOTAL));
  }
});

test('a host that wants more than there is', () => {
  const { lines, balloon, end } = run([0xffff_ffff], {}, {}, 'seconds=5');
  expect(end).toBe('off');
  const [line] = linesOf(lines);
  expect(line!.wants).toBe(0xffff_ffff);
  expect(line!.has).toBe(balloon.pages.size);
  expect(line!.free * PAGE).toBeGreaterThan(3 * MIB);
  expect(line!.free * PAGE).toBeLessThanOrEqual(4 * MIB);
  expect((line!.has + line!.free) * PAGE).toBeGreaterThan(48 * MIB);
});

test('a host that wants something else all the time', () => {
  class Fickle extends VirtioBalloon {
    override readConfig(): Uint8Array<ArrayBuffer> {
      this.target = (this.target * 1103515245 + 12345) & 0x3fff;
      return super.readConfig();
    }
  }
  const balloon = new Fickle();
  balloon.target = 1;
  const pc = machine(balloon, 'job=balloon changes=10 seconds=5');
  for (let i = 1; i <= 9; i++) pc.clock.schedule(i * 300_000_000, () => balloon.notifyConfig());
  const { end, serial } = pc.run(kernel);
  expect(end, serial).toBe('off');
  expect(balloon.complaints).toEqual([]);
});

test.each([
  ['silent', /^virtio-balloon 0000:00:04\.0: does not answer to inflate in 5000 ms$/],
  ['wrong', /^virtio-balloon 0000:00:04\.0: queue 0: more bytes than the chain has/],
] as const)('a device that is %s', (fault, message) => {
  class Faulty extends VirtioBalloon {
    override finish(...[queue, chain]: Parameters<VirtioBalloon['finish']>): void {
      if (fault === 'wrong' && queue.index === 0) this.complete(queue, chain, 1);
    }
  }
  const balloon = new Faulty();
  balloon.target = 10;
  const { end, lines } = machine(balloon, 'job=balloon').run(kernel);
  expect(end).toBe('panic');
  expect(
    lines.filter((line) => message.test(line)),
    lines.join('\n'),
  ).toHaveLength(1);
  expect(lines).toContain('panic: the memory balloon has failed');
});

test('no device', () => {
  const { lines } = new Machine({ commandLine: 'job=balloon' }).run(kernel);
  expect(lines).toContain('panic: no memory balloon: attach one with -device virtio-balloon-pci');
});
