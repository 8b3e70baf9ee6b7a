/* wasi-libc has no setjmp: an error that would jump ends the program. */
#pragma once
#include <stdlib.h>

typedef int jmp_buf[1];
#define setjmp(buffer) ((void)(buffer), 0)
#define longjmp(buffer, value) abort()
