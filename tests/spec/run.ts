// Runs a test script against the translator: each of its commands passes, fails, or is skipped for a reason.

import { translate } from '../../build/translate.ts';
import { decode } from '../../build/wasm/decode.ts';
import { WasmError } from '../../build/wasm/module.ts';
import { AloneModules } from './alone.ts';
import { LinkedModules } from './linked.ts';
import type { Modules } from './modules.ts';
import { type Missing, Report, unsupported } from './report.ts';
import type { Command, Script } from './script.ts';

export async function runScript(script: Script): Promise<Report> {
  const report = new Report(script.name);
  await (areLinked(script)
    ? runAll(script, report, new LinkedModules(script, report))
    : runAll(script, report, new AloneModules(script, report)));
  return report;
}

/** Whether any module imports from another one of the script's. */
function areLinked({ commands, read }: Script): boolean {
  const registered = new Set(commands.flatMap(({ type, as }) => (type === 'register' ? [as!] : [])));
  if (registered.size === 0) return false;
  return commands.some(({ filename }) => {
    if (filename === undefined || filename.endsWith('.wat')) return false;
    try {
      return decode(read(filename)).imports.some(({ module }) => registered.has(module));
    } catch {
      return false; // to be reported in its turn
    }
  });
}

async function runAll<Instance extends object>(
  script: Script,
  report: Report,
  modules: Modules<Instance>,
): Promise<void> {
  const run = new ScriptRun(script, report, modules);
  for (const command of script.commands) await run.step(command);
  modules.finish();
}

class ScriptRun<Instance extends object> {
  private readonly script: Script;
  private readonly report: Report;
  private readonly modules: Modules<Instance>;
  private readonly named = new Map<string, Instance | Missing>();
  private readonly registered = new Map<string, Instance | Missing>();
  private current: Instance | Missing = { skipped: 'no module yet' };

  constructor(script: Script, report: Report, modules: Modules<Instance>) {
    this.script = script;
    this.report = report;
    this.modules = modules;
  }

  async step(command: Command): Promise<void> {
    switch (command.type) {
      case 'module':
        this.current = await this.modules.instantiate(command, this.registered);
        if (command.name) this.named.set(command.name, this.current);
        return;
      case 'register':
        this.registered.set(command.as!, this.named.get(command.name ?? '') ?? this.current);
        return;
      case 'action':
      case 'assert_return':
      case 'assert_trap':
      case 'assert_exhaustion':
        return this.ask(command);
      case 'assert_invalid':
      case 'assert_malformed':
        return this.refused(command);
      case 'assert_unlinkable':
      case 'assert_uninstantiable':
        return this.modules.fails(command, this.registered);
      default:
        this.report.skip(`command ${command.type}`);
    }
  }

  private ask(command: Command): void {
    const name = command.action!.module;
    const instance = name ? this.named.get(name) : this.current;
    if (instance === undefined) this.report.check(command, `no module ${name}`);
    else if ('skipped' in instance) this.report.skip(instance.skipped);
    else this.modules.ask(instance, command);
  }

  private refused(command: Command): void {
    if (command.module_type === 'text') {
      this.report.skip('text format');
      return;
    }
    try {
      translate(this.script.read(command.filename!), { memory: 'register' });
      this.report.check(command, `accepted: ${command.text}`);
    } catch (error) {
      if (error instanceof WasmError && !unsupported(error)) this.report.passed++;
      else this.report.refused(command, error);
    }
  }
}
