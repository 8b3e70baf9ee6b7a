// Requests that the device fails, with every format of the ring: a transfer is tried three times, by each way that the driver
// takes requests back; a flush is not, since a second one would hide what the first has lost.

import { beforeAll, expect, test } from 'vitest';
import {
  type BlkRequest,
  type Kernel,
  loadKernel,
  Machine,
  VirtioBlk,
  type VirtioBlkOptions,
} from '../../machine/index.ts';

let kernel: Kernel;
beforeAll(async () => {
  kernel = await loadKernel();
}, 60_000);

const NAME = 'virtio-blk 0000:00:04.0';
const BIT = (n: number) => 1n << BigInt(n);
const OK = 0;
const IOERR = 1;
const UNSUPP = 2;
const FLUSH = 4;

type Judge = (request: BlkRequest, number: number) => number;

/** Answers with what `judge` says of a request, of all the `number`th; one that fails is not carried out. */
class Failing extends VirtioBlk {
  private readonly judge: Judge;
  private count = 0;

  constructor(judge: Judge, options: VirtioBlkOptions) {
    super(new Uint8Array(512 * 512), { legacy: false, ...options });
    this.judge = judge;
  }

  override execute(request: BlkRequest): number {
    const status = this.judge(request, ++this.count);
    return status === OK ? super.execute(request) : status;
  }
}

function boot(commandLine: string, judge: Judge, options: VirtioBlkOptions = {}, seed?: number) {
  const machine = new Machine({ memory_mib: 32, cpus: 2, commandLine, seed });
  const device = new Failing(judge, options);
  machine.pci.add(device, { slot: 4 });
  const { end, lines } = machine.run(kernel);
  const failures = lines.filter((line) => line.startsWith(NAME) && / failed: /.test(line));
  return {
    end,
    log: lines.join('\n'),
    failures: failures.map((line) => line.slice(NAME.length + 2)),
    device,
  };
}

const rings: [string, VirtioBlkOptions][] = [
  ['tables', {}],
  ['no tables', { features: BIT(9) | BIT(29) | BIT(32) }],
  ['a small ring, no tables', { queueSize: 4, features: BIT(9) | BIT(32) }],
  ['a packed ring', { features: BIT(9) | BIT(28) | BIT(29) | BIT(32) | BIT(34) }],
  ['a packed ring in order', { features: BIT(9) | BIT(28) | BIT(29) | BIT(32) | BIT(34) | BIT(35) }],
  ['a split ring in order', { features: BIT(9) | BIT(28) | BIT(29) | BIT(32) | BIT(35) }],
  ['legacy', { legacy: true, modern: false }],
];

const jobs = [
  'job=read sector=7 count=300 repeat=40',
  'job=blkverify qd=24 size=1024',
  'job=trace requests=400 depth=8 writes=50',
  'job=blkbench count=300 qd=16 poll=1',
];

test.each(rings.flatMap(([name, options]) => jobs.map((job) => [name, job, options] as const)))(
  '%s: one request in five fails, and is done the second time: %s',
  (_, job, options) => {
    const { end, log, failures } = boot(
      job,
      ({ type }, n) => (n % 5 === 0 && type !== FLUSH ? IOERR : OK),
      options,
    );
    expect(end, log).toBe('off');
    expect(failures.length).toBeGreaterThan(20);
    for (const line of failures)
      expect(line).toMatch(
        /^(read|write) of sectors? \d+( to \d+)? failed: status 1 \(I\/O error\), tried again$/,
      );
  },
);

/** Found by trying seeds: requests that come later have taken the descriptors of the one that fails. */
test('the ring has no room for the second try at once', () => {
  const judge: Judge = (_, n) => (n % 5 === 0 ? IOERR : OK);
  const options = { queueSize: 16, features: BIT(9) | BIT(32) };
  const { end, log, failures } = boot('job=blkbench count=300 qd=16', judge, options, 37);
  expect(end, log).toBe('off');
  expect(failures.filter((line) => !line.endsWith('(I/O error), tried again'))).toEqual([]);
});

test('what fails three times fails', () => {
  const { end, log, failures, device } = boot('sector=3', () => IOERR);
  expect(end, log).toBe('panic');
  const failure = 'read of sector 3 failed: status 1 (I/O error)';
  expect(failures).toEqual([`${failure}, tried again`, `${failure}, tried again`, failure]);
  expect(device.requests.map(({ sector }) => sector)).toEqual([3n, 3n, 3n]);
});

test('what fails twice does not, and there are three tries again', () => {
  const { end, log, failures } = boot('sector=3', (_, n) => (n % 3 === 0 ? OK : IOERR));
  expect(end, log).toBe('off');
  expect(failures.length).toBe(4);
});

test('what the device cannot do is not asked for again', () => {
  const { end, failures } = boot('sector=3', () => UNSUPP);
  expect(end).toBe('panic');
  expect(failures).toEqual(['read of sector 3 failed: status 2 (not supported)']);
});

test('records of which the last are not safe are no job well done', () => {
  const failing = (from: number, to: number): Judge => {
    let flushes = 0;
    return ({ type }) => (type === FLUSH && ++flushes >= from && flushes <= to ? IOERR : OK);
  };
  const job = 'job=records count=30';
  expect(boot(job, failing(1, 2)).end).toBe('off'); // later ones are
  const { end, log } = boot(job, failing(1, 1000));
  expect(end).toBe('panic');
  expect(log).toMatch(/^panic: the last records are not safe$/m);
});

test('a flush is not repeated: what it has lost, the next one would not tell', () => {
  let flushes = 0;
  const { end, log, failures } = boot('job=blkverify', ({ type }) =>
    type === FLUSH && flushes++ === 0 ? IOERR : OK,
  );
  expect(end).toBe('panic');
  expect(failures).toEqual(['flush failed: status 1 (I/O error)']);
  expect(log).toMatch(/^panic: the disk failed under load$/m);
  expect(flushes).toBeLessThanOrEqual(2); // one for each CPU
});
