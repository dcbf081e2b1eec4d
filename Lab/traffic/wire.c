// Frames out and in. Out: AF_XDP in copy mode, which needs no program and takes least of a CPU on a veth, or sendmmsg
// on a packet socket, of which one interface can have several. In: a packet socket's ring of small slots.
#define _GNU_SOURCE
#include "traffic.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef XDP_MAX_TX_SKB_BUDGET
#define XDP_MAX_TX_SKB_BUDGET 9
#endif
#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

enum { SLOT = 2048, SLOTS = 4096, RING = 2048, BATCH = 64 };

struct transmitter {
    int fd;
    bool uses_sendmmsg;
    uint8_t *memory;
    uint64_t refused;
    uint32_t produced;
    // AF_XDP
    uint32_t *producer, *completed_producer, *completed_consumer;
    struct xdp_desc *descriptors;
    // sendmmsg
    unsigned queued;
    struct mmsghdr messages[BATCH];
    struct iovec pieces[BATCH];
};

static int interface_index(const char *interface) {
    errno = 0;
    unsigned index = if_nametoindex(interface);
    if (index == 0) fail("interface %s", interface);
    return (int)index;
}

void hardware_address(const char *interface, uint8_t address[6]) {
    struct ifreq request = {0};
    if (strlen(interface) >= sizeof request.ifr_name) fail("interface %s", interface);
    strcpy(request.ifr_name, interface);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &request) != 0) fail("interface %s", interface);
    memcpy(address, request.ifr_hwaddr.sa_data, 6);
    close(fd);
}

static void set(int fd, int level, int option, const void *value, socklen_t bytes, const char *what) {
    if (setsockopt(fd, level, option, value, bytes) != 0) fail("%s", what);
}

static void set_number(int fd, int level, int option, int value, const char *what) {
    set(fd, level, option, &value, sizeof value, what);
}

static void bind_packet_socket(int fd, const char *interface, uint16_t protocol) {
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_protocol = htons(protocol), .sll_ifindex = interface_index(interface)};
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) fail("bind to %s", interface);
}

static void open_xdp(struct transmitter *t, const char *interface) {
    t->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (t->fd < 0) fail("AF_XDP socket (--sendmmsg does without)");
    struct xdp_umem_reg area;
    memset(&area, 0, sizeof area);
    area.addr = (uintptr_t)t->memory;
    area.len = (uint64_t)SLOT * SLOTS;
    area.chunk_size = SLOT;
    set(t->fd, SOL_XDP, XDP_UMEM_REG, &area, sizeof area, "XDP_UMEM_REG");
    set_number(t->fd, SOL_XDP, XDP_UMEM_FILL_RING, RING, "XDP_UMEM_FILL_RING");
    set_number(t->fd, SOL_XDP, XDP_UMEM_COMPLETION_RING, RING, "XDP_UMEM_COMPLETION_RING");
    set_number(t->fd, SOL_XDP, XDP_TX_RING, RING, "XDP_TX_RING");
    // Only newer kernels know it; without it a call sends 32.
    int budget = BATCH;
    (void)setsockopt(t->fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, &budget, sizeof budget);
    struct xdp_mmap_offsets offsets;
    socklen_t bytes = sizeof offsets;
    if (getsockopt(t->fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &bytes) != 0) fail("XDP_MMAP_OFFSETS");
    int access = PROT_READ | PROT_WRITE, flags = MAP_SHARED | MAP_POPULATE;
    uint8_t *ring = mmap(NULL, offsets.tx.desc + RING * sizeof(struct xdp_desc), access, flags, t->fd, XDP_PGOFF_TX_RING);
    uint8_t *done = mmap(NULL, offsets.cr.desc + RING * 8, access, flags, t->fd, XDP_UMEM_PGOFF_COMPLETION_RING);
    if (ring == MAP_FAILED || done == MAP_FAILED) fail("rings of the AF_XDP socket");
    t->producer = (uint32_t *)(ring + offsets.tx.producer);
    t->descriptors = (struct xdp_desc *)(ring + offsets.tx.desc);
    t->completed_producer = (uint32_t *)(done + offsets.cr.producer);
    t->completed_consumer = (uint32_t *)(done + offsets.cr.consumer);
    struct sockaddr_xdp address = {
        .sxdp_family = AF_XDP, .sxdp_ifindex = (uint32_t)interface_index(interface), .sxdp_flags = XDP_COPY};
    // A socket that has just ended leaves the queue a little later.
    for (int tries = 0; bind(t->fd, (struct sockaddr *)&address, sizeof address) != 0; tries++) {
        if (errno != EBUSY || tries == 100) fail("AF_XDP on %s (--sendmmsg does without)", interface);
        usleep(20000);
    }
}

struct transmitter *open_transmitter(const char *interface, bool uses_sendmmsg) {
    struct transmitter *t = reserve(sizeof *t);
    t->memory = reserve((size_t)SLOT * SLOTS);
    t->uses_sendmmsg = uses_sendmmsg;
    if (!uses_sendmmsg) {
        open_xdp(t, interface);
        return t;
    }
    t->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (t->fd < 0) fail("packet socket");
    set_number(t->fd, SOL_PACKET, PACKET_QDISC_BYPASS, 1, "PACKET_QDISC_BYPASS");
    bind_packet_socket(t->fd, interface, 0);
    for (int i = 0; i < BATCH; i++) {
        t->messages[i].msg_hdr.msg_iov = &t->pieces[i];
        t->messages[i].msg_hdr.msg_iovlen = 1;
    }
    return t;
}

static uint32_t outstanding(struct transmitter *t) {
    uint32_t completed = __atomic_load_n(t->completed_producer, __ATOMIC_ACQUIRE);
    __atomic_store_n(t->completed_consumer, completed, __ATOMIC_RELEASE);
    return t->produced - completed;
}

static void kick(struct transmitter *t) {
    if (sendto(t->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 && errno != EAGAIN && errno != EBUSY) t->refused++;
}

uint8_t *next_frame(struct transmitter *t) {
    if (!t->uses_sendmmsg && outstanding(t) == RING) {
        __atomic_store_n(t->producer, t->produced, __ATOMIC_RELEASE);
        while (outstanding(t) == RING && !stopped) kick(t);
    }
    return t->memory + (size_t)(t->produced % SLOTS) * SLOT;
}

void push(struct transmitter *t, uint32_t length) {
    uint32_t slot = t->produced % SLOTS;
    if (t->uses_sendmmsg) {
        t->pieces[t->queued++] = (struct iovec){t->memory + (size_t)slot * SLOT, length};
        t->produced++;
        if (t->queued == BATCH) flush(t);
        return;
    }
    t->descriptors[t->produced % RING] = (struct xdp_desc){.addr = (uint64_t)slot * SLOT, .len = length};
    t->produced++;
}

void flush(struct transmitter *t) {
    if (!t->uses_sendmmsg) {
        __atomic_store_n(t->producer, t->produced, __ATOMIC_RELEASE);
        // The call says EAGAIN while frames are left.
        while (sendto(t->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 && !stopped) {
            if (errno == EAGAIN) continue;
            if (errno != EBUSY) t->refused++;
            break;
        }
        return;
    }
    unsigned done = 0;
    while (done < t->queued) {
        int sent = sendmmsg(t->fd, t->messages + done, t->queued - done, 0);
        if (sent < 0) t->refused++;
        done += sent < 0 ? 1 : (unsigned)sent;
    }
    t->queued = 0;
}

uint64_t refused_frames(const struct transmitter *t) { return t->refused; }

enum { IN_SLOT = 256, IN_SLOTS = 32768, IN_BLOCK = 1 << 18 };

struct receiver {
    int fd;
    uint8_t *ring;
    unsigned next, oldest;
    uint64_t lost;
};

struct receiver *open_receiver(const char *interface, uint16_t port) {
    struct receiver *r = reserve(sizeof *r);
    r->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (r->fd < 0) fail("packet socket");
    set_number(r->fd, SOL_PACKET, PACKET_VERSION, TPACKET_V2, "PACKET_VERSION");
    set_number(r->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1, "PACKET_IGNORE_OUTGOING");
    // Headers without options only, as everything here is; the ports are at 34 and 36.
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 6),
        BPF_JUMP(BPF_JMP | BPF_JA, port ? 0 : 4, 0, 0),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 34),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 2, 0),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 36),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 160),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog filter = {.len = sizeof program / sizeof *program, .filter = program};
    set(r->fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter, "SO_ATTACH_FILTER");
    struct tpacket_req request = {
        .tp_block_size = IN_BLOCK, .tp_block_nr = IN_SLOT * IN_SLOTS / IN_BLOCK,
        .tp_frame_size = IN_SLOT, .tp_frame_nr = IN_SLOTS};
    set(r->fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof request, "PACKET_RX_RING");
    r->ring = mmap(NULL, IN_SLOT * IN_SLOTS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd, 0);
    if (r->ring == MAP_FAILED) fail("ring of the packet socket");
    bind_packet_socket(r->fd, interface, ETH_P_ALL);
    return r;
}

uint8_t *take(struct receiver *r, uint32_t *length) {
    for (;;) {
        if ((r->next + 1) % IN_SLOTS == r->oldest) return NULL;
        struct tpacket2_hdr *slot = (struct tpacket2_hdr *)(r->ring + (size_t)r->next * IN_SLOT);
        if (!(__atomic_load_n(&slot->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER)) return NULL;
        r->next = (r->next + 1) % IN_SLOTS;
        // Frames that did not fit are nobody's here.
        if (slot->tp_snaplen != slot->tp_len) continue;
        *length = slot->tp_snaplen;
        return (uint8_t *)slot + slot->tp_mac;
    }
}

void give_back(struct receiver *r) {
    for (; r->oldest != r->next; r->oldest = (r->oldest + 1) % IN_SLOTS) {
        struct tpacket2_hdr *slot = (struct tpacket2_hdr *)(r->ring + (size_t)r->oldest * IN_SLOT);
        __atomic_store_n(&slot->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
    }
}

void wait_for_frames(struct receiver *r, int milliseconds) {
    struct pollfd one = {.fd = r->fd, .events = POLLIN};
    poll(&one, 1, milliseconds);
}

uint64_t lost_frames(struct receiver *r) {
    struct tpacket_stats counts;
    socklen_t bytes = sizeof counts;
    if (getsockopt(r->fd, SOL_PACKET, PACKET_STATISTICS, &counts, &bytes) == 0) r->lost += counts.tp_drops;
    return r->lost;
}
