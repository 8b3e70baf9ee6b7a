// QEMU's fw_cfg device (docs/specs/fw_cfg in QEMU's manual): the host's files for the guest. Read through its DMA
// interface, which takes one exit for a whole file; where that is missing (QEMU's machines before 2.5), byte by byte.

import { log } from '../lib/log.ts';
import { PAGE } from '../mm/layout.ts';
import * as x86 from '../x86.ts';

const SELECTOR_PORT: u32 = 0x510;
const DATA_PORT: u32 = 0x511;
const DMA_PORT: u32 = 0x514; // high half first, then at 0x518 the low half, which starts the transfer; big-endian

const KEY_SIGNATURE: u32 = 0x0000; // the bytes 'QEMU'
const KEY_ID: u32 = 0x0001; // bit 1: DMA
const KEY_LOADER_LINE: u32 = 0x0015; // FW_CFG_CMDLINE_DATA
const KEY_DIRECTORY: u32 = 0x0019;
const ID_DMA: u32 = 2;

// The DMA command: control, length, address; all big-endian.
const DMA_ERROR: u32 = 1;
const DMA_READ: u32 = 2;
const DMA_SELECT: u32 = 8;
const COMMAND_BYTES: u32 = 16;
/** All that the host is told of, as there are no frames yet: pages with nothing else in them, the command and then what is read. */
const DMA_BYTES: u32 = 2 * PAGE;
const COMMAND: u32 = memory.data(2 * 4096, 4096) as u32;
const DATA: u32 = COMMAND + COMMAND_BYTES;

// The directory: a 32-bit count, then entries of size, selector, reserved and a name of 56 bytes.
const ENTRY_BYTES: u32 = 64;
const ENTRY_SIZE: u32 = 0;
const ENTRY_KEY: u32 = 4;
const ENTRY_NAME: u32 = 8;
const NAME_BYTES: u32 = 56;
const ENTRIES_MAX: u32 = 64;
const DIRECTORY: u32 = memory.data(64 * 64 + 4, 16) as u32;

const POLLS_MAX: u32 = 1_000_000;

/** Files in the directory; 0 without fw_cfg. */
let fileCount: u32 = 0;
let hasDma: bool = false;

/** Reads the directory, if there is such a device. */
export function init(): void {
  if (!present()) return;
  // The device pads with zeros what is behind the directory's end.
  if (!transfer(KEY_DIRECTORY, DIRECTORY, ENTRIES_MAX * ENTRY_BYTES + 4)) return;
  fileCount = min(bswap(load<u32>(DIRECTORY)), ENTRIES_MAX);
}

/** Reads the file `name` into `into` as a NUL-terminated string of at most `bytes_max` bytes; false if there is none. */
export function readFile(name: string, into: u32, bytes_max: u32): bool {
  store<u8>(into, 0);
  for (let i: u32 = 0; i < fileCount; i++) {
    const entry = DIRECTORY + 4 + i * ENTRY_BYTES;
    if (!named(entry + ENTRY_NAME, name)) continue;
    const bytes = min(bswap(load<u32>(entry + ENTRY_SIZE)), bytes_max - 1);
    if (bytes === 0 || !transfer(bswap(load<u16>(entry + ENTRY_KEY)), into, bytes)) return false;
    store<u8>(into + bytes, 0);
    return true;
  }
  return false;
}

/** The boot loader's line as QEMU has completed it at the reset, NUL-terminated; all zeros if there is none. */
export function readLoaderLine(into: u32, bytes: u32): void {
  memory.fill(into, 0, bytes);
  if (fileCount > 0) transfer(KEY_LOADER_LINE, into, bytes - 1);
}

function present(): bool {
  x86.out16(SELECTOR_PORT, KEY_SIGNATURE);
  let signature: u32 = 0;
  for (let i = 0; i < 4; i++) signature = (signature << 8) | x86.in8(DATA_PORT);
  if (signature !== 0x51454d55) return false;
  x86.out16(SELECTOR_PORT, KEY_ID);
  hasDma = (x86.in8(DATA_PORT) & ID_DMA) !== 0;
  return true;
}

function named(at: usize, name: string): bool {
  const length = name.length as u32;
  for (let i: u32 = 0; i < length; i++) if (load<u8>(at + i) !== name.charCodeAt(i)) return false;
  return length < NAME_BYTES && load<u8>(at + length) === 0;
}

function transfer(key: u32, into: u32, bytes: u32): bool {
  if (hasDma) return transferByDma(key, into, bytes);
  x86.out16(SELECTOR_PORT, key);
  for (let i: u32 = 0; i < bytes; i++) store<u8>(into + i, x86.in8(DATA_PORT));
  return true;
}

function transferByDma(key: u32, into: u32, bytes: u32): bool {
  assert(bytes <= DMA_BYTES - COMMAND_BYTES, 'fw_cfg: a transfer is larger than its buffer');
  x86.store32(COMMAND, bswap<u32>((key << 16) | DMA_SELECT | DMA_READ));
  x86.store32(COMMAND + 4, bswap<u32>(bytes));
  x86.store64(COMMAND + 8, bswap<u64>(DATA));
  x86.out32(DMA_PORT, 0);
  x86.out32(DMA_PORT + 4, bswap<u32>(COMMAND));
  for (let polls: u32 = 0; polls < POLLS_MAX; polls++) {
    const control = bswap<u32>(x86.load32(COMMAND));
    if (control === 0) {
      memory.copy(into, DATA, bytes);
      return true;
    }
    if (control & DMA_ERROR) break;
    x86.pause();
  }
  log('fw_cfg').hex('transfer of item ', key, 4).text(' failed').end();
  return false;
}
