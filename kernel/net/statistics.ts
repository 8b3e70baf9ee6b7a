// What became of frames: how many came and went, how many were dropped and why. One thread counts.

import { log } from '../lib/log.ts';

// Why a frame was dropped.
export const KEPT: u32 = 0;
export const SHORT: u32 = 1;
export const LONG: u32 = 2;
export const HEADER: u32 = 3;
export const OTHER_HOST: u32 = 4;
export const OTHER_TYPE: u32 = 5;
export const BAD_SOURCE: u32 = 6;
export const BAD_ARP: u32 = 7;
export const OTHER_ARP: u32 = 8;
export const BAD_IPV4: u32 = 9;
export const OPTIONS: u32 = 10;
export const IPV4_CHECKSUM: u32 = 11;
export const FRAGMENT: u32 = 12;
export const OTHER_ADDRESS: u32 = 13;
export const OTHER_PROTOCOL: u32 = 14;
export const BAD_ICMP: u32 = 15;
export const OTHER_ICMP: u32 = 16;
export const ICMP_CHECKSUM: u32 = 17;
export const BAD_UDP: u32 = 18;
export const UDP_CHECKSUM: u32 = 19;
export const OTHER_PORT: u32 = 20;
export const LOOP: u32 = 21;
export const NO_ROOM: u32 = 22;
const REASONS: u32 = 23;

const NAMES: StaticArray<string> = [
  '',
  'too short',
  'too long',
  'bad virtio header',
  'for another host',
  'of another type',
  'from no host',
  'bad ARP',
  'other ARP',
  'bad IPv4 header',
  'IPv4 options',
  'IPv4 checksum',
  'fragment',
  'for another address',
  'of another protocol',
  'bad ICMP',
  'other ICMP',
  'ICMP checksum',
  'bad UDP length',
  'UDP checksum',
  'to another port',
  'from the echo port',
  'no room to send',
];

export class Statistics {
  received: u64 = 0;
  receivedBytes: u64 = 0;
  sent: u64 = 0;
  sentBytes: u64 = 0;
  arpAnswers: u64 = 0;
  pingAnswers: u64 = 0;
  udpAnswers: u64 = 0;
  private readonly dropped: StaticArray<u64> = new StaticArray<u64>(REASONS);

  drop(reason: u32): void {
    this.dropped[reason]++;
  }

  describe(name: string): void {
    log(name)
      .decimal('received ', this.received)
      .decimal(' frames, ', this.receivedBytes)
      .decimal(' bytes; sent ', this.sent)
      .decimal(' frames, ', this.sentBytes)
      .text(' bytes')
      .end();
    log(name)
      .decimal('answered ', this.arpAnswers)
      .decimal(' ARP requests, ', this.pingAnswers)
      .decimal(' pings, ', this.udpAnswers)
      .text(' UDP datagrams')
      .end();
    const line = log(name);
    let total: u64 = 0;
    for (let i: u32 = 0; i < REASONS; i++) total += this.dropped[i];
    line.decimal('dropped ', total).text(' frames');
    for (let i: u32 = 0; i < REASONS; i++)
      if (this.dropped[i] > 0) line.text(', ').text(NAMES[i]).decimal(' ', this.dropped[i]);
    line.end();
  }
}
