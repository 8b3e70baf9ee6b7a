/* The hosted runtime's public interface: the binary interface that translated modules are made for (docs/abi.md
 * §3 and §5; build/object/descriptor.ts writes struct yaos_module field by field) and the functions with which a
 * C program makes instances of them and calls their exports. An instance may be used by one thread at a time;
 * instances share nothing but the memories that they import. */
#ifndef YAOSRT_H
#define YAOSRT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define YAOS_ABI_VERSION 3u
#define YAOS_PAGE_BYTES 65536u
#define YAOS_NO_MAX UINT64_MAX

/* Value types, as in the binary format (WebAssembly core 5.3). */
enum yaos_type {
	YAOS_I32 = 0x7f,
	YAOS_I64 = 0x7e,
	YAOS_F32 = 0x7d,
	YAOS_F64 = 0x7c,
	YAOS_FUNCREF = 0x70,
	YAOS_EXTERNREF = 0x6f,
};

/* Kinds of import and export, as in the binary format. */
enum yaos_kind { YAOS_FUNC = 0, YAOS_TABLE = 1, YAOS_MEMORY = 2, YAOS_GLOBAL = 3 };

/* How a call ended. 1 to 12 are the kinds of the trap table (TrapKind in build/ir/ir.ts), where 2 stands for
 * either fault of an integer division. */
enum yaos_trap {
	YAOS_OK = 0,
	YAOS_TRAP_UNREACHABLE = 1,
	YAOS_TRAP_DIVIDE_BY_ZERO = 2,
	YAOS_TRAP_INTEGER_OVERFLOW = 3,
	YAOS_TRAP_INVALID_CONVERSION = 4,
	YAOS_TRAP_MEMORY = 5,
	YAOS_TRAP_TABLE = 6,
	YAOS_TRAP_UNDEFINED_ELEMENT = 7,
	YAOS_TRAP_UNINITIALIZED_ELEMENT = 8,
	YAOS_TRAP_SIGNATURE = 9,
	YAOS_TRAP_STACK = 10,
	YAOS_TRAP_UNALIGNED = 11,
	YAOS_TRAP_UNSHARED = 12,
};

/* §3: what the context points at. */

enum { YAOS_MEMORY_SHARED = 1, YAOS_MEMORY_LOCKED = 2 };

struct yaos_memory {
	uint8_t *base;
	uint64_t bytes;
	uint64_t max_pages;
	uint64_t flags;
};

struct yaos_table {
	uint64_t *elems;
	uint64_t size;
	uint64_t max;
};

struct yaos_func {
	void *code;
	uint32_t type;
	uint32_t index;
	void *context;
	const struct yaos_host *host;
};

/* A function that the host provides: arguments in, results out, 8 bytes each. */
typedef void (*yaos_host_fn)(void *env, uint64_t *values);

struct yaos_host {
	yaos_host_fn fn;
	void *env;
};

typedef void (*yaos_invoke_fn)(struct yaos_func *func, void *context, uint64_t *values);

/* §5: the module descriptor. Offsets are relative to the context pointer. */

/* Bytes that may contain NUL. */
struct yaos_name {
	const char *bytes;
	uint64_t length;
};

/* `types` holds the parameters' types, then the results'; `id` is the same in all modules for the same type. */
struct yaos_signature {
	yaos_invoke_fn invoke;
	const uint8_t *types;
	uint32_t id; /* sorted by it */
	uint32_t param_count;
	uint32_t result_count;
	uint32_t unused;
};

/* `index` counts within the kind. */
struct yaos_import {
	struct yaos_name module;
	struct yaos_name name;
	uint32_t kind;
	uint32_t index;
};

/* An imported function: the thunks for a function of the host's and for one of another instance (null if the
 * module was translated for a program of its own), its signature's number and its struct yaos_func. */
struct yaos_import_func {
	void *thunk;
	void *link;
	uint32_t type;
	int32_t offset;
};

/* `offset` is where the value is or, of an imported global, the pointer to it. */
struct yaos_global_type {
	uint8_t type;
	uint8_t is_mutable;
	uint8_t imported;
	uint8_t unused;
	int32_t offset;
};

/* `offset` is where the struct yaos_table is or, of an imported table, the pointer to it. */
struct yaos_table_type {
	uint8_t type;
	uint8_t imported;
	uint16_t unused;
	int32_t offset;
	uint64_t min;
	uint64_t max;
};

struct yaos_memory_type {
	uint32_t imported;
	uint32_t shared;
	uint64_t min_pages;
	uint64_t max_pages;
};

/* `offset` is where an exported function's struct yaos_func is, `type` its signature's number. */
struct yaos_export {
	struct yaos_name name;
	uint32_t kind;
	uint32_t index;
	uint32_t type;
	int32_t offset;
};

struct yaos_module {
	uint32_t version;
	uint32_t signature_count;
	uint64_t context_bytes;
	uint64_t interface; /* fingerprint of imports and exports */
	void (*init)(void);
	yaos_invoke_fn invoke_init;
	const struct yaos_signature *signatures;
	const struct yaos_import *imports;
	const struct yaos_import_func *import_funcs;
	const struct yaos_global_type *globals;
	const struct yaos_table_type *tables;
	const struct yaos_memory_type *memories;
	const struct yaos_export *exports; /* sorted by name: bytes, then length */
	uint32_t import_count;
	uint32_t import_func_count;
	uint32_t global_count;
	uint32_t table_count;
	uint32_t memory_count; /* 0 or 1 */
	uint32_t export_count;
	const uint8_t *text, *text_end;
	const uint32_t *funcs, *funcs_end;
	const uint8_t *info, *info_end;
	const char *strings, *strings_end;
};

/* Instances. */

struct yaos_instance;

/* What an import is filled with. A function of another instance is { yaos_call_import, its struct yaos_func }. All
 * zero is a missing one. `type` is that of a global or of a table's elements. */
struct yaos_extern {
	uint32_t kind;
	uint8_t type;
	uint8_t is_mutable;
	uint16_t unused;
	union {
		struct yaos_host func;
		struct yaos_table *table;
		struct yaos_memory *memory;
		uint64_t *global;
	};
};

/* What went wrong, in one line and in parts. `function` and `file` are null where they are not known; they live as
 * long as the module. `trap` is YAOS_OK if no code ran. */
struct yaos_error {
	enum yaos_trap trap;
	uint32_t line;
	const char *function;
	const char *file;
	char message[256];
};

/* Makes an instance whose imports are `imports`, in the module's order; no code of the module runs yet. Null on
 * failure, with the reason in *error; wherever an error is told, a null pointer says that nobody asks. The types of
 * the host's own functions are the caller's affair; all else is checked. An instance that others import from must
 * outlive them, and is used by one thread together with them. */
struct yaos_instance *yaos_instance_new(const struct yaos_module *module, const struct yaos_extern *imports,
					struct yaos_error *error);
/* Runs the module's initialisation: segments and the start function. */
enum yaos_trap yaos_instance_init(struct yaos_instance *instance);
void yaos_instance_free(struct yaos_instance *instance);

/* Fills *error with a message of no trap. */
void yaos_set_error(struct yaos_error *error, const char *message);
/* How the last call of the instance that trapped ended. */
void yaos_last_error(const struct yaos_instance *instance, struct yaos_error *error);

/* Null if there is none. */
const struct yaos_export *yaos_export_find(const struct yaos_module *module, const char *name, size_t length);
struct yaos_func *yaos_export_func(struct yaos_instance *instance, const struct yaos_export *exported);
/* An export of any kind, to fill another instance's import with; a missing one if there is none of that name. */
struct yaos_extern yaos_export_extern(struct yaos_instance *instance, const char *name, size_t length);
struct yaos_table *yaos_table_get(struct yaos_instance *instance, uint32_t index);
struct yaos_memory *yaos_memory_get(struct yaos_instance *instance);
uint64_t *yaos_global_get(struct yaos_instance *instance, uint32_t index);
const struct yaos_signature *yaos_func_signature(const struct yaos_func *func);

/* Calls a function: `values` holds the arguments and then the results, so it has room for the longer of both. */
enum yaos_trap yaos_call(struct yaos_func *func, uint64_t *values);
/* A yaos_host_fn that calls the struct yaos_func that `env` points at; a trap in it is raised in the caller. */
void yaos_call_import(void *env, uint64_t *values);
/* Ends the innermost call in progress with a trap; for host functions. */
void yaos_raise(enum yaos_trap trap) __attribute__((noreturn));
/* Raises YAOS_TRAP_STACK if little of the stack is left. For host functions that take locks or allocate: running
 * into the guard page in the middle of that would leave them half done. */
void yaos_check_stack(void);
/* The official test suite's message. */
const char *yaos_trap_message(enum yaos_trap trap);

/* The native address of `bytes` bytes from `address` on, null if they are not all inside. It stays valid while the
 * memory lives: growing does not move it. */
void *yaos_memory_at(const struct yaos_memory *memory, uint64_t address, uint64_t bytes);
/* memory.grow: the old size in pages, or -1. */
int32_t yaos_memory_add_pages(struct yaos_memory *memory, uint32_t pages);
/* Null, too, for what is outside of the table. */
uint64_t yaos_table_at(const struct yaos_table *table, uint64_t index);
bool yaos_table_set(struct yaos_table *table, uint64_t index, uint64_t reference);

/* What the host gives for imports. */
struct yaos_extern yaos_extern_func(yaos_host_fn fn, void *env);
struct yaos_extern yaos_extern_link(struct yaos_func *func);
struct yaos_extern yaos_extern_memory(struct yaos_memory *memory);
struct yaos_extern yaos_extern_table(struct yaos_table *table, enum yaos_type element);
struct yaos_extern yaos_extern_global(uint64_t *cell, enum yaos_type type, bool is_mutable);

/* Values as they stand in arrays and in globals: 8 bytes, with zeros above what is shorter. */
static inline uint64_t yaos_of_i32(int32_t x)
{
	return (uint32_t)x;
}
static inline uint64_t yaos_of_i64(int64_t x)
{
	return (uint64_t)x;
}
static inline uint64_t yaos_of_f32(float x)
{
	uint32_t bits;
	memcpy(&bits, &x, sizeof(bits));
	return bits;
}
static inline uint64_t yaos_of_f64(double x)
{
	uint64_t bits;
	memcpy(&bits, &x, sizeof(bits));
	return bits;
}
static inline uint64_t yaos_of_funcref(struct yaos_func *x)
{
	return (uint64_t)(uintptr_t)x;
}
static inline uint64_t yaos_of_externref(void *x)
{
	return (uint64_t)(uintptr_t)x;
}
static inline int32_t yaos_to_i32(uint64_t value)
{
	return (int32_t)(uint32_t)value;
}
static inline int64_t yaos_to_i64(uint64_t value)
{
	return (int64_t)value;
}
static inline float yaos_to_f32(uint64_t value)
{
	uint32_t bits = (uint32_t)value;
	float x;
	memcpy(&x, &bits, sizeof(x));
	return x;
}
static inline double yaos_to_f64(uint64_t value)
{
	double x;
	memcpy(&x, &value, sizeof(x));
	return x;
}
static inline struct yaos_func *yaos_to_funcref(uint64_t value)
{
	return (struct yaos_func *)(uintptr_t)value;
}
static inline void *yaos_to_externref(uint64_t value)
{
	return (void *)(uintptr_t)value;
}

/* Memories and tables of the host's. Null if there is no room. */
struct yaos_memory *yaos_memory_new(uint64_t min_pages, uint64_t max_pages, bool shared);
void yaos_memory_free(struct yaos_memory *memory);
struct yaos_table *yaos_table_new(uint64_t size, uint64_t max);
void yaos_table_free(struct yaos_table *table);

/* What translated code calls (§3). */
int32_t yaos_memory_grow(void *context, uint32_t pages);
int32_t yaos_table_grow(void *context, struct yaos_table *table, uint32_t count, uint64_t init);
void yaos_table_fill(uint64_t *at, uint64_t value, uint64_t count);
int32_t yaos_wait32(void *context, uint32_t *at, uint32_t expected, int64_t timeout_ns);
int32_t yaos_wait64(void *context, uint64_t *at, uint64_t expected, int64_t timeout_ns);
uint32_t yaos_notify(void *context, uint32_t *at, uint32_t count);

#ifdef __cplusplus
}
#endif

#endif
