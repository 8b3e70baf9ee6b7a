# Between real mode (for the BIOS) and flat 32-bit protected mode (for everything above 1 MiB). Both
# directions are calls with a 32-bit return address on the one stack; %eax is lost. Interrupts are on in real
# mode only, so that no IDT is needed. Intel SDM 3A, 10.9.

	.include "layout.inc"

	.section .loader, "ax"
	.globl to_protected, to_real

	.code16
to_protected:
	cli
	lgdtl gdt_pointer
	mov %cr0, %eax
	or $1, %al
	mov %eax, %cr0
	ljmp $CODE32, $1f
	.code32
1:	mov $DATA32, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	ret

to_real:
	mov $DATA16, %eax			# 64 KiB limits, as real mode has them
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	ljmp $CODE16, $1f
	.code16
1:	mov %cr0, %eax
	and $~1, %al
	mov %eax, %cr0
	ljmp $0, $2f
2:	xor %ax, %ax
	mov %ax, %ds
	mov %ax, %es
	mov %ax, %ss
	sti
	retl

	.balign 8
gdt:	.quad 0
	.quad 0x00cf9b000000ffff		# CODE32: base 0, limit 4 GiB
	.quad 0x00cf93000000ffff		# DATA32
	.quad 0x00009b000000ffff		# CODE16: base 0, limit 64 KiB
	.quad 0x000093000000ffff		# DATA16
gdt_pointer:
	.word gdt_pointer - gdt - 1
	.long gdt
