// Times by powers of two, each cut into 32 parts.
#include "traffic.h"
#include <stdio.h>

void note(struct histogram *histogram, uint64_t nanoseconds) {
    unsigned bucket = (unsigned)nanoseconds;
    if (nanoseconds >= 64) {
        unsigned power = 63u - (unsigned)__builtin_clzll(nanoseconds);
        bucket = (power - 4) * 32 + (unsigned)(nanoseconds >> (power - 5) & 31);
    }
    histogram->buckets[bucket < 2048 ? bucket : 2047]++;
    histogram->total++;
}

// The middle of a bucket.
static double value(unsigned bucket) {
    if (bucket < 64) return bucket;
    return (double)(32 + bucket % 32) * (double)(1ull << (bucket / 32 - 1)) * (1 + 1.0 / 128);
}

double percentile(const struct histogram *histogram, double share) {
    uint64_t wanted = (uint64_t)(share * (double)histogram->total), below = 0;
    for (unsigned bucket = 0; bucket < 2048; bucket++) {
        below += histogram->buckets[bucket];
        if (below > wanted) return value(bucket);
    }
    return 0;
}

void print_percentiles(const struct histogram *histogram) {
    printf("\"p50_us\": %.2f, \"p90_us\": %.2f, \"p99_us\": %.2f, \"p999_us\": %.2f",
        percentile(histogram, .5) / 1e3, percentile(histogram, .9) / 1e3, percentile(histogram, .99) / 1e3,
        percentile(histogram, .999) / 1e3);
}
