// What has become of a script's commands.

import type { Command } from './script.ts';

export class Report {
  passed = 0;
  readonly failures: string[] = [];
  /** How many commands were skipped for each reason. */
  readonly skipped = new Map<string, number>();
  private readonly script: string;

  constructor(script: string) {
    this.script = script;
  }

  /** `wrong`: what is, if anything. */
  check(command: Command, wrong: string | undefined): void {
    if (wrong === undefined) this.passed++;
    else this.failures.push(`${this.script}:${command.line}: ${command.type}: ${wrong}`);
  }

  skip(reason: string): void {
    this.skipped.set(reason, (this.skipped.get(reason) ?? 0) + 1);
  }

  /** Of a module that was refused. */
  refused(command: Command, error: unknown): Missing {
    const reason = unsupported(error);
    if (reason) this.skip(reason);
    else this.check(command, (error as Error).message);
    return { skipped: reason ? `on a module that is refused: ${reason}` : 'on a module that failed' };
  }
}

/** Why a module has no instance: the commands on it are skipped, or have failed with it. */
export interface Missing {
  skipped: string;
}

/** For what a module is refused that is valid, or that would be refused for something else, with proposals that yaos does not take. */
export function unsupported(error: unknown): string | undefined {
  const { message } = error as Error;
  return / is not supported/.test(message) ? message.replace(/^.*\): /, '') : undefined;
}
