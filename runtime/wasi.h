/* WASI preview 1: what the files wasi*.c share. Numbers are those of the witx files of wasi_snapshot_preview1. */
#ifndef YAOS_WASI_H
#define YAOS_WASI_H

#include <dirent.h>
#include <limits.h>
#include <sys/uio.h>

#include "yaosrt.h"

enum wasi_errno {
	WASI_SUCCESS = 0,
	WASI_E2BIG = 1,
	WASI_EACCES = 2,
	WASI_EAGAIN = 6,
	WASI_EBADF = 8,
	WASI_EBUSY = 10,
	WASI_EDQUOT = 19,
	WASI_EEXIST = 20,
	WASI_EFAULT = 21,
	WASI_EFBIG = 22,
	WASI_EILSEQ = 25,
	WASI_EINTR = 27,
	WASI_EINVAL = 28,
	WASI_EIO = 29,
	WASI_EISDIR = 31,
	WASI_ELOOP = 32,
	WASI_EMFILE = 33,
	WASI_EMLINK = 34,
	WASI_ENAMETOOLONG = 37,
	WASI_ENFILE = 41,
	WASI_ENODEV = 43,
	WASI_ENOENT = 44,
	WASI_ENOMEM = 48,
	WASI_ENOSPC = 51,
	WASI_ENOSYS = 52,
	WASI_ENOTDIR = 54,
	WASI_ENOTEMPTY = 55,
	WASI_ENOTSUP = 58,
	WASI_ENOTTY = 59,
	WASI_ENXIO = 60,
	WASI_EOVERFLOW = 61,
	WASI_EPERM = 63,
	WASI_EPIPE = 64,
	WASI_EROFS = 69,
	WASI_ESPIPE = 70,
	WASI_ETXTBSY = 74,
	WASI_EXDEV = 75,
	WASI_ENOTCAPABLE = 76,
};

enum wasi_rights {
	RIGHT_FD_DATASYNC = 1 << 0,
	RIGHT_FD_READ = 1 << 1,
	RIGHT_FD_SEEK = 1 << 2,
	RIGHT_FD_FDSTAT_SET_FLAGS = 1 << 3,
	RIGHT_FD_SYNC = 1 << 4,
	RIGHT_FD_TELL = 1 << 5,
	RIGHT_FD_WRITE = 1 << 6,
	RIGHT_FD_ADVISE = 1 << 7,
	RIGHT_FD_ALLOCATE = 1 << 8,
	RIGHT_PATH_CREATE_DIRECTORY = 1 << 9,
	RIGHT_PATH_CREATE_FILE = 1 << 10,
	RIGHT_PATH_LINK_SOURCE = 1 << 11,
	RIGHT_PATH_LINK_TARGET = 1 << 12,
	RIGHT_PATH_OPEN = 1 << 13,
	RIGHT_FD_READDIR = 1 << 14,
	RIGHT_PATH_READLINK = 1 << 15,
	RIGHT_PATH_RENAME_SOURCE = 1 << 16,
	RIGHT_PATH_RENAME_TARGET = 1 << 17,
	RIGHT_PATH_FILESTAT_GET = 1 << 18,
	RIGHT_PATH_FILESTAT_SET_SIZE = 1 << 19,
	RIGHT_PATH_FILESTAT_SET_TIMES = 1 << 20,
	RIGHT_FD_FILESTAT_GET = 1 << 21,
	RIGHT_FD_FILESTAT_SET_SIZE = 1 << 22,
	RIGHT_FD_FILESTAT_SET_TIMES = 1 << 23,
	RIGHT_PATH_SYMLINK = 1 << 24,
	RIGHT_PATH_REMOVE_DIRECTORY = 1 << 25,
	RIGHT_PATH_UNLINK_FILE = 1 << 26,
	RIGHT_POLL_FD_READWRITE = 1 << 27,
	RIGHTS_ALL = (1 << 28) - 1,
	/* What means something for a directory only, and for anything but a directory only. */
	RIGHTS_DIRECTORY = RIGHT_PATH_CREATE_DIRECTORY | RIGHT_PATH_CREATE_FILE | RIGHT_PATH_LINK_SOURCE |
			   RIGHT_PATH_LINK_TARGET | RIGHT_PATH_OPEN | RIGHT_FD_READDIR | RIGHT_PATH_READLINK |
			   RIGHT_PATH_RENAME_SOURCE | RIGHT_PATH_RENAME_TARGET | RIGHT_PATH_FILESTAT_GET |
			   RIGHT_PATH_FILESTAT_SET_SIZE | RIGHT_PATH_FILESTAT_SET_TIMES | RIGHT_PATH_SYMLINK |
			   RIGHT_PATH_REMOVE_DIRECTORY | RIGHT_PATH_UNLINK_FILE,
	RIGHTS_FILE = RIGHT_FD_READ | RIGHT_FD_SEEK | RIGHT_FD_TELL | RIGHT_FD_WRITE | RIGHT_FD_ALLOCATE |
		      RIGHT_FD_FILESTAT_SET_SIZE | RIGHT_FD_ADVISE,
};

enum wasi_filetype {
	FILETYPE_UNKNOWN = 0,
	FILETYPE_BLOCK_DEVICE = 1,
	FILETYPE_CHARACTER_DEVICE = 2,
	FILETYPE_DIRECTORY = 3,
	FILETYPE_REGULAR_FILE = 4,
	FILETYPE_SOCKET_STREAM = 6,
	FILETYPE_SYMBOLIC_LINK = 7,
};

enum { FDFLAG_APPEND = 1, FDFLAG_DSYNC = 2, FDFLAG_NONBLOCK = 4, FDFLAG_RSYNC = 8, FDFLAG_SYNC = 16 };
enum { FSTFLAG_ATIM = 1, FSTFLAG_ATIM_NOW = 2, FSTFLAG_MTIM = 4, FSTFLAG_MTIM_NOW = 8 };
enum { LOOKUP_SYMLINK_FOLLOW = 1 };

/* An open descriptor of the guest's. A free slot has fd -1. */
struct wasi_file {
	int fd;
	enum wasi_filetype type;
	uint64_t rights;
	/* Rights that files opened below this directory can have. */
	uint64_t inheriting;
	/* The directory's name for the guest, of a preopened one. */
	const char *preopen;
	/* Made by the first fd_readdir. */
	DIR *entries;
};

struct wasi {
	struct yaos_instance *instance;
	int argc;
	char **argv;
	struct wasi_file *files;
	uint32_t file_count;
};

/* A function of the module: `args` has the arguments, the result is an error number. */
#define WASI_FUNCTION(name)                                           \
	static enum wasi_errno do_##name(struct wasi *w, const uint64_t *args); \
	void yaos_wasi_##name(void *env, uint64_t *values)            \
	{                                                             \
		yaos_check_stack();                                   \
		values[0] = do_##name(env, values);                   \
	}                                                             \
	static enum wasi_errno do_##name(struct wasi *w, const uint64_t *args)

/* The error number for an errno of the host's; SUCCESS for 0. */
enum wasi_errno wasi_error(int error);
/* SUCCESS if result is not negative, else errno's. */
enum wasi_errno wasi_result(int64_t result);

/* The guest's bytes at `address`, null if they are not all in its memory. */
void *wasi_memory(struct wasi *w, uint64_t address, uint64_t bytes);
enum wasi_errno wasi_put32(struct wasi *w, uint64_t address, uint32_t value);
enum wasi_errno wasi_put64(struct wasi *w, uint64_t address, uint64_t value);

/* The guest's descriptor `fd`, if it has all of `rights`. */
enum wasi_errno wasi_file(struct wasi *w, uint64_t fd, uint64_t rights, struct wasi_file **file);
/* Puts `file` into the lowest free slot. */
enum wasi_errno wasi_file_add(struct wasi *w, const struct wasi_file *file, uint32_t *fd);
void wasi_file_close(struct wasi_file *file);
/* Finds out the type of `fd` and drops the rights that have no meaning for it. */
struct wasi_file wasi_file_of(int fd, uint64_t rights, uint64_t inheriting);

struct stat;
struct timespec;
/* Writes the guest's filestat structure. */
enum wasi_errno wasi_put_filestat(struct wasi *w, uint64_t address, const struct stat *st);
enum wasi_filetype wasi_filetype(unsigned mode);
/* The times of *_set_times; EINVAL if the flags contradict each other. */
enum wasi_errno wasi_times(uint64_t accessed_ns, uint64_t modified_ns, uint64_t flags, struct timespec times[2]);

/* Where a path leads: the directory that holds it, and its last part, which is never "..", has no slash, and is no
 * symbolic link if links were to be followed (unless one appeared since). */
enum { WASI_DEPTH_MAX = 256 };
struct wasi_place {
	int dir;
	char name[NAME_MAX + 1];
	/* The path ended with a slash. */
	bool must_be_directory;
	int depth;
	int fds[WASI_DEPTH_MAX];
};

/* Resolves a path of the guest's below directory `base` and never outside of it. On success the place must be
 * closed. */
enum wasi_errno wasi_resolve(int base, const char *path, bool follow, struct wasi_place *place);
void wasi_place_close(struct wasi_place *place);

#endif
