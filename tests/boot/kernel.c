// The kernel of the boot tests: stands in for the translated code (docs/abi.md 7), prints what it finds on
// COM1, one fact a line, and ends by isa-debug-exit. An exception that a check provokes brings it back to
// that check by longjmp; any other is printed and ends the run.

#include <stdint.h>

typedef struct { uint64_t base, bytes, max_pages, flags; } Memory;
typedef struct {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t cr2, vector, error, rip, cs, rflags, rsp, ss;
} Frame;

#ifndef MEMORY_BYTES
#define MEMORY_BYTES 0x900000
#endif
#define LINEAR ((volatile uint8_t *)0)

Memory yaos_memory = { 0, MEMORY_BYTES, 0x2000, 0 };
#define TABLE(name) const uint32_t name[1] = { 1 }; const uint32_t name##_end[1] = { 2 }
TABLE(yaos_packed);
extern const char text_start[];

uint32_t x86_map(uint32_t virt, uint64_t phys, uint32_t bytes, uint32_t flags) __asm__("x86.map");
uint32_t x86_unmap(uint32_t virt, uint32_t bytes) __asm__("x86.unmap");
uint32_t x86_image_start(void) __asm__("x86.image_start");
uint32_t x86_image_end(void) __asm__("x86.image_end");
uint64_t x86_mapping(uint32_t address) __asm__("x86.mapping");
void x86_thread_new(uint32_t slot, uint32_t arg) __asm__("x86.thread_new");
void x86_thread_switch(uint32_t from, uint32_t to) __asm__("x86.thread_switch");
uint64_t x86_table(uint32_t which) __asm__("x86.table");
int32_t yaos_memory_grow(void *context, uint32_t pages);
void yaos_table_fill(uint64_t *at, uint64_t value, uint64_t n);
void *memmove(void *to, const void *from, uint64_t n);
void *memset(void *to, int byte, uint64_t n);

static void out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("out %0, %1" : : "a"(value), "Nd"(port));
}
static uint8_t in8(uint16_t port)
{
	uint8_t value;
	__asm__ volatile("in %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static void put_char(char c)
{
	out8(0x3f8, c);
	while (!(in8(0x3fd) & 0x40)) { }
}
static void put(const char *text)
{
	for (; *text; text++) {
		if (*text == '\n') put_char('\r');
		put_char(*text);
	}
}
static void hex(uint64_t value)
{
	char digits[17] = { 0 };
	int at = 16;
	do digits[--at] = "0123456789abcdef"[value & 15]; while (value >>= 4);
	put("0x");
	put(digits + at);
}
static void fact(const char *name, uint64_t value) { put(name); put(" "); hex(value); put("\n"); }

static void end(int status)
{
	out8(0xf4, status);
	for (;;) __asm__ volatile("cli; hlt");
}

// ---- exceptions -------------------------------------------------------------------------------------

static void *resume[5];
static volatile int expected;
static Frame seen;

void exception(uint32_t vector, uint32_t error, Frame *frame)
{
	if (!expected || vector != frame->vector || error != frame->error) {
		put("unexpected exception ");
		fact("", vector);
		fact("error", error);
		fact("rip", frame->rip);
		fact("rsp", frame->rsp);
		fact("cr2", frame->cr2);
		end(0x11);
	}
	seen = *frame;
	expected = 0;
	__builtin_longjmp(resume, 1);
}

#define PROVOKE(statement) \
	do { \
		expected = 1; \
		if (__builtin_setjmp(resume) == 0) { statement; expected = 0; seen.vector = 255; } \
	} while (0)

static void fault(const char *name)
{
	put(name);
	put(":");
	fact(" vector", seen.vector);
	fact("  error", seen.error);
	fact("  cr2", seen.cr2);
}

volatile uint8_t data_byte = 0xc3;

static volatile uint64_t depth_max = 1 << 20;

__attribute__((noinline)) static uint64_t recurse(uint64_t n)
{
	volatile uint64_t frame[32];
	frame[n & 31] = n;
	return n == depth_max ? 0 : recurse(n + 1) + frame[n & 31];
}

static void check_faults(void)
{
	PROVOKE((void)LINEAR[0x10]);
	fault("page 0");
	PROVOKE(*(volatile uint8_t *)text_start = 1);
	fault("write code");
	PROVOKE(*(volatile uint32_t *)yaos_packed = 1);
	fault("write constants");
	PROVOKE(((void (*)(void))&data_byte)());
	fault("run data");
	PROVOKE(((void (*)(void))yaos_packed)());
	fault("run constants");
	PROVOKE(((void (*)(void))0x2000)());
	fault("run linear memory");
	PROVOKE((void)LINEAR[x86_image_start()]);
	fault("image in the low zone");
	PROVOKE((void)LINEAR[x86_image_end() - 1]);
	fault("image's end in the low zone");
	PROVOKE((void)LINEAR[0x100000000]);
	fault("above 4 GiB");
	PROVOKE(LINEAR[0xf0000] = 1);
	fault("write firmware");
	PROVOKE(__asm__ volatile("ud2"));
	fact("ud2: vector", seen.vector);
	PROVOKE(__asm__ volatile("div %b0" : : "c"(0), "a"(1)));
	fact("div by zero: vector", seen.vector);
	fact("  rax", seen.rax & 0xffff);
	PROVOKE(__asm__ volatile("movabs $0x1122334455667788, %%r9; mov $0x99, %%r14d; mov $0x77, %%ebx; int3"
				 : : : "r9", "r14", "rbx"));
	fact("int3: vector", seen.vector);
	fact("  r9", seen.r9);
	fact("  r14", seen.r14);
	fact("  rbx", seen.rbx);
	PROVOKE(__asm__ volatile("int $2"));
	fact("nmi: vector", seen.vector);
	PROVOKE(recurse(0));
	fact("stack overflow: vector", seen.vector);
	uint64_t bottom = x86_table(4);
	fact("  rsp at the stack's bottom", seen.rsp - bottom + 512 < 1024);
	fact("  cr2 in the guard page", seen.cr2 < bottom && seen.cr2 >= bottom - 4096);
}

// ---- mappings ---------------------------------------------------------------------------------------

static void check_maps(void)
{
	volatile uint32_t *ram = (void *)0xa00000, *window = (void *)0xc0000000;
	ram[0] = 0x12345678;
	fact("nothing mapped", x86_mapping(0xc0000000));
	fact("map a window", x86_map(0xc0000000, 0xa00000, 4096, 1));
	fact("  entry", x86_mapping(0xc0000fff));
	fact("  reads", window[0]);
	window[1] = 0x9abcdef0;
	fact("  writes", ram[1]);
	fact("  read-only", x86_map(0xc0000000, 0xa00000, 4096, 0));
	PROVOKE(window[1] = 0);
	fault("  write");
	fact("map 2 MiB", x86_map(0xc0200000, 0xa00000, 0x200000, 1));
	fact("  entry", x86_mapping(0xc03fffff));
	fact("  reads", LINEAR[0xc0200004]);
	((volatile uint32_t *)0xb23000)[0] = 0x51;
	fact("  split it: unmap a page", x86_unmap(0xc0322000, 4096));
	PROVOKE((void)LINEAR[0xc0322000]);
	fault("  unmapped page");
	fact("  its neighbour", LINEAR[0xc0323000]);
	fact("  map the page to another", x86_map(0xc0322000, 0xb23000, 4096, 1));
	fact("  reads", LINEAR[0xc0322000]);
	fact("unmap all", x86_unmap(0xc0000000, 0x400000));
	PROVOKE((void)window[0]);
	fault("  gone");
	PROVOKE((void)LINEAR[0xc0323000]);
	fault("  gone");
	// By a page of 1 GiB where the processor has them (bit 9 says so), else by 512 pages.
	uint64_t entry;
	volatile uint32_t *near = (void *)0x80a00000;
	fact("map 1 GiB", x86_map(0x80000000, 0x40000000, 0x40000000, 1));
	entry = x86_mapping(0xbfffffff);
	fact("  entry", entry == 0x80000000400002e3 || entry == 0x800000007fe000e3);
	fact("  split it", x86_map(0x80a00000, 0xa00000, 4096, 1));
	fact("  reads", near[0]);
	fact("  its neighbour", x86_mapping(0x80a01000));
	fact("  before it", x86_mapping(0x809fffff));
	fact("  the last", x86_mapping(0xbfffffff));
	fact("  whole again", x86_map(0x80000000, 0x40000000, 0x40000000, 1));
	fact("  the same", x86_mapping(0xbfffffff) == entry);
	fact("  unmap", x86_unmap(0x80000000, 0x40000000));
	PROVOKE((void)near[0]);
	fault("  gone");
	fact("image refused", x86_map(0xc0000000, x86_image_start(), 4096, 0));
	fact("image's last page refused", x86_map(0xc0000000, x86_image_end() - 4096, 8192, 0));
	fact("frames over the image refused", x86_map(0xc0000000, 0, 0x1000000, 0));
	fact("behind the image", x86_map(0xc0000000, x86_image_end(), 4096, 0));
	fact("page 0 refused", x86_map(0, 0xa00000, 4096, 1));
	fact("odd address refused", x86_map(0xc0000010, 0xa00000, 4096, 1));
	fact("odd frame refused", x86_map(0xc0000000, 0xa00010, 4096, 1));
	fact("odd length refused", x86_map(0xc0000000, 0xa00000, 4095, 1));
	fact("empty refused", x86_map(0xc0000000, 0xa00000, 0, 1));
	fact("past 4 GiB refused", x86_map(0xfffff000, 0xa00000, 8192, 1));
	fact("the last page refused", x86_map(0xfffff000, 0xa00000, 4096, 1));
	fact("the page before it", x86_map(0xffffe000, 0xa00000, 4096, 1));
	fact("  reads", ((volatile uint32_t *)0xffffe000)[0]);
	fact("frame wraps refused", x86_map(0xc0000000, 0xfffffffffffff000, 8192, 1));
	fact("frame beyond the processor refused", x86_map(0xc0000000, 1ull << 52, 4096, 1));
	fact("flags refused", x86_map(0xc0000000, 0xa00000, 4096, 4));
	uint32_t left = 0;
	while (left < 100 && x86_map(0x40001000 + left * 0x200000, 0xa00000, 4096, 1) == 0) left++;
	fact("page tables ran out", left > 8 && left < 100);
	fact("  then", x86_map(0x40001000 + left * 0x200000, 0xa00000, 4096, 1));
	fact("  large pages still", x86_map(0x80000000, 0xa00000, 0x200000, 1));
}

// ---- memory -----------------------------------------------------------------------------------------

static void check_memory(void)
{
	uint64_t dirty = 0;
	for (uint64_t at = 0x800000; at < yaos_memory.bytes; at += 8) dirty |= *(volatile uint64_t *)at;
	fact("initial memory dirty", dirty);
	LINEAR[MEMORY_BYTES + 5] = 1;
	fact("grow", yaos_memory_grow(0, 1));
	fact("  zeroed", LINEAR[MEMORY_BYTES + 5]);
	fact("  bytes", yaos_memory.bytes);
	fact("grow too far", yaos_memory_grow(0, 0x1000));
	fact("grow by 4 G pages", yaos_memory_grow(0, 0xffffffff));
	fact("grow by none", yaos_memory_grow(0, 0));

	static uint8_t area[256], model[256];
	uint32_t random = 1, wrong = 0;
	for (int round = 0; round < 2000; round++) {
		random = random * 1664525 + 1013904223;
		uint32_t to = random >> 8 & 127, from = random >> 15 & 127, n = random >> 22 & 127;
		for (int i = 0; i < 256; i++) area[i] = model[i] = i * 7 + round;
		uint8_t copy[128];
		for (uint32_t i = 0; i < n; i++) copy[i] = model[from + i];
		for (uint32_t i = 0; i < n; i++) model[to + i] = round & 1 ? copy[i] : 0x5a;
		void *result = round & 1 ? memmove(area + to, area + from, n) : memset(area + to, 0x15a, n);
		wrong += result != area + to;
		for (int i = 0; i < 256; i++) wrong += area[i] != model[i];
	}
	fact("memmove, memset wrong", wrong);
	uint64_t cells[4] = { 1, 1, 1, 1 };
	yaos_table_fill(cells + 1, 0x123456789abcdef0, 2);
	fact("table fill", cells[0] == 1 && cells[1] == cells[2] && cells[2] == 0x123456789abcdef0 && cells[3] == 1);
}

// ---- threads and interrupts ---------------------------------------------------------------------------

#define CPUS 16 // whose own stacks come before the threads'
#define LAST 63

static volatile int turns;

void cpu_main(uint32_t number)
{
	fact("started as", number);
	end(0x11);
}

void thread_main(uint32_t arg)
{
	uint64_t rsp;
	__asm__ volatile("mov %%rsp, %0" : "=r"(rsp));
	fact("thread", arg);
	fact("  on its stack", rsp > x86_table(4) + LAST * x86_table(6) && rsp < x86_table(5) + LAST * x86_table(6));
	turns++;
	x86_thread_switch(LAST, 0);
	turns++;
	x86_thread_switch(LAST, 0);
	end(0x11);
}

static void check_threads(void)
{
	uint32_t number;
	__asm__ volatile("mov %%gs:0, %0" : "=r"(number));
	fact("CPU", number);
	uint64_t stride = x86_table(6), size = x86_table(5) - x86_table(4);
	fact("stack bytes", size);
	fact("guard bytes", stride - size);
	x86_thread_new(LAST, 0xcafe);
	x86_thread_switch(0, LAST);
	fact("turns", turns);
	register uint64_t kept __asm__("r12") = 0x1212;
	__asm__ volatile("" : "+r"(kept));
	x86_thread_switch(0, LAST);
	__asm__ volatile("" : "+r"(kept));
	fact("turns", turns);
	fact("kept r12", kept);
	PROVOKE(x86_thread_new(CPUS - 1, 0));
	fact("a CPU's slot: vector", seen.vector);
	PROVOKE(x86_thread_switch(0, LAST + 1));
	fact("slot 64: vector", seen.vector);
}

static volatile uint32_t ticks, last_vector, misaligned;

void interrupt(uint32_t vector)
{
	uint64_t here = (uint64_t)__builtin_frame_address(0);
	misaligned |= here & 15;
	// What the convention lets a callee destroy.
	__asm__ volatile("mov $-1, %%rax; mov %%rax, %%rcx; mov %%rax, %%rdx; mov %%rax, %%rsi; mov %%rax, %%r8;"
			 "mov %%rax, %%r9; mov %%rax, %%r10; mov %%rax, %%r11; pxor %%xmm0, %%xmm0; pxor %%xmm15, %%xmm15"
			 : : : "rax", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "xmm0", "xmm15");
	last_vector = vector;
	ticks++;
	if (vector == 32) out8(0x20, 0x20);
}

static void check_interrupts(void)
{
	static const uint8_t pic[][2] = {
		{ 0x20, 0x11 }, { 0x21, 32 }, { 0x21, 4 }, { 0x21, 1 }, { 0x21, 0xfe }, { 0xa1, 0xff }
	};
	static const uint8_t pit[][2] = { { 0x43, 0x30 }, { 0x40, 100 }, { 0x40, 0 } };  // once, in 84 us
	for (unsigned i = 0; i < sizeof pic / 2; i++) out8(pic[i][0], pic[i][1]);
	for (unsigned i = 0; i < sizeof pit / 2; i++) out8(pit[i][0], pit[i][1]);
	while (!ticks) __asm__ volatile("sti; hlt; cli");
	fact("timer: vector", last_vector);
	__asm__ volatile("int $0x80");
	fact("int: vector", last_vector);
	__asm__ volatile("int $0xff");
	fact("int: vector", last_vector);
	uint64_t sum, floats;
	__asm__ volatile("mov $1, %%eax; mov $2, %%ecx; mov $4, %%edx; mov $8, %%esi; mov $16, %%edi;"
			 "mov $32, %%r8d; mov $64, %%r9d; mov $128, %%r10d; mov $256, %%r11d;"
			 "cvtsi2sd %%r9, %%xmm0; cvtsi2sd %%r8, %%xmm15; push %%rbp; int $0x21; pop %%rbp;"
			 "add %%rcx, %%rax; add %%rdx, %%rax; add %%rsi, %%rax; add %%rdi, %%rax; add %%r8, %%rax;"
			 "add %%r9, %%rax; add %%r10, %%rax; add %%r11, %%rax; addsd %%xmm15, %%xmm0; cvtsd2si %%xmm0, %%rcx"
			 : "=a"(sum), "=c"(floats)
			 : : "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "xmm0", "xmm15", "memory");
	fact("registers kept", sum);
	fact("floats kept", floats);
	fact("stack misaligned", misaligned);
}

// ---- what the boot loader gave ---------------------------------------------------------------------------

typedef struct __attribute__((packed)) { uint32_t size; uint64_t base, length; uint32_t type; } Range;

static void check_info(uint32_t magic, uint32_t info)
{
	volatile uint32_t *words = (void *)(uint64_t)info;
	fact("magic", magic);
	if (magic == 0x2badb002) {
		put("loader ");
		put((char *)(uint64_t)words[16]);
		put("\ncommand line '");
		put((char *)(uint64_t)words[4]);
		put("'\n");
		fact("upper KiB", words[2]);
		for (uint32_t at = words[12]; at < words[12] + words[11];) {
			Range *range = (Range *)(uint64_t)at;
			put("range ");
			hex(range->base);
			put(" ");
			hex(range->length);
			fact("", range->type);
			at += range->size + 4;
		}
	} else {
		fact("start info", words[0]);
		put("command line '");
		put((char *)(uint64_t)words[6]);
		put("'\n");
		volatile uint64_t *map = (void *)(uint64_t)words[10];
		for (uint32_t i = 0; i < words[12]; i++) {
			put("range ");
			hex(map[i * 3]);
			put(" ");
			hex(map[i * 3 + 1]);
			fact("", map[i * 3 + 2]);
		}
	}
}

// A file that a test links in to make the kernel large.
extern const uint32_t padding[] __attribute__((weak)), padding_end[] __attribute__((weak));

static void check_padding(void)
{
	uint32_t sum = 0;
	for (const uint32_t *at = padding; at < padding_end; at++) sum = (sum ^ *at) * 16777619;
	fact("padding", sum);
}

static uint32_t init_calls;
static volatile uint64_t bss[100];
void yaos_init(void) { init_calls++; }

void kmain(uint32_t magic, uint32_t info)
{
	put("kmain\n");
	fact("init calls", init_calls);
	uint64_t dirty = 0;
	for (int i = 0; i < 100; i++) dirty |= bss[i];
	fact("bss dirty", dirty);
	uint64_t cr0, cr4;
	uint32_t efer, high;
	__asm__("mov %%cr0, %0; mov %%cr4, %1" : "=r"(cr0), "=r"(cr4));
	__asm__("rdmsr" : "=a"(efer), "=d"(high) : "c"(0xc0000080));
	fact("cr0", cr0);
	fact("cr4", cr4);
	fact("efer", efer);
	check_info(magic, info);
	check_padding();
	check_memory();
	check_faults();
	check_maps();
	check_threads();
	check_interrupts();
	put("done\n");
	end(0x10);
}
