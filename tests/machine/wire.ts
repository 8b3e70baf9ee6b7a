// Ethernet frames as the other end of the wire makes and reads them, with nothing of the kernel's.

export const GUEST_MAC = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56];
export const HOST_MAC = [0x02, 0x00, 0x00, 0x00, 0x00, 0x01];
export const EVERYBODY = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
export const GUEST_IP = [10, 0, 2, 15];
export const HOST_IP = [10, 0, 2, 2];

export function word(value: number): number[] {
  return [value >> 8, value & 0xff];
}

/** RFC 1071, word by word. */
export function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += bytes[i]! * 256 + (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum % 0x1_0000) + Math.floor(sum / 0x1_0000);
  return 0xffff - sum;
}

/** A frame, filled up to the shortest that there is. */
export function ethernet(to: number[], from: number[], type: number, data: Uint8Array | number[]): Buffer {
  const frame = Buffer.from([...to, ...from, ...word(type), ...data]);
  return frame.length < 60 ? Buffer.concat([frame], 60) : frame;
}

export interface Arp {
  operation?: number;
  hardware?: number;
  senderMac?: number[];
  senderIp?: number[];
  targetMac?: number[];
  targetIp?: number[];
}

export function arp(to: number[], from: number[], fields: Arp = {}): Buffer {
  const { operation = 1, hardware = 1, senderMac = from, senderIp = HOST_IP } = fields;
  const { targetMac = [0, 0, 0, 0, 0, 0], targetIp = GUEST_IP } = fields;
  return ethernet(to, from, 0x0806, [
    ...[...word(hardware), 0x08, 0x00, 6, 4, ...word(operation)],
    ...[...senderMac, ...senderIp, ...targetMac, ...targetIp],
  ]);
}

export interface Ipv4 {
  /** From the guest to the host instead. */
  back?: boolean;
  to?: number[];
  from?: number[];
  version?: number;
  /** In words of 32 bits. */
  headerWords?: number;
  /** In place of what the length really is. */
  totalBytes?: number;
  identification?: number;
  fragments?: number;
  hops?: number;
  options?: number[];
  /** Added to the right one. */
  checksumError?: number;
  toMac?: number[];
  fromMac?: number[];
  /** Behind the datagram in the frame. */
  trailer?: number[];
}

export function ipv4(protocol: number, data: Uint8Array | number[], fields: Ipv4 = {}): Buffer {
  const { back = false, version = 4, options = [], hops = back ? 64 : 17, trailer = [] } = fields;
  const { to = back ? HOST_IP : GUEST_IP, from = back ? GUEST_IP : HOST_IP } = fields;
  const { identification = back ? 0 : 0x1234, fragments = back ? 0x4000 : 0 } = fields;
  const { headerWords = 5 + options.length / 4, totalBytes = 20 + options.length + data.length } = fields;
  const header = Buffer.from([
    ...[version * 16 + headerWords, 0, ...word(totalBytes), ...word(identification), ...word(fragments)],
    ...[hops, protocol, 0, 0, ...from, ...to, ...options],
  ]);
  header.writeUInt16BE((checksum(header) + (fields.checksumError ?? 0)) & 0xffff, 10);
  const { toMac = back ? HOST_MAC : GUEST_MAC, fromMac = back ? GUEST_MAC : HOST_MAC } = fields;
  return ethernet(toMac, fromMac, 0x0800, [...header, ...data, ...trailer]);
}

export interface Ping extends Ipv4 {
  type?: number;
  code?: number;
  icmpError?: number;
}

export function ping(data: Uint8Array | number[], fields: Ping = {}): Buffer {
  const { type = fields.back ? 0 : 8, code = 0 } = fields;
  const message = Buffer.from([type, code, 0, 0, 0xab, 0xcd, 0, 7, ...data]);
  message.writeUInt16BE((checksum(message) + (fields.icmpError ?? 0)) & 0xffff, 2);
  return ipv4(1, message, fields);
}

export interface Udp extends Ipv4 {
  sourcePort?: number;
  port?: number;
  /** In place of what the length really is. */
  length?: number;
  udpError?: number;
  /** The sender has computed none. */
  noChecksum?: boolean;
}

export function udp(data: Uint8Array | number[], fields: Udp = {}): Buffer {
  const { back = false, sourcePort = back ? 7 : 40_000, port = back ? 40_000 : 7 } = fields;
  const {
    length = 8 + data.length,
    to = back ? HOST_IP : GUEST_IP,
    from = back ? GUEST_IP : HOST_IP,
  } = fields;
  const datagram = Buffer.from([...word(sourcePort), ...word(port), ...word(length), 0, 0, ...data]);
  const pseudo = Buffer.from([...from, ...to, 0, 17, ...word(length)]);
  const right = checksum(Buffer.concat([pseudo, datagram])) || 0xffff;
  if (!fields.noChecksum) datagram.writeUInt16BE((right + (fields.udpError ?? 0)) & 0xffff, 6);
  return ipv4(17, datagram, fields);
}

export interface Talk {
  name: string;
  frame: Buffer;
  /** What must come back; or why nothing does, in the kernel's words. */
  answer: Buffer | string;
}

const text = (length: number) => Buffer.from(Array.from({ length }, (_, i) => (i * 31 + 7) & 0xff));

function echo(name: string, frame: (data: Buffer, back: Ipv4) => Buffer, length: number): Talk {
  return { name, frame: frame(text(length), {}), answer: frame(text(length), { back: true }) };
}

const claim = { targetMac: HOST_MAC, targetIp: HOST_IP, senderIp: GUEST_IP };

/** What a host must answer, and what it must not. */
export const TALKS: Talk[] = [
  ...[EVERYBODY, GUEST_MAC].map((to) => ({
    name: `ARP to ${to}`,
    frame: arp(to, HOST_MAC),
    answer: arp(HOST_MAC, GUEST_MAC, { operation: 2, ...claim }),
  })),
  {
    name: 'an ARP probe',
    frame: arp(EVERYBODY, HOST_MAC, { senderIp: [0, 0, 0, 0] }),
    answer: arp(HOST_MAC, GUEST_MAC, { operation: 2, ...claim, targetIp: [0, 0, 0, 0] }),
  },
  ...[0, 1, 17, 18, 19, 400, 500, 1000, 1471, 1472].map((length) => echo(`ping ${length}`, ping, length)),
  ...[0, 1, 18, 499, 1471, 1472].map((length) => echo(`UDP ${length}`, udp, length)),
  {
    name: 'UDP without a checksum',
    frame: udp(text(50), { noChecksum: true }),
    answer: udp(text(50), { back: true, noChecksum: true }),
  },
  {
    name: 'bytes behind the datagram',
    frame: udp(text(50), { trailer: [1, 2, 3, 4] }),
    answer: udp(text(50), { back: true }),
  },
  {
    name: 'ARP for another',
    frame: arp(EVERYBODY, HOST_MAC, { targetIp: [10, 0, 2, 16] }),
    answer: 'other ARP',
  },
  { name: 'an ARP reply', frame: arp(GUEST_MAC, HOST_MAC, { operation: 2 }), answer: 'other ARP' },
  { name: 'ARP for another hardware', frame: arp(EVERYBODY, HOST_MAC, { hardware: 6 }), answer: 'bad ARP' },
  { name: 'ARP by a group', frame: arp(EVERYBODY, HOST_MAC, { senderMac: EVERYBODY }), answer: 'bad ARP' },
  { name: 'ARP cut short', frame: arp(EVERYBODY, HOST_MAC).subarray(0, 41), answer: 'bad ARP' },
  { name: 'a frame cut short', frame: ping([]).subarray(0, 13), answer: 'too short' },
  { name: 'an empty frame', frame: Buffer.alloc(14), answer: 'for another host' },
  { name: 'a frame too long', frame: Buffer.concat([ping(text(1472)), text(1)]), answer: 'too long' },
  { name: 'a jumbo frame', frame: ping(text(4000)), answer: 'too long' },
  { name: 'a ping to all', frame: ping([], { toMac: EVERYBODY }), answer: 'for another host' },
  { name: 'a ping to another', frame: ping([], { toMac: HOST_MAC }), answer: 'for another host' },
  {
    name: 'a ping from a group',
    frame: ping([], { fromMac: [1, 0, 0x5e, 0, 0, 1] }),
    answer: 'from no host',
  },
  { name: 'IPv6', frame: ethernet(GUEST_MAC, HOST_MAC, 0x86dd, text(46)), answer: 'of another type' },
  { name: 'a VLAN', frame: ethernet(GUEST_MAC, HOST_MAC, 0x8100, text(46)), answer: 'of another type' },
  { name: 'IPv4 cut short', frame: ping([]).subarray(0, 33), answer: 'too short' },
  { name: 'IPv4 of version 5', frame: ping([], { version: 5 }), answer: 'bad IPv4 header' },
  { name: 'a header too short', frame: ping([], { headerWords: 4 }), answer: 'bad IPv4 header' },
  { name: 'a header beyond the datagram', frame: ping([], { headerWords: 15 }), answer: 'bad IPv4 header' },
  {
    name: 'a datagram beyond the frame',
    frame: ping(text(50), { totalBytes: 79 }),
    answer: 'bad IPv4 header',
  },
  { name: 'a datagram of 65535 bytes', frame: ping([], { totalBytes: 65535 }), answer: 'bad IPv4 header' },
  { name: 'a datagram of 19 bytes', frame: ping([], { totalBytes: 19 }), answer: 'bad IPv4 header' },
  { name: 'a wrong header checksum', frame: ping([], { checksumError: 1 }), answer: 'IPv4 checksum' },
  { name: 'options', frame: ping([], { options: [7, 4, 4, 0] }), answer: 'IPv4 options' },
  { name: 'the first fragment', frame: ping(text(8), { fragments: 0x2000 }), answer: 'fragment' },
  { name: 'the last fragment', frame: udp(text(8), { fragments: 0x0001 }), answer: 'fragment' },
  { name: 'another address', frame: ping([], { to: [10, 0, 2, 255] }), answer: 'for another address' },
  ...[
    [10, 0, 2, 15],
    [255, 255, 255, 255],
    [224, 0, 0, 1],
    [127, 0, 0, 1],
    [0, 0, 0, 0],
  ].map((from) => ({
    name: `from ${from}`,
    frame: ping([], { from }),
    answer: 'from no host',
  })),
  { name: 'TCP', frame: ipv4(6, text(20)), answer: 'of another protocol' },
  { name: 'ICMP cut short', frame: ipv4(1, [8, 0, 0xf7, 0xff]), answer: 'bad ICMP' },
  { name: 'a wrong ICMP checksum', frame: ping(text(9), { icmpError: 1 }), answer: 'ICMP checksum' },
  { name: 'a ping’s answer', frame: ping([], { type: 0 }), answer: 'other ICMP' },
  { name: 'a ping with a code', frame: ping([], { code: 1 }), answer: 'other ICMP' },
  { name: 'a redirection', frame: ping([], { type: 5 }), answer: 'other ICMP' },
  { name: 'UDP cut short', frame: ipv4(17, [0, 1, 0, 7, 0, 8, 0]), answer: 'bad UDP length' },
  { name: 'UDP of 7 bytes', frame: udp([], { length: 7 }), answer: 'bad UDP length' },
  { name: 'UDP beyond the datagram', frame: udp(text(5), { length: 14 }), answer: 'bad UDP length' },
  { name: 'a wrong UDP checksum', frame: udp(text(5), { udpError: 1 }), answer: 'UDP checksum' },
  { name: 'UDP to another port', frame: udp([], { port: 53 }), answer: 'to another port' },
  { name: 'UDP from an echo', frame: udp([], { sourcePort: 7 }), answer: 'from the echo port' },
  { name: 'UDP from nowhere', frame: udp([], { sourcePort: 0 }), answer: 'from the echo port' },
  echo('ping at the end', ping, 64),
];
