// Modules of a given size for measuring how the translation grows. A shape's text is one step, repeated; each function is
// f(i32) -> i32 with four locals, or one more for each step, and a memory.

interface Shape {
  /** Bytes of one step, which leaves the operand stack as it was, and the instructions in it; with a local that is
   * the step's own. */
  step: number[] | ((local: number) => number[]);
  instructions: number;
  /** Before all steps. */
  open?: number[];
  /** As often as the step, where blocks stay open to the end or each step has a second part. */
  close?: number[] | ((local: number) => number[]);
  /** Behind all steps. */
  end?: number[];
  /** And behind that once more for each step. */
  after?: (local: number) => number[];
}

const get = (local: number): number[] => [0x20, ...unsigned(local)];
const set = (local: number): number[] => [0x21, ...unsigned(local)];
const constant = (value: number): number[] => [0x41, value];
const ADD = 0x6a;
const MUL = 0x6c;
const XOR = 0x73;
const LT = 0x48;
const BR_IF = [0x0d, 0];
const BLOCK = [0x02, 0x40];
const LOOP = [0x03, 0x40];
const IF = [0x04, 0x40];
const ELSE = 0x05;
const END = 0x0b;
const RETURN = 0x0f;

export const SHAPES: Record<string, Shape> = {
  /** One long block of arithmetic on four variables. */
  expressions: {
    step: [...get(1), ...get(2), ADD, ...constant(7), MUL, ...set(3), ...get(3), ...get(0), XOR, ...set(1)],
    instructions: 10,
  },
  memory: {
    step: [...get(0), ...get(0), 0x28, 2, 8, ...get(1), ADD, 0x36, 2, 4, ...get(0), 0x2d, 0, 3, ...set(1)],
    instructions: 9,
  },
  branches: {
    step: [...get(0), ...IF, ...get(1), ...constant(1), ADD, ...set(1), ELSE, ...get(2), ...set(1), END],
    instructions: 10,
  },
  /** Loops, one behind the other, with two variables live through all of them. */
  loops: {
    step: [
      ...[...LOOP, ...get(1), ...get(2), ADD, ...set(1), ...get(3), ...constant(1), ADD, ...set(3)],
      ...[...get(3), ...get(0), LT, ...BR_IF, END],
    ],
    instructions: 14,
  },
  /** Each block in the one before. */
  nesting: {
    step: [...BLOCK, ...get(0), ...BR_IF, ...get(1), ...constant(3), ADD, ...set(1)],
    instructions: 7,
    close: [END],
  },
  'loop nest': {
    step: [...LOOP, ...get(1), ...constant(3), ADD, ...set(1)],
    instructions: 8,
    close: [...get(1), ...BR_IF, END],
  },
  /** A value before each loop, in the one before, which the loops it is not in read too. */
  'values of loops': {
    step: (local) => [...get(0), 0x10, 0, ...set(local), ...LOOP],
    instructions: 11,
    close: (local) => [...get(1), ...get(local), ADD, ...set(1), ...get(1), ...BR_IF, END],
  },
  calls: {
    step: [...get(1), 0x10, 0, ...get(2), ADD, ...set(1)],
    instructions: 5,
  },
  /** One loop with as many variables as steps. */
  variables: {
    open: [...LOOP],
    step: (local) => [...get(local), 0x10, 0, ...set(local)],
    instructions: 3,
    end: [...get(0), ...BR_IF, END],
  },
  /** The same with each variable changed in a branch of its own. */
  'own branches': {
    open: [...LOOP],
    step: (local) => [...get(0), ...IF, ...get(local), 0x10, 0, ...set(local), END],
    instructions: 6,
    end: [...get(0), ...BR_IF, END],
  },
  /** And in a loop of its own. */
  'own loops': {
    open: [...LOOP],
    step: (local) => [...LOOP, ...get(local), 0x10, 0, ...set(local), ...get(local), ...BR_IF, END],
    instructions: 7,
    end: [...get(0), ...BR_IF, END],
  },
  /** Blocks in each other, each with a way out and a variable that is read behind all of them. */
  joins: {
    step: (local) => [...BLOCK, ...get(0), 0x10, 0, ...set(local), ...get(0), ...BR_IF],
    instructions: 11,
    close: [END],
    after: (local) => [...get(1), ...get(local), ADD, ...set(1)],
  },
  /** The same with one block, which each variable has a way out of. */
  exits: {
    open: BLOCK,
    step: (local) => [...get(0), 0x10, 0, ...set(local), ...get(0), ...BR_IF],
    instructions: 9,
    end: [END],
    after: (local) => [...get(1), ...get(local), ADD, ...set(1)],
  },
  /** Each variable read in an early return, past those of the ones before. */
  'early returns': {
    step: (local) => [...get(0), 0x10, 0, ...set(local)],
    instructions: 9,
    close: (local) => [...get(0), 0x10, 0, ...IF, ...get(local), RETURN, END],
  },
};

/** `count` functions of about `instructions` each. */
export function moduleOf(name: string, instructions: number, count: number): Uint8Array {
  const shape = SHAPES[name];
  const steps = Math.ceil(instructions / shape.instructions);
  const { step, close = [], after = [] } = shape;
  const body = [
    ...[1, ...unsigned(3 + (typeof step === 'function' ? steps : 0)), 0x7f], // locals of i32
    ...(shape.open ?? []),
    ...repeat(step, steps),
    ...repeat(close, steps),
    ...(shape.end ?? []),
    ...repeat(after, steps),
    ...get(1),
    END,
  ];
  const code = [...unsigned(body.length), ...body];
  const sections: [number, number[]][] = [
    [1, [1, 0x60, 1, 0x7f, 1, 0x7f]],
    [3, [...unsigned(count), ...repeat([0], count)]],
    [5, [1, 0, 1]],
    [7, [1, 1, 0x66, 0, 0]],
    [10, [...unsigned(count), ...repeat(code, count)]],
  ];
  const bytes = sections.map(([id, content]) => Buffer.from([id, ...unsigned(content.length), ...content]));
  return Buffer.concat([Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]), ...bytes]);
}

function repeat(bytes: number[] | ((local: number) => number[]), count: number): number[] {
  return Array.from({ length: count }, (_, i) => (typeof bytes === 'function' ? bytes(4 + i) : bytes)).flat();
}

/** LEB128 */
function unsigned(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)];
}
