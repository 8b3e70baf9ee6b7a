/* Marsaglia's xorshift32 and FNV-1a in 64 bits, the same as in random.ts and hash.ts. */
#include <stddef.h>
#include <stdint.h>

static uint32_t random_state = 1;

static inline uint32_t random32(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state;
}

static inline void fill_random(uint8_t *at, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		at[i] = random32() >> 24;
}

/* Data that compresses: runs copied from up to 64 KiB before, among random letters. */
static inline void fill_compressible(uint8_t *at, size_t bytes)
{
	size_t i = 0;
	while (i < bytes) {
		uint32_t r = random32();
		size_t length = 4 + (r & 31), distance = 1 + (r >> 16);
		if ((r & 0x300) != 0 && distance <= i)
			for (; length > 0 && i < bytes; length--, i++)
				at[i] = at[i - distance];
		else
			for (length >>= 2; length > 0 && i < bytes; length--, i++)
				at[i] = 'a' + random32() % 26;
	}
}

#define HASH_EMPTY 0xcbf29ce484222325u

static inline uint64_t hash_mix(uint64_t hash, uint64_t value)
{
	return (hash ^ value) * 0x100000001b3u;
}

static inline uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t length)
{
	const uint8_t *at = bytes;
	for (size_t i = 0; i < length; i++)
		hash = hash_mix(hash, at[i]);
	return hash;
}
