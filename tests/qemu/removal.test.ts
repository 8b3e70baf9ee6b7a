// Disks that QEMU plugs in and takes away while the monitor runs, by device_add and device_del.

import { expect, test } from 'vitest';
import type { Variables } from '../../build/qemu/options.ts';
import { LiveMachine } from './live.ts';

const DISK = '-blockdev driver=null-co,node-name=d,size=1048576,read-zeroes=on';
const NATIVE = '-global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off';
const ROOT_PORT = '-device pcie-root-port,id=p,addr=6';
const OWN = '-global PIIX4_PM.acpi-pci-hotplug-with-bridge-support=off';
const PC_BRIDGES =
  '-device pci-bridge,id=p,addr=6,chassis_nr=1 -device pci-bridge,id=q,bus=p,addr=5,chassis_nr=2';
const SWITCH =
  '-device pcie-root-port,id=r,addr=6 -device x3130-upstream,id=u,bus=r -device xio3130-downstream,id=p,bus=u,chassis=9';
const Q35: Variables = { MACHINE: 'q35' };

/** Without what may differ: interrupts that came too late, and empty pages that the heap keeps for next time. */
const exact = (line: string) => line.replace(/\d+ stray|which has .*/, '');

test.each<[string, Variables, string, Record<string, string>, string]>([
  ['a slot of pc', {}, '', { addr: '7' }, '0000:00:07.0'],
  ['a slot behind two bridges of pc', {}, PC_BRIDGES, { bus: 'q', addr: '3' }, '0000:02:03.0'],
  [
    'a slot behind two bridges by the bridge itself',
    {},
    `${OWN} ${PC_BRIDGES}`,
    { bus: 'q', addr: '3' },
    '0000:02:03.0',
  ],
  ['a slot of a root port by ACPI', Q35, ROOT_PORT, { bus: 'p' }, '0000:01:00.0'],
  ['a slot of a switch, which has MSI', Q35, `${NATIVE} ${SWITCH}`, { bus: 'p' }, '0000:03:00.0'],
  ['a slot of a root port', Q35, `${NATIVE} ${ROOT_PORT}`, { bus: 'p' }, '0000:01:00.0'],
])('%s', async (_, variables, extra, place, name) => {
  const QEMUEXTRA = `${DISK} ${extra}`;
  const live = new LiveMachine({ DISK: 'none', APPEND: 'job=shell', QEMUEXTRA, ...variables });
  await live.line(/help lists what there is/);
  const add = () => live.command('device_add', { driver: 'virtio-blk-pci', id: 'b', drive: 'd', ...place });
  const count = (pattern: RegExp) => live.lines.filter((line) => pattern.test(line)).length;
  const times = (pattern: RegExp, number: number) =>
    live.when(() => (count(pattern) >= number ? true : undefined), `no ${number} lines ${pattern}`);
  const there = new RegExp(`virtio-blk ${name}: 2048 sectors`);
  const gone = new RegExp(`virtio-blk ${name}: detached`);
  let looks = 0;
  /** What is taken and free: of frames, of the heap, of interrupt vectors. */
  const figures = async () => {
    live.type('mem\rirq\r');
    await times(/vectors free/, ++looks);
    return live.lines
      .filter((line) => /^memory: |vectors free/.test(line))
      .slice(-3)
      .map(exact);
  };
  const before = await figures();
  for (let round = 1; round <= 3; round++) {
    await add();
    await times(there, round);
    live.type('read 3\r');
    await times(/^~[0-9a-f]{8} - (00 ){16}/, 32 * round);
    // In the midst of its work.
    live.type('bench 16 1000000\r');
    await times(/bench 16 1000000/, round);
    await live.command('device_del', { id: 'b' });
    await live.event('DEVICE_DELETED', 2 * round - 2);
    await times(gone, round);
    expect(count(/: queue 0: the device was removed/)).toBe(round);
    expect(await figures()).toEqual(before);
  }
  live.type('blk\rpoweroff\r');
  const { status, lines } = await live.ended;
  expect(lines.at(-1)).toBe('yaos: done');
  expect(status).toBe(0);
});
