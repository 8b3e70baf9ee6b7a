// job=net: the first network interface answers ARP, pings and UDP datagrams, which come back as they were. ip=ADDRESS is its
// own, port=N the echo's. It ends after seconds=N (0: never), or when a datagram to the echo port is the text of stop=TEXT,
// which is sent back too; without stop= no datagram ends it.

import { nics } from '../drivers/nic.ts';
import { number, value } from '../lib/cmdline.ts';
import { log } from '../lib/log.ts';
import { panic } from '../lib/panic.ts';
import { appendIpv4, Ipv4, isHost, parse } from '../net/address.ts';
import { Host } from '../net/host.ts';
import { nextCpu } from '../sched/cpu.ts';
import { Event } from '../sched/event.ts';
import { jobDeadline } from './deadline.ts';

/** What QEMU's user network gives its first guest. */
const IP: string = '10.0.2.15';
const ECHO_PORT: u32 = 7; // RFC 862

export function netJob(): void {
  const nic = nics.need(
    'no network interface: attach one with -netdev user,id=n -device virtio-net-pci,netdev=n',
  );
  const ip = ownAddress();
  const port = number('port', ECHO_PORT, 0xffff);
  const deadline = jobDeadline();
  const stopped = new Event();
  const host = new Host(nic.mac, ip, nic.statistics, port, value('stop', ''), stopped);
  appendIpv4(log('net').text(nic.name).text(' answers as '), ip).decimal(', UDP echo on port ', port).end();
  if (!nic.start(host, nextCpu())) panic('no thread for the network interface');
  const told = stopped.wait(deadline);
  nic.stop();
  nic.statistics.describe('net');
  if (host.broken) panic('the network interface has failed');
  log('net')
    .text(told ? 'stopped by a datagram' : 'its time is over')
    .end();
}

function ownAddress(): Ipv4 {
  const text = value('ip', IP);
  const ip = parse(text);
  if (isHost(ip)) return ip;
  log('cmdline')
    .text('ip=')
    .text(text)
    .text(' is no address of a host: give four numbers, as in 10.0.2.15')
    .end();
  panic('the network interface has no address');
  return 0;
}
