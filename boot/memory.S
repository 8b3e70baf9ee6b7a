# The memory map: INT 15h, function E820h (ACPI 6.5, 15.1), stored as multiboot wants it: each 20-byte entry
# after a word that says 20.

	.include "layout.inc"

	.set SMAP, 0x534d4150
	.set ENTRY_BYTES, 20
	.set ENTRY_STRIDE, 24
	.set E820_CALLS_MAX, 256

	.section .loader, "ax"
	.code16
	.globl read_memory_map, ram_end

# Returns the map's length in bytes in %eax.
read_memory_map:
	mov $MEMORY_MAP, %di
	xor %ebx, %ebx
1:	decw e820_calls				# a BIOS that never says it was the last entry
	jz 3f
	movl $ENTRY_BYTES, (%di)
	add $4, %di
	mov $0xe820, %eax
	mov $SMAP, %edx
	mov $ENTRY_BYTES, %ecx
	int $0x15
	lea -4(%di), %di
	jc 3f					# unsupported, or past the last entry
	cmp $SMAP, %eax
	jne 3f
	mov 12(%di), %eax
	or 16(%di), %eax
	jz 2f					# drop empty entries
	add $ENTRY_STRIDE, %di
	cmp $MEMORY_MAP_END, %di
	jae 3f
2:	test %ebx, %ebx
	jnz 1b
3:	movzwl %di, %eax
	sub $MEMORY_MAP, %eax
	mov %eax, map_end
	addl $MEMORY_MAP, map_end
	test %eax, %eax
	jz 4f
	ret
4:	mov $no_memory_map, %si
	jmp fail
e820_calls:
	.word E820_CALLS_MAX

# Where the RAM ends that address %eax lies in: %eax itself if it is not RAM, at most 4 GiB - 1 KiB.
	.code32
ram_end:
	mov $MEMORY_MAP, %esi
1:	cmpl $1, 20(%esi)			# usable
	jne 3f
	cmpl $0, 8(%esi)
	jne 3f
	cmp %eax, 4(%esi)
	ja 3f
	mov 4(%esi), %ecx			# end = base + length, in %edx:%ecx
	xor %edx, %edx
	add 12(%esi), %ecx
	adc 16(%esi), %edx
	jz 2f
	mov $0xfffffc00, %ecx
2:	cmp %eax, %ecx
	jbe 3f
	mov %ecx, %eax
3:	add $ENTRY_STRIDE, %esi
	cmp map_end, %esi
	jb 1b
	ret

	.balign 4
map_end:
	.long 0
no_memory_map:
	.asciz "boot: no memory map from the BIOS\r\n"
