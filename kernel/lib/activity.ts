// What is being done, for the panic report: a thread has one while a driver works for it (sched/activity.ts), interrupt handlers
// and tasklets have that of their device.

export abstract class Activity {
  /** Logs what is going on in a few lines; in a panic too, interrupts off. */
  abstract describe(): void;
}
