// A script's actions as lines for a program, and what is wrong with its answers.

import { isArithmeticNan, isCanonicalNan, type NumType } from '../translator/values.ts';
import type { Action, Command, Value } from './script.ts';

/** The line that asks a program for an action. */
export function question(action: Action): string {
  const args = (action.args ?? []).map(({ type, value }) => {
    if (value === 'null' || type.endsWith('ref')) return value!;
    return `0x${BigInt(value!).toString(16)}`;
  });
  return [JSON.stringify(action.field), ...args].join(' ');
}

/** What is wrong with the answer, if anything is. */
export function verdict({ type, text, expected }: Command, answer: string): string | undefined {
  switch (type) {
    case 'module':
      return answer === '' ? undefined : answer;
    case 'action':
      return /^(trap|error): /.test(answer) ? answer : undefined;
    case 'assert_unlinkable':
      return answer.startsWith('error: ') ? undefined : `answered '${answer}' (wanted an error: ${text})`;
    case 'assert_return':
      return areExpected(answer, expected!)
        ? undefined
        : `answered ${answer} (wanted ${expected!.map((e) => `${e.type}:${e.value}`).join(' ')})`;
    default: {
      const right = answer.startsWith('trap: ') && sameTrap(answer.slice('trap: '.length), text!);
      return right ? undefined : `answered ${answer} (wanted trap: ${text})`;
    }
  }
}

/** The suite's texts may go on where an engine's message ends, and end where it goes on. */
export function sameTrap(trap: string, text: string): boolean {
  return trap !== '' && (trap.startsWith(text) || text.startsWith(trap));
}

function areExpected(answer: string, expected: Value[]): boolean {
  const values = answer === '' ? [] : answer.split(' ');
  return values.length === expected.length && values.every((v, i) => isExpected(v, expected[i]));
}

function isExpected(answer: string, { type, value }: Value): boolean {
  const [answerType, text] = answer.split(':');
  if (answerType !== type) return false;
  if (value === undefined) return text !== 'null';
  if (type.endsWith('ref')) return text === value;
  const bits = BigInt(text);
  if (value === 'nan:canonical') return isCanonicalNan(type as NumType, bits);
  if (value === 'nan:arithmetic') return isArithmeticNan(type as NumType, bits);
  return bits === BigInt(value);
}
