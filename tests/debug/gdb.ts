// gdb in batch mode for the tests of debugging information, on a hosted program in a folder of its own.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect } from 'vitest';

export class DebugFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'yaos-debug-'));

  constructor() {
    afterAll(() => rmSync(this.path, { recursive: true }));
  }

  write(name: string, contents: string | Uint8Array): void {
    writeFileSync(join(this.path, name), contents);
  }

  run(program: string, ...args: string[]): { stdout: string; stderr: string } {
    const { status, stdout, stderr } = spawnSync(program, args, {
      cwd: this.path,
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    });
    expect(status, `${program} ${args.join(' ')}\n${stderr}`).toBe(0);
    return { stdout, stderr };
  }

  asc(args: string): void {
    this.run(resolve('node_modules/.bin/asc'), ...args.split(' '));
  }

  /** Makes `program` of `program.wasm`. */
  makeProgram(...options: string[]): void {
    this.run(resolve('out/yaos'), 'exe', 'program.wasm', '-o', 'program', ...options);
  }

  /** What gdb prints by these commands. */
  gdb(...commands: string[]): string {
    this.write('commands.gdb', commands.join('\n'));
    const options = '-q -nx -batch -ex'.split(' ');
    const setup = 'set extension-language .ts c++';
    return this.run('gdb', ...options, setup, '-x', 'commands.gdb', './program').stdout;
  }

  /** The functions of the back traces at the next `steps` instructions, the innermost first. */
  tracesAtEachStep(start: string[], steps: number): string[][] {
    const loop = [`while $i < ${steps}`, 'bt', 'stepi', 'set $i = $i + 1', 'end'];
    const told = this.gdb(...start, 'set $i = 0', ...loop);
    const traces = told.split(/^(?=#0)/m).slice(1);
    return traces.map((trace) =>
      [...trace.matchAll(/^#\d+ +(?:0x\w+ in )?(\S+) \(/gm)].map(([, name]) => name!),
    );
  }
}
