// The NAT hit path once more in C: what the Swift engine is measured against.
//
// Works on the Swift engine's own connection table and does the same steps in the same waves:
// parse, hash, bucket, tags, entry, overdue and opener checks, destination counters, TCP state,
// timeout, TTL, addresses, ports, both checksums, MAC addresses. It is called from the benchmark
// only.
#ifndef C_REFERENCE_H
#define C_REFERENCE_H

#include <stdint.h>

// A frame as a driver hands it over.
struct reference_frame {
    uint8_t *bytes;
    uint32_t length;
    uint32_t capacity;
    uint16_t headroom;
    uint16_t ingress;
    uint32_t verdict;
    uint8_t checksum;
    uint8_t segment_kind;
    uint16_t segment_size;
    uint16_t checksum_start;
};

// A real server, and the way to it.
struct reference_destination {
    uint32_t available;
    uint32_t next_hop;
    uint8_t rest[56];
};

// A next hop: destination MAC << 16 | port << 4 | 2 when resolved, source MAC, MTU.
struct reference_hop {
    uint64_t word;
    uint64_t source;
    uint32_t mtu;
    uint8_t rest[44];
};

// What one worker counts for one destination.
struct reference_counters {
    uint64_t connections, in_packets, out_packets, in_bytes, out_bytes;
    uint8_t rest[24];
};

struct reference_path {
    uint8_t *buckets;
    uint8_t *entries;
    uint32_t bucket_count;
    uint64_t seed0, seed1;
    struct reference_destination *destinations;
    struct reference_hop *hops;
    struct reference_counters *counters;
    uint32_t tick;
    uint32_t generation;
    // New state by column * 128 + event * 16 + state, and timeouts by state.
    uint8_t states[512];
    uint32_t timeouts[16];
};

// Takes up to 64 frames through the path; returns how many were forwarded.
int reference_process(struct reference_path *path, struct reference_frame *frames, int count);

// Where a key's slots may be, from the same hash: its first bucket, and the number of the entry
// that matches, or -1.
int64_t reference_find(struct reference_path *path, uint64_t addresses, uint32_t ports,
                       uint8_t transport, uint32_t *bucket);

// The memory floor of a look-up: reads a bucket and writes the entry, prefetched, nothing else.
uint64_t reference_touch(struct reference_path *path, const uint32_t *buckets,
                         const uint32_t *entries, int count);

#endif
