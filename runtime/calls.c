/* A hosted program that serves calls: `PROG EXPORT ARG…` makes one, `PROG -` one for each line of standard input,
 * with one line of answer each. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "program.h"

/* A call as text. The pointers go into the command line or the line read. */
struct request {
	const char *name;
	size_t name_length;
	char **args;
	size_t arg_count;
};

enum status { ANSWERED, TRAPPED, REFUSED };

/* Prints text as a JSON string, so that it stays on its line. */
static void print_quoted(FILE *to, const char *text, size_t length)
{
	fputc('"', to);
	for (size_t i = 0; i < length; i++) {
		unsigned char c = text[i];
		if (c < 0x20 || c == 0x7f)
			fprintf(to, "\\u%04x", c);
		else if (c == '"' || c == '\\')
			fprintf(to, "\\%c", c);
		else
			fputc(c, to);
	}
	fputc('"', to);
}

static enum status refuse_export(FILE *errors, const struct request *r, const struct yaos_export *export)
{
	if (export == NULL)
		fputs("no export named ", errors);
	print_quoted(errors, r->name, r->name_length);
	if (export != NULL)
		fprintf(errors, " is a %s, not a function", export->kind == YAOS_TABLE ? "table" : "memory");
	return REFUSED;
}

static enum status refuse_count(FILE *errors, const struct request *r, size_t wanted)
{
	print_quoted(errors, r->name, r->name_length);
	fprintf(errors, " takes %zu argument%s, not %zu", wanted, wanted == 1 ? "" : "s", r->arg_count);
	return REFUSED;
}

static enum status refuse_arg(FILE *errors, const struct request *r, size_t at, enum yaos_type type)
{
	print_quoted(errors, r->name, r->name_length);
	fprintf(errors, ": argument %zu, ", at + 1);
	print_quoted(errors, r->args[at], strlen(r->args[at]));
	fprintf(errors, ", is not an %s", yaos_type_name(type));
	return REFUSED;
}

static void print_values(const uint8_t *types, uint32_t count, const uint64_t *values)
{
	for (uint32_t i = 0; i < count; i++) {
		if (i > 0)
			fputc(' ', stdout);
		yaos_value_print(stdout, types[i], values[i]);
	}
}

/* Results go to standard output without a newline, a trap's or an error's text to `errors`. */
static enum status call(struct yaos_func *func, const struct request *r, uint64_t *values, FILE *errors)
{
	const struct yaos_signature *s = yaos_func_signature(func);
	if (r->arg_count != s->param_count)
		return refuse_count(errors, r, s->param_count);
	for (uint32_t i = 0; i < s->param_count; i++)
		if (!yaos_value_parse(s->types[i], r->args[i], &values[i]))
			return refuse_arg(errors, r, i, s->types[i]);
	enum yaos_trap trap = yaos_call(func, values);
	if (trap != YAOS_OK) {
		fputs(yaos_trap_message(trap), errors);
		return TRAPPED;
	}
	print_values(s->types + s->param_count, s->result_count, values);
	return ANSWERED;
}

/* An exported global answers with its value. */
static enum status serve(struct yaos_instance *instance, const struct yaos_module *module, const struct request *r,
			 FILE *errors)
{
	const struct yaos_export *export = yaos_export_find(module, r->name, r->name_length);
	if (export != NULL && export->kind == YAOS_GLOBAL) {
		if (r->arg_count != 0)
			return refuse_count(errors, r, 0);
		print_values(&module->globals[export->index].type, 1, yaos_global_get(instance, export->index));
		return ANSWERED;
	}
	if (export == NULL || export->kind != YAOS_FUNC)
		return refuse_export(errors, r, export);
	struct yaos_func *func = yaos_export_func(instance, export);
	const struct yaos_signature *s = yaos_func_signature(func);
	uint64_t *values = calloc(s->param_count + s->result_count + 1, sizeof(*values));
	if (values == NULL) {
		fputs("not enough memory", errors);
		return REFUSED;
	}
	enum status status = call(func, r, values, errors);
	free(values);
	return status;
}

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef";
	const char *at = c == '\0' ? NULL : strchr(digits, c | 0x20);
	return at == NULL ? -1 : at - digits;
}

/* The four digits after \u; -1 if they aren't. */
static int32_t hex_escape(const char *text)
{
	int32_t value = 0;
	for (int i = 0; i < 4; i++) {
		int digit = hex_digit(text[i]);
		if (digit < 0)
			return -1;
		value = value << 4 | digit;
	}
	return value;
}

static char *put_utf8(char *to, uint32_t c)
{
	if (c < 0x80) {
		*to++ = c;
	} else if (c < 0x800) {
		*to++ = 0xc0 | c >> 6;
		*to++ = 0x80 | (c & 0x3f);
	} else if (c < 0x10000) {
		*to++ = 0xe0 | c >> 12;
		*to++ = 0x80 | (c >> 6 & 0x3f);
		*to++ = 0x80 | (c & 0x3f);
	} else {
		*to++ = 0xf0 | c >> 18;
		*to++ = 0x80 | (c >> 12 & 0x3f);
		*to++ = 0x80 | (c >> 6 & 0x3f);
		*to++ = 0x80 | (c & 0x3f);
	}
	return to;
}

/* The escape behind the backslash at *from, which moves behind it; -1 if it is none. */
static int32_t json_escape(const char **from)
{
	static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
	char c = (*from)[1];
	const char *named = c == '\0' ? NULL : strchr(names, c);
	*from += 2;
	if (named != NULL)
		return meanings[named - names];
	int32_t unit = c == 'u' ? hex_escape(*from) : -1;
	if (unit < 0)
		return -1;
	*from += 4;
	if (unit < 0xd800 || unit > 0xdfff)
		return unit;
	int32_t low = unit < 0xdc00 && (*from)[0] == '\\' && (*from)[1] == 'u' ? hex_escape(*from + 2) : -1;
	if (low < 0xdc00 || low > 0xdfff)
		return -1;
	*from += 6;
	return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
}

/* Decodes the JSON string that starts at `text`, in place: its UTF-8 form is never longer. Returns what follows
 * the closing quote, null if it isn't a JSON string. */
static char *json_string(char *text, size_t *length)
{
	const char *from = text + 1;
	char *to = text;
	while (*from != '"') {
		if ((unsigned char)*from < 0x20)
			return NULL;
		if (*from != '\\') {
			*to++ = *from++;
			continue;
		}
		int32_t c = json_escape(&from);
		if (c < 0)
			return NULL;
		to = put_utf8(to, c);
	}
	*length = to - text;
	return (char *)from + 1;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static char *skip_blanks(char *at)
{
	while (is_blank(*at))
		at++;
	return at;
}

static char *skip_word(char *at)
{
	while (*at != '\0' && !is_blank(*at))
		at++;
	return at;
}

/* Splits a line in place; null, or what is wrong with it. `args` has room for half the line's length. */
static const char *split(char *line, struct request *r)
{
	char *at = skip_blanks(line);
	if (*at == '\0')
		return "the line is empty";
	r->name = at;
	if (*at == '"') {
		at = json_string(at, &r->name_length);
		if (at == NULL || (*at != '\0' && !is_blank(*at)))
			return "the export's name is not a JSON string";
	} else {
		at = skip_word(at);
		r->name_length = at - r->name;
	}
	r->arg_count = 0;
	for (at = skip_blanks(at); *at != '\0'; at = skip_blanks(at)) {
		r->args[r->arg_count++] = at;
		at = skip_word(at);
		if (*at != '\0')
			*at++ = '\0';
	}
	return NULL;
}

void yaos_calls_answer(struct yaos_instance *instance, const struct yaos_module *module, char *line, size_t length)
{
	char *text = NULL;
	size_t text_length;
	FILE *errors = open_memstream(&text, &text_length);
	struct request r = { .args = calloc(length / 2 + 1, sizeof(char *)) };
	const char *wrong = errors == NULL || r.args == NULL ? "not enough memory"
			    : strlen(line) != length	     ? "the line contains a NUL"
							     : split(line, &r);
	enum status status = REFUSED;
	if (wrong == NULL)
		status = serve(instance, module, &r, errors);
	else if (errors != NULL)
		fputs(wrong, errors);
	if (errors != NULL)
		fclose(errors);
	if (status != ANSWERED)
		printf("%s: %s", status == TRAPPED ? "trap" : "error", text != NULL ? text : wrong);
	putchar('\n');
	free(r.args);
	free(text);
}

static int serve_lines(struct yaos_instance *instance, const struct yaos_module *module, const char *argv0)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t length;
	while ((length = getline(&line, &room, stdin)) >= 0) {
		if (length > 0 && line[length - 1] == '\n')
			line[--length] = '\0';
		yaos_calls_answer(instance, module, line, length);
		if (fflush(stdout) != 0) {
			perror(argv0);
			return EXIT_USAGE;
		}
	}
	free(line);
	return 0;
}

/* The name is taken as it is, and as a JSON string if there is no such export. */
static int serve_one(struct yaos_instance *instance, const struct yaos_module *module, int argc, char **argv)
{
	struct request r = { argv[1], strlen(argv[1]), argv + 2, argc - 2 };
	if (*r.name == '"' && yaos_export_find(module, r.name, r.name_length) == NULL) {
		size_t length;
		char *copy = strdup(argv[1]);
		char *end = copy != NULL ? json_string(copy, &length) : NULL;
		if (end != NULL && *end == '\0') {
			r.name = copy;
			r.name_length = length;
		}
	}
	char *text = NULL;
	size_t text_length;
	FILE *errors = open_memstream(&text, &text_length);
	enum status status = errors != NULL ? serve(instance, module, &r, errors) : REFUSED;
	if (errors != NULL)
		fclose(errors);
	if (status == ANSWERED) {
		putchar('\n');
		if (fflush(stdout) == 0)
			return 0;
		perror(argv[0]);
		return EXIT_USAGE;
	}
	fprintf(stderr, "%s: %s\n", status == TRAPPED ? "trap" : argv[0], text != NULL ? text : "not enough memory");
	return status == TRAPPED ? EXIT_TRAP : EXIT_USAGE;
}

void yaos_calls_check_usage(int argc, char **argv)
{
	if (argc >= 2)
		return;
	fprintf(stderr, "usage: %s EXPORT ARG... | %s - (one EXPORT ARG... a line on standard input)\n", argv[0],
		argv[0]);
	exit(EXIT_USAGE);
}

int yaos_calls_serve(struct yaos_instance *instance, const struct yaos_module *module, int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "-") == 0)
		return serve_lines(instance, module, argv[0]);
	return serve_one(instance, module, argc, argv);
}

int yaos_calls_main(const struct yaos_program *program, int argc, char **argv)
{
	yaos_calls_check_usage(argc, argv);
	struct yaos_instance *instance = yaos_program_instantiate(program, argv[0], NULL);
	yaos_program_init(instance);
	return yaos_calls_serve(instance, program->module, argc, argv);
}
