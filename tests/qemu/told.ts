// What QEMU's virtio devices have been told of, as QEMU says by QMP: the parts of each ring, and the buffers that are available. It reads
// tables of descriptors itself; of packed rings it tells the rings only.

import type { LiveMachine } from './live.ts';

export interface Told {
  device: string;
  address: number;
  bytes: number;
}

interface Queue {
  'vring-num': number;
  'vring-desc': number;
  'vring-avail': number;
  'vring-used': number;
  'last-avail-idx': number;
}

interface Element {
  descs: { addr: number; len: number }[];
  avail: { idx: number };
}

export async function toldOf(live: LiveMachine): Promise<Told[]> {
  const devices = (await live.command('x-query-virtio')) as { path: string; name: string }[];
  const all: Told[] = [];
  for (const { path, name } of devices) {
    const tell = (address: number, bytes: number) => all.push({ device: name, address, bytes });
    const { 'num-vqs': queues, 'guest-features': features } = (await live.command('x-query-virtio-status', {
      path,
    })) as { 'num-vqs': number; 'guest-features': { transports: string[] } };
    const packed = features.transports.some((feature) => feature.startsWith('VIRTIO_F_RING_PACKED'));
    for (let queue = 0; queue < queues; queue++) {
      const ring = (await live.command('x-query-virtio-queue-status', { path, queue })) as Queue;
      const size = ring['vring-num'];
      if (ring['vring-desc'] === 0) continue;
      // Virtio 1.2 §2.7, §2.8: descriptors, what the driver writes and what the device does.
      tell(ring['vring-desc'], 16 * size);
      tell(ring['vring-avail'], packed ? 4 : 6 + 2 * size);
      tell(ring['vring-used'], packed ? 4 : 6 + 8 * size);
      if (packed) continue;
      const element = async (index: number) => {
        const answer = await live.command('x-query-virtio-queue-element', { path, queue, index });
        return answer as Element;
      };
      let index = ring['last-avail-idx'];
      for (const end = (await element(index)).avail.idx; index !== end; index = (index + 1) & 0xffff)
        for (const { addr, len } of (await element(index)).descs) tell(addr, len);
    }
  }
  return all;
}
