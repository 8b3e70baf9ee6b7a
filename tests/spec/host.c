/* A program with all modules of a test script, linked to one another by the runtime's own functions. Standard input has a line for
 * each command, answered with one line:
 *   module N FROM…      makes an instance of module N; each import is what the instance FROM exports by its name, what spectest
 *                       has (s), or missing (-). `error: REASON` if it cannot be linked, `trap: REASON` if it starts with a trap
 *   call N EXPORT ARG…  as `PROG -` of `yaos exe` answers EXPORT ARG…
 * An instance whose start has failed stays: its functions may be in a table of another's by then. */
#include <stdlib.h>
#include <string.h>

#include "program.h"

#define MODULE(name) extern const struct yaos_module name;
#include "modules.inc"
#undef MODULE

#define MODULE(name) { &name, NULL },
static struct linked {
	const struct yaos_module *module;
	struct yaos_instance *instance;
} all[] = {
#include "modules.inc"
};
#define COUNT (sizeof(all) / sizeof(*all))

const char *yaos_spectest_open(void);
extern uint64_t yaos_spectest_global_i32, yaos_spectest_global_i64, yaos_spectest_global_f32, yaos_spectest_global_f64;
extern struct yaos_table yaos_spectest_table;
extern struct yaos_memory yaos_spectest_memory, yaos_spectest_shared_memory;

#define PRINTS(PRINT)                      \
	PRINT(print, "")                   \
	PRINT(print_i32, "\x7f")           \
	PRINT(print_i64, "\x7e")           \
	PRINT(print_f32, "\x7d")           \
	PRINT(print_f64, "\x7c")           \
	PRINT(print_i32_f32, "\x7f\x7d")   \
	PRINT(print_f64_f64, "\x7c\x7c")

#define PRINT(name, types) void yaos_spectest_##name(void *env, uint64_t *values);
PRINTS(PRINT)
#undef PRINT

#define PRINT(name, types) { #name, types, yaos_spectest_##name },
static const struct {
	const char *name;
	const char *types;
	yaos_host_fn fn;
} prints[] = { PRINTS(PRINT) };

static bool is(const struct yaos_import *import, const char *name)
{
	return import->name.length == strlen(name) && memcmp(import->name.bytes, name, strlen(name)) == 0;
}

/* The runtime takes a host's word for the types of its functions. */
static bool takes(const struct yaos_module *module, const struct yaos_import *import, const char *types)
{
	if (import->kind != YAOS_FUNC)
		return true;
	const struct yaos_signature *s = &module->signatures[module->import_funcs[import->index].type];
	return s->result_count == 0 && s->param_count == strlen(types) && memcmp(s->types, types, s->param_count) == 0;
}

static struct yaos_extern spectest(const struct yaos_module *module, const struct yaos_import *import)
{
	for (size_t i = 0; i < sizeof(prints) / sizeof(*prints); i++)
		if (is(import, prints[i].name) && takes(module, import, prints[i].types))
			return yaos_extern_func(prints[i].fn, NULL);
	if (is(import, "global_i32"))
		return yaos_extern_global(&yaos_spectest_global_i32, YAOS_I32, false);
	if (is(import, "global_i64"))
		return yaos_extern_global(&yaos_spectest_global_i64, YAOS_I64, false);
	if (is(import, "global_f32"))
		return yaos_extern_global(&yaos_spectest_global_f32, YAOS_F32, false);
	if (is(import, "global_f64"))
		return yaos_extern_global(&yaos_spectest_global_f64, YAOS_F64, false);
	if (is(import, "table"))
		return yaos_extern_table(&yaos_spectest_table, YAOS_FUNCREF);
	if (is(import, "memory"))
		return yaos_extern_memory(&yaos_spectest_memory);
	if (is(import, "shared_memory"))
		return yaos_extern_memory(&yaos_spectest_shared_memory);
	return (struct yaos_extern){ .kind = YAOS_FUNC };
}

/* The number at *at, which moves behind it. */
static struct linked *take_number(char **at)
{
	unsigned long n = strtoul(*at, at, 10);
	if (n >= COUNT)
		exit(EXIT_USAGE);
	return &all[n];
}

static struct yaos_extern take_import(char **at, const struct yaos_module *module, const struct yaos_import *import)
{
	*at += strspn(*at, " ");
	if (**at == 's' || **at == '-')
		return *(*at)++ == 's' ? spectest(module, import) : (struct yaos_extern){ .kind = YAOS_FUNC };
	struct yaos_instance *from = take_number(at)->instance;
	if (from == NULL)
		return (struct yaos_extern){ .kind = YAOS_FUNC };
	return yaos_export_extern(from, import->name.bytes, import->name.length);
}

static void instantiate(struct linked *one, char *at)
{
	const struct yaos_module *module = one->module;
	struct yaos_extern imports[module->import_count + 1];
	for (uint32_t i = 0; i < module->import_count; i++)
		imports[i] = take_import(&at, module, &module->imports[i]);
	struct yaos_error error;
	one->instance = yaos_instance_new(module, imports, &error);
	enum yaos_trap trap = one->instance != NULL ? yaos_instance_init(one->instance) : YAOS_OK;
	if (one->instance == NULL)
		printf("error: %s", error.message);
	else if (trap != YAOS_OK)
		printf("trap: %s", yaos_trap_message(trap));
	putchar('\n');
}

static void call(const struct linked *one, char *line)
{
	if (one->instance != NULL)
		yaos_calls_answer(one->instance, one->module, line, strlen(line));
	else
		puts("error: there is no such instance");
}

static int serve(const struct yaos_program *program, int argc, char **argv)
{
	(void)program, (void)argc, (void)argv;
	if (yaos_spectest_open() != NULL)
		return EXIT_USAGE;
	char *line = NULL;
	size_t room = 0;
	for (ssize_t length; (length = getline(&line, &room, stdin)) > 0;) {
		line[length - 1] = '\0';
		char *at = strchr(line, ' ');
		if (at == NULL)
			return EXIT_USAGE;
		struct linked *one = take_number(&at);
		if (*line == 'm')
			instantiate(one, at);
		else
			call(one, at);
		if (fflush(stdout) != 0)
			return EXIT_USAGE;
	}
	free(line);
	return 0;
}

const struct yaos_program yaos_program = { .run = serve };
