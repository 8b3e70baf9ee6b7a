// The order of spill slots: the most used first, and each operand still in the slot of its value.

import { expect, it } from 'vitest';
import { MBlock, MFunc, MInst, Operand, SLOT0 } from '../../build/x64/mir.ts';
import { orderSlots } from '../../build/x64/slot-order.ts';

it('puts the slots that are used most first', () => {
  const func = new MFunc('f');
  const block = new MBlock(0);
  func.blocks.push(block);
  func.spillSlots = 3;
  const operands = [0, 1, 1, 2, 2, 2].map((slot) => {
    const operand = new Operand(slot, 'use', 'any');
    operand.loc = SLOT0 + slot;
    return operand;
  });
  const register = new Operand(3, 'use');
  register.loc = 5;
  block.insts = operands.map((operand) => new MInst('test', [operand, register]));
  orderSlots(func);
  expect(operands.map((o) => o.loc - SLOT0)).toEqual([2, 1, 1, 0, 0, 0]);
  expect(register.loc).toBe(5);
});
