# What tells a boot loader how to start the kernel: the multiboot 1 header, and the note for PVH.

	.include "layout.inc"

	.set MAGIC, 0x1badb002
	.set FLAGS, 0x00010002			# memory information wanted; the address fields below are valid

# Multiboot 0.6.96, 3.1. With the address fields the loader needs no ELF support: QEMU takes no ELF64.
	.section .multiboot, "a"
	.balign 4
multiboot_header:
	.long MAGIC
	.long FLAGS
	.long -(MAGIC + FLAGS)
	.long multiboot_header - KERNEL_BASE
	.long image_start - KERNEL_BASE		# load from the file's first byte on ...
	.long data_end - KERNEL_BASE		# ... up to here ...
	.long image_end - KERNEL_BASE		# ... and clear up to here
	.long multiboot_entry - KERNEL_BASE

# XEN_ELFNOTE_PHYS32_ENTRY: where PVH enters (pvh.S).
	.section .note.Xen, "a", @note
	.balign 4
	.long 4, 8, 18				# sizes of name and value, type
	.asciz "Xen"
	.quad pvh_entry - KERNEL_BASE
