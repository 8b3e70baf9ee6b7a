// What kinds of functions are called (PCI Code and ID Assignment 1.11 §1): class and subclass, the commonest.

class Name {
  constructor(
    public readonly kind: u32,
    public readonly text: string,
  ) {}
}

const names: StaticArray<Name> = [
  new Name(0x0100, 'SCSI controller'),
  new Name(0x0101, 'IDE controller'),
  new Name(0x0106, 'SATA controller'),
  new Name(0x0108, 'NVM controller'),
  new Name(0x0180, 'storage controller'),
  new Name(0x0200, 'Ethernet controller'),
  new Name(0x0300, 'VGA controller'),
  new Name(0x0380, 'display controller'),
  new Name(0x0500, 'memory'),
  new Name(0x0600, 'host bridge'),
  new Name(0x0601, 'ISA bridge'),
  new Name(0x0604, 'PCI bridge'),
  new Name(0x0680, 'bridge'),
  new Name(0x0780, 'communication controller'),
  new Name(0x0c03, 'USB controller'),
  new Name(0x0c05, 'SMBus'),
];

/** `classCode`: class, subclass, programming interface. */
export function nameOfClass(classCode: u32): string {
  const kind = classCode >> 8;
  for (let i = 0; i < names.length; i++) if (names[i].kind === kind) return names[i].text;
  return 'unclassified device';
}
