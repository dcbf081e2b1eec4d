// Counts heap allocations of the whole test process, per thread.
#ifndef C_ALLOCATION_COUNTER_H
#define C_ALLOCATION_COUNTER_H

#include <stdint.h>

// Allocations that the calling thread has made so far; always 0 when counting is compiled out.
uint64_t allocation_counter_read(void);

// Whether allocations are counted: not under sanitizers, which bring their own malloc.
int allocation_counter_works(void);

#endif
