#include "xdp.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/if_xdp.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef AF_XDP
#define AF_XDP 44
#endif
#ifndef SOL_XDP
#define SOL_XDP 283
#endif
// Since kernel 6.17.
#ifndef XDP_MAX_TX_SKB_BUDGET
#define XDP_MAX_TX_SKB_BUDGET 9
#endif

_Static_assert(sizeof(struct xdp_desc) == sizeof(struct xdp_descriptor)
        && offsetof(struct xdp_desc, len) == offsetof(struct xdp_descriptor, length), "descriptor");

uint32_t xdp_queue_count(const char *interface) {
    struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
    struct ifreq request;
    memset(&request, 0, sizeof request);
    if (strlen(interface) >= IFNAMSIZ) return 1;
    strcpy(request.ifr_name, interface);
    request.ifr_data = (void *)&channels;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return 1;
    int result = ioctl(fd, SIOCETHTOOL, &request);
    close(fd);
    uint32_t count = channels.rx_count + channels.combined_count;
    return result == 0 && count > 0 ? count : 1;
}

static int fail(struct xdp_queue *queue, const char **step, const char *name) {
    int error = errno;
    xdp_close(queue);
    errno = error;
    *step = name;
    return -1;
}

static int size_ring(int fd, int option, uint32_t entries) {
    return setsockopt(fd, SOL_XDP, option, &entries, sizeof entries);
}

static int map_ring(
    int fd, struct xdp_ring *ring, const struct xdp_ring_offset *offsets, uint32_t entries,
    size_t entry_bytes, off_t page) {
    size_t bytes = (size_t)offsets->desc + entries * entry_bytes;
    char *memory =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, page);
    if (memory == MAP_FAILED) return -1;
    ring->mapping = memory;
    ring->mapped = bytes;
    ring->producer = (uint32_t *)(memory + offsets->producer);
    ring->consumer = (uint32_t *)(memory + offsets->consumer);
    ring->flags = (const uint32_t *)(memory + offsets->flags);
    ring->entries = memory + offsets->desc;
    ring->mask = entries - 1;
    return 0;
}

// The kernel lets go of a socket that was closed in the background: EBUSY for a moment.
static int bind_patiently(int fd, int32_t interface, uint32_t number, uint8_t copies) {
    struct sockaddr_xdp address = {
        .sxdp_family = AF_XDP,
        .sxdp_flags = XDP_USE_NEED_WAKEUP | (copies ? XDP_COPY : 0),
        .sxdp_ifindex = (uint32_t)interface,
        .sxdp_queue_id = number,
    };
    struct timespec pause = {.tv_nsec = 20000000};
    for (int tries = 0; tries < 100; tries++) {
        if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0) return 0;
        if (errno != EBUSY) return -1;
        nanosleep(&pause, NULL);
    }
    return -1;
}

int xdp_open(
    int32_t interface, uint32_t number, const struct xdp_area *area, const struct xdp_sizes *sizes,
    uint8_t copies, struct xdp_queue *queue, const char **step) {
    memset(queue, 0, sizeof *queue);
    queue->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (queue->fd < 0) return fail(queue, step, "socket AF_XDP");
    struct xdp_umem_reg memory = {
        .addr = (uintptr_t)area->base, .len = area->bytes, .chunk_size = area->chunk_bytes};
    if (setsockopt(queue->fd, SOL_XDP, XDP_UMEM_REG, &memory, sizeof memory) != 0)
        return fail(queue, step, "XDP_UMEM_REG");
    if (size_ring(queue->fd, XDP_UMEM_FILL_RING, sizes->fill) != 0
        || size_ring(queue->fd, XDP_UMEM_COMPLETION_RING, sizes->completion) != 0
        || size_ring(queue->fd, XDP_RX_RING, sizes->receive) != 0
        || size_ring(queue->fd, XDP_TX_RING, sizes->transmit) != 0)
        return fail(queue, step, "size of the AF_XDP rings");
    struct xdp_mmap_offsets offsets;
    socklen_t length = sizeof offsets;
    if (getsockopt(queue->fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &length) != 0)
        return fail(queue, step, "XDP_MMAP_OFFSETS");
    if (map_ring(queue->fd, &queue->receive, &offsets.rx, sizes->receive,
            sizeof(struct xdp_desc), XDP_PGOFF_RX_RING) != 0
        || map_ring(queue->fd, &queue->transmit, &offsets.tx, sizes->transmit,
               sizeof(struct xdp_desc), XDP_PGOFF_TX_RING) != 0
        || map_ring(queue->fd, &queue->fill, &offsets.fr, sizes->fill, sizeof(uint64_t),
               (off_t)XDP_UMEM_PGOFF_FILL_RING) != 0
        || map_ring(queue->fd, &queue->completion, &offsets.cr, sizes->completion,
               sizeof(uint64_t), (off_t)XDP_UMEM_PGOFF_COMPLETION_RING) != 0)
        return fail(queue, step, "mmap of the AF_XDP rings");
    if (bind_patiently(queue->fd, interface, number, copies) != 0) return fail(queue, step, "bind");
    struct xdp_options options = {0};
    length = sizeof options;
    if (getsockopt(queue->fd, SOL_XDP, XDP_OPTIONS, &options, &length) == 0)
        queue->is_zero_copy = (options.flags & XDP_OPTIONS_ZEROCOPY) != 0;
    // Older kernels send 32 a call, which xdp_send calls again for.
    int budget = (int)sizes->transmit;
    setsockopt(queue->fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, &budget, sizeof budget);
    return 0;
}

static void unmap(struct xdp_ring *ring) {
    if (ring->mapping != NULL) munmap(ring->mapping, ring->mapped);
}

void xdp_close(struct xdp_queue *queue) {
    unmap(&queue->receive);
    unmap(&queue->transmit);
    unmap(&queue->fill);
    unmap(&queue->completion);
    if (queue->fd >= 0) close(queue->fd);
    memset(queue, 0, sizeof *queue);
    queue->fd = -1;
}

int xdp_send(struct xdp_queue *queue, uint32_t *dropped) {
    if (queue->is_zero_copy
        && (__atomic_load_n(queue->transmit.flags, __ATOMIC_RELAXED) & XDP_RING_NEED_WAKEUP) == 0)
        return 0;
    // One call sends 32 frames at least, and EAGAIN means that there are more; EBUSY that the
    // device's queue dropped one.
    int patience = (int)(queue->transmit.mask + 1) / 16 + 64;
    for (;;) {
        if (sendto(queue->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0) return 0;
        int error = errno;
        if (error == EBUSY) *dropped += 1;
        if (error != EAGAIN && error != EINTR && error != EBUSY && error != ENOBUFS) return error;
        if (--patience == 0) return error;
    }
}

void xdp_wake_receive(struct xdp_queue *queue) {
    if ((__atomic_load_n(queue->fill.flags, __ATOMIC_RELAXED) & XDP_RING_NEED_WAKEUP) == 0) return;
    // Whatever it answers, the next turn asks again.
    (void)!recvfrom(queue->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
}

void xdp_count_losses(int fd, struct xdp_losses *losses) {
    struct xdp_statistics counts;
    socklen_t length = sizeof counts;
    memset(&counts, 0, sizeof counts);
    memset(losses, 0, sizeof *losses);
    if (getsockopt(fd, SOL_XDP, XDP_STATISTICS, &counts, &length) != 0) return;
    // A frame without memory counts as dropped as well.
    uint64_t starved = counts.rx_fill_ring_empty_descs;
    if (starved > counts.rx_dropped) starved = counts.rx_dropped;
    losses->ring_full = counts.rx_ring_full + starved;
    losses->too_long = counts.rx_dropped - starved;
    losses->not_sent = counts.tx_invalid_descs;
}

int xdp_join(const int *descriptors, uint32_t count) {
    int joined = epoll_create1(EPOLL_CLOEXEC);
    for (uint32_t i = 0; joined >= 0 && i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN};
        if (epoll_ctl(joined, EPOLL_CTL_ADD, descriptors[i], &event) == 0) continue;
        int error = errno;
        close(joined);
        errno = error;
        return -1;
    }
    return joined;
}

void xdp_close_joined(int fd) { close(fd); }
