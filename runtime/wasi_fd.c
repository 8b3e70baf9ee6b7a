/* WASI preview 1: operations on open descriptors. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wasi.h"

/* More buffers than this are read or written in part, which callers must expect anyway. */
#define BUFFERS_MAX 1024

/* The witx structures, as they lie in memory. */
struct fdstat {
	uint8_t filetype;
	uint16_t flags;
	uint64_t rights;
	uint64_t inheriting;
};
struct filestat {
	uint64_t device;
	uint64_t inode;
	uint8_t filetype;
	uint64_t links;
	uint64_t size;
	uint64_t accessed_ns;
	uint64_t modified_ns;
	uint64_t changed_ns;
};
struct dirent_head {
	uint64_t next;
	uint64_t inode;
	uint32_t name_length;
	uint8_t filetype;
};
_Static_assert(sizeof(struct fdstat) == 24 && sizeof(struct filestat) == 64 && sizeof(struct dirent_head) == 24,
	       "witx layout");

static enum wasi_errno put(struct wasi *w, uint64_t address, const void *value, size_t bytes)
{
	void *at = wasi_memory(w, address, bytes);
	if (at == NULL)
		return WASI_EFAULT;
	memcpy(at, value, bytes);
	return WASI_SUCCESS;
}

/* Reading and writing. */

struct buffers {
	struct iovec at[BUFFERS_MAX];
	int count;
};

/* Checks the guest's list of buffers, and that the number of bytes can be stored afterwards. */
static enum wasi_errno get_buffers(struct wasi *w, uint64_t list, uint64_t count, uint64_t out, struct buffers *b)
{
	b->count = count < BUFFERS_MAX ? count : BUFFERS_MAX;
	const uint8_t *from = wasi_memory(w, list, count * 8);
	if (from == NULL || wasi_memory(w, out, 4) == NULL)
		return WASI_EFAULT;
	for (int i = 0; i < b->count; i++, from += 8) {
		uint32_t address_length[2];
		memcpy(address_length, from, 8);
		void *at = wasi_memory(w, address_length[0], address_length[1]);
		if (at == NULL)
			return WASI_EFAULT;
		b->at[i] = (struct iovec){ at, address_length[1] };
	}
	return WASI_SUCCESS;
}

static enum wasi_errno put_transferred(struct wasi *w, uint64_t out, ssize_t bytes)
{
	return bytes < 0 ? wasi_error(errno) : wasi_put32(w, out, bytes);
}

WASI_FUNCTION(fd_read)
{
	struct wasi_file *f;
	struct buffers b;
	enum wasi_errno error = wasi_file(w, args[0], RIGHT_FD_READ, &f);
	if (error == WASI_SUCCESS)
		error = get_buffers(w, args[1], args[2], args[3], &b);
	if (error != WASI_SUCCESS)
		return error;
	return put_transferred(w, args[3], readv(f->fd, b.at, b.count));
}

WASI_FUNCTION(fd_write)
{
	struct wasi_file *f;
	struct buffers b;
	enum wasi_errno error = wasi_file(w, args[0], RIGHT_FD_WRITE, &f);
	if (error == WASI_SUCCESS)
		error = get_buffers(w, args[1], args[2], args[3], &b);
	if (error != WASI_SUCCESS)
		return error;
	return put_transferred(w, args[3], writev(f->fd, b.at, b.count));
}

WASI_FUNCTION(fd_pread)
{
	struct wasi_file *f;
	struct buffers b;
	enum wasi_errno error = wasi_file(w, args[0], RIGHT_FD_READ | RIGHT_FD_SEEK, &f);
	if (error == WASI_SUCCESS)
		error = get_buffers(w, args[1], args[2], args[4], &b);
	if (error != WASI_SUCCESS)
		return error;
	return put_transferred(w, args[4], preadv(f->fd, b.at, b.count, args[3]));
}

WASI_FUNCTION(fd_pwrite)
{
	struct wasi_file *f;
	struct buffers b;
	enum wasi_errno error = wasi_file(w, args[0], RIGHT_FD_WRITE | RIGHT_FD_SEEK, &f);
	if (error == WASI_SUCCESS)
		error = get_buffers(w, args[1], args[2], args[4], &b);
	if (error != WASI_SUCCESS)
		return error;
	return put_transferred(w, args[4], pwritev(f->fd, b.at, b.count, args[3]));
}

WASI_FUNCTION(fd_seek)
{
	struct wasi_file *f;
	bool only_tells = args[1] == 0 && args[2] == SEEK_CUR;
	enum wasi_errno error = wasi_file(w, args[0], only_tells ? RIGHT_FD_TELL : RIGHT_FD_SEEK, &f);
	if (error != WASI_SUCCESS)
		return error;
	if (args[2] > SEEK_END)
		return WASI_EINVAL;
	off_t at = lseek(f->fd, args[1], args[2]);
	return at < 0 ? wasi_error(errno) : wasi_put64(w, args[3], at);
}

WASI_FUNCTION(fd_tell)
{
	struct wasi_file *f;
	enum wasi_errno error = wasi_file(w, args[0], RIGHT_FD_TELL, &f);
	if (error != WASI_SUCCESS)
		return error;
	off_t at = lseek(f->fd, 0, SEEK_CUR);
	return at < 0 ? wasi_error(errno) : wasi_put64(w, args[1], at);
}

/* The descriptor table. */

WASI_FUNCTION(fd_close)
{
	struct wasi_file *f;
	enum wasi_errno error = wasi_file(w, args[0], 0, &f);
	if (error == WASI_SUCCESS)
		wasi_file_close(f);
	return error;
}

WASI_FUNCTION(fd_renumber)
{
	struct wasi_file *from, *to;
	enum wasi_errno error = wasi_file(w, args[0], 0, &from);
	if (error == WASI_SUCCESS)
		error = wasi_file(w, args[1], 0, &to);
	if (error != WASI_SUCCESS || from == to)
		return error;
	wasi_file_close(to);
	*to = *from;
	*from = (struct wasi_file){ .fd = -1 };
	return WASI_SUCCESS;
}

WASI_FUNCTION(fd_prestat_get)
{
	struct wasi_file *f;
	enum wasi_errno error = wasi_file(w, args[0], 0, &f);
	if (error == WASI_SUCCESS && f->preopen == NULL)
		error = WASI_EBADF;
	if (error != WASI_SUCCESS)
		return error;
	uint32_t directory_length[2] = { 0, strlen(f->preopen) };
	return put(w, args[1], directory_length, sizeof(directory_length));
}

WASI_FUNCTION(fd_prestat_dir_name)
{
	struct wasi_file *f;
	enum wasi_errno error = wasi_file(w, args[0], 0, &f);
	if (error == WASI_SUCCESS && f->preopen == NULL)
		error = WASI_EBADF;
	if (error != WASI_SUCCESS)
		return error;
	size_t length = strlen(f->preopen);
	return args[2] < length ? WASI_ENAMETOOLONG : put(w, args[1], f->preopen, length);
}

/* Flags and rights. */

static uint16_t fdflags(int host)
{
	uint16_t flags = 0;
	if (host & O_APPEND)
		flags |= FDFLAG_APPEND;
	if (host & O_NONBLOCK)
		flags |= FDFLAG_NONBLOCK;
	if ((host & O_SYNC) == O_SYNC)
		flags |= FDFLAG_SYNC | FDFLAG_RSYNC;
	if (host & O_DSYNC)
		flags |= FDFLAG_DSYNC;
	return flags;
}

WASI_FUNCTION(fd_fdstat_get)
{
	struct wasi_file *f;
	enum wasi_errno error = wasi_file(w, args[0], 0, &f);
	if (error != WASI_SUCCESS)
		return error;
	int flags = fcntl(f->fd, F_GETFL);
	if (flags < 0)
		return wasi_error(errno);
	struct fdstat stat = { f->type, fdflags(flags), f->rights, f->inheriting };
	return put(w, args[1], &stat, sizeof(stat));
}

/* Linux can change neither kind of synchronisation of an open file. */
WASI_FUNCTION(fd_fdstat_set_flags)
{
	struct wasi_file *f;
	enum wasi_errno error = wasi_file(w, args[0], RIGHT_FD_FDSTAT_SET_FLAGS, &f);
	if (error != WASI_SUCCESS)
		return error;
	int old = fcntl(f->fd, F_GETFL);
	if (old < 0)
		return wasi_error(errno);
	uint16_t fixed = FDFLAG_DSYNC | FDFLAG_RSYNC | FDFLAG_SYNC;
	if ((fdflags(old) ^ args[1]) & fixed)
		return WASI_ENOTSUP;
	int flags = old & ~(O_APPEND | O_NONBLOCK);
	flags |= args[1] & FDFLAG_APPEND ? O_APPEND : 0;
	flags |= args[1] & FDFLAG_NONBLOCK ? O_NONBLOCK : 0;
	return wasi_result(fcntl(f->fd, F_SETFL, flags));
}

WASI_FUNCTION(fd_fdstat_set_rights)
{
	struct wasi_file *f;
	enum wasi_errno error = wasi_file(w, args[0], args[1], &f);
	if (error == WASI_SUCCESS && args[2] & ~f->inheriting)
		error = WASI_ENOTCAPABLE;
	if (error != WASI_SUCCESS)
		return error;
	f->rights = args[1];
	f->inheriting = args[2];
	return WASI_SUCCESS;
}

/* Attributes. */

static uint64_t nanoseconds(const struct timespec *t)
{
	return t->tv_sec * 1000000000ull + t->tv_nsec;
}

enum wasi_errno wasi_put_filestat(struct wasi *w, uint64_t address, const struct stat *st)
{
	struct filestat stat = {
		.device = st->st_dev,
		.inode = st->st_ino,
		.filetype = wasi_filetype(st->st_mode),
		.links = st->st_nlink,
		.size = st->st_size,
		.accessed_ns = nanoseconds(&st->st_atim),
		.modified_ns = nanoseconds(&st->st_mtim),
		.changed_ns = nanoseconds(&st->st_ctim),
	};
	return put(w, address, &stat, sizeof(stat));
}

static enum wasi_errno choose_time(uint64_t ns, bool set, bool now, struct timespec *t)
{
	if (set && now)
		return WASI_EINVAL;
	*t = (struct timespec){ .tv_nsec = now ? UTIME_NOW : UTIME_OMIT };
	if (set)
		*t = (struct timespec){ ns / 1000000000, ns % 1000000000 };
	return WASI_SUCCESS;
}

enum wasi_errno wasi_times(uint64_t accessed_ns, uint64_t modified_ns, uint64_t flags, struct timespec times[2])
{
	enum wasi_errno error =
		choose_time(accessed_ns, flags & FSTFLAG_ATIM, flags & FSTFLAG_ATIM_NOW, &times[0]);
	if (error != WASI_SUCCESS)
		return error;
	return choose_time(modified_ns, flags & FSTFLAG_MTIM, flags & FSTFLAG_MTIM_NOW, &times[1]);
}

WASI_FUNCTION(fd_filestat_get)
{
	struct wasi_file *f;
	struct stat st;
	enum wasi_errno error = wasi_file(w, args[0], RIGHT_FD_FILESTAT_GET, &f);
	if (error != WASI_SUCCESS)
		return error;
	return fstat(f->fd, &st) < 0 ? wasi_error(errno) : wasi_put_filestat(w, args[1], &st);
}

WASI_FUNCTION(fd_filestat_set_size)
{
	struct wasi_file *f;
	enum wasi_errno error = wasi_file(w, args[0], RIGHT_FD_FILESTAT_SET_SIZE, &f);
	return error != WASI_SUCCESS ? error : wasi_result(ftruncate(f->fd, args[1]));
}

WASI_FUNCTION(fd_filestat_set_times)
{
	struct wasi_file *f;
	struct timespec times[2];
	enum wasi_errno error = wasi_file(w, args[0], RIGHT_FD_FILESTAT_SET_TIMES, &f);
	if (error == WASI_SUCCESS)
		error = wasi_times(args[1], args[2], args[3], times);
	return error != WASI_SUCCESS ? error : wasi_result(futimens(f->fd, times));
}

WASI_FUNCTION(fd_allocate)
{
	struct wasi_file *f;
	enum wasi_errno error = wasi_file(w, args[0], RIGHT_FD_ALLOCATE, &f);
	return error != WASI_SUCCESS ? error : wasi_error(posix_fallocate(f->fd, args[1], args[2]));
}

WASI_FUNCTION(fd_advise)
{
	static const int advice[] = { POSIX_FADV_NORMAL,   POSIX_FADV_SEQUENTIAL, POSIX_FADV_RANDOM,
				      POSIX_FADV_WILLNEED, POSIX_FADV_DONTNEED,   POSIX_FADV_NOREUSE };
	struct wasi_file *f;
	enum wasi_errno error = wasi_file(w, args[0], RIGHT_FD_ADVISE, &f);
	if (error != WASI_SUCCESS)
		return error;
	if (args[3] >= sizeof(advice) / sizeof(advice[0]))
		return WASI_EINVAL;
	return wasi_error(posix_fadvise(f->fd, args[1], args[2], advice[args[3]]));
}

WASI_FUNCTION(fd_sync)
{
	struct wasi_file *f;
	enum wasi_errno error = wasi_file(w, args[0], RIGHT_FD_SYNC, &f);
	return error != WASI_SUCCESS ? error : wasi_result(fsync(f->fd));
}

WASI_FUNCTION(fd_datasync)
{
	struct wasi_file *f;
	enum wasi_errno error = wasi_file(w, args[0], RIGHT_FD_DATASYNC, &f);
	return error != WASI_SUCCESS ? error : wasi_result(fdatasync(f->fd));
}

/* Directories. */

/* Opens the directory's entries at `cookie`: 0 or where the host said that an entry ends. */
static enum wasi_errno open_entries(struct wasi_file *f, uint64_t cookie)
{
	if (f->entries == NULL) {
		int fd = openat(f->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return wasi_error(errno);
		f->entries = fdopendir(fd);
		if (f->entries == NULL) {
			close(fd);
			return WASI_ENOMEM;
		}
	}
	if (cookie == 0)
		rewinddir(f->entries);
	else
		seekdir(f->entries, cookie);
	return WASI_SUCCESS;
}

static enum wasi_filetype entry_type(DIR *entries, const struct dirent *entry)
{
	struct stat st;
	if (entry->d_type != DT_UNKNOWN)
		return wasi_filetype(DTTOIF(entry->d_type));
	if (fstatat(dirfd(entries), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return FILETYPE_UNKNOWN;
	return wasi_filetype(st.st_mode);
}

static size_t append(uint8_t *to, size_t used, size_t room, const void *from, size_t bytes)
{
	size_t fits = bytes < room - used ? bytes : room - used;
	memcpy(to + used, from, fits);
	return used + fits;
}

/* Fills the buffer; a last entry that does not fit is cut off, which tells the guest that there is more. */
WASI_FUNCTION(fd_readdir)
{
	struct wasi_file *f;
	enum wasi_errno error = wasi_file(w, args[0], RIGHT_FD_READDIR, &f);
	uint8_t *to = wasi_memory(w, args[1], args[2]);
	if (error == WASI_SUCCESS && to == NULL)
		error = WASI_EFAULT;
	if (error == WASI_SUCCESS)
		error = open_entries(f, args[3]);
	if (error != WASI_SUCCESS)
		return error;
	size_t used = 0;
	while (used < args[2]) {
		errno = 0;
		const struct dirent *entry = readdir(f->entries);
		if (entry == NULL && errno != 0)
			return wasi_error(errno);
		if (entry == NULL)
			break;
		struct dirent_head head = { telldir(f->entries), entry->d_ino, strlen(entry->d_name),
					    entry_type(f->entries, entry) };
		used = append(to, used, args[2], &head, sizeof(head));
		used = append(to, used, args[2], entry->d_name, head.name_length);
	}
	return wasi_put32(w, args[4], used);
}
