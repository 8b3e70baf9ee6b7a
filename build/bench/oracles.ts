// What the programs of known algorithms must compute, by implementations that are not translated: Node's crypto and
// zlib, and XXH64 in big integers.

import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

const BYTES = 65536;
const MASK = (1n << 64n) - 1n;

/** xorshift32 as in bench/lib. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}

function randomBytes(seed: number, bytes: number): Buffer {
  const random = generator(seed);
  return Buffer.from(Array.from({ length: bytes }, () => random() >>> 24));
}

export function crc32Result(count: number): bigint {
  const data = randomBytes(3, BYTES);
  data.writeUInt32LE(count - 1);
  return (BigInt(crc32(data)) << 32n) | 1n;
}

export function sha256Result(count: number): bigint {
  const data = randomBytes(31, BYTES);
  for (let i = 0; i < count; i++) createHash('sha256').update(data).digest().copy(data);
  return data.readBigUInt64BE();
}

/** zlib knows the CRC of what was decompressed, in the upper half, but not how well the other zlib compresses. */
export function zlibCrc(count: number, result: bigint): bigint {
  const random = generator(59);
  let data: Buffer = Buffer.alloc(0);
  for (let i = 0; i < count; i++) data = compressible(random, 500_000);
  return (BigInt(crc32(data)) << 32n) | (result & 0xffffffffn);
}

/** fill_compressible of bench/lib/random.h. */
function compressible(random: () => number, bytes: number): Buffer {
  const data = Buffer.alloc(bytes);
  let i = 0;
  while (i < bytes) {
    const r = random();
    const distance = 1 + (r >>> 16);
    let length = 4 + (r & 31);
    if ((r & 0x300) !== 0 && distance <= i) {
      for (; length > 0 && i < bytes; length--, i++) data[i] = data[i - distance];
    } else {
      for (length >>= 2; length > 0 && i < bytes; length--, i++) data[i] = 97 + (random() % 26);
    }
  }
  return data;
}

export function xxhashResult(count: number): bigint {
  const data = randomBytes(37, BYTES);
  let hash = 0n;
  for (let i = 0; i < count; i++) {
    hash = xxh64(data.subarray(0, BYTES - (i & 31)), hash);
    for (let length = 0; length < 100; length++) hash = xxh64(data.subarray(length, 2 * length), hash);
  }
  return hash;
}

const [P1, P2, P3, P4, P5] = [
  0x9e3779b185ebca87n,
  0xc2b2ae3d27d4eb4fn,
  0x165667b19e3779f9n,
  0x85ebca77c2b2ae63n,
  0x27d4eb2f165667c5n,
];

const rotl = (x: bigint, n: bigint): bigint => ((x << n) | (x >> (64n - n))) & MASK;
const round = (acc: bigint, input: bigint): bigint => (rotl((acc + input * P2) & MASK, 31n) * P1) & MASK;

function xxh64(data: Buffer, seed: bigint): bigint {
  let at = 0;
  let hash = (seed + P5) & MASK;
  if (data.length >= 32) {
    const lanes = [seed + P1 + P2, seed + P2, seed, seed - P1].map((v) => v & MASK);
    for (; at + 32 <= data.length; at += 32)
      lanes.forEach((v, i) => {
        lanes[i] = round(v, data.readBigUInt64LE(at + 8 * i));
      });
    hash = [1n, 7n, 12n, 18n].reduce((sum, n, i) => sum + rotl(lanes[i], n), 0n) & MASK;
    for (const v of lanes) hash = ((hash ^ round(0n, v)) * P1 + P4) & MASK;
  }
  hash = (hash + BigInt(data.length)) & MASK;
  for (; at + 8 <= data.length; at += 8)
    hash = (rotl(hash ^ round(0n, data.readBigUInt64LE(at)), 27n) * P1 + P4) & MASK;
  for (; at + 4 <= data.length; at += 4)
    hash = (rotl(hash ^ ((BigInt(data.readUInt32LE(at)) * P1) & MASK), 23n) * P2 + P3) & MASK;
  for (; at < data.length; at++) hash = (rotl(hash ^ ((BigInt(data[at]) * P5) & MASK), 11n) * P1) & MASK;
  hash = ((hash ^ (hash >> 33n)) * P2) & MASK;
  hash = ((hash ^ (hash >> 29n)) * P3) & MASK;
  return hash ^ (hash >> 32n);
}
