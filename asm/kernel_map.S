# The kernel image's own mapping, made by 32-bit code before paging is on: 4 KiB pages at KERNEL_BASE +
# physical, constants read-only, code executable, data writable, and no page under any stack. Also the upper
# tables of the low zone, empty but for one thing: its first GiB shows the image at its physical address until
# start.S runs at the linked one. Intel SDM 3A, 4.5.

	.include "layout.inc"

	.set TABLE, PRESENT | WRITABLE
	.set NO_EXECUTE_HIGH, 1 << 31		# bit 63, in the entry's upper half

	.text
	.code32
	.globl map_kernel

# Returns the physical address of the top table in %eax.
map_kernel:
	mov $image_start - KERNEL_BASE, %eax
	mov $text_start - KERNEL_BASE, %ecx
	mov $PRESENT | ACCESSED, %esi
	mov $NO_EXECUTE_HIGH, %edi
	call fill
	mov $data_start - KERNEL_BASE, %ecx
	xor %edi, %edi
	call fill
	mov $image_end - KERNEL_BASE, %ecx
	mov $PRESENT | WRITABLE | ACCESSED | DIRTY, %esi
	mov $NO_EXECUTE_HIGH, %edi
	call fill

	mov $stacks - KERNEL_BASE, %eax
	mov $THREADS, %ecx
	mov $STACK_STRIDE, %esi
	call leave_guards
	mov $CPUS, %ecx
	mov $FAULT_STACK_STRIDE, %esi
	call leave_guards

	mov $kernel_pages - KERNEL_BASE + TABLE, %eax
	mov $kernel_directory - KERNEL_BASE, %edi
	mov $KERNEL_HIGHEST >> 21, %ecx
	call link
	mov $low_directories - KERNEL_BASE + TABLE, %eax
	mov $low_directory_pointers - KERNEL_BASE, %edi
	mov $4, %ecx
	call link
	movl $kernel_directory - KERNEL_BASE + TABLE, low_directory_pointers - KERNEL_BASE
	movl $kernel_directory - KERNEL_BASE + TABLE, high_directory_pointers + 510 * 8 - KERNEL_BASE
	movl $low_directory_pointers - KERNEL_BASE + TABLE, top_table - KERNEL_BASE
	movl $high_directory_pointers - KERNEL_BASE + TABLE, top_table + 511 * 8 - KERNEL_BASE
	movl $kernel_directory - KERNEL_BASE + TABLE, starting_directory_pointers - KERNEL_BASE
	movl $starting_directory_pointers - KERNEL_BASE + TABLE, starting_top_table - KERNEL_BASE
	movl $high_directory_pointers - KERNEL_BASE + TABLE, starting_top_table + 511 * 8 - KERNEL_BASE
	mov $top_table - KERNEL_BASE, %eax
	ret

# Maps the physical pages from %eax up to %ecx with the bits %edi:%esi. Leaves %eax = %ecx.
fill:	mov %eax, %edx
	shr $12, %edx
	mov %eax, %ebx
	or %esi, %ebx
	mov %ebx, kernel_pages - KERNEL_BASE(, %edx, 8)
	mov %edi, kernel_pages + 4 - KERNEL_BASE(, %edx, 8)
	add $PAGE_BYTES, %eax
	cmp %ecx, %eax
	jb fill
	ret

# Takes away the lowest page of each of %ecx stacks, %esi bytes apart from %eax on. Leaves %eax behind the last one.
leave_guards:
	mov %eax, %edx
	shr $12, %edx
	movl $0, kernel_pages - KERNEL_BASE(, %edx, 8)
	add %esi, %eax
	loop leave_guards
	ret

# Enters %ecx tables that stand one after the other, the first being the entry %eax, at %edi.
link:	mov %eax, (%edi)
	add $PAGE_BYTES, %eax
	add $8, %edi
	loop link
	ret

	.bss
	.balign PAGE_BYTES
	.globl low_directories, low_directory_pointers, top_table, starting_top_table
top_table:
	.skip PAGE_BYTES
starting_top_table:				# for other CPUs, until they run at the linked address (ap.S)
	.skip PAGE_BYTES
starting_directory_pointers:
	.skip PAGE_BYTES
high_directory_pointers:
	.skip PAGE_BYTES
low_directory_pointers:
	.skip PAGE_BYTES
low_directories:				# of linear memory's 4 GiB: entry = address >> 21
	.skip 4 * PAGE_BYTES
kernel_directory:
	.skip PAGE_BYTES
kernel_pages:					# of the first 8 MiB at KERNEL_BASE: entry = physical >> 12
	.skip (KERNEL_HIGHEST >> 21) * PAGE_BYTES
