/* The entry of a hosted program, and what its kinds have in common. */
#include <stdlib.h>

#include "instance.h"
#include "program.h"

int main(int argc, char **argv)
{
	return yaos_program.run(&yaos_program, argc, argv);
}

static struct yaos_extern *imports_with_env(const struct yaos_program *program, void *env)
{
	uint32_t count = program->module->import_count;
	struct yaos_extern *imports = calloc(count + 1, sizeof(*imports));
	for (uint32_t i = 0; imports != NULL && i < count; i++) {
		imports[i] = program->imports[i];
		if (imports[i].kind == YAOS_FUNC)
			imports[i].func.env = env;
	}
	return imports;
}

struct yaos_instance *yaos_program_instantiate(const struct yaos_program *program, const char *argv0, void *env)
{
	const char *reason = program->open != NULL ? program->open() : NULL;
	struct yaos_error error;
	struct yaos_instance *instance = NULL;
	struct yaos_extern *imports = imports_with_env(program, env);
	if (imports == NULL)
		reason = "not enough memory";
	if (reason == NULL)
		instance = yaos_instance_new(program->module, imports, &error);
	if (instance == NULL) {
		fprintf(stderr, "%s: %s\n", argv0, reason != NULL ? reason : error.message);
		exit(EXIT_USAGE);
	}
	free(imports);
	return instance;
}

void yaos_program_init(struct yaos_instance *instance)
{
	enum yaos_trap trap = yaos_instance_init(instance);
	if (trap != YAOS_OK) {
		fprintf(stderr, "trap: %s\n", yaos_trap_message(trap));
		exit(EXIT_TRAP);
	}
}
