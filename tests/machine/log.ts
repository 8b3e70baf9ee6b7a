// A log that is to be compared between QEMU and the model.

/**
 * Without what was measured against a clock, what of a panic only machine code has, and how much RAM SeaBIOS keeps, which
 * depends on the disks that it has tried to boot from.
 */
export function normalised(lines: string[]): string[] {
  return lines
    .filter((line) => !/^panic: (#\d+ assembly|(rip|cr0|r\w+) +[0-9a-f]{8})/.test(line))
    .map((line) =>
      line
        .replace(/^(memory: )\d+ KiB/, '$1…')
        .replace(/^(time: ).*( by \S+)$/, '$1…$2')
        .replace(/^(time: )\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/, '$1…')
        .replace(/^(panic: #.*) \(.*\)$/, '$1'),
    );
}
