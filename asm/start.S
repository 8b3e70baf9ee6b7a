# The first 64-bit code, at its linked address: descriptor tables, the low zone's first mappings (docs/abi.md,
# section 8), linear memory cleared, then the translated code: yaos_init and kmain.

	.include "layout.inc"

	.set EXTENDED_MEMORY, 0xc0000		# option ROMs and firmware: PVH's start_info, ACPI, SMBIOS
	.set BASE_MEMORY_END, 0xa0000
	.set FIRST_MIB, 0x100000

	.cfi_sections .debug_frame
	.text
	.globl start, set_up_cpu

start:	.cfi_startproc
	.cfi_undefined rip			# the outermost frame
	mov $boot_stack_top, %rsp
	mov $low_directories - KERNEL_BASE + PRESENT + WRITABLE, %eax
	mov %rax, low_directory_pointers(%rip)
	mov %cr3, %rax
	mov %rax, %cr3				# forget the image at its physical address
	call make_idt
	xor %edi, %edi
	call set_up_cpu
	call set_paging_limits

	mov $PAGE_BYTES, %edi
	mov $BASE_MEMORY_END, %edx
	mov $MAP_WRITABLE, %ecx
	call map_identity
	mov $EXTENDED_MEMORY, %edi
	mov $FIRST_MIB, %edx
	xor %ecx, %ecx
	call map_identity
	mov $image_end - KERNEL_BASE, %edi
	mov $LOW_ZONE_MAPPED, %edx
	mov $MAP_WRITABLE, %ecx
	call map_identity

	call clear_linear_memory
	call yaos_init
	mov boot_magic(%rip), %edi
	mov boot_info(%rip), %esi
	call kmain
	ud2
	.cfi_endproc

# A CPU's own registers; it becomes number %edi.
set_up_cpu:
	call load_gdt
	lidt idt_pointer(%rip)
	fninit
	ldmxcsr initial_mxcsr(%rip)
	ret

# Maps %edi up to %edx with the flags %ecx.
map_identity:
	mov %edi, %esi
	sub %edi, %edx
	call x86.map
	test %eax, %eax
	jz 1f
	ud2
1:	ret

# The module's initial memory, as far as it holds the module's own data, is zero (WebAssembly core 4.5.3.3);
# RAM need not be after a warm start.
clear_linear_memory:
	mov $KERNEL_HIGHEST, %edi
	mov yaos_memory + 8(%rip), %rcx
	sub %rdi, %rcx
	jbe 1f
	shr $3, %rcx
	xor %eax, %eax
	rep stosq
1:	ret

	.section .rodata
	.balign 4
initial_mxcsr:
	.long 0x1f80				# all exceptions masked, round to nearest
