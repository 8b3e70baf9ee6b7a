# The GDT (code, data, a task for each CPU), and what a CPU has of its own in native memory: the task's TSS, which gives
# double faults, NMIs and machine checks a stack, and the CPU's number, which x86.cpu reads by way of gs.
# Intel SDM 3A, 3.4.5, 8.2.3 and 8.7.

	.include "layout.inc"

	.set TSS_BYTES, 104
	.set TSS_IST_1, 36
	.set TSS_IO_MAP, 102
	.set TASK_ATTRIBUTES, 0x0000890000000000	# present, available 64-bit TSS

	.text
	.globl load_gdt, gdt

# Makes this CPU number %edi.
load_gdt:
	mov %edi, %r8d
	imul $TSS_BYTES, %r8, %rsi
	add $task_states, %rsi			# the CPU's TSS
	lea 1(%r8), %rax
	imul $FAULT_STACK_STRIDE, %rax, %rax
	add $fault_stacks, %rax			# its stack's top
	mov %rax, TSS_IST_1(%rsi)
	movw $TSS_BYTES, TSS_IO_MAP(%rsi)	# no I/O permission map

	mov %r8d, %edi
	shl $4, %edi
	add $tasks, %rdi			# its descriptor: base 24 bits from bit 16, 8 from 56, 32 from 64
	mov %rsi, %rax
	mov %rsi, %rdx
	shr $32, %rdx
	mov %rdx, 8(%rdi)
	mov %eax, %edx
	and $0xff000000, %eax
	and $0x00ffffff, %edx
	shl $32, %rax
	shl $16, %rdx
	or %rdx, %rax
	mov $TASK_ATTRIBUTES + TSS_BYTES - 1, %rdx
	or %rdx, %rax
	mov %rax, (%rdi)

	lgdt gdt_pointer(%rip)
	mov $DATA, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %fs
	mov %eax, %gs
	mov %eax, %ss
	mov %r8d, %eax
	shl $4, %eax
	add $TASKS, %eax
	ltr %ax

	lea cpu_numbers(, %r8, 4), %rax
	mov %r8d, (%rax)
	mov %rax, %rdx
	shr $32, %rdx
	mov $IA32_GS_BASE, %ecx
	wrmsr
	ret

	.data
	.balign 8
gdt:	.quad 0
	.quad 0x00af9b000000ffff		# CODE: 64-bit, accessed
	.quad 0x00cf93000000ffff		# DATA: writable, accessed
	.quad 0x00cf9b000000ffff		# CODE_32: flat, accessed
tasks:	.skip CPUS * TASK_DESCRIPTOR_BYTES
gdt_end:

	.bss
	.balign 8
task_states:
	.skip CPUS * TSS_BYTES
cpu_numbers:
	.skip CPUS * 4

	.section .rodata
	.globl gdt_pointer_physical
gdt_pointer:
	.word gdt_end - gdt - 1
	.quad gdt
gdt_pointer_physical:				# for entry.S and ap.S
	.word gdt_end - gdt - 1
	.long gdt - KERNEL_BASE
