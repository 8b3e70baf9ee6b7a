/* A loop that interprets the bytecode of a register machine: sieve of Eratosthenes, Fibonacci by recursion, and the
 * Collatz sequence. */
#include "lib/random.h"
#include "lib/run.h"

enum op { HALT, LOADI, MOVE, ADD, SUB, MUL, ADDI, SHR, AND, LOAD, STORE, JUMP, JLT, JEQ, JNE, CALL, RET };

struct instruction {
	uint8_t op, a, b, c;
	int32_t imm;
};

#define CELLS 8192
#define FRAMES 64
#define REGISTERS 8

static int32_t cells[CELLS];
static int32_t registers[FRAMES * REGISTERS];
static uint32_t return_to[FRAMES];

/* r1 = number of primes below CELLS */
static const struct instruction sieve[] = {
	{ LOADI, 0, 0, 0, 2 },   { LOADI, 1, 0, 0, 0 },    { LOADI, 2, 0, 0, CELLS }, { LOADI, 3, 0, 0, 1 },
	{ LOAD, 4, 0, 0, 0 },    { LOADI, 5, 0, 0, 0 },    { JNE, 0, 4, 5, 12 },      { ADDI, 1, 1, 0, 1 },
	{ ADD, 4, 0, 0, 0 },     { JLT, 0, 4, 2, 14 },     { JUMP, 0, 0, 0, 12 },     { HALT, 0, 0, 0, 0 },
	{ ADDI, 0, 0, 0, 1 },    { JUMP, 0, 0, 0, 17 },    { STORE, 3, 4, 0, 0 },     { ADD, 4, 4, 0, 0 },
	{ JUMP, 0, 0, 0, 9 },    { JLT, 0, 0, 2, 4 },      { HALT, 1, 0, 0, 0 },
};

/* r1 = fib(r0) */
static const struct instruction fibonacci[] = {
	{ LOADI, 0, 0, 0, 18 }, { CALL, 0, 0, 0, 3 },  { HALT, 1, 0, 0, 0 },  { LOADI, 2, 0, 0, 2 },
	{ JLT, 0, 0, 2, 12 },   { ADDI, 3, 0, 0, -1 }, { CALL, 3, 0, 0, 3 },  { MOVE, 4, 1, 0, 0 },
	{ ADDI, 3, 0, 0, -2 },  { CALL, 3, 0, 0, 3 },  { ADD, 1, 1, 4, 0 },   { RET, 0, 0, 0, 0 },
	{ MOVE, 1, 0, 0, 0 },   { RET, 0, 0, 0, 0 },
};

/* r1 = sum of the lengths of the sequences from 1 to 400 */
static const struct instruction collatz[] = {
	{ LOADI, 0, 0, 0, 400 }, { LOADI, 1, 0, 0, 0 }, { LOADI, 2, 0, 0, 1 }, { LOADI, 5, 0, 0, 3 },
	{ MOVE, 3, 0, 0, 0 },    { JEQ, 0, 3, 2, 14 },  { ADDI, 1, 1, 0, 1 },  { AND, 4, 3, 2, 0 },
	{ JEQ, 0, 4, 2, 11 },    { SHR, 3, 3, 0, 1 },   { JUMP, 0, 0, 0, 5 },  { MUL, 3, 3, 5, 0 },
	{ ADDI, 3, 3, 0, 1 },    { JUMP, 0, 0, 0, 5 },  { ADDI, 0, 0, 0, -1 }, { JNE, 0, 0, 2, 4 },
	{ HALT, 1, 0, 0, 0 },
};

/* CALL gives register a to the callee as its register 0, and its register 1 is the caller's afterwards. */
static int32_t interpret(const struct instruction *program)
{
	uint32_t pc = 0, depth = 0;
	int32_t *r = registers;
	for (;;) {
		const struct instruction *i = &program[pc++];
		switch (i->op) {
		case HALT:
			return r[i->a];
		case LOADI:
			r[i->a] = i->imm;
			break;
		case MOVE:
			r[i->a] = r[i->b];
			break;
		case ADD:
			r[i->a] = r[i->b] + r[i->c];
			break;
		case SUB:
			r[i->a] = r[i->b] - r[i->c];
			break;
		case MUL:
			r[i->a] = (uint32_t)r[i->b] * r[i->c];
			break;
		case ADDI:
			r[i->a] = r[i->b] + i->imm;
			break;
		case SHR:
			r[i->a] = (uint32_t)r[i->b] >> i->imm;
			break;
		case AND:
			r[i->a] = r[i->b] & r[i->c];
			break;
		case LOAD:
			r[i->a] = cells[r[i->b] % CELLS];
			break;
		case STORE:
			cells[r[i->b] % CELLS] = r[i->a];
			break;
		case JUMP:
			pc = i->imm;
			break;
		case JLT:
			if (r[i->b] < r[i->c])
				pc = i->imm;
			break;
		case JEQ:
			if (r[i->b] == r[i->c])
				pc = i->imm;
			break;
		case JNE:
			if (r[i->b] != r[i->c])
				pc = i->imm;
			break;
		case CALL:
			return_to[depth++] = pc;
			r[REGISTERS] = r[i->a];
			r += REGISTERS;
			pc = i->imm;
			break;
		case RET:
			r -= REGISTERS;
			r[1] = r[REGISTERS + 1];
			pc = return_to[--depth];
			break;
		}
	}
}

uint64_t run(uint32_t count)
{
	uint64_t hash = HASH_EMPTY;
	for (uint32_t i = 0; i < count; i++) {
		for (int at = 0; at < CELLS; at++)
			cells[at] = 0;
		hash = hash_mix(hash, interpret(sieve));
		hash = hash_mix(hash, interpret(fibonacci));
		hash = hash_mix(hash, interpret(collatz));
	}
	return hash;
}
