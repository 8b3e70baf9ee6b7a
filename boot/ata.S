# Reading by bus-master DMA where the BIOS says that the boot disk hangs on a PCI IDE controller. Firmware
# reads those by two bytes an I/O instruction: 35 ms for a kernel of 145 KiB in QEMU, where this takes less
# than 3. Whatever is not as expected, now or later, leaves the reading to INT 13h.
#
# EDD-3 (device path), ATA/ATAPI-6 (registers, READ DMA), Programming Interface for Bus Master IDE 1.0.

	.include "layout.inc"

# EDD-3 4.14: what INT 13h, function 48h, returns.
	.set PARAMETERS, HEADERS		# not in use yet
	.set PARAMETERS_BYTES, 74
	.set DPTE, 26				# far pointer: I/O base, control port (words), device bits (byte)
	.set PATH_KEY, 30
	.set HOST_BUS, 36
	.set INTERFACE, 40
	.set PCI_ADDRESS, 48			# bus, slot, function, channel

	.set PCI_CONFIG_ADDRESS, 0xcf8
	.set PCI_CONFIG_DATA, 0xcfc
	.set PCI_COMMAND, 4
	.set PCI_CLASS, 8
	.set PCI_BAR4, 0x20
	.set PCI_BUS_MASTER, 1 << 2
	.set IDE_BUS_MASTER_CLASS, 0x010180	# class, subclass, bit 7 of the programming interface

# ATA registers from the I/O base on.
	.set SECTOR_COUNT, 2
	.set LBA_LOW, 3
	.set DEVICE, 6
	.set COMMAND, 7
	.set READ_DMA, 0xc8
	.set NO_INTERRUPT, 1 << 1		# of the control port
	.set BUSY, 1 << 7
	.set FAULT, 1 << 5
	.set DATA_REQUEST, 1 << 3
	.set ERROR, 1

# Bus-master registers of a channel.
	.set MASTER_STATUS, 2
	.set MASTER_TABLE, 4
	.set MASTER_READ, 1 << 3
	.set MASTER_START, 1
	.set MASTER_ACTIVE, 1
	.set MASTER_ERROR, 1 << 1
	.set MASTER_CLEAR, 1 << 2 | 1 << 1

	.set POLLS, 1 << 22			# some seconds
	.set LAST_REGION, 1 << 31

	.section .loader, "ax"
	.globl find_ata, ata_read

# Sets `master` if the boot disk can be read so.
	.code16
find_ata:
	mov $PARAMETERS, %si
	movw $PARAMETERS_BYTES, (%si)
	mov boot_drive, %dl
	mov $0x48, %ah
	int $0x13
	jc 1f
	cmpw $0xbedd, PATH_KEY(%si)
	jne 1f
	cmpl $0x20494350, HOST_BUS(%si)		# "PCI "
	jne 1f
	cmpl $0x20415441, INTERFACE(%si)	# "ATA "
	jne 1f
	les DPTE(%si), %di
	mov %es:(%di), %ax
	mov %ax, ata_base
	mov %es:2(%di), %ax
	mov %ax, ata_control
	mov %es:4(%di), %al
	mov %al, ata_device
	xor %ax, %ax
	mov %ax, %es

	mov PCI_ADDRESS + 1(%si), %bl		# slot
	shl $3, %bl
	or PCI_ADDRESS + 2(%si), %bl		# function
	mov PCI_ADDRESS(%si), %bh		# bus
	or $0x800000, %ebx
	and $0x80ffff, %ebx
	shl $8, %ebx				# the configuration address (PCI 3.0, 3.2.2.3.2)
	mov $PCI_CLASS, %bl
	call read_pci
	shr $8, %eax
	and $0xffff80, %eax
	cmp $IDE_BUS_MASTER_CLASS, %eax
	jne 1f
	mov $PCI_COMMAND, %bl
	call read_pci
	or $PCI_BUS_MASTER, %ax
	out %ax, %dx
	mov $PCI_BAR4, %bl
	call read_pci
	test $1, %al				# I/O ports
	jz 1f
	and $0xfffc, %ax
	jz 1f
	movzbw PCI_ADDRESS + 3(%si), %cx
	and $1, %cx
	shl $3, %cx
	add %cx, %ax
	mov %ax, master
1:	ret

# The configuration register at %ebx in %eax; %dx is its data port.
read_pci:
	mov %ebx, %eax
	mov $PCI_CONFIG_ADDRESS, %dx
	out %eax, %dx
	mov $PCI_CONFIG_DATA, %dx
	in %dx, %eax
	ret

# Reads %ecx sectors from `packet_sector` on into the disk buffer. Sets CF if it has not. Keeps %ecx.
	.code32
ata_read:
	cmpw $0, master
	je failed
	push %ecx
	mov %ecx, %eax
	shl $9, %eax
	or $LAST_REGION, %eax
	mov %eax, region + 4
	mov master, %dx
	xor %eax, %eax
	out %al, %dx
	add $MASTER_STATUS, %edx
	mov $MASTER_CLEAR, %al
	out %al, %dx
	add $MASTER_TABLE - MASTER_STATUS, %edx
	mov $region, %eax
	out %eax, %dx
	sub $MASTER_TABLE, %edx
	mov $MASTER_READ, %al
	out %al, %dx

	mov ata_control, %dx
	mov $NO_INTERRUPT, %al
	out %al, %dx
	mov ata_base, %dx
	add $DEVICE, %edx
	mov packet_sector + 3, %al		# LBA bits 24 ... 27
	or ata_device, %al
	out %al, %dx
	call ata_wait
	jc 1f
	mov ata_base, %dx
	add $SECTOR_COUNT, %edx
	mov %cl, %al
	out %al, %dx
	mov packet_sector, %eax
	.rept 3					# LBA low, mid, high
	inc %edx
	out %al, %dx
	shr $8, %eax
	.endr
	add $COMMAND - LBA_LOW - 2, %edx
	mov $READ_DMA, %al
	out %al, %dx
	mov master, %dx
	mov $MASTER_READ | MASTER_START, %al
	out %al, %dx
	call ata_wait
1:	setc %cl
	mov master, %dx
	xor %eax, %eax
	out %al, %dx
	mov ata_base, %dx
	add $COMMAND, %edx
	in %dx, %al				# takes the drive's interrupt back
	mov ata_control, %dx
	xor %eax, %eax
	out %al, %dx				# interrupts again, as the BIOS has them
	shr $1, %cl				# CF
	pop %ecx
	jc failed
	ret
failed:	movw $0, master
	stc
	ret

# Waits until drive and bus master are idle. Sets CF if one has failed, or they never are. Keeps %ecx.
ata_wait:
	push %ecx
	mov $POLLS, %ecx
1:	mov master, %dx
	add $MASTER_STATUS, %edx
	in %dx, %al
	test $MASTER_ERROR, %al
	jnz 3f
	mov %al, %ah
	mov ata_control, %dx
	in %dx, %al
	test $BUSY, %al
	jnz 2f
	test $FAULT | ERROR, %al
	jnz 3f
	and $MASTER_ACTIVE, %ah
	and $DATA_REQUEST, %al
	or %ah, %al
	jz 4f
2:	loop 1b
3:	stc
4:	pop %ecx
	ret

	.balign 8
region:	.long BUFFER				# the one physical region: address, bytes
	.long 0
master:	.word 0					# I/O base of the channel's bus master; 0: not this way
ata_base:
	.word 0
ata_control:
	.word 0
ata_device:
	.byte 0
