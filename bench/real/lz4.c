/* LZ4: compresses fast and at two levels of its HC variant, and decompresses several times, as it is used. */
#include <lz4.h>
#include <lz4hc.h>
#include <string.h>

#include "lib/random.h"
#include "lib/run.h"

#define BYTES 1000000

static int pack(const char *from, char *to, int room, int level)
{
	return level == 0 ? LZ4_compress_fast(from, to, BYTES, room, 1) : LZ4_compress_HC(from, to, BYTES, room, level);
}

uint64_t run(uint32_t count)
{
	static char plain[BYTES], packed[BYTES * 2], unpacked[BYTES];
	uint64_t hash = HASH_EMPTY;
	random_state = 67;
	for (uint32_t i = 0; i < count; i++) {
		fill_compressible((uint8_t *)plain, BYTES);
		for (int level = 0; level <= 9; level += level == 0 ? 3 : 6) {
			int length = pack(plain, packed, sizeof(packed), level);
			for (int again = 0; again < 8; again++)
				if (LZ4_decompress_safe(packed, unpacked, length, BYTES) != BYTES)
					return 1;
			if (memcmp(plain, unpacked, BYTES) != 0)
				return 2;
			hash = hash_mix(hash_bytes(hash, packed, length / 8), length);
		}
	}
	return hash;
}
