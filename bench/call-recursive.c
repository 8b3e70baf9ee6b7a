/* Recursive calls: Fibonacci, Ackermann, the queens' problem, and a binary tree that is built and walked. */
#include "lib/random.h"
#include "lib/run.h"

#define NODES 4096

struct node {
	struct node *left, *right;
	uint32_t key;
};

static struct node nodes[NODES];

static uint32_t fibonacci(uint32_t n)
{
	return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static uint32_t ackermann(uint32_t m, uint32_t n)
{
	if (m == 0)
		return n + 1;
	return n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}

static uint32_t queens(uint32_t all, uint32_t columns, uint32_t left, uint32_t right)
{
	uint32_t count = 0;
	if (columns == all)
		return 1;
	for (uint32_t free = all & ~(columns | left | right); free != 0; free &= free - 1) {
		uint32_t bit = free & -free;
		count += queens(all, columns | bit, (left | bit) << 1, (right | bit) >> 1);
	}
	return count;
}

static struct node *insert(struct node *root, struct node *fresh)
{
	if (root == NULL)
		return fresh;
	if (fresh->key < root->key)
		root->left = insert(root->left, fresh);
	else
		root->right = insert(root->right, fresh);
	return root;
}

static uint64_t walk(const struct node *root, uint32_t depth)
{
	if (root == NULL)
		return depth;
	return hash_mix(walk(root->left, depth + 1) + walk(root->right, depth + 1), root->key);
}

uint64_t run(uint32_t count)
{
	uint64_t hash = HASH_EMPTY;
	random_state = 43;
	for (uint32_t i = 0; i < count; i++) {
		struct node *root = NULL;
		for (int n = 0; n < NODES; n++) {
			nodes[n] = (struct node){ NULL, NULL, random32() };
			root = insert(root, &nodes[n]);
		}
		hash = hash_mix(hash, walk(root, 0));
		hash = hash_mix(hash, fibonacci(22 + i % 2));
		hash = hash_mix(hash, ackermann(2, 60));
		hash = hash_mix(hash, queens((1 << 8) - 1, 0, 0, 0));
	}
	return hash;
}
