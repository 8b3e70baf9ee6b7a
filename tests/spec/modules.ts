// How the modules of a script become programs that answer its actions.

import { ask, type Program } from '../translator/harness.ts';
import type { Missing, Report } from './report.ts';
import type { Command } from './script.ts';
import { verdict } from './verdict.ts';

/** Whom a module can import from. */
export type Registered<Instance> = ReadonlyMap<string, Instance | Missing>;

/** Each method reports what comes of the command, now or when all is finished. */
export interface Modules<Instance> {
  instantiate(command: Command, registered: Registered<Instance>): Promise<Instance | Missing>;
  /** For a module that cannot be linked, or that ends with a trap. */
  fails(command: Command, registered: Registered<Instance>): Promise<void>;
  ask(instance: Instance, command: Command): void;
  finish(): void;
}

export interface Asked {
  line: string;
  command: Command;
}

/** A program answers all lines in one go; if it ends before the last, none of its answers counts. */
export function checkAnswers(program: Program, asked: Asked[], report: Report): void {
  let answers: string[] = [];
  let ended: string | undefined;
  try {
    answers = ask(
      program,
      asked.map(({ line }) => line),
    );
  } catch (error) {
    ended = (error as Error).message;
  }
  for (const [i, { command }] of asked.entries())
    report.check(command, ended ?? verdict(command, answers[i]));
}
