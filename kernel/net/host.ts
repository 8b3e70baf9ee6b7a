// A host on the network that answers: ARP for its address, pings, and an echo for UDP datagrams to one port. All that
// comes is untrusted: what is not exactly right is dropped, and counted by its reason.

import { Event } from '../sched/event.ts';
import { Ipv4 } from './address.ts';
import * as arp from './arp.ts';
import * as frames from './frames.ts';
import { ETHERNET_BYTES, FrameUser, Mac } from './frames.ts';
import * as icmp from './icmp.ts';
import * as ipv4 from './ipv4.ts';
import { BAD_SOURCE, KEPT, OTHER_HOST, OTHER_PROTOCOL, OTHER_TYPE, SHORT, Statistics } from './statistics.ts';
import * as udp from './udp.ts';

const LF: u8 = 0x0a;

export class Host extends FrameUser {
  /** The interface has failed. */
  broken: bool = false;

  constructor(
    private readonly mac: Mac,
    private readonly ip: Ipv4,
    private readonly statistics: Statistics,
    private readonly echoPort: u32,
    /** A datagram of this text to the echo port, with or without a line's end, signals `stopped`; '': none does. */
    private readonly stopWord: string,
    private readonly stopped: Event,
  ) {
    super();
  }

  greeting(frame: u32): u32 {
    return arp.announce(frame, this.mac, this.ip);
  }

  received(frame: u32, bytes: u32): u32 {
    if (bytes < ETHERNET_BYTES) return this.drop(SHORT);
    const type = frames.typeOf(frame);
    const destination = frames.destinationOf(frame);
    // Only ARP asks everybody: an answer to a ping to all would be one of many (RFC 1122 §3.2.2.6).
    if (destination !== this.mac && !(destination === frames.BROADCAST && type === arp.TYPE_ARP))
      return this.drop(OTHER_HOST);
    if (frames.isGroup(frames.sourceOf(frame))) return this.drop(BAD_SOURCE);
    if (type === arp.TYPE_ARP) return this.receivedArp(frame, bytes);
    if (type === ipv4.TYPE_IPV4) return this.receivedIpv4(frame, bytes);
    return this.drop(OTHER_TYPE);
  }

  failed(): void {
    this.broken = true;
    this.stopped.signal();
  }

  private receivedArp(frame: u32, bytes: u32): u32 {
    const problem = arp.check(frame, bytes, this.ip);
    if (problem !== KEPT) return this.drop(problem);
    this.statistics.arpAnswers++;
    return arp.answer(frame, this.mac, this.ip);
  }

  private receivedIpv4(frame: u32, bytes: u32): u32 {
    let problem = ipv4.check(frame, bytes, this.ip);
    if (problem !== KEPT) return this.drop(problem);
    const protocol = ipv4.protocolOf(frame);
    if (protocol === icmp.PROTOCOL_ICMP) {
      problem = icmp.check(frame);
      if (problem !== KEPT) return this.drop(problem);
      icmp.answer(frame);
      this.statistics.pingAnswers++;
    } else if (protocol === udp.PROTOCOL_UDP) {
      problem = udp.check(frame, this.echoPort);
      if (problem !== KEPT) return this.drop(problem);
      if (this.isStop(frame)) this.stopped.signal();
      udp.answer(frame);
      this.statistics.udpAnswers++;
    } else return this.drop(OTHER_PROTOCOL);
    frames.writeHeader(frame, frames.sourceOf(frame), this.mac, ipv4.TYPE_IPV4);
    return frames.padded(frame, ipv4.turn(frame));
  }

  private isStop(frame: u32): bool {
    const word = this.stopWord;
    const length: u32 = word.length;
    const bytes = udp.dataBytes(frame);
    if (length === 0 || (bytes !== length && bytes !== length + 1)) return false;
    for (let i: u32 = 0; i < length; i++)
      if (load<u8>(frame + udp.DATA + i) !== word.charCodeAt(i)) return false;
    return bytes === length || load<u8>(frame + udp.DATA + length) === LF;
  }

  private drop(reason: u32): u32 {
    this.statistics.drop(reason);
    return 0;
  }
}
