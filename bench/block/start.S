# The floor guest's multiboot 1 header and entry: a stack, then floor_main(multiboot information).

	.code32
	.section .multiboot, "a"
	.long 0x1badb002, 0, -0x1badb002

	.text
	.globl _start
_start:	mov $stack_end, %esp
	push %ebx
	call floor_main

	.bss
	.balign 16
	.skip 65536
stack_end:
	.section .note.GNU-stack, "", @progbits
