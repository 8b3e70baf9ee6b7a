/* WASI preview 1: operations on paths below open directories. Each resolves its path to a place (wasi_resolve.c) and
 * then does its system call on that one name, which never follows a link. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wasi.h"

enum { OFLAG_CREAT = 1, OFLAG_DIRECTORY = 2, OFLAG_EXCL = 4, OFLAG_TRUNC = 8 };

/* Copies a path of the guest's, which another of its threads might change. */
static enum wasi_errno get_path(struct wasi *w, uint64_t address, uint64_t length, char path[PATH_MAX])
{
	const char *from = wasi_memory(w, address, length);
	if (from == NULL)
		return WASI_EFAULT;
	if (length >= PATH_MAX)
		return WASI_ENAMETOOLONG;
	memcpy(path, from, length);
	path[length] = '\0';
	return strlen(path) == length ? WASI_SUCCESS : WASI_EILSEQ;
}

/* The place of the path at `address` below the directory `fd`, which must have `rights`. */
static enum wasi_errno find(struct wasi *w, uint64_t fd, uint64_t rights, const uint64_t address_length[2],
			    bool follow, struct wasi_place *place)
{
	struct wasi_file *directory;
	char path[PATH_MAX];
	enum wasi_errno error = wasi_file(w, fd, 0, &directory);
	if (error == WASI_SUCCESS && directory->type != FILETYPE_DIRECTORY)
		error = WASI_ENOTDIR;
	if (error == WASI_SUCCESS)
		error = wasi_file(w, fd, rights, &directory);
	if (error == WASI_SUCCESS)
		error = get_path(w, address_length[0], address_length[1], path);
	return error == WASI_SUCCESS ? wasi_resolve(directory->fd, path, follow, place) : error;
}

static enum wasi_errno close_with(struct wasi_place *place, int64_t result)
{
	enum wasi_errno error = wasi_result(result);
	wasi_place_close(place);
	return error;
}

/* A path with a slash at its end must name a directory. */
static bool is_wrong_kind(const struct wasi_place *place)
{
	struct stat st;
	return place->must_be_directory && fstatat(place->dir, place->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       !S_ISDIR(st.st_mode);
}

/* Opening. */

static uint64_t rights_to_open(uint64_t oflags)
{
	uint64_t rights = RIGHT_PATH_OPEN;
	if (oflags & OFLAG_CREAT)
		rights |= RIGHT_PATH_CREATE_FILE;
	if (oflags & OFLAG_TRUNC)
		rights |= RIGHT_PATH_FILESTAT_SET_SIZE;
	return rights;
}

static int host_flags(uint64_t oflags, uint64_t rights, uint64_t fdflags)
{
	bool reads = rights & (RIGHT_FD_READ | RIGHT_FD_READDIR);
	bool writes = rights &
		      (RIGHT_FD_WRITE | RIGHT_FD_DATASYNC | RIGHT_FD_ALLOCATE | RIGHT_FD_FILESTAT_SET_SIZE);
	int flags = writes ? (reads ? O_RDWR : O_WRONLY) : O_RDONLY;
	flags |= oflags & OFLAG_CREAT ? O_CREAT : 0;
	flags |= oflags & OFLAG_DIRECTORY ? O_DIRECTORY : 0;
	flags |= oflags & OFLAG_EXCL ? O_EXCL : 0;
	flags |= oflags & OFLAG_TRUNC ? O_TRUNC : 0;
	flags |= fdflags & FDFLAG_APPEND ? O_APPEND : 0;
	flags |= fdflags & FDFLAG_NONBLOCK ? O_NONBLOCK : 0;
	flags |= fdflags & FDFLAG_DSYNC ? O_DSYNC : 0;
	flags |= fdflags & (FDFLAG_SYNC | FDFLAG_RSYNC) ? O_SYNC : 0;
	return flags | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC;
}

WASI_FUNCTION(path_open)
{
	uint64_t oflags = args[4], out = args[8];
	struct wasi_place place;
	struct wasi_file *directory;
	bool follow = args[1] & LOOKUP_SYMLINK_FOLLOW && !(oflags & OFLAG_EXCL);
	if (wasi_memory(w, out, 4) == NULL)
		return WASI_EFAULT;
	enum wasi_errno error = find(w, args[0], rights_to_open(oflags), &args[2], follow, &place);
	if (error != WASI_SUCCESS)
		return error;
	if (oflags & OFLAG_CREAT && (place.must_be_directory || oflags & OFLAG_DIRECTORY)) {
		wasi_place_close(&place); /* it makes files only */
		return place.must_be_directory ? WASI_EISDIR : WASI_EINVAL;
	}
	wasi_file(w, args[0], 0, &directory);
	uint64_t rights = args[5] & directory->inheriting, inheriting = args[6] & directory->inheriting;
	int flags = host_flags(oflags, rights, args[7]) | (place.must_be_directory ? O_DIRECTORY : 0);
	int fd = openat(place.dir, place.name, flags, 0666);
	error = close_with(&place, fd);
	if (error != WASI_SUCCESS)
		return error;
	struct wasi_file file = wasi_file_of(fd, rights, inheriting);
	uint32_t number;
	error = wasi_file_add(w, &file, &number);
	if (error != WASI_SUCCESS) {
		close(fd);
		return error;
	}
	return wasi_put32(w, out, number);
}

/* Attributes. */

WASI_FUNCTION(path_filestat_get)
{
	struct wasi_place place;
	struct stat st;
	bool follow = args[1] & LOOKUP_SYMLINK_FOLLOW;
	enum wasi_errno error = find(w, args[0], RIGHT_PATH_FILESTAT_GET, &args[2], follow, &place);
	if (error != WASI_SUCCESS)
		return error;
	error = close_with(&place, fstatat(place.dir, place.name, &st, AT_SYMLINK_NOFOLLOW));
	if (error != WASI_SUCCESS)
		return error;
	if (place.must_be_directory && !S_ISDIR(st.st_mode))
		return WASI_ENOTDIR;
	return wasi_put_filestat(w, args[4], &st);
}

WASI_FUNCTION(path_filestat_set_times)
{
	struct wasi_place place;
	struct timespec times[2];
	bool follow = args[1] & LOOKUP_SYMLINK_FOLLOW;
	enum wasi_errno error = wasi_times(args[4], args[5], args[6], times);
	if (error == WASI_SUCCESS)
		error = find(w, args[0], RIGHT_PATH_FILESTAT_SET_TIMES, &args[2], follow, &place);
	if (error != WASI_SUCCESS)
		return error;
	return close_with(&place, utimensat(place.dir, place.name, times, AT_SYMLINK_NOFOLLOW));
}

/* Directories, links and names. */

WASI_FUNCTION(path_create_directory)
{
	struct wasi_place place;
	enum wasi_errno error = find(w, args[0], RIGHT_PATH_CREATE_DIRECTORY, &args[1], false, &place);
	return error != WASI_SUCCESS ? error : close_with(&place, mkdirat(place.dir, place.name, 0777));
}

WASI_FUNCTION(path_remove_directory)
{
	struct wasi_place place;
	enum wasi_errno error = find(w, args[0], RIGHT_PATH_REMOVE_DIRECTORY, &args[1], false, &place);
	return error != WASI_SUCCESS ? error : close_with(&place, unlinkat(place.dir, place.name, AT_REMOVEDIR));
}

WASI_FUNCTION(path_unlink_file)
{
	struct wasi_place place;
	enum wasi_errno error = find(w, args[0], RIGHT_PATH_UNLINK_FILE, &args[1], false, &place);
	if (error != WASI_SUCCESS)
		return error;
	if (is_wrong_kind(&place)) {
		wasi_place_close(&place);
		return WASI_ENOTDIR;
	}
	return close_with(&place, unlinkat(place.dir, place.name, 0));
}

WASI_FUNCTION(path_rename)
{
	struct wasi_place from, to;
	enum wasi_errno error = find(w, args[0], RIGHT_PATH_RENAME_SOURCE, &args[1], false, &from);
	if (error != WASI_SUCCESS)
		return error;
	error = find(w, args[3], RIGHT_PATH_RENAME_TARGET, &args[4], false, &to);
	if (error == WASI_SUCCESS) {
		from.must_be_directory |= to.must_be_directory;
		bool wrong = is_wrong_kind(&from);
		error = close_with(&to, wrong ? 0 : renameat(from.dir, from.name, to.dir, to.name));
		if (wrong)
			error = WASI_ENOTDIR;
	}
	wasi_place_close(&from);
	return error;
}

WASI_FUNCTION(path_link)
{
	struct wasi_place from, to;
	bool follow = args[1] & LOOKUP_SYMLINK_FOLLOW;
	enum wasi_errno error = find(w, args[0], RIGHT_PATH_LINK_SOURCE, &args[2], follow, &from);
	if (error != WASI_SUCCESS)
		return error;
	error = find(w, args[4], RIGHT_PATH_LINK_TARGET, &args[5], false, &to);
	if (error == WASI_SUCCESS) {
		bool wrong = from.must_be_directory || to.must_be_directory;
		error = close_with(&to, wrong ? 0 : linkat(from.dir, from.name, to.dir, to.name, 0));
		if (wrong) /* directories have no further links */
			error = WASI_ENOENT;
	}
	wasi_place_close(&from);
	return error;
}

/* An absolute target would name something else for the guest than for the host. */
WASI_FUNCTION(path_symlink)
{
	struct wasi_place place;
	char target[PATH_MAX];
	enum wasi_errno error = get_path(w, args[0], args[1], target);
	if (error == WASI_SUCCESS && target[0] == '/')
		error = WASI_ENOTCAPABLE;
	if (error == WASI_SUCCESS)
		error = find(w, args[2], RIGHT_PATH_SYMLINK, &args[3], false, &place);
	if (error != WASI_SUCCESS)
		return error;
	if (place.must_be_directory) {
		wasi_place_close(&place);
		return WASI_ENOENT;
	}
	return close_with(&place, symlinkat(target, place.dir, place.name));
}

WASI_FUNCTION(path_readlink)
{
	struct wasi_place place;
	char target[PATH_MAX];
	uint8_t *to = wasi_memory(w, args[3], args[4]);
	if (to == NULL || wasi_memory(w, args[5], 4) == NULL)
		return WASI_EFAULT;
	enum wasi_errno error = find(w, args[0], RIGHT_PATH_READLINK, &args[1], false, &place);
	if (error != WASI_SUCCESS)
		return error;
	ssize_t length = readlinkat(place.dir, place.name, target, sizeof(target));
	error = close_with(&place, length);
	if (error != WASI_SUCCESS)
		return error;
	size_t copied = (size_t)length < args[4] ? (size_t)length : args[4];
	memcpy(to, target, copied);
	return wasi_put32(w, args[5], copied);
}
