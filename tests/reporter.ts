// Writes the number of tests that passed, failed and were skipped to out/test-summary.txt, for .ci/run. A test
// file that could not be loaded, or an error outside the tests, counts as one that failed.

import { mkdirSync, writeFileSync } from 'node:fs';
import type { Reporter, SerializedError, TestModule } from 'vitest/node';

export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly SerializedError[]): void {
    const counts = { passed: 0, failed: errors.length, skipped: 0 };
    for (const module of modules) {
      if (module.errors().length > 0) counts.failed++;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        counts[state === 'pending' ? 'skipped' : state]++;
      }
    }
    const skipped = counts.skipped === 0 ? '' : `, ${counts.skipped} skipped`;
    mkdirSync('out', { recursive: true });
    writeFileSync('out/test-summary.txt', `${counts.passed} passed, ${counts.failed} failed${skipped}\n`);
  }
}
