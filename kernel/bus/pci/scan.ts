// Finds every function of every bus: bus 0, and behind each bridge the buses that it passes cycles on to. A machine with
// more host bridges has more root buses, which nothing in configuration space tells: then all numbers are tried.

import { log } from '../../lib/log.ts';
import * as config from './config.ts';
import { PciFunction } from './function.ts';
import { BUSES, claimNumbers, clearNumbers, Numbers, nextFunction, numberTree } from './numbers.ts';

const FUNCTIONS_MAX: u32 = 256;
const INDICES: u32 = 256;

class Scan {
  numbers: Numbers = new Numbers();
  /** Buses in the order in which they are found. */
  readonly queue: StaticArray<u8> = new StaticArray<u8>(BUSES);
  queueEnd: u32 = 0;
  /** Functions that are too many. */
  lost: u32 = 0;
  /** A bridge whose bus numbers cannot be, if there is one. */
  misnumbered: PciFunction | null = null;
}

/** A bridge comes before what is behind it. */
export const functions = new StaticArray<PciFunction | null>(FUNCTIONS_MAX);
export let functionCount: u32 = 0;

const state = new Scan();

/** `moreRoots`: there are root buses besides bus 0. */
export function scan(moreRoots: bool): void {
  config.init();
  discover(moreRoots);
  const wrong = state.misnumbered;
  if (wrong !== null) {
    log('pci')
      .text(wrong.name)
      .text(': the firmware has given this bridge no bus; all are numbered anew')
      .end();
    for (let i: u32 = 0; i < BUSES; i++) if (state.numbers.isRoot(i)) numberTree(i, lastOf(i));
    discover(moreRoots);
  }
  for (let i: u32 = 0; i < functionCount; i++) functions[i]!.inspect();
  if (state.lost > 0) log('pci').decimal('', state.lost).text(' functions more are ignored').end();
  log('pci').decimal('functions ', functionCount).decimal(', buses ', state.queueEnd).end();
}

/** The bridge through which a bus is reached; null: it is a root bus. A bridge's own bus is always one before. */
export function bridgeTo(bus: u32): PciFunction | null {
  return state.numbers.bridges[bus];
}

/** The function with this name, `0000:bb:dd.f`; null if there is none. */
export function findFunction(name: string): PciFunction | null {
  for (let i: u32 = 0; i < functionCount; i++) if (functions[i]!.name === name) return functions[i];
  return null;
}

function discover(moreRoots: bool): void {
  functionCount = 0;
  state.queueEnd = 0;
  state.lost = 0;
  state.misnumbered = null;
  const numbers = new Numbers();
  state.numbers = numbers;
  discoverTree(0);
  for (let bus: u32 = 1; moreRoots && bus < BUSES; bus++)
    if (!numbers.isTaken(bus) && config.reach(bus) && nextFunction(bus, 0) < INDICES) discoverTree(bus);
}

/** What is reached from a root bus. */
function discoverTree(root: u32): void {
  const numbers = state.numbers;
  numbers.takeRoot(root);
  const first = state.queueEnd;
  state.queue[state.queueEnd++] = root as u8;
  for (let i = first; i < state.queueEnd; i++) if (config.reach(state.queue[i])) discoverBus(state.queue[i]);
}

function discoverBus(bus: u32): void {
  for (let i = nextFunction(bus, 0); i < INDICES; i = nextFunction(bus, i + 1)) {
    const found = new PciFunction(config.addressOf(bus, 0, i), bridgeTo(bus));
    if (functionCount < FUNCTIONS_MAX) functions[functionCount++] = found;
    else state.lost++;
    if (!found.isBridge) continue;
    if (claimNumbers(found, state.numbers)) {
      state.queue[state.queueEnd++] = found.firstBus as u8;
    } else {
      clearNumbers(found.address); // it must answer for nobody else meanwhile
      if (state.misnumbered === null) state.misnumbered = found;
    }
  }
}

/** The last number that the tree of a root bus may have. */
function lastOf(root: u32): u32 {
  let last = root;
  while (last + 1 < BUSES && !state.numbers.isRoot(last + 1)) last++;
  return last;
}
