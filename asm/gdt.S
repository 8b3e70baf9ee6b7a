# The GDT (code, data, one task) and the task's TSS, which gives double faults, NMIs and machine checks their
# own stacks. Intel SDM 3A, 3.4.5, 8.2.3 and 8.7.

	.include "layout.inc"

	.text
	.globl load_gdt

load_gdt:
	mov $tss, %rax
	mov %ax, task_descriptor + 2(%rip)
	shr $16, %rax
	mov %al, task_descriptor + 4(%rip)
	mov %ah, task_descriptor + 7(%rip)
	shr $16, %rax
	mov %eax, task_descriptor + 8(%rip)
	lgdt gdt_pointer(%rip)
	mov $DATA, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %fs
	mov %eax, %gs
	mov %eax, %ss
	mov $TASK, %eax
	ltr %ax
	ret

	.data
	.balign 8
gdt:	.quad 0
	.quad 0x00af9b000000ffff		# CODE: 64-bit, accessed
	.quad 0x00cf93000000ffff		# DATA: writable, accessed
task_descriptor:				# TASK: its base is entered by load_gdt
	.quad 0x0000890000000000 + tss_end - tss - 1
	.quad 0
gdt_end:

	.balign 4
tss:	.long 0
	.quad 0, 0, 0				# no other privilege level
	.quad 0
	.quad stacks + (DOUBLE_FAULT_STACK + 1) * STACK_STRIDE
	.quad stacks + (NMI_STACK + 1) * STACK_STRIDE
	.quad stacks + (MACHINE_CHECK_STACK + 1) * STACK_STRIDE
	.quad 0, 0, 0, 0
	.quad 0
	.word 0, tss_end - tss			# no I/O permission map
tss_end:

	.section .rodata
	.globl gdt_pointer_physical
gdt_pointer:
	.word gdt_end - gdt - 1
	.quad gdt
gdt_pointer_physical:				# for entry.S
	.word gdt_end - gdt - 1
	.long gdt - KERNEL_BASE
