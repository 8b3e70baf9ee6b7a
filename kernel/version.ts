// The version that the kernel says first; tests/kernel/units.test.ts holds it equal to package.json's.

export const VERSION = '0.1.0';
