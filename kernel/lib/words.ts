// All words of the command line, so that a wrong one is told of (cmdline.ts); a space between two. tests/kernel/units.test.ts
// compares them with those that the kernel looks for.

export const WORDS: string =
  'job cpu panic console trace cache wait_ms pci_move virtio_mmio.device ' +
  'sector count attempts repeat depth blocks writes seed requests size qd pattern op poll rounds ' +
  'threads claims spawn mib function bytes n changes seconds ip port stop address divisor truth';
