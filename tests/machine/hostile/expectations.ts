// What the kernel must do under each malice, once that has struck: bear it, or give up with a line that names the fault.

import type { MaliceName } from '../../../machine/index.ts';

export interface Expectation {
  /** The run must come to its good end; or must not; or may. */
  outcome: 'good' | 'bad' | 'any';
  /** Bad with the modern interface only. */
  modern?: boolean;
  /** Bad with split rings only. */
  split?: boolean;
  /** Bad unless one entry may stand for several requests (IN_ORDER). */
  singly?: boolean;
  /** With IN_ORDER one wrong entry stands for several requests: any fault of the ring may be what shows. */
  ring?: boolean;
  /** What the log says if the run ends badly, in a line with the device's name unless `anywhere`. */
  says?: RegExp;
  anywhere?: boolean;
  /** The device says that it has written data and has not: what was read is not to be looked at. */
  lies?: boolean;
  /** The kernel knows the device by another address than the machine. */
  renames?: boolean;
  /** The job may be another one than was asked for. */
  otherJob?: boolean;
  /** It is several disks, which take more memory. */
  several?: boolean;
  /** The device may stop by itself, as if the driver had broken a rule. */
  breaks?: boolean;
  /** Or does so with a packed ring, in which it overwrites what the driver has offered. */
  breaksPacked?: boolean;
}

/** Lines that tell what is wrong with a device, or with what it says. */
const GENERIC = new RegExp(
  [
    'does not reset: status still',
    'refuses these features',
    'is modern but does not offer VERSION_1',
    'has no queue 0',
    'gives a bad size for queue 0',
    'has too small a queue',
    'has no (way to interrupt|doorbell)',
    'the doorbell of queue 0 at .* lies outside its structure',
    'configuration',
    'blocks of',
    'cannot (read|write)',
    'too few for',
    'no (answer|interrupt) in 5000 ms',
    'does not reset queue 0',
    'refuses the interrupt vector of queue 0',
    'needs reset',
    'no such descriptor: used entry',
    'descriptor not in flight: used entry',
    'more bytes than the chain has: used entry',
    'more chains than the index says: used entry',
    'failed: status',
    'the capability list (loops|leaves its area)',
    'its modern structures are not complete',
    'neither a modern nor a legacy interface',
    'its capabilities lead to no virtio interface',
    'no driver for device type',
    'cannot be mapped',
    'does not keep this address',
  ].join('|'),
);

/** With IN_ORDER, what is missing may also be taken for answered. */
const NO_ANSWER = /no (answer|interrupt) in 5000 ms|more chains than the index says|failed: status 255/;
/** What a used entry can be found out by. */
export const RING = new RegExp(
  `no such descriptor|descriptor not in flight|more bytes than the chain has|failed: status|${NO_ANSWER.source}`,
);
const NO_RESET = new RegExp(`does not reset queue 0|${NO_ANSWER.source}`);
const GOOD: Expectation = { outcome: 'good' };
/** Good alone; but a multiplier and an offset together may lead outside. */
const DOORBELL: Expectation = { outcome: 'good', says: /the doorbell of queue 0/ };
/** Good alone; but delays add up. */
const LATE: Expectation = { outcome: 'good', says: NO_ANSWER };
const ANY: Expectation = { outcome: 'any', says: GENERIC };
/** The driver is led to registers that are others. */
const LOST: Expectation = { ...ANY, breaks: true };
const bad = (says: RegExp): Expectation => ({ outcome: 'bad', says });
const badEntry = (says: RegExp): Expectation => ({ ...bad(says), ring: true });
/** Virtio 1.2 §2.7.8.1: of a legacy device the length is not looked at. */
const badLength = (says: RegExp): Expectation => ({ ...badEntry(says), modern: true });
const any = (says: RegExp): Expectation => ({ outcome: 'any', says });
/** Not of the device: the machine's, or the host's. */
const machine = (says: RegExp): Expectation => ({ outcome: 'any', says, anywhere: true });
const job = (says: RegExp): Expectation => ({ ...machine(says), otherJob: true });
/** RAM that is told to be where there is none, or none where there is. */
const MEMORY: Expectation = {
  ...job(/too little RAM|no memory map|no .* of contiguous RAM left|there is RAM/),
  ...{ breaks: true, several: true },
};
const NO_DISK = /no usable disk/;
const TIME = /time-stamp counter|no (answer|interrupt) in|does not reset/;

const OTHER_ID: Expectation = {
  ...badEntry(new RegExp(`no such descriptor|not in flight|more bytes|${NO_ANSWER.source}`)),
  singly: true,
};

export const EXPECTATIONS: Record<MaliceName, Expectation> = {
  'reset never done': bad(/does not reset: status still/),
  'reset takes its time': GOOD,
  // The driver writes back what it has read, and may end the negotiation of features before its time.
  'status reads as anything': { ...ANY, breaks: true },
  'status bits do not stick': ANY,
  'FEATURES_OK refused': bad(/refuses these features \(FEATURES_OK\)/),
  'features of all kinds': ANY,
  'no VERSION_1': any(/does not offer VERSION_1/),
  // The driver may believe in another ring format than the device.
  'features change from read to read': { ...ANY, breaks: true },
  'NEEDS_RESET at once': { ...any(/needs reset|no answer/), breaks: true },
  'NEEDS_RESET at some time': { ...any(/needs reset|no (answer|interrupt)/), breaks: true },
  'NEEDS_RESET said, but all goes on': any(/needs reset|does not reset/),
  'queue vector reads back as none': GOOD,
  'configuration vector reads back as none': GOOD,
  'vectors read back as others': GOOD,
  'queue size 0': bad(/has no queue 0/),
  'queue size no power of two': {
    ...bad(/gives a bad size for queue 0|a request cannot hold a block/),
    split: true,
  },
  'queue of one or two': bad(/has too small a queue/),
  'queue size too large': { ...any(NO_ANSWER), breaks: true },
  'queue size too small': GOOD,
  'no queues': bad(/has no queue 0/),
  'queue count of any number': GOOD,
  'queue is never enabled': bad(NO_ANSWER),
  'doorbells shuffled': DOORBELL,
  'doorbell of another queue': any(NO_ANSWER),
  'doorbell outside its structure': any(/the doorbell of queue 0 at .* lies outside/),
  'generation never stable': bad(/configuration/),
  'generation changes for a while': GOOD,
  'configuration of random bytes': ANY,
  'configuration is another at each read': bad(/configuration/),
  'configuration changes announced': GOOD,
  'capacity 0': bad(/the capacity is 0|has 0 blocks, too few/),
  'capacity of 2^64 - 1': any(/failed: status 1|cannot read/),
  'capacity changes at each read': bad(/configuration/),
  'block size impossible': bad(/configuration/),
  'block size huge': bad(/blocks of more than 64 KiB/),
  'seg_max 0 or huge': any(/a request (cannot hold a block|is of whole blocks)/),
  'size_max 0 or huge': any(/a request (cannot hold a block|is of whole blocks)/),
  'topology and cache of any kind': GOOD,
  'used id out of range': badEntry(/no such descriptor: used entry/),
  'used id not outstanding': OTHER_ID,
  'used id in mid-chain': OTHER_ID,
  'used id twice': {
    // The descriptor may be another request's by then.
    ...any(RING),
    ring: true,
  },
  'used length too large': badLength(/more bytes than the chain has/),
  'used length of 2^32 - 1': badLength(/more bytes than the chain has/),
  'used length too small': badLength(/failed: status 0, but \d+ bytes of/),
  'used index jumps': ANY,
  'used index stays': badEntry(/no (answer|interrupt) in 5000 ms/),
  'used ring of random bytes': { ...ANY, breaksPacked: true },
  'used entry written after the index': ANY,
  'used flags of another round': { ...bad(NO_ANSWER), singly: true },
  'used flags with reserved bits': GOOD,
  'queue reset never done': bad(NO_RESET),
  'queue reset takes its time': bad(NO_ANSWER),
  'queue reset reads as anything': any(NO_RESET),
  'queue reset forgets nothing': { ...bad(NO_ANSWER), breaks: true },
  'queue is never enabled again': bad(NO_ANSWER),
  'vector refused after the reset of its queue': bad(
    new RegExp(`refuses the interrupt vector of queue 0 after|${NO_ANSWER.source}`),
  ),
  'avail_event of any number': any(NO_ANSWER),
  'descriptors rewritten': { ...GOOD, breaks: true },
  'available ring rewritten': { ...GOOD, breaks: true },
  'completed without an interrupt': any(/no answer|no interrupt/),
  'completed with an interrupt nobody wants': GOOD,
  'status not written': bad(/failed: status 255 \(unknown\)/),
  'status of an error': any(/failed: status [12] \((I\/O error|not supported)\)/),
  'status of any number': bad(/failed: status \d+ \(unknown\)/),
  'status of success, and no data': { ...GOOD, lies: true },
  'request never answered': bad(NO_ANSWER),
  'request answered late': LATE,
  'request answered too late': bad(NO_ANSWER),
  'requests answered out of order': GOOD,
  'order promised and not kept': { ...any(/failed: status 255/), ring: true },
  'capabilities loop': ANY,
  'capability points into the header': ANY,
  'capability points anywhere': ANY,
  'capabilities in another order': GOOD,
  'capability missing': ANY,
  'capability twice': GOOD,
  'capability too short': ANY,
  'capability of an unknown type': ANY,
  'capabilities of random bytes': LOST,
  'structure in no BAR': ANY,
  'structure in another BAR': LOST,
  'structure beyond its BAR': ANY,
  'structure whose end overflows': ANY,
  'structure at an odd place': LOST,
  'structure of no bytes': ANY,
  'structure of few bytes': ANY,
  'structure of 2^32 - 1 bytes': ANY,
  'doorbell multiplier 0': GOOD,
  'doorbell multiplier huge': DOORBELL,
  'doorbell multiplier huge and offset too': ANY,
  'MSI-X missing': GOOD,
  'MSI-X table in no BAR': GOOD,
  'MSI-X table in another BAR': LOST,
  'MSI-X table beyond its BAR': GOOD,
  'MSI-X table too long': GOOD,
  'MSI-X of one entry': GOOD,
  'BAR of no bytes': ANY,
  'BAR reads as ones': ANY,
  'BAR reads as anything': LOST,
  'BAR of another kind': LOST,
  'BAR in the way of others': LOST,
  'BAR above all memory': ANY,
  'decoding stays off': ANY,
  'bus mastering stays off': { ...any(NO_ANSWER), breaks: true },
  'function mirrored': { ...ANY, several: true },
  'header of another type': LOST,
  'another vendor or device': { ...machine(NO_DISK) },
  'bridge to any bus': machine(NO_DISK),
  'configuration space of random bytes': {
    ...LOST,
    says: new RegExp(`${NO_DISK.source}|${GENERIC.source}`),
    anywhere: true,
  },
  'removed by surprise': { outcome: 'any', breaks: true, says: /./, anywhere: true },
  'removed while it works': { outcome: 'any', breaks: true, says: NO_ANSWER },
  'interrupts lost': any(/no answer|no interrupt/),
  'interrupts doubled': GOOD,
  'interrupts late': LATE,
  'interrupts of another entry': any(/no answer|no interrupt/),
  'interrupts out of nowhere': GOOD,
  'interrupts of vectors that are not its own': GOOD,
  'interrupts in a flood': GOOD,
  'line pulled up by nobody': GOOD,
  'line stuck high': any(NO_ANSWER),
  'interrupt never acknowledged': any(NO_ANSWER),
  'interrupt status reads as 0': bad(NO_ANSWER),
  'interrupt status reads as ones': bad(NO_ANSWER),
  'interrupt status reads as anything': any(NO_ANSWER),
  'interrupt pin and line of any number': any(/cannot interrupt|cannot be used|no interrupt in/),
  'TSC stands still': machine(TIME),
  'TSC jumps forward': machine(TIME),
  'TSC jumps backward': machine(TIME),
  'TSC reads as anything': machine(TIME),
  'PIT stands still': GOOD,
  'PIT reads as anything': machine(TIME),
  'PIT falls back': machine(TIME),
  'HPET stands still': GOOD,
  'HPET reads as anything': machine(TIME),
  'APIC timer counts anyhow': machine(TIME),
  'APIC timer stands still': GOOD,
  'APIC timer runs fast': GOOD,
  'fw_cfg missing': job(/cannot read/),
  'fw_cfg fails': job(/fw_cfg: transfer/),
  'fw_cfg directory of random bytes': job(/fw_cfg|cannot read/),
  'command line of random bytes': job(/^cmdline: job=|cannot read|no answer in 0 ms|no contiguous RAM/),
  'ACPI tables damaged': machine(/no I\/O APIC has it/),
  'BARs left empty': GOOD,
  'BARs placed anywhere': GOOD,
  'BARs of two functions at one place': GOOD,
  'bridge windows of any kind': GOOD,
  'bus numbers of any kind': { ...GOOD, renames: true },
  'boot information damaged': MEMORY,
  'memory map damaged': MEMORY,
};
