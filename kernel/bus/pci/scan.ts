// Finds every function of every bus: bus 0, and behind each bridge the buses that it passes cycles on to. A machine with
// more host bridges has more root buses, which nothing in configuration space tells: then all numbers are tried.

import { log } from '../../lib/log.ts';
import { Mutex } from '../../sched/mutex.ts';
import * as config from './config.ts';
import { openFunction, PciFunction } from './function.ts';
import {
  BUSES,
  claimNumbers,
  clearNumbers,
  Numbers,
  nextFunction,
  numberAdded,
  numberTree,
} from './numbers.ts';

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

class FunctionList {
  /** Of who uses a function or the list, once cards can come and go. */
  readonly mutex: Mutex = new Mutex();
  count: u32 = 0;
  private readonly list: StaticArray<PciFunction | null> = new StaticArray<PciFunction | null>(FUNCTIONS_MAX);

  at(index: u32): PciFunction {
    return this.list[index]!;
  }

  /** False: there are too many. */
  add(fn: PciFunction): bool {
    if (this.count === FUNCTIONS_MAX) return false;
    this.list[this.count] = fn;
    this.count++;
    return true;
  }

  remove(fn: PciFunction): void {
    let to: u32 = 0;
    for (let from: u32 = 0; from < this.count; from++)
      if (this.list[from] !== fn) this.list[to++] = this.list[from];
    this.count = to;
  }
}

/** A bridge comes before what is behind it. */
export const functions = new FunctionList();

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
    for (let i: u32 = 0; i < BUSES; i++)
      if (state.numbers.isRoot(i)) numberTree(i, state.numbers.lastBehind(i));
    discover(moreRoots);
  }
  for (let i: u32 = 0; i < functions.count; i++) functions.at(i).inspect();
  if (state.lost > 0) log('pci').decimal('', state.lost).text(' functions more are ignored').end();
  log('pci').decimal('functions ', functions.count).decimal(', buses ', state.queueEnd).end();
}

/** The bridge through which a bus is reached; null: it is a root bus. A bridge's own bus is always one before. */
export function bridgeTo(bus: u32): PciFunction | null {
  return state.numbers.bridges[bus];
}

/** The function with this name, `0000:bb:dd.f`; null if there is none. */
export function findFunction(name: string): PciFunction | null {
  for (let i: u32 = 0; i < functions.count; i++) if (functions.at(i).name === name) return functions.at(i);
  return null;
}

/** Null: there is none at this address. */
export function functionAt(address: u32): PciFunction | null {
  for (let i: u32 = 0; i < functions.count; i++)
    if (functions.at(i).address === address) return functions.at(i);
  return null;
}

/** The functions that have come into a slot, and all behind them, a bridge before what is behind it. */
export function addSlot(bus: u32, slot: u32): Array<PciFunction> {
  const added: Array<PciFunction> = [];
  addFunctions(bus, slot << 3, (slot + 1) << 3, added);
  for (let i = 0; i < added.length; i++)
    if (added[i].bus === bus && added[i].isBridge) numberAdded(added[i], state.numbers);
  for (let i = 0; i < added.length; i++) {
    const bridge = added[i];
    // The numbers of those behind it were given out with its own.
    if (bridge.isBridge && bridge.bus !== bus && !claimNumbers(bridge, state.numbers))
      clearNumbers(bridge.address);
    if (bridge.firstBus !== 0 && config.reach(bridge.firstBus))
      addFunctions(bridge.firstBus, 0, INDICES, added);
  }
  return added;
}

/** Those with numbers from `first` up to `end`, device << 3 | function. */
function addFunctions(bus: u32, first: u32, end: u32, added: Array<PciFunction>): void {
  for (let i = nextFunction(bus, first); i < end; i = nextFunction(bus, i + 1)) {
    const found = openFunction(config.addressOf(bus, 0, i), bridgeTo(bus));
    if (functions.add(found)) {
      found.inspect();
      added.push(found);
    } else {
      found.forget();
    }
  }
}

/** It has gone; what was behind it has gone before. What it was made of stays. */
export function removeFunction(fn: PciFunction): void {
  functions.remove(fn);
  if (fn.firstBus === 0) return;
  clearNumbers(fn.address);
  state.numbers.giveBack(fn);
}

function discover(moreRoots: bool): void {
  for (let i: u32 = 0; i < functions.count; i++) functions.at(i).forget();
  functions.count = 0;
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
    const found = openFunction(config.addressOf(bus, 0, i), bridgeTo(bus));
    if (!functions.add(found)) state.lost++;
    if (!found.isBridge) continue;
    if (claimNumbers(found, state.numbers)) {
      state.queue[state.queueEnd++] = found.firstBus as u8;
    } else {
      clearNumbers(found.address); // it must answer for nobody else meanwhile
      if (state.misnumbered === null) state.misnumbered = found;
    }
  }
}
