# When the machine cannot run the kernel at all: one line on COM1, from 32-bit code, then the end. The boot
# block has found most of this out already; with -kernel this is the first look.

	.include "layout.inc"

	.set COM1, 0x3f8
	.set COM1_LINE_STATUS, COM1 + 5
	.set LINE_POLLS, 1 << 18
	.set EXIT_PORT, 0xf4			# isa-debug-exit
	.set EXIT_FAILED, 0x11

	.text
	.code32
	.globl refuse, refuse_memory

# %eax: how many KiB it takes.
refuse_memory:
	mov $needed_kib_end - KERNEL_BASE, %edi
	mov $10, %ecx
1:	xor %edx, %edx
	div %ecx
	add $'0', %dl
	dec %edi
	mov %dl, (%edi)
	test %eax, %eax
	jnz 1b
	push %edi
	call com1_setup
	mov $not_enough_memory - KERNEL_BASE, %esi
	call print
	pop %esi
	jmp 2f

# %esi: the line.
refuse:	call com1_setup
2:	call print
	mov $EXIT_FAILED, %al
	out %al, $EXIT_PORT
1:	cli
	hlt
	jmp 1b

com1_setup:
	mov $com1_registers - KERNEL_BASE, %ecx
	mov $COM1 >> 8 << 8, %edx
1:	mov (%ecx), %dl
	mov 1(%ecx), %al
	out %al, %dx
	add $2, %ecx
	cmp $com1_registers_end - KERNEL_BASE, %ecx
	jb 1b
	ret

print:	lodsb
	test %al, %al
	jz 2f
	mov $COM1, %edx
	out %al, %dx
	mov $COM1_LINE_STATUS, %edx
	mov $LINE_POLLS, %ecx
1:	in %dx, %al
	test $0x40, %al				# transmitter empty
	loopz 1b
	jmp print
2:	ret

	.section .rodata
# Register (low byte of the port) and value: 115200 baud, 8N1, FIFO on, no interrupts.
com1_registers:
	.byte 0xf9, 0x00,  0xfb, 0x80,  0xf8, 0x01,  0xf9, 0x00,  0xfb, 0x03,  0xfa, 0x07,  0xfc, 0x03
com1_registers_end:
not_enough_memory:
	.asciz "boot: not enough memory: the kernel needs "

	.data
	.fill 10, 1, ' '
needed_kib_end:
	.asciz " KiB: give the machine 16 MiB or more\r\n"
