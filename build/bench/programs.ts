// The programs of the benchmark. Each module exports run(count: i32) -> i64, which does its work `count` times over
// and returns a checksum. `count` makes that a quarter of a second or more, `smoke` a few milliseconds.

import { crc32Result, sha256Result, xxhashResult, zlibCrc } from './oracles.ts';

export interface RealSource {
  kind: 'real';
  /** Debian's source package. */
  package: string;
  /** Our C file in bench/real with `run`. */
  driver: string;
  /** Shell command that makes generated sources, in the package's folder; and the program it needs. */
  prepare?: { command: string; needs: string; debian: string };
  /** Of clang, paths below the package's folder. */
  include: string;
  files: string[];
  flags: string[];
  /** A file of bench/real that its C code includes as an array of bytes. */
  embed?: string;
}

export type Source = { kind: 'asc'; options: string[] } | { kind: 'c' } | RealSource;

export interface BenchProgram {
  name: string;
  source: Source;
  count: number;
  smoke: number;
  /** What an independent implementation computes; `result` is for those that know only a part of it. */
  oracle?: (count: number, result: bigint) => bigint;
}

/** As the kernel is compiled: kernel/asconfig.json. */
const LIKE_KERNEL = ['--runtime', 'stub', '-O0', '--transform', './kernel/passes.mjs'];
const PLAIN = ['-O3', '--runtime', 'stub'];
const COLLECTED = ['-O3', '--runtime', 'incremental'];

const asc = (name: string, options: string[], count: number, smoke: number): BenchProgram => ({
  name,
  source: { kind: 'asc', options },
  count,
  smoke,
});

const c = (name: string, count: number, smoke: number): BenchProgram => ({
  name,
  source: { kind: 'c' },
  count,
  smoke,
});

const list = (names: string, folder = '.'): string[] => names.split(' ').map((n) => `${folder}/${n}.c`);

const REAL: BenchProgram[] = [
  {
    name: 'real-zlib',
    count: 8,
    smoke: 1,
    oracle: zlibCrc,
    source: {
      kind: 'real',
      package: 'zlib',
      driver: 'zlib.c',
      include: '.',
      files: list('adler32 compress crc32 deflate inffast inflate inftrees trees uncompr zutil'),
      flags: ['-DZ_HAVE_UNISTD_H'],
    },
  },
  {
    name: 'real-bzip2',
    count: 3,
    smoke: 1,
    source: {
      kind: 'real',
      package: 'bzip2',
      driver: 'bzip2.c',
      include: '.',
      files: list('blocksort bzlib compress crctable decompress huffman randtable'),
      flags: ['-DBZ_NO_STDIO'],
    },
  },
  {
    name: 'real-lz4',
    count: 5,
    smoke: 1,
    source: {
      kind: 'real',
      package: 'lz4',
      driver: 'lz4.c',
      include: 'lib',
      files: list('lz4 lz4hc', 'lib'),
      flags: [],
    },
  },
  {
    name: 'real-lua',
    count: 5,
    smoke: 1,
    source: {
      kind: 'real',
      package: 'lua5.4',
      driver: 'lua.c',
      include: 'src',
      files: list(
        'lapi lauxlib lbaselib lcode lctype ldebug ldo ldump lfunc lgc llex lmathlib lmem lobject lopcodes ' +
          'lparser lstate lstring lstrlib ltable ltablib ltm lundump lvm lzio',
        'src',
      ),
      flags: [
        '-DLUA_USE_C89',
        '-D_WASI_EMULATED_SIGNAL',
        // Lua takes both from the clock; every run must do the same.
        '-Dluai_makeseed(L)=0',
        '-Dl_randomizePivot()=0',
      ],
      embed: 'lua-work.lua',
    },
  },
  {
    name: 'real-sqlite',
    count: 16,
    smoke: 1,
    source: {
      kind: 'real',
      package: 'sqlite3',
      driver: 'sqlite.c',
      prepare: { command: './configure --disable-tcl && make sqlite3.c', needs: 'tclsh', debian: 'tcl' },
      include: '.',
      files: ['sqlite3.c'],
      flags: [
        '-DSQLITE_OS_OTHER=1',
        '-DSQLITE_THREADSAFE=0',
        '-DSQLITE_TEMP_STORE=3',
        '-DSQLITE_DEFAULT_MEMSTATUS=0',
        '-DSQLITE_OMIT_WAL',
        '-DSQLITE_OMIT_LOAD_EXTENSION',
        '-D_WASI_EMULATED_GETPID',
      ],
    },
  },
];

export const PROGRAMS: readonly BenchProgram[] = [
  asc('ring', LIKE_KERNEL, 800_000, 100),
  asc('text-hexdump', LIKE_KERNEL, 8000, 5),
  asc('text-utf', PLAIN, 4000, 5),
  asc('text-strings', COLLECTED, 2000, 5),
  { ...asc('sum-crc32', PLAIN, 1000, 5), oracle: crc32Result },
  { ...c('sum-sha256', 800, 2), oracle: sha256Result },
  { ...c('sum-xxhash', 40_000, 5), oracle: xxhashResult },
  asc('sort', PLAIN, 60, 1),
  c('pack-lz', 60, 1),
  c('interpreter', 600, 1),
  c('call-recursive', 1000, 1),
  asc('call-indirect', PLAIN, 2500, 2),
  c('divide', 2_000_000, 100),
  asc('map', COLLECTED, 120, 1),
  c('allocator', 1000, 2),
  c('float-nbody', 1000, 2),
  asc('matrix', PLAIN, 180, 2),
  asc('copy', PLAIN, 10_000_000, 1000),
  ...REAL,
];
