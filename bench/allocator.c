/* An allocator under churn: segregated free lists in front of a first-fit list with splitting and coalescing by
 * boundary tags, as a kernel's heap may be. */
#include "lib/random.h"
#include "lib/run.h"

#define HEAP_BYTES (1 << 20)
#define SMALL_MAX 256
#define LIVE 2000
#define USED 1u

struct block {
	uint32_t size_before;
	uint32_t size; /* with USED; of the whole block, header included */
	struct block *next, *previous; /* while it is free */
};

#define HEADER 8u
#define BLOCK_MIN 16u

static _Alignas(16) uint8_t heap[HEAP_BYTES];
static struct block *small[SMALL_MAX / 16 + 1];
static struct block free_list;
static uint8_t *live[LIVE];
static uint32_t live_size[LIVE];

static inline uint32_t size_of(const struct block *b)
{
	return b->size & ~USED;
}

static inline struct block *after(struct block *b)
{
	return (struct block *)((uint8_t *)b + size_of(b));
}

static void link_free(struct block *b)
{
	b->next = free_list.next;
	b->previous = &free_list;
	free_list.next->previous = b;
	free_list.next = b;
}

static void unlink_free(struct block *b)
{
	b->previous->next = b->next;
	b->next->previous = b->previous;
}

static void set_size(struct block *b, uint32_t size, uint32_t flag)
{
	b->size = size | flag;
	after(b)->size_before = size;
}

static void heap_reset(void)
{
	struct block *first = (struct block *)heap;
	free_list.next = free_list.previous = &free_list;
	for (int i = 0; i <= SMALL_MAX / 16; i++)
		small[i] = NULL;
	first->size_before = 0;
	set_size(first, HEAP_BYTES - BLOCK_MIN, 0);
	after(first)->size = BLOCK_MIN | USED;
	link_free(first);
}

static void *take(struct block *b, uint32_t size)
{
	uint32_t rest = size_of(b) - size;
	unlink_free(b);
	if (rest >= 2 * BLOCK_MIN) {
		set_size(b, size, USED);
		set_size(after(b), rest, 0);
		link_free(after(b));
	} else {
		b->size |= USED;
	}
	return (uint8_t *)b + HEADER;
}

static void *allocate(uint32_t bytes)
{
	uint32_t size = (bytes + HEADER + 15) & ~15u;
	if (size <= SMALL_MAX && small[size / 16] != NULL) {
		struct block *b = small[size / 16];
		small[size / 16] = b->next;
		return (uint8_t *)b + HEADER;
	}
	for (struct block *b = free_list.next; b != &free_list; b = b->next)
		if (size_of(b) >= size)
			return take(b, size);
	return NULL;
}

static void release(void *at)
{
	struct block *b = (struct block *)((uint8_t *)at - HEADER);
	uint32_t size = size_of(b);
	if (size <= SMALL_MAX) {
		b->next = small[size / 16];
		small[size / 16] = b;
		return;
	}
	struct block *next = after(b);
	if ((next->size & USED) == 0) {
		unlink_free(next);
		size += size_of(next);
	}
	if (b->size_before != 0) {
		struct block *before = (struct block *)((uint8_t *)b - b->size_before);
		if ((before->size & USED) == 0) {
			unlink_free(before);
			size += size_of(before);
			b = before;
		}
	}
	set_size(b, size, 0);
	link_free(b);
}

static uint32_t random_size(void)
{
	uint32_t r = random32();
	return 1 + (r >> 8) % ((r & 7) == 0 ? 2000 : (r & 7) < 3 ? 400 : 100);
}

uint64_t run(uint32_t count)
{
	uint64_t hash = HASH_EMPTY;
	random_state = 53;
	for (uint32_t round = 0; round < count; round++) {
		heap_reset();
		for (int i = 0; i < LIVE; i++)
			live[i] = NULL;
		for (int step = 0; step < 20000; step++) {
			uint32_t i = random32() % LIVE;
			if (live[i] != NULL) {
				hash = hash_mix(hash, live[i][0] + live[i][live_size[i] - 1]);
				release(live[i]);
				live[i] = NULL;
				continue;
			}
			live_size[i] = random_size();
			live[i] = allocate(live_size[i]);
			if (live[i] != NULL)
				live[i][0] = live[i][live_size[i] - 1] = step;
		}
	}
	return hash;
}
