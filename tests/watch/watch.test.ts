// `yaos watch` on a copy of the checkout: what is changed is seen in the next boot's log, what is wrong with its line and a caret,
// and nothing is left behind.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';

vi.setConfig({ testTimeout: 240_000 }); // a few builds each, on whatever machine

let copy: string;
let watching: ChildProcess;
let ended: Promise<number | null>;
let output = '';
let read = 0;
let notify = () => {};

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'yaos-watch-'));
  for (const name of ['package.json', 'package-lock.json', 'kernel', 'boot', 'asm', 'build', 'out'])
    cpSync(name, join(copy, name), {
      recursive: true,
      preserveTimestamps: true,
      filter: (path) => !path.endsWith('.img') && resolve(path) !== resolve('out/watch'),
    });
  symlinkSync(resolve('node_modules'), join(copy, 'node_modules'));
  const env = { ...process.env, DISK: 'none', APPEND: 'job=none', ACCEL: 'tcg' };
  watching = spawn(process.execPath, ['out/yaos', 'watch', '--kernel'], { cwd: copy, env });
  ended = new Promise((resolve) => {
    watching.on('close', resolve);
  });
  for (const stream of [watching.stdout!, watching.stderr!])
    stream.on('data', (bytes: Buffer) => {
      output += bytes.toString().replaceAll('\r', '');
      notify();
    });
});

afterAll(() => {
  watching.kill('SIGKILL');
  rmSync(copy, { recursive: true });
});

/** What comes up to the first match, from what has come before on. */
function until(pattern: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    const look = () => {
      const match = pattern.exec(output.slice(read));
      if (!match) return;
      const end = read + match.index + match[0].length;
      const text = output.slice(read, end);
      read = end;
      notify = () => {};
      resolve(text);
    };
    notify = look;
    void ended.then(() => reject(new Error(`it ended:\n${output}`)));
    look();
  });
}

const WAITING = /yaos: done\nwatch: waiting for a change\n/;
const path = (name: string) => join(copy, name);
const text = (name: string) => readFileSync(path(name), 'utf8');

function edit(name: string, from: string, to: string): void {
  const before = text(name);
  expect(before).toContain(from);
  writeFileSync(
    path(name),
    before.replace(from, () => to),
  );
}

test('builds and boots', async () => {
  const log = await until(WAITING);
  expect(log).toMatch(/watch: built, not optimised, \d+\.\d\d s after the change\n/);
  expect(log).toContain('yaos 0.1.0\n');
});

test('boots what has been changed, with what depends on it', async () => {
  edit('kernel/main.ts', "text('yaos: done')", "text('changed').end();\n    bare().text('yaos: done')");
  const log = await until(WAITING);
  expect(log).toContain('watch: kernel/main.ts changed\n');
  expect(log).toContain('\nchanged\nyaos: done\n');
  edit('kernel/version.ts', '0.1.0', '9.9.9'); // another file's constant
  expect(await until(WAITING)).toContain('\nyaos 9.9.9\n');
});

test('boots a function more and a global less', async () => {
  edit(
    'kernel/lib/exit.ts',
    'export function exit(',
    'let calls: u32 = 0;\nfunction count(): u32 { return ++calls; }\nexport function exit(',
  );
  edit('kernel/main.ts', "text('changed')", "decimal('exit ', exit(0x10 - 0x10 + 4711))");
  const log = await until(/watch: (built|waiting)|error/);
  expect(log).toMatch(/error/); // exit() returns nothing
  edit('kernel/main.ts', "decimal('exit ', exit(0x10 - 0x10 + 4711))", "decimal('seven ', seven() - offset)");
  edit(
    'kernel/main.ts',
    'function runOnCpu',
    'let offset: u32 = 4;\nfunction seven(): u32 { return 11; }\n\nfunction runOnCpu',
  );
  expect(await until(WAITING)).toContain('\nseven 7\nyaos: done\n');
});

test('shows an error of TypeScript with its line and a caret, and boots when it is mended', async () => {
  edit('kernel/main.ts', 'seven() - offset', 'seven() - ofset');
  const line =
    text('kernel/main.ts')
      .split('\n')
      .findIndex((source) => source.includes('ofset')) + 1;
  const source = text('kernel/main.ts').split('\n')[line - 1];
  const column = source.indexOf('ofset') + 1;
  const shown = await until(/compile error\(s\)\n/);
  const margin = ' '.repeat(`${line}`.length);
  expect(shown).toContain(
    [
      `kernel/main.ts:${line}:${column}: error 2304: Cannot find name 'ofset'.`,
      `${line} | ${source}`,
      `${margin} | ${' '.repeat(column - 1)}^~~~~`,
    ].join('\n'),
  );
  edit('kernel/main.ts', 'ofset', 'offset');
  expect(await until(WAITING)).toContain('\nseven 7\n');
});

test('shows an error of assembly with its line, and boots when it is mended', async () => {
  const before = text('asm/start.S');
  edit('asm/start.S', '\tcall kmain\n', '\tcall\tkmain, %nothing\n');
  const line = before.slice(0, before.indexOf('\tcall kmain\n')).split('\n').length;
  const shown = await until(/failed with status 1\n/);
  expect(shown).toMatch(
    new RegExp(
      `^asm/start\\.S:${line}:2: Error: bad register name .*\n${line} \\| \tcall\tkmain, %nothing\n +\\| \t\\^\n`,
      'm',
    ),
  );
  edit('asm/start.S', '\tcall\tkmain, %nothing\n', '\tcall nowhere\n');
  expect(await until(/failed with status 1\n/)).toMatch(
    new RegExp(`^asm/start\\.S:${line}:2: undefined reference to .nowhere.$`, 'm'),
  );
  writeFileSync(path('asm/start.S'), before);
  await until(WAITING);
});

test('what is proved of the kernel fails it too', async () => {
  edit(
    'kernel/irq/vectors.ts',
    'interrupt(vector: u32): void {\n',
    'interrupt(vector: u32): void {\n  new StaticArray<u8>(vector);\n',
  );
  expect(await until(/watch: built|must never.*\n/)).toMatch(
    /interrupt must never allocate: kernel\/irq\/vectors\/interrupt > /,
  );
  edit('kernel/irq/vectors.ts', '  new StaticArray<u8>(vector);\n', '');
  await until(WAITING);
});

test('a file that vanishes is an error, and one that comes back is none', async () => {
  renameSync(path('kernel/lib/random.ts'), path('kernel/lib/random.away'));
  expect(await until(/error\(s\)\n/)).toContain("File 'kernel/lib/random.ts' not found");
  const hourAgo = Date.now() / 1000 - 3600;
  utimesSync(path('kernel/lib/random.away'), hourAgo, hourAgo); // moved into place, it is no newer
  renameSync(path('kernel/lib/random.away'), path('kernel/lib/random.ts'));
  const [, seconds] = /([\d.]+) s after the change/.exec(await until(WAITING))!;
  expect(Number(seconds)).toBeLessThan(1000);
});

test('several saves in a row end in a boot of the last one', async () => {
  for (let i = 1; i <= 5; i++)
    edit('kernel/main.ts', i === 1 ? "'seven '" : `'${i - 1} saves '`, `'${i} saves '`);
  await until(/\n5 saves 7\nyaos: done\nwatch: waiting for a change\n/);
  // One more comes while the first is built.
  appendFileSync(path('kernel/main.ts'), '// more\n');
  await until(/main\.ts changed\n/);
  edit('kernel/main.ts', "'5 saves '", "'six '");
  await until(/\nsix 7\nyaos: done\nwatch: waiting for a change\n/);
});

test('an interrupt ends it with its machine', async () => {
  edit(
    'kernel/main.ts',
    "bare().text('yaos: done').end();",
    "bare().text('for ever').end();\n    while (true) x86.pause();",
  );
  await until(/\nfor ever\n/);
  const children = processesOf(watching.pid!);
  expect(children.map(({ name }) => name)).toContain('qemu-system-x86');
  watching.kill('SIGINT');
  expect(await ended).toBe(130);
  for (const { pid } of children) expect(existsSync(`/proc/${pid}`)).toBe(false);
  expect(output).toMatch(/yaos: interrupted\n$/);
});

// As when a change comes while the compilers are warmed up.
test('a build of the same kind in another folder is no reason to leave this one out', () => {
  const script = `
    import { readFileSync, writeFileSync } from 'node:fs';
    const { buildKernel } = await import('./out/build/kernel.js');
    const build = (folder) =>
      buildKernel((name) => import(name), { folder, target: 'watch', translation: {} });
    await build('out/watch');
    const [file, text] = ['kernel/version.ts', readFileSync('kernel/version.ts', 'utf8')];
    writeFileSync(file, text.replace(/\\d+\\.\\d+\\.\\d+/, '7.6.5'));
    await build('out/watch/again');
    await build('out/watch');
    console.log(readFileSync('out/watch/kernel.wasm').includes(Buffer.from('7.6.5', 'utf16le')));`;
  const args = ['--input-type=module', '--eval', script];
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: copy, encoding: 'utf8' });
  expect(stdout, stderr).toBe('true\n');
});

/** Its children. */
function processesOf(parent: number): { pid: number; name: string }[] {
  if (!existsSync('/proc/self/stat'))
    return [{ pid: 0, name: spawnSync('pgrep', ['-P', `${parent}`, '-l']).stdout.toString() }];
  return readdirSync('/proc').flatMap((pid) => {
    const status =
      /^\d+$/.test(pid) && existsSync(`/proc/${pid}/stat`) && readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [, name, ppid] = (status && /\((.*)\) \S (\d+)/.exec(status)) || [];
    return Number(ppid) === parent ? [{ pid: Number(pid), name: name! }] : [];
  });
}
