# The IDT and its 256 stubs. Vectors 0 ... 31 are exceptions: the whole state goes into a frame for the
# kernel's `exception`, which does not return. The others are interrupts: what the calling convention lets a
# callee destroy is saved around the kernel's `interrupt`. Intel SDM 3A, 6.14; docs/abi.md 7.

	.include "layout.inc"

	.set EXCEPTIONS, 32
	.set VECTORS, 256
	.set EXCEPTION_STUB_BYTES, 16
	.set INTERRUPT_STUB_BYTES, 8
	.set GATE, 0x8e00			# present, ring 0, 64-bit interrupt gate
	.set GATE_BYTES, 16
	.set FAULT_STACK, 1			# IST number (gdt.S)
	.set NMI, 2
	.set DOUBLE_FAULT, 8
	.set MACHINE_CHECK, 18

# Vectors for which the processor pushes an error code: 8, 10-14, 17, 21, 29, 30.
	.set ERROR_CODES, 0x60227d00

	.text
	.globl make_idt, idt_pointer

make_idt:
	mov $idt, %rdx
	mov $exception_stubs, %rax
	mov $EXCEPTIONS, %ecx
	mov $EXCEPTION_STUB_BYTES, %esi
	call set_gates
	mov $interrupt_stubs, %rax
	mov $VECTORS - EXCEPTIONS, %ecx
	mov $INTERRUPT_STUB_BYTES, %esi
	call set_gates
	movb $FAULT_STACK, idt + DOUBLE_FAULT * GATE_BYTES + 4(%rip)
	movb $FAULT_STACK, idt + NMI * GATE_BYTES + 4(%rip)
	movb $FAULT_STACK, idt + MACHINE_CHECK * GATE_BYTES + 4(%rip)
	ret

# Fills %ecx gates from %rdx on; their stubs stand %rsi bytes apart, the first at %rax.
set_gates:
	mov %rax, %rdi
	movw %di, (%rdx)
	movw $CODE, 2(%rdx)
	movw $GATE, 4(%rdx)
	shr $16, %rdi
	movw %di, 6(%rdx)
	shr $16, %rdi
	mov %edi, 8(%rdx)
	movl $0, 12(%rdx)
	add $GATE_BYTES, %rdx
	add %rsi, %rax
	loop set_gates
	ret

	.balign EXCEPTION_STUB_BYTES
exception_stubs:
	.set vector, 0
	.rept EXCEPTIONS
	.balign EXCEPTION_STUB_BYTES
	.ifeq (ERROR_CODES >> vector) & 1
	push $0
	.endif
	push $vector
	jmp exception_common
	.set vector, vector + 1
	.endr

	.balign EXCEPTION_STUB_BYTES
interrupt_stubs:
	.rept VECTORS - EXCEPTIONS
	.balign INTERRUPT_STUB_BYTES
	.byte 0x6a, vector			# push imm8: its low byte is the vector
	jmp interrupt_common
	.set vector, vector + 1
	.endr

# On entry: vector, error, rip, cs, rflags, rsp, ss.
exception_common:
	cld
	push %rax
	mov %cr2, %rax
	xchg %rax, (%rsp)
	push %rax
	push %rbx
	push %rcx
	push %rdx
	push %rsi
	push %rdi
	push %rbp
	push %r8
	push %r9
	push %r10
	push %r11
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, %rdx
	mov 16 * 8(%rsp), %edi			# vector
	mov 17 * 8(%rsp), %esi			# error
	and $-16, %rsp
	call exception
	ud2

# On entry: vector, rip, cs, rflags, rsp, ss. The processor has aligned the stack to 16 before it pushed
# (SDM 3A, 6.14.2), so that it is aligned again after the ten pushes and 8 bytes more.
	.weak yaos_uses_float			# absolute, not zero: translated code uses xmm registers
interrupt_common:
	push %rax
	push %rcx
	push %rdx
	push %rsi
	push %rdi
	push %r8
	push %r9
	push %r10
	push %r11
	cld
	movzbl 9 * 8(%rsp), %edi
	mov $yaos_uses_float, %eax
	test %eax, %eax
	jnz 1f
	sub $8, %rsp
	call interrupt
	add $8, %rsp
	jmp 2f

1:	sub $16 * 16 + 8, %rsp
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movaps %xmm\n, 16 * \n(%rsp)
	.endr
	call interrupt
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movaps 16 * \n(%rsp), %xmm\n
	.endr
	add $16 * 16 + 8, %rsp

2:	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rdi
	pop %rsi
	pop %rdx
	pop %rcx
	pop %rax
	add $8, %rsp				# the vector
	iretq

	.section .rodata
idt_pointer:
	.word VECTORS * GATE_BYTES - 1
	.quad idt

	.bss
	.balign PAGE_BYTES
idt:	.skip VECTORS * GATE_BYTES
