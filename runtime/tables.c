/* Reads the tables beside a module's code (docs/abi.md §4): what can trap at an offset in it, and where in the source
 * that is. Signal handlers may call these. Every loop ends with its part of the table, whatever stands there. */
#include "instance.h"

/* Numbers still to be read. */
struct reader {
	const uint8_t *at, *end;
};

/* ULEB128; 0 behind the end. */
static uint32_t next(struct reader *r)
{
	uint32_t value = 0;
	for (unsigned shift = 0; r->at < r->end; shift += 7) {
		uint8_t byte = *r->at++;
		if (shift < 32)
			value |= (uint32_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			break;
	}
	return value;
}

/* A list: its length in bytes, then what it holds. */
static struct reader next_list(struct reader *r)
{
	uint32_t bytes = next(r);
	size_t rest = r->end - r->at;
	struct reader list = { r->at, r->at + (bytes < rest ? bytes : rest) };
	r->at = list.end;
	return list;
}

/* The record of the function that holds `offset`. */
struct record {
	uint32_t start;
	struct reader traps, scopes, places;
};

static bool find(const struct yaos_module *m, uint32_t offset, struct record *record)
{
	size_t low = 0, high = (m->funcs_end - m->funcs) / 2;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (m->funcs[2 * middle] <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return false;
	const uint32_t *func = m->funcs + 2 * (low - 1);
	struct reader r = { m->info + func[1], m->info_end };
	if (offset - func[0] >= next(&r))
		return false;
	next(&r); /* frame */
	next(&r); /* pop */
	struct reader traps = next_list(&r), scopes = next_list(&r);
	*record = (struct record){ func[0], traps, scopes, next_list(&r) };
	return true;
}

/* To the next address of a list; `value` is what it said last. */
static uint32_t step(struct reader *list, uint32_t *value)
{
	uint32_t distance = next(list);
	if (distance & 1)
		*value = next(list);
	return distance >> 1;
}

uint32_t yaos_trap_at(const struct yaos_module *m, uint32_t offset)
{
	struct record record;
	if (!find(m, offset, &record))
		return 0;
	uint32_t at = record.start, kind = 0;
	while (at <= offset && record.traps.at < record.traps.end) {
		at += step(&record.traps, &kind);
		if (at == offset)
			return kind;
	}
	return 0;
}

void yaos_place_at(const struct yaos_module *m, uint32_t offset, struct yaos_error *error)
{
	struct record record;
	if (!find(m, offset, &record))
		return;
	uint32_t at = record.start, scope = 0, line_code = 0, next_scope = 0;
	while (record.places.at < record.places.end) {
		at += step(&record.places, &next_scope);
		if (at > offset)
			break;
		scope = next_scope;
		line_code = next(&record.places);
	}
	uint32_t name = 0, file = 0, base = 0;
	for (uint32_t i = 0; i <= scope && record.scopes.at < record.scopes.end; i++) {
		next(&record.scopes); /* caller */
		next(&record.scopes); /* line of the call */
		name = next(&record.scopes);
		file = next(&record.scopes);
		base = next(&record.scopes);
	}
	error->function = m->strings + name;
	if (line_code == 0 || file == 0)
		return;
	error->file = m->strings + file;
	error->line = base + line_code - 1;
}
