// Reads the guest's serial log as it comes and keeps what tells how the run went. The guest may be broken, so
// only the beginning of a line is kept.

import { StringDecoder } from 'node:string_decoder';

const LINE_BYTES_MAX = 4096;
/** A call of a back trace, in the kernel's own sources; what panics on purpose does so here. */
const CALL = /^panic: #(\d+) \S+ \((kernel\/[\w./-]+\.ts):(\d+)\)$/;
const PANIC_FILE = 'kernel/lib/panic.ts';

export class SerialLog {
  /** The kernel said that it did its job. */
  done = false;
  /** The reason of the first panic. */
  panic: string | null = null;
  /** Where in the sources that was. */
  place: { file: string; line: number } | null = null;
  /** The address of the instruction, where that is one of the place's own. */
  address: bigint | null = null;
  /** What the boot block said when it gave up. */
  bootFailure: string | null = null;
  atLineStart = true;
  private decoder = new StringDecoder('utf8');
  private line = '';
  private rip: bigint | null = null;
  private kernelRuns = false;

  add(bytes: Buffer): void {
    const pieces = this.decoder.write(bytes).split('\n');
    for (const [i, piece] of pieces.entries()) {
      if (this.line.length < LINE_BYTES_MAX) this.line += piece;
      if (i < pieces.length - 1) this.endLine();
    }
    this.atLineStart = this.line === '';
  }

  private endLine(): void {
    const line = this.line.replace(/\r$/, '');
    this.line = '';
    if (line.startsWith('yaos ')) this.kernelRuns = true;
    if (line === 'yaos: done') this.done = true;
    if (line.startsWith('panic: ')) this.panic ??= line.slice('panic: '.length);
    const [, rip] = /^panic: rip ([0-9a-f]{16}) /.exec(line) ?? [];
    if (rip !== undefined) this.rip ??= BigInt(`0x${rip}`);
    const [, depth, file, number] = CALL.exec(line) ?? [];
    if (file !== undefined && file !== PANIC_FILE && this.place === null) {
      this.place = { file, line: Number(number) };
      if (depth === '0') this.address = this.rip;
    }
    if (line.startsWith('boot: ') && !this.kernelRuns) this.bootFailure ??= line.slice('boot: '.length);
  }
}
