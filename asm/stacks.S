# All stacks: the threads', of which the first are the CPUs' own (0 is the boot thread's), and for each CPU one for
# faults that cannot trust the stack they come on. Each stands above a page that kernel_map.S leaves unmapped, so that
# an overflow faults. Nobody clears them: they are the image's last part and not loaded (kernel.ld).

	.include "layout.inc"

	.section .stacks, "aw", @nobits
	.balign PAGE_BYTES
	.globl stacks, boot_stack_top, fault_stacks
stacks:	.skip THREADS * STACK_STRIDE
	.set boot_stack_top, stacks + STACK_STRIDE
fault_stacks:
	.skip CPUS * FAULT_STACK_STRIDE
