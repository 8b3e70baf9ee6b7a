// Debugging information of hosted programs: readelf has nothing to object to, and gdb knows functions, lines, inlined
// calls and values, and finds its way out of every frame from every instruction. Lines are those of marks in the source.
// The code is the same as without.

import { relative, resolve } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { DebugFolder } from './gdb.ts';

const SOURCE = `
class Counter {
  total: i32 = 0;

  add(n: i32): void {
    this.total += n; // ADD
  }

  get twice(): i32 {
    return this.total * 2;
  }
}

const counter = new Counter();

function many(a: i32, b: i32, c: i32, d: i32, e: i32, f: i32, g: i64, h: f64): i64 {
  if (a > 100) unreachable();
  counter.add(a); // MANY
  return a + b * c + d * e + f * g + <i64>h;
}

function deep(n: i32): i64 {
  if (n === 0) return many(1, 2, 3, 4, 5, 6, 7, 8.5); // LAST
  return deep(n - 1) + n; // DEEPER
}

export function outer(n: i32): i64 {
  let sum: i64 = 0;
  for (let i = 0; i < n; i++) sum += deep(i); // CALL
  return sum + counter.twice;
}
`;

const folder = new DebugFolder();

function lineOf(mark: string): number {
  return SOURCE.split('\n').findIndex((line) => line.includes(`// ${mark}`)) + 1;
}

beforeAll(() => {
  folder.write('source.ts', SOURCE);
  folder.asc('source.ts -o program.wasm --sourceMap --debug --runtime stub --use abort=');
  folder.makeProgram();
});

test('what is loaded is the same without', () => {
  folder.run('mv', 'program.wasm.map', 'elsewhere.map');
  folder.run(resolve('out/yaos'), 'exe', 'program.wasm', '-o', 'bare');
  folder.run('mv', 'elsewhere.map', 'program.wasm.map');
  for (const program of ['program', 'bare'])
    folder.run('objcopy', '-O', 'binary', '-j', '.text', program, `${program}.text`);
  folder.run('cmp', 'program.text', 'bare.text');
});

test.each(['info', 'abbrev', 'decodedline', 'frames-interp', 'Ranges', 'loc'])('readelf: %s', (what) => {
  const { stdout, stderr } = folder.run('readelf', '--wide', `--debug-dump=${what}`, 'program');
  expect(stderr).toBe('');
  expect(stdout).not.toMatch(/warning|error|corrupt|unknown/i);
});

test('a back trace with methods, inlined calls and lines', () => {
  const trace = folder.gdb(`break source.ts:${lineOf('ADD')}`, 'run outer 3', 'bt');
  const frames = [...trace.matchAll(/^#\d+ +(?:0x\w+ in )?(\S+) \(.*\) at .*source\.ts:(\d+)$/gm)];
  expect(frames.map(([, name, line]) => `${name}:${line}`)).toEqual([
    `Counter::add:${lineOf('ADD')}`,
    `many:${lineOf('MANY')}`,
    `deep:${lineOf('LAST')}`,
    `outer:${lineOf('CALL')}`,
  ]);
});

test('breakpoints by name', () => {
  const told = folder.gdb('break Counter::add', 'run outer 1', 'delete', 'break deep', 'info breakpoints');
  expect(told).toMatch(
    new RegExp(`Breakpoint 1, .*Counter::add \\(this=\\d+, n=1\\) at .*source\\.ts:${lineOf('ADD')}`),
  );
  expect(told).toMatch(/ in deep(\(\))? at \.\/source\.ts:/);
});

test('values of parameters and locals, of inlined frames and of callers', () => {
  const frames = ['info args', ...Array.from({ length: 4 }, () => ['up', 'info args']).flat()];
  const told = folder.gdb(
    `break source.ts:${lineOf('ADD')}`,
    'run outer 3',
    'continue',
    ...frames,
    'info locals',
  );
  const values = [...told.matchAll(/^(\w+) = (.*)$/gm)].map(([, name, value]) => `${name}=${value}`);
  expect(values).toEqual([
    expect.stringMatching(/^this=\d+$/),
    'n=1',
    ...['a=1', 'b=2', 'c=3', 'd=4', 'e=5', 'f=6', 'g=7', 'h=8.5'],
    ...['n=0', 'n=1'],
    // In the second of three rounds; the first has added 1 + 2 * 3 + 4 * 5 + 6 * 7 + 8.
    ...['n=3', 'sum=77', 'i=1'],
  ]);
});

test('every frame is left from every instruction', () => {
  const names = folder.tracesAtEachStep(['break outer', 'run outer 12'], 700);
  const inside = names.filter((frames) => frames.includes('outer'));
  expect(inside.length).toBeGreaterThan(400);
  for (const frames of names.slice(0, inside.length)) {
    const at = frames.indexOf('outer');
    expect(frames.slice(at + 1, at + 3), frames.join(' < ')).toEqual([
      expect.stringMatching(/^yaos_invoke_/),
      'yaos_switch',
    ]);
    expect(frames.slice(0, at).filter((name) => !/^(deep|many|Counter::\w+)$/.test(name))).toEqual([]);
  }
});

const OBJECTS = `
class Point {
  x: i32 = 7;
  y: f64 = 2.5;
  next: Point | null = null;

  move(by: i32): i32 {
    this.x += by; // MOVE
    return this.x;
  }
}

@unmanaged
class Registers {
  size: u32;
  flags: u16;
  ready: bool;
}

function use(point: Point, registers: Registers, text: string, other: Point | null): i32 {
  registers.flags |= 0x100;
  const moved = point.move(text.length) + (other === null ? 0 : other.x);
  point.next = point; // USE
  return moved + registers.size;
}

export function start(n: i32): i32 {
  const registers = changetype<Registers>(heap.alloc(offsetof<Registers>()));
  registers.size = n;
  registers.flags = 3;
  registers.ready = true;
  return use(new Point(), registers, 'four', n < 0 ? new Point() : null);
}
`;

test('with the layouts of classes, variables are pointers to objects', () => {
  const objects = new DebugFolder();
  objects.write('objects.ts', OBJECTS);
  const transform = `--transform ${relative(objects.path, resolve('kernel/types.mjs'))}`;
  objects.asc(`objects.ts -o program.wasm --sourceMap --debug --runtime stub --use abort= ${transform}`);
  objects.makeProgram();
  const line = (mark: string) => OBJECTS.split('\n').findIndex((source) => source.includes(`// ${mark}`)) + 1;
  const told = objects.gdb(
    `break objects.ts:${line('USE')}`,
    `break objects.ts:${line('MOVE')}`,
    'run start 4711',
    ...['print x', 'print this.x', 'print *this', 'whatis this', 'ptype this', 'print by'],
    ...['up', 'print *registers', 'print registers->size', 'print other'],
    ...['continue', 'print *point', 'next', 'print point->next == (unsigned)((char *)point - (char *)$r15)'],
    ...['ptype registers', 'print text'],
  );
  const values = [...told.matchAll(/^\$\d+ = (.*)$/gm)].map(([, value]) => value);
  expect(values).toEqual([
    ...['7', '7'],
    '{x = 7, y = 2.5, next = 0}',
    '4',
    '{size = 4711, flags = 259, ready = true}',
    '4711',
    '(Point *) 0x0',
    '{x = 11, y = 2.5, next = 0}',
    'true',
    expect.stringMatching(/^\d+$/), // of a string no fields are known
  ]);
  expect(told).toContain('type = Point *\n');
  expect(told).toMatch(/^type = struct Point \{\n {4}i32 x;\n {4}f64 y;[^}]+ move\(i32\);/m);
  expect(told).toMatch(/^type = struct Registers \{\n {4}u32 size;\n {4}u16 flags;\n {4}bool ready;\n\}/m);
  for (const what of ['info', 'loc']) {
    const { stderr } = objects.run('readelf', '--wide', `--debug-dump=${what}`, 'program');
    expect(stderr).toBe('');
  }
  const { stdout } = objects.run('./program', 'start', '4711');
  expect(stdout).toBe(`i32:0x${(4711 + 11).toString(16).padStart(8, '0')}\n`);
});
