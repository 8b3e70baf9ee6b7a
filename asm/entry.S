# The 32-bit entry: from a boot loader (flat protected mode, paging off; %eax = its magic number, %ebx = its
# information) to 64-bit code at its linked address. Runs at physical addresses, so each symbol here is less
# KERNEL_BASE.

	.include "layout.inc"

	.set CPUID_LONG_MODE, 29		# 0x80000001 EDX
	.set CPUID_NO_EXECUTE, 20
	.set CPUID_SMEP, 7			# 7.0 EBX
	.set CPUID_SMAP, 20
	.set CPUID_UMIP, 2			# 7.0 ECX

# Control registers: Intel SDM 3A, 2.5; EFER: 2.2.1.
	.set CR0_BITS, 0x80010033		# PG, WP, NE, ET, MP, PE
	.set CR4_PAE, 1 << 5
	.set CR4_OSFXSR, 1 << 9
	.set CR4_OSXMMEXCPT, 1 << 10
	.set CR4_UMIP, 1 << 11
	.set CR4_SMEP, 1 << 20
	.set CR4_SMAP, 1 << 21
	.set EFER, 0xc0000080
	.set EFER_LME, 1 << 8
	.set EFER_NXE, 1 << 11

	.text
	.code32
	.globl multiboot_entry, enter, enter_long_mode

multiboot_entry:
enter:	cli
	cld
	mov $boot_stack_top - KERNEL_BASE, %esp
	mov %eax, boot_magic - KERNEL_BASE
	mov %ebx, boot_info - KERNEL_BASE
	call check_cpu
	call check_memory
	call map_kernel				# returns the top table's address in %eax
	mov $start - KERNEL_BASE, %ebp

# Goes on in 64-bit mode at the linked address whose physical one is in %ebp, with the page tables at %eax. Needs a stack. Also for the other CPUs (ap.S).
enter_long_mode:
	mov %eax, %cr3
	call choose_cr4
	mov %eax, %cr4
	mov $EFER, %ecx
	rdmsr
	or $EFER_LME | EFER_NXE, %eax
	wrmsr
	mov $CR0_BITS, %eax
	mov %eax, %cr0
	lgdtl gdt_pointer_physical - KERNEL_BASE
	ljmp $CODE, $1f - KERNEL_BASE
	.code64
1:	mov $KERNEL_BASE, %rax
	mov %ebp, %ebp
	add %rbp, %rax
	jmp *%rax

# CPUID's existence shows in EFLAGS.ID (Intel SDM 1, 20.1).
	.code32
check_cpu:
	pushf
	pop %eax
	mov %eax, %ebx
	xor $1 << 21, %eax
	push %eax
	popf
	pushf
	pop %eax
	cmp %ebx, %eax
	je 1f
	mov $0x80000000, %eax
	cpuid
	cmp $0x80000001, %eax
	jb 1f
	mov $0x80000001, %eax
	cpuid
	bt $CPUID_LONG_MODE, %edx
	jnc 1f
	bt $CPUID_NO_EXECUTE, %edx
	jnc 2f
	ret
1:	mov $no_long_mode - KERNEL_BASE, %esi
	jmp refuse
2:	mov $no_execute_disable - KERNEL_BASE, %esi
	jmp refuse

# Linear memory's initial size must be RAM: writes its last word twice and reads it back.
check_memory:
	mov yaos_memory + 8 - KERNEL_BASE, %eax
	cmpl $0, yaos_memory + 12 - KERNEL_BASE
	jne 1f
	cmp $KERNEL_HIGHEST, %eax
	jb 2f
	mov $0x5aa5c33c, %ecx
	mov %ecx, -4(%eax)
	cmp -4(%eax), %ecx
	jne 1f
	not %ecx
	mov %ecx, -4(%eax)
	cmp -4(%eax), %ecx
	jne 1f
2:	ret
1:	shr $10, %eax
	jmp refuse_memory

choose_cr4:
	mov $CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT, %esi
	xor %eax, %eax
	cpuid
	cmp $7, %eax
	jb 3f
	mov $7, %eax
	xor %ecx, %ecx
	cpuid
	bt $CPUID_SMEP, %ebx
	jnc 1f
	or $CR4_SMEP, %esi
1:	bt $CPUID_SMAP, %ebx
	jnc 2f
	or $CR4_SMAP, %esi
2:	bt $CPUID_UMIP, %ecx
	jnc 3f
	or $CR4_UMIP, %esi
3:	mov %esi, %eax
	ret

	.section .rodata
no_long_mode:
	.asciz "boot: no long mode\r\n"
no_execute_disable:
	.asciz "boot: no execute-disable (NX) in the page tables\r\n"

	.data
	.balign 4
	.globl boot_magic, boot_info
boot_magic:
	.long 0
boot_info:
	.long 0
