// Child processes of the benchmark: commands whose time is of interest, and programs that answer calls.

import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { UserError } from '../error.ts';

const COMMAND_MS_MAX = 1_800_000;
const CALL_MS_MAX = 60_000;

export function isInstalled(program: string): boolean {
  return spawnSync('sh', ['-c', 'command -v "$1"', 'sh', program]).status === 0;
}

/** Runs a command and returns the processor time that it took. The shell measures it, of all the command starts. */
export function runTimed(command: string[], cwd?: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const script = '"$@" >/dev/null; status=$?; times; exit $status';
    const child = spawn('sh', ['-c', script, 'sh', ...command], { cwd, timeout: COMMAND_MS_MAX });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (bytes) => {
      stdout += bytes;
    });
    child.stderr.on('data', (bytes) => {
      stderr += bytes;
    });
    child.on('error', reject);
    child.on('close', (status) => {
      if (status === 0) resolve(childrenSeconds(stdout));
      else reject(new UserError(`${command[0]}: ${firstError(stderr) ?? `exit status ${status}`}`));
    });
  });
}

/** POSIX `times`: the second line is user and system time of the shell's children, as 0m1.25s. */
function childrenSeconds(times: string): number {
  const figures = times
    .trim()
    .split('\n')
    .at(-1)!
    .matchAll(/(\d+)m([\d.]+)s/g);
  return [...figures].reduce((sum, [, minutes, seconds]) => sum + Number(minutes) * 60 + Number(seconds), 0);
}

function firstError(stderr: string): string | undefined {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '');
  return lines.find((line) => /error|cannot|fail/i.test(line)) ?? lines[0];
}

export interface Answer {
  result: bigint;
  time_ms: number;
}

/** A program that answers each line `run COUNT` with a line `i64:0x…`, as hosted programs do (docs/hosted.md). */
export class Session {
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly lines: AsyncIterator<string>;
  private stderr = '';

  constructor(command: string[]) {
    this.child = spawn(command[0], command.slice(1));
    this.child.stderr.on('data', (bytes) => {
      this.stderr += bytes;
    });
    this.child.stdin.on('error', () => {}); // that it has ended is seen at the next answer
    this.child.on('error', () => {});
    this.lines = createInterface(this.child.stdout)[Symbol.asyncIterator]();
  }

  /** The time is the processor's while the call runs, where the system tells it to the microsecond. */
  async run(count: number): Promise<Answer> {
    const timer = setTimeout(() => this.child.kill('SIGKILL'), CALL_MS_MAX);
    const before = await this.clock_ms();
    this.child.stdin.write(`run ${count}\n`);
    const { value, done } = await this.lines.next();
    const time_ms = (await this.clock_ms()) - before;
    clearTimeout(timer);
    if (done) throw new UserError(firstError(this.stderr) ?? 'ended without an answer');
    const answer = /^i64:(0x[0-9a-f]+)$/.exec(value);
    if (answer === null) throw new UserError(value);
    return { result: BigInt(answer[1]), time_ms };
  }

  stop(): void {
    this.child.stdin.end();
    this.child.kill();
  }

  /** The system brings its account up to date when the process goes to sleep. */
  private async clock_ms(): Promise<number> {
    try {
      while (readFileSync(`/proc/${this.child.pid}/stat`, 'latin1').includes(') R ')) await pause(1);
      return Number(readFileSync(`/proc/${this.child.pid}/schedstat`, 'latin1').split(' ')[0]) / 1e6;
    } catch {
      return performance.now();
    }
  }
}
