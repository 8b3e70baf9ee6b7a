// The version that the kernel says first; tests/kernel/version.test.ts holds it equal to package.json's.

export const VERSION = '0.1.0';
