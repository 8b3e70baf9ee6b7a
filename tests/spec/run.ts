// Runs a test script against the translator: each of its modules becomes a program of `yaos exe`, which answers the
// script's actions in their order. What needs several linked instances is skipped with a reason.

import { spawnSync } from 'node:child_process';
import { UserError } from '../../build/error.ts';
import { translate } from '../../build/translate.ts';
import { decode } from '../../build/wasm/decode.ts';
import { WasmError } from '../../build/wasm/module.ts';
import { ask, makeProgram, type Program } from '../translator/harness.ts';
import { isArithmeticNan, isCanonicalNan, type NumType } from '../translator/values.ts';
import type { Action, Command, Script, Value } from './script.ts';

export interface Report {
  passed: number;
  failures: string[];
  /** How many commands were skipped for each reason. */
  skipped: Map<string, number>;
}

/** Why a module has no program: the commands on it are skipped, or have failed with it. */
interface Missing {
  skipped: string;
}

interface Asked {
  line: string;
  command: Command;
}

interface Instance {
  program: Program;
  asked: Asked[];
  /** A module that is skipped imports from it, and may have changed what it shares. */
  shared: boolean;
}

const LINKED = 'imports from a registered module';
const MODULE_TIMEOUT_MS = 10_000;

export async function runScript(script: Script): Promise<Report> {
  const run = new ScriptRun(script);
  for (const command of script.commands) await run.step(command);
  run.finish();
  return run.report;
}

class ScriptRun {
  readonly report: Report = { passed: 0, failures: [], skipped: new Map() };
  private readonly script: Script;
  private readonly instances: Instance[] = [];
  private readonly named = new Map<string, Instance | Missing>();
  private readonly registered = new Map<string, Instance | Missing>();
  private current: Instance | Missing = { skipped: 'no module yet' };

  constructor(script: Script) {
    this.script = script;
  }

  async step(command: Command): Promise<void> {
    switch (command.type) {
      case 'module':
        this.current = await this.instantiate(command);
        if (command.name) this.named.set(command.name, this.current);
        return;
      case 'register':
        this.registered.set(command.as!, this.named.get(command.name ?? '') ?? this.current);
        return;
      case 'action':
      case 'assert_return':
      case 'assert_trap':
      case 'assert_exhaustion':
        return this.queue(command);
      case 'assert_invalid':
      case 'assert_malformed':
        return this.refused(command);
      case 'assert_unlinkable':
      case 'assert_uninstantiable':
        return this.fails(command);
      default:
        this.skip(`command ${command.type}`);
    }
  }

  /** Every program answers its questions in one go; if it ends before the last, none of its answers counts. */
  finish(): void {
    for (const { program, asked } of this.instances) {
      let answers: string[] = [];
      let ended: string | undefined;
      try {
        answers = ask(
          program,
          asked.map((a) => a.line),
        );
      } catch (error) {
        ended = (error as Error).message;
      }
      asked.forEach(({ command }, i) => {
        this.check(command, ended ?? verdict(command, answers[i]));
      });
    }
  }

  private check(command: Command, wrong: string | undefined): void {
    if (wrong === undefined) this.report.passed++;
    else this.report.failures.push(`${this.script.name}:${command.line}: ${command.type}: ${wrong}`);
  }

  private skip(reason: string): void {
    this.report.skipped.set(reason, (this.report.skipped.get(reason) ?? 0) + 1);
  }

  private program(command: Command, suffix = ''): Promise<Program> {
    const base = this.script.name.replace(/^.*\//, '').replace(/\.\w+$/, '');
    const bytes = this.script.read(command.filename!);
    return makeProgram(`spec-${base}-${command.line}${suffix}`, bytes, { spectest: true });
  }

  private async instantiate(command: Command): Promise<Instance | Missing> {
    try {
      const instance = { program: await this.program(command), asked: [], shared: false };
      this.instances.push(instance);
      this.report.passed++;
      return instance;
    } catch (error) {
      const { message } = error as Error;
      if (error instanceof UserError && this.importsRegistered(command, message)) {
        this.skip(LINKED);
        return { skipped: 'on a module that imports from a registered one' };
      }
      const reason = unsupported(error);
      if (reason) {
        this.skip(reason);
        return { skipped: `on a module that is refused: ${reason}` };
      }
      this.check(command, message);
      return { skipped: 'on a module that failed' };
    }
  }

  /** Whether that is why there is no program; all that it imports from may be changed by it. */
  private importsRegistered(command: Command, message: string): boolean {
    const name = message.match(/import ("(?:[^"\\]|\\.)*") .*unknown import/)?.[1];
    if (name === undefined || !this.registered.has(JSON.parse(name))) return false;
    for (const { module } of decode(this.script.read(command.filename!)).imports) {
      const instance = this.registered.get(module);
      if (instance && 'program' in instance) instance.shared = true;
    }
    return true;
  }

  private queue(command: Command): void {
    const name = command.action!.module;
    const instance = name ? this.named.get(name) : this.current;
    if (instance === undefined) this.check(command, `no module ${name}`);
    else if ('skipped' in instance) this.skip(instance.skipped);
    else if (instance.shared) this.skip('on a module that shares its state with a skipped one');
    else instance.asked.push({ line: question(command.action!), command });
  }

  private refused(command: Command): void {
    if (command.module_type === 'text') {
      this.skip('text format');
      return;
    }
    try {
      translate(this.script.read(command.filename!), { memory: 'register' });
      this.check(command, `accepted: ${command.text}`);
    } catch (error) {
      const reason = unsupported(error);
      if (reason) this.skip(reason);
      else this.check(command, error instanceof WasmError ? undefined : (error as Error).message);
    }
  }

  /** Linking fails, or running the program to its first call does. */
  private async fails(command: Command): Promise<void> {
    let program: Program;
    try {
      program = await this.program(command, '-fails');
    } catch (error) {
      const refused = command.type === 'assert_unlinkable' && error instanceof UserError;
      if (error instanceof UserError && this.importsRegistered(command, error.message)) this.skip(LINKED);
      else this.check(command, refused ? undefined : (error as Error).message);
      return;
    }
    const ended = spawnSync(program.path, ['-'], { input: '', encoding: 'utf8', timeout: MODULE_TIMEOUT_MS });
    const status = command.type === 'assert_unlinkable' ? 1 : 3;
    const trap = ended.stderr.replace(/^trap: /, '').trimEnd();
    const right = ended.status === status && (status === 1 || sameTrap(trap, command.text!));
    const how = `ended with status ${ended.status} ${ended.signal ?? ''}: ${ended.stderr}`;
    this.check(command, right ? undefined : `${how} (wanted: ${command.text})`);
  }
}

/** What a module is refused for that is valid, or would be refused for something else, with proposals that yaos does not take. */
function unsupported(error: unknown): string | undefined {
  const { message } = error as Error;
  return / is not supported/.test(message) ? message.replace(/^.*\): /, '') : undefined;
}

/** The line that asks a program for an action. */
function question(action: Action): string {
  const args = (action.args ?? []).map(({ type, value }) => {
    if (value === 'null' || type.endsWith('ref')) return value!;
    return `0x${BigInt(value!).toString(16)}`;
  });
  return [JSON.stringify(action.field), ...args].join(' ');
}

/** What is wrong with the answer, if anything is. */
function verdict(command: Command, answer: string): string | undefined {
  const { type, text, expected } = command;
  if (type === 'action') return /^(trap|error): /.test(answer) ? answer : undefined;
  if (type !== 'assert_return') {
    const right = answer.startsWith('trap: ') && sameTrap(answer.slice('trap: '.length), text!);
    return right ? undefined : `answered ${answer} (wanted trap: ${text})`;
  }
  const values = answer === '' ? [] : answer.split(' ');
  const right = values.length === expected!.length && values.every((v, i) => isExpected(v, expected![i]));
  return right
    ? undefined
    : `answered ${answer} (wanted ${expected!.map((e) => `${e.type}:${e.value}`).join(' ')})`;
}

/** The suite's texts may go on where an engine's message ends, and end where it goes on. */
function sameTrap(trap: string, text: string): boolean {
  return trap !== '' && (trap.startsWith(text) || text.startsWith(trap));
}

function isExpected(answer: string, { type, value }: Value): boolean {
  const [answerType, text] = answer.split(':');
  if (answerType !== type) return false;
  if (value === undefined) return text !== 'null';
  if (type.endsWith('ref')) return text === value;
  const bits = BigInt(text);
  if (value === 'nan:canonical') return isCanonicalNan(type as NumType, bits);
  if (value === 'nan:arithmetic') return isArithmeticNan(type as NumType, bits);
  return bits === BigInt(value);
}
