/* Loops in f64: planets in each other's gravity, a Mandelbrot set, Simpson's rule with a polynomial sine, and a
 * conversion between integers and floats. */
#include "lib/random.h"
#include "lib/run.h"

#define BODIES 5

struct body {
	double x[3], v[3], mass;
};

static struct body bodies[BODIES];

static void place(void)
{
	for (int i = 0; i < BODIES; i++) {
		struct body *b = &bodies[i];
		for (int k = 0; k < 3; k++) {
			b->x[k] = (i * 3 + k * 5) % 7 - 3.1 * k;
			b->v[k] = ((i * 5 + k) % 4 - 1.5) * 0.05;
		}
		b->mass = i == 0 ? 40.0 : 0.1 * i;
	}
}

static void advance(double dt)
{
	for (int i = 0; i < BODIES; i++)
		for (int j = i + 1; j < BODIES; j++) {
			struct body *a = &bodies[i], *b = &bodies[j];
			double dx = a->x[0] - b->x[0], dy = a->x[1] - b->x[1], dz = a->x[2] - b->x[2];
			double square = dx * dx + dy * dy + dz * dz + 0.01;
			double force = dt / (square * __builtin_sqrt(square));
			a->v[0] -= dx * b->mass * force;
			a->v[1] -= dy * b->mass * force;
			a->v[2] -= dz * b->mass * force;
			b->v[0] += dx * a->mass * force;
			b->v[1] += dy * a->mass * force;
			b->v[2] += dz * a->mass * force;
		}
	for (int i = 0; i < BODIES; i++)
		for (int k = 0; k < 3; k++)
			bodies[i].x[k] += dt * bodies[i].v[k];
}

static uint32_t mandelbrot(int size, int limit)
{
	uint32_t inside = 0;
	for (int row = 0; row < size; row++)
		for (int column = 0; column < size; column++) {
			double cr = 3.0 * column / size - 2.2, ci = 2.4 * row / size - 1.2, r = 0, i = 0;
			int n = 0;
			for (; n < limit && r * r + i * i <= 4.0; n++) {
				double next = r * r - i * i + cr;
				i = 2 * r * i + ci;
				r = next;
			}
			inside += n;
		}
	return inside;
}

static double sine(double x)
{
	double q = x * x;
	return x * (1 + q * (-1 / 6.0 + q * (1 / 120.0 + q * (-1 / 5040.0 + q / 362880.0))));
}

static double integrate(int steps)
{
	double h = 1.5 / steps, sum = sine(0) + sine(1.5);
	for (int i = 1; i < steps; i++)
		sum += (i & 1 ? 4 : 2) * sine(i * h);
	return sum * h / 3;
}

uint64_t run(uint32_t count)
{
	double result = 0;
	place();
	for (uint32_t i = 0; i < count; i++) {
		for (int step = 0; step < 1000; step++)
			advance(0.001);
		result += mandelbrot(48, 100) + integrate(2000);
		result += (double)(int64_t)(bodies[i % BODIES].x[0] * 1e6) + bodies[0].v[2];
	}
	uint64_t bits;
	__builtin_memcpy(&bits, &result, 8);
	return bits;
}
