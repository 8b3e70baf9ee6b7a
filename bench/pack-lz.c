/* A compressor of the LZ77 family with hash chains and a byte-oriented format (a token of literal and match length,
 * each with extension bytes, and 16 bits of distance), and its decompressor with every bound checked. */
#include "lib/random.h"
#include "lib/run.h"

#define BYTES 200000
#define HASH_BITS 14
#define CHAIN_MAX 16
#define MATCH_MIN 4
#define DISTANCE_MAX 65535

static uint8_t plain[BYTES], packed[BYTES * 2], unpacked[BYTES];
static int32_t head[1 << HASH_BITS], chain[BYTES];

static inline uint32_t hash4(const uint8_t *at)
{
	uint32_t value;
	__builtin_memcpy(&value, at, 4);
	return value * 2654435761u >> (32 - HASH_BITS);
}

static int match_length(int a, int b)
{
	int length = 0;
	while (b + length < BYTES && plain[a + length] == plain[b + length])
		length++;
	return length;
}

static int find_match(int at, int *distance)
{
	int best = 0, candidate = head[hash4(plain + at)];
	for (int tries = CHAIN_MAX; tries > 0 && candidate >= 0 && at - candidate <= DISTANCE_MAX; tries--) {
		if (plain[candidate + best] == plain[at + best]) {
			int length = match_length(candidate, at);
			if (length > best) {
				best = length;
				*distance = at - candidate;
				if (at + best >= BYTES)
					break;
			}
		}
		candidate = chain[candidate];
	}
	return best;
}

static void insert(int at)
{
	uint32_t hash = hash4(plain + at);
	chain[at] = head[hash];
	head[hash] = at;
}

static uint8_t *put_length(uint8_t *to, int length)
{
	for (length -= 15; length >= 255; length -= 255)
		*to++ = 255;
	*to++ = length;
	return to;
}

static uint8_t *put_sequence(uint8_t *to, int from, int literals, int match, int distance)
{
	int extra = match > 0 ? match - MATCH_MIN : 0;
	*to++ = (literals < 15 ? literals : 15) << 4 | (extra < 15 ? extra : 15);
	if (literals >= 15)
		to = put_length(to, literals);
	for (int i = 0; i < literals; i++)
		*to++ = plain[from + i];
	if (match == 0)
		return to;
	*to++ = distance;
	*to++ = distance >> 8;
	return extra >= 15 ? put_length(to, extra) : to;
}

static int pack(void)
{
	uint8_t *to = packed;
	int anchor = 0, at = 0;
	for (int i = 0; i < 1 << HASH_BITS; i++)
		head[i] = -1;
	while (at + MATCH_MIN <= BYTES) {
		int distance = 0, length = find_match(at, &distance);
		insert(at);
		if (length < MATCH_MIN) {
			at++;
			continue;
		}
		to = put_sequence(to, anchor, at - anchor, length, distance);
		for (int end = at + length; ++at < end;)
			if (at + MATCH_MIN <= BYTES)
				insert(at);
		anchor = at;
	}
	return put_sequence(to, anchor, BYTES - anchor, 0, 0) - packed;
}

/* The length that starts with `value` in the token; -1 if the input ends in it. */
static int get_length(const uint8_t **from, const uint8_t *end, int value)
{
	if (value < 15)
		return value;
	for (;;) {
		if (*from == end)
			return -1;
		int byte = *(*from)++;
		value += byte;
		if (byte < 255)
			return value;
	}
}

/* The number of bytes, -1 if the input is damaged. */
static int unpack(int length)
{
	const uint8_t *from = packed, *end = packed + length;
	int at = 0;
	while (from < end) {
		int token = *from++;
		int literals = get_length(&from, end, token >> 4);
		if (literals < 0 || literals > end - from || literals > BYTES - at)
			return -1;
		for (int i = 0; i < literals; i++)
			unpacked[at++] = *from++;
		if (from == end)
			return at;
		if (end - from < 2)
			return -1;
		int distance = from[0] | from[1] << 8;
		from += 2;
		int match = get_length(&from, end, token & 15) + MATCH_MIN;
		if (match < MATCH_MIN || distance == 0 || distance > at || match > BYTES - at)
			return -1;
		for (int i = 0; i < match; i++, at++)
			unpacked[at] = unpacked[at - distance];
	}
	return at;
}

uint64_t run(uint32_t count)
{
	uint64_t hash = HASH_EMPTY;
	random_state = 41;
	for (uint32_t i = 0; i < count; i++) {
		fill_compressible(plain, BYTES);
		int length = pack();
		hash = hash_mix(hash, length);
		for (int again = 0; again < 4; again++)
			if (unpack(length) != BYTES)
				return 0;
		for (int at = 0; at < BYTES; at++)
			if (plain[at] != unpacked[at])
				return 0;
	}
	return hash_bytes(hash, packed, 1000);
}
