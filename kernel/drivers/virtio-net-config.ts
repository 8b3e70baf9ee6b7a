// The virtio network device's features and configuration (virtio 1.2 §5.1.3 and §5.1.4).

import { BYTE, LONG, Register, Window, WORD } from '../bus/window.ts';
import { Line } from '../lib/line.ts';
import { Random } from '../lib/random.ts';
import { appendMac } from '../net/address.ts';
import { isGroup, Mac } from '../net/frames.ts';
import * as clock from '../time/clock.ts';
import { VirtioDevice } from '../virtio/device.ts';

// Feature bits.
const MAC: u32 = 5;
const MRG_RXBUF: u32 = 15;
const STATUS: u32 = 16;

/** What this driver makes use of. Without the others checksums are whole, and no frame is longer than the wire's. */
export const UNDERSTOOD: u64 = (1 << MAC) | (1 << MRG_RXBUF) | (1 << STATUS);

// struct virtio_net_config.
const MAC_LOW: Register = LONG | 0;
const MAC_HIGH: Register = WORD | 4;
const LINK: Register = BYTE | 6; // the lower half of `status`
const LINK_UP: u32 = 1;

const READS_MAX: u32 = 16;
/** An address that nobody has assigned (IEEE 802): bit 1 of the first byte. */
const LOCAL: Mac = 2;

export class NetConfig {
  mac: Mac = 0;

  constructor(private readonly device: VirtioDevice) {}

  /** A frame may come in several buffers. */
  get mergeable(): bool {
    return this.device.has(MRG_RXBUF);
  }

  /** Empty, or what is wrong. */
  read(): string {
    if (!this.device.has(MAC)) {
      // §5.1.5: the driver makes one up.
      const random = new Random(clock.now() as u32);
      this.mac = (((random.next() as u64) << 8) | LOCAL) & 0xffff_ffff_ffff;
      return '';
    }
    const window = this.device.config();
    if (window === null || !window.has(MAC_HIGH)) return 'has no configuration, or too short a one';
    for (let reads: u32 = 0; reads < READS_MAX; reads++) {
      // §2.5.1, and §2.5.4 for a legacy device, which has no generation.
      const generation = this.device.configGeneration();
      this.mac = readMac(window);
      if (this.device.configGeneration() === generation && readMac(window) === this.mac)
        return this.mac === 0 || isGroup(this.mac) ? "has an address that is no single host's" : '';
    }
    return 'has a configuration that changes at each read';
  }

  /** §5.1.4: without STATUS it always is. */
  isLinkUp(): bool {
    const window = this.device.config();
    if (!this.device.has(STATUS) || window === null || !window.has(LINK)) return true;
    return (window.read(LINK) & LINK_UP) !== 0;
  }

  describe(line: Line): void {
    appendMac(line, this.mac)
      .text(this.device.legacy ? ', legacy' : ', modern')
      .text(this.mergeable ? ', mergeable buffers' : '')
      .text(this.isLinkUp() ? ', link up' : ', link down');
  }
}

function readMac(window: Window): Mac {
  return window.read(MAC_LOW) | ((window.read(MAC_HIGH) as u64) << 32);
}
