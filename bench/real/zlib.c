/* zlib: compresses at three levels, decompresses, and sums both ways. Upper half of the result: the CRC-32 of what was
 * decompressed last. */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "lib/random.h"
#include "lib/run.h"

#define BYTES 500000

uint64_t run(uint32_t count)
{
	static uint8_t plain[BYTES], packed[BYTES * 2], unpacked[BYTES];
	uint64_t lengths = 0, crc = 0;
	random_state = 59;
	for (uint32_t i = 0; i < count; i++) {
		fill_compressible(plain, BYTES);
		for (int level = 1; level <= 9; level += 4) {
			uLongf length = sizeof(packed), back = BYTES;
			if (compress2(packed, &length, plain, BYTES, level) != Z_OK)
				return 1;
			if (uncompress(unpacked, &back, packed, length) != Z_OK || memcmp(plain, unpacked, BYTES) != 0)
				return 2;
			lengths = lengths * 31 + length + adler32(1, unpacked, back);
			crc = crc32(0, unpacked, back);
		}
	}
	return crc << 32 | (uint32_t)lengths;
}
