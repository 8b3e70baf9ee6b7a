/* XXH64 (the algorithm's specification, version 0.1.1) of pieces of a buffer, each hash the seed of the next. */
#include "lib/random.h"
#include "lib/run.h"

#define BYTES 65536
#define PRIME1 0x9e3779b185ebca87u
#define PRIME2 0xc2b2ae3d27d4eb4fu
#define PRIME3 0x165667b19e3779f9u
#define PRIME4 0x85ebca77c2b2ae63u
#define PRIME5 0x27d4eb2f165667c5u

static uint8_t data[BYTES];

static inline uint64_t rotl(uint64_t x, int n)
{
	return x << n | x >> (64 - n);
}

static inline uint64_t read64(const uint8_t *at)
{
	uint64_t value;
	__builtin_memcpy(&value, at, 8);
	return value;
}

static inline uint32_t read32(const uint8_t *at)
{
	uint32_t value;
	__builtin_memcpy(&value, at, 4);
	return value;
}

static inline uint64_t lane(uint64_t acc, uint64_t input)
{
	return rotl(acc + input * PRIME2, 31) * PRIME1;
}

static inline uint64_t merge(uint64_t hash, uint64_t acc)
{
	return (hash ^ lane(0, acc)) * PRIME1 + PRIME4;
}

static uint64_t stripes(const uint8_t **at, const uint8_t *end, uint64_t seed)
{
	uint64_t v1 = seed + PRIME1 + PRIME2, v2 = seed + PRIME2, v3 = seed, v4 = seed - PRIME1;
	for (; *at + 32 <= end; *at += 32) {
		v1 = lane(v1, read64(*at));
		v2 = lane(v2, read64(*at + 8));
		v3 = lane(v3, read64(*at + 16));
		v4 = lane(v4, read64(*at + 24));
	}
	uint64_t hash = rotl(v1, 1) + rotl(v2, 7) + rotl(v3, 12) + rotl(v4, 18);
	return merge(merge(merge(merge(hash, v1), v2), v3), v4);
}

static uint64_t xxh64(const uint8_t *at, size_t length, uint64_t seed)
{
	const uint8_t *end = at + length;
	uint64_t hash = (length >= 32 ? stripes(&at, end, seed) : seed + PRIME5) + length;
	for (; at + 8 <= end; at += 8)
		hash = rotl(hash ^ lane(0, read64(at)), 27) * PRIME1 + PRIME4;
	for (; at + 4 <= end; at += 4)
		hash = rotl(hash ^ read32(at) * PRIME1, 23) * PRIME2 + PRIME3;
	for (; at < end; at++)
		hash = rotl(hash ^ *at * PRIME5, 11) * PRIME1;
	hash = (hash ^ hash >> 33) * PRIME2;
	hash = (hash ^ hash >> 29) * PRIME3;
	return hash ^ hash >> 32;
}

uint64_t run(uint32_t count)
{
	uint64_t hash = 0;
	random_state = 37;
	fill_random(data, BYTES);
	for (uint32_t i = 0; i < count; i++) {
		hash = xxh64(data, BYTES - (i & 31), hash);
		for (uint32_t length = 0; length < 100; length++)
			hash = xxh64(data + length, length, hash);
	}
	return hash;
}
