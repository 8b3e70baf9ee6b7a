// A disk in QEMU whose queue falls silent: the driver resets the queue alone (virtio 1.2 §2.6.1), in both ring formats, and
// goes on with the same device. tests/kernel/recovery.test.ts has the faults that QEMU cannot make.

import { afterAll, expect, test } from 'vitest';
import { LiveMachine } from './live.ts';
import { addressOf, dumpsOf, hexDump, Workbench } from './machine.ts';

const bench = new Workbench();
afterAll(() => bench.remove());

/** A geometry, or QEMU itself would read the partition table, and wait. */
const DEVICE = 'virtio-blk-pci,drive=back,addr=4,cyls=2,heads=16,secs=63';
const NAME = 'virtio-blk 0000:00:04.0';
const WAIT_MS = 300;

test.each(['', ',packed=on'])('one request hangs for ever, the next does not%s', async (properties) => {
  const disk = bench.disk(64);
  const backend = `driver=raw,node-name=back,file.driver=blkdebug,file.image.driver=file,file.image.filename=${disk.path}`;
  const live = new LiveMachine({
    DISK: 'none',
    // Without ACPI the kernel ends QEMU at once; a power-off would wait for the request.
    QEMUEXTRA: `-S -machine acpi=off -blockdev ${backend} -device ${DEVICE}${properties}`,
    APPEND: `attempts=2 wait_ms=${WAIT_MS}`,
  });
  const monitor = (line: string) => live.command('human-monitor-command', { 'command-line': line });
  await monitor('qemu-io back "break read_aio hung"');
  await live.command('cont');
  const { lines } = await live.ended;
  const log = lines.join('\n');
  expect(log).toContain(`${NAME}: sector 1: no answer in ${WAIT_MS} ms\n`);
  expect(log).toContain(`${NAME}: queue 0 was reset, requests given up: 1\n`);
  expect(lines).toContain('yaos: done');
  const dumps = dumpsOf(lines);
  expect(dumps.length).toBe(2);
  for (const dump of dumps) expect(dump).toEqual(hexDump(disk.sectorOne, addressOf(dump)));
});

test.each(['', ',packed=on'])('no request is ever answered%s', async (properties) => {
  const backend = '-blockdev driver=null-co,node-name=back,latency-ns=3600000000000,size=1048576';
  const { lines, failure, requests } = await bench.boot(
    {
      DISK: 'none',
      QEMUEXTRA: `${backend} -device ${DEVICE}${properties}`,
      APPEND: `attempts=3 wait_ms=${WAIT_MS}`,
    },
    true,
  );
  expect(failure).toBe('panicked: the disk cannot be read');
  expect(requests).toEqual(['read 1+1', 'read 1+1', 'read 1+1']);
  expect(lines.filter((line) => line === `${NAME}: queue 0 was reset, requests given up: 1`)).toHaveLength(3);
});
