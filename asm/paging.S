# x86.map and x86.unmap: pages of the low zone, linear memory's 4 GiB. Its page directories stand one after
# the other (kernel_map.S), so an address' directory entry is found without a walk. Pages are 1 GiB, where the CPU has
# them, or 2 MiB where address, frame and length allow it and no page table stands there yet, else 4 KiB. A page table
# comes from a pool and stays; a directory comes back when its 1 GiB is mapped in parts. Intel SDM 3A, 4.5 and 4.10.4.

	.include "layout.inc"

	.set POOL_TABLES, 64

	.set CPUID_HUGE_PAGES, 26

	.set DONE, 0
	.set NOT_ALIGNED, 1
	.set NOT_ALLOWED, 2
	.set NO_TABLE_LEFT, 3

	.text
	.globl x86.map, x86.unmap, x86.mapping, set_paging_limits

# x86.map(virt: u32, phys: u64, bytes: u32, flags: u32): u32. Not atomic: what was mapped before page-table
# memory ran out stays.
x86.map:
	cmp $MAP_WRITABLE | MAP_UNCACHED, %ecx
	ja not_aligned
	test $PAGE_BYTES - 1, %esi
	jnz not_aligned
	lea (%rsi, %rdx), %rax
	cmp %rsi, %rax
	jb not_aligned
	cmp physical_limit(%rip), %rax
	ja not_aligned
	cmp $image_start - KERNEL_BASE, %rax
	jbe 1f
	cmp $image_end - KERNEL_BASE, %rsi
	jb not_allowed
1:	mov attributes(, %rcx, 8), %r8
	or %rsi, %r8
	mov $-1, %r10
	jmp change

# x86.unmap(virt: u32, bytes: u32): u32
x86.unmap:
	mov %esi, %edx
	xor %r8d, %r8d
	xor %r10d, %r10d

# Writes entries for %edx bytes from %edi on. %r8: the first page's entry; %r10: what of a page's size is
# added to it from page to page (all or nothing).
change:	mov %edi, %eax
	or %edx, %eax
	test $PAGE_BYTES - 1, %eax
	jnz not_aligned
	test %edx, %edx
	jz not_aligned
	lea PAGE_BYTES - 1(%rdi, %rdx), %rax	# the last page stays empty, as page 0 does
	shr $32, %rax
	jnz not_aligned
	test %edi, %edi
	jz not_allowed

next_page:
	mov %edi, %r9d
	shr $30, %r9d
	lea low_directory_pointers(, %r9, 8), %r9
	mov (%r9), %rax				# the entry of the address' 1 GiB
	mov %edi, %ecx
	or %r8d, %ecx
	test $(HUGE_PAGE_BYTES - 1) & -PAGE_BYTES, %ecx
	jnz 1f
	cmp $HUGE_PAGE_BYTES, %edx
	jb 1f
	test $PRESENT, %r8b
	jz 1f
	cmpb $0, has_huge_pages(%rip)
	je 1f
	mov %r8, %rcx
	or $LARGE | HUGE, %rcx
	mov %rcx, (%r9)
	mov $HUGE_PAGE_BYTES, %ecx
	mov %cr3, %rsi				# whatever was mapped there in parts
	mov %rsi, %cr3
	jmp changed
1:	test $LARGE, %al
	jz in_directory

# Splits the huge page of the entry %rax at %r9: its directory has been there all the time.
	mov %edi, %r11d
	shr $30, %r11d
	shl $12, %r11d
	add $low_directories, %r11
	and $~HUGE, %rax
	xor %ecx, %ecx
2:	mov %rax, (%r11, %rcx, 8)
	add $LARGE_PAGE_BYTES, %rax
	inc %ecx
	cmp $512, %ecx
	jb 2b
	mov $KERNEL_BASE, %rcx
	sub %rcx, %r11
	or $PRESENT | WRITABLE, %r11
	mov %r11, (%r9)
	mov %cr3, %rcx				# the huge page may be cached in pieces
	mov %rcx, %cr3

in_directory:
	mov %edi, %r9d
	shr $21, %r9d
	lea low_directories(, %r9, 8), %r9
	mov (%r9), %rax				# the directory entry
	mov %eax, %ecx
	and $PRESENT | LARGE, %ecx
	cmp $PRESENT, %ecx
	je small_page				# a page table is there

	mov %edi, %ecx
	or %r8d, %ecx
	test $(LARGE_PAGE_BYTES - 1) & -PAGE_BYTES, %ecx
	jnz new_table
	cmp $LARGE_PAGE_BYTES, %edx
	jb new_table
	mov %r8, %rcx
	test $PRESENT, %cl
	jz 1f
	or $LARGE, %rcx
1:	mov %rcx, (%r9)
	mov $LARGE_PAGE_BYTES, %ecx
	jmp changed

# Splits the large page of the entry %rax at %r9, or starts an empty table.
new_table:
	mov pool_next(%rip), %r11
	cmp $pool_end, %r11
	jae no_table_left
	addq $PAGE_BYTES, pool_next(%rip)
	mov %rax, %rsi
	and $~LARGE, %rsi
	xor %ecx, %ecx
2:	mov %rsi, (%r11, %rcx, 8)
	test $PRESENT, %al
	jz 3f
	add $PAGE_BYTES, %rsi
3:	inc %ecx
	cmp $512, %ecx
	jb 2b
	mov %r11, %rcx
	sub $KERNEL_BASE, %rcx
	or $PRESENT | WRITABLE, %rcx
	mov %rcx, (%r9)
	test $PRESENT, %al
	mov %rcx, %rax
	jz small_page
	mov %cr3, %rcx				# the large page may be cached in pieces
	mov %rcx, %cr3

# The page table of the directory entry %rax.
small_page:
	mov $ENTRY_ADDRESS, %rcx
	and %rcx, %rax
	mov %edi, %ecx
	shr $12, %ecx
	and $511, %ecx
	lea KERNEL_BASE(%rax, %rcx, 8), %r9
	mov (%r9), %rax
	mov %r8, (%r9)
	mov $PAGE_BYTES, %ecx

# %rax: the entry that was replaced; %rcx: the page's size. What was not present is not cached.
changed:
	test $PRESENT, %al
	jz 1f
	invlpg (%rdi)
1:	add %rcx, %rdi
	sub %ecx, %edx
	and %r10, %rcx
	add %rcx, %r8
	test %edx, %edx
	jnz next_page
	mov $DONE, %eax
	ret

not_aligned:
	mov $NOT_ALIGNED, %eax
	ret
not_allowed:
	mov $NOT_ALLOWED, %eax
	ret
no_table_left:
	mov $NO_TABLE_LEFT, %eax
	ret

# x86.mapping(address: u32): u64: the entry for its page, large or huge page, 0 if there is none.
x86.mapping:
	mov %edi, %eax
	shr $30, %eax
	mov low_directory_pointers(, %rax, 8), %rax
	test $LARGE, %al
	jnz 1f
	mov %edi, %eax
	shr $21, %eax
	mov low_directories(, %rax, 8), %rax
	mov %eax, %ecx
	and $PRESENT | LARGE, %ecx
	cmp $PRESENT, %ecx
	jne 1f
	mov $ENTRY_ADDRESS, %rcx
	and %rcx, %rax
	shr $12, %edi
	and $511, %edi
	mov KERNEL_BASE(%rax, %rdi, 8), %rax
1:	test $PRESENT, %al
	jnz 2f
	xor %eax, %eax
2:	ret

# How far physical addresses go: CPUID 0x80000008, EAX bits 0 ... 7. Whether there are pages of 1 GiB: 0x80000001, EDX.
set_paging_limits:
	mov %rbx, %rsi
	mov $0x80000001, %eax
	cpuid
	bt $CPUID_HUGE_PAGES, %edx
	setc has_huge_pages(%rip)
	mov $36, %eax
	mov %eax, %edi
	mov $0x80000000, %eax
	cpuid
	cmp $0x80000008, %eax
	jb 1f
	mov $0x80000008, %eax
	cpuid
	movzbl %al, %edi
1:	mov %edi, %ecx
	mov $1, %eax
	shl %cl, %rax
	mov %rax, physical_limit(%rip)
	mov %rsi, %rbx
	ret

	.section .rodata
	.balign 8
attributes:					# by x86.map's flags
	.set READABLE, PRESENT | ACCESSED | DIRTY | NO_EXECUTE
	.quad READABLE
	.quad READABLE | WRITABLE
	.quad READABLE | CACHE_DISABLE | WRITE_THROUGH
	.quad READABLE | WRITABLE | CACHE_DISABLE | WRITE_THROUGH

	.data
	.balign 8
pool_next:
	.quad pool
physical_limit:
	.quad 0
has_huge_pages:
	.byte 0

	.section .uncleared, "aw", @nobits	# each table is filled when it is taken
	.balign PAGE_BYTES
pool:	.skip POOL_TABLES * PAGE_BYTES
pool_end:
