// The functions of WASI preview 1 (the witx file of wasi_snapshot_preview1), as runtime/wasi*.c implements them.

import type { ValType } from '../wasm/module.ts';
import type { HostExtern, HostModule } from './extern.ts';

/** Parameter types: i for i32, I for i64. Each function but proc_exit returns an error number, an i32. */
const PARAMS: Record<string, string> = {
  args_get: 'ii',
  args_sizes_get: 'ii',
  environ_get: 'ii',
  environ_sizes_get: 'ii',
  clock_res_get: 'ii',
  clock_time_get: 'iIi',
  fd_advise: 'iIIi',
  fd_allocate: 'iII',
  fd_close: 'i',
  fd_datasync: 'i',
  fd_fdstat_get: 'ii',
  fd_fdstat_set_flags: 'ii',
  fd_fdstat_set_rights: 'iII',
  fd_filestat_get: 'ii',
  fd_filestat_set_size: 'iI',
  fd_filestat_set_times: 'iIIi',
  fd_pread: 'iiiIi',
  fd_prestat_dir_name: 'iii',
  fd_prestat_get: 'ii',
  fd_pwrite: 'iiiIi',
  fd_read: 'iiii',
  fd_readdir: 'iiiIi',
  fd_renumber: 'ii',
  fd_seek: 'iIii',
  fd_sync: 'i',
  fd_tell: 'ii',
  fd_write: 'iiii',
  path_create_directory: 'iii',
  path_filestat_get: 'iiiii',
  path_filestat_set_times: 'iiiiIIi',
  path_link: 'iiiiiii',
  path_open: 'iiiiiIIii',
  path_readlink: 'iiiiii',
  path_remove_directory: 'iii',
  path_rename: 'iiiiii',
  path_symlink: 'iiiii',
  path_unlink_file: 'iii',
  poll_oneoff: 'iiii',
  proc_exit: 'i',
  random_get: 'ii',
  sched_yield: '',
};

/** Those that answer ENOSYS: there are no sockets, and no signals to send. */
const UNSUPPORTED: Record<string, string> = {
  proc_raise: 'i',
  sock_accept: 'iii',
  sock_recv: 'iiiiii',
  sock_send: 'iiiii',
  sock_shutdown: 'ii',
};

function func(name: string, params: string, symbol: string): [string, HostExtern] {
  const results: ValType[] = name === 'proc_exit' ? [] : ['i32'];
  const type = { params: [...params].map((c): ValType => (c === 'i' ? 'i32' : 'i64')), results };
  return [name, { symbol, kind: 'func', type }];
}

export const WASI_MODULE = 'wasi_snapshot_preview1';

export const wasi: HostModule = new Map([
  ...Object.entries(PARAMS).map(([name, params]) => func(name, params, `yaos_wasi_${name}`)),
  ...Object.entries(UNSUPPORTED).map(([name, params]) => func(name, params, 'yaos_wasi_unsupported')),
]);
