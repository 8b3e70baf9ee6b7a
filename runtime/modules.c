/* The modules whose instances have been made in this process: what a fault's pc is looked up in, and how a trap is
 * told. A module's descriptor and code are static, so the list only grows; a signal handler may walk it. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "instance.h"

struct node {
	const struct yaos_module *module;
	struct node *next;
};

static struct node *first;

static struct node *list(void)
{
	return __atomic_load_n(&first, __ATOMIC_ACQUIRE);
}

const struct yaos_module *yaos_module_at(uint64_t pc)
{
	for (const struct node *n = list(); n != NULL; n = n->next)
		if (pc - (uint64_t)n->module->text < (uint64_t)(n->module->text_end - n->module->text))
			return n->module;
	return NULL;
}

bool yaos_signatures_equal(const struct yaos_signature *a, const struct yaos_signature *b)
{
	return a->param_count == b->param_count && a->result_count == b->result_count &&
	       memcmp(a->types, b->types, a->param_count + a->result_count) == 0;
}

const struct yaos_signature *yaos_signature_find(const struct yaos_module *m, uint32_t id)
{
	uint32_t low = 0, high = m->signature_count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (m->signatures[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < m->signature_count && m->signatures[low].id == id ? &m->signatures[low] : NULL;
}

/* Ids below 2^31 spell the type out; the others are hashes, at the end of the signatures. */
static bool hashes_agree(const struct yaos_module *a, const struct yaos_module *b)
{
	for (uint32_t i = a->signature_count; i > 0 && a->signatures[i - 1].id >> 31; i--) {
		const struct yaos_signature *other = yaos_signature_find(b, a->signatures[i - 1].id);
		if (other != NULL && !yaos_signatures_equal(&a->signatures[i - 1], other))
			return false;
	}
	return true;
}

static const char *add(const struct yaos_module *module)
{
	for (const struct node *n = list(); n != NULL; n = n->next) {
		if (n->module == module)
			return NULL;
		if (!hashes_agree(n->module, module))
			return "a function type has the same hash as another one of another module";
	}
	struct node *n = malloc(sizeof(*n));
	if (n == NULL)
		return "not enough memory";
	*n = (struct node){ module, first };
	__atomic_store_n(&first, n, __ATOMIC_RELEASE);
	return NULL;
}

const char *yaos_module_register(const struct yaos_module *module)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	pthread_mutex_lock(&lock);
	const char *error = add(module);
	pthread_mutex_unlock(&lock);
	return error;
}

void yaos_set_error(struct yaos_error *error, const char *message)
{
	if (error == NULL)
		return;
	*error = (struct yaos_error){ .trap = YAOS_OK };
	snprintf(error->message, sizeof(error->message), "%s", message);
}

void yaos_last_error(const struct yaos_instance *instance, struct yaos_error *error)
{
	if (error == NULL)
		return;
	const struct yaos_site *site = &instance->site;
	*error = (struct yaos_error){ .trap = site->trap };
	if (site->module != NULL)
		yaos_place_at(site->module, site->offset, error);
	int n = snprintf(error->message, sizeof(error->message), "%s", yaos_trap_message(site->trap));
	size_t room = sizeof(error->message);
	if (error->function != NULL)
		n += snprintf(error->message + n, room - n, " in %.80s", error->function);
	if (error->file != NULL)
		snprintf(error->message + n, room - n, " at %.80s:%u", error->file, (unsigned)error->line);
}
