# Threads: a stack slot each, and the switch between two of them. A thread that is not running has its
# callee-saved registers on its stack and its stack pointer in thread_rsp. Interrupts are off in all of this.

	.include "layout.inc"

	.cfi_sections .debug_frame
	.text
	.globl x86.thread_new, x86.thread_switch

# x86.thread_new(slot: u32, arg: u32): the slot's first switch calls thread_main(arg).
x86.thread_new:
	lea -CPUS(%rdi), %eax
	cmp $THREADS - CPUS, %eax
	jae bad_slot
	lea 1(%rdi), %eax
	imul $STACK_STRIDE, %rax, %rax
	add $stacks, %rax			# the stack's top
	movq $thread_start, -8(%rax)		# where thread_switch returns to
	movq $0, -16(%rax)			# rbp
	mov %rsi, -24(%rax)			# rbx
	sub $7 * 8, %rax			# r12 ... r15 as they are
	mov %rax, thread_rsp(, %rdi, 8)
	ret

# x86.thread_switch(from: u32, to: u32)
x86.thread_switch:
	.cfi_startproc
	cmp $THREADS, %edi
	jae bad_slot
	cmp $THREADS, %esi
	jae bad_slot
	.irp register, rbp, rbx, r12, r13, r14, r15
	push %\register
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset \register, 0
	.endr
	mov %rsp, thread_rsp(, %rdi, 8)
	mov thread_rsp(, %rsi, 8), %rsp
	.irp register, r15, r14, r13, r12, rbx, rbp
	pop %\register
	.cfi_adjust_cfa_offset -8
	.cfi_restore \register
	.endr
	ret
	.cfi_endproc

# A new thread comes here by thread_switch's return, its stack empty.
thread_start:
	.cfi_startproc
	.cfi_undefined rip			# nobody has called it: debuggers need not look for who did
	mov %ebx, %edi
	call thread_main
	.cfi_endproc
bad_slot:
	ud2

	.bss
	.balign 8
thread_rsp:
	.skip THREADS * 8
