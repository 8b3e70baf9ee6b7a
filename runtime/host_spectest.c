/* The official test suite's `spectest` module: globals, table, memories and functions that print their arguments.
 * They print on standard error, because standard output carries the answers to calls. */
#include "instance.h"
#include "program.h"

#define TABLE_SIZE 10
#define TABLE_SIZE_MAX 20
#define MEMORY_PAGES 1
#define MEMORY_PAGES_MAX 2

uint64_t yaos_spectest_global_i32 = 666;
uint64_t yaos_spectest_global_i64 = 666;
uint64_t yaos_spectest_global_f32 = 0x4426a666; /* 666.6 */
uint64_t yaos_spectest_global_f64 = 0x4084d4cccccccccd;
struct yaos_table yaos_spectest_table;
struct yaos_memory yaos_spectest_memory;
struct yaos_memory yaos_spectest_shared_memory;

const char *yaos_spectest_open(void)
{
	struct yaos_memory *memory = yaos_memory_new(MEMORY_PAGES, MEMORY_PAGES_MAX, false);
	struct yaos_memory *shared = yaos_memory_new(MEMORY_PAGES, MEMORY_PAGES_MAX, true);
	if (memory == NULL || shared == NULL || !yaos_table_init(&yaos_spectest_table, TABLE_SIZE, TABLE_SIZE_MAX))
		return "not enough memory for the spectest module";
	yaos_spectest_memory = *memory;
	yaos_spectest_shared_memory = *shared;
	return NULL;
}

static void print(const char *name, const enum yaos_type *types, int count, const uint64_t *values)
{
	yaos_check_stack();
	fputs(name, stderr);
	for (int i = 0; i < count; i++) {
		fputc(' ', stderr);
		yaos_value_print(stderr, types[i], values[i]);
	}
	fputc('\n', stderr);
}

#define PRINT(name, count, ...)                                                     \
	void yaos_spectest_##name(void *env, uint64_t *values)                      \
	{                                                                           \
		(void)env;                                                          \
		print(#name, (const enum yaos_type[]){ __VA_ARGS__ }, count, values); \
	}

PRINT(print, 0, YAOS_I32)
PRINT(print_i32, 1, YAOS_I32)
PRINT(print_i64, 1, YAOS_I64)
PRINT(print_f32, 1, YAOS_F32)
PRINT(print_f64, 1, YAOS_F64)
PRINT(print_i32_f32, 2, YAOS_I32, YAOS_F32)
PRINT(print_f64_f64, 2, YAOS_F64, YAOS_F64)
