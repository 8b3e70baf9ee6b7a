# The other CPUs (application processors, Intel SDM 3A, 9.4): the page in which they start in real mode, and their way
# from there to the kernel's cpu_main, each on its own stack.

	.include "layout.inc"

	.set CR0_PROTECTED, 0x11		# ET, PE
	.set NO_CPU, 0

	.cfi_sections .debug_frame
	.text
	.globl x86.cpu_prepare

# x86.cpu_prepare(page: u32, number: u32, apic_id: u32): has the CPU with this local APIC ID (8 bits) become CPU
# `number` when it starts at `page`, a page below 1 MiB.
x86.cpu_prepare:
	lea -1(%rsi), %eax
	cmp $CPUS - 1, %eax
	jae bad_cpu
	cmp $0xff, %edx
	ja bad_cpu
	lea cpu_of_apic(%rdx), %rax
	mov %sil, (%rax)
	mov $trampoline, %rsi
	mov $trampoline_end - trampoline, %ecx
	rep movsb
	ret
bad_cpu:
	ud2

# Runs from a copy of it, %cs:0.
	.code16
trampoline:
	cli
	cld
	mov %cs, %ax
	mov %ax, %ds
	lgdtl trampoline_gdt - trampoline
	mov $CR0_PROTECTED, %eax
	mov %eax, %cr0
	ljmpl $CODE_32, $ap_entry - KERNEL_BASE
	.balign 4
trampoline_gdt:
	.word TASKS - 1
	.long gdt - KERNEL_BASE
trampoline_end:

	.code32
ap_entry:
	mov $DATA, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	mov $1, %eax
	cpuid
	shr $24, %ebx				# the initial APIC ID
	movzbl cpu_of_apic - KERNEL_BASE(%ebx), %ebx
	cmp $NO_CPU, %ebx
	je not_wanted
	lea 1(%ebx), %esp
	imul $STACK_STRIDE, %esp, %esp
	add $stacks - KERNEL_BASE, %esp
	push %ebx
	mov $starting_top_table - KERNEL_BASE, %eax
	mov $ap_start - KERNEL_BASE, %ebp
	jmp enter_long_mode
not_wanted:
	hlt
	jmp not_wanted

	.code64
ap_start: .cfi_startproc
	.cfi_undefined rip			# the outermost frame
	mov %esp, %esp
	mov (%rsp), %edi
	mov $KERNEL_BASE + 4, %rax
	add %rax, %rsp
	mov $top_table - KERNEL_BASE, %eax
	mov %rax, %cr3
	mov %edi, %ebx
	call set_up_cpu
	mov %ebx, %edi
	call cpu_main
	ud2
	.cfi_endproc

	.bss
cpu_of_apic:					# CPU number by APIC ID
	.skip 256
