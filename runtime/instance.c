/* Making and freeing instances: the mapping with context and memory, the stack, tables. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "instance.h"

#define HOST_PAGE_BYTES 4096u
#define STACK_BYTES_DEFAULT (64ull << 20)
#define STACK_BYTES_MIN (256ull << 10)
#define STACK_BYTES_MAX (1ull << 40)

static uint64_t round_to_pages(uint64_t bytes)
{
	return (bytes + HOST_PAGE_BYTES - 1) & ~(uint64_t)(HOST_PAGE_BYTES - 1);
}

static void *reserve(uint64_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return at == MAP_FAILED ? NULL : at;
}

static const struct yaos_memory_type *own_memory_type(const struct yaos_module *m)
{
	return m->memory_count > 0 && !m->memories[0].imported ? &m->memories[0] : NULL;
}

/* The context's pages lie directly below the context pointer, the own memory's reservation directly above. */
static bool map_context(struct yaos_instance *i)
{
	const struct yaos_memory_type *type = own_memory_type(i->module);
	uint64_t context_bytes = round_to_pages(i->module->context_bytes);
	i->mapping_bytes = context_bytes + (type ? YAOS_RESERVED_BYTES : HOST_PAGE_BYTES);
	i->mapping = reserve(i->mapping_bytes);
	if (i->mapping == NULL)
		return false;
	i->context = i->mapping + context_bytes;
	if (!yaos_pages_commit(i->mapping, context_bytes))
		return false;
	*yaos_context_slot(i, -24) = i;
	if (type == NULL)
		return true;
	i->own_memory = (struct yaos_memory){ .base = i->context,
					      .bytes = type->min_pages * YAOS_PAGE_BYTES,
					      .max_pages = type->max_pages,
					      .flags = type->shared ? YAOS_MEMORY_SHARED : 0 };
	*yaos_context_slot(i, -8) = &i->own_memory;
	*yaos_context_slot(i, -16) = i->context;
	return yaos_pages_commit(i->context, i->own_memory.bytes);
}

/* The environment may ask for another depth, to run deeper recursion or to test its end. */
static uint64_t stack_bytes_wanted(void)
{
	const char *text = getenv("YAOS_STACK_BYTES");
	if (text == NULL)
		return STACK_BYTES_DEFAULT;
	char *end;
	errno = 0;
	uint64_t bytes = strtoull(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || bytes < STACK_BYTES_MIN || bytes > STACK_BYTES_MAX)
		return 0;
	return round_to_pages(bytes);
}

static bool make_stack(struct yaos_instance *i, uint64_t usable_bytes)
{
	i->stack.bytes = YAOS_STACK_GUARD_BYTES + usable_bytes;
	i->stack.low = reserve(i->stack.bytes);
	return i->stack.low != NULL && yaos_pages_commit(i->stack.low + YAOS_STACK_GUARD_BYTES, usable_bytes);
}

static bool make_tables(struct yaos_instance *i)
{
	for (uint32_t t = 0; t < i->module->table_count; t++) {
		const struct yaos_table_type *type = &i->module->tables[t];
		if (!type->imported && !yaos_table_init(yaos_table_get(i, t), type->min, type->max))
			return false;
	}
	return true;
}

static const char *build(struct yaos_instance *i)
{
	if (i->module->version != YAOS_ABI_VERSION)
		return "the module was translated for another version of the runtime";
	if (!__builtin_cpu_supports("sse4.1") || !__builtin_cpu_supports("popcnt"))
		return "this program needs a CPU with SSE4.1 and POPCNT";
	uint64_t stack_bytes = stack_bytes_wanted();
	if (stack_bytes == 0)
		return "YAOS_STACK_BYTES must be a number of bytes from 262144 to 1099511627776";
	if (!make_stack(i, stack_bytes))
		return "not enough memory for the stack";
	if (!map_context(i))
		return "not enough address space or memory for the linear memory";
	if (!make_tables(i))
		return "not enough memory for the tables";
	i->hosts = calloc(i->module->import_func_count + 1, sizeof(*i->hosts));
	if (i->hosts == NULL)
		return "not enough memory";
	return yaos_module_register(i->module);
}

struct yaos_instance *yaos_instance_new(const struct yaos_module *module, const struct yaos_extern *imports,
					struct yaos_error *error)
{
	struct yaos_error unwanted;
	if (error == NULL)
		error = &unwanted;
	yaos_set_error(error, "not enough memory");
	struct yaos_instance *i = calloc(1, sizeof(*i));
	if (i == NULL)
		return NULL;
	i->module = module;
	const char *reason = build(i);
	if (reason != NULL)
		yaos_set_error(error, reason);
	if (reason != NULL || !yaos_link(i, imports, error)) {
		yaos_instance_free(i);
		return NULL;
	}
	*error = (struct yaos_error){ .trap = YAOS_OK };
	return i;
}

enum yaos_trap yaos_instance_init(struct yaos_instance *instance)
{
	struct yaos_func init = { .code = instance->module->init, .context = instance->context };
	return yaos_enter(instance, instance->module->invoke_init, &init, NULL);
}

void yaos_instance_free(struct yaos_instance *i)
{
	if (i->context != NULL)
		for (uint32_t t = 0; t < i->module->table_count; t++)
			if (!i->module->tables[t].imported)
				free(yaos_table_get(i, t)->elems);
	if (i->mapping != NULL)
		munmap(i->mapping, i->mapping_bytes);
	if (i->stack.low != NULL)
		munmap(i->stack.low, i->stack.bytes);
	free(i->hosts);
	free(i);
}

struct yaos_table *yaos_table_get(struct yaos_instance *i, uint32_t index)
{
	const struct yaos_table_type *type = &i->module->tables[index];
	void *slot = i->context + type->offset;
	return type->imported ? *(struct yaos_table **)slot : slot;
}

struct yaos_memory *yaos_memory_get(struct yaos_instance *i)
{
	return *yaos_context_slot(i, -8);
}

uint64_t *yaos_global_get(struct yaos_instance *i, uint32_t index)
{
	const struct yaos_global_type *type = &i->module->globals[index];
	void *slot = i->context + type->offset;
	return type->imported ? *(uint64_t **)slot : slot;
}
