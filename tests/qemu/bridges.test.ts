// Bridges that QEMU plugs in while the monitor runs, with a disk behind them, and takes away again, by device_add and device_del.

import { expect, test } from 'vitest';
import { LiveMachine } from './live.ts';

const ROUNDS = 3;
const DISK = '-blockdev driver=null-co,node-name=d,size=1048576,read-zeroes=on';
const NATIVE = '-global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off';
const PORTS = '-device pcie-root-port,id=p,addr=6,bus-reserve=1 -device pcie-root-port,id=q,addr=7,chassis=7';
const COLD = '-device pci-bridge,id=c,addr=5,chassis_nr=1';

test.each([
  ['in a slot of pc', 'pc', '', { driver: 'pci-bridge', addr: '9', chassis_nr: 3 }, '0000:01:04.0'],
  [
    'behind a bridge',
    'pc',
    COLD,
    { driver: 'pci-bridge', bus: 'c', addr: '9', chassis_nr: 3 },
    '0000:02:04.0',
  ],
  ['in a port’s slot by ACPI', 'q35', PORTS, { driver: 'pcie-pci-bridge', bus: 'p' }, '0000:02:04.0'],
  ['in a port’s slot', 'q35', `${NATIVE} ${PORTS}`, { driver: 'pcie-pci-bridge', bus: 'p' }, '0000:02:04.0'],
])('%s', async (_, MACHINE, extra, bridge, name) => {
  const live = new LiveMachine({ MACHINE, DISK: 'none', APPEND: 'job=shell', QEMUEXTRA: `${DISK} ${extra}` });
  await live.line(/help lists what there is/);
  const count = (pattern: RegExp) => live.lines.filter((line) => pattern.test(line)).length;
  const times = (pattern: RegExp, number: number) =>
    live.when(() => (count(pattern) >= number ? true : undefined), `no ${number} lines ${pattern}`);
  const figures: string[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    await live.command('stop'); // so that both come at once
    await live.command('device_add', { ...bridge, id: 'b' });
    await live.command('device_add', { driver: 'virtio-blk-pci', id: 'v', drive: 'd', bus: 'b', addr: '4' });
    await live.command('cont');
    await times(new RegExp(`virtio-blk ${name}: 2048 sectors`), round);
    live.type('read 3\r');
    await times(/^~[0-9a-f]{8} - (00 ){16}/, 32 * round);
    // One more comes later and goes again, by the bridge's own controller.
    await live.command('device_add', { driver: 'virtio-rng-pci', id: 'r', bus: 'b', addr: '7' });
    const later = name.replace('04.0', '07.0');
    await times(new RegExp(`virtio-rng ${later}: entropy`), round);
    await live.command('device_del', { id: 'r' });
    await live.event('DEVICE_DELETED', 5 * round - 4); // of its backend and itself
    await times(new RegExp(`virtio-rng ${later}: detached`), round);
    await live.command('device_del', { id: 'b' });
    await live.event('DEVICE_DELETED', 5 * round - 1); // of the disk's backend, the disk, the bridge
    await times(new RegExp(`virtio-blk ${name}: detached`), round);
    live.type('mem\rirq\r');
    await times(/vectors free/, round);
    const taken = live.lines.filter((line) => /^memory: |vectors free/.test(line)).slice(-3);
    figures.push(taken.map((line) => line.replace(/\d+ stray|which has .*/, '')).join('\n'));
  }
  expect(figures.at(-1)).toBe(figures[1]); // at first lists grow
  live.type('lspci\rpoweroff\r');
  const { status, lines } = await live.ended;
  expect(lines.filter((line) => /no bus number|no address space/.test(line))).toEqual([]);
  expect(lines.filter((line) => /^lspci: .*SCSI/.test(line))).toEqual([]);
  expect(status).toBe(0);
});
