// The IR of a module's functions, optimised. Small ones are made when they are first called from another, which may
// want a copy, and kept until their own turn; the others when it is their turn.

import { buildFunction } from './ir/build.ts';
import type { ModuleEnv } from './ir/emitter.ts';
import type { Func } from './ir/ir.ts';
import { Locations } from './ir/locations.ts';
import type { InlineLimits, Inliner } from './opt/inline.ts';
import { improve, type OptimiseOptions } from './opt/passes.ts';
import { makeTemplate, type Template } from './opt/template.ts';
import { scanModule } from './wasm/calls.ts';
import type { WasmModule } from './wasm/module.ts';

/** What the builder does on its own account: locals become values. Without it those that change on several ways stay in
 * the frame. */
export const SSA_PASS = 'ssa';

/** Bytes of a body that may come to so few instructions that it can be inlined; an accessor has about 60. */
const SMALL_BYTES: Record<ModuleEnv['model'], number> = { fixed: 128, register: 256 };
/** Functions that are made while others wait for them: a chain of thousands would exhaust our own stack. */
const WAITING_MAX = 64;

/** Programs come with their small functions inlined by their compilers; the kernel comes without (kernel/passes.mjs). */
const LIMITS: Record<ModuleEnv['model'], InlineLimits> = {
  fixed: { cost_max: 12, cost_in_loop_max: 30, cost_in_inner_loop_max: 30 },
  register: { cost_max: 8, cost_in_loop_max: 20, cost_in_inner_loop_max: 45 },
};

/** What has one call in a kernel moves there. Next to a hot path that leaves out what is called where something goes wrong. */
const MOVES_HOT = moving(60);
const MOVES_COLD = moving(300);

function moving(cost_max: number): InlineLimits {
  return { cost_max, cost_in_loop_max: cost_max, cost_in_inner_loop_max: cost_max, moves: true };
}

/** Where one of the two is cold: what takes no more room than a call. */
const LIMITS_COLD: InlineLimits = { cost_max: 4, cost_in_loop_max: 4, cost_in_inner_loop_max: 4 };

export class Functions implements Inliner {
  readonly locations = new Locations();
  readonly recursion: boolean;
  private readonly env: ModuleEnv;
  private readonly options: OptimiseOptions;
  private readonly improved = new Map<number, Func>();
  private waiting = 0;
  private readonly templates = new Map<number, Template | undefined>();
  /** Functions with one call in the module, and no other use. */
  private readonly calledOnce: ReadonlySet<number>;

  constructor(env: ModuleEnv, options: OptimiseOptions) {
    this.env = env;
    this.recursion = env.model === 'register'; // a kernel has other uses for the space
    this.options = { ...options, inliner: this };
    const moves = env.model === 'fixed' && !options.disabled?.has('inline');
    this.calledOnce = moves ? findCalledOnce(env.module) : new Set();
  }

  /** For the caller to keep. */
  take(index: number): Func {
    const func = this.improved.get(index);
    this.improved.delete(index);
    return func ?? this.make(index);
  }

  limits(caller: Func, callee: number): InlineLimits {
    const { funcs } = this.env.module;
    const isCold = funcs[callee].cold === true;
    // What is copied itself must stay small.
    const moves =
      this.calledOnce.has(callee) && (this.calledOnce.has(caller.index) || !this.isSmall(caller.index));
    if (moves && isCold === (funcs[caller.index]?.cold === true)) return isCold ? MOVES_COLD : MOVES_HOT;
    return funcs[caller.index]?.cold || isCold ? LIMITS_COLD : LIMITS[this.env.model];
  }

  /** Whether it may become part of others. */
  isInlinable(index: number): boolean {
    return this.calledOnce.has(index) || this.isSmall(index);
  }

  private isSmall(index: number): boolean {
    const body = this.env.module.funcs[index]?.body;
    return body !== undefined && body.end - body.start <= SMALL_BYTES[this.env.model];
  }

  template(index: number): Template | undefined {
    if (!this.isInlinable(index)) return undefined;
    if (!this.templates.has(index)) {
      if (this.waiting === WAITING_MAX) return undefined;
      this.templates.set(index, undefined); // while it is made, so that a circle of calls has an end
      this.waiting++;
      const func = this.make(index);
      this.waiting--;
      this.improved.set(index, func);
      const moves = this.calledOnce.has(index);
      const cost_max = (moves ? MOVES_COLD : LIMITS[this.env.model]).cost_in_inner_loop_max;
      const shared = this.env.module.memories[0]?.shared;
      this.templates.set(index, makeTemplate(func, cost_max, { keepsTraps: moves, shared }));
    }
    return this.templates.get(index);
  }

  private make(index: number): Func {
    const inFrame = this.options.disabled?.has(SSA_PASS);
    const func = buildFunction(this.env, index, inFrame ? 0 : undefined);
    this.options.trace?.(func, 'builder');
    improve(func, this.options);
    return func;
  }
}

function findCalledOnce(module: WasmModule): Set<number> {
  const bodies = scanModule(module);
  const counts = new Map<number, number>();
  for (const body of bodies)
    for (const { callee } of body?.direct ?? []) counts.set(callee, (counts.get(callee) ?? 0) + 1);
  const once = [...counts].filter(([index, count]) => count === 1 && module.funcs[index].body !== undefined);
  const others = [...module.referencedFuncs, module.start, ...bodies.flatMap((body) => body?.taken ?? [])];
  const used = new Set(others);
  return new Set(once.map(([index]) => index).filter((index) => !used.has(index)));
}
