# What the boot block loads: from BIOS and real mode to the kernel's 32-bit entry, step by step. The kernel
# is entered as a multiboot 1 loader does it, so that this path and QEMU's -kernel are the same to it.

	.include "layout.inc"

	.set MULTIBOOT_MAGIC, 0x2badb002
	.set MULTIBOOT_FLAGS, 1 | 2 | 4 | 64 | 512	# memory, boot device, command line, map, loader name

	.section .loader, "ax"
	.code16
	.globl loader, fail32

loader:	call check_cpu
	call enable_a20
	call read_memory_map
	mov %eax, map_bytes
	call find_ata
	mov boot_drive, %al
	mov %al, boot_device + 3
	calll to_protected

	.code32
	xor %eax, %eax
	call ram_end
	shr $10, %eax
	mov %eax, lower_kib
	mov $0x100000, %eax
	call ram_end
	mov %eax, %ebx
	sub $0x100000, %eax
	shr $10, %eax
	mov %eax, upper_kib
	call load_kernel			# %ebx: end of the RAM that starts at 1 MiB
	mov %eax, %ecx
	mov $MULTIBOOT_MAGIC, %eax
	mov $multiboot_info, %ebx
	jmp *%ecx

# Shows the line at %esi and halts.
fail32:	call to_real
	.code16
	jmp fail

# Multiboot 0.6.96, section 3.3.
	.balign 4
multiboot_info:
	.long MULTIBOOT_FLAGS
lower_kib:
	.long 0
upper_kib:
	.long 0
boot_device:
	.long 0x00ffffff			# the drive, no partition
	.long command_line
	.long 0, 0				# no modules
	.long 0, 0, 0, 0			# no symbols
map_bytes:
	.long 0
	.long MEMORY_MAP
	.long 0, 0, 0				# no drives, no configuration table
	.long loader_name
loader_name:
	.ascii "yaos boot"
command_line:
	.byte 0
