// An oracle for stack bounds: what GNU objdump and readelf show of a linked kernel, with nothing of the translator but its
// conventions. A translated function has a fixed frame after the pushes and the `sub` that it begins with; assembly is followed
// jump by jump. A call by reference may reach every function whose address some
// instruction takes, but for the exports, which only assembly calls.

import { execFileSync } from 'node:child_process';

interface Instruction {
  at: bigint;
  operator: string;
  operands: string;
  next: bigint;
}

export interface Image {
  /** Bytes of the deepest chain of calls below the return address of the function with this symbol. Chains end at `exempt`. */
  depth(symbol: string, exempt: readonly string[]): number;
  /** Most bytes that the assembly at a symbol has on the stack at once, a call's return address too. */
  ownDepth(symbol: string): number;
}

const BYTES_MAX = 1 << 28;

function output(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', maxBuffer: BYTES_MAX });
}

export function readImage(path: string): Image {
  const code = readCode(path);
  const symbols = [
    ...output('readelf', '-sW', path).matchAll(/^ +\d+: (\w{16}) +(\d+) (\w+) +(\w+) .* (\S+)$/gm),
  ];
  const addresses = new Map(symbols.map(([, value, , , , name]) => [name, BigInt(`0x${value}`)]));
  const functions = new Map<bigint, { name: string; size: bigint }>();
  const exported = new Set<bigint>();
  for (const [, value, size, type, binding, name] of symbols) {
    const at = BigInt(`0x${value}`);
    if (type === 'FUNC' && binding === 'GLOBAL') exported.add(at);
    if (type === 'FUNC' && Number(size) > 0) functions.set(at, { name, size: BigInt(size) });
  }
  const referenced = [...addressesIn(code)].filter((a) => functions.has(a) && !exported.has(a));

  const ownDepth = (start: bigint): number => {
    const seen = new Map<bigint, number>();
    const open: [bigint, number][] = [[start, 0]];
    let most = 0;
    for (let item = open.pop(); item; item = open.pop()) {
      let [at, depth] = item;
      while (!seen.has(at)) {
        seen.set(at, depth);
        const instruction = code.get(at)!;
        const { operator, operands } = instruction;
        if (operator === 'and' && operands.endsWith(',%rsp')) depth += 8; // to a multiple of 16
        depth += change(instruction);
        most = Math.max(most, operator === 'call' ? depth + 8 : depth);
        if (/^(ret|iretq|ud2)/.test(operator)) break;
        const target = /^j/.test(operator) ? BigInt(`0x${operands.split(' ')[0]}`) : undefined;
        if (target !== undefined) open.push([target, depth]);
        if (operator === 'jmp') break;
        at = instruction.next;
      }
    }
    return most;
  };

  const known = new Map<bigint, number>();
  const depth = (start: bigint, exempt: readonly string[]): number => {
    const done = known.get(start);
    if (done !== undefined) return done;
    const found = functions.get(start);
    if (!found) return ownDepth(start);
    known.set(start, Number.NaN); // a circle would come out as NaN
    const end = start + found.size;
    let at = start;
    let frame = 0;
    for (; /^(push|sub|orl)$/.test(code.get(at)!.operator); at = code.get(at)!.next) {
      const step = change(code.get(at)!);
      if (step === 0 && code.get(at)!.operator === 'sub') break;
      frame += step;
    }
    let deepest = frame;
    for (; at < end; at = code.get(at)!.next) {
      const { operator, operands } = code.get(at)!;
      if (/^push/.test(operator)) deepest = Math.max(deepest, frame + 8);
      if (operator !== 'call' || exempt.includes(found.name)) continue;
      const callees = operands.startsWith('*') ? referenced : [BigInt(`0x${operands.split(' ')[0]}`)];
      for (const callee of callees) deepest = Math.max(deepest, frame + 8 + depth(callee, exempt));
    }
    known.set(start, deepest);
    return deepest;
  };

  return {
    depth: (symbol, exempt) => depth(addresses.get(symbol)!, exempt),
    ownDepth: (symbol) => ownDepth(addresses.get(symbol)!),
  };
}

/** What an instruction adds to the stack's depth. */
function change({ operator, operands }: Instruction): number {
  if (/^push/.test(operator)) return 8;
  if (/^pop/.test(operator)) return -8;
  const [, bytes] = /^\$(0x[0-9a-f]+),%rsp$/.exec(operands) ?? [];
  if (bytes === undefined) return 0;
  return operator === 'sub' ? Number(bytes) : operator === 'add' ? -Number(bytes) : 0;
}

function readCode(path: string): Map<bigint, Instruction> {
  const code = new Map<bigint, Instruction>();
  let last: Instruction | undefined;
  for (const line of output('objdump', '-d', '--no-show-raw-insn', path).split('\n')) {
    const match = /^(\w{16}):\t(?:(?:rep|repz|lock|bnd|cs|data16) )*(\S+) *(.*)$/.exec(line);
    if (!match) continue;
    const at = BigInt(`0x${match[1]}`);
    if (last) last.next = at;
    last = { at, operator: match[2], operands: match[3], next: at };
    code.set(at, last);
  }
  return code;
}

/** Those that instructions have as operands or point at, but for calls and jumps. */
function addressesIn(code: Map<bigint, Instruction>): Set<bigint> {
  const found = new Set<bigint>();
  for (const { operator, operands } of code.values()) {
    if (/^(call|j)/.test(operator)) continue;
    for (const [, address] of operands.matchAll(/(?:\$0x|# )(f{8}\w{8})\b/g))
      found.add(BigInt(`0x${address}`));
  }
  return found;
}
