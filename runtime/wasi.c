/* WASI preview 1: the guest's memory and descriptors, arguments, environment, clocks, random numbers, exit. Files are
 * in wasi_fd.c and wasi_path.c, waiting in wasi_poll.c, the program in wasi_main.c. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "wasi.h"

enum wasi_errno wasi_error(int error)
{
	static const struct {
		int host;
		enum wasi_errno guest;
	} map[] = {
		{ E2BIG, WASI_E2BIG },	     { EACCES, WASI_EACCES },	  { EAGAIN, WASI_EAGAIN },
		{ EBADF, WASI_EBADF },	     { EBUSY, WASI_EBUSY },	  { EDQUOT, WASI_EDQUOT },
		{ EEXIST, WASI_EEXIST },     { EFAULT, WASI_EFAULT },	  { EFBIG, WASI_EFBIG },
		{ EILSEQ, WASI_EILSEQ },     { EINTR, WASI_EINTR },	  { EINVAL, WASI_EINVAL },
		{ EIO, WASI_EIO },	     { EISDIR, WASI_EISDIR },	  { ELOOP, WASI_ELOOP },
		{ EMFILE, WASI_EMFILE },     { EMLINK, WASI_EMLINK },	  { ENAMETOOLONG, WASI_ENAMETOOLONG },
		{ ENFILE, WASI_ENFILE },     { ENODEV, WASI_ENODEV },	  { ENOENT, WASI_ENOENT },
		{ ENOMEM, WASI_ENOMEM },     { ENOSPC, WASI_ENOSPC },	  { ENOSYS, WASI_ENOSYS },
		{ ENOTDIR, WASI_ENOTDIR },   { ENOTEMPTY, WASI_ENOTEMPTY }, { EOPNOTSUPP, WASI_ENOTSUP },
		{ ENOTTY, WASI_ENOTTY },     { ENXIO, WASI_ENXIO },	  { EOVERFLOW, WASI_EOVERFLOW },
		{ EPERM, WASI_EPERM },	     { EPIPE, WASI_EPIPE },	  { EROFS, WASI_EROFS },
		{ ESPIPE, WASI_ESPIPE },     { ETXTBSY, WASI_ETXTBSY },	  { EXDEV, WASI_EXDEV },
	};
	if (error == 0)
		return WASI_SUCCESS;
	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		if (map[i].host == error)
			return map[i].guest;
	return WASI_EIO;
}

enum wasi_errno wasi_result(int64_t result)
{
	return result < 0 ? wasi_error(errno) : WASI_SUCCESS;
}

void *wasi_memory(struct wasi *w, uint64_t address, uint64_t bytes)
{
	const struct yaos_memory *memory = yaos_memory_get(w->instance);
	uint64_t size = memory != NULL ? __atomic_load_n(&memory->bytes, __ATOMIC_SEQ_CST) : 0;
	if (bytes > size || address > size - bytes || memory == NULL)
		return NULL;
	return memory->base + address;
}

enum wasi_errno wasi_put32(struct wasi *w, uint64_t address, uint32_t value)
{
	void *at = wasi_memory(w, address, sizeof(value));
	if (at == NULL)
		return WASI_EFAULT;
	memcpy(at, &value, sizeof(value));
	return WASI_SUCCESS;
}

enum wasi_errno wasi_put64(struct wasi *w, uint64_t address, uint64_t value)
{
	void *at = wasi_memory(w, address, sizeof(value));
	if (at == NULL)
		return WASI_EFAULT;
	memcpy(at, &value, sizeof(value));
	return WASI_SUCCESS;
}

/* Descriptors. */

enum wasi_errno wasi_file(struct wasi *w, uint64_t fd, uint64_t rights, struct wasi_file **file)
{
	if (fd >= w->file_count || w->files[fd].fd < 0)
		return WASI_EBADF;
	*file = &w->files[fd];
	return (w->files[fd].rights & rights) == rights ? WASI_SUCCESS : WASI_ENOTCAPABLE;
}

enum wasi_errno wasi_file_add(struct wasi *w, const struct wasi_file *file, uint32_t *fd)
{
	uint32_t slot = 0;
	while (slot < w->file_count && w->files[slot].fd >= 0)
		slot++;
	if (slot == w->file_count) {
		struct wasi_file *files = realloc(w->files, (slot + 1) * sizeof(*files));
		if (files == NULL)
			return WASI_ENOMEM;
		w->files = files;
		w->file_count = slot + 1;
	}
	w->files[slot] = *file;
	*fd = slot;
	return WASI_SUCCESS;
}

/* The program's own standard streams stay open: a trap is still to be reported. */
void wasi_file_close(struct wasi_file *file)
{
	if (file->entries != NULL)
		closedir(file->entries);
	if (file->fd > STDERR_FILENO)
		close(file->fd);
	*file = (struct wasi_file){ .fd = -1 };
}

enum wasi_filetype wasi_filetype(unsigned mode)
{
	switch (mode & S_IFMT) {
	case S_IFBLK:
		return FILETYPE_BLOCK_DEVICE;
	case S_IFCHR:
		return FILETYPE_CHARACTER_DEVICE;
	case S_IFDIR:
		return FILETYPE_DIRECTORY;
	case S_IFREG:
		return FILETYPE_REGULAR_FILE;
	case S_IFSOCK:
		return FILETYPE_SOCKET_STREAM;
	case S_IFLNK:
		return FILETYPE_SYMBOLIC_LINK;
	}
	return FILETYPE_UNKNOWN;
}

struct wasi_file wasi_file_of(int fd, uint64_t rights, uint64_t inheriting)
{
	struct stat st;
	enum wasi_filetype type = fstat(fd, &st) == 0 ? wasi_filetype(st.st_mode) : FILETYPE_UNKNOWN;
	if (type == FILETYPE_DIRECTORY)
		rights &= ~(uint64_t)RIGHTS_FILE;
	else
		rights &= ~(uint64_t)RIGHTS_DIRECTORY;
	/* What can't seek is a terminal for the C library. */
	if (type == FILETYPE_CHARACTER_DEVICE)
		rights &= ~(uint64_t)(RIGHT_FD_SEEK | RIGHT_FD_TELL);
	return (struct wasi_file){ .fd = fd, .type = type, .rights = rights, .inheriting = inheriting };
}

/* Arguments and environment: arrays of pointers into a block of NUL-terminated strings. */

static enum wasi_errno sizes_get(struct wasi *w, char **strings, const uint64_t *args)
{
	uint32_t count = 0, bytes = 0;
	for (; strings[count] != NULL; count++)
		bytes += strlen(strings[count]) + 1;
	enum wasi_errno error = wasi_put32(w, args[0], count);
	return error != WASI_SUCCESS ? error : wasi_put32(w, args[1], bytes);
}

static enum wasi_errno strings_get(struct wasi *w, char **strings, const uint64_t *args)
{
	uint64_t pointers = args[0], block = args[1];
	for (; *strings != NULL; strings++, pointers += 4) {
		size_t bytes = strlen(*strings) + 1;
		void *at = wasi_memory(w, block, bytes);
		if (at == NULL || wasi_put32(w, pointers, block) != WASI_SUCCESS)
			return WASI_EFAULT;
		memcpy(at, *strings, bytes);
		block += bytes;
	}
	return WASI_SUCCESS;
}

WASI_FUNCTION(args_sizes_get)
{
	return sizes_get(w, w->argv, args);
}

WASI_FUNCTION(args_get)
{
	return strings_get(w, w->argv, args);
}

WASI_FUNCTION(environ_sizes_get)
{
	return sizes_get(w, environ, args);
}

WASI_FUNCTION(environ_get)
{
	return strings_get(w, environ, args);
}

/* Clocks. */

static const clockid_t clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID,
				    CLOCK_THREAD_CPUTIME_ID };
enum { CLOCK_COUNT = sizeof(clocks) / sizeof(clocks[0]) };

static uint64_t nanoseconds(const struct timespec *t)
{
	return t->tv_sec * 1000000000ull + t->tv_nsec;
}

WASI_FUNCTION(clock_res_get)
{
	struct timespec t;
	if (args[0] >= CLOCK_COUNT)
		return WASI_EINVAL;
	if (clock_getres(clocks[args[0]], &t) < 0)
		return wasi_error(errno);
	return wasi_put64(w, args[1], nanoseconds(&t));
}

WASI_FUNCTION(clock_time_get)
{
	struct timespec t;
	if (args[0] >= CLOCK_COUNT)
		return WASI_EINVAL;
	if (clock_gettime(clocks[args[0]], &t) < 0)
		return wasi_error(errno);
	return wasi_put64(w, args[2], nanoseconds(&t));
}

/* The rest. */

WASI_FUNCTION(random_get)
{
	uint8_t *at = wasi_memory(w, args[0], args[1]);
	if (at == NULL)
		return WASI_EFAULT;
	for (uint64_t left = args[1]; left > 0;) {
		ssize_t got = getrandom(at, left, 0);
		if (got < 0 && errno != EINTR)
			return wasi_error(errno);
		if (got > 0) {
			at += got;
			left -= got;
		}
	}
	return WASI_SUCCESS;
}

WASI_FUNCTION(sched_yield)
{
	(void)w;
	(void)args;
	return wasi_result(sched_yield());
}

void yaos_wasi_proc_exit(void *env, uint64_t *values)
{
	(void)env;
	exit((int)values[0]);
}

/* Signals and sockets, which a program without descriptors for them cannot use. */
void yaos_wasi_unsupported(void *env, uint64_t *values)
{
	(void)env;
	values[0] = WASI_ENOSYS;
}
