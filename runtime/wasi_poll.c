/* WASI preview 1's poll_oneoff: waits for the first of several clocks and descriptors. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "wasi.h"

#define SUBSCRIPTIONS_MAX 65536u
#define NS_PER_S 1000000000ull

enum { EVENT_CLOCK = 0, EVENT_FD_READ = 1, EVENT_FD_WRITE = 2 };
enum { SUBSCRIPTION_CLOCK_ABSTIME = 1 };
enum { EVENT_HANGUP = 1 };

/* The witx structures, as they lie in memory. */
struct subscription {
	uint64_t userdata;
	uint8_t tag;
	union {
		struct {
			uint32_t id;
			uint64_t timeout_ns;
			uint64_t precision_ns;
			uint16_t flags;
		} clock;
		uint32_t fd;
	};
};
_Static_assert(sizeof(struct subscription) == 48, "subscription");

struct event {
	uint64_t userdata;
	uint16_t error;
	uint8_t type;
	uint64_t bytes;
	uint16_t flags;
};
_Static_assert(sizeof(struct event) == 32, "event");

/* What becomes of a subscription. */
struct wait {
	struct subscription s;
	enum wasi_errno error;
	/* Clocks: on the monotonic clock. */
	uint64_t deadline_ns;
};

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static uint64_t add_saturating(uint64_t a, uint64_t b)
{
	return a + b < a ? UINT64_MAX : a + b;
}

static void prepare_clock(struct wait *wait)
{
	uint64_t now = now_ns(CLOCK_MONOTONIC);
	uint64_t timeout = wait->s.clock.timeout_ns;
	if (wait->s.clock.id > 1) {
		wait->error = WASI_ENOTSUP;
		return;
	}
	if (wait->s.clock.flags & SUBSCRIPTION_CLOCK_ABSTIME) {
		uint64_t clock_now = wait->s.clock.id == 0 ? now_ns(CLOCK_REALTIME) : now;
		timeout = timeout > clock_now ? timeout - clock_now : 0;
	}
	wait->deadline_ns = add_saturating(now, timeout);
}

static void prepare(struct wasi *w, struct wait *wait, struct pollfd *fd)
{
	*fd = (struct pollfd){ .fd = -1 };
	if (wait->s.tag == EVENT_CLOCK) {
		prepare_clock(wait);
	} else if (wait->s.tag <= EVENT_FD_WRITE) {
		struct wasi_file *file;
		wait->error = wasi_file(w, wait->s.fd, RIGHT_POLL_FD_READWRITE, &file);
		if (wait->error != WASI_SUCCESS)
			return;
		fd->fd = file->fd;
		fd->events = wait->s.tag == EVENT_FD_READ ? POLLIN : POLLOUT;
	} else {
		wait->error = WASI_EINVAL;
	}
}

/* When polling must end: 0 if something is known already. */
static uint64_t earliest(const struct wait *waits, uint32_t count)
{
	uint64_t deadline = UINT64_MAX;
	for (uint32_t i = 0; i < count; i++) {
		if (waits[i].error != WASI_SUCCESS)
			return 0;
		if (waits[i].s.tag == EVENT_CLOCK && waits[i].deadline_ns < deadline)
			deadline = waits[i].deadline_ns;
	}
	return deadline;
}

static enum wasi_errno wait_until(uint64_t deadline, struct pollfd *fds, uint32_t count)
{
	for (;;) {
		uint64_t now = now_ns(CLOCK_MONOTONIC);
		uint64_t left = deadline > now ? deadline - now : 0;
		struct timespec t = { .tv_sec = left / NS_PER_S, .tv_nsec = left % NS_PER_S };
		int ready = ppoll(fds, count, deadline == UINT64_MAX ? NULL : &t, NULL);
		if (ready >= 0)
			return WASI_SUCCESS;
		if (errno != EINTR)
			return wasi_error(errno);
	}
}

/* Whether the subscription has an event by now. */
static bool take_event(const struct wait *wait, const struct pollfd *fd, struct event *event)
{
	*event = (struct event){ .userdata = wait->s.userdata, .error = wait->error, .type = wait->s.tag };
	if (wait->error != WASI_SUCCESS)
		return true;
	if (wait->s.tag == EVENT_CLOCK)
		return now_ns(CLOCK_MONOTONIC) >= wait->deadline_ns;
	int bytes = 0;
	if (fd->revents & POLLIN && ioctl(fd->fd, FIONREAD, &bytes) == 0 && bytes > 0)
		event->bytes = bytes;
	if (fd->revents & POLLHUP)
		event->flags = EVENT_HANGUP;
	return fd->revents != 0;
}

static enum wasi_errno poll_all(struct wasi *w, const uint8_t *in, uint64_t out, uint32_t count, struct wait *waits,
				struct pollfd *fds, uint32_t *events)
{
	for (uint32_t i = 0; i < count; i++) {
		memcpy(&waits[i].s, in + i * sizeof(struct subscription), sizeof(struct subscription));
		prepare(w, &waits[i], &fds[i]);
	}
	enum wasi_errno error = wait_until(earliest(waits, count), fds, count);
	for (uint32_t i = 0; error == WASI_SUCCESS && i < count; i++) {
		struct event event;
		if (!take_event(&waits[i], &fds[i], &event))
			continue;
		memcpy(wasi_memory(w, out + *events * sizeof(event), sizeof(event)), &event, sizeof(event));
		++*events;
	}
	return error;
}

WASI_FUNCTION(poll_oneoff)
{
	uint64_t count = args[2];
	if (count == 0 || count > SUBSCRIPTIONS_MAX)
		return WASI_EINVAL;
	const uint8_t *in = wasi_memory(w, args[0], count * sizeof(struct subscription));
	if (in == NULL || wasi_memory(w, args[1], count * sizeof(struct event)) == NULL)
		return WASI_EFAULT;
	struct wait *waits = calloc(count, sizeof(*waits));
	struct pollfd *fds = calloc(count, sizeof(*fds));
	uint32_t events = 0;
	enum wasi_errno error = WASI_ENOMEM;
	if (waits != NULL && fds != NULL)
		error = poll_all(w, in, args[1], count, waits, fds, &events);
	free(waits);
	free(fds);
	return error != WASI_SUCCESS ? error : wasi_put32(w, args[3], events);
}
