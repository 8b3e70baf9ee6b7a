/* Runs an object of the fixed memory model in a Linux process: maps linear memory at its own low addresses and
 * answers calls in the protocol of a `yaos exe` program. Written from docs/abi.md, apart from the runtime, so that the
 * model's code and the calling convention are tested by something that shares nothing with them. Page 0 … 64 KiB - 1
 * cannot be mapped, so tests stay above it. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "../../runtime/instance.h"

#define LOWEST 65536u
#define PAGE 65536u
#define VALUES_MAX 1100
#define DEVICE_BYTES 4096u

extern struct yaos_memory yaos_memory;
extern const uint8_t yaos_text[];
extern const uint32_t yaos_funcs[], yaos_funcs_end[];
extern const uint8_t yaos_info[], yaos_info_end[];
extern void yaos_init(void);

/* Written by the test: one entry an export, types as characters i I f F (parameters, colon, results). */
struct export {
	const char *name;
	const void *code;
	const char *types;
};
extern const struct export exports[], exports_end[];

/* A page of device registers, if not 0. Each access is caught, and changes what the next one reads: so their order,
 * number, place, width and kind show (tests/fuzz/device.ts does the same). */
extern const uint64_t device;

/* docs/abi.md §2: integers in rdi rsi rdx rcx r8 r9, floats in xmm0 … xmm7, the rest on the stack; results in rax, rdx,
 * xmm0, xmm1, the rest where rdi points. The callee pops, so rsp is restored from rbp. */
struct frame {
	uint64_t ints[6], floats[8], rax, rdx, xmm0, xmm1;
};
void enter(struct frame *frame, const void *code, const uint64_t *stack, uint64_t words);
__asm__(".text\n"
	"enter:\n"
	"	push %rbp\n"
	"	mov %rsp, %rbp\n"
	"	push %rbx\n"
	"	push %r12\n"
	"	push %r13\n"
	"	push %r14\n"
	"	push %r15\n"
	"	sub $8, %rsp\n"
	"	mov %rdi, %rbx\n"
	"	mov %rsi, %rax\n"
	"	lea 1(%rcx), %r8\n" /* an even number of words */
	"	and $-2, %r8\n"
	"	shl $3, %r8\n"
	"	sub %r8, %rsp\n"
	"	mov %rdx, %rsi\n"
	"	mov %rsp, %rdi\n"
	"	rep movsq\n"
	"	movsd 48(%rbx), %xmm0\n"
	"	movsd 56(%rbx), %xmm1\n"
	"	movsd 64(%rbx), %xmm2\n"
	"	movsd 72(%rbx), %xmm3\n"
	"	movsd 80(%rbx), %xmm4\n"
	"	movsd 88(%rbx), %xmm5\n"
	"	movsd 96(%rbx), %xmm6\n"
	"	movsd 104(%rbx), %xmm7\n"
	"	mov (%rbx), %rdi\n"
	"	mov 8(%rbx), %rsi\n"
	"	mov 16(%rbx), %rdx\n"
	"	mov 24(%rbx), %rcx\n"
	"	mov 32(%rbx), %r8\n"
	"	mov 40(%rbx), %r9\n"
	"	mov $0x5151, %r12\n"
	"	mov $0x5252, %r13\n"
	"	mov $0x5353, %r14\n"
	"	mov $0x5454, %r15\n"
	"	call *%rax\n"
	"	cmp $0x5151, %r12\n"
	"	jne 1f\n"
	"	cmp $0x5252, %r13\n"
	"	jne 1f\n"
	"	cmp $0x5353, %r14\n"
	"	jne 1f\n"
	"	cmp $0x5454, %r15\n"
	"	jne 1f\n"
	"	mov %rax, 112(%rbx)\n"
	"	mov %rdx, 120(%rbx)\n"
	"	movsd %xmm0, 128(%rbx)\n"
	"	movsd %xmm1, 136(%rbx)\n"
	"	lea -40(%rbp), %rsp\n"
	"	pop %r15\n"
	"	pop %r14\n"
	"	pop %r13\n"
	"	pop %r12\n"
	"	pop %rbx\n"
	"	pop %rbp\n"
	"	ret\n"
	"1:	int3\n" /* a callee-saved register was not saved */
	"	.globl enter\n");

/* What translated code needs of its surroundings (docs/abi.md §3). */
int32_t yaos_memory_grow(void *context, uint32_t pages)
{
	(void)context;
	uint64_t old = yaos_memory.bytes / PAGE;
	if (old + pages > yaos_memory.max_pages)
		return -1;
	if (pages > 0 && mmap((void *)yaos_memory.bytes, (uint64_t)pages * PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		return -1;
	yaos_memory.bytes += (uint64_t)pages * PAGE;
	return old;
}

int32_t yaos_table_grow(void *context, struct yaos_table *table, uint32_t count, uint64_t init)
{
	(void)context, (void)table, (void)count, (void)init;
	return -1;
}

void yaos_table_fill(uint64_t *at, uint64_t value, uint64_t count)
{
	while (count-- > 0)
		*at++ = value;
}

int32_t yaos_wait32(void *context, uint32_t *at, uint32_t expected, int64_t timeout)
{
	(void)context, (void)timeout;
	return *at == expected ? 2 : 1;
}

int32_t yaos_wait64(void *context, uint64_t *at, uint64_t expected, int64_t timeout)
{
	(void)context, (void)timeout;
	return *at == expected ? 2 : 1;
}

uint32_t yaos_notify(void *context, uint32_t *at, uint32_t count)
{
	(void)context, (void)at, (void)count;
	return 0;
}

/* Traps: the table of docs/abi.md §4 says what a fault at an address is. */
static sigjmp_buf back;
static volatile uint64_t fault_pc;
static volatile int division_by_zero;

#define TRAP_FLAG 0x100
static uint64_t device_state, device_access, *device_register;

static void protect_device(int protection)
{
	if (mprotect((void *)device, DEVICE_BYTES, protection) != 0)
		abort();
}

/* Lets the instruction run, and comes back behind it. */
static void begin_access(uint64_t address, greg_t *registers)
{
	protect_device(PROT_READ | PROT_WRITE);
	device_register = (uint64_t *)(address & -8);
	device_access = (address - device) << 1 | (registers[REG_ERR] >> 1 & 1);
	*device_register = device_state;
	registers[REG_EFL] |= TRAP_FLAG;
}

static void end_access(int signal, siginfo_t *info, void *data)
{
	(void)signal, (void)info;
	if (device_register == NULL)
		abort(); /* the breakpoint in `enter` */
	device_state = (device_state * 0x5851f42d4c957f2d + *device_register) * 0x2545f4914f6cdd1d + device_access;
	device_register = NULL;
	protect_device(PROT_NONE);
	((ucontext_t *)data)->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
}

static void on_signal(int signal, siginfo_t *info, void *data)
{
	static const int order[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
				       REG_R8,	REG_R9,	 REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };
	ucontext_t *uc = data;
	if (signal == SIGSEGV && device != 0 && (uint64_t)info->si_addr - device < DEVICE_BYTES) {
		begin_access((uint64_t)info->si_addr, uc->uc_mcontext.gregs);
		return;
	}
	fault_pc = uc->uc_mcontext.gregs[REG_RIP];
	if (signal == SIGFPE) {
		const uint8_t *code = (const uint8_t *)fault_pc;
		uint8_t rex = (*code & 0xf0) == 0x40 ? *code++ : 0;
		uint64_t divisor = uc->uc_mcontext.gregs[order[(code[1] & 7) | (rex & 1) << 3]];
		division_by_zero = ((rex & 8) ? divisor : (uint32_t)divisor) == 0;
	}
	siglongjmp(back, 1);
}

static const char *trap_message(void)
{
	struct yaos_module module = { .funcs = yaos_funcs, .funcs_end = yaos_funcs_end, .info = yaos_info,
				      .info_end = yaos_info_end };
	switch (yaos_trap_at(&module, fault_pc - (uint64_t)yaos_text)) {
	case 1:
		return "unreachable";
	case 2:
		return division_by_zero ? "integer divide by zero" : "integer overflow";
	case 3:
		return "integer overflow";
	case 4:
		return "invalid conversion to integer";
	case 5:
		return "out of bounds memory access";
	case 6:
		return "out of bounds table access";
	case 7:
		return "undefined element";
	case 8:
		return "uninitialized element";
	case 9:
		return "indirect call type mismatch";
	case 11:
		return "unaligned atomic";
	case 12:
		return "expected shared memory";
	}
	return "fault without an entry in the trap table";
}

static int is_float(char type)
{
	return type == 'f' || type == 'F';
}

/* A slot's upper half may hold anything where the type is narrow. */
static void print_value(char type, uint64_t bits)
{
	static const char *const names[] = { "i32", "i64", "f32", "f64" };
	const char *name = names[strchr("iIfF", type) - "iIfF"];
	if (type == 'i' || type == 'f')
		printf("%s:0x%08" PRIx32, name, (uint32_t)bits);
	else
		printf("%s:0x%016" PRIx64, name, bits);
}

static void call(const struct export *e, char *args)
{
	static uint64_t stack[VALUES_MAX], memory_results[VALUES_MAX];
	struct frame frame = { 0 };
	const char *results = strchr(e->types, ':') + 1;
	int ints = 0, floats = 0, stacked = 0, int_results = 0, float_results = 0;
	for (const char *r = results; *r; r++)
		is_float(*r) ? float_results++ : int_results++;
	if (int_results > 2 || float_results > 2)
		frame.ints[ints++] = (uint64_t)memory_results;
	for (const char *p = e->types; *p != ':'; p++) {
		uint64_t value = strtoull(args, &args, 0);
		if (is_float(*p) && floats < 8)
			frame.floats[floats++] = value;
		else if (!is_float(*p) && ints < 6)
			frame.ints[ints++] = value;
		else
			stack[stacked++] = value;
	}
	if (sigsetjmp(back, 1) != 0) {
		printf("trap: %s\n", trap_message());
		return;
	}
	enter(&frame, e->code, stack, stacked);
	int_results = float_results = stacked = 0;
	for (const char *r = results; *r; r++) {
		int *used = is_float(*r) ? &float_results : &int_results;
		uint64_t *registers = is_float(*r) ? &frame.xmm0 : &frame.rax;
		if (r != results)
			putchar(' ');
		print_value(*r, *used < 2 ? registers[*used] : memory_results[stacked]);
		if ((*used)++ >= 2)
			stacked++;
	}
	putchar('\n');
}

static int by_name(const void *name, const void *e)
{
	return strcmp(name, ((const struct export *)e)->name);
}

int main(void)
{
	static uint8_t signal_stack[65536];
	stack_t alternate = { .ss_sp = signal_stack, .ss_size = sizeof(signal_stack) };
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	sigaltstack(&alternate, NULL);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGFPE, &action, NULL);
	sigaction(SIGILL, &action, NULL);
	if (device != 0) {
		action.sa_sigaction = end_access;
		sigaction(SIGTRAP, &action, NULL);
	}
	if (mmap((void *)(uintptr_t)LOWEST, yaos_memory.bytes - LOWEST, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	struct frame frame;
	enter(&frame, yaos_init, NULL, 0);
	if (device != 0)
		protect_device(PROT_NONE);
	char *line = NULL;
	size_t room = 0;
	while (getline(&line, &room, stdin) > 0) {
		char *end = strchr(line + 1, '"');
		*end = '\0';
		const struct export *e =
			bsearch(line + 1, exports, exports_end - exports, sizeof(*e), by_name);
		if (e == NULL) {
			fprintf(stderr, "no export %s\n", line + 1);
			return 1;
		}
		call(e, end + 1);
	}
	return 0;
}
