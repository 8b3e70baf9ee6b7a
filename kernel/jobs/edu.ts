// job=edu: n! by QEMU's educational device, n=N, and its buffer filled and read back.

import { BUFFER_BYTES, eduDevices } from '../drivers/edu.ts';
import { number } from '../lib/cmdline.ts';
import { log } from '../lib/log.ts';
import { panic } from '../lib/panic.ts';
import * as frames from '../mm/frames.ts';

const N: u32 = 10;

export function eduJob(): void {
  const device = eduDevices.need('no edu device: attach one with -device edu');
  const n = number('n', N, u32.MAX_VALUE);
  const result = device.factorial(n);
  if (result < 0) panic('the edu device has failed');
  log('edu')
    .decimal('', n)
    .decimal('! = ', result as u32)
    .end();

  const sent = frames.allocate(BUFFER_BYTES);
  const received = frames.allocate(BUFFER_BYTES);
  for (let i: u32 = 0; i < BUFFER_BYTES; i++) store<u8>(sent + i, (i * 7) ^ (i >> 8));
  memory.fill(received, 0, BUFFER_BYTES);
  if (!device.write(sent, BUFFER_BYTES) || !device.read(received, BUFFER_BYTES))
    panic('the edu device has failed');
  const wrong = memory.compare(sent, received, BUFFER_BYTES) !== 0;
  log('edu')
    .decimal('', BUFFER_BYTES)
    .text(wrong ? ' bytes through the device came back changed' : ' bytes through the device and back')
    .end();
  if (wrong) panic('the edu device has failed');
}
