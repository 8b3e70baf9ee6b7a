// WASI preview 1: files below --dir and nothing outside of it, descriptors, clocks, polling, arguments, exit status.
// What the guest did to files is looked at with node:fs.

import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import * as guest from './guest.ts';
import { EBADF, EFAULT, ENOENT, ENOTCAPABLE, ENOTDIR, OFLAG, OK, PUPPET, RIGHT, Script } from './guest.ts';
import { makeProgram, run } from './program.ts';

let program: string;
let base: string;
let root: string;

beforeAll(async () => {
  program = await makeProgram('wasi', PUPPET, { wasi: true });
});

/** base/root is the guest's; base/outside is not. */
beforeEach(() => {
  base = fs.mkdtempSync(join(tmpdir(), 'yaos-wasi-'));
  root = join(base, 'root');
  fs.mkdirSync(join(root, 'sub/deeper'), { recursive: true });
  fs.mkdirSync(join(base, 'outside'));
  fs.writeFileSync(join(base, 'outside/secret'), 'secret');
  fs.writeFileSync(join(root, 'file'), 'hello, world');
  fs.writeFileSync(join(root, 'sub/inner'), 'inner');
  fs.symlinkSync('sub', join(root, 'to-sub'));
  fs.symlinkSync('to-sub/../sub/inner', join(root, 'to-inner'));
  fs.symlinkSync('../outside', join(root, 'escape'));
  fs.symlinkSync('../outside/secret', join(root, 'escape-file'));
  fs.symlinkSync('/etc/passwd', join(root, 'absolute'));
  fs.symlinkSync('loop', join(root, 'loop'));
  fs.symlinkSync('sub/missing', join(root, 'dangling'));
});

afterEach(() => fs.rmSync(base, { recursive: true }));

const runIn = (script: Script, env?: Record<string, string>): void =>
  script.run(program, [`--dir=${root}::/data`], env);

describe('files', () => {
  it('reads, seeks and closes', () => {
    const s = new Script();
    s.open('file', OK);
    const [list, one] = s.buffer(0x2000, 7);
    s.call('fd_read', [4, list, one, 0x48], OK);
    const first = s.read(0x2000, 7);
    const firstCount = s.read(0x48, 4);
    s.call('fd_tell', [4, 0x50], OK);
    const told = s.read(0x50, 8);
    s.call('fd_seek', [4, -5n, 2, 0x50], OK);
    s.call('fd_read', [4, list, one, 0x48], OK);
    const last = s.read(0x2000, 5);
    const lastCount = s.read(0x48, 4);
    s.call('fd_read', [4, list, one, 0x48], OK);
    const endCount = s.read(0x48, 4);
    s.call('fd_pread', [4, list, one, 2n, 0x48], OK);
    const middle = s.read(0x2000, 7);
    s.call('fd_seek', [4, -100n, 1, 0x50], guest.EINVAL);
    s.call('fd_seek', [4, 0n, 3, 0x50], guest.EINVAL);
    s.call('fd_write', [4, list, one, 0x48], ENOTCAPABLE);
    s.call('fd_filestat_get', [4, 0x3000], ENOTCAPABLE);
    s.call('fd_close', [4], OK);
    s.call('fd_read', [4, list, one, 0x48], EBADF);
    s.call('fd_close', [4], EBADF);
    runIn(s);
    expect(first().toString()).toBe('hello, ');
    expect(firstCount().readUInt32LE()).toBe(7);
    expect(told().readBigUInt64LE()).toBe(7n);
    expect(last().toString()).toBe('world');
    expect([lastCount().readUInt32LE(), endCount().readUInt32LE()]).toEqual([5, 0]);
    expect(middle().toString()).toBe('llo, wo');
  });

  it('creates, writes, truncates and times', () => {
    const s = new Script();
    const rights = RIGHT.all;
    s.open('new', OK, { oflags: OFLAG.creat | OFLAG.excl, rights });
    s.write(0x2000, 'abcdefgh');
    const [list, one] = s.buffer(0x2000, 6);
    s.call('fd_write', [4, list, one, 0x48], OK);
    const [list2] = s.buffer(0x2006, 2);
    s.call('fd_pwrite', [4, list2, one, 1n, 0x48], OK);
    s.call('fd_filestat_set_size', [4, 8n], OK);
    s.call('fd_allocate', [4, 0n, 10n], OK);
    s.call('fd_sync', [4], OK).call('fd_datasync', [4], OK).call('fd_advise', [4, 0n, 0n, 1], OK);
    s.call('fd_filestat_set_times', [4, 1_500_000_000n, 2_250_000_000n, 5], OK);
    s.call('fd_filestat_set_times', [4, 0n, 0n, 3], guest.EINVAL);
    s.call('fd_filestat_get', [4, 0x3000], OK);
    const stat = s.read(0x3000, 64);
    s.call('fd_fdstat_get', [4, 0x3100], OK);
    const fdstat = s.read(0x3100, 24);
    s.open('new', guest.EEXIST, { oflags: OFLAG.creat | OFLAG.excl, rights });
    s.open('dangling', OK, { oflags: OFLAG.creat, rights }); // makes sub/missing
    s.open('file', OK, { oflags: OFLAG.trunc, rights });
    runIn(s);
    expect(fs.existsSync(join(root, 'sub/missing'))).toBe(true);
    expect(fs.statSync(join(root, 'file')).size).toBe(0);
    const host = fs.statSync(join(root, 'new'), { bigint: true });
    const fields = [0, 8, 24, 32, 40, 48, 56].map((at) => stat().readBigUInt64LE(at));
    const times = [host.atimeNs, host.mtimeNs, host.ctimeNs];
    expect(fields).toEqual([host.dev, host.ino, 1n, 10n, ...times]);
    expect(times.slice(0, 2)).toEqual([1_500_000_000n, 2_250_000_000n]);
    expect(fs.readFileSync(join(root, 'new'), 'latin1')).toBe('aghdef\0\0\0\0');
    expect(stat()[16]).toBe(4);
    expect(fdstat()[0]).toBe(4);
    expect(fdstat().readBigUInt64LE(8) & (1n << 13n)).toBe(0n); // no path_open on a file
  });

  it('makes, renames, links and removes', () => {
    const s = new Script();
    const at = (text: string): [number, number] => s.path(text);
    s.call('path_create_directory', [3, ...at('d')], OK);
    s.call('path_create_directory', [3, ...at('d/')], guest.EEXIST);
    s.call('path_create_directory', [3, ...at('e/')], OK);
    s.call('path_rename', [3, ...at('file'), 3, ...at('d/moved')], OK);
    s.call('path_remove_directory', [3, ...at('d')], guest.ENOTEMPTY);
    s.call('path_remove_directory', [3, ...at('e')], OK);
    s.call('path_link', [3, 0, ...at('d/moved'), 3, ...at('linked')], OK);
    s.call('path_symlink', [...at('d/moved'), 3, ...at('symlinked')], OK);
    s.call('path_symlink', [...at('/etc'), 3, ...at('bad')], ENOTCAPABLE);
    s.call('path_readlink', [3, ...at('symlinked'), 0x3000, 4, 0x48], OK);
    const target = s.read(0x3000, 8);
    const length = s.read(0x48, 4);
    s.call('path_filestat_get', [3, 1, ...at('symlinked'), 0x3100], OK);
    const followed = s.read(0x3110, 1);
    s.call('path_filestat_get', [3, 0, ...at('symlinked'), 0x3100], OK);
    const unfollowed = s.read(0x3110, 1);
    s.call('path_filestat_set_times', [3, 1, ...at('symlinked'), 0n, 3_000_000_000n, 4], OK);
    s.call('path_unlink_file', [3, ...at('d')], guest.EISDIR);
    s.call('path_unlink_file', [3, ...at('linked/')], ENOTDIR);
    s.call('path_unlink_file', [3, ...at('symlinked')], OK);
    s.call('path_unlink_file', [3, ...at('none')], ENOENT);
    runIn(s);
    expect(target().subarray(0, length().readUInt32LE()).toString()).toBe('d/mo');
    expect([followed()[0], unfollowed()[0]]).toEqual([4, 7]);
    const linked = fs.statSync(join(root, 'linked'));
    expect([linked.nlink, linked.mtimeMs]).toEqual([2, 3000]);
    const left = [
      'absolute',
      'd',
      'dangling',
      'escape',
      'escape-file',
      'linked',
      'loop',
      'sub',
      'to-inner',
      'to-sub',
    ];
    expect(fs.readdirSync(root).toSorted()).toEqual(left);
  });

  it('lists a directory in pieces', () => {
    for (let i = 0; i < 40; i++) fs.writeFileSync(join(root, 'sub', `name-${i}`), '');
    // The guest goes on from the cookie of the last whole entry, so each piece needs a run of its own.
    const names: string[] = [];
    let cookie = 0n;
    for (let piece = 0; piece < 50; piece++) {
      const s = new Script().open('sub', OK, { oflags: OFLAG.directory, rights: RIGHT.readdir });
      s.call('fd_readdir', [4, 0x3000, 300, cookie, 0x48], OK);
      const used = s.read(0x48, 4);
      const bytes = s.read(0x3000, 300);
      runIn(s);
      let at = 0;
      while (at + 24 <= used().readUInt32LE()) {
        const end = at + 24 + bytes().readUInt32LE(at + 16);
        if (end > used().readUInt32LE()) break;
        cookie = bytes().readBigUInt64LE(at);
        names.push(`${bytes()[at + 20]} ${bytes().toString('utf8', at + 24, end)}`);
        at = end;
      }
      if (used().readUInt32LE() < 300) break;
    }
    const host = fs.readdirSync(join(root, 'sub'), { withFileTypes: true });
    const wanted = host.map((e) => `${e.isDirectory() ? 3 : 4} ${e.name}`);
    expect(names.toSorted()).toEqual(['3 .', '3 ..', ...wanted].toSorted());
  });
});

describe('the sandbox', () => {
  const INSIDE: [string, number][] = [
    ['sub/../file', OK],
    ['./sub/./deeper/../../file', OK],
    ['to-sub/inner', OK],
    ['to-inner', OK],
    ['sub//inner', OK],
    ['to-sub/', OK],
    ['.', OK],
    ['sub/..', OK],
    ['file/', ENOTDIR],
    ['file/x', ENOTDIR],
    ['to-inner/x', ENOTDIR],
    ['none', ENOENT],
    ['none/x', ENOENT],
    ['dangling', ENOENT],
    ['', ENOENT],
    ['loop', guest.ELOOP],
    ['loop/x', guest.ELOOP],
    [`${'x'.repeat(256)}`, guest.ENAMETOOLONG],
    [`${'sub/../'.repeat(800)}file`, guest.ENAMETOOLONG],
    ['sub\0/inner', guest.EILSEQ],
  ];
  const OUTSIDE = [
    ...['..', '../outside/secret', '/etc/passwd', '/', 'sub/../../outside/secret', 'sub/deeper/../../..'],
    ...['escape', 'escape/secret', 'escape/', 'escape-file', 'absolute', 'to-sub/../../outside/secret'],
    ...['escape/../root/file', './..'],
  ];

  it.each(INSIDE)('opens %j: %i', (path, error) => {
    const s = new Script().open(path, error);
    runIn(s);
  });

  it.each(OUTSIDE)('keeps %j closed', (path) => {
    runIn(new Script().open(path, ENOTCAPABLE));
    runIn(new Script().open(path, ENOTCAPABLE, { oflags: OFLAG.creat, rights: RIGHT.all }));
  });

  it('does not follow a last link when told not to', () => {
    const s = new Script();
    s.open('escape-file', guest.ELOOP, { follow: 0 });
    s.open('to-inner', guest.ELOOP, { follow: 0 });
    s.open('escape-file', guest.EEXIST, { oflags: OFLAG.creat | OFLAG.excl, rights: RIGHT.all });
    runIn(s);
  });

  it('lets no other operation out', () => {
    const s = new Script();
    for (const path of ['../outside/secret', 'escape/secret', '/etc/passwd']) {
      const at = s.path(path);
      const own = s.path('sub/inner');
      const fresh = s.path('sub/fresh');
      s.call('path_filestat_get', [3, 1, ...at, 0x3000], ENOTCAPABLE);
      s.call('path_filestat_set_times', [3, 1, ...at, 0n, 0n, 10], ENOTCAPABLE);
      s.call('path_unlink_file', [3, ...at], ENOTCAPABLE);
      s.call('path_remove_directory', [3, ...at], ENOTCAPABLE);
      s.call('path_create_directory', [3, ...at], ENOTCAPABLE);
      s.call('path_rename', [3, ...at, 3, ...fresh], ENOTCAPABLE);
      s.call('path_rename', [3, ...own, 3, ...at], ENOTCAPABLE);
      s.call('path_link', [3, 1, ...at, 3, ...fresh], ENOTCAPABLE);
      s.call('path_link', [3, 1, ...own, 3, ...at], ENOTCAPABLE);
      s.call('path_symlink', [...own, 3, ...at], ENOTCAPABLE);
      s.call('path_readlink', [3, ...at, 0x3000, 100, 0x48], ENOTCAPABLE);
    }
    runIn(s);
    expect(fs.readdirSync(join(base, 'outside'))).toEqual(['secret']);
    expect(fs.readFileSync(join(base, 'outside/secret'), 'utf8')).toBe('secret');
    expect(fs.readdirSync(join(root, 'sub')).toSorted()).toEqual(['deeper', 'inner']);
  });

  it('gives a directory only the rights it was opened with', () => {
    const s = new Script();
    s.open('sub', OK, { oflags: OFLAG.directory, rights: RIGHT.readdir });
    s.open('inner', ENOTCAPABLE, { dir: 4 });
    s.open('../file', ENOTCAPABLE, { dir: 4 });
    s.open('inner', ENOTDIR, { dir: 1 });
    runIn(s);
  });
});

describe('descriptors and memory', () => {
  it('names its directories', () => {
    const s = new Script();
    s.call('fd_prestat_get', [3, 0x2000], OK);
    const first = s.read(0x2000, 8);
    s.call('fd_prestat_dir_name', [3, 0x2010, 5], OK);
    const name = s.read(0x2010, 5);
    s.call('fd_prestat_dir_name', [3, 0x2010, 4], guest.ENAMETOOLONG);
    s.call('fd_prestat_get', [4, 0x2000], OK);
    const second = s.read(0x2004, 4);
    s.call('fd_prestat_get', [5, 0x2000], EBADF).call('fd_prestat_get', [0, 0x2000], EBADF);
    s.run(program, [`--dir=${root}::/data`, `--dir=${base}`]);
    expect([first().readUInt32LE(0), first().readUInt32LE(4)]).toEqual([0, 5]);
    expect(name().toString()).toBe('/data');
    expect(second().readUInt32LE()).toBe(base.length);
  });

  it('renumbers, drops rights and sets flags', () => {
    const s = new Script();
    s.open('file', OK).open('sub/inner', OK);
    s.call('fd_renumber', [5, 4], OK).call('fd_close', [5], EBADF);
    const [list, one] = s.buffer(0x2000, 5);
    s.call('fd_read', [4, list, one, 0x48], OK);
    const text = s.read(0x2000, 5);
    s.call('fd_fdstat_set_rights', [4, RIGHT.read, 0n], OK);
    s.call('fd_fdstat_set_rights', [4, RIGHT.read | RIGHT.seek, 0n], ENOTCAPABLE);
    s.call('fd_seek', [4, 0n, 0, 0x50], ENOTCAPABLE);
    s.open('file', OK, { rights: RIGHT.all });
    s.call('fd_fdstat_set_flags', [5, 5], OK).call('fd_fdstat_get', [5, 0x3000], OK);
    const flags = s.read(0x3002, 2);
    runIn(s);
    expect(text().toString()).toBe('inner');
    expect(flags().readUInt16LE()).toBe(5);
  });

  it('checks every address', () => {
    const end = guest.MEMORY_BYTES;
    const s = new Script();
    s.open('file', OK, { rights: RIGHT.all });
    const path = s.path('file');
    const [list, one] = s.buffer(end - 4, 5);
    s.call('fd_read', [4, list, one, 0x48], EFAULT).call('fd_write', [4, list, one, 0x48], EFAULT);
    s.call('fd_read', [4, end - 4, 1, 0x48], EFAULT).call('fd_read', [4, 0, 0xffffffff, 0x48], EFAULT);
    s.buffer(0x2000, 5);
    s.call('fd_read', [4, list, one, end - 3], EFAULT);
    s.call('fd_filestat_get', [4, end - 63], EFAULT).call('fd_fdstat_get', [4, -1], EFAULT);
    s.call('path_open', [3, 0, end - 1, 2, 0, 2n, 0n, 0, 0x48], EFAULT);
    s.call('path_open', [3, 0, ...path, 0, 2n, 0n, 0, end - 3], EFAULT);
    s.call('path_readlink', [3, ...path, end - 1, 2, 0x48], EFAULT);
    s.call('fd_readdir', [3, end - 1, 2, 0n, 0x48], EFAULT);
    s.call('random_get', [end - 1, 2], EFAULT).call('args_sizes_get', [0x48, end - 3], EFAULT);
    s.call('clock_time_get', [0, 0n, end - 7], EFAULT).call('poll_oneoff', [end - 47, 0, 1, 0x48], EFAULT);
    s.call('environ_get', [0x3000, end - 1], EFAULT);
    s.call('fd_close', [0xffffffff], EBADF);
    runIn(s);
  });

  it('answers ENOSYS for sockets and signals', () => {
    const s = new Script();
    s.call('sock_shutdown', [3, 0], guest.ENOSYS).call('proc_raise', [1], guest.ENOSYS);
    s.call('sock_accept', [3, 0, 0], guest.ENOSYS).call('sock_recv', [3, 0, 0, 0, 0, 0], guest.ENOSYS);
    s.call('sock_send', [3, 0, 0, 0, 0], guest.ENOSYS);
    runIn(s.line('initialized', 'i32:0x00000001'));
  });
});

describe('clocks, random numbers and polling', () => {
  it('tells the time and random bytes', () => {
    const before = BigInt(Date.now()) * 1_000_000n;
    const s = new Script();
    s.call('clock_time_get', [0, 0n, 0x2000], OK).call('clock_time_get', [1, 0n, 0x2008], OK);
    s.call('clock_time_get', [4, 0n, 0x2000], guest.EINVAL).call('clock_res_get', [1, 0x2010], OK);
    const times = s.read(0x2000, 24);
    s.call('random_get', [0x3000, 64], OK).call('random_get', [0x3040, 64], OK).call('sched_yield', [], OK);
    const random = s.read(0x3000, 128);
    runIn(s);
    const [real, monotonic, resolution] = [0, 8, 16].map((at) => times().readBigUInt64LE(at));
    expect(real >= before - 1_000_000n && real <= BigInt(Date.now() + 1) * 1_000_000n).toBe(true);
    expect(monotonic > 0n && resolution > 0n && resolution < 1_000_000_000n).toBe(true);
    expect(random().subarray(0, 64)).not.toEqual(random().subarray(64));
  });

  it('polls clocks and descriptors', () => {
    const subscription = (userdata: bigint, tag: number, fields: (b: Buffer) => void): Buffer => {
      const b = Buffer.alloc(48);
      b.writeBigUInt64LE(userdata, 0);
      b.writeUInt8(tag, 8);
      fields(b);
      return b;
    };
    const clock = (userdata: bigint, ns: bigint): Buffer =>
      subscription(userdata, 0, (b) => {
        b.writeUInt32LE(1, 16);
        b.writeBigUInt64LE(ns, 24);
      });
    const fd = (userdata: bigint, tag: number, number: number): Buffer =>
      subscription(userdata, tag, (b) => b.writeUInt32LE(number, 16));
    const s = new Script();
    s.write(0x2000, Buffer.concat([clock(7n, 2_000_000n), clock(8n, 3_600_000_000_000n)]));
    s.call('poll_oneoff', [0x2000, 0x3000, 2, 0x48], OK);
    const clocks = s.read(0x3000, 32);
    const clockCount = s.read(0x48, 4);
    s.write(0x2000, Buffer.concat([clock(1n, 3_600_000_000_000n), fd(2n, 2, 2), fd(3n, 1, 99)]));
    s.call('poll_oneoff', [0x2000, 0x3000, 3, 0x48], OK);
    const fds = s.read(0x3000, 64);
    const fdCount = s.read(0x48, 4);
    s.call('poll_oneoff', [0x2000, 0x3000, 0, 0x48], guest.EINVAL);
    const start = Date.now();
    runIn(s);
    expect(Date.now() - start).toBeGreaterThanOrEqual(2);
    expect([clockCount().readUInt32LE(), clocks().readBigUInt64LE(0), clocks()[10]]).toEqual([1, 7n, 0]);
    expect(fdCount().readUInt32LE()).toBe(2);
    expect([fds().readBigUInt64LE(0), fds().readUInt16LE(8), fds()[10]]).toEqual([2n, OK, 2]);
    expect([fds().readBigUInt64LE(32), fds().readUInt16LE(40), fds()[42]]).toEqual([3n, EBADF, 1]);
  });
});

describe('a command', () => {
  /** Prints its arguments, or the environment if the first one is "env"; then exits with their number or traps. */
  const COMMAND = `(module
    (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_sizes_get" (func $env_sizes (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_get" (func $env (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 4)
    (func $print (param i32 i32)
      (i32.store (i32.const 0) (local.get 0)) (i32.store (i32.const 4) (local.get 1))
      (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
    (func (export "_start")
      (drop (call $args_sizes (i32.const 16) (i32.const 20)))
      (drop (call $args (i32.const 1024) (i32.const 4096)))
      (call $print (i32.const 4096) (i32.load (i32.const 20)))
      (drop (call $env_sizes (i32.const 24) (i32.const 28)))
      (drop (call $env (i32.const 8192) (i32.const 65536)))
      (call $print (i32.const 65536) (i32.load (i32.const 28)))
      (i32.store (i32.const 0) (i32.const 200000)) (i32.store (i32.const 4) (i32.const 100))
      (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
      (call $print (i32.const 200000) (i32.load (i32.const 8)))
      (if (i32.eq (i32.load (i32.const 16)) (i32.const 4)) (then unreachable))
      (if (i32.eq (i32.load (i32.const 16)) (i32.const 3)) (then (call $exit (i32.const 42)) unreachable))))`;

  it('gets arguments, environment and input, and ends with its status', async () => {
    const command = await makeProgram('command', COMMAND, { wasi: true });
    const plain = run(command, ['--dir=/', 'one'], { input: 'typed', env: { YAOS_TEST: 'a b' } });
    expect(plain).toMatchObject({ stderr: '', status: 0 });
    const strings = plain.stdout.split('\0');
    expect(strings.slice(0, 2)).toEqual([command, 'one']);
    expect(strings).toContain('YAOS_TEST=a b');
    expect(strings.at(-1)).toBe('typed');
    expect(run(command, ['one', '--dir=/'])).toMatchObject({ stderr: '', status: 42 });
    expect(run(command, ['one', 'two', '3'])).toMatchObject({ stderr: 'trap: unreachable\n', status: 3 });
    const missing = run(command, ['--dir=/nowhere']);
    const line = `${command}: /nowhere: No such file or directory\n`;
    expect(missing).toEqual({ stdout: '', stderr: line, status: 1 });
  });
});
