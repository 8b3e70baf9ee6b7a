# Opens address line 20, which the first PCs' successors keep shut so that addresses wrap at 1 MiB. Each way
# to do it works on some machines only: look first, then ask the BIOS, then the fast gate of port 0x92, then
# the keyboard controller, and look after each.

	.set FAST_GATE, 0x92
	.set KEYBOARD_DATA, 0x60
	.set KEYBOARD_STATUS, 0x64

	.section .loader, "ax"
	.code16
	.globl enable_a20

enable_a20:
	call a20_is_on
	jne 1f
	mov $0x2401, %ax
	int $0x15
	call a20_is_on
	jne 1f

	in $FAST_GATE, %al
	or $2, %al
	and $~1, %al				# bit 0 resets the machine
	out %al, $FAST_GATE
	call a20_is_on
	jne 1f

	call keyboard_ready
	mov $0xd1, %al				# write output port
	out %al, $KEYBOARD_STATUS
	call keyboard_ready
	mov $0xdf, %al				# A20 on, no reset
	out %al, $KEYBOARD_DATA
	call keyboard_ready
	xor %cx, %cx				# it may take a while: at most 65536 looks
2:	call a20_is_on
	loope 2b
	jne 1f
	mov $a20_stays_off, %si
	jmp fail
1:	ret

# Clears ZF if a word and the one 1 MiB above it are different memory: they differ, or do after a change.
a20_is_on:
	push %es
	mov $0xffff, %ax
	mov %ax, %es
	mov probe, %ax
	cmp %es:probe + 16, %ax
	jne 1f
	notw probe
	mov probe, %ax
	cmp %es:probe + 16, %ax
1:	pop %es
	ret

# Waits until the keyboard controller takes a byte, at most 65536 polls.
keyboard_ready:
	xor %cx, %cx
1:	in $KEYBOARD_STATUS, %al
	test $2, %al
	loopnz 1b
	ret

probe:	.word 0x5aa5
a20_stays_off:
	.asciz "boot: A20 line stays off\r\n"
