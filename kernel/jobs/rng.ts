// job=rng: prints random bytes, bytes=N of them, 32 in a line.

import { entropySources } from '../drivers/entropy.ts';
import { number } from '../lib/cmdline.ts';
import { log } from '../lib/log.ts';
import { panic } from '../lib/panic.ts';
import * as frames from '../mm/frames.ts';

const BYTES: u32 = 32;
const BYTES_MAX: u32 = 65536;
const LINE_BYTES: u32 = 32;

export function rngJob(): void {
  const source = entropySources.need('no source of random bytes: attach one with -device virtio-rng-pci');
  const bytes = number('bytes', BYTES, BYTES_MAX);
  const buffer = frames.allocate(bytes + 1);
  if (!source.read(buffer, bytes)) panic('no random bytes');
  for (let at: u32 = 0; at < bytes; at += LINE_BYTES) {
    const line = log('rng');
    for (let i = at; i < min(at + LINE_BYTES, bytes); i++) line.digits('', load<u8>(buffer + i), 2);
    line.end();
  }
}
