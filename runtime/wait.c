/* memory.atomic.wait and notify (threads proposal): one queue of waiting threads for the whole process, under one
 * lock, because a wait must compare and enqueue as one step, for 8-byte values too. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "instance.h"

enum { WAIT_OK = 0, WAIT_NOT_EQUAL = 1, WAIT_TIMED_OUT = 2 };

struct waiter {
	const void *at;
	struct waiter *next;
	pthread_cond_t wake;
	bool notified;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct waiter *first, **last = &first;

static void dequeue(struct waiter **link)
{
	struct waiter *w = *link;
	*link = w->next;
	if (w->next == NULL)
		last = link;
}

static void remove_waiter(struct waiter *w)
{
	struct waiter **link = &first;
	while (*link != w)
		link = &(*link)->next;
	dequeue(link);
}

static struct timespec deadline_after(int64_t timeout_ns)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += timeout_ns / 1000000000;
	t.tv_nsec += timeout_ns % 1000000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	return t;
}

/* With the lock held; a negative timeout is none. */
static int32_t enqueue_and_wait(const void *at, int64_t timeout_ns)
{
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	struct waiter w = { .at = at };
	pthread_cond_init(&w.wake, &attributes);
	*last = &w;
	last = &w.next;
	struct timespec deadline = deadline_after(timeout_ns < 0 ? 0 : timeout_ns);
	int error = 0;
	while (!w.notified && error != ETIMEDOUT)
		error = timeout_ns < 0 ? pthread_cond_wait(&w.wake, &lock)
				       : pthread_cond_timedwait(&w.wake, &lock, &deadline);
	if (!w.notified)
		remove_waiter(&w);
	pthread_cond_destroy(&w.wake);
	return w.notified ? WAIT_OK : WAIT_TIMED_OUT;
}

int32_t yaos_wait32(void *context, uint32_t *at, uint32_t expected, int64_t timeout_ns)
{
	(void)context;
	yaos_check_stack();
	pthread_mutex_lock(&lock);
	bool equal = __atomic_load_n(at, __ATOMIC_SEQ_CST) == expected;
	int32_t result = equal ? enqueue_and_wait(at, timeout_ns) : WAIT_NOT_EQUAL;
	pthread_mutex_unlock(&lock);
	return result;
}

int32_t yaos_wait64(void *context, uint64_t *at, uint64_t expected, int64_t timeout_ns)
{
	(void)context;
	yaos_check_stack();
	pthread_mutex_lock(&lock);
	bool equal = __atomic_load_n(at, __ATOMIC_SEQ_CST) == expected;
	int32_t result = equal ? enqueue_and_wait(at, timeout_ns) : WAIT_NOT_EQUAL;
	pthread_mutex_unlock(&lock);
	return result;
}

uint32_t yaos_notify(void *context, uint32_t *at, uint32_t count)
{
	(void)context;
	yaos_check_stack();
	uint32_t woken = 0;
	pthread_mutex_lock(&lock);
	for (struct waiter **link = &first; *link != NULL && woken < count;) {
		struct waiter *w = *link;
		if (w->at != at) {
			link = &w->next;
			continue;
		}
		dequeue(link);
		w->notified = true;
		pthread_cond_signal(&w->wake);
		woken++;
	}
	pthread_mutex_unlock(&lock);
	return woken;
}
