// Machine functions from text, for tests that look at what the allocator makes of them.
//
//   0 @1                          block 0, frequency 1; parameters in brackets: 1(x y) @10
//     a:rdi b:rsi = entry         definitions = operation uses; `:reg` fixes a register
//     c~ = alu a b?               `~`: reuses the first use; `?`: may be in memory; `!`: used until late
//     r:rax = call a:rdi          `call` destroys what callees do not preserve
//     jmp 1(a c)                  targets of the last instruction behind `->` or of jmp
//     br c -> 2() 3()
//
// Names that begin with f are floats. `add` may have its operands exchanged.

import {
  CALLEE_SAVED,
  MBlock,
  MFunc,
  MInst,
  Operand,
  type RegEnv,
  type Role,
  type VReg,
} from '../../build/x64/mir.ts';
import { checkAllocation } from '../../build/x64/regalloc/check.ts';
import { copyForComparison } from '../../build/x64/regalloc/contents.ts';
import { allocate } from '../../build/x64/regalloc/index.ts';

const NAMES = [
  'rax',
  'rcx',
  'rdx',
  'rbx',
  'rsp',
  'rbp',
  'rsi',
  'rdi',
  'r8',
  'r9',
  'r10',
  'r11',
  'r12',
  'r13',
  'r14',
  'r15',
];
export const REGISTERS: RegEnv = { allocatable: ~((1 << 4) | (1 << 31)) >>> 0, calleeSaved: CALLEE_SAVED };

function registerNamed(name: string): number {
  return name.startsWith('xmm') ? 16 + Number(name.slice(3)) : NAMES.indexOf(name);
}

export function parse(text: string): MFunc {
  return new Parser().parse(text);
}

/** Allocates, and proves the result before anyone looks at it. */
export function allocated(text: string): MFunc {
  const func = parse(text);
  const before = copyForComparison(func);
  allocate(func, REGISTERS);
  checkAllocation(before, func);
  return func;
}

class Parser {
  private readonly func = new MFunc('test');
  private readonly vregs = new Map<string, VReg>();
  private readonly blocks = new Map<number, MBlock>();

  parse(text: string): MFunc {
    let block: MBlock | undefined;
    for (const line of text.split('\n')) {
      const words = line.trim();
      if (words === '') continue;
      const head = /^(\d+)(?:\((.*)\))? @([\d.]+)$/.exec(words);
      if (head) {
        block = this.block(Number(head[1]));
        block.frequency = Number(head[3]);
        block.params = (head[2] ?? '')
          .split(' ')
          .filter(Boolean)
          .map((n) => this.vreg(n));
        this.func.blocks.push(block);
      } else block!.insts.push(this.inst(words));
    }
    for (const b of this.func.blocks) for (const t of b.insts.at(-1)!.targets) t.block.preds.push(b);
    return this.func;
  }

  private block(id: number): MBlock {
    const b = this.blocks.get(id) ?? new MBlock(id);
    this.blocks.set(id, b);
    return b;
  }

  private vreg(name: string): VReg {
    const v = this.vregs.get(name) ?? this.func.newVReg(name.startsWith('f') ? 'float' : 'int');
    this.vregs.set(name, v);
    return v;
  }

  private inst(line: string): MInst {
    const [body, targets] = line.startsWith('jmp') ? ['jmp', line.slice(3)] : line.split('->');
    const parts = body.split('=');
    const defs = parts.length > 1 ? parts[0].trim().split(' ').filter(Boolean) : [];
    const [op, ...uses] = parts.at(-1)!.trim().split(' ').filter(Boolean);
    const ops = [
      ...defs.map((d) => this.operand(d, 'def', defs.length)),
      ...uses.map((u) => this.operand(u, 'use', 0)),
    ];
    const inst = new MInst(op, ops);
    inst.commutative = op === 'add';
    if (op === 'call') {
      inst.clobbers = ~(CALLEE_SAVED | (1 << 4)) >>> 0;
      for (const o of ops) if (o.role === 'def') inst.clobbers = (inst.clobbers & ~(1 << o.arg)) >>> 0;
    }
    for (const t of (targets ?? '').matchAll(/(\d+)\(([^)]*)\)/g)) {
      const args = t[2]
        .split(' ')
        .filter(Boolean)
        .map((n) => this.vreg(n));
      inst.targets.push({ block: this.block(Number(t[1])), args });
    }
    return inst;
  }

  private operand(word: string, role: Role, firstUse: number): Operand {
    const [name, reg] = word.split(':');
    if (reg) return new Operand(this.vreg(name), role, 'fixed', registerNamed(reg));
    const v = this.vreg(name.replace(/[~?!]$/, ''));
    if (name.endsWith('~')) return new Operand(v, 'def', 'reuse', firstUse);
    if (name.endsWith('?')) return new Operand(v, role, 'any');
    return new Operand(v, name.endsWith('!') ? 'lateuse' : role);
  }
}

/** Moves between registers and accesses to slots in a block, those of instructions that read memory included. */
export function traffic(block: MBlock): { moves: number; memory: number } {
  let moves = 0;
  let memory = 0;
  for (const { op, ops } of block.insts) {
    if (ops.some((o) => o.loc >= 32)) memory++;
    else if (op === 'mov' || op === 'xchg') moves++;
  }
  return { moves, memory };
}
