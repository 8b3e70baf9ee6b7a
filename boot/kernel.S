# Loads kernel.elf, which lies in the image from sector 1 on: checks its headers, reads its PT_LOAD segments
# through the disk buffer to their physical addresses and clears what the file does not hold. The file is
# untrusted: every field that is used is checked first (ELF-64 object file format 1.5). What a bad disk has changed in headers or
# segments is found by their sum before anything of it runs.

	.include "layout.inc"

	.set KERNEL_LOWEST, 0x100000
	.set KERNEL_HIGHEST, 0x800000

	.set E_TYPE_MACHINE, 16
	.set E_ENTRY, 24
	.set E_PHOFF, 32
	.set E_PHENTSIZE, 54
	.set E_PHNUM, 56
	.set PHDR_BYTES, 56
	.set P_TYPE, 0
	.set P_OFFSET, 8
	.set P_PADDR, 24
	.set P_FILESZ, 32
	.set P_MEMSZ, 40

	.section .loader, "ax"
	.code32
	.globl load_kernel

# %ebx: end of the RAM that starts at 1 MiB. Returns the entry's address in %eax.
load_kernel:
	cmpl $HEADERS_BYTES, kernel_bytes
	jb bad_image
	xor %eax, %eax
	call fetch
	mov $HEADERS, %edi
	mov $HEADERS_BYTES >> 2, %ecx
	rep movsl
	mov $HEADERS, %esi
	mov $HEADERS_BYTES, %ecx
	call add_to_sum

	cmpl $0x464c457f, HEADERS		# 0x7f "ELF"
	jne bad_image
	cmpw $0x0102, HEADERS + 4		# 64 bits, little-endian
	jne bad_image
	cmpl $62 << 16 | 2, HEADERS + E_TYPE_MACHINE	# x86-64, executable
	jne bad_image
	cmpw $PHDR_BYTES, HEADERS + E_PHENTSIZE
	jne bad_image
	cmpl $0, HEADERS + E_PHOFF + 4
	jne bad_image
	mov HEADERS + E_PHOFF, %ebp
	cmp $HEADERS_BYTES, %ebp
	ja bad_image
	movzwl HEADERS + E_PHNUM, %ecx
	test %ecx, %ecx
	jz bad_image
	imul $PHDR_BYTES, %ecx, %eax
	add %ebp, %eax
	cmp $HEADERS_BYTES, %eax
	ja bad_image
	add $HEADERS, %ebp
	mov %ebp, first_header
	mov %ecx, header_count

	mov $check_segment, %edi
	call for_each_segment
	cmpl $0, entry_found
	je bad_image
	cmp %ebx, kernel_end
	ja not_enough_memory
	mov $load_segment, %edi
	call for_each_segment
	mov sum, %eax
	cmp kernel_sum, %eax
	jne bad_image
	mov HEADERS + E_ENTRY, %eax
	ret

# Adds %ecx bytes at %esi: words of 32 bits, then the single bytes that are left, the sum rotated by one bit before each. So a change in
# one place always changes the sum, however few bits or many.
add_to_sum:
	mov sum, %eax
	push %ecx
	shr $2, %ecx
	jz 2f
1:	rol $1, %eax
	add (%esi), %eax
	add $4, %esi
	loop 1b
2:	pop %ecx
	and $3, %ecx
	jz 4f
3:	rol $1, %eax
	movzbl (%esi), %edx
	add %edx, %eax
	inc %esi
	loop 3b
4:	mov %eax, sum
	ret

# Calls %edi for each program header of type PT_LOAD, with its address in %ebp.
for_each_segment:
	mov first_header, %ebp
	mov header_count, %ecx
1:	cmpl $1, P_TYPE(%ebp)
	jne 2f
	push %ecx
	push %edi
	call *%edi
	pop %edi
	pop %ecx
2:	add $PHDR_BYTES, %ebp
	loop 1b
	ret

# The segment of the program header at %ebp must lie in the file and in the kernel's physical range. Notes the
# kernel's end, and whether the entry lies in the segment.
check_segment:
	mov P_OFFSET + 4(%ebp), %eax
	or P_PADDR + 4(%ebp), %eax
	or P_FILESZ + 4(%ebp), %eax
	or P_MEMSZ + 4(%ebp), %eax
	or HEADERS + E_ENTRY + 4, %eax
	jnz bad_image
	mov P_MEMSZ(%ebp), %ecx
	cmp $KERNEL_HIGHEST, %ecx
	ja bad_image
	cmp P_FILESZ(%ebp), %ecx
	jb bad_image
	mov kernel_bytes, %edx
	sub P_FILESZ(%ebp), %edx
	jb bad_image
	cmp P_OFFSET(%ebp), %edx
	jb bad_image
	mov P_PADDR(%ebp), %eax
	cmp $KERNEL_LOWEST, %eax
	jb bad_image
	cmp $KERNEL_HIGHEST, %eax
	ja bad_image
	add %eax, %ecx
	cmp $KERNEL_HIGHEST, %ecx
	ja bad_image
	cmp kernel_end, %ecx
	jbe 1f
	mov %ecx, kernel_end

1:	mov HEADERS + E_ENTRY, %edx
	cmp %eax, %edx
	jb 2f
	add P_FILESZ(%ebp), %eax
	cmp %eax, %edx
	jae 2f
	movl $1, entry_found
2:	ret

# Reads the segment of the program header at %ebp and clears the rest of its memory.
load_segment:
	mov P_PADDR(%ebp), %edi
	mov P_OFFSET(%ebp), %eax
	mov P_FILESZ(%ebp), %edx
1:	test %edx, %edx
	jz 2f
	call fetch
	cmp %edx, %ecx
	cmova %edx, %ecx
	add %ecx, %eax
	sub %ecx, %edx
	push %ecx
	shr $2, %ecx
	rep movsl
	pop %ecx
	and $3, %ecx
	rep movsb
	jmp 1b

2:	mov P_PADDR(%ebp), %esi
	mov P_FILESZ(%ebp), %ecx
	call add_to_sum
	mov P_MEMSZ(%ebp), %ecx
	sub P_FILESZ(%ebp), %ecx
	xor %eax, %eax
	push %ecx
	shr $2, %ecx
	rep stosl
	pop %ecx
	and $3, %ecx
	rep stosb
	ret

# Brings the kernel file's byte %eax into the disk buffer. Returns its address in %esi, and in %ecx how many
# bytes of the file the buffer holds from there on. Keeps the other registers.
fetch:	mov %eax, %esi
	sub buffer_offset, %esi
	mov buffer_bytes, %ecx
	sub %esi, %ecx
	ja 1f					# %esi < buffer_bytes, unsigned

	pushal
	and $-SECTOR_BYTES, %eax
	mov %eax, buffer_offset
	mov kernel_bytes, %ecx
	sub %eax, %ecx
	add $SECTOR_BYTES - 1, %ecx
	shr $9, %ecx
	cmp $BUFFER_SECTORS, %ecx
	jbe 2f
	mov $BUFFER_SECTORS, %ecx
2:	shr $9, %eax
	add $KERNEL_SECTOR, %eax
	mov %eax, packet_sector
	movw $BUFFER >> 4, packet_segment
	mov %ecx, %eax
	shl $9, %eax
	mov %eax, buffer_bytes
	call ata_read
	jnc 3f
	call to_real
	.code16
	call read_sectors
	calll to_protected
	.code32
3:	popal
	jmp fetch
1:	add $BUFFER, %esi
	ret

bad_image:
	mov $bad_kernel_image, %esi
	jmp fail32

not_enough_memory:
	mov kernel_end, %eax
	add $1023, %eax
	shr $10, %eax
	mov $needed_kib_end, %edi
	mov $10, %ecx
1:	xor %edx, %edx
	div %ecx
	add $'0', %dl
	dec %edi
	mov %dl, (%edi)
	test %eax, %eax
	jnz 1b
	mov %edi, %esi				# the digits, and what follows them, up to the text
	mov $needed_kib, %edi
2:	lodsb
	stosb
	test %al, %al
	jnz 2b
	mov $memory_message, %esi
	jmp fail32

	.balign 4
buffer_offset:
	.long 0
buffer_bytes:
	.long 0
first_header:
	.long 0
header_count:
	.long 0
kernel_end:
	.long 0
sum:
	.long 0
entry_found:
	.long 0
bad_kernel_image:
	.asciz "boot: bad kernel image\r\n"
memory_message:
	.ascii "boot: not enough memory: the kernel needs "
needed_kib:
	.fill 10, 1, ' '
needed_kib_end:
	.asciz " KiB\r\n"
