# The boot block: sector 0 of the disk. It reads the loader, whose place build/image.ts has written into the
# packet below, to the address directly behind itself and jumps there. The loader uses its two services too:
# reading sectors, and saying on screen and serial line why the machine cannot boot.

	.include "layout.inc"

	.set COM1, 0x3f8
	.set COM1_LINE_STATUS, COM1 + 5
	.set LINE_POLLS, 1 << 18
	.set READ_TRIES, 3

	.section .boot, "ax"
	.code16
	.globl boot, read_sectors, fail, packet, packet_sector, packet_segment, kernel_bytes, boot_drive, kernel_sum

boot:	jmp start
	nop
	.org 0x5a				# some firmware patches a FAT parameter block at 3 ... 0x59

start:	cli
	xor %ax, %ax
	mov %ax, %ds
	mov %ax, %es
	mov %ax, %ss
	mov $STACK_TOP, %sp
	ljmp $0, $1f				# some firmware enters at 07c0:0000
1:	sti
	cld
	mov %dl, boot_drive
	mov packet_count, %cx
	call read_sectors
	mov $loader_segment << 4, %si
	mov packet_count, %cx
	shl $8, %cx				# in words
	xor %ax, %ax
1:	rol $1, %ax
	add (%si), %ax
	inc %si
	inc %si
	loop 1b
	cmp loader_sum, %ax
	je loader
	mov $bad_loader, %si
	jmp fail

# Reads %cx sectors as `packet` says (INT 13h extensions, function 42h: EDD-3 4.3). Does not return if the
# disk fails three times, with a reset before each new try.
read_sectors:
	mov $READ_TRIES, %bp
1:	mov %cx, packet_count			# a failed call changes it
	mov $packet, %si
	mov boot_drive, %dl
	mov $0x42, %ah
	int $0x13
	jc 2f
	ret
2:	mov %ah, %bl
	xor %ah, %ah
	mov boot_drive, %dl
	int $0x13
	dec %bp
	jnz 1b

	mov $status_digits, %di
	mov %bl, %al
	shr $4, %al
	call hex_digit
	mov %bl, %al
	and $15, %al
	mov $read_failed, %si
	push $fail				# hex_digit returns there

hex_digit:
	add $'0', %al
	cmp $'9', %al
	jbe 1f
	add $'a' - '9' - 1, %al
1:	stosb
	ret

# Shows the line at %si on screen and COM1, tells a test machine (isa-debug-exit), and halts.
fail:	mov $com1_setup, %bx
1:	mov (%bx), %al
	mov 1(%bx), %ah
	mov $COM1 >> 8, %dh
	mov %al, %dl
	mov %ah, %al
	out %al, %dx
	inc %bx
	inc %bx
	cmp $com1_setup_end, %bx
	jb 1b

2:	lodsb
	test %al, %al
	jz 4f
	push %ax
	mov $0x0e, %ah
	mov $7, %bx
	int $0x10
	pop %ax
	mov $COM1, %dx
	out %al, %dx
	mov $COM1_LINE_STATUS, %dx
	mov $LINE_POLLS, %ecx
3:	in %dx, %al
	test $0x40, %al				# transmitter empty
	addr32 loopz 3b
	jmp 2b

4:	mov $0x11, %al
	out %al, $0xf4
5:	cli
	hlt
	jmp 5b

# Register (low byte of the port) and value: 115200 baud, 8N1, FIFO on, no interrupts.
com1_setup:
	.byte 0xf9, 0x00,  0xfb, 0x80,  0xf8, 0x01,  0xf9, 0x00,  0xfb, 0x03,  0xfa, 0x07,  0xfc, 0x03
com1_setup_end:

read_failed:
	.ascii "boot: disk read failed, status 0x"
status_digits:
	.asciz "..\r\n"

bad_loader:
	.asciz "boot: bad boot loader\r\n"

boot_drive:
	.byte 0

# What build/image.ts fills in: the kernel file's size, the loader's length and sector, and their sums. The packet is
# the disk address packet of INT 13h, used again for the kernel.
	.org 0x1a4
kernel_bytes:
	.long 0
packet:	.byte 16, 0
packet_count:
	.word 0
	.word 0					# offset in the segment
packet_segment:
	.word loader_segment
packet_sector:
	.quad 0
kernel_sum:
	.long 0					# of what is loaded of it; where other disks have a random number
loader_sum:
	.word 0

# The partition table, written by build/image.ts too: some firmware boots only from a disk that has one.
	.org 0x1fe
	.word 0xaa55
	.set loader_segment, 0x7e00 >> 4
