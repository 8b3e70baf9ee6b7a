/* Imports and exports: what an instance is linked to, whether that matches (WebAssembly core 4.5.3), and what it gives
 * to others. */
#include <stdio.h>
#include <string.h>

#include "instance.h"

static bool limits_match(uint64_t size, uint64_t max, uint64_t wanted_min, uint64_t wanted_max)
{
	return size >= wanted_min && (wanted_max == YAOS_NO_MAX || max <= wanted_max);
}

static const char *fill_func(struct yaos_instance *i, uint32_t index, const struct yaos_host *host)
{
	const struct yaos_import_func *f = &i->module->import_funcs[index];
	const struct yaos_signature *signature = &i->module->signatures[f->type];
	if (host->fn == NULL)
		return "is missing";
	struct yaos_func *func = (struct yaos_func *)(i->context + f->offset);
	i->hosts[index] = *host;
	*func = (struct yaos_func){ .code = f->thunk,
				    .type = signature->id,
				    .index = index,
				    .context = i->context,
				    .host = &i->hosts[index] };
	if (host->fn != yaos_call_import)
		return NULL;
	const struct yaos_func *target = host->env;
	if (target == NULL)
		return "is missing";
	if (target->type != signature->id)
		return "is a function of another type";
	if (f->link != NULL) {
		func->code = f->link;
		func->host = host->env;
	}
	return NULL;
}

static const char *fill_table(struct yaos_instance *i, uint32_t index, const struct yaos_extern *with)
{
	const struct yaos_table_type *type = &i->module->tables[index];
	if (with->table == NULL)
		return "is missing";
	if (with->type != type->type)
		return "is a table of other elements";
	if (!limits_match(with->table->size, with->table->max, type->min, type->max))
		return "is a table whose limits do not match";
	*yaos_context_slot(i, type->offset) = with->table;
	return NULL;
}

static const char *fill_memory(struct yaos_instance *i, uint32_t index, const struct yaos_extern *with)
{
	const struct yaos_memory_type *type = &i->module->memories[index];
	const struct yaos_memory *memory = with->memory;
	if (memory == NULL)
		return "is missing";
	if ((memory->flags & YAOS_MEMORY_SHARED) != type->shared)
		return type->shared ? "is a memory that is not shared" : "is a shared memory";
	if (!limits_match(memory->bytes / YAOS_PAGE_BYTES, memory->max_pages, type->min_pages, type->max_pages))
		return "is a memory whose limits do not match";
	*yaos_context_slot(i, -8) = with->memory;
	*yaos_context_slot(i, -16) = memory->base;
	return NULL;
}

static const char *fill_global(struct yaos_instance *i, uint32_t index, const struct yaos_extern *with)
{
	const struct yaos_global_type *type = &i->module->globals[index];
	if (with->global == NULL)
		return "is missing";
	if (with->type != type->type || with->is_mutable != type->is_mutable)
		return "is a global of another type";
	*yaos_context_slot(i, type->offset) = with->global;
	return NULL;
}

static const char *fill(struct yaos_instance *i, const struct yaos_import *import, const struct yaos_extern *with)
{
	if (with->kind == YAOS_FUNC && with->func.fn == NULL)
		return "is missing";
	if (with->kind != import->kind)
		return "is of another kind";
	switch (import->kind) {
	case YAOS_FUNC:
		return fill_func(i, import->index, &with->func);
	case YAOS_TABLE:
		return fill_table(i, import->index, with);
	case YAOS_MEMORY:
		return fill_memory(i, import->index, with);
	default:
		return fill_global(i, import->index, with);
	}
}

/* How much of a name stands in a message. */
static int shown(const struct yaos_name *name)
{
	return name->length < 80 ? (int)name->length : 80;
}

bool yaos_link(struct yaos_instance *i, const struct yaos_extern *imports, struct yaos_error *error)
{
	for (uint32_t n = 0; n < i->module->import_count; n++) {
		const struct yaos_import *import = &i->module->imports[n];
		const char *reason = fill(i, import, &imports[n]);
		if (reason == NULL)
			continue;
		snprintf(error->message, sizeof(error->message), "import \"%.*s\" \"%.*s\" %s",
			 shown(&import->module), import->module.bytes, shown(&import->name), import->name.bytes,
			 reason);
		return false;
	}
	return true;
}

const struct yaos_export *yaos_export_find(const struct yaos_module *module, const char *name, size_t length)
{
	uint32_t low = 0, high = module->export_count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct yaos_export *exported = &module->exports[middle];
		size_t common = length < exported->name.length ? length : exported->name.length;
		int order = memcmp(name, exported->name.bytes, common);
		if (order == 0 && length == exported->name.length)
			return exported;
		if (order < 0 || (order == 0 && length < exported->name.length))
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

struct yaos_func *yaos_export_func(struct yaos_instance *i, const struct yaos_export *exported)
{
	return (struct yaos_func *)(i->context + exported->offset);
}

const struct yaos_signature *yaos_func_signature(const struct yaos_func *func)
{
	return yaos_signature_find(yaos_instance_of(func->context)->module, func->type);
}

struct yaos_extern yaos_export_extern(struct yaos_instance *i, const char *name, size_t length)
{
	const struct yaos_export *exported = yaos_export_find(i->module, name, length);
	if (exported == NULL)
		return (struct yaos_extern){ .kind = YAOS_FUNC };
	uint32_t index = exported->index;
	switch (exported->kind) {
	case YAOS_FUNC:
		return yaos_extern_link(yaos_export_func(i, exported));
	case YAOS_TABLE:
		return yaos_extern_table(yaos_table_get(i, index), i->module->tables[index].type);
	case YAOS_MEMORY:
		return yaos_extern_memory(yaos_memory_get(i));
	default:
		return yaos_extern_global(yaos_global_get(i, index), i->module->globals[index].type,
					  i->module->globals[index].is_mutable);
	}
}

struct yaos_extern yaos_extern_func(yaos_host_fn fn, void *env)
{
	return (struct yaos_extern){ .kind = YAOS_FUNC, .func = { fn, env } };
}

struct yaos_extern yaos_extern_link(struct yaos_func *func)
{
	return yaos_extern_func(func != NULL ? yaos_call_import : NULL, func);
}

struct yaos_extern yaos_extern_memory(struct yaos_memory *memory)
{
	return (struct yaos_extern){ .kind = YAOS_MEMORY, .memory = memory };
}

struct yaos_extern yaos_extern_table(struct yaos_table *table, enum yaos_type element)
{
	return (struct yaos_extern){ .kind = YAOS_TABLE, .type = element, .table = table };
}

struct yaos_extern yaos_extern_global(uint64_t *cell, enum yaos_type type, bool is_mutable)
{
	return (struct yaos_extern){ .kind = YAOS_GLOBAL, .type = type, .is_mutable = is_mutable, .global = cell };
}
