// Values of variables: at every instruction of random programs, all that gdb says of the variables of a frame is what they
// are, taken together, at some moment before the frame's line is run by Node's engine; or they are optimised out.

import asc from 'assemblyscript/asc';
import { expect, test } from 'vitest';
import { Random } from '../translator/values.ts';
import { DebugFolder } from './gdb.ts';
import { generate } from './generate.ts';

const SEED = Number(process.env.SEED ?? 1);
const PROGRAMS = Number(process.env.N ?? 5);
const STOPS = 150;
/** Instructions from one to the next: no divisor of a loop's. */
const STRIDE = 7;
const ARGUMENT = 7;

const folder = new DebugFolder();

type Value = number | bigint;

async function compile(source: string, ...flags: string[]): Promise<Map<string, Uint8Array>> {
  const outputs = new Map<string, Uint8Array>();
  const fixed = '--outFile program.wasm --runtime stub --initialMemory 1 --use abort='.split(' ');
  const { error, stderr } = await asc.main(['source.ts', ...fixed, ...flags], {
    readFile: (name: string) => (name === 'source.ts' ? source : null),
    writeFile: (name: string, contents: Uint8Array | string) => void outputs.set(name, Buffer.from(contents)),
    listFiles: () => [],
  });
  expect(error, `${source}\n${stderr}`).toBe(null);
  return outputs;
}

/** What the variables are at each line, as often as it is run. */
async function statesIn(telling: string): Promise<Map<number, Value[][]>> {
  const outputs = await compile(telling);
  const states = new Map<number, Value[][]>();
  let state: Value[] = [];
  const line_ = (number: number) => {
    state = [];
    const known = states.get(number);
    if (known) known.push(state);
    else states.set(number, [state]);
  };
  const tell = (value: Value) => void state.push(value);
  const module = new WebAssembly.Module(new Uint8Array(outputs.get('program.wasm')!));
  const source = { line_, i32_: tell, i64_: tell, f64_: tell };
  const { exports } = new WebAssembly.Instance(module, { source });
  (exports.run as (n: number) => number)(ARGUMENT);
  return states;
}

/** Whether gdb shows a value as this. */
function isShownAs(value: Value, text: string): boolean {
  if (typeof value === 'bigint') return String(value) === text;
  if (Number.isNaN(value)) return /nan/.test(text);
  return Number(text.replace('inf', 'Infinity')) === value;
}

interface Frame {
  line: number;
  values: Map<string, string>;
}

function framesIn(trace: string): Frame[] {
  const frames: Frame[] = [];
  for (const text of trace.split(/^#\d+ +/m).slice(1)) {
    const [, args, line] = /\(([^)]*)\) at \S*source\.ts:(\d+)$/m.exec(text) ?? [];
    if (line === undefined) continue;
    const values = new Map<string, string>();
    const pairs = [...args!.matchAll(/(\w+)=([^,]+)/g), ...text.matchAll(/^ +(\w+) = (.+)$/gm)];
    for (const [, name, value] of pairs) if (value !== '<optimized out>') values.set(name!, value!);
    frames.push({ line: Number(line), values });
  }
  return frames;
}

const seeds = Array.from({ length: PROGRAMS }, (_, i) => SEED + i);

test.each(seeds)('seed %i', { timeout: 60_000 }, async (seed) => {
  const { plain, telling, names } = generate(new Random(seed));
  const states = await statesIn(telling);
  folder.write('source.ts', plain);
  for (const [name, contents] of await compile(plain, '--sourceMap', '--debug')) folder.write(name, contents);
  folder.makeProgram();
  const loop = [`while $i < ${STOPS}`, 'bt -full', 'echo ;;\\n', `stepi ${STRIDE}`, 'set $i = $i + 1', 'end'];
  const setup = ['set width 0', 'set print frame-arguments all', 'set $i = 0'];
  const told = folder.gdb(...setup, 'break *run', `run run ${ARGUMENT}`, ...loop);
  let found = 0;
  for (const { line, values } of told.split(';;').flatMap(framesIn)) {
    const order = names.get(line);
    const known = states.get(line);
    // Some code of a line may be run before it is known whether the line will be.
    if (!order || !known) continue;
    const seen = [...order.entries()].filter(([, name]) => values.has(name));
    const fits = known.some((state) => seen.every(([i, name]) => isShownAs(state[i]!, values.get(name)!)));
    const shown = seen.map(([, name]) => `${name}=${values.get(name)}`);
    expect(fits, `line ${line}: ${shown.join(' ')}; ${order}:\n${known.join('\n')}`).toBe(true);
    found += seen.length;
  }
  expect(found).toBeGreaterThan(0);
});
