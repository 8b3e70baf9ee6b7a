/* What the runtime's own files share: the instance, and calls in progress. */
#ifndef YAOS_INSTANCE_H
#define YAOS_INSTANCE_H

#include "yaosrt.h"

/* A Wasm access is base + 32-bit index + 32-bit offset + at most 8 bytes; all of it must be ours to fault in. */
#define YAOS_RESERVED_BYTES ((8ull << 30) + YAOS_PAGE_BYTES)
/* No C function called from Wasm has a frame that steps over this. */
#define YAOS_STACK_GUARD_BYTES (1ull << 20)

/* The instance's stack: the guard is at its low end. */
struct yaos_stack {
	uint8_t *low;
	uint64_t bytes;
};

struct yaos_instance {
	const struct yaos_module *module;
	/* The context pointer V of docs/abi.md §3. */
	uint8_t *context;
	struct yaos_host *hosts;
	struct yaos_memory own_memory;
	uint8_t *mapping;
	uint64_t mapping_bytes;
	struct yaos_stack stack;
};

/* A call from C into translated code that has not ended. trap.c's assembly knows host_rsp's place. */
struct yaos_activation {
	void *host_rsp;
	struct yaos_activation *previous;
	struct yaos_instance *instance;
	struct yaos_stack stack;
};

static inline struct yaos_instance *yaos_instance_of(const void *context)
{
	return ((struct yaos_instance *const *)context)[-3];
}

/* Calls `func` by `invoke` on the instance's stack and comes back from traps. */
enum yaos_trap yaos_enter(struct yaos_instance *instance, yaos_invoke_fn invoke, struct yaos_func *func,
			  uint64_t *values);

bool yaos_pages_commit(void *at, uint64_t bytes);
bool yaos_table_init(struct yaos_table *table, uint64_t size, uint64_t max);

#endif
