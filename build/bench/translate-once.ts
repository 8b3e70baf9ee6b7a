// A process of the benchmark: translates the module in a file and prints the processor time that took, start-up left
// out, and the process's peak of memory.

import { readFileSync } from 'node:fs';
import { tuneEngine } from '../engine.ts';
import { translate } from '../translate.ts';

tuneEngine();
const bytes = readFileSync(process.argv[2]);
const before = process.cpuUsage();
translate(bytes, { memory: 'register' });
const { user, system } = process.cpuUsage(before);
console.log(JSON.stringify({ time_ms: (user + system) / 1000, peak_kib: process.resourceUsage().maxRSS }));
