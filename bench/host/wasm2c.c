/* The runner of a module that wasm2c (wabt 1.0.32) has made C of: answers lines `run COUNT` as hosted programs do.
 * build/bench/peers.ts makes imports.h of the module's header, since each module has imports of its own. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "module.h"

#if !WASM_RT_MEMCHECK_SIGNAL_HANDLER
#error "wasm2c would check each memory access in code: guard pages are needed for a fair comparison"
#endif

#include "imports.h"

int main(void)
{
	static Z_m_instance_t instance;
	unsigned count;
	wasm_rt_init();
	Z_m_init_module();
	instantiate(&instance);
	while (scanf(" run %u", &count) == 1) {
		printf("i64:0x%016llx\n", (unsigned long long)Z_mZ_run(&instance, count));
		fflush(stdout);
	}
	return 0;
}
