// job=shell: a monitor on the serial line. Each command is a line of words; one that is not understood gets its usage.

import { dumpFunction } from '../../bus/pci/dump.ts';
import { PciFunction } from '../../bus/pci/function.ts';
import { functions } from '../../bus/pci/scan.ts';
import { printTree } from '../../bus/pci/tree.ts';
import { Disk, disks, SECTOR_BYTES } from '../../drivers/disk.ts';
import { DEVICES_MAX } from '../../drivers/registry.ts';
import { listen } from '../../drivers/serial-input.ts';
import { attachFunction, detachFunction, isAttached } from '../../drivers/table.ts';
import * as lines from '../../irq/line.ts';
import { taskletsOf } from '../../irq/tasklets.ts';
import * as vectors from '../../irq/vectors.ts';
import { hexdump } from '../../lib/hexdump.ts';
import { bare, setQuiet } from '../../lib/log.ts';
import { panic } from '../../lib/panic.ts';
import * as frames from '../../mm/frames.ts';
import { logStatistics as logHeap } from '../../mm/heap.ts';
import { Mapping } from '../../mm/walk.ts';
import { cpus } from '../../sched/cpu.ts';
import * as scheduler from '../../sched/scheduler.ts';
import { ENDED, READY, Thread } from '../../sched/thread.ts';
import * as x86 from '../../x86.ts';
import { runBench } from '../blkbench.ts';
import { Editor } from './editor.ts';
import { Words } from './words.ts';

const PROMPT: string = 'yaos> ';
const SECTORS_MAX: u32 = 128;
const LOG_LEVEL_MAX: u32 = 2;
const BENCH_BYTES: u32 = 4096;
const ID_BYTES: u32 = 20;
const ID: u32 = memory.data(32) as u32;
/** Commands of one word. */
const ALONE: StaticArray<string> = ['help', 'blk', 'flush', 'threads', 'irq', 'mem', 'panic', 'poweroff'];

class Monitor {
  private readonly editor: Editor = new Editor(PROMPT);
  private readonly words: Words = new Words();
  private readonly buffer: u32 = frames.allocate(SECTORS_MAX * SECTOR_BYTES);
  private readonly mapping: Mapping = new Mapping();
  /** The first one, while a command is carried out. */
  private disk: Disk | null = null;

  run(): void {
    bare().text('help lists what there is, poweroff ends it.').end();
    let goOn: bool = true;
    while (goOn) {
      if (!this.editor.read()) continue;
      this.words.split(this.editor.line);
      if (this.words.count === 0) continue;
      const disk = disks.hold(0);
      this.disk = disk;
      goOn = this.execute();
      if (disk !== null) disk.drop();
    }
  }

  /** False: it was the last command. */
  private execute(): bool {
    const words = this.words;
    for (let i = 0; words.count > 1 && i < ALONE.length; i++) {
      if (!words.is(0, ALONE[i])) continue;
      usage('this command stands alone: help lists what there is');
      return true;
    }
    if (words.is(0, 'poweroff')) return false;
    if (words.is(0, 'help')) help();
    else if (words.is(0, 'lspci') || words.is(0, 'detach') || words.is(0, 'attach')) this.useBuses();
    else if (words.is(0, 'blk')) listDisks();
    else if (words.is(0, 'read')) this.read();
    else if (words.is(0, 'write')) this.write();
    else if (words.is(0, 'discard')) this.clear(false);
    else if (words.is(0, 'zero')) this.clear(true);
    else if (words.is(0, 'flush')) this.flush();
    else if (words.is(0, 'bench')) this.bench();
    else if (words.is(0, 'threads')) listThreads();
    else if (words.is(0, 'irq')) listInterrupts();
    else if (words.is(0, 'mem')) logMemory();
    else if (words.is(0, 'map')) this.map();
    else if (words.is(0, 'log')) this.setLevel();
    else if (words.is(0, 'panic')) panic('asked for by the monitor');
    else usage('unknown command: help lists what there is');
    return true;
  }

  /** Cards neither come nor go meanwhile. */
  private useBuses(): void {
    functions.mutex.acquire();
    if (this.words.is(0, 'lspci')) this.lspci();
    else if (this.words.is(0, 'detach')) this.detach();
    else this.attach();
    functions.mutex.release();
  }

  private lspci(): void {
    const fn = this.function();
    if (fn !== null) dumpFunction(fn);
    else if (this.words.count === 1) printTree();
    else usage('lspci [0000:BB:DD.F]: the tree of buses, or what configuration space tells of a function');
  }

  private detach(): void {
    const fn = this.function();
    if (fn === null || !detachFunction(fn)) usage('detach 0000:BB:DD.F: takes a device away from its driver');
  }

  private attach(): void {
    const fn = this.function();
    if (fn === null || isAttached(fn) || !attachFunction(fn))
      usage('attach 0000:BB:DD.F: gives a device that is not in use to its driver');
  }

  /** The one that the only word behind the command names; null: there is none. */
  private function(): PciFunction | null {
    const words = this.words;
    for (let i: u32 = 0; i < functions.count; i++)
      if (words.count === 2 && words.is(1, functions.at(i).name)) return functions.at(i);
    return null;
  }

  private read(): void {
    const disk = this.disk;
    const count = this.range('read LBA [COUNT]', 2);
    if (disk === null || count === 0) return;
    if (disk.read(this.sector, count, this.buffer)) hexdump(this.buffer, count * SECTOR_BYTES);
  }

  private write(): void {
    const text = 'write LBA BYTE [COUNT]: fills sectors';
    const words = this.words;
    const disk = this.disk;
    if (!words.isNumber(2, 255)) {
      usage(text);
      return;
    }
    const byte = words.value as u8;
    const count = this.range(text, 3);
    if (disk === null || count === 0) return;
    memory.fill(this.buffer, byte, count * SECTOR_BYTES);
    if (disk.write(this.sector, count, this.buffer)) bare().decimal('', count).text(' sectors written').end();
  }

  private clear(zeroes: bool): void {
    const disk = this.disk;
    const count = this.range(
      zeroes ? 'zero LBA [COUNT]: fills sectors with zeros' : 'discard LBA [COUNT]: forgets sectors',
      2,
    );
    if (disk === null || count === 0) return;
    if (zeroes ? disk.writeZeroes(this.sector, count) : disk.discard(this.sector, count))
      bare().text('done').end();
  }

  private flush(): void {
    const disk = this.disk;
    if (disk === null) usage('there is no disk');
    else if (disk.flush()) bare().text('done').end();
  }

  private bench(): void {
    const words = this.words;
    const disk = this.disk;
    const depth: u32 = words.isNumber(1, 128) ? (words.value as u32) : 0;
    const count: u32 = words.count < 3 ? 1000 : words.isNumber(2, 1_000_000) ? (words.value as u32) : 0;
    if (words.count > 3 || depth === 0 || count === 0)
      usage('bench QD [COUNT]: random reads of 4 KiB with QD in flight, 1 to 128');
    else if (disk === null) usage('there is no disk');
    else runBench(disk, BENCH_BYTES, depth, count, false, false, false);
  }

  private sector: u64 = 0;

  /** Reads LBA, and COUNT if there is such a word; 0 after a line if they are no good. */
  private range(text: string, countAt: u32): u32 {
    const words = this.words;
    if (!words.isNumber(1, u64.MAX_VALUE)) return usage(text);
    this.sector = words.value;
    if (this.disk === null) return usage('there is no disk');
    if (words.count <= countAt) return 1;
    if (words.count > countAt + 1 || !words.isNumber(countAt, SECTORS_MAX) || words.value === 0) {
      bare().text(text).decimal('; COUNT is from 1 to ', SECTORS_MAX).end();
      return 0;
    }
    return words.value as u32;
  }

  private map(): void {
    const words = this.words;
    if (words.count !== 2 || !words.isNumber(1, u32.MAX_VALUE)) {
      usage('map ADDR: what is mapped at an address of linear memory');
      return;
    }
    const address = words.value as u32;
    const mapping = this.mapping;
    mapping.find(address);
    const line = bare().digits('', address, 8).text(': ');
    if (!mapping.present) line.text('not mapped');
    else {
      line.digits('physical ', mapping.physical, 12).size(', page of ', mapping.pageBytes);
      line
        .text(mapping.writable ? ', writable' : ', read-only')
        .text(mapping.executable ? ', executable' : '');
      line.text(mapping.cached ? '' : ', uncached');
    }
    line.end();
  }

  private setLevel(): void {
    const words = this.words;
    if (words.count !== 2 || !words.isNumber(1, LOG_LEVEL_MAX)) {
      usage('log LEVEL: 0 nothing, 1 facts, 2 each interrupt and completion of a disk too');
      return;
    }
    setQuiet(words.value === 0);
    for (let i: u32 = 0; i < DEVICES_MAX; i++) {
      const disk = disks.hold(i);
      if (disk === null) continue;
      disk.setTrace(words.value === 2);
      disk.drop();
    }
  }
}

function usage(text: string): u32 {
  bare().text(text).end();
  return 0;
}

function help(): void {
  bare().text('help              this list').end();
  bare().text('lspci [FUNCTION]  PCI buses, or one function').end();
  bare().text('detach FUNCTION   takes a device away from its driver').end();
  bare().text('attach FUNCTION   gives it back').end();
  bare().text('blk               disks').end();
  bare().text('read LBA [COUNT]  dumps sectors of the first disk').end();
  bare().text('write LBA BYTE [COUNT]  fills sectors of the first disk').end();
  bare().text('zero LBA [COUNT]  has the disk fill sectors with zeros').end();
  bare().text('discard LBA [COUNT]  has the disk forget sectors').end();
  bare().text('flush             has the disk keep what was written').end();
  bare().text('bench QD [COUNT]  random reads of 4 KiB').end();
  bare().text('threads           threads, by CPU').end();
  bare().text('irq               interrupts, by CPU and by line').end();
  bare().text('mem               page frames and the heap').end();
  bare().text('map ADDR          what is mapped at an address').end();
  bare().text('log LEVEL         0 nothing, 1 facts, 2 interrupts too').end();
  bare().text('panic             the end, with a report').end();
  bare().text('poweroff          the end').end();
}

function listDisks(): void {
  for (let i: u32 = 0; i < DEVICES_MAX; i++) {
    const disk = disks.hold(i);
    if (disk === null) continue;
    describe(disk);
    disk.drop();
  }
}

function describe(disk: Disk): void {
  const named = disk.readId(ID) && load<u8>(ID) !== 0;
  if (named) bare().text(disk.name).text(': id ').bytes(ID, ID_BYTES).end();
  bare()
    .text(disk.name)
    .decimal(': ', disk.sectors)
    .decimal(' sectors of 512 bytes, in blocks of ', disk.blockSectors * SECTOR_BYTES)
    .decimal(', notified ', disk.kicks())
    .decimal(' times, interrupted ', disk.interrupts())
    .text(' times')
    .end();
}

function logMemory(): void {
  frames.logStatistics();
  logHeap();
}

function listThreads(): void {
  for (let slot: u32 = 0; slot < scheduler.STACKS; slot++) {
    const thread = scheduler.threadAt(slot);
    if (thread !== null) describeThread(thread);
  }
}

function describeThread(thread: Thread): void {
  const cpu = cpus[thread.home]!;
  const state =
    cpu.current === thread
      ? ' runs'
      : thread === cpu.idle
        ? ' idle'
        : thread.state === READY
          ? ' ready'
          : thread.state === ENDED
            ? ' ended'
            : ' waits';
  bare()
    .decimal('', thread.slot)
    .text(' ')
    .text(thread.name)
    .decimal(' on CPU ', thread.home)
    .text(state)
    .end();
}

function listInterrupts(): void {
  for (let i: u32 = 0; i < x86.CPUS; i++) {
    const cpu = cpus[i];
    if (cpu === null || !cpu.online) continue;
    bare()
      .decimal('CPU ', i)
      .decimal(': ', taskletsOf(i).interrupts)
      .decimal(' interrupts, ', taskletsOf(i).count)
      .decimal(' tasklets, ', cpu.switches)
      .text(' switches')
      .end();
  }
  lines.describeAll();
  bare().decimal('', vectors.strayCount()).decimal(' stray, vectors free ', vectors.freeCount()).end();
}

export function shellJob(): void {
  if (!listen()) panic('there is nothing to type on');
  new Monitor().run();
}
