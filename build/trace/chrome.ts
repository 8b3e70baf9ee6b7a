// A recording as Chrome's trace events (Google, "Trace Event Format"), which Perfetto and chrome://tracing show: a track for
// the boot's phases, one for each CPU with its threads and, in them, interrupts and tasklets; requests as asynchronous spans; an arrow
// from where a thread was woken to where it runs.

import { type CpuTrace, KINDS, type Recording, type TraceEvent } from './memory.ts';
import { type Phase, phasesOf } from './phases.ts';

/** Times in microseconds. */
export interface ChromeEvent {
  name: string;
  /** Metadata, complete, instant, start and end of an asynchronous span, start and end of a flow. */
  ph: 'M' | 'X' | 'i' | 'b' | 'e' | 's' | 'f';
  pid: number;
  tid: number;
  ts?: number;
  dur?: number;
  cat?: string;
  id?: number;
  /** Of an instant: on its thread. */
  s?: 't';
  /** Of a flow's end: it is bound to the slice around it. */
  bp?: 'e';
  args?: Record<string, unknown>;
}

const PID = 1;
const BOOT_TID = 100;

export interface ChromeTrace {
  events: ChromeEvent[];
  phases: Phase[];
  /** From the first event to the last. */
  span_ms: number;
  /** Requests without an answer, and answers whose requests were lost. */
  unanswered: number;
  unasked: number;
}

/** An event with its CPU. */
type Placed = TraceEvent & { cpu: number };

export function chromeTrace(recording: Recording): ChromeTrace {
  const { tsc_khz, cpus, name } = recording;
  // By time; those of a CPU keep their order.
  const all: Placed[] = cpus.flatMap(({ cpu, events }) => events.map((event) => ({ ...event, cpu })));
  all.sort((a, b) => a.ticks - b.ticks);
  const end_ticks = Math.max(0, ...[all, recording.phases].map((events) => events.at(-1)?.ticks ?? 0));
  const us = (ticks: number) => Number(((ticks * 1000) / tsc_khz).toFixed(3));
  const phases = phasesOf(recording, end_ticks);
  const requests = requestEvents(all, us, name);
  const events = [
    ...metadata(cpus),
    ...phases.flatMap(phaseEvents),
    ...cpus.flatMap((trace) => sliceEvents(trace, end_ticks, us, name)),
    ...wakeEvents(all, us, name),
    ...requests.events,
  ];
  const { unanswered, unasked } = requests;
  return {
    events,
    phases,
    span_ms: (end_ticks - (all[0]?.ticks ?? end_ticks)) / tsc_khz,
    unanswered,
    unasked,
  };
}

function metadata(cpus: readonly CpuTrace[]): ChromeEvent[] {
  const named = (tid: number, name: string): ChromeEvent[] => [
    { ph: 'M', name: 'thread_name', pid: PID, tid, args: { name } },
    { ph: 'M', name: 'thread_sort_index', pid: PID, tid, args: { sort_index: tid === BOOT_TID ? -1 : tid } },
  ];
  return [
    { ph: 'M', name: 'process_name', pid: PID, tid: 0, args: { name: 'yaos' } },
    ...named(BOOT_TID, 'boot'),
    ...cpus.flatMap(({ cpu }) => named(cpu, `CPU ${cpu}`)),
  ];
}

function phaseEvents(phase: Phase): ChromeEvent[] {
  const { name, start_ms, end_ms, parts } = phase;
  const [start, end] = [start_ms, end_ms].map((ms) => Number((ms * 1000).toFixed(3)));
  return [slice('boot', name, BOOT_TID, start, end), ...parts.flatMap(phaseEvents)];
}

function slice(cat: string, name: string, tid: number, start: number, end: number): ChromeEvent {
  return { ph: 'X', cat, name, pid: PID, tid, ts: start, dur: Number((end - start).toFixed(3)) };
}

/** What a CPU does: its threads, tasklets in them, and interrupts in both. */
function sliceEvents(
  { cpu, events }: CpuTrace,
  end_ticks: number,
  us: (ticks: number) => number,
  name: (address: number) => string,
): ChromeEvent[] {
  const slices: ChromeEvent[] = [];
  const open: Partial<Record<'thread' | 'tasklet' | 'interrupt', TraceEvent>> = {};
  const end = (cat: keyof typeof open, ticks: number, nameOf: (start: TraceEvent) => string) => {
    const start = open[cat];
    if (start) slices.push(slice(cat, nameOf(start), cpu, us(start.ticks), us(ticks)));
    delete open[cat];
  };
  const endInterrupt = (ticks: number) =>
    end('interrupt', ticks, ({ first, second }) => `${name(second)} (vector 0x${first.toString(16)})`);
  const endTasklet = (ticks: number) => end('tasklet', ticks, () => 'tasklet');
  const endThread = (ticks: number) => end('thread', ticks, ({ second }) => name(second));
  for (const event of events) {
    const { kind, ticks } = event;
    if (kind === KINDS.interrupt) open.interrupt = event;
    if (kind === KINDS.interruptEnd) endInterrupt(ticks);
    if (kind === KINDS.tasklet) open.tasklet = event;
    if (kind === KINDS.taskletEnd) endTasklet(ticks);
    if (kind === KINDS.switch) {
      endThread(ticks);
      open.thread = event;
    }
  }
  for (const close of [endInterrupt, endTasklet, endThread]) close(end_ticks); // it stopped in there
  return slices;
}

/** A thread that gave up its CPU by itself is ready too: that is no wake-up. */
function wakeEvents(
  all: readonly Placed[],
  us: (ticks: number) => number,
  name: (address: number) => string,
): ChromeEvent[] {
  const events: ChromeEvent[] = [];
  /** By CPU, the stack of the thread that runs. */
  const running = new Map<number, number>();
  /** By stack, the arrow to the thread that will run. */
  const woken = new Map<number, number>();
  let arrows = 0;
  for (const { kind, ticks, cpu, first, second } of all) {
    const at = { cat: 'wake', pid: PID, tid: cpu, ts: us(ticks) };
    if (kind === KINDS.ready && running.get(cpu) !== first) {
      const id = ++arrows;
      woken.set(first, id);
      events.push({ ...at, ph: 'i', s: 't', name: `wake ${name(second)}` });
      events.push({ ...at, ph: 's', name: 'wake', id });
    }
    if (kind !== KINDS.switch) continue;
    running.set(cpu, first);
    const id = woken.get(first);
    if (id !== undefined) events.push({ ...at, ph: 'f', bp: 'e', name: 'wake', id });
    woken.delete(first);
  }
  return events;
}

function requestEvents(
  all: readonly Placed[],
  us: (ticks: number) => number,
  name: (address: number) => string,
): { events: ChromeEvent[]; unanswered: number; unasked: number } {
  const events: ChromeEvent[] = [];
  /** By queue and token. */
  const pending = new Map<string, ChromeEvent>();
  let count = 0;
  let unasked = 0;
  for (const { kind, ticks, cpu, first, second } of all) {
    if (kind !== KINDS.submit && kind !== KINDS.complete) continue;
    const key = `${first} ${second}`;
    const asked = pending.get(key);
    if (kind === KINDS.submit) {
      const label = `${name(first)} queue ${second >>> 16}`;
      const at = { cat: 'request', pid: PID, tid: cpu, ts: us(ticks) };
      const event: ChromeEvent = {
        ...at,
        ph: 'b',
        name: label,
        id: ++count,
        args: { token: second & 0xffff },
      };
      pending.set(key, event);
      events.push(event);
    } else if (asked) {
      events.push({ ...asked, ph: 'e', tid: cpu, ts: us(ticks) });
      pending.delete(key);
    } else unasked++;
  }
  return { events, unanswered: pending.size, unasked };
}
