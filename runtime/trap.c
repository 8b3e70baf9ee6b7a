/* Calls into translated code, and the way back from a trap. Every fault of translated code arrives as a signal;
 * its pc is looked up in the module's trap table, and the handler resumes at the end of the call. A fault that is
 * no trap is left to the handler before ours, by default a core dump: it is a bug in yaos or in the host. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <ucontext.h>

#include "instance.h"

/* Also holds the kernel's signal frame with AVX-512 and AMX state (about 11 KiB). */
#define SIGNAL_STACK_BYTES (64u << 10)
/* Room that a host function may count on. */
#define HOST_STACK_BYTES (96u << 10)
#define NULL_PAGE_BYTES 4096u

static __thread struct yaos_activation *current;
static __thread bool thread_ready;
static __thread uint8_t signal_stack[SIGNAL_STACK_BYTES] __attribute__((aligned(16)));

/* int yaos_switch(activation, invoke, func, context, values, stack_top): saves the callee-saved registers and rsp,
 * goes to the given stack (null: stays on this one) and calls invoke; 0 on return.
 * void yaos_leave(activation, trap): makes that yaos_switch return `trap`. */
int yaos_switch(struct yaos_activation *activation, yaos_invoke_fn invoke, struct yaos_func *func, void *context,
		uint64_t *values, void *stack_top);
_Noreturn void yaos_leave(struct yaos_activation *activation, int trap);
__asm__(".text\n"
	".hidden yaos_switch, yaos_leave\n"
	".globl yaos_switch\n"
	".type yaos_switch, @function\n"
	"yaos_switch: .cfi_startproc\n"
	"	.cfi_undefined rip\n" /* the outermost frame of a debugger's back trace */
	"	push %rbp\n"
	"	push %rbx\n"
	"	push %r12\n"
	"	push %r13\n"
	"	push %r14\n"
	"	push %r15\n"
	"	mov %rsp, (%rdi)\n"
	"	mov %rdi, %rbx\n"
	"	mov %rsi, %rax\n"
	"	test %r9, %r9\n"
	"	cmovnz %r9, %rsp\n"
	"	and $-16, %rsp\n"
	"	mov %rdx, %rdi\n"
	"	mov %rcx, %rsi\n"
	"	mov %r8, %rdx\n"
	"	call *%rax\n"
	"	mov %rbx, %rdi\n"
	"	xor %esi, %esi\n"
	"	.cfi_endproc\n"
	".size yaos_switch, . - yaos_switch\n"
	".globl yaos_leave\n"
	".type yaos_leave, @function\n"
	"yaos_leave:\n"
	"	mov (%rdi), %rsp\n"
	"	mov %esi, %eax\n"
	"	pop %r15\n"
	"	pop %r14\n"
	"	pop %r13\n"
	"	pop %r12\n"
	"	pop %rbx\n"
	"	pop %rbp\n"
	"	ret\n"
	".size yaos_leave, . - yaos_leave\n");

static uint64_t register_value(const ucontext_t *uc, unsigned number)
{
	static const uint8_t order[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
					   REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };
	return uc->uc_mcontext.gregs[order[number]];
}

/* A div or idiv with a register operand faulted: REX? F7 /6 or /7 (Intel SDM 2A). */
static enum yaos_trap division_trap(const ucontext_t *uc)
{
	const uint8_t *code = (const uint8_t *)uc->uc_mcontext.gregs[REG_RIP];
	uint8_t rex = (*code & 0xf0) == 0x40 ? *code++ : 0;
	uint8_t modrm = code[1];
	uint64_t divisor = register_value(uc, (modrm & 7) | (rex & 1) << 3);
	if (!(rex & 8))
		divisor = (uint32_t)divisor;
	return divisor == 0 ? YAOS_TRAP_DIVIDE_BY_ZERO : YAOS_TRAP_INTEGER_OVERFLOW;
}

/* Which trap a fault is; YAOS_OK: none. */
static enum yaos_trap classify(const struct yaos_activation *a, int signal, uint64_t address, const ucontext_t *uc)
{
	bool page_fault = signal == SIGSEGV || signal == SIGBUS;
	/* Anywhere: the C functions that translated code calls run on the same stack. */
	if (page_fault && address - (uint64_t)a->stack.low < YAOS_STACK_GUARD_BYTES)
		return YAOS_TRAP_STACK;

	uint64_t pc = uc->uc_mcontext.gregs[REG_RIP];
	const struct yaos_module *module = yaos_module_at(pc);
	if (module == NULL)
		return YAOS_OK;
	/* Not a->instance, if that has called a function of another one. */
	const struct yaos_instance *instance = yaos_instance_of((void *)uc->uc_mcontext.gregs[REG_R15]);
	uint32_t kind = yaos_trap_at(module, pc - (uint64_t)module->text);
	if (signal == SIGFPE)
		return kind == YAOS_TRAP_DIVIDE_BY_ZERO ? division_trap(uc) : YAOS_OK;
	if (page_fault && kind == YAOS_TRAP_MEMORY) {
		const struct yaos_memory *memory = yaos_memory_get((struct yaos_instance *)instance);
		bool ours = memory != NULL && address - (uint64_t)memory->base < YAOS_RESERVED_BYTES;
		return ours ? YAOS_TRAP_MEMORY : YAOS_OK;
	}
	if (page_fault)
		return kind == YAOS_TRAP_UNINITIALIZED_ELEMENT && address < NULL_PAGE_BYTES ? kind : YAOS_OK;
	return kind; /* SIGILL: ud2 */
}

static void note_site(struct yaos_activation *a, uint64_t pc, enum yaos_trap trap)
{
	const struct yaos_module *module = pc != 0 ? yaos_module_at(pc) : NULL;
	uint32_t offset = module != NULL ? pc - (uint64_t)module->text : 0;
	a->instance->site = (struct yaos_site){ module, offset, trap };
}

static const int trap_signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL };
enum { TRAP_SIGNAL_COUNT = sizeof(trap_signals) / sizeof(trap_signals[0]) };
static struct sigaction previous_actions[TRAP_SIGNAL_COUNT];

/* Not ours: the handler before ours gets it, or the faulting instruction runs again with the default action. */
static void pass_on(int signal, siginfo_t *info, void *data)
{
	int i = 0;
	while (trap_signals[i] != signal)
		i++;
	const struct sigaction *previous = &previous_actions[i];
	if (previous->sa_flags & SA_SIGINFO) {
		previous->sa_sigaction(signal, info, data);
	} else if (previous->sa_handler != SIG_DFL && previous->sa_handler != SIG_IGN) {
		previous->sa_handler(signal);
	} else {
		sigaction(signal, previous, NULL);
		if (info->si_code <= 0)
			raise(signal); /* sent by a process, so nothing would fault again */
	}
}

static void on_signal(int signal, siginfo_t *info, void *data)
{
	ucontext_t *uc = data;
	enum yaos_trap trap = YAOS_OK;
	if (current != NULL && info->si_code > 0)
		trap = classify(current, signal, (uint64_t)info->si_addr, uc);
	if (trap == YAOS_OK) {
		pass_on(signal, info, data);
		return;
	}
	note_site(current, uc->uc_mcontext.gregs[REG_RIP], trap);
	uc->uc_mcontext.gregs[REG_RIP] = (greg_t)yaos_leave;
	uc->uc_mcontext.gregs[REG_RDI] = (greg_t)current;
	uc->uc_mcontext.gregs[REG_RSI] = trap;
}

static void install_handlers(void)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	sigemptyset(&action.sa_mask);
	for (int i = 0; i < TRAP_SIGNAL_COUNT; i++)
		sigaction(trap_signals[i], &action, &previous_actions[i]);
}

/* Signals are handled on a stack of their own, which each thread must name; one that has done so keeps its own. */
static void prepare_thread(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, install_handlers);
	stack_t old, own = { .ss_sp = signal_stack, .ss_size = sizeof(signal_stack) };
	if (sigaltstack(NULL, &old) == 0 && old.ss_flags & SS_DISABLE)
		sigaltstack(&own, NULL);
	thread_ready = true;
}

enum yaos_trap yaos_enter(struct yaos_instance *instance, yaos_invoke_fn invoke, struct yaos_func *func,
			  uint64_t *values)
{
	if (!thread_ready)
		prepare_thread();
	/* A call from a host function goes on where the stack is: below it, frames are waiting. */
	struct yaos_activation *outer = current;
	struct yaos_activation activation = { .previous = outer,
					      .instance = instance,
					      .stack = outer ? outer->stack : instance->stack };
	void *stack_top = outer ? NULL : instance->stack.low + instance->stack.bytes;
	current = &activation;
	int trap = yaos_switch(&activation, invoke, func, instance->context, values, stack_top);
	current = outer;
	return trap;
}

_Noreturn void yaos_raise(enum yaos_trap trap)
{
	note_site(current, 0, trap);
	yaos_leave(current, trap);
}

void yaos_check_stack(void)
{
	uint64_t here = (uint64_t)__builtin_frame_address(0);
	if (current != NULL &&
	    here - (uint64_t)current->stack.low < YAOS_STACK_GUARD_BYTES + HOST_STACK_BYTES)
		yaos_raise(YAOS_TRAP_STACK);
}

enum yaos_trap yaos_call(struct yaos_func *func, uint64_t *values)
{
	return yaos_enter(yaos_instance_of(func->context), yaos_func_signature(func)->invoke, func, values);
}

void yaos_call_import(void *env, uint64_t *values)
{
	struct yaos_func *func = env;
	enum yaos_trap trap = yaos_call(func, values);
	if (trap == YAOS_OK)
		return;
	current->instance->site = yaos_instance_of(func->context)->site;
	yaos_leave(current, trap);
}

const char *yaos_trap_message(enum yaos_trap trap)
{
	switch (trap) {
	case YAOS_OK:
		return "no trap";
	case YAOS_TRAP_UNREACHABLE:
		return "unreachable";
	case YAOS_TRAP_DIVIDE_BY_ZERO:
		return "integer divide by zero";
	case YAOS_TRAP_INTEGER_OVERFLOW:
		return "integer overflow";
	case YAOS_TRAP_INVALID_CONVERSION:
		return "invalid conversion to integer";
	case YAOS_TRAP_MEMORY:
		return "out of bounds memory access";
	case YAOS_TRAP_TABLE:
		return "out of bounds table access";
	case YAOS_TRAP_UNDEFINED_ELEMENT:
		return "undefined element";
	case YAOS_TRAP_UNINITIALIZED_ELEMENT:
		return "uninitialized element";
	case YAOS_TRAP_SIGNATURE:
		return "indirect call type mismatch";
	case YAOS_TRAP_STACK:
		return "call stack exhausted";
	case YAOS_TRAP_UNALIGNED:
		return "unaligned atomic";
	case YAOS_TRAP_UNSHARED:
		return "expected shared memory";
	}
	return "unknown trap";
}
