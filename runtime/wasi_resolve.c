/* The WASI sandbox: resolves a path below a directory one component at a time. Every step opens one name without
 * following links; links are read and resolved here, and ".." goes back to a directory that the walk itself came
 * through. So no path, link or concurrent rename can lead outside. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "wasi.h"

#define LINKS_MAX 40

struct walk {
	struct wasi_place *place;
	int base;
	bool follow;
	int links;
	/* What remains of the path; links are put in front of the rest. */
	char text[2 * PATH_MAX];
	char *at;
};

static int current_directory(const struct walk *w)
{
	return w->place->depth > 0 ? w->place->fds[w->place->depth - 1] : w->base;
}

void wasi_place_close(struct wasi_place *place)
{
	while (place->depth > 0)
		close(place->fds[--place->depth]);
}

static enum wasi_errno go_up(struct walk *w)
{
	if (w->place->depth == 0)
		return WASI_ENOTCAPABLE;
	close(w->place->fds[--w->place->depth]);
	return WASI_SUCCESS;
}

static enum wasi_errno go_down(struct walk *w, const char *name)
{
	if (w->place->depth == WASI_DEPTH_MAX)
		return WASI_ENAMETOOLONG;
	int fd = openat(current_directory(w), name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return wasi_error(errno);
	w->place->fds[w->place->depth++] = fd;
	return WASI_SUCCESS;
}

/* If `name` is a symbolic link, puts its text in front of the rest of the path and says so. */
static enum wasi_errno expand_link(struct walk *w, const char *name, bool *expanded)
{
	char target[PATH_MAX];
	ssize_t length = readlinkat(current_directory(w), name, target, sizeof(target));
	*expanded = length >= 0;
	if (length < 0) /* not a link, or not there: whoever uses the name finds out */
		return WASI_SUCCESS;
	if (++w->links > LINKS_MAX)
		return WASI_ELOOP;
	if (length == 0)
		return WASI_ENOENT;
	if (target[0] == '/')
		return WASI_ENOTCAPABLE;
	size_t rest = strlen(w->at);
	if (length + rest >= sizeof(w->text))
		return WASI_ENAMETOOLONG;
	memmove(w->text + length, w->at, rest + 1);
	memcpy(w->text, target, length);
	w->at = w->text;
	return WASI_SUCCESS;
}

/* Cuts the next component off the path; its slashes stay, so that the rest of "a/" is "/". */
static enum wasi_errno next_name(struct walk *w, char name[NAME_MAX + 1])
{
	size_t length = strcspn(w->at, "/");
	if (length > NAME_MAX)
		return WASI_ENAMETOOLONG;
	memcpy(name, w->at, length);
	name[length] = '\0';
	w->at += length;
	return WASI_SUCCESS;
}

/* Walks over one component; *done when the place is found. */
static enum wasi_errno step(struct walk *w, bool *done)
{
	char name[NAME_MAX + 1];
	enum wasi_errno error = next_name(w, name);
	if (error != WASI_SUCCESS)
		return error;
	size_t slashes = strspn(w->at, "/");
	bool last = w->at[slashes] == '\0';
	bool dot = strcmp(name, ".") == 0, dots = strcmp(name, "..") == 0;
	if (dots && (error = go_up(w)) != WASI_SUCCESS)
		return error;
	if (!dot && !dots && (!last || w->follow || slashes > 0)) {
		bool expanded;
		error = expand_link(w, name, &expanded);
		if (error != WASI_SUCCESS || expanded)
			return error;
		if (!last && (error = go_down(w, name)) != WASI_SUCCESS)
			return error;
	}
	w->at += slashes;
	if (last) {
		strcpy(w->place->name, dots ? "." : name);
		w->place->must_be_directory = slashes > 0 || dot || dots;
		w->place->dir = current_directory(w);
		*done = true;
	}
	return WASI_SUCCESS;
}

enum wasi_errno wasi_resolve(int base, const char *path, bool follow, struct wasi_place *place)
{
	struct walk w = { .place = place, .base = base, .follow = follow };
	place->depth = 0;
	if (*path == '\0')
		return WASI_ENOENT;
	if (*path == '/')
		return WASI_ENOTCAPABLE;
	if (strlen(path) >= PATH_MAX)
		return WASI_ENAMETOOLONG;
	strcpy(w.text, path);
	w.at = w.text;
	bool done = false;
	enum wasi_errno error = WASI_SUCCESS;
	while (!done && error == WASI_SUCCESS)
		error = step(&w, &done);
	if (error != WASI_SUCCESS)
		wasi_place_close(place);
	return error;
}
