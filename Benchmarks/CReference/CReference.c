#include "CReference.h"

#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum { AHEAD = 8, BATCH = 64 };

struct place {
    uint32_t first, second, tag;
};

struct pending {
    uint8_t *bytes;
    uint64_t addresses;
    uint32_t ports;
    uint32_t ip_length;
    uint16_t transport;
    uint8_t protocol, ttl, flags, kind;
    struct place place;
    uint64_t word;
};

static inline uint16_t load16(const uint8_t *p) { uint16_t v; memcpy(&v, p, 2); return v; }
static inline uint32_t load32(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return v; }
static inline uint64_t load64(const uint8_t *p) { uint64_t v; memcpy(&v, p, 8); return v; }
static inline void store16(uint8_t *p, uint16_t v) { memcpy(p, &v, 2); }
static inline void store32(uint8_t *p, uint32_t v) { memcpy(p, &v, 4); }
static inline void store64(uint8_t *p, uint64_t v) { memcpy(p, &v, 8); }
static inline uint16_t swap16(uint16_t v) { return __builtin_bswap16(v); }
static inline uint64_t atomic64(const uint8_t *p) {
    return __atomic_load_n((const uint64_t *)p, __ATOMIC_ACQUIRE);
}
static inline uint32_t atomic32(const uint8_t *p) {
    return __atomic_load_n((const uint32_t *)p, __ATOMIC_RELAXED);
}
static inline void write32(uint8_t *p, uint32_t v) {
    __atomic_store_n((uint32_t *)p, v, __ATOMIC_RELAXED);
}
static inline uint16_t fold(uint32_t sum) {
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)(sum + (sum >> 16));
}
static inline uint16_t update(uint16_t field, uint32_t difference) {
    return (uint16_t)~fold((uint32_t)(uint16_t)~field + difference);
}

static inline uint64_t multiply_fold(uint64_t a, uint64_t b) {
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)(product >> 64) ^ (uint64_t)product;
}

static inline struct place find_place(const struct reference_path *path, uint64_t addresses,
                                      uint32_t ports, uint8_t protocol) {
    uint64_t flow = (uint64_t)ports | (uint64_t)protocol << 32;
    uint64_t mixed = multiply_fold(addresses ^ path->seed0, flow ^ path->seed1);
    uint64_t hash = multiply_fold(mixed ^ path->seed1, path->seed0 ^ 0x9e3779b97f4a7c15u);
    uint64_t count = path->bucket_count;
    struct place place;
    place.first = (uint32_t)(((hash >> 32) * count) >> 32);
    place.second = (uint32_t)(((hash & 0xffffffffu) * count) >> 32);
    place.tag = ((uint32_t)((hash * 0xff51afd7ed558ccdu) >> 32) & ~3u) | 4;
    return place;
}

static inline uint32_t match_tags(const uint8_t *bucket, uint32_t tag) {
#if defined(__SSE2__)
    const __m128i *line = (const __m128i *)bucket;
    const __m128i wanted = _mm_set1_epi32((int)tag), mask = _mm_set1_epi32(~1);
    __m128 a = _mm_castsi128_ps(_mm_load_si128(line));
    __m128 b = _mm_castsi128_ps(_mm_load_si128(line + 1));
    __m128 c = _mm_castsi128_ps(_mm_load_si128(line + 2));
    __m128 d = _mm_castsi128_ps(_mm_load_si128(line + 3));
    __m128i low = _mm_castps_si128(_mm_shuffle_ps(a, b, _MM_SHUFFLE(3, 1, 3, 1)));
    __m128i high = _mm_castps_si128(_mm_shuffle_ps(c, d, _MM_SHUFFLE(3, 1, 3, 1)));
    low = _mm_cmpeq_epi32(_mm_and_si128(low, mask), wanted);
    high = _mm_cmpeq_epi32(_mm_and_si128(high, mask), wanted);
    return (uint32_t)_mm_movemask_ps(_mm_castsi128_ps(low)) |
           (uint32_t)_mm_movemask_ps(_mm_castsi128_ps(high)) << 4;
#else
    uint32_t found = 0;
    for (int i = 0; i < 8; i++)
        found |= (uint32_t)(((uint32_t)(load64(bucket + i * 8) >> 32) & ~1u) == tag) << i;
    return found;
#endif
}

static inline uint64_t candidate(const uint8_t *bucket, uint32_t tag) {
    uint32_t found = match_tags(bucket, tag);
    uint64_t word = atomic64(bucket + 8 * __builtin_ctz(found | 0x80));
    return found == 0 ? 0 : word;
}

static inline void parse(const struct reference_frame *frame, struct pending *out) {
    uint8_t *bytes = frame->bytes;
    out->bytes = bytes;
    out->kind = 0;
    out->addresses = 0;
    out->ports = 0;
    out->protocol = 0;
    if (frame->length < 34 || (load32(bytes + 12) & 0xffffff) != 0x450008 ||
        (swap16(load16(bytes + 20)) & 0x3fff) != 0 || (bytes[0] & 1) != 0)
        return;
    uint32_t total = swap16(load16(bytes + 16));
    if (total < 20 || total > frame->length - 14) return;
    out->ip_length = total;
    out->ttl = bytes[22];
    out->protocol = bytes[23];
    out->addresses = load64(bytes + 26);
    out->transport = 34;
    out->flags = 0;
    if (out->protocol == 6) {
        if (total < 40) return;
        out->flags = bytes[47];
    } else if (out->protocol != 17 || total < 28) {
        return;
    }
    out->ports = load32(bytes + 34);
    out->kind = 1;
}

static inline unsigned event(uint8_t flags) {
    if (flags & 4) return 3;
    if (flags & 2) return 0;
    if (flags & 1) return 1;
    return flags & 16 ? 2 : 4;
}

static inline int finish(struct reference_path *path, struct reference_frame *frame,
                         const struct pending *packet) {
    if (!packet->kind) return 0;
    uint8_t *entry = path->entries + (uint64_t)(uint32_t)packet->word * 64;
    unsigned direction = packet->word >> 32 & 1;
    uint32_t control = __atomic_load_n((uint32_t *)entry, __ATOMIC_ACQUIRE);
    if (packet->word == 0 || !(control & 0x100) || load64(entry + 8 + direction * 8) != packet->addresses ||
        load32(entry + 24 + direction * 4) != packet->ports || entry[48] != packet->protocol)
        return 0;
    int32_t idle = (int32_t)(path->tick - atomic32(entry + 4));
    if (idle > 1 &&
        (uint64_t)(uint32_t)(idle - 1) << 24 > (uint64_t)atomic32(entry + 44) * 1000000000u)
        return 0;
    uint32_t number = control >> 16;
    if (number == 0xffff) return 0;
    struct reference_destination *destination = &path->destinations[number];
    uint32_t gone = destination->available == 0, server_hop = destination->next_hop;
    uint32_t stored = atomic32(entry + 52);
    uint32_t outbound = 0u - direction;
    uint32_t next = (server_hop & ~outbound) | (stored & 0xffff & outbound);
    uint32_t outdated = (stored >> 16 ^ path->generation) & outbound;
    if (((packet->flags & 2u) | (control & 0x800) | gone | outdated) != 0) return 0;
    uint8_t *bytes = packet->bytes;
    uint64_t half = load64(bytes + 14), rest = load64(bytes + 22);
    uint64_t sum = (half & 0xffffffff) + (half >> 32) + (rest & 0xffffffff) + (rest >> 32) + load32(bytes + 30);
    sum = (sum & 0xffffffff) + (sum >> 32);
    if (fold((uint32_t)((sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32))) != 0xffff) return 0;
    next &= 0x3fff;
    struct reference_hop *hop = &path->hops[next];
    uint64_t way = __atomic_load_n(&hop->word, __ATOMIC_ACQUIRE);
    unsigned method = entry[49] & 7;
    if (way >> 62 != 2 || packet->ttl <= 1 || packet->ip_length > hop->mtu || method != 0)
        return 0;

    uint64_t *counters = (uint64_t *)&path->counters[number];
    write32(entry + 40, atomic32(entry + 40) + (direction ^ 1));
    counters[1 + direction] += 1;
    counters[3 + direction] += packet->ip_length;
    if (atomic32(entry + 4) != path->tick) write32(entry + 4, path->tick);
    uint32_t timeout = 300;
    if (packet->protocol == 6 && (packet->flags & 0x17) == 0x10 && (control & 0x4ff) == 1) {
        timeout = path->timeouts[1];
    } else if (packet->protocol == 6) {
        unsigned column = (control >> 9 & 2 & (direction - 1)) | direction;
        uint8_t state = path->states[column * 128 + event(packet->flags) * 16 + (control & 15)];
        uint32_t cleared = 0xff | 0x200 | direction * 0x400;
        uint32_t changed =
            (control & ~cleared) | state | ((0x40eu >> state & 1) ^ 1) * 0x200;
        if (changed != control) {
            uint32_t expected = control;
            __atomic_compare_exchange_n((uint32_t *)entry, &expected, changed, 0,
                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
        }
        timeout = path->timeouts[state];
    }
    if (atomic32(entry + 44) != timeout) write32(entry + 44, timeout);

    uint64_t other = load64(entry + 16 - direction * 8);
    uint32_t ports = load32(entry + 28 - direction * 4);
    uint32_t address_difference = load16(entry + 32 + direction * 4);
    bytes[22] = packet->ttl - 1;
    store16(bytes + 24, update(load16(bytes + 24), address_difference + 0xfffe));
    store64(bytes + 26, other << 32 | other >> 32);
    store32(bytes + 34, ports << 16 | ports >> 16);
    uint8_t *field = bytes + 34 + (packet->protocol == 6 ? 16 : 6);
    if (frame->checksum == 1 && frame->checksum_start == 34) {
        store16(field, fold((uint32_t)load16(field) + address_difference));
    } else {
        uint16_t new = update(load16(field), load16(entry + 34 + direction * 4));
        store16(field, packet->protocol == 17 && new == 0 ? 0xffff : new);
    }
    store64(bytes, way);
    store32(bytes + 6, (uint32_t)hop->source);
    store16(bytes + 10, (uint16_t)(hop->source >> 32));
    frame->verdict = 1 | (uint32_t)(way >> 48 & 0x3fff) << 16;
    return 1;
}

int reference_process(struct reference_path *path, struct reference_frame *frames, int count) {
    struct pending pending[BATCH];
    uint64_t second = 0;
    int sent = 0;
    for (int i = 0; i < AHEAD && i < count; i++) __builtin_prefetch(frames[i].bytes, 1, 3);
    for (int i = 0; i < count; i++) {
        if (i + AHEAD < count) __builtin_prefetch(frames[i + AHEAD].bytes, 1, 3);
        struct pending *p = &pending[i];
        parse(&frames[i], p);
        p->place = find_place(path, p->addresses, p->ports, p->protocol);
        __builtin_prefetch(path->buckets + (uint64_t)p->place.first * 64, 1, 3);
    }
    for (int i = 0; i < count; i++) {
        struct pending *p = &pending[i];
        p->word = candidate(path->buckets + (uint64_t)p->place.first * 64, p->place.tag);
        const uint8_t *entry = path->entries + (uint64_t)(uint32_t)p->word * 64;
        __builtin_prefetch(
            p->word == 0 ? path->buckets + (uint64_t)p->place.second * 64 : entry, 1, 3);
        second |= (uint64_t)(p->word == 0) << i;
    }
    for (; second != 0; second &= second - 1) {
        struct pending *p = &pending[__builtin_ctzll(second)];
        p->word = candidate(path->buckets + (uint64_t)p->place.second * 64, p->place.tag);
        __builtin_prefetch(path->entries + (uint64_t)(uint32_t)p->word * 64, 1, 3);
    }
    for (int i = 0; i < count; i++) sent += finish(path, &frames[i], &pending[i]);
    return sent;
}

int64_t reference_find(struct reference_path *path, uint64_t addresses, uint32_t ports,
                       uint8_t transport, uint32_t *bucket) {
    struct place place = find_place(path, addresses, ports, transport);
    for (int turn = 0; turn < 2; turn++) {
        uint32_t number = turn == 0 ? place.first : place.second;
        const uint8_t *line = path->buckets + (uint64_t)number * 64;
        for (uint32_t found = match_tags(line, place.tag); found != 0; found &= found - 1) {
            uint64_t word = atomic64(line + 8 * __builtin_ctz(found));
            uint8_t *entry = path->entries + (uint64_t)(uint32_t)word * 64;
            unsigned direction = word >> 32 & 1;
            if (load64(entry + 8 + direction * 8) != addresses ||
                load32(entry + 24 + direction * 4) != ports || entry[48] != transport)
                continue;
            *bucket = number;
            return (uint32_t)word;
        }
    }
    return -1;
}

uint64_t reference_touch(struct reference_path *path, const uint32_t *buckets,
                         const uint32_t *entries, int count) {
    uint64_t sum = 0;
    for (int start = 0; start < count; start += BATCH) {
        int end = start + BATCH < count ? start + BATCH : count;
        for (int i = start; i < end; i++)
            __builtin_prefetch(path->buckets + (uint64_t)buckets[i] * 64, 0, 3);
        for (int i = start; i < end; i++) {
            sum += load64(path->buckets + (uint64_t)buckets[i] * 64);
            __builtin_prefetch(path->entries + (uint64_t)entries[i] * 64, 1, 3);
        }
        for (int i = start; i < end; i++) {
            uint8_t *entry = path->entries + (uint64_t)entries[i] * 64;
            write32(entry + 40, atomic32(entry + 40) + 1);
        }
    }
    return sum;
}
