// One run of the driver fuzzer and its judges, none of which trusts what the kernel says of itself: what the device was
// given and did, what memory holds, what the disk holds, how the run ended.

import {
  type Chain,
  intercept,
  type Kernel,
  type Machine,
  makeHostile,
  PackedRing,
  type Result,
  type Ring,
  type Segment,
  type VirtioBlk,
} from '../../../machine/index.ts';
import { replay } from '../trace.ts';
import { EXPECTATIONS, type Expectation, RING } from './expectations.ts';
import { build, CONTENT, type Scenario } from './scenario.ts';

export interface Outcome {
  /** Undefined: all is as it should be. */
  failure: string | undefined;
  result: Result;
  /** Names of the malices that have struck. */
  struck: string[];
}

const MIB = 2 ** 20;
/** kernel/mm/layout.ts: frames begin at 10 MiB, and drivers make do with 2 MiB of them. */
const FRAMES_START = 10 * MIB;
const FRAMES_END = 12 * MIB;
/** Behind the model's own part of the kernel's image, before the kernel's static data. */
const HOLE = [2 * MIB, 8 * MIB] as const;
/** What the device may put into a buffer before it does its work. */
const GARBAGE = 0xee;

/** How the kernel ends on its own account. Assertions and processor faults are none of these. */
const PANICS = [
  /^no usable disk: its lines above say why/,
  /^the disk cannot be read$/,
  /^unknown job$/,
  /^the trace came to an end$/,
  /^the disk is too small for the trace$/,
  /^too little RAM$/,
  /^out of memory$/,
  /^the boot loader gives no memory map$/,
  /^the local APIC cannot be reached$/,
  /^the time-stamp counter stands still$/,
  /^no (source of random bytes|network interface|terminal|memory balloon): attach one with/,
  /^no random bytes$/,
  /^the (network interface|memory balloon) has failed$/,
  /^the network interface has no address$/,
];

/** What happened between driver and device. */
class Witness {
  readonly complaints: string[] = [];

  constructor(disk: VirtioBlk) {
    intercept(disk, 'makeRing', (make) => (queue) => {
      const ring = make(queue);
      this.watch(ring, disk);
      return ring;
    });
  }

  /** Before a chain is served, its buffers hold garbage: what is there afterwards, the request has brought. */
  private watch(ring: Ring, disk: VirtioBlk): void {
    intercept(ring, 'next', (next) => () => {
      const chain = next();
      if (chain === undefined) return undefined;
      const complaint = judgeChain(chain, ring);
      if (complaint) this.complaints.push(complaint);
      else for (const { address, bytes } of data(chain)) disk.transport.dma.fill(address, bytes, GARBAGE);
      return chain;
    });
  }
}

/** What the device writes but for the status byte. */
function data(chain: Chain): Segment[] {
  return chain.writable.slice(0, -1);
}

function judgeChain(chain: Chain, ring: Ring): string | undefined {
  const { descriptors, driver, device } = ring.addresses;
  const packed = ring instanceof PackedRing;
  const ringParts = [
    { address: descriptors, bytes: ring.size * 16 },
    { address: driver, bytes: packed ? 4 : ring.size * 2 + 6 },
    { address: device, bytes: packed ? 4 : ring.size * 8 + 6 },
  ];
  const segments = [...chain.readable, ...chain.writable];
  for (const segment of segments) {
    const { address, bytes } = segment;
    if (address < FRAMES_START || address + bytes > FRAMES_END)
      return `a buffer of ${bytes} bytes at 0x${address.toString(16)}, which is no memory for devices`;
    if (ringParts.some((part) => overlap(part, segment))) return 'a buffer in the ring itself';
  }
  for (const [i, a] of segments.entries())
    if (segments.some((b, j) => j > i && overlap(a, b))) return 'buffers of one request that overlap';
  if (chain.writable.at(-1)?.bytes !== 1) return 'a request without a status byte of its own';
  return undefined;
}

function overlap(a: Segment, b: Segment): boolean {
  return a.address < b.address + b.bytes && b.address < a.address + a.bytes;
}

let last: Machine | undefined;

export function run(scenario: Scenario, kernel: Kernel): Outcome {
  // A report is made in low memory, so what it was like before counts.
  let lowAtTrap: Buffer | undefined;
  const low = () => Buffer.from(pc.ram.bytes.subarray(0, MIB));
  const { pc, disk } = build(scenario, last, {
    trap: () => {
      lowAtTrap = low();
    },
  });
  last = pc;
  const attacks = scenario.malices.map(({ name, seed }) => ({
    name,
    expected: EXPECTATIONS[name],
    attack: makeHostile(pc, disk, name, seed),
  }));
  const witness = new Witness(disk);
  intercept(pc, 'startFirmware', (start) => () => {
    const info = start();
    FIRMWARE.set(pc.ram.bytes.subarray(0, MIB));
    return info;
  });
  const result = pc.run(kernel);
  const struck = attacks.filter(({ attack }) => attack.acts > 0);
  const expected = struck.map((one) => one.expected);
  const lost = expected.some(({ breaks, breaksPacked }) => breaks || (breaksPacked && scenario.disk.packed));
  const failure =
    judgeEnd(result) ??
    (lost ? undefined : witness.complaints[0]) ??
    (disk.broken && !lost ? 'the device has stopped: the driver broke a rule' : undefined) ??
    judgeMemory(pc, lowAtTrap ?? low(), scenario, expected) ??
    judgeData(result, disk, scenario, expected) ??
    judgeLog(result, expected, expected.some(({ renames }) => renames) ? '' : disk.transport.name);
  return { failure, result, struck: struck.map(({ name }) => name) };
}

/** The machine was switched off, or the kernel has given up for a reason of its own. */
export function judgeEnd({ end, lines, error }: Result): string | undefined {
  if (end === 'error') return `no end: ${error?.stack ?? error}`;
  if (end !== 'panic') return lines.at(-1) === 'yaos: done' ? undefined : `ended by ${end} without a word`;
  const reason = lines.find((line) => line.startsWith('panic: '))?.slice('panic: '.length);
  if (reason === undefined) return 'a panic without a word';
  return PANICS.some((pattern) => pattern.test(reason))
    ? undefined
    : `not the kernel's own reason: ${reason}`;
}

const ZEROS = Buffer.alloc(MIB);
/** Memory below 1 MiB when the kernel is entered. */
const FIRMWARE = Buffer.alloc(MIB);

/** Neither kernel nor device has written where they have no business. */
function judgeMemory(
  { ram }: Machine,
  low: Buffer,
  { seed }: Scenario,
  expected: Expectation[],
): string | undefined {
  // Where a device writes whose registers, or messages, are not where they seem to be, is no driver's doing.
  const misled = expected.some(({ breaks }) => breaks);
  if (!misled && Buffer.compare(low, FIRMWARE) !== 0) return 'low memory has changed';
  // The large hole takes a tenth of a run to look at.
  const [start, end] = seed % 8 === 0 ? HOLE : [0, 0];
  for (let at = start; at < end; at += MIB)
    if (Buffer.compare(ram.bytes.subarray(at, at + MIB), ZEROS) !== 0)
      return `memory at ${at / MIB} MiB has changed`;
  const top = expected.some(({ several }) => several) ? 0 : FRAMES_END + 3 * MIB;
  for (let at = FRAMES_END; at < top; at += MIB)
    if (Buffer.compare(ram.bytes.subarray(at, at + MIB), ZEROS) !== 0)
      return `memory at ${at / MIB} MiB has changed`;
  return undefined;
}

/** Each dump in the log is what the disk holds, and there are two if all went well. */
function judgeData(
  { lines, end }: Result,
  { disk }: VirtioBlk,
  { job }: Scenario,
  expected: Expectation[],
): string | undefined {
  if (expected.some(({ lies }) => lies)) return undefined;
  const all = dumps(lines);
  const otherJob = expected.some((one) => one.otherJob);
  if ('requests' in job) {
    if (end === 'panic' || otherJob) return undefined;
    // The job goes by the blocks that the device tells; if it told wrongly, it has refused the requests.
    const blockBytes = Number(/, block size (\d+)/.exec(lines.join())?.[1] ?? 512);
    const { checksum, disk: content } = replay(CONTENT, job, blockBytes / 512);
    if (!lines.includes(`trace: CRC-32 of all that was read: 0x${checksum.toString(16).padStart(8, '0')}`))
      return 'what was read is not what the disk holds';
    return content.equals(disk.read(0, disk.bytes)) ? undefined : 'the disk does not hold what was written';
  }
  const { sector, count } = job;
  if (end !== 'panic' && all.length !== 2 && !otherJob) return `${all.length} dumps`;
  const asked = CONTENT.subarray(sector * 512, (sector + count) * 512);
  const content = Buffer.from(otherJob ? CONTENT : asked).toString('hex');
  // A panic may come within the last one.
  const wrong = all.findIndex((dump, i) =>
    otherJob || (end === 'panic' && i === all.length - 1) ? !content.includes(dump) : dump !== content,
  );
  return wrong < 0 ? undefined : `read ${wrong} is said to be done and has not brought the disk's data`;
}

/** In hexadecimal. */
function dumps(lines: string[]): string[] {
  const all: string[] = [];
  for (const line of lines) {
    if (line.startsWith('addr:')) all.push('');
    if (line.startsWith('~')) all.push(`${all.pop()}${line.slice(12, 60).replaceAll(' ', '')}`);
  }
  return all;
}

function judgeLog({ end, lines }: Result, expected: Expectation[], name: string): string | undefined {
  const good = end !== 'panic';
  const [only] = expected.length === 1 ? expected : [];
  const about =
    lines.find((line) => line.includes(`${name}: `) && line.includes(' sectors of 512 bytes')) ?? '';
  const inOrder = / modern,.* IN_ORDER/.test(about);
  const says = (pattern: RegExp, anywhere = false) =>
    lines.some((line) => pattern.test(line) && (anywhere || line.includes(name)));
  const named = expected.some(
    (one) => (one.says && says(one.says, one.anywhere)) || (one.ring && inOrder && says(RING)),
  );
  if (!good && only?.outcome === 'good') return 'it could have been borne';
  if (!good) return named ? undefined : `the log does not say what was wrong`;
  // Of several, one may undo the other.
  if (only?.outcome !== 'bad') return undefined;
  const excused =
    (only.modern && / legacy,/.test(about)) ||
    (only.split && / modern,.* RING_PACKED/.test(about)) ||
    (only.singly && inOrder) ||
    // It has told what was wrong, and has tried again.
    (named && lines.some((line) => /^cmdline: .* attempts=[2-9]/.test(line)));
  return excused ? undefined : `all is said to be well; where is ${only.says}?`;
}
