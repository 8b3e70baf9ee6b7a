# The guest by which build/qemu/accel.ts finds out whether KVM works here: a boot sector that enters long mode,
# computes with SSE, waits for a timer interrupt and returns from it with iretq, and then ends QEMU through
# isa-debug-exit with PASSED. Where KVM is emulated badly, one of these hangs, faults or gives a wrong number.
#
#	as --64 -o probe.o probe.S; ld -m elf_x86_64 -Ttext 0x7c00 --oformat binary -o probe.bin probe.o

	.set PASSED, 0x2a			# QEMU's exit status is then PASSED * 2 + 1
	.set FAILED, 0x2b
	.set PML4, 0x1000
	.set PDPT, 0x2000
	.set PD, 0x3000
	.set IDT, 0x4000
	.set VECTOR, 0x20
	.set TICKS, 3

	.globl _start
	.code16
_start:	cli
	cld
	ljmp $0, $1f
1:	xor %ax, %ax
	mov %ax, %ds
	mov %ax, %es
	mov %ax, %ss
	mov $0x7c00, %sp

	# One 2 MiB page, mapped to itself (Intel SDM 3A 4.5), and an empty IDT.
	mov $PML4, %di
	mov $0x1000, %cx
	rep stosl
	movw $PDPT | 3, PML4
	movw $PD | 3, PDPT
	movw $0x83, PD

	# Straight from real mode to long mode (Intel SDM 3A 9.8.5): PAE and OSFXSR, LME, then PE and PG.
	mov $0x620, %eax
	mov %eax, %cr4
	mov $PML4, %eax
	mov %eax, %cr3
	mov $0xc0000080, %ecx
	rdmsr
	or $0x100, %ax
	wrmsr
	mov %cr0, %eax
	and $~4, %al				# EM off
	or $0x80000003, %eax			# PG, MP, PE
	mov %eax, %cr0
	lgdt gdt_pointer
	ljmp $8, $long

	.code64
long:	mov $16, %eax
	mov %eax, %ss
	mov $0x7c00, %esp

	# Gate VECTOR: interrupt gate, selector 8, offset `timer` (Intel SDM 3A 6.14.1).
	mov $IDT + VECTOR * 16, %edi
	movw $timer, (%rdi)
	movw $8, 2(%rdi)
	movw $0x8e00, 4(%rdi)
	lidt idt_pointer(%rip)

	# Both PICs from vector VECTOR on, all masked but the timer; the timer at about 10 kHz.
	lea pic(%rip), %esi
	mov $(pic_end - pic) / 2, %ecx
1:	lodsw
	movzbl %al, %edx
	mov %ah, %al
	out %al, %dx
	loop 1b

	xor %ebx, %ebx				# ticks
	mov $21, %eax
	cvtsi2sd %eax, %xmm0
	movapd %xmm0, %xmm1
2:	sti
	hlt
	cli
	cmpl $TICKS, %ebx
	jb 2b
	addsd %xmm1, %xmm0			# 21 and 21
	cvttsd2si %xmm0, %eax
	cmp $42, %eax
	jne 3f
	mov $PASSED, %al
	jmp 4f
3:	mov $FAILED, %al
4:	mov $0xf4, %edx
	out %al, %dx
5:	hlt
	jmp 5b

timer:	push %rax
	movq %xmm0, %rax
	pxor %xmm0, %xmm0
	movq %rax, %xmm0
	inc %ebx
	mov $0x20, %al
	out %al, $0x20
	pop %rax
	iretq

pic:	.byte 0x20, 0x11, 0xa0, 0x11		# ICW1
	.byte 0x21, VECTOR, 0xa1, VECTOR + 8	# ICW2
	.byte 0x21, 4, 0xa1, 2			# ICW3
	.byte 0x21, 1, 0xa1, 1			# ICW4
	.byte 0x21, 0xfe, 0xa1, 0xff		# masks
	.byte 0x43, 0x34, 0x40, 119, 0x40, 0	# timer 0, mode 2, 119 / 1.193182 MHz
pic_end:

	.balign 8
gdt:	.quad 0
	.quad 0x00209a0000000000		# 8: 64-bit code
	.quad 0x0000920000000000		# 16: data
gdt_pointer:
	.word . - gdt - 1
	.long gdt
idt_pointer:
	.word (VECTOR + 1) * 16 - 1
	.quad IDT

	.org 510
	.byte 0x55, 0xaa
