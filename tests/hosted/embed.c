/* Uses the runtime as a library: several instances of a module, calls between them, threads on one memory, and faults
 * that are not theirs. Linked with the module of embed.test.ts; prints a line for each thing seen. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "yaosrt.h"

extern const struct yaos_module yaos_module;

static struct yaos_func *find(struct yaos_instance *instance, const char *name)
{
	return yaos_export_func(instance, yaos_export_find(&yaos_module, name, strlen(name)));
}

static void call(struct yaos_instance *instance, const char *what, const char *name, uint64_t argument)
{
	uint64_t value = argument;
	enum yaos_trap trap = yaos_call(find(instance, name), &value);
	if (trap == YAOS_OK)
		printf("%s: %d\n", what, (int)value);
	else
		printf("%s: trap: %s\n", what, yaos_trap_message(trap));
}

static void add_env(void *env, uint64_t *values)
{
	values[0] = (uint32_t)values[0] + *(uint32_t *)env;
}

/* Twenty values in, the same twenty in reverse order out. */
static void reverse(void *env, uint64_t *values)
{
	(void)env;
	for (int i = 0; i < 10; i++) {
		uint64_t first = values[i];
		values[i] = values[19 - i];
		values[19 - i] = first;
	}
}

static void raise_trap(void *env, uint64_t *values)
{
	(void)env;
	(void)values;
	yaos_raise(YAOS_TRAP_UNREACHABLE);
}

/* A fault of the host's own, with translated code waiting for it. */
static void crash(void *env, uint64_t *values)
{
	(void)env;
	values[0] = *(volatile uint32_t *)16;
}

static struct yaos_instance *instance_new(struct yaos_memory *memory, yaos_host_fn fn, void *env)
{
	struct yaos_error error;
	const struct yaos_extern imports[] = {
		{ .kind = YAOS_FUNC, .func = { fn, env } },
		{ .kind = YAOS_FUNC, .func = { reverse, NULL } },
		{ .kind = YAOS_MEMORY, .memory = memory },
	};
	struct yaos_instance *instance = yaos_instance_new(&yaos_module, imports, &error);
	if (instance == NULL) {
		printf("no instance: %s\n", error.message);
		return NULL;
	}
	if (yaos_instance_init(instance) != YAOS_OK)
		abort();
	return instance;
}

static void *wait_in_thread(void *instance)
{
	call(instance, "a thread that was notified", "wait", 8);
	call(instance, "a trap in that thread", "load", 1u << 30);
	return NULL;
}

static void notify_from_here(struct yaos_instance *instance, struct yaos_instance *other)
{
	pthread_t thread;
	uint64_t woken = 0;
	pthread_create(&thread, NULL, wait_in_thread, other);
	while ((uint32_t)woken == 0) {
		woken = 8;
		yaos_call(find(instance, "notify"), &woken);
		sched_yield();
	}
	pthread_join(thread, NULL);
}

static void on_fault(int signal)
{
	(void)signal;
	write(STDOUT_FILENO, "the handler before ours\n", 24);
	_exit(7);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	setvbuf(stdout, NULL, _IONBF, 0);
	if (strcmp(mode, "handler") == 0)
		signal(SIGSEGV, on_fault);
	struct yaos_memory *memory = yaos_memory_new(1, 4, true);
	uint32_t ten = 10;
	if (strcmp(mode, "") != 0) {
		call(instance_new(memory, crash, NULL), "not reached", "imported", 1);
		return 0;
	}
	struct yaos_instance *a = instance_new(memory, add_env, &ten);
	struct yaos_instance *b = instance_new(memory, yaos_call_import, find(a, "imported"));
	struct yaos_instance *c = instance_new(memory, yaos_call_import, find(a, "forever"));
	struct yaos_instance *d = instance_new(memory, raise_trap, NULL);
	call(a, "host function", "imported", 1);
	call(a, "values that came back right", "reversed", 0);
	call(b, "function of another instance", "imported", 2);
	for (int i = 0; i < 3; i++)
		call(c, "stack exhausted in another instance", "imported", 0);
	call(d, "trap of the host's", "imported", 0);
	call(a, "count in a", "count", 5);
	call(a, "count in a", "count", 5);
	call(b, "count in b", "count", 1);
	call(a, "grow", "grow", 2);
	call(b, "store in what grew", "store", 196604);
	call(a, "load what b stored", "load", 196604);
	call(a, "load behind it", "load", 196605);
	notify_from_here(a, b);
	yaos_instance_free(c);
	call(b, "after c was freed", "imported", 3);
	struct yaos_memory *small = yaos_memory_new(1, 4, false);
	instance_new(small, add_env, &ten);
	for (int i = 0; i < 2000; i++)
		yaos_instance_free(instance_new(memory, add_env, &ten));
	yaos_instance_free(a);
	yaos_instance_free(b);
	yaos_instance_free(d);
	yaos_memory_free(small);
	yaos_memory_free(memory);
	return 0;
}
