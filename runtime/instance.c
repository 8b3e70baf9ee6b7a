/* Making and freeing instances: the mapping with context and memory, the stack, tables, imports. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
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

/* The fields right below the context pointer. */
static void **context_slot(const struct yaos_instance *i, int offset)
{
	return (void **)(i->context + offset);
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
	*context_slot(i, -24) = i;
	if (type == NULL)
		return true;
	i->own_memory = (struct yaos_memory){ .base = i->context,
					      .bytes = type->min_pages * YAOS_PAGE_BYTES,
					      .max_pages = type->max_pages,
					      .flags = type->shared ? YAOS_MEMORY_SHARED : 0 };
	*context_slot(i, -8) = &i->own_memory;
	*context_slot(i, -16) = i->context;
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

/* WebAssembly core 4.5.3 (matching of limits). */
static bool limits_match(uint64_t size, uint64_t max, uint64_t wanted_min, uint64_t wanted_max)
{
	return size >= wanted_min && (wanted_max == YAOS_NO_MAX || max <= wanted_max);
}

static void fill_func(struct yaos_instance *i, uint32_t index, const struct yaos_host *host)
{
	const struct yaos_import_func *f = &i->module->import_funcs[index];
	i->hosts[index] = *host;
	*(struct yaos_func *)(i->context + f->offset) = (struct yaos_func){ .code = f->thunk,
									    .type = f->type,
									    .index = index,
									    .context = i->context,
									    .host = &i->hosts[index] };
}

static const char *fill_import(struct yaos_instance *i, uint32_t index, const struct yaos_extern *with)
{
	const struct yaos_module *m = i->module;
	if (with->kind == YAOS_FUNC) {
		fill_func(i, index, &with->func);
	} else if (with->kind == YAOS_TABLE) {
		const struct yaos_table_type *type = &m->tables[index];
		if (!limits_match(with->table->size, with->table->max, type->min, type->max))
			return "an imported table's limits do not match";
		*context_slot(i, type->offset) = with->table;
	} else if (with->kind == YAOS_MEMORY) {
		const struct yaos_memory_type *type = &m->memories[index];
		const struct yaos_memory *memory = with->memory;
		bool same = (memory->flags & YAOS_MEMORY_SHARED) == type->shared;
		if (!same || !limits_match(memory->bytes / YAOS_PAGE_BYTES, memory->max_pages, type->min_pages,
					   type->max_pages))
			return "an imported memory's limits do not match";
		*context_slot(i, -8) = with->memory;
		*context_slot(i, -16) = memory->base;
	} else {
		*context_slot(i, m->globals[index].offset) = with->global;
	}
	return NULL;
}

static const char *fill_imports(struct yaos_instance *i, const struct yaos_extern *with)
{
	i->hosts = calloc(i->module->import_func_count + 1, sizeof(*i->hosts));
	if (i->hosts == NULL)
		return "not enough memory";
	for (uint32_t n = 0; n < i->module->import_count; n++) {
		const struct yaos_import *import = &i->module->imports[n];
		if (with[n].kind != import->kind)
			return "an import is of the wrong kind";
		const char *error = fill_import(i, import->index, &with[n]);
		if (error != NULL)
			return error;
	}
	return NULL;
}

static const char *build(struct yaos_instance *i, const struct yaos_extern *imports)
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
	return fill_imports(i, imports);
}

struct yaos_instance *yaos_instance_new(const struct yaos_module *module, const struct yaos_extern *imports,
					const char **error)
{
	struct yaos_instance *i = calloc(1, sizeof(*i));
	if (i == NULL) {
		*error = "not enough memory";
		return NULL;
	}
	i->module = module;
	*error = build(i, imports);
	if (*error != NULL) {
		yaos_instance_free(i);
		return NULL;
	}
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

const struct yaos_export *yaos_export_find(const struct yaos_module *module, const char *name, size_t length)
{
	uint32_t low = 0, high = module->export_count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct yaos_export *export = &module->exports[middle];
		size_t common = length < export->name.length ? length : export->name.length;
		int order = memcmp(name, export->name.bytes, common);
		if (order == 0 && length == export->name.length)
			return export;
		if (order < 0 || (order == 0 && length < export->name.length))
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

struct yaos_func *yaos_export_func(struct yaos_instance *i, const struct yaos_export *export)
{
	return (struct yaos_func *)(i->context + export->offset);
}

struct yaos_table *yaos_table_get(struct yaos_instance *i, uint32_t index)
{
	const struct yaos_table_type *type = &i->module->tables[index];
	void *slot = i->context + type->offset;
	return type->imported ? *(struct yaos_table **)slot : slot;
}

struct yaos_memory *yaos_memory_get(struct yaos_instance *i)
{
	return *context_slot(i, -8);
}

uint64_t *yaos_global_get(struct yaos_instance *i, uint32_t index)
{
	const struct yaos_global_type *type = &i->module->globals[index];
	void *slot = i->context + type->offset;
	return type->imported ? *(uint64_t **)slot : slot;
}

const struct yaos_signature *yaos_func_signature(const struct yaos_func *func)
{
	return &yaos_instance_of(func->context)->module->signatures[func->type];
}
