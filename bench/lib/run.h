/* What a program in C exports: `run` does the work `count` times over, from the same start each time, and returns a
 * checksum of what it computed. */
#include <stdint.h>

__attribute__((export_name("run"))) uint64_t run(uint32_t count);
