// A client of QEMU's gdb stub, by the GDB remote serial protocol (gdb's manual, appendix E): packets `$TEXT#SUM`, each
// acknowledged by `+`; a byte 3 outside of a packet stops the machine.

import type { Socket } from 'node:net';

const INTERRUPT = '\x03';
const WORD_DIGITS = 16;

/** The connection has ended, as it does when the machine is switched off. */
export class Disconnected extends Error {
  override name = 'Disconnected';
}

export class GdbRemote {
  private readonly socket: Socket;
  private received = '';
  private waiting: { resolve(packet: string): void; reject(error: Error): void } | undefined;
  private closed = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (bytes: Buffer) => this.take(bytes));
    socket.on('error', () => this.close());
    socket.on('close', () => this.close());
  }

  /** The numbers of the CPUs' threads, as they are written in packets. */
  async threads(): Promise<string[]> {
    const threads: string[] = [];
    let packet = await this.ask('qfThreadInfo');
    for (; packet.startsWith('m'); packet = await this.ask('qsThreadInfo'))
      threads.push(...packet.slice(1).split(','));
    return threads;
  }

  /** Whether a CPU is halted, until an interrupt. */
  async isHalted(thread: string): Promise<boolean> {
    const text = Buffer.from(await this.ask(`qThreadExtraInfo,${thread}`), 'hex').toString();
    return /\[halted/.test(text);
  }

  /** What follows, registers and memory, is that of a CPU. */
  async select(thread: string): Promise<void> {
    await this.ask(`Hg${thread}`);
  }

  /** The first 17: rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8 to r15, rip. */
  async registers(): Promise<bigint[]> {
    const packet = await this.ask('g');
    return Array.from({ length: 17 }, (_, i) => {
      const digits = packet.slice(i * WORD_DIGITS, (i + 1) * WORD_DIGITS);
      return digits.length === WORD_DIGITS ? Buffer.from(digits, 'hex').readBigUInt64LE() : 0n;
    });
  }

  /** Undefined: it is not mapped. */
  async memory(address: bigint, bytes: number): Promise<Buffer | undefined> {
    const packet = await this.ask(`m${address.toString(16)},${bytes.toString(16)}`);
    const read = Buffer.from(packet, 'hex');
    return read.length === bytes ? read : undefined;
  }

  /** Runs until an instruction is reached for the first time. */
  async runTo(address: bigint): Promise<void> {
    await this.ask(`Z1,${address.toString(16)},1`); // a breakpoint of the processor's: memory is not written
    await this.ask('c');
    await this.ask(`z1,${address.toString(16)},1`);
  }

  /** Runs for some milliseconds; timers of Node's wait for one at least. */
  async runFor(ms: number): Promise<void> {
    const stopped = this.ask('c');
    stopped.catch(() => {});
    if (ms >= 1) await new Promise((resolve) => setTimeout(resolve, ms));
    this.socket.write(INTERRUPT);
    await stopped;
  }

  /** The answer to a packet; of `c` and `s`, when the machine has stopped again. */
  ask(text: string): Promise<string> {
    return new Promise((resolve, reject) => {
      if (this.closed) {
        reject(new Disconnected());
        return;
      }
      this.waiting = { resolve, reject };
      this.send(text);
    });
  }

  private send(text: string): void {
    const sum = Buffer.from(text, 'latin1').reduce((all, byte) => (all + byte) & 0xff, 0);
    this.socket.write(`$${text}#${sum.toString(16).padStart(2, '0')}`, 'latin1');
  }

  private take(bytes: Buffer): void {
    this.received += bytes.toString('latin1');
    for (;;) {
      const packet = /\$([^#]*)#[0-9a-f]{2}/.exec(this.received);
      if (packet === null) return;
      this.received = this.received.slice(packet.index + packet[0].length);
      this.socket.write('+');
      if (packet[1].startsWith('W') || packet[1].startsWith('X')) this.close();
      else this.waiting?.resolve(packet[1]);
    }
  }

  private close(): void {
    this.closed = true;
    this.waiting?.reject(new Disconnected());
  }
}
