# All stacks: the threads' (slot 0 is the boot thread's) and those of the IST. Each stands above a page that
# kernel_map.S leaves unmapped, so that an overflow faults.

	.include "layout.inc"

	.bss
	.balign PAGE_BYTES
	.globl stacks, boot_stack_top
stacks:	.skip STACKS * STACK_STRIDE
	.set boot_stack_top, stacks + STACK_STRIDE
