// `make bench`: the kernel's figures and the suite of programs against other compilers. FILTER=TEXT selects the programs
// with that text in their names and leaves the kernel out, FILTER=block the disk alone; ABLATE=1 measures what each pass of the optimiser is worth.

import { measureAblation } from './ablate.ts';
import { measureBlock } from './block.ts';
import { measureGrowth } from './growth.ts';
import { measureKernel } from './kernel.ts';
import { PROGRAMS } from './programs.ts';
import { measureSuite } from './suite.ts';

const { FILTER = '', ABLATE } = process.env;
const programs = PROGRAMS.filter(({ name }) => name.includes(FILTER));
if (FILTER === 'block') {
  measureBlock();
  process.exit(0);
}
if (programs.length === 0) {
  console.error(`bench: no program has '${FILTER}' in its name: ${PROGRAMS.map((p) => p.name).join(' ')}`);
  process.exit(1);
}
if (ABLATE) {
  await measureAblation(programs);
} else {
  if (FILTER === '') {
    await measureKernel();
    measureBlock();
  }
  await measureSuite(programs);
  if (FILTER === '') measureGrowth();
}
