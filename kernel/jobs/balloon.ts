// job=balloon: lets the host take memory and give it back, until its wish has changed changes=N times and was met, as far as
// it could be, or the time is over, seconds=N (0: never).

import { balloons } from '../drivers/balloon.ts';
import { number } from '../lib/cmdline.ts';
import { log } from '../lib/log.ts';
import { panic } from '../lib/panic.ts';
import { jobDeadline } from './deadline.ts';

const CHANGES: u32 = 2;
const CHANGES_MAX: u32 = 1_000_000;

export function balloonJob(): void {
  const state = balloons.need('no memory balloon: attach one with -device virtio-balloon-pci');
  const changes = number('changes', CHANGES, CHANGES_MAX);
  const deadline = jobDeadline();
  log('balloon').text('waits for the host').end();
  while (state.changes < changes && !state.failed && state.settled.wait(deadline)) state.settled.reset();
  if (state.failed) panic('the memory balloon has failed');
  log('balloon')
    .decimal('', state.changes)
    .decimal(' changes, the host has ', state.pages)
    .text(' pages')
    .end();
}
