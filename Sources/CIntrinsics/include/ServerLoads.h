// A walk over what schedulers compare of many servers.
#ifndef SERVER_LOADS_H
#define SERVER_LOADS_H

#include <stdint.h>
#if defined(__SSE2__) && !defined(LVS_SCALAR)
#include <emmintrin.h>
#endif

// The 16 bytes of a server: its overhead << 28 | its active connections, and its weight, in which
// the top bit says that it cannot be chosen.
struct lvs_server_load {
    uint64_t connections;
    uint32_t ability;
    uint32_t persistent;
};

// What is asked about a server: the first three compare it with a least loaded one (`load` and
// `weight`), by active * 256 + inactive, by active + 1, or by the same with servers without an active
// connection always of interest; then lc (`load` alone counts), fo and ovf (heavier than `weight`, and
// not above its own), and whether it has room for lblc (twice its active connections are below it).
enum lvs_question {
    LVS_OVERHEAD,
    LVS_EXPECTED,
    LVS_EXPECTED_OR_IDLE,
    LVS_UNWEIGHTED,
    LVS_HEAVIER,
    LVS_HEAVIER_WITH_ROOM,
    LVS_HAS_ROOM
};

#define LVS_ACTIVE_BITS 28
#define LVS_ACTIVE_MASK ((1u << LVS_ACTIVE_BITS) - 1)

// The answer for one server; exact for loads and weights below 2^31.
static inline int lvs_is_of_interest(uint64_t connections, uint32_t ability, uint32_t load,
                                     uint32_t weight, enum lvs_question question) {
    const uint64_t active = connections & LVS_ACTIVE_MASK;
    const uint64_t overhead = connections >> LVS_ACTIVE_BITS;
    const int eligible = (int32_t)ability > 0;
    switch (question) {
    case LVS_OVERHEAD:
        return (uint32_t)overhead * (uint64_t)weight < ability * (uint64_t)load;
    case LVS_EXPECTED_OR_IDLE:
        if (active == 0) return 1;
        // Fall through.
    case LVS_EXPECTED:
        return (active + 1) * weight < ability * (uint64_t)load;
    case LVS_UNWEIGHTED:
        return eligible && overhead < load;
    case LVS_HEAVIER:
        return eligible && ability > weight;
    case LVS_HEAVIER_WITH_ROOM:
        return eligible && ability > weight && active <= ability;
    case LVS_HAS_ROOM:
        return 2 * active < (ability & 0x7fffffffu);
    }
    return 1;
}

#if defined(__SSE2__) && !defined(LVS_SCALAR)
// Products of the lower halves. Not _mm_mul_epu32: where the compiler knows upper halves to be zero,
// it forgets that again on the way into a loop, and multiplies them too.
static inline __m128i lvs_multiply(__m128i a, __m128i b) {
    __asm__("pmuludq %1, %0" : "+x"(a) : "x"(b));
    return a;
}

// The difference, whose sign is asked for. Not _mm_sub_epi64, which the compiler turns into a
// comparison of 64 bits, of which this instruction set has none.
static inline __m128i lvs_subtract(__m128i a, __m128i b) {
    __asm__("psubq %1, %0" : "+x"(a) : "x"(b));
    return a;
}
#endif

// The first of the servers at `places` (distances from `loads`) from `from` on that may be what is
// asked for; `count` when there is none. A filter only, which may show others too (overloaded ones,
// loads above 32 bits): the caller compares exactly. LVS_SCALAR selects the plain loop, which the
// thread sanitizer understands. Inlined always, so that each caller has a loop for its question alone.
__attribute__((always_inline)) static inline intptr_t lvs_next_server(const void *loads, const uint32_t *places, intptr_t from,
                                       intptr_t count, uint32_t load, uint32_t weight,
                                       enum lvs_question question) {
    const char *base = (const char *)loads;
#if defined(__SSE2__) && !defined(LVS_SCALAR)
    const __m128i best_load = _mm_set1_epi64x(load);
    const __m128i best_weight = _mm_set1_epi64x(weight);
    const __m128i active_mask = _mm_set1_epi64x(LVS_ACTIVE_MASK);
    const __m128i weight_mask = _mm_set1_epi64x(0x7fffffff);
    const __m128i minus_one = _mm_set1_epi64x(-1);
    for (; from + 2 <= count; from += 2) {
        const __m128i a = _mm_load_si128((const __m128i *)(base + places[from]));
        const __m128i b = _mm_load_si128((const __m128i *)(base + places[from + 1]));
        const __m128i connections = _mm_unpacklo_epi64(a, b);
        const __m128i ability = _mm_unpackhi_epi64(a, b);
        const __m128i active = _mm_and_si128(connections, active_mask);
        // As signed numbers in the upper halves.
        const __m128i signed_ability = _mm_slli_epi64(ability, 32);
        __m128i mine = _mm_srli_epi64(connections, LVS_ACTIVE_BITS);
        // Negative for a server of interest.
        __m128i sign;
        switch (question) {
        case LVS_OVERHEAD:
        case LVS_EXPECTED:
        case LVS_EXPECTED_OR_IDLE:
            // Products of 32 bits each fit, so their difference says which is smaller; that of an
            // overloaded server, whose weight is too large, may say either.
            if (question != LVS_OVERHEAD) mine = lvs_subtract(active, minus_one);
            sign = lvs_subtract(lvs_multiply(mine, best_weight),
                                 lvs_multiply(ability, best_load));
            if (question == LVS_EXPECTED_OR_IDLE)
                sign = _mm_or_si128(sign, _mm_add_epi64(active, minus_one));
            break;
        case LVS_UNWEIGHTED:
            sign = _mm_and_si128(lvs_subtract(mine, best_load),
                                 lvs_subtract(_mm_setzero_si128(), signed_ability));
            break;
        case LVS_HEAVIER:
        case LVS_HEAVIER_WITH_ROOM:
            // In the lower halves, where everything has 31 bits.
            sign = _mm_sub_epi32(best_weight, ability);
            if (question == LVS_HEAVIER_WITH_ROOM)
                sign = _mm_andnot_si128(_mm_sub_epi32(ability, active), sign);
            sign = _mm_slli_epi64(sign, 32);
            break;
        case LVS_HAS_ROOM:
            sign = lvs_subtract(_mm_add_epi64(active, active),
                                 _mm_and_si128(ability, weight_mask));
            break;
        }
        const int found = _mm_movemask_pd(_mm_castsi128_pd(sign));
        if (found != 0) return found == 2 ? from + 1 : from;
    }
#endif
    for (; from < count; from++) {
        const struct lvs_server_load *server =
            (const struct lvs_server_load *)(base + places[from]);
        if (lvs_is_of_interest(__atomic_load_n(&server->connections, __ATOMIC_RELAXED),
                               __atomic_load_n(&server->ability, __ATOMIC_RELAXED), load, weight,
                               question))
            return from;
    }
    return count;
}

// Sum of the weights of the servers that can be chosen, from `from` up to `end`.
static inline uint64_t lvs_sum_weights(const void *loads, const uint32_t *places, intptr_t from,
                                       intptr_t end) {
    const char *base = (const char *)loads;
    uint64_t sum = 0;
#if defined(__SSE2__) && !defined(LVS_SCALAR)
    const __m128i weight_mask = _mm_set1_epi64x(0x7fffffff);
    __m128i sums = _mm_setzero_si128();
    for (; from + 2 <= end; from += 2) {
        const __m128i ability =
            _mm_unpackhi_epi64(_mm_load_si128((const __m128i *)(base + places[from])),
                               _mm_load_si128((const __m128i *)(base + places[from + 1])));
        const __m128i overloaded = _mm_srai_epi32(ability, 31);
        sums = _mm_add_epi64(sums,
                             _mm_and_si128(_mm_andnot_si128(overloaded, ability), weight_mask));
    }
    uint64_t halves[2];
    _mm_storeu_si128((__m128i *)halves, sums);
    sum = halves[0] + halves[1];
#endif
    for (; from < end; from++) {
        const struct lvs_server_load *server =
            (const struct lvs_server_load *)(base + places[from]);
        const uint32_t ability = __atomic_load_n(&server->ability, __ATOMIC_RELAXED);
        sum += ability & ~(uint32_t)((int32_t)ability >> 31);
    }
    return sum;
}

#endif
