// Packet sockets: a receive ring (TPACKET_V2) and a transmit socket, both with virtio-net headers.
// Kernel headers stay in afpacket.c; functions return -1 and leave errno, unless said otherwise.
#pragma once
#include <stddef.h>
#include <stdint.h>

// One slot of the ring, as the kernel writes it (struct tpacket2_hdr, then struct sockaddr_ll).
struct afpacket_slot {
    uint32_t status;
    uint32_t length;
    uint32_t captured;
    uint16_t mac;
    uint16_t network;
    uint32_t seconds;
    uint32_t nanoseconds;
    uint16_t vlan_tag;
    uint16_t vlan_protocol;
    uint8_t padding[4];
    uint16_t family;
    uint16_t protocol;
    int32_t interface;
    uint16_t hardware_type;
    uint8_t packet_type;
    uint8_t address_length;
    uint8_t address[8];
};

// Status bits.
enum {
    AFPACKET_KERNEL = 0,
    AFPACKET_USER = 1 << 0,
    AFPACKET_COPY = 1 << 1,
    AFPACKET_VLAN_VALID = 1 << 4,
    AFPACKET_VLAN_PROTOCOL_VALID = 1 << 6,
};

struct afpacket_layout {
    uint32_t slot_bytes;
    uint32_t block_bytes;
    uint32_t blocks;
    uint32_t slots_per_block;
    // Bytes kept free before the virtio-net header of each frame.
    uint32_t reserve;
};

struct afpacket_interface {
    int32_t index;
    uint32_t mtu;
    uint64_t hardware;
    uint8_t is_ethernet;
    uint8_t is_up;
};

// A frame to send: first byte of its virtio-net header, and bytes from there (struct iovec).
struct afpacket_piece {
    void *base;
    size_t length;
};

int afpacket_find(const char *name, struct afpacket_interface *found);
// The socket is bound, and takes no frame before afpacket_begin_receiving. On failure *step names the
// call that failed.
int afpacket_open_receive(
    int interface, const struct afpacket_layout *layout, void **ring, const char **step);
// How a group of sockets shares the frames of its interface.
enum {
    // By a hash of both addresses and ports, the same for both directions.
    AFPACKET_BY_HASH = 0,
    // By the number that a program answers; the first socket has all until there is one.
    AFPACKET_BY_PROGRAM = 1,
};
// Joins the sockets that share the interface's frames as the next of them; a negative *group makes a
// new group and becomes its number.
int afpacket_join(int fd, int kind, int32_t *group);
// Has a program (a descriptor, see bpf.h) choose the socket for each frame of the group.
int afpacket_steer(int fd, int program);
int afpacket_begin_receiving(int fd);
int afpacket_open_transmit(int interface, const char **step);
// A socket that sends frames as they are, past the interface's queueing discipline.
int afpacket_open_sender(int interface, const char **step);
void afpacket_unmap(void *ring, const struct afpacket_layout *layout);
// Message headers for `count` pieces, each bound to its piece for ever; NULL without memory.
void *afpacket_messages(struct afpacket_piece *pieces, unsigned count);
void afpacket_free_messages(void *messages);
// Sends messages [from, from + count) without waiting; how many the kernel took, or -errno when
// the first was refused.
int afpacket_send(int fd, void *messages, unsigned from, unsigned count);
// The next long frame with its virtio-net header; its whole length, also when longer than `room`,
// or -1.
long afpacket_fetch(int fd, void *buffer, size_t room);
// Frames lost to a full ring since the last call; 0 when the kernel does not say.
uint32_t afpacket_losses(int fd);
// Takes the socket's pending error away and returns it.
int afpacket_take_error(int fd);
// Interface the socket is bound to: 0 or less once that was deleted.
int afpacket_bound_interface(int fd);
void afpacket_close(int fd);
// Puts what `fd` refers to in the place of what `old` does, in one step; both stay open.
int afpacket_replace(int fd, int old);

// Acquire: what the kernel wrote before it set the status is visible after.
static inline uint32_t afpacket_load_status(const struct afpacket_slot *slot) {
    return __atomic_load_n(&slot->status, __ATOMIC_ACQUIRE);
}

// Release: the kernel reuses the slot only after everything done to it.
static inline void afpacket_give_back(struct afpacket_slot *slot) {
    __atomic_store_n(&slot->status, (uint32_t)AFPACKET_KERNEL, __ATOMIC_RELEASE);
}

static inline void afpacket_prefetch(const void *address) { __builtin_prefetch(address); }
