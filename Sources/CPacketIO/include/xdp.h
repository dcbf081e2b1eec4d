// AF_XDP sockets: four rings over frame memory that the caller owns.
// Kernel headers stay in xdp.c; functions return -1 and leave errno, unless said otherwise.
#pragma once
#include <stddef.h>
#include <stdint.h>

// A ring shared with the kernel. Indices run on for ever; `mask` makes positions of them.
struct xdp_ring {
    uint32_t *producer;
    uint32_t *consumer;
    const uint32_t *flags;
    void *entries;
    uint32_t mask;
    void *mapping;
    size_t mapped;
};

// A frame in the receive or the transmit ring: where it begins, counted from the area's beginning.
struct xdp_descriptor {
    uint64_t address;
    uint32_t length;
    uint32_t options;
};

struct xdp_area {
    void *base;
    uint64_t bytes;
    uint32_t chunk_bytes;
};

// Entries of each ring, powers of two.
struct xdp_sizes {
    uint32_t receive;
    uint32_t transmit;
    uint32_t fill;
    uint32_t completion;
};

// The socket of one receive queue of one interface.
struct xdp_queue {
    int fd;
    uint8_t is_zero_copy;
    struct xdp_ring receive;
    struct xdp_ring transmit;
    struct xdp_ring fill;
    struct xdp_ring completion;
};

// Frames that a socket lost since it was opened.
struct xdp_losses {
    // The receive ring was full, or no memory was to be had for the frame.
    uint64_t ring_full;
    // Longer than a chunk.
    uint64_t too_long;
    // Refused for its descriptor on the way out.
    uint64_t not_sent;
};

// Receive queues of an interface, 1 where its driver does not say.
uint32_t xdp_queue_count(const char *interface);
// Opens a socket on one receive queue, without copying in the kernel where the driver offers that
// and `copies` does not forbid it. On failure *step names the call that failed.
int xdp_open(
    int32_t interface, uint32_t number, const struct xdp_area *area, const struct xdp_sizes *sizes,
    uint8_t copies, struct xdp_queue *queue, const char **step);
void xdp_close(struct xdp_queue *queue);
// Has the kernel send what is in the transmit ring; 0, or the errno of what it did not take. *dropped
// rises by the frames that it took and the device refused.
int xdp_send(struct xdp_queue *queue, uint32_t *dropped);
// Has the driver look at the fill ring again, where it asked for that.
void xdp_wake_receive(struct xdp_queue *queue);
void xdp_count_losses(int fd, struct xdp_losses *losses);
// One descriptor that is readable when one of several is.
int xdp_join(const int *descriptors, uint32_t count);
void xdp_close_joined(int fd);

// How many entries the kernel has put into a ring that is ours to empty (acquire: they are there).
static inline uint32_t xdp_filled(const struct xdp_ring *ring) {
    return __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE) - *ring->consumer;
}

// How many entries a ring that is ours to fill has room for (acquire: the kernel is done with them).
static inline uint32_t xdp_room(const struct xdp_ring *ring) {
    return ring->mask + 1 - (*ring->producer - __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE));
}

// Hands entries to the kernel (release: after all that was written into them).
static inline void xdp_produce(struct xdp_ring *ring, uint32_t count) {
    __atomic_store_n(ring->producer, *ring->producer + count, __ATOMIC_RELEASE);
}

// Gives entries back to the kernel (release: after all that was read from them).
static inline void xdp_consume(struct xdp_ring *ring, uint32_t count) {
    __atomic_store_n(ring->consumer, *ring->consumer + count, __ATOMIC_RELEASE);
}

// Takes back what the kernel has not taken yet; only where it takes in `xdp_send` alone.
static inline uint32_t xdp_take_back(struct xdp_ring *ring) {
    uint32_t taken = __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE);
    uint32_t rest = *ring->producer - taken;
    __atomic_store_n(ring->producer, taken, __ATOMIC_RELEASE);
    return rest;
}

// The entry so many behind the next one of a ring that is ours to empty.
static inline struct xdp_descriptor xdp_received(const struct xdp_ring *ring, uint32_t index) {
    return ((const struct xdp_descriptor *)ring->entries)[(*ring->consumer + index) & ring->mask];
}

static inline uint64_t xdp_completed(const struct xdp_ring *ring, uint32_t index) {
    return ((const uint64_t *)ring->entries)[(*ring->consumer + index) & ring->mask];
}

// The same of a ring that is ours to fill.
static inline void xdp_put_address(struct xdp_ring *ring, uint32_t index, uint64_t address) {
    ((uint64_t *)ring->entries)[(*ring->producer + index) & ring->mask] = address;
}

static inline void xdp_put(
    struct xdp_ring *ring, uint32_t index, uint64_t address, uint32_t length) {
    struct xdp_descriptor *entry =
        &((struct xdp_descriptor *)ring->entries)[(*ring->producer + index) & ring->mask];
    entry->address = address;
    entry->length = length;
    entry->options = 0;
}

// The frame so many behind the next one to be handed over, taken back before.
static inline struct xdp_descriptor xdp_taken_back(const struct xdp_ring *ring, uint32_t index) {
    return ((const struct xdp_descriptor *)ring->entries)[(*ring->producer + index) & ring->mask];
}
