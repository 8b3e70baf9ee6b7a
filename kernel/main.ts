// yaos: what happens from the assembly's call of kmain to the power switch, in order. docs/abi.md §7 has the exports.
//
// Interrupt handlers make no objects and give none back. A failed assertion, a bound that is passed or a `throw` becomes
// a panic (lib/panic.ts).
//
// asconfig.json has asc's options, passes.mjs Binaryen's; heap.mjs ties asc's runtime to mm/objects.ts.

import { madt } from './acpi/madt.ts';
import * as power from './acpi/power.ts';
import * as reset from './acpi/reset.ts';
import * as tables from './acpi/tables.ts';
import * as fwcfg from './boot/fwcfg.ts';
import { BootInfo, COMMAND_LINE_BYTES } from './boot/info.ts';
import { MULTIBOOT_MAGIC, readMultiboot } from './boot/multiboot.ts';
import { PVH_MAGIC, readPvh } from './boot/pvh.ts';
import { assignAll } from './bus/pci/assign.ts';
import { moveAsTold } from './bus/pci/move.ts';
import { scan } from './bus/pci/scan.ts';
import { chooseConsole } from './drivers/console.ts';
import { watchSlots } from './drivers/hotplug.ts';
import { attachAll } from './drivers/table.ts';
import * as ioapic from './irq/ioapic.ts';
import * as lines from './irq/line.ts';
import * as vectors from './irq/vectors.ts';
import { interrupt } from './irq/vectors.ts';
import { runJob } from './jobs/table.ts';
import * as cmdline from './lib/cmdline.ts';
import { EXIT_DONE, exit } from './lib/exit.ts';
import { bare, log } from './lib/log.ts';
import { panic } from './lib/panic.ts';
import * as serial from './lib/serial.ts';
import * as trace from './lib/trace.ts';
import * as frames from './mm/frames.ts';
import { addTraceRings } from './mm/trace-ring.ts';
import * as ending from './panic/ending.ts';
import { exception } from './panic/report.ts';
import { Event } from './sched/event.ts';
import * as scheduler from './sched/scheduler.ts';
import { thread_main } from './sched/scheduler.ts';
import * as smp from './sched/smp.ts';
import { cpu_main } from './sched/smp.ts';
import { NEVER, Program } from './sched/thread.ts';
import * as clock from './time/clock.ts';
import { logDate } from './time/date.ts';
import { VERSION } from './version.ts';
import * as x86 from './x86.ts';

export { cpu_main, exception, interrupt, thread_main };

const COMMAND_LINE_FILE = 'opt/yaos/cmdline';
const ROOTS_FILE = 'etc/extra-pci-roots'; // a 64-bit number
const ROOTS_FILE_BYTES: u32 = 8;

const SWITCH_OFF_MS_MAX: u32 = 2000;

/** Called by asm/ on the boot thread, interrupts off. */
export function kmain(magic: u32, info: u32): void {
  trace.phase('console');
  serial.init();
  bare().text('yaos ').text(VERSION).end();
  const boot = readBootInfo(magic, info);
  trace.phase('command line');
  fwcfg.init();
  readCommandLine(boot);
  trace.phase('memory');
  frames.init(boot.ram, boot.loader); // maps all RAM
  trace.phase('ACPI tables');
  tables.init(boot); // needs RAM's map: tables lie at its top
  madt.read();
  addTraceRings(smp.cpusAtMost());
  power.init();
  reset.init();
  ending.init();
  trace.phase('interrupt controllers');
  vectors.init(); // PICs off, local APIC on
  trace.phase('clocks');
  clock.init(); // measures the APIC's timer
  logDate();
  trace.phase('scheduler');
  scheduler.init();
  trace.phase('start of the other CPUs');
  smp.start();
  scheduler.create('main', new MainProgram(), 0);
  scheduler.idle(); // the boot thread lends its stack to waiting
}

function readBootInfo(magic: u32, info: u32): BootInfo {
  const boot = new BootInfo();
  let good: bool = false;
  if (magic === MULTIBOOT_MAGIC) good = readMultiboot(info, boot);
  else if (magic === PVH_MAGIC) good = readPvh(info, boot);
  if (!good) {
    log('boot').hex('unusable boot information at ', info, 8).hex(', magic ', magic, 8).end();
    panic('the boot loader gives no memory map');
  }
  return boot;
}

/** The host's fw_cfg file goes before the boot loader's line. */
function readCommandLine(boot: BootInfo): void {
  const file = heap.alloc(COMMAND_LINE_BYTES) as u32;
  if (fwcfg.readFile(COMMAND_LINE_FILE, file, COMMAND_LINE_BYTES))
    cmdline.add('fw_cfg', file, COMMAND_LINE_BYTES);
  cmdline.add(boot.loader, boot.commandLine, COMMAND_LINE_BYTES);
}

/** Whether there are root buses besides bus 0: QEMU tells the firmware. */
function extraRoots(): bool {
  const file = heap.alloc(ROOTS_FILE_BYTES + 1) as u32;
  return fwcfg.readFile(ROOTS_FILE, file, ROOTS_FILE_BYTES + 1) && load<u64>(file) > 0;
}

/** The main thread: devices, then the job, then off. */
class MainProgram extends Program {
  run(): void {
    trace.phase('PCI scan');
    scan(extraRoots());
    trace.phase('PCI addresses');
    assignAll();
    moveAsTold();
    trace.phase('I/O APICs');
    ioapic.init(); // what the firmware has put in their way is elsewhere now
    trace.phase('wait for the other CPUs');
    smp.awaitStart();
    trace.phase('devices');
    attachAll(); // queues for all CPUs that came
    trace.phase('hot-plug slots');
    watchSlots();
    chooseConsole();
    trace.phase('job');
    runOnCpu(cmdline.number('cpu', 0, x86.CPUS - 1));
    trace.phase('end');
    lines.report();
    log('irq')
      .decimal('', vectors.interruptCount())
      .decimal(' interrupts, ', vectors.strayCount())
      .text(' stray')
      .end();
    bare().text('yaos: done').end();
    if (power.softOff()) awaitSwitchOff();
    exit(EXIT_DONE);
  }
}

/** The job, on another CPU than the main thread's. */
class JobProgram extends Program {
  readonly done: Event = new Event();

  run(): void {
    runJob();
    this.done.signal();
  }
}

function runOnCpu(number: u32): void {
  if (number === 0) {
    runJob();
    return;
  }
  const job = new JobProgram();
  if (!scheduler.isOnline(number) || scheduler.create('job', job, number) === null) {
    log('cmdline').decimal('cpu=', number).text(': no such CPU runs').end();
    panic('the job has no CPU');
  }
  job.done.wait(NEVER);
}

/** By time, not by polls: QEMU on a busy host comes to it late. */
function awaitSwitchOff(): void {
  const deadline = clock.after(SWITCH_OFF_MS_MAX);
  while (clock.now() < deadline) x86.pause();
}
