/*
 * The same reads by a Linux guest: the only program of an initial RAM disk that build/bench/linux.ts makes. It loads the
 * modules of virtio-blk, reads blocks of the first disk past the page cache with Linux's own asynchronous I/O, prints a
 * line like the kernel's for each argument DEPTH:COUNT, and switches off.
 */

#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define DEPTH_MAX 128
#define MODULES_MAX 100
#define DISK_WAIT_MS_MAX 10000
#define SIZE 4096

static int disk;
static unsigned long long disk_bytes;
static aio_context_t context;
static unsigned char *buffers;
static struct iocb blocks[DEPTH_MAX];

/** Ends the machine without the line that the benchmark waits for; what is wrong is in the log's last lines. */
static void fail(const char *what)
{
	printf("linux.c: %s: %m\n", what);
	reboot(RB_POWER_OFF);
	_exit(1);
}

/** /modules/00.ko, /modules/01.ko, ... */
static void load_modules(void)
{
	for (int i = 0; i < MODULES_MAX; i++) {
		char path[sizeof "/modules/00.ko"];
		snprintf(path, sizeof path, "/modules/%02d.ko", i);
		int file = open(path, O_RDONLY | O_CLOEXEC);
		if (file < 0)
			return;
		if (syscall(SYS_finit_module, file, "", 0) != 0)
			fail(path);
		close(file);
	}
}

/** The driver finds its disk beside us. */
static void open_disk(void)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	for (int ms = 0; (disk = open("/dev/vda", O_RDONLY | O_DIRECT)) < 0; ms++) {
		if (ms == DISK_WAIT_MS_MAX)
			fail("/dev/vda");
		nanosleep(&pause, NULL);
	}
	if (ioctl(disk, BLKGETSIZE64, &disk_bytes) != 0)
		fail("BLKGETSIZE64");
}

/** xorshift64: the same sectors in each run. */
static unsigned long long random_number(void)
{
	static unsigned long long state = 88172645463325252;
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

static void aim(struct iocb *block)
{
	block->aio_offset = random_number() % (disk_bytes / SIZE) * SIZE;
}

static void submit(struct iocb **list, long number)
{
	if (syscall(SYS_io_submit, context, number, list) != number)
		fail("io_submit");
}

static void check(const struct io_event *event)
{
	if (event->res != SIZE)
		fail("a read came back short");
}

/** Reads `count` blocks, `depth` in flight; the time in nanoseconds. */
static unsigned long long run(long depth, long count)
{
	struct iocb *list[DEPTH_MAX];
	struct io_event events[DEPTH_MAX];
	struct timespec start, end;
	long asked = 0;
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (long i = 0; i < depth && asked < count; i++, asked++) {
		aim(&blocks[i]);
		list[i] = &blocks[i];
	}
	submit(list, asked);
	for (long answered = 0; answered < count;) {
		long number = syscall(SYS_io_getevents, context, 1, depth, events, NULL);
		if (number < 1)
			fail("io_getevents");
		long again = 0;
		for (long i = 0; i < number; i++) {
			check(&events[i]);
			if (asked + again == count)
				continue;
			list[again] = (struct iocb *)events[i].obj;
			aim(list[again++]);
		}
		answered += number;
		asked += again;
		if (again > 0)
			submit(list, again);
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	return (end.tv_sec - start.tv_sec) * 1000000000ULL + end.tv_nsec - start.tv_nsec;
}

static void prepare(void)
{
	if (syscall(SYS_io_setup, DEPTH_MAX, &context) != 0)
		fail("io_setup");
	buffers = aligned_alloc(SIZE, DEPTH_MAX * SIZE);
	if (buffers == NULL)
		fail("no memory for the buffers");
	for (int i = 0; i < DEPTH_MAX; i++) {
		blocks[i] = (struct iocb){.aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = disk, .aio_nbytes = SIZE};
		blocks[i].aio_buf = (unsigned long)(buffers + i * SIZE);
	}
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	mkdir("/dev", 0755);
	if (mount("devtmpfs", "/dev", "devtmpfs", 0, NULL) != 0)
		fail("devtmpfs");
	load_modules();
	open_disk();
	prepare();
	for (int i = 1; i < argc; i++) {
		long depth, count;
		if (sscanf(argv[i], "%ld:%ld", &depth, &count) != 2 || depth < 1 || depth > DEPTH_MAX || count < 1)
			fail(argv[i]);
		unsigned long long ns = run(depth, count);
		printf("BLK size=%d qd=%ld n=%ld iops=%llu\n", SIZE, depth, count, count * 1000000000ULL / ns);
	}
	reboot(RB_POWER_OFF);
}
