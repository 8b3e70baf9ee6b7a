# What translated code calls for memory: growing, filling, copying (System V; docs/abi.md 3), for the
# kernel's one memory at address 0 and its tables of fixed size.

	.include "layout.inc"

	.set MEMORY_BYTES, 8			# fields of yaos_memory
	.set MEMORY_MAX_PAGES, 16
	.set TABLE_SIZE, 8			# field of a yaos_table

	.text
	.globl yaos_memory_grow, yaos_table_grow, yaos_table_fill
	.globl yaos_wait32, yaos_wait64, yaos_notify, memmove, memset

# int32_t yaos_memory_grow(void *context, uint32_t pages): the old size in 64 KiB pages, or -1 beyond the module's maximum or
# what is mapped at entry. The new pages are zero (WebAssembly core 4.2.8).
yaos_memory_grow:
	mov yaos_memory + MEMORY_BYTES(%rip), %rdi
	mov %esi, %ecx
	shl $16, %rcx
	lea (%rdi, %rcx), %rdx			# the new size
	cmp $LOW_ZONE_MAPPED, %rdx
	ja 1f
	mov yaos_memory + MEMORY_MAX_PAGES(%rip), %rax
	shl $16, %rax
	cmp %rax, %rdx
	ja 1f
	mov %rdx, yaos_memory + MEMORY_BYTES(%rip)
	mov %rdi, %r8
	shr $16, %r8
	shr $3, %rcx
	xor %eax, %eax
	rep stosq
	mov %r8d, %eax
	ret
1:	mov $-1, %eax
	ret

# int32_t yaos_table_grow(void *context, struct yaos_table *table, uint32_t n, uint64_t init): the kernel's
# tables have room for their minimum only.
yaos_table_grow:
	mov $-1, %eax
	test %edx, %edx
	jnz 1f
	mov TABLE_SIZE(%rsi), %eax
1:	ret

# void yaos_table_fill(uint64_t *at, uint64_t value, uint64_t n)
yaos_table_fill:
	mov %rsi, %rax
	mov %rdx, %rcx
	rep stosq
	ret

# memory.atomic.wait and notify. Nobody waits on the kernel's memory: it is not shared, so translated code
# traps before it would call a wait, and a notify wakes none.
yaos_wait32:
yaos_wait64:
	ud2
yaos_notify:
	xor %eax, %eax
	ret

# void *memmove(void *to, const void *from, size_t n): 8 bytes at a time. What the whole words leave over is
# loaded before and stored after them, overlapping them.
memmove:
	mov %rdi, %rax
	mov %rdi, %rcx
	sub %rsi, %rcx
	cmp %rdx, %rcx
	jb 2f					# `to` lies in the source: from the end downwards
	mov %rdx, %rcx
	cmp $8, %rdx
	jb 1f
	mov -8(%rsi, %rdx), %r8
	lea -8(%rdi, %rdx), %r9
	shr $3, %rcx
	rep movsq
	mov %r8, (%r9)
	ret
1:	rep movsb
	ret

2:	cmp $8, %rdx
	jb 4f
	mov (%rsi), %r8
3:	mov -8(%rsi, %rdx), %rcx
	mov %rcx, -8(%rdi, %rdx)
	sub $8, %rdx
	cmp $8, %rdx
	jae 3b
	mov %r8, (%rdi)
	ret
4:	dec %rdx
	js 5f
	mov (%rsi, %rdx), %cl
	mov %cl, (%rdi, %rdx)
	jmp 4b
5:	ret

# void *memset(void *to, int byte, size_t n)
memset:	mov %rdi, %r8
	movzbl %sil, %esi
	mov $0x0101010101010101, %rax
	imul %rsi, %rax
	mov %rdx, %rcx
	cmp $8, %rdx
	jb 1f
	mov %rax, -8(%rdi, %rdx)
	shr $3, %rcx
	rep stosq
	mov %r8, %rax
	ret
1:	rep stosb
	mov %r8, %rax
	ret
