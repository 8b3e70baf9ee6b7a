// Reads what kernel/lib/trace.ts has recorded from the machine's memory. The kernel may have come to any end, so nothing that
// stands there is believed: every address and count is checked, and what makes no sense is left out.

/** Physical memory, which linear memory is. */
export interface Memory {
  /** Fewer bytes at the end. */
  read(address: number, bytes: number): Uint8Array;
}

/** Numbers as kernel/lib/trace.ts has them. */
export const KINDS = {
  phase: 1,
  part: 2,
  partEnd: 3,
  interrupt: 4,
  interruptEnd: 5,
  switch: 6,
  ready: 7,
  submit: 8,
  complete: 9,
  tasklet: 10,
  taskletEnd: 11,
} as const;

export interface TraceEvent {
  kind: number;
  ticks: number;
  first: number;
  second: number;
}

export interface CpuTrace {
  cpu: number;
  /** The last ones, in their order. */
  events: TraceEvent[];
  /** How many came before them. */
  lost: number;
}

export interface Recording {
  /** Ticks in a millisecond; 0: the kernel has not measured them. */
  tsc_khz: number;
  phases: TraceEvent[];
  lostPhases: number;
  /** Of those that have a ring: none, when tracing was off. */
  cpus: CpuTrace[];
  /** The string at an address. */
  name(address: number): string;
}

// docs/abi.md §8: static data lies at the beginning of linear memory's own.
const STATIC_START = 0x80_0000;
const STATIC_BYTES = 0x20_0000;
const MAGIC = Buffer.from('ystrace2');
const HEAD_ALIGN = 64;
const HEAD_RINGS = 64;
const RING_STRIDE = 64;
const CPUS = 16;
const HEAD_EVENTS = HEAD_RINGS + RING_STRIDE * CPUS;
const PHASE_EVENTS = 96;
const EVENT_BYTES = 16;
const EVENTS_MAX = 1 << 20;
const KIND_SHIFT = 56n;
const NAME_BYTES_MAX = 160;

/** Undefined: no kernel has begun to record. */
export function readRecording(memory: Memory): Recording | undefined {
  const head = findHead(memory);
  if (head === undefined) return undefined;
  const view = viewOf(memory.read(head, HEAD_EVENTS));
  const phases = view.getUint32(12, true);
  const cpus: CpuTrace[] = [];
  for (let cpu = 0; cpu < CPUS; cpu++) {
    const at = HEAD_RINGS + cpu * RING_STRIDE;
    const address = view.getUint32(at + 12, true);
    const [count, capacity] = [Number(view.getBigUint64(at, true)), view.getUint32(at + 8, true)];
    const trace = address === 0 ? undefined : readRing(memory, cpu, address, count, capacity);
    if (trace) cpus.push(trace);
  }
  return {
    tsc_khz: view.getUint32(8, true),
    phases: readEvents(memory, head + HEAD_EVENTS, Math.min(phases, PHASE_EVENTS)),
    lostPhases: Math.max(0, phases - PHASE_EVENTS),
    cpus,
    name: namesIn(memory),
  };
}

function findHead(memory: Memory): number | undefined {
  const bytes = Buffer.from(memory.read(STATIC_START, STATIC_BYTES));
  for (let at = bytes.indexOf(MAGIC); at >= 0; at = bytes.indexOf(MAGIC, at + 1))
    if (at % HEAD_ALIGN === 0 && at + HEAD_EVENTS <= bytes.length) return STATIC_START + at;
  return undefined;
}

function readRing(
  memory: Memory,
  cpu: number,
  address: number,
  count: number,
  capacity: number,
): CpuTrace | undefined {
  if (capacity === 0 || capacity > EVENTS_MAX || (capacity & (capacity - 1)) !== 0) return undefined;
  const events = readEvents(memory, address, Math.min(count, capacity));
  const oldest = count > capacity ? count % capacity : 0;
  return {
    cpu,
    events: [...events.slice(oldest), ...events.slice(0, oldest)],
    lost: Math.max(0, count - capacity),
  };
}

function readEvents(memory: Memory, address: number, count: number): TraceEvent[] {
  const view = viewOf(memory.read(address, count * EVENT_BYTES));
  const there = Math.floor(view.byteLength / EVENT_BYTES);
  return Array.from({ length: there }, (_, i) => {
    const word = view.getBigUint64(i * EVENT_BYTES, true);
    return {
      kind: Number(word >> KIND_SHIFT),
      ticks: Number(BigInt.asUintN(Number(KIND_SHIFT), word)),
      first: view.getUint32(i * EVENT_BYTES + 8, true),
      second: view.getUint32(i * EVENT_BYTES + 12, true),
    };
  });
}

/** AssemblyScript's strings: UTF-16, and before it the number of its bytes. */
function namesIn(memory: Memory): (address: number) => string {
  const known = new Map<number, string>();
  const read = (address: number) => {
    if (address < STATIC_START) return '?';
    const bytes = viewOf(memory.read(address - 4, 4).slice());
    const length = bytes.byteLength === 4 ? Math.min(bytes.getUint32(0, true), NAME_BYTES_MAX) : 0;
    const text = Buffer.from(memory.read(address, length & ~1)).toString('utf16le');
    return /^[\x20-\x7e]+$/.test(text) ? text : '?';
  };
  return (address) => {
    const name = known.get(address) ?? read(address);
    known.set(address, name);
    return name;
  };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
