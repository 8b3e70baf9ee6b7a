/* Linear memories and tables: what they are made of, and how they grow. A memory's address range is reserved once
 * and for all, so that its base never moves; growing makes more of it accessible. */
#define _GNU_SOURCE
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "instance.h"

#define MEMORY_PAGES_MAX 65536u
/* The JavaScript API's limit (WebAssembly JS interface, "Implementation-defined Limits"). */
#define TABLE_SIZE_MAX 10000000u

bool yaos_pages_commit(void *at, uint64_t bytes)
{
	return bytes == 0 || mprotect(at, bytes, PROT_READ | PROT_WRITE) == 0;
}

struct yaos_memory *yaos_memory_new(uint64_t min_pages, uint64_t max_pages, bool shared)
{
	struct yaos_memory *memory = malloc(sizeof(*memory));
	if (memory == NULL)
		return NULL;
	void *base = mmap(NULL, YAOS_RESERVED_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED) {
		free(memory);
		return NULL;
	}
	*memory = (struct yaos_memory){ .base = base,
					.bytes = min_pages * YAOS_PAGE_BYTES,
					.max_pages = max_pages,
					.flags = shared ? YAOS_MEMORY_SHARED : 0 };
	if (!yaos_pages_commit(base, memory->bytes)) {
		yaos_memory_free(memory);
		return NULL;
	}
	return memory;
}

void yaos_memory_free(struct yaos_memory *memory)
{
	munmap(memory->base, YAOS_RESERVED_BYTES);
	free(memory);
}

void *yaos_memory_at(const struct yaos_memory *memory, uint64_t address, uint64_t bytes)
{
	uint64_t size = __atomic_load_n(&memory->bytes, __ATOMIC_RELAXED);
	return address <= size && bytes <= size - address ? memory->base + address : NULL;
}

static int32_t grow(struct yaos_memory *memory, uint32_t pages)
{
	uint64_t old_pages = memory->bytes / YAOS_PAGE_BYTES;
	uint64_t max_pages = memory->max_pages < MEMORY_PAGES_MAX ? memory->max_pages : MEMORY_PAGES_MAX;
	if (old_pages + pages > max_pages)
		return -1;
	if (!yaos_pages_commit(memory->base + memory->bytes, (uint64_t)pages * YAOS_PAGE_BYTES))
		return -1;
	__atomic_store_n(&memory->bytes, (old_pages + pages) * YAOS_PAGE_BYTES, __ATOMIC_SEQ_CST);
	return old_pages;
}

int32_t yaos_memory_grow(void *context, uint32_t pages)
{
	return yaos_memory_add_pages(((struct yaos_memory **)context)[-1], pages);
}

int32_t yaos_memory_add_pages(struct yaos_memory *memory, uint32_t pages)
{
	if (!(memory->flags & YAOS_MEMORY_SHARED))
		return grow(memory, pages);
	/* Two threads that grow at once must not both start from the same size. */
	yaos_check_stack();
	while (__atomic_fetch_or(&memory->flags, YAOS_MEMORY_LOCKED, __ATOMIC_ACQUIRE) & YAOS_MEMORY_LOCKED)
		sched_yield();
	int32_t old_pages = grow(memory, pages);
	__atomic_fetch_and(&memory->flags, ~(uint64_t)YAOS_MEMORY_LOCKED, __ATOMIC_RELEASE);
	return old_pages;
}

/* Elements are null at first. */
static bool table_resize(struct yaos_table *table, uint64_t size, uint64_t init)
{
	if (size > table->max || size > TABLE_SIZE_MAX)
		return false;
	if (size == table->size)
		return true;
	uint64_t *elems = realloc(table->elems, size * sizeof(*elems));
	if (elems == NULL)
		return false;
	table->elems = elems;
	yaos_table_fill(elems + table->size, init, size - table->size);
	table->size = size;
	return true;
}

bool yaos_table_init(struct yaos_table *table, uint64_t size, uint64_t max)
{
	*table = (struct yaos_table){ .max = max };
	return table_resize(table, size, 0);
}

struct yaos_table *yaos_table_new(uint64_t size, uint64_t max)
{
	struct yaos_table *table = malloc(sizeof(*table));
	if (table != NULL && !yaos_table_init(table, size, max)) {
		free(table);
		return NULL;
	}
	return table;
}

uint64_t yaos_table_at(const struct yaos_table *table, uint64_t index)
{
	return index < table->size ? table->elems[index] : 0;
}

bool yaos_table_set(struct yaos_table *table, uint64_t index, uint64_t reference)
{
	if (index >= table->size)
		return false;
	table->elems[index] = reference;
	return true;
}

void yaos_table_free(struct yaos_table *table)
{
	free(table->elems);
	free(table);
}

int32_t yaos_table_grow(void *context, struct yaos_table *table, uint32_t count, uint64_t init)
{
	(void)context;
	yaos_check_stack();
	uint64_t old_size = table->size;
	return table_resize(table, old_size + count, init) ? (int32_t)old_size : -1;
}

void yaos_table_fill(uint64_t *at, uint64_t value, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		at[i] = value;
}
