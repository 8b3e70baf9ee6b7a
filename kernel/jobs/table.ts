// All jobs, by the word job= of the command line.

import * as cmdline from '../lib/cmdline.ts';
import { panic } from '../lib/panic.ts';
import { balloonJob } from './balloon.ts';
import { blkbenchJob } from './blkbench.ts';
import { blkverifyJob } from './blkverify.ts';
import { consoleJob } from './console.ts';
import { eduJob } from './edu.ts';
import * as fault from './fault.ts';
import { lspciJob } from './lspci.ts';
import { memoryJob } from './memory.ts';
import { shellJob } from './monitor/shell.ts';
import { netJob } from './net.ts';
import { readJob } from './read.ts';
import { recordsJob } from './records.ts';
import { rngJob } from './rng.ts';
import { threadsJob } from './threads.ts';
import { traceJob } from './trace.ts';

class Job {
  constructor(
    readonly name: string,
    readonly run: () => void,
  ) {}
}

const jobs: StaticArray<Job> = [
  new Job('read', readJob),
  new Job('lspci', lspciJob),
  new Job('trace', traceJob),
  new Job('threads', threadsJob),
  new Job('rng', rngJob),
  new Job('edu', eduJob),
  new Job('memory', memoryJob),
  new Job('net', netJob),
  new Job('shell', shellJob),
  new Job('console', consoleJob),
  new Job('balloon', balloonJob),
  new Job('blkbench', blkbenchJob),
  new Job('blkverify', blkverifyJob),
  new Job('records', recordsJob),
  new Job('none', () => {}),
  new Job('fault-memory', fault.memoryFault),
  new Job('fault-field', fault.fieldFault),
  new Job('fault-copy', fault.copyFault),
  new Job('fault-arguments', () => {
    fault.argumentsFault(2);
  }),
  new Job('fault-division', fault.divisionFault),
  new Job('fault-overflow', fault.overflowFault),
  new Job('fault-unreachable', fault.unreachableFault),
  new Job('fault-call', fault.callFault),
  new Job('fault-atomic', fault.atomicFault),
  new Job('fault-assert', fault.assertFault),
  new Job('fault-stack', () => {
    fault.stackFault(0);
  }),
];

export function runJob(): void {
  const name = cmdline.value('job', 'read');
  for (let i = 0; i < jobs.length; i++) {
    if (jobs[i].name !== name) continue;
    jobs[i].run();
    return;
  }
  const line = cmdline.wrong('job', name).text(': choose');
  for (let i = 0; i < jobs.length; i++) line.text(i > 0 ? ', ' : ' ').text(jobs[i].name);
  line.end();
  panic('unknown job');
}
