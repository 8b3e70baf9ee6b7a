// Boots the machine paused and attaches gdb, with the symbols of the kernel, through a socket of its own.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { UserError } from '../error.ts';
import { out, root } from '../paths.ts';
import { verdict } from './run.ts';
import { SerialLog } from './serial.ts';
import { spawnQemu } from './spawn.ts';

const DEBUGGERS = ['gdb', 'x86_64-elf-gdb'];
/** What gdb knows of C++ fits TypeScript best (build/debug/dwarf.ts). */
const LANGUAGE = 'set extension-language .ts c++';
/** Commands and printers for what the kernel has. */
const HELPERS = 'build/qemu/yaos-gdb.py';
const SOCKET_WAIT_MS_MAX = 10000;
/** From the kernel's last line, or gdb's end if that comes later. */
const END_WAIT_MS_MAX = 2000;

/** The serial line goes to out/gdb-serial.log: the terminal is gdb's. */
export async function runGdb(args: string[], gdbFlags: string[]): Promise<number> {
  const gdb = DEBUGGERS.find((name) => spawnSync(name, ['--version']).status === 0);
  if (gdb === undefined) throw new UserError('yaos: gdb is not installed (make gdb installs it)');
  const directory = mkdtempSync(join(tmpdir(), 'yaos-gdb-'));
  const [stub, socket] = [join(directory, 'qemu'), join(directory, 'gdb')];
  const log = join(out, 'gdb-serial.log');
  const serial = args.map((arg, i) => (args[i - 1] === '-serial' ? `file:${log}` : arg));
  const qemu = spawnQemu([...serial, '-S', '-gdb', `unix:${stub},server=on,wait=off`], {
    stdio: ['ignore', 'ignore', 'inherit'],
    detached: true, // Ctrl-C is for gdb
  });
  const server = relay(stub);
  try {
    await waitFor(stub, () => qemu.exitCode !== null);
    await once(server.listen(socket), 'listening');
    console.error(`gdb: the serial log is in ${log.slice(root.length + 1)}`);
    const status = await debug(gdb, socket, gdbFlags);
    return (await outcome(qemu, log)) ?? status;
  } finally {
    server.close();
    qemu.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  }
}

function debug(gdb: string, socket: string, gdbFlags: string[]): Promise<number> {
  const helpers = `source ${join(root, HELPERS)}`;
  const connect = `target remote ${socket}`;
  const attach = ['-q', '-ex', LANGUAGE, '-ex', helpers, join(out, 'kernel.elf'), '-ex', connect];
  process.on('SIGINT', () => {}); // Ctrl-C stops the guest, by way of gdb
  return new Promise((resolve, reject) => {
    const debugger_ = spawn(gdb, [...attach, ...gdbFlags], { stdio: 'inherit' });
    debugger_.on('error', reject);
    debugger_.on('close', (status) => resolve(status ?? 1));
  });
}

/** The status for what became of the kernel, after a line that says it; undefined: it was still at work. */
async function outcome(qemu: ChildProcess, path: string): Promise<number | undefined> {
  const log = new SerialLog();
  log.add(readFileSync(path));
  if (!log.done && log.panic === null) return undefined;
  const over = () => qemu.exitCode !== null || qemu.signalCode !== null;
  if (!over()) await Promise.race([once(qemu, 'exit'), sleep(END_WAIT_MS_MAX, undefined, { ref: false })]);
  if (!over()) return undefined;
  const end = { status: qemu.exitCode, signal: qemu.signalCode, stopped: null, message: '' };
  const failure = verdict(log, end, 0);
  console.log(`yaos: ${failure ?? 'done'}`);
  return failure === null ? 0 : 1;
}

/**
 * Lets gdb in to QEMU's stub. QEMU's last packet tells of its end, and gdb answers that: with nobody there, it reports a broken
 * connection instead. Here somebody is.
 */
function relay(stub: string): Server {
  return createServer((gdb) => {
    const qemu = connect(stub);
    // By hand: Node's pipe() looks at process.stdout, which makes the terminal or pipe that gdb writes to non-blocking.
    gdb.on('data', (bytes) => qemu.write(bytes)).on('end', () => qemu.end());
    qemu.on('data', (bytes) => gdb.write(bytes)).on('end', () => gdb.end());
    gdb.on('error', () => qemu.destroy());
    qemu.on('error', () => {}); // what gdb says after QEMU's end
  });
}

async function waitFor(socket: string, failed: () => boolean): Promise<void> {
  for (let waited_ms = 0; !existsSync(socket); waited_ms += 10) {
    if (failed() || waited_ms > SOCKET_WAIT_MS_MAX)
      throw new UserError('yaos: QEMU did not open its gdb stub');
    await sleep(10);
  }
}
