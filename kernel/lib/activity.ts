// What a driver is doing, for the panic report: a driver sets `inCharge` while it works for somebody.

export abstract class Activity {
  /** Logs what is going on in a few lines. Called once, in a panic, interrupts off. */
  abstract describe(): void;
}

let inCharge: Activity | null = null;

export function begin(activity: Activity): void {
  inCharge = activity;
}

export function finish(): void {
  inCharge = null;
}

/** Takes the activity away, so that a fault while it is described does not describe it again. */
export function take(): Activity | null {
  const activity = inCharge;
  inCharge = null;
  return activity;
}
