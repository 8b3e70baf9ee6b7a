// Modules that import from one another: one program has them all, each with a name of its own, and the host of host.c, which links
// and asks them in the script's order.

import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { translate } from '../../build/translate.ts';
import { decode } from '../../build/wasm/decode.ts';
import { root } from '../kernel/compile.ts';
import { type Program, programPath } from '../translator/harness.ts';
import { type Asked, checkAnswers, type Modules, type Registered } from './modules.ts';
import type { Missing, Report } from './report.ts';
import type { Command, Script } from './script.ts';
import { question } from './verdict.ts';

interface Linked {
  /** Among the script's modules. */
  number: number;
}

export class LinkedModules implements Modules<Linked> {
  private readonly script: Script;
  private readonly report: Report;
  private readonly objects: Uint8Array[] = [];
  private readonly asked: Asked[] = [];

  constructor(script: Script, report: Report) {
    this.script = script;
    this.report = report;
  }

  async instantiate(command: Command, registered: Registered<Linked>): Promise<Linked | Missing> {
    try {
      return this.add(command, registered);
    } catch (error) {
      return this.report.refused(command, error);
    }
  }

  async fails(command: Command, registered: Registered<Linked>): Promise<void> {
    await this.instantiate(command, registered);
  }

  ask({ number }: Linked, command: Command): void {
    this.asked.push({ line: `call ${number} ${question(command.action!)}`, command });
  }

  finish(): void {
    if (this.objects.length > 0) checkAnswers(this.link(), this.asked, this.report);
  }

  private add(command: Command, registered: Registered<Linked>): Linked | Missing {
    const bytes = this.script.read(command.filename!);
    const sources: (number | string)[] = [];
    for (const { module } of decode(bytes).imports) {
      const from = registered.get(module);
      if (from && 'skipped' in from) {
        this.report.skip(from.skipped);
        return { skipped: 'on a module that imports from one that is not there' };
      }
      sources.push(from?.number ?? (module === 'spectest' ? 's' : '-'));
    }
    const number = this.objects.length;
    this.objects.push(translate(bytes, { memory: 'register', name: `module_${number}` }).object);
    this.asked.push({ line: ['module', number, ...sources].join(' '), command });
    return { number };
  }

  private link(): Program {
    const path = programPath(`spec-${basename(this.script.name).replace(/\.\w+$/, '')}`);
    const folder = `${path}.modules`;
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    const files = this.objects.map((object, i) => {
      const file = join(folder, `${i}.o`);
      writeFileSync(file, object);
      return file;
    });
    writeFileSync(join(folder, 'modules.inc'), this.objects.map((_, i) => `MODULE(module_${i})\n`).join(''));
    const host = ['-O1', `-I${folder}`, `-I${join(root, 'runtime')}`, join(import.meta.dirname, 'host.c')];
    const library = [join(root, 'out/libyaosrt.a'), '-pthread'];
    execFileSync('gcc', ['-o', path, ...host, ...files, ...library], { stdio: 'pipe' });
    return { wasm: this.script.name, path };
  }
}
