// A WASI guest that does as it is told: a module that exports every WASI function as it is imported, and a script of
// calls for it with the error number that each must return. Everything runs in one program run.

import { WASI_MODULE, wasi } from '../../build/host/wasi.ts';
import { ask } from './program.ts';

export const PUPPET = `(module
  ${[...wasi]
    .map(([name, extern]) => {
      if (extern.kind !== 'func') return '';
      const { params, results } = extern.type;
      return `(import "${WASI_MODULE}" "${name}" (func $${name} (param ${params.join(' ')}) (result ${results.join(' ')})))`;
    })
    .join('\n  ')}
  ${[...wasi.keys()].map((name) => `(export "${name}" (func $${name}))`).join('\n  ')}
  (memory (export "memory") 2)
  (global $initialized (export "initialized") (mut i32) (i32.const 0))
  (func (export "_initialize") (global.set $initialized (i32.const 1)))
  (func (export "peek") (param i32) (result i64) (i64.load (local.get 0)))
  (func (export "poke") (param i32 i64) (i64.store (local.get 0) (local.get 1))))`;

export const MEMORY_BYTES = 131072;

export const OK = 0;
export const EBADF = 8;
export const EEXIST = 20;
export const EFAULT = 21;
export const EILSEQ = 25;
export const EINVAL = 28;
export const EISDIR = 31;
export const ELOOP = 32;
export const ENAMETOOLONG = 37;
export const ENOENT = 44;
export const ENOSYS = 52;
export const ENOTDIR = 54;
export const ENOTEMPTY = 55;
export const ENOTCAPABLE = 76;

export const RIGHT = { read: 2n, seek: 4n, tell: 32n, write: 64n, readdir: 1n << 14n, all: (1n << 28n) - 1n };
export const OFLAG = { creat: 1, directory: 2, excl: 4, trunc: 8 };
export const FOLLOW = 1;

/** Where the script's own data lies; tests use the rest. */
const PATHS = 0x1000;
const BUFFER_LIST = 0x800;

type Arg = number | bigint;

export class Script {
  private readonly lines: string[] = [];
  private readonly expected: (string | undefined)[] = [];
  private answers: string[] = [];
  private nextPath = PATHS;

  /** Adds a call that returns this error number. */
  call(name: string, args: Arg[], error: number): this {
    return this.line([name, ...args].join(' '), `i32:0x${error.toString(16).padStart(8, '0')}`);
  }

  line(line: string, answer?: string): this {
    this.lines.push(line);
    this.expected.push(answer);
    return this;
  }

  write(address: number, data: string | Uint8Array): this {
    const bytes = Buffer.from(data);
    const padded = Buffer.alloc((bytes.length + 15) & ~7);
    bytes.copy(padded);
    for (let i = 0; i < bytes.length; i += 8)
      this.line(`poke ${address + i} ${padded.readBigUInt64LE(i)}`, '');
    return this;
  }

  /** Places a path and gives its address and length. */
  path(text: string): [number, number] {
    const at = this.nextPath;
    const length = Buffer.byteLength(text);
    this.nextPath += (length + 8) & ~7;
    this.write(at, text);
    return [at, length];
  }

  /** Places a list of one buffer: its address and count. */
  buffer(address: number, length: number): [number, number] {
    const list = Buffer.alloc(8);
    list.writeUInt32LE(address, 0);
    list.writeUInt32LE(length, 4);
    this.write(BUFFER_LIST, list);
    return [BUFFER_LIST, 1];
  }

  /** The memory at this point of the script, to be read when it has run. */
  read(address: number, length: number): () => Buffer {
    const first = this.lines.length;
    for (let i = 0; i < length; i += 8) this.line(`peek ${address + i}`);
    return () => {
      const bytes = Buffer.alloc((length + 7) & ~7);
      for (let i = 0; i < length; i += 8) {
        bytes.writeBigUInt64LE(BigInt(this.answers[first + i / 8].replace('i64:', '')), i);
      }
      return bytes.subarray(0, length);
    };
  }

  /** Runs everything; throws with the first calls that went otherwise. */
  run(program: string, args: string[], env?: Record<string, string>): void {
    this.answers = ask(program, this.lines, { args, env });
    const wrong = this.lines.flatMap((line, i) => {
      const wanted = this.expected[i];
      if (wanted === undefined || wanted === this.answers[i]) return [];
      return [`${line}: ${this.answers[i]} instead of ${wanted}`];
    });
    if (wrong.length > 0) throw new Error(wrong.slice(0, 8).join('\n'));
  }

  open(
    path: string,
    error: number,
    o: { dir?: number; follow?: number; oflags?: number; rights?: bigint; out?: number } = {},
  ): this {
    const {
      dir = 3,
      follow = FOLLOW,
      oflags = 0,
      rights = RIGHT.read | RIGHT.seek | RIGHT.tell,
      out = 0x40,
    } = o;
    const [at, length] = this.path(path);
    return this.call('path_open', [dir, follow, at, length, oflags, rights, RIGHT.all, 0, out], error);
  }
}
