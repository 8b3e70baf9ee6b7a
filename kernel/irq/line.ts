// Level-triggered interrupt lines, which devices share: at an interrupt each one on the line is asked in turn. A line
// that stays high although nobody has anything to do would keep its CPU from ever doing something else, so it is
// masked after some thousand interrupts in a row that brought nothing. Who waits for one of its devices says so.

import { Activity } from '../lib/activity.ts';
import { Line as LogLine } from '../lib/line.ts';
import { log } from '../lib/log.ts';
import { makeIn } from '../mm/objects.ts';
import { DESTINATION_MAX, find, IoApic } from './ioapic.ts';
import * as lapic from './lapic.ts';
import { allocateVector, freeCount, InterruptHandler } from './vectors.ts';

/** A line that was pulled up to no purpose, or whose device was served by polling, is far from this. */
const USELESS_MAX: u32 = 10_000;

/** A device on a line. */
export abstract class LineUser {
  next: LineUser | null = null;
  /** What its interrupts are a part of. */
  activity: Activity | null = null;

  /** In an interrupt handler: serves the device if it has asked for that. False if it had nothing to do. */
  abstract serve(vector: u32): bool;
}

export class Line extends InterruptHandler {
  vector: u32 = 0;
  private first: LineUser | null = null;
  private count: u64 = 0;
  /** Interrupts in a row that brought nothing. */
  private useless: u32 = 0;

  constructor(
    public readonly gsi: u32,
    private readonly ioApic: IoApic,
  ) {
    super();
  }

  add(user: LineUser): void {
    let other: LineUser | null = this.first;
    while (other !== null) {
      if (other === user) return; // a device that is brought up once more
      other = other.next;
    }
    user.next = this.first;
    this.first = user;
  }

  /** Handlers may be going through the list meanwhile. */
  remove(user: LineUser): void {
    if (this.first === user) this.first = user.next;
    for (let at: LineUser | null = this.first; at !== null; at = at!.next)
      if (at.next === user) at.next = user.next;
  }

  interrupt(vector: u32): void {
    this.count++;
    let useful: bool = false;
    // All are asked: those that are left out would only interrupt again.
    let user: LineUser | null = this.first;
    while (user !== null) {
      this.activity = user.activity;
      if (user.serve(vector)) useful = true;
      user = user.next;
    }
    if (useful) this.useless = 0;
    else if (++this.useless === USELESS_MAX) this.ioApic.mask(this.gsi);
    // A device can send a message of the line's vector: the local APIC then takes the line's request for an edge too.
    if (!lapic.isLevel(vector) && !this.masked) this.ioApic.restart(this.gsi);
  }

  get masked(): bool {
    return this.useless >= USELESS_MAX;
  }

  describe(to: LogLine): LogLine {
    to.decimal('GSI ', this.gsi).decimal(' (', this.count).text(' interrupts');
    if (this.masked) to.decimal('; masked after ', USELESS_MAX).text(' in a row that brought nothing');
    return to.text(')');
  }
}

const lines: Array<Line> = [];

/** Puts a device on the line `gsi`; null after a line of the log that says why that cannot be. */
export function connect(name: string, gsi: u32, activeLow: bool, user: LineUser): Line | null {
  for (let i = 0; i < lines.length; i++) {
    if (lines[i].gsi !== gsi) continue;
    lines[i].add(user);
    return lines[i];
  }
  const ioApic = find(gsi);
  if (ioApic === null) return refuse(name, gsi, 'no I/O APIC has it');
  const apicId = lapic.id();
  if (apicId > DESTINATION_MAX) return refuse(name, gsi, 'this CPU is beyond the reach of an I/O APIC');
  if (freeCount() === 0) return refuse(name, gsi, 'there is no interrupt vector left');
  const arena = makeIn(null); // it outlives its first user
  const line = new Line(gsi, ioApic);
  line.name = 'line'; // of whoever shares it
  lines.push(line);
  makeIn(arena);
  line.vector = allocateVector(line);
  line.add(user);
  ioApic.route(gsi, line.vector, apicId, activeLow);
  return line;
}

/** Logs all lines. */
export function describeAll(): void {
  for (let i = 0; i < lines.length; i++) lines[i].describe(log('irq')).end();
}

/** Logs which lines had to be masked. */
export function report(): void {
  for (let i = 0; i < lines.length; i++) if (lines[i].masked) lines[i].describe(log('irq')).end();
}

function refuse(name: string, gsi: u32, why: string): Line | null {
  log('irq').text(name).decimal(': GSI ', gsi).text(' cannot be used: ').text(why).end();
  return null;
}
