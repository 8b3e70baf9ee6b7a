# The least that a machine can boot: one byte on COM1, then off through isa-debug-exit. What a kernel takes
# longer than this is its own.

	.globl _start
	.code16
_start:	mov $'F', %al
	mov $0x3f8, %dx
	out %al, %dx
	mov $0x10, %al
	mov $0xf4, %dx
	out %al, %dx
1:	hlt
	jmp 1b

	.org 510
	.byte 0x55, 0xaa
