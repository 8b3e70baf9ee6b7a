// job=console: what is typed on the virtio console comes back line by line, and goes to the log; Ctrl-D ends it, or the
// time, seconds=N (0: never).

import { terminals } from '../drivers/terminal.ts';
import { log } from '../lib/log.ts';
import { jobDeadline } from './deadline.ts';

const LINE_BYTES_MAX: u32 = 256;

const END: i32 = 0x04; // Ctrl-D
const LF: i32 = 0x0a;
const CR: i32 = 0x0d;

export function consoleJob(): void {
  const terminal = terminals.need(
    'no terminal: attach one with -device virtio-serial-pci -device virtconsole,chardev=ID',
  );
  const deadline = jobDeadline();
  log('console').text(terminal.name).text(' waits for input').end();
  const line = heap.alloc(LINE_BYTES_MAX + 1);
  let length: u32 = 0;
  let total: u64 = 0;
  let byte = terminal.read(deadline);
  for (; byte >= 0 && byte !== END; byte = terminal.read(deadline)) {
    total++;
    store<u8>(line + length++, byte as u8);
    const ended = byte === LF || byte === CR;
    if (!ended && length < LINE_BYTES_MAX) continue;
    terminal.write(line, length);
    store<u8>(line + (ended ? length - 1 : length), 0);
    log('console').text('"').bytes(line, LINE_BYTES_MAX).text('"').end();
    length = 0;
  }
  terminal.write(line, length);
  log('console')
    .decimal('', total)
    .text(byte === END ? ' bytes typed' : ' bytes typed in its time')
    .end();
}
