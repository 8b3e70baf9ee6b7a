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

	.cfi_sections .debug_frame
	.text
	.globl make_idt, idt_pointer, interrupt_returns_plain, interrupt_returns_float

# Debuggers find the interrupted code by these: what the processor pushed ends at the canonical frame address.
	.macro INTERRUPTED below
	.cfi_startproc simple
	.cfi_signal_frame
	.cfi_def_cfa rsp, \below + 40
	.cfi_offset rip, -40
	.cfi_offset rsp, -16
	.endm

	.macro SAVE register
	push %\register
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset \register, 0
	.endm

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
	INTERRUPTED 0
	push $0
	.cfi_adjust_cfa_offset 8
	.else
	INTERRUPTED 8
	.endif
	push $vector
	.cfi_adjust_cfa_offset 8
	jmp exception_common
	.cfi_endproc
	.set vector, vector + 1
	.endr

	.balign EXCEPTION_STUB_BYTES
interrupt_stubs:
	INTERRUPTED 0
	.rept VECTORS - EXCEPTIONS
	.balign INTERRUPT_STUB_BYTES
	.byte 0x6a, vector			# push imm8: its low byte is the vector
	.cfi_adjust_cfa_offset 8
	jmp interrupt_common
	.cfi_adjust_cfa_offset -8
	.set vector, vector + 1
	.endr
	.cfi_endproc

# On entry: vector, error, rip, cs, rflags, rsp, ss.
exception_common:
	INTERRUPTED 16
	cld
	SAVE rax
	mov %cr2, %rax
	xchg %rax, (%rsp)
	push %rax
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset rax, 0
	.irp register, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
	SAVE \register
	.endr
	mov %rsp, %rdx
	mov 16 * 8(%rsp), %edi			# vector
	mov 17 * 8(%rsp), %esi			# error
	mov %rsp, %rbp
	.cfi_def_cfa_register rbp
	and $-16, %rsp
	call exception
	ud2
	.cfi_endproc

# On entry: vector, rip, cs, rflags, rsp, ss. The processor has aligned the stack to 16 before it pushed
# (SDM 3A, 6.14.2), so that it is aligned again after the ten pushes and 8 bytes more.
	.weak yaos_uses_float			# absolute, not zero: translated code uses xmm registers
interrupt_common:
	INTERRUPTED 8
	.irp register, rax, rcx, rdx, rsi, rdi, r8, r9, r10, r11
	SAVE \register
	.endr
	cld
	movzbl 9 * 8(%rsp), %edi
	mov $yaos_uses_float, %eax
	test %eax, %eax
	jnz 1f
	sub $8, %rsp
	.cfi_adjust_cfa_offset 8
	call interrupt
interrupt_returns_plain:
	add $8, %rsp
	.cfi_adjust_cfa_offset -8
	jmp 2f

1:	sub $16 * 16 + 8, %rsp
	.cfi_adjust_cfa_offset 16 * 16 + 8
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movaps %xmm\n, 16 * \n(%rsp)
	.endr
	call interrupt
interrupt_returns_float:
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movaps 16 * \n(%rsp), %xmm\n
	.endr
	add $16 * 16 + 8, %rsp
	.cfi_adjust_cfa_offset -16 * 16 - 8

2:	.irp register, r11, r10, r9, r8, rdi, rsi, rdx, rcx, rax
	pop %\register
	.cfi_adjust_cfa_offset -8
	.cfi_restore \register
	.endr
	add $8, %rsp				# the vector
	.cfi_adjust_cfa_offset -8
	iretq
	.cfi_endproc

	.section .rodata
idt_pointer:
	.word VECTORS * GATE_BYTES - 1
	.quad idt

	.bss
	.balign PAGE_BYTES
idt:	.skip VECTORS * GATE_BYTES
