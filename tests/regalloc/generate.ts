// Random machine functions for the allocator's tests: structured control flow with loops, branches and switches,
// block parameters, and every kind of operand constraint. Each instruction is one that a machine with the given
// registers can satisfy.

import { MBlock, MFunc, MInst, Operand, type RegClass, type RegEnv, type VReg } from '../../build/x64/mir.ts';

/** A small generator of pseudo-random numbers (mulberry32). */
export class Random {
  private state: number;
  constructor(seed: number) {
    this.state = seed >>> 0;
  }
  /** An integer in [0, n). */
  below(n: number): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * n);
  }
  chance(percent: number): boolean {
    return this.below(100) < percent;
  }
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }
}

export function regSet(regs: readonly number[]): number {
  let set = 0;
  for (const r of regs) set |= 1 << r;
  return set >>> 0;
}

export function registersOf(set: number): number[] {
  return Array.from({ length: 32 }, (_, i) => i).filter((i) => (set >>> i) & 1);
}

export interface Shape {
  /** About how many instructions. */
  size: number;
  /** About how many values stay in use at once. */
  pressure: number;
  /** Percent of float values. */
  floats: number;
}

export function generate(seed: number, env: RegEnv, shape: Shape): MFunc {
  return new Generator(new Random(seed), env, shape).run(seed);
}

class Generator {
  private readonly rnd: Random;
  private readonly env: RegEnv;
  private readonly shape: Shape;
  private readonly func = new MFunc('random');
  private readonly ints: number[];
  private readonly floats: number[];
  private block!: MBlock;
  private depth = 0;
  private budget: number;
  /** Values that dominate this place, the newest last. */
  private scope: VReg[] = [];

  constructor(rnd: Random, env: RegEnv, shape: Shape) {
    this.rnd = rnd;
    this.env = env;
    this.shape = shape;
    this.budget = shape.size;
    const regs = registersOf(env.allocatable);
    this.ints = regs.filter((r) => r < 16);
    this.floats = regs.filter((r) => r >= 16);
  }

  run(seed: number): MFunc {
    this.func.name = `random_${seed}`;
    this.block = this.newBlock(1);
    this.entry();
    while (this.budget > 0) this.statements(0);
    this.terminate('ret', this.fixedUses(2));
    for (const b of this.func.blocks) {
      for (const t of b.insts.at(-1)!.targets) t.block.preds.push(b);
    }
    if (this.rnd.chance(30)) this.shuffle();
    return this.func;
  }

  /** The layout is not always the order in which control flows. */
  private shuffle(): void {
    const blocks = this.func.blocks;
    for (let i = blocks.length - 1; i > 1; i--) {
      const j = 1 + this.rnd.below(i);
      [blocks[i], blocks[j]] = [blocks[j], blocks[i]];
    }
  }

  private newBlock(frequency: number): MBlock {
    const b = new MBlock(this.func.blocks.length);
    b.frequency = frequency;
    b.loopDepth = this.depth;
    this.func.blocks.push(b);
    return b;
  }

  private entry(): void {
    const ops = this.takeSome(this.ints, 4).map((r) => new Operand(this.fresh('int'), 'def', 'fixed', r));
    for (const r of this.takeSome(this.floats, 2))
      ops.push(new Operand(this.fresh('float'), 'def', 'fixed', r));
    this.emit('entry', ops);
    this.emit('init', [new Operand(this.fresh('int'), 'def')]);
    if (this.floats.length > 0) this.emit('init', [new Operand(this.fresh('float'), 'def')]);
  }

  private takeSome(regs: readonly number[], max: number): number[] {
    const left = [...regs];
    const taken: number[] = [];
    for (let n = this.rnd.below(Math.min(max, left.length) + 1); n > 0; n--) {
      taken.push(left.splice(this.rnd.below(left.length), 1)[0]);
    }
    return taken;
  }

  private classHere(): RegClass {
    return this.floats.length > 0 && this.rnd.chance(this.shape.floats) ? 'float' : 'int';
  }

  /** A new value, in scope from the next instruction on. */
  private fresh(cls: RegClass, narrow = cls === 'int' && this.func.classes.length % 2 === 0): VReg {
    const v = this.func.newVReg(cls, narrow);
    this.newborn.push(v);
    return v;
  }
  private newborn: VReg[] = [];

  private emit(op: string, ops: Operand[]): MInst {
    const inst = new MInst(op, ops, undefined, this.func.blocks.length);
    this.block.insts.push(inst);
    this.scope.push(...this.newborn);
    this.newborn = [];
    this.budget--;
    return inst;
  }

  /** A value in scope, more often one of the newest `pressure`. */
  private value(cls: RegClass): VReg {
    const window = this.rnd.chance(90) ? this.scope.slice(-this.shape.pressure) : this.scope;
    const fit = window.filter((v) => this.func.classes[v] === cls);
    return this.rnd.pick(fit.length > 0 ? fit : this.scope.filter((v) => this.func.classes[v] === cls));
  }

  private fixedUses(max: number): Operand[] {
    const ops = this.takeSome(this.ints, max).map((r) => new Operand(this.value('int'), 'use', 'fixed', r));
    for (const r of this.takeSome(this.floats, max))
      ops.push(new Operand(this.value('float'), 'use', 'fixed', r));
    return ops;
  }

  private statements(nesting: number): void {
    for (let n = 2 + this.rnd.below(12); n > 0 && this.budget > 0; n--) {
      const kind = this.rnd.below(100);
      if (nesting < 5 && kind < 8) this.branch(nesting);
      else if (nesting < 5 && kind < 14) this.loop(nesting);
      else if (nesting < 5 && kind < 16) this.switch(nesting);
      else if (kind < 26) this.call();
      else if (kind < 34) this.move();
      else if (kind < 44) this.twoAddress();
      else this.plain();
    }
  }

  // --- instructions ---

  private call(): void {
    const callerSaved = this.env.allocatable & ~this.env.calleeSaved;
    const ops = this.fixedUses(Math.min(4, this.ints.length));
    if (this.rnd.chance(30)) ops.push(new Operand(this.value('int'), 'use', 'any'));
    const usable = registersOf(callerSaved);
    const results = this.takeSome(usable, 2);
    for (const r of results) ops.push(new Operand(this.fresh(r < 16 ? 'int' : 'float'), 'def', 'fixed', r));
    this.emit('call', ops).clobbers = (callerSaved & ~regSet(results)) >>> 0;
  }

  private move(): void {
    const cls = this.classHere();
    const from = new Operand(this.value(cls), 'use', 'any');
    const to = this.fresh(cls, this.func.narrow[from.vreg]);
    this.emit('copy', [new Operand(to, 'def', 'any'), from]).isMove = true;
  }

  private twoAddress(): void {
    const cls = this.classHere();
    const ops = [
      new Operand(this.value(cls), 'use'),
      new Operand(this.value(cls), 'use', this.rnd.chance(50) ? 'any' : 'reg'),
    ];
    const shift = cls === 'int' && this.rnd.chance(30);
    if (shift) ops[1] = new Operand(ops[1].vreg, 'use', 'fixed', this.rnd.pick(this.ints));
    ops.unshift(new Operand(this.fresh(cls), 'def', 'reuse', 1));
    this.emit(shift ? 'shift' : 'alu', ops).commutative = !shift && this.rnd.chance(70);
  }

  /** An instruction of random operands, dropped again one by one until the registers suffice. */
  private plain(): void {
    const ops: Operand[] = [];
    let clobbers = 0;
    for (let n = this.rnd.below(4); n > 0; n--) ops.push(this.plainUse());
    for (let n = this.rnd.below(3); n > 0; n--) ops.push(this.plainDef());
    if (this.rnd.chance(10)) ops.push(new Operand(this.func.newVReg('int'), 'temp'));
    if (this.rnd.chance(10)) clobbers = regSet([this.rnd.pick(this.ints)]);
    if (this.rnd.chance(5)) {
      const taken = new Set(ops.filter((o) => o.constraint === 'fixed').map((o) => o.arg));
      const r = this.rnd.pick(this.ints);
      if (!taken.has(r)) ops.push(new Operand(this.func.newVReg('int'), 'temp', 'fixed', r));
    }
    while (!this.satisfiable(ops, clobbers)) {
      if (clobbers) clobbers = 0;
      else ops.pop();
    }
    const defined = new Set(ops.map((o) => o.vreg));
    this.newborn = this.newborn.filter((v) => defined.has(v));
    this.emit('plain', ops).clobbers = clobbers;
  }

  private plainUse(): Operand {
    const cls = this.classHere();
    const role = this.rnd.chance(15) ? 'lateuse' : 'use';
    const v = this.value(cls);
    const kind = this.rnd.below(100);
    if (kind < 20) return new Operand(v, role, 'any');
    if (kind < 35)
      return new Operand(v, role, 'fixed', this.rnd.pick(cls === 'int' ? this.ints : this.floats));
    return new Operand(v, role);
  }

  private plainDef(): Operand {
    const cls = this.classHere();
    const role = this.rnd.chance(15) ? 'earlydef' : 'def';
    const v = this.fresh(cls);
    const kind = this.rnd.below(100);
    if (kind < 10 && role === 'def') return new Operand(v, role, 'any');
    if (kind < 25)
      return new Operand(v, role, 'fixed', this.rnd.pick(cls === 'int' ? this.ints : this.floats));
    return new Operand(v, role);
  }

  /** Counts what needs a register early, late and throughout. */
  private satisfiable(ops: Operand[], clobbers: number): boolean {
    for (const regs of [this.ints, this.floats]) {
      const cls = regs === this.ints ? 'int' : 'float';
      const mine = ops.filter((o) => this.func.classes[o.vreg] === cls);
      const fixedEarly = new Map<number, VReg>();
      const fixedLate = new Set(registersOf(clobbers & regSet(regs)));
      const early = new Set<VReg>();
      const late = new Set<VReg>();
      for (const o of mine) {
        const use = o.role === 'use' || o.role === 'lateuse';
        const isEarly = use || o.role !== 'def';
        const isLate = o.role !== 'use';
        if (o.constraint === 'fixed') {
          if (isEarly) {
            if (fixedEarly.has(o.arg) && (fixedEarly.get(o.arg) !== o.vreg || !use)) return false;
            fixedEarly.set(o.arg, use ? o.vreg : -1 - o.vreg);
          }
          if (isLate) {
            if (fixedLate.has(o.arg)) return false;
            fixedLate.add(o.arg);
          }
        } else if (o.constraint === 'reg') {
          if (isEarly) early.add(o.vreg);
          if (isLate) late.add(o.vreg);
        }
      }
      const both = [...early].filter((v) => late.has(v)).length;
      const fixedAny = new Set([...fixedEarly.keys(), ...fixedLate]);
      if (both + fixedAny.size > regs.length) return false;
      if (early.size + fixedEarly.size > regs.length || late.size + fixedLate.size > regs.length)
        return false;
    }
    return true;
  }

  // --- control flow ---

  private terminate(op: string, ops: Operand[], targets: { block: MBlock; args: VReg[] }[] = []): void {
    this.emit(op, ops).targets = targets;
  }

  private inBlock(block: MBlock, scope: VReg[], body: () => void): void {
    this.block = block;
    this.scope = [...scope];
    body();
  }

  private params(block: MBlock): RegClass[] {
    const classes = Array.from({ length: this.rnd.below(5) }, () => this.classHere());
    for (const cls of classes) block.params.push(this.func.newVReg(cls));
    return classes;
  }

  private jump(to: MBlock, classes: RegClass[]): void {
    this.terminate('jmp', [], [{ block: to, args: classes.map((c) => this.value(c)) }]);
  }

  private condition(): Operand[] {
    return [new Operand(this.value('int'), 'use', this.rnd.chance(30) ? 'any' : 'reg')];
  }

  private branch(nesting: number): void {
    const { frequency } = this.block;
    const scope = this.scope;
    const share = this.rnd.pick([0.5, 0.001, 0.9]);
    const arms = [this.newBlock(frequency * share), this.newBlock(frequency * (1 - share))];
    this.terminate(
      'br',
      this.condition(),
      arms.map((block) => ({ block, args: [] })),
    );
    const join = new MBlock(-1);
    const classes = this.params(join);
    for (const arm of arms) {
      this.inBlock(arm, scope, () => {
        this.statements(nesting + 1);
        this.jump(join, classes);
      });
    }
    this.continueAt(join, frequency, scope);
  }

  private switch(nesting: number): void {
    const { frequency } = this.block;
    const scope = this.scope;
    const arms = Array.from({ length: 2 + this.rnd.below(3) }, () => this.newBlock(frequency / 4));
    // An edge of a switch may carry arguments, as its block has no other predecessor.
    const classes = arms.map((arm) => this.params(arm));
    const targets = arms.map((block, i) => ({ block, args: classes[i].map((c) => this.value(c)) }));
    const temp = new Operand(this.func.newVReg('int'), 'temp');
    this.terminate('switch', [...this.condition(), temp], targets);
    const join = new MBlock(-1);
    const joined = this.params(join);
    for (const arm of arms) {
      this.inBlock(arm, [...scope, ...arm.params], () => {
        if (this.rnd.chance(60)) this.statements(nesting + 1);
        this.jump(join, joined);
      });
    }
    this.continueAt(join, frequency, scope);
  }

  private loop(nesting: number): void {
    const { frequency } = this.block;
    this.depth++;
    const header = this.newBlock(frequency * 10);
    const classes = this.params(header);
    this.jump(header, classes);
    const outer = this.scope;
    let after: VReg[] = [];
    this.inBlock(header, [...outer, ...header.params], () => {
      this.statements(nesting + 1);
      after = [...this.scope];
      const latch = this.newBlock(frequency * 9);
      const exit = this.newBlock(frequency);
      const first = this.rnd.chance(50);
      this.terminate(
        'br',
        this.condition(),
        (first ? [latch, exit] : [exit, latch]).map((block) => ({ block, args: [] })),
      );
      this.block = latch;
      if (this.rnd.chance(20)) this.plain();
      this.jump(header, classes);
      this.depth--;
      exit.loopDepth = this.depth;
      this.block = exit;
      this.scope = after;
    });
  }

  private continueAt(join: MBlock, frequency: number, scope: VReg[]): void {
    join.id = this.func.blocks.length;
    join.frequency = frequency;
    join.loopDepth = this.depth;
    this.func.blocks.push(join);
    this.block = join;
    this.scope = [...scope, ...join.params];
  }
}
