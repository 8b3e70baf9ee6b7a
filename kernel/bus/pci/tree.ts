// The buses as a tree, drawn as `lspci -tv` does: each line is the one before, with what has been told already turned into
// blanks, and what goes on below into bars.
//
//   lspci: -[0000:00]-+-00.0  8086:29c0 host bridge
//   lspci:            +-06.0-[01-02]----00.0-[02]----00.0  1af4:1042 SCSI controller
//   lspci:            \-1f.2  8086:2922 SATA controller

import { Line } from '../../lib/line.ts';
import { bare } from '../../lib/log.ts';
import { PciFunction } from './function.ts';
import { nameOfClass } from './names.ts';
import { BUSES } from './numbers.ts';
import { bridgeTo, functions } from './scan.ts';

const SPACE: u32 = 0x20;
const PLUS: u32 = 0x2b;
const BAR: u32 = 0x7c;

/** What stands before the next function. */
const drawn = new Line();
/** By bus: how much of that stands before each of its functions. */
const marks = new StaticArray<u32>(BUSES);

export function printTree(): void {
  for (let bus: u32 = 0; bus < BUSES; bus++) {
    if (bridgeTo(bus) !== null || after(null, bus) === null) continue;
    drawn.clear().digits('-[0000:', bus, 2).text(']-');
    drawTree(bus);
  }
}

/** A bridge, then what is behind it, then its neighbours. */
function drawTree(root: u32): void {
  marks[root] = drawn.length;
  let fn = after(null, root);
  while (fn !== null) {
    drawFunction(fn);
    const first = behind(fn);
    fn = first !== null ? first : next(fn, root);
  }
}

/** The first function behind a bridge. */
function behind(fn: PciFunction): PciFunction | null {
  return fn.firstBus !== 0 && bridgeTo(fn.firstBus) === fn ? after(null, fn.firstBus) : null;
}

/** What is drawn after `fn` and all that is behind it. */
function next(fn: PciFunction, root: u32): PciFunction | null {
  while (true) {
    const neighbour = after(fn, fn.bus);
    if (neighbour !== null || fn.bus === root) return neighbour;
    fn = bridgeTo(fn.bus)!;
  }
}

function drawFunction(fn: PciFunction): void {
  const last = after(fn, fn.bus) === null;
  const only = last && after(null, fn.bus) === fn;
  drawn.cutTo(marks[fn.bus]).text(only ? '--' : last ? '\\-' : '+-');
  drawn.digits('', fn.slot, 2).digits('.', fn.number, 1);
  if (fn.firstBus !== 0) {
    drawn.digits('-[', fn.firstBus, 2);
    if (fn.lastBus !== fn.firstBus) drawn.digits('-', fn.lastBus, 2);
    drawn.text(']--');
    marks[fn.firstBus] = drawn.length;
    if (behind(fn) !== null) return; // which goes on the same line
  } else {
    drawn.digits('  ', fn.vendor, 4).digits(':', fn.device, 4).text(' ').text(nameOfClass(fn.classCode));
  }
  flush();
}

/** The function behind `fn` on a bus, or the first one. */
function after(fn: PciFunction | null, bus: u32): PciFunction | null {
  let past = fn === null;
  for (let i: u32 = 0; i < functions.count; i++) {
    const at = functions.at(i);
    if (past && at.bus === bus) return at;
    if (at === fn) past = true;
  }
  return null;
}

function flush(): void {
  bare().text('lspci: ').append(drawn).end();
  for (let i: u32 = 0; i < drawn.length; i++) {
    const char = drawn.at(i);
    drawn.put(i, char === PLUS || char === BAR ? BAR : SPACE);
  }
}
