// Bridges that are plugged in while the machine runs, with cards behind them that come at once or later.

import { describe, expect, test } from 'vitest';
import {
  loadKernel,
  Machine,
  type MachineOptions,
  PciBridge,
  PciFunction,
  VirtioBlk,
} from '../../machine/index.ts';

const kernel = await loadKernel();
const MS_NS = 1_000_000;
const CYCLES = 20;

const disk = () => new VirtioBlk(new Uint8Array(64 * 512).map((_, i) => i >> 9));

function machine(options: MachineOptions = {}) {
  const pc = new Machine({ memory_mib: 64, commandLine: 'job=shell', ...options });
  const at = (ms: number, act: () => void) => pc.clock.schedule(ms * MS_NS, act);
  const type = (ms: number, text: string) => at(ms, () => pc.serial.receive(text));
  const end = () => {
    const result = pc.run(kernel);
    expect(result.end, result.serial).toBe('off');
    return result;
  };
  return { pc, at, type, end };
}

/** Of the dumps of sector 3. */
const dumped = (lines: string[]) => lines.filter((line) => line.includes(' 03 03 03 ')).length;
const tree = (lines: string[]) => lines.filter((line) => /^lspci: /.test(line)).map((line) => line.slice(18));

/** What is taken and free: of frames, of the heap, of interrupt vectors; each time that somebody has asked. */
function figures(lines: string[]): string[] {
  const found = lines.filter((line) => /^memory: .*(free|objects)|vectors free/.test(line));
  const exact = found.map((line) => line.replace(/\d+ stray|which has .*/, ''));
  return Array.from({ length: exact.length / 3 }, (_, i) => exact.slice(i * 3, i * 3 + 3).join());
}

describe('a switch in a slot of a PCI Express port', () => {
  /** A port with `buses` numbers to spare, and what is plugged into it. */
  function withPort(buses: number, cpus = 1) {
    const { pc, ...rest } = machine({ machine: 'q35', cpus });
    const port = new PciBridge('pcie-root-port', { buses });
    pc.pci.add(port, { slot: 6 });
    const plug = () => {
      const up = new PciBridge('x3130-upstream');
      const [first, second] = [new PciBridge('xio3130-downstream'), new PciBridge('xio3130-downstream')];
      const fn = pc.pci.add(up, { bridge: port });
      pc.pci.add(first, { bridge: up });
      pc.pci.add(second, { bridge: up });
      return { fn, first, second };
    };
    return { pc, port, plug, ...rest };
  }

  test('comes with a disk; a second one comes and goes behind it', () => {
    const { pc, port, plug, at, type, end } = withPort(8);
    pc.pci.add(new PciBridge('pcie-root-port'), { slot: 7 });
    let parts: ReturnType<typeof plug> | undefined;
    at(100, () => {
      parts = plug();
      pc.pci.add(disk(), { bridge: parts.second });
    });
    type(400, 'read 3\r');
    at(500, () => void pc.pci.add(disk(), { bridge: parts!.first }));
    type(800, 'lspci\rblk\r');
    at(900, () => pc.pci.release(parts!.first.secondary.functions[0]!));
    at(1100, () => pc.pci.release(parts!.fn));
    type(1400, 'lspci\rpoweroff\r');
    const { lines, serial } = end();
    expect(serial).toContain('pci: 0000:00:06.0: there is a card');
    expect(serial).toContain('virtio-blk 0000:04:00.0: 64 sectors');
    expect(dumped(lines)).toBe(32);
    expect(serial).toContain('pci: 0000:02:00.0: there is a card');
    expect(serial).toContain('virtio-blk 0000:03:00.0: 64 sectors');
    expect(tree(lines)).toContain(
      '+-06.0-[01-09]----00.0-[02-04]--+-00.0-[03]----00.0  1af4:1042 SCSI controller',
    );
    expect(serial).toMatch(/virtio-blk 0000:03:00.0: detached[\s\S]*virtio-blk 0000:04:00.0: detached/);
    expect(tree(lines)).toContain('+-06.0-[01-09]--');
    expect(tree(lines)).toContain('+-07.0-[0a]--');
    expect([...port.secondary.present()]).toEqual([]);
  });

  test.each([1, 4])(`${CYCLES} times, and nothing is lost, with %s CPUs`, (cpus) => {
    const { pc, plug, at, type, end } = withPort(8, cpus);
    for (let i = 0; i < CYCLES; i++) {
      let fn: PciFunction | undefined;
      at(100 + i * 1000, () => {
        const parts = plug();
        pc.pci.add(disk(), { bridge: parts.second });
        fn = parts.fn;
      });
      at(600 + i * 1000, () => pc.pci.release(fn!));
      type(1000 + i * 1000, 'mem\rirq\r');
    }
    type(100 + CYCLES * 1000, 'poweroff\r');
    const { lines } = end();
    expect(lines.filter((line) => line.endsWith('virtio-blk 0000:04:00.0: detached'))).toHaveLength(CYCLES);
    const seen = figures(lines);
    expect(seen).toHaveLength(CYCLES);
    // The first time lists grow.
    expect(new Set(seen.slice(1)).size, seen.join('\n')).toBe(1);
  });

  test('is pulled out under load', () => {
    const { pc, plug, at, type, end } = withPort(8);
    let fn: PciFunction | undefined;
    at(100, () => {
      const parts = plug();
      pc.pci.add(disk(), { bridge: parts.second });
      fn = parts.fn;
    });
    type(400, 'bench 16 1000000\r');
    at(500, () => pc.pci.pull(fn!));
    type(900, 'blk\rlspci\rpoweroff\r');
    const { lines, serial } = end();
    expect(serial).toContain('pci: 0000:00:06.0: the card has gone');
    expect(serial).toContain('virtio-blk 0000:04:00.0: queue 0: the device was removed');
    expect(tree(lines)).toContain('+-06.0-[01-09]--');
  });

  test.each([0, 1, 2, 3])('numbers that follow its port’s are taken where %s are reserved', (buses) => {
    const { pc, plug, at, type, end } = withPort(buses);
    at(100, () => void pc.pci.add(disk(), { bridge: plug().second }));
    type(400, 'read 3\rlspci\rpoweroff\r');
    const { lines, serial } = end();
    expect(serial).not.toContain('no bus number');
    expect(dumped(lines)).toBe(32);
    expect(tree(lines).join('\n')).toContain('06.0-[01-04]----00.0-[02-04]--+-00.0-[03]--');
  });

  test('what has no number left is told, and left alone', () => {
    const { pc, plug, at, type, end } = withPort(2);
    const next = new PciBridge('pcie-root-port');
    pc.pci.add(next, { slot: 7 });
    at(100, () => void pc.pci.add(disk(), { bridge: plug().second }));
    at(500, () => void pc.pci.add(disk(), { bridge: next }));
    type(900, 'read 3\rlspci\rpoweroff\r');
    const { lines, serial } = end();
    expect(serial.match(/^pci: .*no bus number left.*$/gm)).toEqual([
      'pci: 0000:02:01.0: there is no bus number left for this bridge; what is behind it is left alone',
    ]);
    expect(serial).toContain('virtio-blk 0000:04:00.0: 64 sectors');
    expect(dumped(lines)).toBe(32);
    expect(tree(lines).join('\n')).toContain('06.0-[01-03]----00.0-[02-03]--+-00.0-[03]--');
  });
});

describe('a PCI bridge', () => {
  test.each([
    ['in a slot of pc', false],
    ['in one behind a bridge', true],
  ])('%s, with another one and a disk behind it', (_, deep) => {
    const { pc, at, type, end } = machine();
    const outer = deep ? new PciBridge('pci-bridge') : undefined;
    if (outer) pc.pci.add(outer, { slot: 5 });
    let fn: PciFunction | undefined;
    at(100, () => {
      const [first, second] = [new PciBridge('pci-bridge'), new PciBridge('pci-bridge')];
      pc.pci.add(first, { slot: 9, bridge: outer });
      pc.pci.add(second, { bridge: first, slot: 3 });
      pc.pci.add(disk(), { bridge: second, slot: 4 });
      fn = first;
    });
    type(300, 'read 3\rlspci\r');
    at(500, () => pc.pci.release(fn!));
    type(700, 'lspci\rpoweroff\r');
    const { lines, serial } = end();
    const bus = deep ? 3 : 2;
    expect(serial).toContain(`virtio-blk 0000:0${bus}:04.0: 64 sectors`);
    expect(dumped(lines)).toBe(32);
    expect(serial).toContain(`virtio-blk 0000:0${bus}:04.0: detached`);
    expect(tree(lines).at(-1)).toBe(deep ? '\\-05.0-[01-03]--' : '\\-01.3  8086:7113 bridge');
  });

  test('in a PCI Express port, with a card that is too large for what is left', () => {
    const { pc, at, type, end } = machine({ machine: 'q35' });
    const port = new PciBridge('pcie-root-port', { buses: 1, memory: 0x100_0000 });
    pc.pci.add(port, { slot: 6 });
    at(100, () => {
      const bridge = new PciBridge('pcie-pci-bridge');
      pc.pci.add(bridge, { bridge: port });
      pc.pci.add(new Large(2 ** 31), { bridge, slot: 1 });
      pc.pci.add(new Large(2 ** 22), { bridge, slot: 2 });
      pc.pci.add(disk(), { bridge, slot: 3 });
    });
    type(400, 'read 3\rpoweroff\r');
    const { lines, serial } = end();
    expect(serial).toContain(
      'pci: 0000:02:01.0 BAR 0: memory32 at 0x00000000, 2048 MiB, not placed: there is no address space left for it',
    );
    expect(serial).toMatch(/pci: 0000:02:02.0 BAR 0: memory32 at 0x\w+, 4 MiB: placed/);
    expect(dumped(lines)).toBe(32);
  });
});

describe('the slots of a PCI bridge that came', () => {
  test.each([
    ['pc', 'pci-bridge', '0000:01:05.0', 1],
    ['q35', 'pcie-pci-bridge', '0000:02:05.0', 4],
  ] as const)('cards come and go, on a %s', (type_, model, name, cpus) => {
    const { pc, at, type, end } = machine({ machine: type_, cpus });
    const port = type_ === 'q35' ? new PciBridge('pcie-root-port', { buses: 1 }) : undefined;
    if (port) pc.pci.add(port, { slot: 6 });
    const bridge = new PciBridge(model);
    let fn: PciFunction | undefined;
    let card: PciFunction | undefined;
    at(100, () => {
      fn = pc.pci.add(bridge, { bridge: port, slot: port ? 0 : 9 });
      pc.pci.add(disk(), { bridge, slot: 7 });
    });
    for (let i = 0; i < CYCLES; i++) {
      at(1000 + i * 1000, () => {
        card = pc.pci.add(disk(), { bridge, slot: 5 });
      });
      at(1500 + i * 1000, () => (i % 2 === 0 ? pc.pci.release(card!) : pc.pci.pull(card!)));
      type(1900 + i * 1000, 'mem\rirq\r');
    }
    at(1000 + CYCLES * 1000, () => pc.pci.release(fn!));
    type(1500 + CYCLES * 1000, 'lspci\rpoweroff\r');
    const { lines, serial } = end();
    const count = (line: string) => lines.filter((other) => other.endsWith(line)).length;
    const slot = `slot ${name.slice(0, -2)}`;
    expect(count(`${slot}: there is a card`)).toBe(CYCLES);
    expect(serial.match(new RegExp(`virtio-blk ${name}: 64 sectors`, 'g'))).toHaveLength(CYCLES);
    expect(count(`${slot}: the card is to be given free`)).toBe(CYCLES / 2);
    expect(count(`${slot}: the card has gone`)).toBe(CYCLES / 2);
    expect(count(`virtio-blk ${name}: detached`)).toBe(CYCLES / 2);
    expect(count(`virtio-blk ${name}: has gone`)).toBe(CYCLES / 2);
    expect(count(`${name.slice(0, -4)}07.0: detached`)).toBe(1); // with the bridge
    expect(serial).toMatch(/pci: 0000:0[01]:0[09].0 MSI at 0x[48]c, control 0x0180/);
    expect(new Set(figures(lines)).size, figures(lines).join('\n')).toBe(1);
    expect([...(port?.secondary ?? pc.pci.root).present()].includes(bridge)).toBe(false);
  });

  test('a bridge that does not end its commands', () => {
    const { pc, at, type, end } = machine({ machine: 'pc' });
    const bridge = new PciBridge('pci-bridge');
    const read = bridge.slots!.read.bind(bridge.slots);
    const [COMMAND, BUSY] = [0x14, 1 << 16];
    bridge.slots!.read = (offset, width) => read(offset, width) | (offset === COMMAND ? BUSY : 0);
    at(100, () => void pc.pci.add(bridge, { slot: 9 }));
    at(1000, () => void pc.pci.add(disk(), { bridge, slot: 5 }));
    type(4000, 'read 3\rpoweroff\r');
    const { lines } = end();
    const late = 'pci: slot 0000:01:05: the bridge does not end a command for it in 1 s';
    expect(lines.filter((line) => line === late)).toHaveLength(1);
    expect(dumped(lines)).toBe(32); // by the card, which is used all the same
  });

  test('a bridge whose BAR nothing reaches has no slots', () => {
    const { pc, at, type, end } = machine({ machine: 'q35' });
    const port = new PciBridge('pcie-root-port', { buses: 1 });
    pc.pci.add(port, { slot: 6 });
    const bridge = new PciBridge('pcie-pci-bridge');
    bridge.addBar(0, { bytes: 2 ** 40, is64: true, registers: bridge.slots! });
    at(100, () => void pc.pci.add(bridge, { bridge: port }));
    type(500, 'lspci\rpoweroff\r');
    expect(end().serial).toContain('pci: 0000:01:00.0: nothing reaches the registers of its slots');
  });
});

/** A card with nothing but memory. */
class Large extends PciFunction {
  constructor(bytes: number) {
    super(0x1234, 0x0001, 0x050000);
    this.addBar(0, { bytes, registers: { read: () => 0, write: () => {} } });
  }
}
