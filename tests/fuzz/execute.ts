// Runs a module in Node's engine and natively, and says what differs. The calls are always the same: in each round every
// exported function in order, after `reset` and before `hash` if there are such. Parameters are the round's number.

import { rmSync, writeFileSync } from 'node:fs';
import { runInNewContext } from 'node:vm';
import { makeExe } from '../../build/host/exe.ts';
import { decode } from '../../build/wasm/decode.ts';
import type { FuncType } from '../../build/wasm/module.ts';
import { linkFixed } from '../translator/fixed.ts';
import { agree, ask, type Call, callLine, type Outcome, programPath } from '../translator/harness.ts';
import { callAll, instantiate } from '../translator/node.ts';
import type { Signature } from '../translator/wasm.ts';
import { DEVICE, Device } from './device.ts';

const ROUNDS = 4;
/** For Node's engine, which has no bound of processor time. */
const TIME_MS_MAX = 60_000;
const CPU_S_MAX = 20;

export interface Failure {
  /** The translator threw, the program ended, or an answer is wrong. */
  kind: 'translation' | 'crash' | 'answer';
  /** The export whose call went wrong, if one is known. */
  name?: string;
  message: string;
}

/** A module with the calls to make and what Node answers: for any number of translations. */
export interface Subject {
  bytes: Uint8Array;
  /** Whether it is of the fixed memory model: it uses a device. */
  fixed: boolean;
  calls: Call[];
  signature(name: string): Signature;
  wanted: Outcome[];
}

/** Throws for a module that Node refuses, that does not end, or whose end depends on the stack's size. */
export function prepare(bytes: Uint8Array): Subject {
  const { exports, funcs, imports } = decode(bytes);
  const types = new Map(exports.filter((e) => e.kind === 'func').map((e) => [e.name, funcs[e.index].type]));
  const signature = (name: string) => types.get(name)! as Signature;
  const calls = Array.from({ length: ROUNDS }, (_, round) => callsOf(types, BigInt(round))).flat();
  const run = () => callAll(instantiate(bytes, { x86: new Device().imports }), signature, calls, false);
  // A context of its own is what has a timeout.
  const wanted = runInNewContext('run()', { run }, { timeout: TIME_MS_MAX }) as Outcome[];
  if (wanted.some((w) => 'traps' in w && w.traps.includes('call stack exhausted'))) {
    throw new Error('the stack is exhausted, which comes at no certain place');
  }
  return { bytes, fixed: imports.some((i) => i.module === 'x86'), calls, signature, wanted };
}

function callsOf(types: ReadonlyMap<string, FuncType>, round: bigint): Call[] {
  const call = (name: string): Call[] => {
    const type = types.get(name);
    return type ? [{ name, args: type.params.map(() => round) }] : [];
  };
  const names = [...types.keys()].filter((name) => name !== 'reset' && name !== 'hash');
  return names.flatMap((name) => [...call('reset'), ...call(name), ...call('hash')]);
}

/** Translates without the disabled passes, verifying after each if wanted, and compares. */
export async function execute(
  subject: Subject,
  disabled: readonly string[],
  verifyIr = true,
): Promise<Failure | undefined> {
  const { bytes, calls, signature, wanted } = subject;
  const path = programPath(`fuzz-${process.pid}`);
  const wasm = `${path}.wasm`;
  const flags = { disablePass: disabled.length > 0 ? [disabled.join()] : [], verifyIr };
  try {
    if (subject.fixed) {
      const names = new Set(calls.map((c) => c.name));
      const exported = [...names].map((name) => ({ name, signature: signature(name) }));
      linkFixed(path, bytes, exported, { ...flags, device: DEVICE });
    } else {
      writeFileSync(wasm, bytes);
      await makeExe(wasm, path, flags);
    }
  } catch (error) {
    return { kind: 'translation', message: (error as Error).message };
  }
  const lines = calls.map((call) => callLine(call, signature(call.name)));
  let answers: string[];
  try {
    answers = ask({ wasm, path }, lines, {}, CPU_S_MAX);
  } catch (error) {
    const { message } = error as Error;
    return { kind: 'crash', name: /at: "([^"]*)"/.exec(message)?.[1], message };
  } finally {
    for (const suffix of ['', '.wasm', '.o', '.exports.s']) rmSync(`${path}${suffix}`, { force: true });
  }
  const wrong = answers.findIndex((answer, i) => !agree(wanted[i], answer, calls[i]));
  if (wrong < 0) return undefined;
  const want = wanted[wrong];
  const message = `${lines[wrong]}: yaos ${answers[wrong]}, Node ${'values' in want ? want.values : want.traps.join(' or ')}`;
  return { kind: 'answer', name: blamed(calls, wrong), message };
}

/** A wrong hash is the fault of the call before it. */
function blamed(calls: readonly Call[], wrong: number): string {
  return calls[calls[wrong].name === 'hash' && wrong > 0 ? wrong - 1 : wrong].name;
}
