/* A hosted program: what `yaos exe` links a module with (build/host/exe.ts writes yaos_program), and the parts of
 * the runtime that only programs use. */
#ifndef YAOS_PROGRAM_H
#define YAOS_PROGRAM_H

#include <stdio.h>

#include "yaosrt.h"

struct yaos_program {
	const struct yaos_module *module;
	/* What the imports are filled with, in the module's order; `env` of functions is filled in at run time. */
	const struct yaos_extern *imports;
	/* Makes the host's memories and tables: null or an error. May be absent. */
	const char *(*open)(void);
	int (*run)(const struct yaos_program *program, int argc, char **argv);
};
extern const struct yaos_program yaos_program;

enum { EXIT_USAGE = 1, EXIT_TRAP = 3 };

/* The two kinds of program: calls of exports, and a WASI command. */
int yaos_calls_main(const struct yaos_program *program, int argc, char **argv);
int yaos_wasi_main(const struct yaos_program *program, int argc, char **argv);

/* Makes the instance with `env` for the host functions; exits with a message on failure. */
struct yaos_instance *yaos_program_instantiate(const struct yaos_program *program, const char *argv0, void *env);
/* Runs the initialisation; exits with the trap's message if it traps. */
void yaos_program_init(struct yaos_instance *instance);
/* Exits with the usage line unless there is an export to call. */
void yaos_calls_check_usage(int argc, char **argv);
/* Answers a line, `EXPORT ARG…`, which it takes apart in place, with one on standard output. */
void yaos_calls_answer(struct yaos_instance *instance, const struct yaos_module *module, char *line, size_t length);
/* Serves `PROG EXPORT ARG…` or `PROG -`; returns the exit status. */
int yaos_calls_serve(struct yaos_instance *instance, const struct yaos_module *module, int argc, char **argv);

/* The text form of values. Parsing leaves *value alone if the text is not a value of the type. */
bool yaos_value_parse(enum yaos_type type, const char *text, uint64_t *value);
void yaos_value_print(FILE *to, enum yaos_type type, uint64_t value);
const char *yaos_type_name(enum yaos_type type);

#endif
