// The machine's only clock. It moves by a fixed amount at each step of a CPU, and to the next event when all CPUs
// sleep; nothing depends on the host's time. So a run is the same each time, and a wait of seconds takes none.

import { MachineError } from '../error.ts';

/** That may be due at once. */
const EVENTS_MAX = 1_000_000;

export interface TimedEvent {
  readonly at_ns: number;
  readonly action: () => void;
}

export class Clock {
  /** Since the machine was switched on. Exact up to 104 days. */
  now_ns = 0;
  /** Time stands still while CPUs run; sleep still ends at the next event. */
  frozen = false;
  /** In order of time, and of scheduling where that is equal. */
  private readonly events: TimedEvent[] = [];
  private next_ns = Number.POSITIVE_INFINITY;

  /** Runs `action` in `delay_ns`: at a step, never within this call. */
  schedule(delay_ns: number, action: () => void): TimedEvent {
    const event = { at_ns: this.now_ns + Math.max(delay_ns, 0), action };
    let index = this.events.length;
    while (index > 0 && this.events[index - 1].at_ns > event.at_ns) index--;
    this.events.splice(index, 0, event);
    this.next_ns = this.events[0].at_ns;
    return event;
  }

  cancel(event: TimedEvent | undefined): void {
    const index = event === undefined ? -1 : this.events.indexOf(event);
    if (index < 0) return;
    this.events.splice(index, 1);
    this.next_ns = this.events.length > 0 ? this.events[0].at_ns : Number.POSITIVE_INFINITY;
  }

  /** Moves by a step of a CPU, or by a jump. */
  advance(delta_ns: number): void {
    if (this.frozen) return;
    this.now_ns += delta_ns;
    if (this.now_ns >= this.next_ns) this.runDue();
  }

  /** Moves to the next event and runs it; false: there is none. */
  skipToNext(): boolean {
    if (this.events.length === 0) return false;
    this.now_ns = Math.max(this.now_ns, this.next_ns);
    this.runDue();
    return true;
  }

  private runDue(): void {
    for (let count = 0; this.events.length > 0 && this.events[0].at_ns <= this.now_ns; count++) {
      if (count > EVENTS_MAX)
        throw new MachineError('events without end at one time: a device schedules the next one in no time');
      const event = this.events.shift()!;
      this.next_ns = this.events.length > 0 ? this.events[0].at_ns : Number.POSITIVE_INFINITY;
      event.action();
    }
  }
}
