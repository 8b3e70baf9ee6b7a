// The phases of the boot and their parts, with their times, and the table of them.

import { KINDS, type Recording } from './memory.ts';

export interface Phase {
  name: string;
  start_ms: number;
  end_ms: number;
  parts: Phase[];
}

/** What the firmware and the loader take. The processor counts its ticks from the reset on. */
const BEFORE = 'firmware and loader';
/** The phase with which the boot is over. */
const BOOTED = 'job';
const WIDTH = 32;

export function phasesOf({ phases, tsc_khz, name }: Recording, end_ticks: number): Phase[] {
  const ms = (ticks: number) => ticks / tsc_khz;
  const all: Phase[] = [];
  /** From the phase to the innermost of its parts that runs. */
  let open: Phase[] = [];
  const close = (to: number, ticks: number) => {
    for (const phase of open.splice(to)) phase.end_ms = ms(ticks);
  };
  const start = (label: string, ticks: number) => {
    const phase = { name: label, start_ms: ms(ticks), end_ms: ms(ticks), parts: [] };
    (open.at(-1)?.parts ?? all).push(phase);
    open.push(phase);
  };
  start(BEFORE, 0);
  for (const { kind, ticks, first } of phases) {
    if (kind === KINDS.phase) close(0, ticks);
    if (kind === KINDS.phase || kind === KINDS.part) start(name(first), ticks);
    if (kind === KINDS.partEnd && open.length > 1) close(open.length - 1, ticks);
  }
  close(0, Math.max(end_ticks, phases.at(-1)?.ticks ?? 0));
  open = [];
  return all;
}

/** Those before the job, the longest first, parts below what they are parts of. */
export function phaseTable(phases: readonly Phase[]): string[] {
  const [before, ...own] = phases.slice(0, positionOf(phases, BOOTED));
  if (before === undefined) return [];
  const total_ms = own.reduce((sum, phase) => sum + duration(phase), 0);
  const share = (phase: Phase) => `${((duration(phase) / total_ms) * 100).toFixed(1)} %`.padStart(9);
  const lines = [`boot: ${total_ms.toFixed(2)} ms in the kernel, the longest phase first`];
  const add = (list: readonly Phase[], indent: string) => {
    for (const phase of list.toSorted((a, b) => duration(b) - duration(a))) {
      lines.push(`${row(`${indent}${phase.name}`, duration(phase))}${share(phase)}`);
      add(phase.parts, `${indent}  `);
    }
  };
  add(own, '  ');
  lines.push(row(`  before: ${before.name}`, duration(before)));
  return lines;
}

function row(name: string, ms: number): string {
  return `${name.padEnd(WIDTH)} ${ms.toFixed(2).padStart(9)} ms`;
}

function duration({ start_ms, end_ms }: Phase): number {
  return end_ms - start_ms;
}

function positionOf(phases: readonly Phase[], name: string): number {
  const at = phases.findIndex((phase) => phase.name === name);
  return at < 0 ? phases.length : at;
}
