// Intrinsics for the engine: static inline only, nothing of the operating system.
#ifndef C_INTRINSICS_H
#define C_INTRINSICS_H

#include <stdint.h>

#include "ServerLoads.h"
#if defined(__SSE2__) && !defined(LVS_SCALAR)
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

// Compares the upper halves of the eight 64-bit words of a bucket with `tag`, without regard to
// the bits in `without`; bits 2i and 2i + 1 of the answer stand for word i. A filter only: the
// chosen word must be loaded again atomically. LVS_SCALAR selects the loop, which the thread
// sanitizer understands; vector loads of words that others write are races to it.
static inline __attribute__((always_inline)) uint32_t lvs_match(const void *bucket, uint32_t tag,
                                                                uint32_t without, int order) {
#if defined(__SSE2__) && !defined(LVS_SCALAR)
    (void)order;
    const __m128i *line = (const __m128i *)bucket;
    const __m128i wanted = _mm_set1_epi32((int)tag);
    const __m128i mask = _mm_set1_epi32((int)~without);
    __m128 a = _mm_castsi128_ps(_mm_load_si128(line));
    __m128 b = _mm_castsi128_ps(_mm_load_si128(line + 1));
    __m128 c = _mm_castsi128_ps(_mm_load_si128(line + 2));
    __m128 d = _mm_castsi128_ps(_mm_load_si128(line + 3));
    __m128i low = _mm_castps_si128(_mm_shuffle_ps(a, b, _MM_SHUFFLE(3, 1, 3, 1)));
    __m128i high = _mm_castps_si128(_mm_shuffle_ps(c, d, _MM_SHUFFLE(3, 1, 3, 1)));
    low = _mm_cmpeq_epi32(_mm_and_si128(low, mask), wanted);
    high = _mm_cmpeq_epi32(_mm_and_si128(high, mask), wanted);
    return (uint32_t)_mm_movemask_epi8(_mm_packs_epi32(low, high));
#else
    const uint64_t *words = (const uint64_t *)bucket;
    uint32_t found = 0;
    for (int i = 0; i < 8; i++) {
        uint64_t word = __atomic_load_n(&words[i], order);
        if (((uint32_t)(word >> 32) & ~without) == tag) found |= 3u << 2 * i;
    }
    return found;
#endif
}

// The slots that carry a tag in either direction; with tag 0, the free ones.
static inline uint32_t lvs_match_tags(const void *bucket, uint32_t tag) {
    return lvs_match(bucket, tag, 1, __ATOMIC_RELAXED);
}

// As above, with the tentative ones, as they are after the caller's last read-modify-write: on x86
// no load overtakes one, elsewhere the loads say so.
static inline uint32_t lvs_match_slots(const void *bucket, uint32_t tag) {
    return lvs_match(bucket, tag, 3, __ATOMIC_SEQ_CST);
}

#endif
