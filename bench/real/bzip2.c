/* bzip2's library: compresses at two block sizes, and decompresses. */
#include <bzlib.h>
#include <stdlib.h>
#include <string.h>

#include "lib/random.h"
#include "lib/run.h"

#define BYTES 300000

void bz_internal_error(int code)
{
	exit(code);
}

uint64_t run(uint32_t count)
{
	static char plain[BYTES], packed[BYTES * 2], unpacked[BYTES];
	uint64_t hash = HASH_EMPTY;
	random_state = 61;
	for (uint32_t i = 0; i < count; i++) {
		fill_compressible((uint8_t *)plain, BYTES);
		for (int level = 1; level <= 9; level += 8) {
			unsigned length = sizeof(packed), back = BYTES;
			if (BZ2_bzBuffToBuffCompress(packed, &length, plain, BYTES, level, 0, 30) != BZ_OK)
				return 1;
			if (BZ2_bzBuffToBuffDecompress(unpacked, &back, packed, length, 0, 0) != BZ_OK)
				return 2;
			if (back != BYTES || memcmp(plain, unpacked, BYTES) != 0)
				return 3;
			hash = hash_bytes(hash, packed, length);
		}
	}
	return hash;
}
