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

/* Where and how a call trapped; no module: in a function of the host's. */
struct yaos_site {
	const struct yaos_module *module;
	uint32_t offset;
	enum yaos_trap trap;
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
	struct yaos_site site;
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

/* A pointer in the context. */
static inline void **yaos_context_slot(const struct yaos_instance *instance, int offset)
{
	return (void **)(instance->context + offset);
}

/* Fills the imports; says in *error which one does not fit. */
bool yaos_link(struct yaos_instance *instance, const struct yaos_extern *imports, struct yaos_error *error);

/* Calls `func` by `invoke` on the instance's stack and comes back from traps. */
enum yaos_trap yaos_enter(struct yaos_instance *instance, yaos_invoke_fn invoke, struct yaos_func *func,
			  uint64_t *values);

/* Adds a module to those that faults are looked up in: null or an error. */
const char *yaos_module_register(const struct yaos_module *module);
/* The module whose code is at pc; null: none. For signal handlers. */
const struct yaos_module *yaos_module_at(uint64_t pc);
/* The kind of trap (docs/abi.md §4) of the instruction at an offset in the module's code, 0 if it has none. For signal
 * handlers. */
uint32_t yaos_trap_at(const struct yaos_module *module, uint32_t offset);
/* Sets the parts of *error that tell where an offset in the module's code came from, as far as it is known. */
void yaos_place_at(const struct yaos_module *module, uint32_t offset, struct yaos_error *error);
bool yaos_signatures_equal(const struct yaos_signature *a, const struct yaos_signature *b);
/* Null if the module has no such type. */
const struct yaos_signature *yaos_signature_find(const struct yaos_module *module, uint32_t id);

bool yaos_pages_commit(void *at, uint64_t bytes);
bool yaos_table_init(struct yaos_table *table, uint64_t size, uint64_t max);

#endif
