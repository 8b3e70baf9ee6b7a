// A machine in QEMU that a test talks to while it runs: by QMP, and by sockets for its devices. All are file descriptors
// that QEMU inherits, so there are no ports or files to choose or to wait for.

import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { FROM_KERNEL, QEMU, qemuArguments } from '../../build/qemu/command.ts';
import { openDisk } from '../../build/qemu/disk.ts';
import { parseOptions, type Variables } from '../../build/qemu/options.ts';

const RUN_MS_MAX = 30_000;
const QMP_FD = 3;
/** The first of the sockets that are for devices: `fd=4` in QEMUEXTRA, then 5 and so on. */
export const FIRST_FD = 4;

export interface Ended {
  status: number | null;
  /** Its status, or what killed it. */
  how: string;
  lines: string[];
  stderr: string;
}

interface Message {
  return?: unknown;
  error?: { desc: string };
  event?: string;
  data?: Record<string, unknown>;
}

export class LiveMachine {
  /** Of the log, so far. */
  readonly lines: string[] = [];
  /** By order: descriptor FIRST_FD and so on. */
  readonly sockets: Socket[];
  readonly ended: Promise<Ended>;
  private readonly qmp: Socket;
  private readonly keyboard: Writable;
  private readonly process: ChildProcess;
  private readonly answers: ((message: Message) => void)[] = [];
  private readonly watchers = new Set<() => void>();
  private readonly events: Message[] = [];
  private partial = '';
  private over = false;
  private how = '';
  private stderr = '';

  /** `variables` as for make. */
  constructor(variables: Variables, socketCount = 0, run_ms_max = RUN_MS_MAX) {
    const options = parseOptions({ ...variables, ACCEL: 'tcg' });
    const args = qemuArguments({ options, disk: openDisk(options.disk), accel: 'tcg', from: FROM_KERNEL });
    const control = ['-chardev', `socket,id=qmp,fd=${QMP_FD}`, '-mon', 'chardev=qmp,mode=control'];
    const stdio = ['pipe', 'pipe', 'pipe', ...Array.from({ length: 1 + socketCount }, () => 'pipe' as const)];
    const qemu = spawn(QEMU, [...args, ...control], { stdio: stdio as 'pipe'[] });
    this.process = qemu;
    this.keyboard = qemu.stdin!;
    this.keyboard.on('error', () => {}); // QEMU has ended
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      qemu.kill('SIGKILL');
    }, run_ms_max);
    const sockets = (qemu.stdio as unknown as Socket[]).slice(QMP_FD);
    for (const socket of sockets) socket.on('error', () => {}); // QEMU has ended
    [this.qmp, ...this.sockets] = sockets as [Socket, ...Socket[]];
    qemu.stdout!.on('data', (bytes: Buffer) => this.addLog(bytes.toString('latin1')));
    qemu.stderr!.on('data', (bytes: Buffer) => {
      this.stderr += bytes.toString();
    });
    this.listen();
    this.ended = new Promise((resolve, reject) => {
      qemu.on('error', reject);
      qemu.on('close', (status, signal) => {
        clearTimeout(timer);
        this.over = true;
        this.how = isLate
          ? `no end in ${run_ms_max / 1000} s`
          : signal
            ? `signal ${signal}`
            : `status ${status}`;
        this.notify();
        resolve({ status, how: this.how, lines: this.lines, stderr: this.stderr });
      });
    });
    void this.command('qmp_capabilities');
  }

  /** The first line that matches, now or later. */
  line(pattern: RegExp): Promise<string> {
    return this.when(() => this.lines.find((line) => pattern.test(line)), `no line ${pattern}`);
  }

  /** The data of the first event of that name, from the `skip`th on, now or later. */
  event(name: string, skip = 0): Promise<Record<string, unknown>> {
    const find = () => {
      const found = this.events.filter((message) => message.event === name)[skip];
      return found && (found.data ?? {});
    };
    return this.when(find, `no event ${name}`);
  }

  /** When `find` finds something: it is asked whenever a line or an event has come, or notify() was called. */
  when<T>(find: () => T | undefined, failure: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = find();
        if (found === undefined && !this.over) return;
        this.watchers.delete(look);
        if (found !== undefined) resolve(found);
        else reject(new Error(`${failure}; ${this.how}\n${this.lines.join('\n')}\n${this.stderr}`));
      };
      this.watchers.add(look);
      look();
    });
  }

  /** As a power cut: at once, whatever it is doing. */
  kill(): void {
    this.process.kill('SIGKILL');
  }

  notify(): void {
    for (const look of [...this.watchers]) look();
  }

  /** Types on the serial line. */
  type(text: string): void {
    this.keyboard.write(text);
  }

  /** A command of QMP; its answer. */
  command(execute: string, args: Record<string, unknown> = {}): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.answers.push(({ return: result, error }) => {
        if (error) reject(new Error(`${execute}: ${error.desc}`));
        else resolve(result);
      });
      this.qmp.write(`${JSON.stringify({ execute, arguments: args })}\n`);
    });
  }

  private listen(): void {
    let text = '';
    this.qmp.on('data', (bytes: Buffer) => {
      text += bytes.toString();
      const lines = text.split('\n');
      text = lines.pop()!;
      for (const line of lines) {
        const message: Message = JSON.parse(line);
        if (message.event) this.events.push(message);
        else if ('return' in message || message.error) this.answers.shift()?.(message);
      }
      this.notify();
    });
  }

  private addLog(text: string): void {
    const lines = (this.partial + text).split('\r\n');
    this.partial = lines.pop()!;
    this.lines.push(...lines);
    this.notify();
  }
}
