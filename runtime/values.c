/* The text form of WebAssembly values on a hosted program's command line. Floats are exact: a bit pattern, or a
 * literal that is rounded once, by the C library's correctly rounding conversions. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"

/* A host reference is an integer with a low bit of 1, so that none is null. */
#define EXTERNREF_MIN (INT64_MIN / 2)
#define EXTERNREF_MAX (INT64_MAX / 2)

struct float_format {
	int bits;
	int fraction_bits;
};
static const struct float_format format32 = { 32, 23 };
static const struct float_format format64 = { 64, 52 };

/* Decimal, or hexadecimal after 0x; nothing else in the text. */
static bool parse_magnitude(const char *text, uint64_t *value)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = hex ? text + 2 : text;
	size_t length = strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789");
	if (length == 0 || digits[length] != '\0')
		return false;
	errno = 0;
	uint64_t parsed = strtoull(digits, NULL, hex ? 16 : 10);
	if (errno != 0)
		return false;
	*value = parsed;
	return true;
}

/* Signed or unsigned, within `bits`. */
static bool parse_int(const char *text, int bits, uint64_t *value)
{
	bool negative = *text == '-';
	if (*text == '-' || *text == '+')
		text++;
	uint64_t magnitude, mask = UINT64_MAX >> (64 - bits);
	if (!parse_magnitude(text, &magnitude) || magnitude > (negative ? mask / 2 + 1 : mask))
		return false;
	*value = (negative ? -magnitude : magnitude) & mask;
	return true;
}

/* nan, nan:canonical, nan:0xPAYLOAD, inf, infinity; without sign. */
static bool parse_special(const char *text, const struct float_format *f, uint64_t *bits)
{
	uint64_t infinity = ((1ull << (f->bits - 1 - f->fraction_bits)) - 1) << f->fraction_bits;
	uint64_t payload = 1ull << (f->fraction_bits - 1);
	if (strcmp(text, "inf") == 0 || strcmp(text, "infinity") == 0) {
		*bits = infinity;
		return true;
	}
	bool plain = strcmp(text, "nan") == 0 || strcmp(text, "nan:canonical") == 0;
	if (!plain) {
		if (strncmp(text, "nan:0x", 6) != 0 || !parse_magnitude(text + 4, &payload))
			return false;
		if (payload == 0 || payload >> f->fraction_bits != 0)
			return false;
	}
	*bits = infinity | payload;
	return true;
}

/* A decimal or hexadecimal floating-point literal without sign; too large is an error. */
static bool parse_literal(const char *text, const struct float_format *f, uint64_t *bits)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *allowed = hex ? "0123456789abcdefABCDEFxX.pP+-" : "0123456789.eE+-";
	char *end;
	if (*text == '+' || *text == '-' || *text == '\0' || text[strspn(text, allowed)] != '\0')
		return false;
	if (f->bits == 32) {
		float value = strtof(text, &end);
		uint32_t low;
		memcpy(&low, &value, sizeof(low));
		*bits = low;
		return *end == '\0' && !isinf(value);
	}
	double value = strtod(text, &end);
	memcpy(bits, &value, sizeof(value));
	return *end == '\0' && !isinf(value);
}

/* A hexadecimal integer is a bit pattern, which has no sign; with a point or an exponent it is a literal. */
static bool parse_float(const char *text, const struct float_format *f, uint64_t *value)
{
	bool sign = *text == '-' || *text == '+';
	const char *number = text + sign;
	bool pattern = number[0] == '0' && (number[1] == 'x' || number[1] == 'X') && strpbrk(number, ".pP") == NULL;
	uint64_t bits;
	if (pattern) {
		if (sign || !parse_magnitude(number, &bits) || (f->bits == 32 && bits > UINT32_MAX))
			return false;
	} else {
		if (!parse_special(number, f, &bits) && !parse_literal(number, f, &bits))
			return false;
		bits |= *text == '-' ? 1ull << (f->bits - 1) : 0;
	}
	*value = bits;
	return true;
}

static bool parse_externref(const char *text, uint64_t *value)
{
	uint64_t bits;
	if (!parse_int(text, 64, &bits))
		return false;
	int64_t number = bits;
	if (*text != '-' && number < 0)
		return false;
	if (number < EXTERNREF_MIN || number > EXTERNREF_MAX)
		return false;
	*value = bits << 1 | 1;
	return true;
}

bool yaos_value_parse(enum yaos_type type, const char *text, uint64_t *value)
{
	switch (type) {
	case YAOS_I32:
		return parse_int(text, 32, value);
	case YAOS_I64:
		return parse_int(text, 64, value);
	case YAOS_F32:
		return parse_float(text, &format32, value);
	case YAOS_F64:
		return parse_float(text, &format64, value);
	case YAOS_FUNCREF:
	case YAOS_EXTERNREF:
		if (strcmp(text, "null") == 0) {
			*value = 0;
			return true;
		}
		return type == YAOS_EXTERNREF && parse_externref(text, value);
	}
	return false;
}

const char *yaos_type_name(enum yaos_type type)
{
	switch (type) {
	case YAOS_I32:
		return "i32";
	case YAOS_I64:
		return "i64";
	case YAOS_F32:
		return "f32";
	case YAOS_F64:
		return "f64";
	case YAOS_FUNCREF:
		return "funcref";
	case YAOS_EXTERNREF:
		return "externref";
	}
	return "unknown type";
}

void yaos_value_print(FILE *to, enum yaos_type type, uint64_t value)
{
	fprintf(to, "%s:", yaos_type_name(type));
	if (type == YAOS_I32 || type == YAOS_F32)
		fprintf(to, "0x%08" PRIx32, (uint32_t)value);
	else if (type == YAOS_I64 || type == YAOS_F64)
		fprintf(to, "0x%016" PRIx64, value);
	else if (value == 0)
		fprintf(to, "null");
	else if (type == YAOS_FUNCREF)
		fprintf(to, "%" PRIu32, ((const struct yaos_func *)value)->index);
	else
		fprintf(to, "%" PRId64, (int64_t)value >> 1);
}
