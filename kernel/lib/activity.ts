// What a driver is doing, for the panic report: a driver tells it while it works for somebody, each CPU for itself.

import * as x86 from '../x86.ts';

export abstract class Activity {
  /** Logs what is going on in a few lines. Called once, in a panic, interrupts off. */
  abstract describe(): void;
}

const inCharge = new StaticArray<Activity | null>(x86.CPUS);

export function begin(activity: Activity): void {
  inCharge[x86.cpu()] = activity;
}

export function finish(): void {
  inCharge[x86.cpu()] = null;
}

/** Takes this CPU's activity away, so that a fault while it is described does not describe it again. */
export function take(): Activity | null {
  const number = x86.cpu();
  const activity = inCharge[number];
  inCharge[number] = null;
  return activity;
}
