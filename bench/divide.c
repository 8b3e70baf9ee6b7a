/* 64-bit division and remainder: by variables and by constants, the greatest common divisor, a modular power, and
 * multiplication by parts where no 128-bit product is to be had. */
#include "lib/random.h"
#include "lib/run.h"

static uint64_t random64(void)
{
	return (uint64_t)random32() << 32 | random32();
}

static uint64_t gcd(uint64_t a, uint64_t b)
{
	while (b != 0) {
		uint64_t rest = a % b;
		a = b;
		b = rest;
	}
	return a;
}

static uint64_t power_mod(uint64_t base, uint64_t exponent, uint64_t modulus)
{
	uint64_t result = 1;
	for (base %= modulus; exponent != 0; exponent >>= 1) {
		if (exponent & 1)
			result = result * base % modulus;
		base = base * base % modulus;
	}
	return result;
}

/* Days, hours, minutes, seconds and nanoseconds packed one behind the other. */
static uint64_t split_time(uint64_t time_ns)
{
	uint64_t seconds = time_ns / 1000000000, rest = time_ns % 1000000000;
	return (((seconds / 86400 * 24 + seconds / 3600 % 24) * 60 + seconds / 60 % 60) * 60 + seconds % 60) ^ rest;
}

static int64_t signed_mix(int64_t a, int64_t b)
{
	return a / b - a % b + a / 10 + b % 7;
}

uint64_t run(uint32_t count)
{
	uint64_t hash = HASH_EMPTY;
	random_state = 47;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t a = random64(), b = random64() >> (i & 31) | 1;
		hash = hash_mix(hash, a / b + a % b);
		hash = hash_mix(hash, gcd(a, b));
		hash = hash_mix(hash, power_mod(a, b & 0xffff, (b & 0x7fffffff) | 1));
		hash = hash_mix(hash, split_time(a));
		hash = hash_mix(hash, signed_mix((int64_t)a, (int64_t)(b >> 1 | 1)));
	}
	return hash;
}
