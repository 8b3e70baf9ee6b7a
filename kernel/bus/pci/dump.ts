// All that configuration space tells of a function: what it is, its BARs, its capabilities, and the bytes, as `lspci -xxxx`
// has them; of the extended space, which is mostly empty, only the lines that are not.

import { Line } from '../../lib/line.ts';
import { bare } from '../../lib/log.ts';
import { Capabilities, ExtendedCapabilities, hasExtendedSpace } from './capability.ts';
import * as config from './config.ts';
import { BARS_MAX, PciFunction } from './function.ts';
import { nameOfClass } from './names.ts';

const BYTES_PER_LINE: u32 = 16;

/** What was asked for comes whatever the log's level. */
function start(): Line {
  return bare().text('lspci: ');
}

export function dumpFunction(fn: PciFunction): void {
  const revision = config.read32(fn.address, config.REVISION_AND_CLASS) & 0xff;
  start()
    .text(fn.name)
    .digits(' ', fn.vendor, 4)
    .digits(':', fn.device, 4)
    .text(' ')
    .text(nameOfClass(fn.classCode))
    .digits(', class ', fn.classCode, 6)
    .digits(', revision ', revision, 2)
    .hex(', command ', config.read16(fn.address, config.COMMAND), 4)
    .hex(', status ', config.read16(fn.address, config.STATUS), 4)
    .end();
  if (fn.firstBus !== 0)
    start().text(fn.name).digits(' buses ', fn.firstBus, 2).digits(' to ', fn.lastBus, 2).end();
  for (let i: u32 = 0; i < BARS_MAX; i++) {
    const bar = fn.bars[i];
    if (bar !== null) bar.describe(start()).end();
  }
  dumpCapabilities(fn);
  for (let at: u32 = 0; at < config.BYTES; at += BYTES_PER_LINE) dumpLine(fn.address, at, 2);
  if (!hasExtendedSpace(fn.address)) return;
  for (let at = config.BYTES; at < config.BYTES_EXTENDED; at += BYTES_PER_LINE)
    if (!isEmpty(fn.address, at)) dumpLine(fn.address, at, 3);
}

function isEmpty(address: u32, at: u32): bool {
  for (let i: u32 = 0; i < BYTES_PER_LINE; i += 4) if (config.read32(address, at + i) !== 0) return false;
  return true;
}

function dumpCapabilities(fn: PciFunction): void {
  const list = new Capabilities(fn.address, fn.name);
  while (list.next())
    start().text(fn.name).digits(' capability ', list.id, 2).hex(' at ', list.offset, 2).end();
  const extended = new ExtendedCapabilities(fn.address, fn.name);
  while (extended.next())
    start()
      .text(fn.name)
      .digits(' extended capability ', extended.id, 4)
      .hex(' at ', extended.offset, 3)
      .decimal(', version ', extended.version)
      .end();
}

function dumpLine(address: u32, at: u32, digits: u32): void {
  const line = start().digits('', at, digits).text(':');
  for (let i: u32 = 0; i < BYTES_PER_LINE; i += 4) {
    let value = config.read32(address, at + i);
    for (let j: u32 = 0; j < 4; j++, value >>= 8) line.digits(' ', value, 2);
  }
  line.end();
}
