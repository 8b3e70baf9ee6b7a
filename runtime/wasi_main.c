/* A WASI program: `PROG [--dir=HOST[::GUEST]]... ARGS...` runs the module's _start. A module without one serves calls
 * like any hosted program, after _initialize if it has that. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "program.h"
#include "wasi.h"

static _Noreturn void fail(const char *argv0, const char *what, const char *why)
{
	fprintf(stderr, "%s: %s: %s\n", argv0, what, why);
	exit(EXIT_USAGE);
}

static void add_file(struct wasi *w, struct wasi_file file)
{
	uint32_t fd;
	if (wasi_file_add(w, &file, &fd) != WASI_SUCCESS)
		fail(w->argv[0], "cannot start", "not enough memory");
}

static void open_streams(struct wasi *w)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		uint64_t rights = RIGHTS_ALL & ~(fd == STDIN_FILENO ? RIGHT_FD_WRITE : RIGHT_FD_READ);
		add_file(w, wasi_file_of(fd, rights, 0));
	}
}

/* `option` is HOST or HOST::GUEST; it is cut in two. */
static void preopen(struct wasi *w, char *option)
{
	char *separator = strstr(option, "::");
	const char *guest = separator != NULL ? separator + 2 : option;
	if (separator != NULL)
		*separator = '\0';
	int fd = open(option, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		fail(w->argv[0], option, strerror(errno));
	struct wasi_file file = wasi_file_of(fd, RIGHTS_ALL, RIGHTS_ALL);
	file.preopen = guest;
	add_file(w, file);
}

/* Takes the options off the command line; the rest is the guest's. */
static void take_options(struct wasi *w, int argc, char **argv)
{
	static const char option[] = "--dir=";
	int first = 1;
	while (first < argc && strncmp(argv[first], option, sizeof(option) - 1) == 0)
		preopen(w, argv[first++] + sizeof(option) - 1);
	argv[first - 1] = argv[0];
	w->argv = argv + first - 1;
	w->argc = argc - (first - 1);
}

static enum yaos_trap call_export(struct wasi *w, const struct yaos_module *module, const char *name)
{
	const struct yaos_export *export = yaos_export_find(module, name, strlen(name));
	if (export == NULL || export->kind != YAOS_FUNC)
		return YAOS_OK;
	struct yaos_func *func = yaos_export_func(w->instance, export);
	const struct yaos_signature *s = yaos_func_signature(func);
	if (s->param_count + s->result_count > 0)
		fail(w->argv[0], name, "must have no parameters and no results");
	return yaos_call(func, NULL);
}

int yaos_wasi_main(const struct yaos_program *program, int argc, char **argv)
{
	struct wasi w = { .argc = argc, .argv = argv };
	bool command = yaos_export_find(program->module, "_start", strlen("_start")) != NULL;
	signal(SIGPIPE, SIG_IGN); /* a write to a closed pipe is an error number for the guest */
	open_streams(&w);
	take_options(&w, argc, argv);
	if (!command)
		yaos_calls_check_usage(w.argc, w.argv);
	w.instance = yaos_program_instantiate(program, w.argv[0], &w);
	yaos_program_init(w.instance);
	enum yaos_trap trap = call_export(&w, program->module, command ? "_start" : "_initialize");
	if (trap != YAOS_OK) {
		fprintf(stderr, "trap: %s\n", yaos_trap_message(trap));
		return EXIT_TRAP;
	}
	return command ? 0 : yaos_calls_serve(w.instance, program->module, w.argc, w.argv);
}
