// Intrinsics for the engine: static inline only, nothing of the operating system.
#ifndef C_INTRINSICS_H
#define C_INTRINSICS_H

#include <stdint.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

// Brings the line at an address into the cache, for reading or soon to be written.
static inline void lvs_prefetch(const void *address) { __builtin_prefetch(address, 1, 3); }

// Tells the processor that this is a waiting loop.
static inline void lvs_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
