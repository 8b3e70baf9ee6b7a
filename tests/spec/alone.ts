// Modules that import from nobody but the host: each becomes a program of `yaos exe`.

import { spawnSync } from 'node:child_process';
import { basename } from 'node:path';
import { UserError } from '../../build/error.ts';
import { makeProgram, type Program } from '../translator/harness.ts';
import { type Asked, checkAnswers, type Modules } from './modules.ts';
import type { Missing, Report } from './report.ts';
import type { Command, Script } from './script.ts';
import { question, sameTrap } from './verdict.ts';

interface Alone {
  program: Program;
  asked: Asked[];
}

const PROGRAM_TIMEOUT_MS = 10_000;

export class AloneModules implements Modules<Alone> {
  private readonly script: Script;
  private readonly report: Report;
  private readonly instances: Alone[] = [];

  constructor(script: Script, report: Report) {
    this.script = script;
    this.report = report;
  }

  async instantiate(command: Command): Promise<Alone | Missing> {
    try {
      const instance = { program: await this.program(command), asked: [] };
      this.instances.push(instance);
      this.report.passed++;
      return instance;
    } catch (error) {
      return this.report.refused(command, error);
    }
  }

  async fails(command: Command): Promise<void> {
    let program: Program;
    try {
      program = await this.program(command, '-fails');
    } catch (error) {
      if (command.type === 'assert_unlinkable' && error instanceof UserError) this.report.passed++;
      else this.report.refused(command, error);
      return;
    }
    const ended = spawnSync(program.path, ['-'], {
      input: '',
      encoding: 'utf8',
      timeout: PROGRAM_TIMEOUT_MS,
    });
    const status = command.type === 'assert_unlinkable' ? 1 : 3;
    const trap = ended.stderr.replace(/^trap: /, '').trimEnd();
    const right = ended.status === status && (status === 1 || sameTrap(trap, command.text!));
    const how = `ended with status ${ended.status} ${ended.signal ?? ''}: ${ended.stderr}`;
    this.report.check(command, right ? undefined : `${how} (wanted: ${command.text})`);
  }

  ask({ asked }: Alone, command: Command): void {
    asked.push({ line: question(command.action!), command });
  }

  finish(): void {
    for (const { program, asked } of this.instances) checkAnswers(program, asked, this.report);
  }

  private program(command: Command, suffix = ''): Promise<Program> {
    const base = basename(this.script.name).replace(/\.\w+$/, '');
    const bytes = this.script.read(command.filename!);
    return makeProgram(`spec-${base}-${command.line}${suffix}`, bytes, { spectest: true });
  }
}
