# Does the processor have long mode? CPUID's existence shows in EFLAGS.ID (Intel SDM 1, 20.1); long mode is
# bit 29 of EDX of leaf 0x80000001 (SDM 2A, CPUID).

	.section .loader, "ax"
	.code16
	.globl check_cpu

check_cpu:
	pushfl
	pop %eax
	mov %eax, %ebx
	xor $1 << 21, %eax
	push %eax
	popfl
	pushfl
	pop %eax
	cmp %ebx, %eax
	je 1f
	mov $0x80000000, %eax
	cpuid
	cmp $0x80000001, %eax
	jb 1f
	mov $0x80000001, %eax
	cpuid
	bt $29, %edx
	jnc 1f
	ret
1:	mov $no_long_mode, %si
	jmp fail

no_long_mode:
	.asciz "boot: no long mode\r\n"
