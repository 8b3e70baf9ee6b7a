// ARCHITECTURE.md is true: the function that it follows from stage to stage is what the translator makes of it today.
// UPDATE_DOCS=1 puts today's output into the document.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from '../../build/paths.ts';
import { followFunction } from './pipeline.ts';

const document = join(root, 'ARCHITECTURE.md');
const STAGE = /^```text stage=(\w+)\n[\s\S]*?^```$/gm;

it('ARCHITECTURE.md shows every stage as it is (UPDATE_DOCS=1 renews it)', () => {
  const text = readFileSync(document, 'utf8');
  const source = /^```wat\n([\s\S]*?)^```$/m.exec(text)![1];
  const stages = followFunction(source, 'sum');
  const shown: string[] = [];
  const renewed = text.replace(STAGE, (_, stage: string) => {
    shown.push(stage);
    return `\`\`\`text stage=${stage}\n${stages[stage].trimEnd()}\n\`\`\``;
  });
  expect(shown).toEqual(Object.keys(stages));
  if (process.env.UPDATE_DOCS) writeFileSync(document, renewed);
  else expect(text).toBe(renewed);
});
