// What a panic ends in, by the command line: panic=exit, the default, leaves QEMU by its debug exit, and halts where there
// is none; panic=halt keeps the machine as it is; panic=N resets it after N seconds.

import { resetMachine } from '../acpi/reset.ts';
import * as cmdline from '../lib/cmdline.ts';
import { EXIT_PANIC, exit, halt } from '../lib/exit.ts';
import { log } from '../lib/log.ts';
import * as serial from '../lib/serial.ts';
import * as clock from '../time/clock.ts';
import * as x86 from '../x86.ts';

const SECONDS_MAX: u32 = 86_400;

class Ending {
  halts: bool = false;
  /** Before the reset; -1: there is none. */
  seconds: i32 = -1;
}

const ending = new Ending();

/** A panic has no memory to read it by. */
export function init(): void {
  const word = cmdline.value('panic', 'exit');
  if (word === 'exit') return;
  if (word === 'halt') ending.halts = true;
  else ending.seconds = cmdline.parse(word, SECONDS_MAX) as i32; // -1 if it is none
  if (ending.halts || ending.seconds >= 0) return;
  cmdline
    .wrong('panic', word)
    .decimal(': choose exit, halt or a number of seconds up to ', SECONDS_MAX)
    .text(', ignored')
    .end();
}

/** Does not return. */
export function end(): void {
  if (ending.seconds >= 0) {
    log('panic').decimal('reset in ', ending.seconds).text(' s').end();
    const deadline = clock.after((ending.seconds as u32) * 1000);
    while (clock.now() < deadline) x86.pause();
    serial.drain();
    resetMachine();
    log('panic').text('nothing resets this machine').end();
  }
  if (ending.halts) halt();
  exit(EXIT_PANIC);
}
