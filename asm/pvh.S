# The PVH entry (Xen, docs/misc/pvh.pandoc): %ebx = hvm_start_info. QEMU's loader puts the memory map, which the
# start information points at, into page 0, and that is never mapped: so page 0 is copied behind the image
# and the pointer follows. Any other loader's map stays where it is.

	.include "layout.inc"

	.set MAGIC, 0x336ec578
	.set MEMORY_MAP, 40			# hvm_start_info.memmap_paddr, 64 bits

	.text
	.code32
	.globl pvh_entry

pvh_entry:
	cld
	cmpl $0, MEMORY_MAP + 4(%ebx)
	jne 1f
	cmpl $PAGE_BYTES, MEMORY_MAP(%ebx)
	jae 1f
	xor %esi, %esi
	mov $image_end - KERNEL_BASE, %edi
	addl %edi, MEMORY_MAP(%ebx)
	mov $PAGE_BYTES >> 2, %ecx
	rep movsl
1:	mov $MAGIC, %eax
	jmp enter
