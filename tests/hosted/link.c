/* Modules of one program, linked to one another and called by threads: for link.test.ts. Prints a line for each thing
 * seen. */
#include <pthread.h>
#include <stdio.h>

#include "left.h"
#include "right.h"

static void say(const char *what, enum yaos_trap trap, int32_t value)
{
	if (trap == YAOS_OK)
		printf("%s: %d\n", what, (int)value);
	else
		printf("%s: trap: %s\n", what, yaos_trap_message(trap));
}

static int32_t on_host(struct left *self, int32_t action)
{
	int32_t result = -1;
	switch (action) {
	case 0:
		return 5;
	case 1:
		yaos_raise(YAOS_TRAP_UNREACHABLE);
	case 2: /* a trap in a call from here is a code here */
		say("inside", left_divide(self, 1, 0, &result), 0);
		return 6;
	case 3: /* two deep, then a trap of the host's in the inner call */
		say("inside", left_host(self, 1, &result), 0);
		return 7;
	default: /* until the stack ends */
		if (left_host(self, action, &result) != YAOS_OK)
			yaos_raise(YAOS_TRAP_STACK);
		return result;
	}
}

static struct left *left_make(void)
{
	struct left_imports imports;
	struct yaos_error error;
	memset(&imports, 0, sizeof(imports));
	imports.env_host.call = on_host;
	struct left *left = left_new(&imports, &error);
	if (left == NULL)
		printf("left: %s\n", error.message);
	return left;
}

static void imports_of(struct left *left, struct right_imports *imports)
{
	memset(imports, 0, sizeof(*imports));
	imports->left_add.link = left_add_extern(left);
	imports->left_many.link = left_many_extern(left);
	imports->left_long.link = left_long_extern(left);
	imports->left_recurse.link = left_recurse_extern(left);
	imports->left_table = left_table_extern(left);
	imports->left_memory = left_memory_extern(left);
	imports->left_counter = left_counter_extern(left);
}

static struct right *right_make(const struct right_imports *imports)
{
	struct yaos_error error;
	struct right *right = right_new(imports, &error);
	if (right == NULL)
		printf("right: %s\n", error.message);
	return right;
}

static void refusals(struct left *left)
{
	struct right_imports imports;
	right_make(NULL);
	imports_of(left, &imports);
	imports.left_memory = yaos_extern_memory(NULL);
	right_make(&imports);
	imports_of(left, &imports);
	imports.left_add.link = left_divide64_extern(left);
	right_make(&imports);
	imports.left_add.link = left_table_extern(left);
	right_make(&imports);
	imports_of(left, &imports);
	imports.left_counter.is_mutable = false;
	right_make(&imports);
	imports_of(left, &imports);
	imports.left_table.type = YAOS_EXTERNREF;
	right_make(&imports);
	struct yaos_memory *unshared = yaos_memory_new(1, 4, false);
	struct yaos_memory *small = yaos_memory_new(0, 4, true);
	imports_of(left, &imports);
	imports.left_memory = yaos_extern_memory(unshared);
	right_make(&imports);
	imports.left_memory = yaos_extern_memory(small);
	right_make(&imports);
	yaos_memory_free(unshared);
	yaos_memory_free(small);
}

static void calls(struct left *left, struct right *right)
{
	int32_t value = 0;
	enum yaos_trap trap;
	struct yaos_error error;
	trap = right_add(right, 1, 2, &value);
	say("a linked function, with its own instance's global", trap, value);
	trap = right_many(right, &value);
	say("twelve arguments and six results", trap, value);
	trap = right_indirect(right, 0, 5, &value);
	say("call_indirect of the other's function", trap, value);
	trap = right_indirect(right, 4, 5, &value);
	say("call_indirect of one's own in the other's table", trap, value);
	trap = left_indirect(left, 4, 5, &value);
	say("and from the other side", trap, value);
	trap = left_indirect(left, 5, 5, &value);
	say("an imported function's reference", trap, value);
	say("the wrong type", right_indirect(right, 1, 5, &value), 0);
	trap = right_long_indirect(right, 2, &value);
	say("the right one, of eleven values", trap, value);
	say("another of eleven values", right_long_indirect(right, 3, &value), 0);
	say("null", right_indirect(right, 6, 5, &value), 0);
	say("outside", right_indirect(right, 60, 5, &value), 0);
	say("the shared counter", YAOS_OK, left_counter_get(left));
	for (int i = 0; i < 2; i++) {
		say("endless, between the two", right_recurse(right, &value), 0);
		right_last_error(right, &error);
		printf("in %s\n", error.function != NULL ? error.function : "?");
	}
	say("a trap in the other", right_divide(right, 4, 0, &value), 0);
	right_last_error(right, &error);
	printf("%s, %s:%u\n", error.message, error.file, (unsigned)error.line);
	trap = right_divide(right, 40, 8, &value);
	say("and again", trap, value);
	trap = right_load(right, 65532, &value);
	say("what the other stored", trap, value);
	say("behind it", right_load(right, 65533, &value), 0);
	printf("growing from the host: %d\n", (int)yaos_memory_add_pages(left_memory(left), 1));
	trap = right_load(right, 65536, &value);
	say("what is there", trap, value);
	trap = left_host(left, 0, &value);
	say("the host", trap, value);
	say("a trap of the host's", left_host(left, 1, &value), 0);
	trap = left_host(left, 2, &value);
	say("a call back that traps", trap, value);
	trap = left_host(left, 3, &value);
	say("a call back into the host", trap, value);
	say("a call back without end", left_host(left, 4, &value), 0);
}

static void *count(void *argument)
{
	struct left *left = left_make();
	struct right_imports imports;
	imports_of(left, &imports);
	struct right *right = right_make(&imports);
	int32_t *sum = (int32_t *)argument, value;
	for (int i = 0; i < 20000; i++) {
		if (right_indirect(right, 0, i, &value) == YAOS_OK)
			*sum += value == 2 * i;
		if (right_divide(right, i, 0, &value) == YAOS_TRAP_DIVIDE_BY_ZERO)
			*sum += 1;
	}
	if (right_recurse(right, &value) == YAOS_TRAP_STACK)
		*sum += 1;
	right_free(right);
	left_free(left);
	return NULL;
}

int main(void)
{
	struct left *left = left_make();
	refusals(left);
	struct right_imports imports;
	imports_of(left, &imports);
	struct right *right = right_make(&imports);
	calls(left, right);
	pthread_t threads[2];
	int32_t sums[2] = { 0, 0 };
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, count, &sums[i]);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	printf("in two threads: %d %d\n", (int)sums[0], (int)sums[1]);
	right_free(right);
	left_free(left);
	return 0;
}
