# Addresses that the kernel asks for: the translator's tables, the stacks, where interrupts return to, and where its own image lies.

	.include "layout.inc"

	.text
	.globl x86.table, x86.image_start, x86.image_end

# x86.table(which: u32): u64 (docs/abi.md 7)
x86.table:
	cmp $(table_end - table) >> 3, %edi
	jae 1f
	mov table(, %rdi, 8), %rax
	ret
1:	ud2

x86.image_start:
	mov $image_start - KERNEL_BASE, %eax
	ret

x86.image_end:
	mov $image_end - KERNEL_BASE, %eax
	ret

	.section .rodata
	.balign 8
table:	.quad yaos_packed, yaos_packed_end
	.quad yaos_text, yaos_text_end
	.quad stacks + PAGE_BYTES, stacks + STACK_STRIDE, STACK_STRIDE
	.quad interrupt_returns_plain, interrupt_returns_float
table_end:
