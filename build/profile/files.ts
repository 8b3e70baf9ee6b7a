// The files for other programs: speedscope's "sampled" format, and a summary for the listing (docs: README, Profiling).

import { hottest, hottestLine, type Profile } from './profile.ts';

const SCHEMA = 'https://www.speedscope.app/file-format-schema.json';

/** One profile for each CPU, in milliseconds in which the machine ran. */
export function speedscopeFile({ functions, stacks, ran_ms }: Profile, title: string): string {
  const frames = functions.map((each) => {
    const { name, file } = each;
    const line = hottestLine(each);
    return { name, ...(file === undefined ? {} : { file }), ...(line === undefined ? {} : { line }) };
  });
  const cpus = [...new Set(stacks.map(({ cpu }) => cpu))].sort((a, b) => a - b);
  const profiles = cpus.map((cpu) => {
    const own = stacks.filter((each) => each.cpu === cpu);
    return {
      type: 'sampled',
      name: `CPU ${cpu}`,
      unit: 'milliseconds',
      startValue: 0,
      endValue: ran_ms,
      samples: own.map(({ stack }) => stack),
      weights: own.map(() => ran_ms / own.length),
    };
  });
  return `${JSON.stringify({ $schema: SCHEMA, name: title, exporter: 'yaos', activeProfileIndex: 0, shared: { frames }, profiles })}\n`;
}

/** Functions by their names in the module, the hottest first; instructions by their addresses in kernel.elf. */
export function summaryFile(profile: Profile): string {
  const functions = hottest(profile).map((each) => {
    const { symbol, file, self, total, lines } = each;
    return { name: symbol, file, line: hottestLine(each), self, total, lines: Object.fromEntries(lines) };
  });
  const addresses = [...profile.addresses]
    .toSorted(([, a], [, b]) => b - a)
    .map(([address, count]) => [`0x${address.toString(16)}`, count]);
  const samples = profile.stacks.length;
  return `${JSON.stringify({ samples, idle: profile.idle, functions, addresses: Object.fromEntries(addresses) }, null, 1)}\n`;
}
