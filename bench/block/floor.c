/*
 * The least that a guest can do to read blocks: a modern virtio-blk device, polled, one ring, nothing checked but the
 * status. `make bench` takes its rate as the floor for the kernel's block path. Compiled by gcc -m32 -O2 -ffreestanding,
 * booted by -kernel (multiboot 1); the words size=, qd=, count=, pattern=rand|seq of its command line say what to read.
 */

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define RING_MAX 1024
#define DEPTH_MAX 128
#define BLOCK_BYTES_MAX 65536
#define SECTOR_BYTES 512
#define PM_TIMER_PORT 0x608 /* SeaBIOS puts it there on pc and q35 */
#define PM_TIMER_HZ 3579545
#define PM_TIMER_MASK 0xffffff
#define CALIBRATION_TICKS (PM_TIMER_HZ / 50)
#define EXIT_PORT 0xf4

struct descriptor {
	u64 address;
	u32 bytes;
	u16 flags, next;
};
enum { NEXT = 1, WRITE = 2 };

/* virtio 1.2, 4.1.4.3 */
struct common {
	volatile u32 device_feature_select, device_feature, driver_feature_select, driver_feature;
	volatile u16 config_vector, queue_count;
	volatile u8 status, generation;
	volatile u16 queue_select, queue_size, queue_vector, queue_enable, queue_notify_offset;
	volatile u32 descriptors[2], available[2], used[2];
};
enum { ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8 };
enum { EVENT_IDX = 1 << 29, VERSION_1 = 1 << 0 /* of the upper word */ };

static struct descriptor descriptors[RING_MAX] __attribute__((aligned(4096)));
static volatile u16 available[RING_MAX + 3] __attribute__((aligned(4096))); /* flags, idx, ring, used_event */
static volatile u32 used[2 * RING_MAX + 2] __attribute__((aligned(4096))); /* flags and idx, ring, avail_event */
static struct {
	u32 type, reserved;
	u64 sector;
} headers[DEPTH_MAX];
static volatile u8 statuses[DEPTH_MAX];
static u8 buffers[DEPTH_MAX][BLOCK_BYTES_MAX] __attribute__((aligned(4096)));

static struct common *common;
static volatile u16 *doorbell;
static volatile u32 *capacity;
static u32 ring_size;

static inline void out8(u16 port, u8 value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }
static inline void out32(u16 port, u32 value) { __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port)); }

static inline u32 in32(u16 port)
{
	u32 value;
	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline u64 tsc(void)
{
	u32 low, high;
	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (u64)high << 32 | low;
}

static void print(const char *text)
{
	while (*text) out8(0x3f8, *text++);
}

static void print_number(u32 value)
{
	char digits[11];
	int at = 10;
	digits[at] = 0;
	do digits[--at] = '0' + value % 10;
	while (value /= 10);
	print(digits + at);
}

static void __attribute__((noreturn)) end(const char *why)
{
	if (why) print("floor: "), print(why), print("\n");
	out8(EXIT_PORT, why ? 0x11 : 0x10);
	for (;;) __asm__ volatile("cli; hlt");
}

/* There is no library to divide 64 bits. The quotient fits in 32. */
static u32 divide(u64 value, u32 divisor)
{
	u32 quotient, remainder, high = value >> 32, low = value;
	__asm__("divl %4" : "=a"(quotient), "=d"(remainder) : "a"(low), "d"(high % divisor), "r"(divisor));
	return quotient;
}

static u32 config_read(u32 function, u32 offset)
{
	out32(0xcf8, 0x80000000 | function << 8 | (offset & ~3u));
	return in32(0xcfc) >> (offset & 3) * 8;
}

static void config_write(u32 function, u32 offset, u32 value)
{
	out32(0xcf8, 0x80000000 | function << 8 | offset);
	out32(0xcfc, value);
}

static u32 find_device(void)
{
	for (u32 function = 0; function < 256; function++) {
		u32 id = config_read(function, 0);
		if (id == 0x10011af4 || id == 0x10421af4) return function;
	}
	end("no virtio block device on bus 0");
}

static void open_device(u32 function)
{
	config_write(function, 4, config_read(function, 4) | 6);
	for (u32 at = config_read(function, 0x34) & 0xff; at; at = config_read(function, at + 1) & 0xff) {
		if ((config_read(function, at) & 0xff) != 9) continue;
		u32 type = config_read(function, at + 3) & 0xff, bar = config_read(function, at + 4) & 0xff;
		u32 address = (config_read(function, 0x10 + bar * 4) & ~15u) + config_read(function, at + 8);
		if (type == 1) common = (struct common *)address;
		if (type == 2) doorbell = (volatile u16 *)address; /* queue 0's is the first, whatever the multiplier */
		if (type == 4) capacity = (volatile u32 *)address;
	}
	if (!common || !doorbell || !capacity) end("no modern interface");
}

static void start_device(void)
{
	common->status = 0;
	while (common->status) {}
	common->status = ACKNOWLEDGE | DRIVER;
	common->device_feature_select = 0;
	if (!(common->device_feature & EVENT_IDX)) end("no EVENT_IDX");
	common->driver_feature_select = 0;
	common->driver_feature = EVENT_IDX;
	common->driver_feature_select = 1;
	common->driver_feature = VERSION_1;
	common->status = ACKNOWLEDGE | DRIVER | FEATURES_OK;
	common->queue_select = 0;
	ring_size = common->queue_size < RING_MAX ? common->queue_size : RING_MAX;
	common->queue_size = ring_size;
	common->descriptors[0] = (u32)descriptors;
	common->available[0] = (u32)available;
	common->used[0] = (u32)used;
	available[0] = 1; /* no interrupts */
	common->queue_enable = 1;
	common->status = ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK;
}

static u32 word(const char *line, const char *name, u32 otherwise)
{
	for (; *line; line++) {
		u32 at = 0, value = 0;
		while (name[at] && line[at] == name[at]) at++;
		if (name[at]) continue;
		for (const char *digit = line + at; *digit >= '0' && *digit <= '9'; digit++) value = value * 10 + *digit - '0';
		return value;
	}
	return otherwise;
}

static u32 random_state = 1;
static u32 next_random(void)
{
	return (random_state = random_state * 1664525 + 1013904223) >> 4;
}

/* By the ACPI timer, which is slow to read. */
static u32 measure_tsc_khz(void)
{
	u32 first = in32(PM_TIMER_PORT), ticks;
	u64 start = tsc();
	do ticks = (in32(PM_TIMER_PORT) - first) & PM_TIMER_MASK;
	while (ticks < CALIBRATION_TICKS);
	return divide((tsc() - start) * (PM_TIMER_HZ / 1000), ticks);
}

/* Refills as completions come: each is answered by the next request. Returns what it took of the time-stamp counter. */
static u64 run(u32 bytes, u32 depth, u32 count, u32 sequential)
{
	u32 block_sectors = bytes / SECTOR_BYTES, blocks = capacity[0] / block_sectors, next = 0;
	u32 available_index = 0, announced = 0, used_index = 0, submitted = 0, done = 0;
	u64 start = tsc();
	for (u32 i = 0; i < depth; i++) {
		descriptors[3 * i] = (struct descriptor){ (u32)&headers[i], 16, NEXT, 3 * i + 1 };
		descriptors[3 * i + 1] = (struct descriptor){ (u32)buffers[i], bytes, NEXT | WRITE, 3 * i + 2 };
		descriptors[3 * i + 2] = (struct descriptor){ (u32)&statuses[i], 1, WRITE, 0 };
	}
	while (done < count) {
		u16 now = ((volatile u16 *)used)[1];
		u32 first = submitted < depth ? depth - submitted : 0;
		while (first || used_index != now) {
			u32 slot = submitted;
			if (!first) {
				slot = used[1 + 2 * (used_index % ring_size)] / 3;
				if (statuses[slot]) end("a read failed");
				used_index = (u16)(used_index + 1);
				done++;
			} else first--;
			if (submitted == count) continue;
			headers[slot].sector = (u64)(sequential ? next++ % blocks : next_random() % blocks) * block_sectors;
			statuses[slot] = 0xff;
			available[2 + available_index % ring_size] = 3 * slot;
			available_index = (u16)(available_index + 1);
			submitted++;
		}
		if (available_index != announced) {
			__asm__ volatile("" : : : "memory");
			available[1] = available_index;
			__asm__ volatile("lock; addl $0, (%%esp)" : : : "memory");
			u16 event = *(volatile u16 *)&used[1 + 2 * ring_size];
			if ((u16)(available_index - event - 1) < (u16)(available_index - announced)) *doorbell = 0;
			announced = available_index;
		} else __asm__ volatile("pause" : : : "memory");
	}
	return tsc() - start;
}

void floor_main(u32 *multiboot)
{
	const char *line = multiboot[0] & 4 ? (const char *)multiboot[4] : "";
	u32 bytes = word(line, "size=", 4096), depth = word(line, "qd=", 1), count = word(line, "count=", 20000);
	u32 sequential = word(line, "pattern=seq", 1) == 0;
	open_device(find_device());
	start_device();
	if (bytes < SECTOR_BYTES || bytes > BLOCK_BYTES_MAX || depth < 1 || depth > DEPTH_MAX || 3 * depth > ring_size || count < depth)
		end("size, qd or count is out of range");
	u32 khz = measure_tsc_khz();
	u32 us = divide(run(bytes, depth, count, sequential), khz / 1000);
	print("BLK size=");
	print_number(bytes);
	print(" qd=");
	print_number(depth);
	print(" n=");
	print_number(count);
	print(" iops=");
	print_number(divide((u64)count * 1000000, us ? us : 1));
	print("\n");
	end(0);
}
