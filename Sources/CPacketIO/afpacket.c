#define _GNU_SOURCE
#include "afpacket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif
#ifndef PACKET_FANOUT_FLAG_IGNORE_OUTGOING
#define PACKET_FANOUT_FLAG_IGNORE_OUTGOING 0x4000
#endif

_Static_assert(sizeof(struct tpacket2_hdr) == offsetof(struct afpacket_slot, family), "slot");
_Static_assert(offsetof(struct tpacket2_hdr, tp_vlan_tci) == offsetof(struct afpacket_slot, vlan_tag),
    "slot");
_Static_assert(offsetof(struct sockaddr_ll, sll_pkttype) + sizeof(struct tpacket2_hdr)
        == offsetof(struct afpacket_slot, packet_type), "slot");
_Static_assert(TP_STATUS_USER == AFPACKET_USER && TP_STATUS_COPY == AFPACKET_COPY
        && TP_STATUS_VLAN_VALID == AFPACKET_VLAN_VALID
        && TP_STATUS_VLAN_TPID_VALID == AFPACKET_VLAN_PROTOCOL_VALID, "status");
_Static_assert(sizeof(struct virtio_net_hdr) == 10, "header");
_Static_assert(sizeof(struct iovec) == sizeof(struct afpacket_piece)
        && offsetof(struct iovec, iov_len) == offsetof(struct afpacket_piece, length), "piece");

int afpacket_find(const char *name, struct afpacket_interface *found) {
    memset(found, 0, sizeof *found);
    if (name[0] == 0 || strlen(name) >= IFNAMSIZ) {
        errno = ENODEV;
        return -1;
    }
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    struct ifreq request;
    memset(&request, 0, sizeof request);
    strcpy(request.ifr_name, name);
    int result = ioctl(fd, SIOCGIFINDEX, &request);
    if (result == 0) {
        found->index = request.ifr_ifindex;
        result = ioctl(fd, SIOCGIFHWADDR, &request);
    }
    if (result == 0) {
        found->is_ethernet = request.ifr_hwaddr.sa_family == ARPHRD_ETHER;
        for (int i = 0; i < 6; i++)
            found->hardware = found->hardware << 8 | (uint8_t)request.ifr_hwaddr.sa_data[i];
        result = ioctl(fd, SIOCGIFMTU, &request);
    }
    if (result == 0) {
        found->mtu = (uint32_t)request.ifr_mtu;
        result = ioctl(fd, SIOCGIFFLAGS, &request);
    }
    if (result == 0) found->is_up = (request.ifr_flags & IFF_UP) != 0;
    int error = errno;
    close(fd);
    errno = error;
    return result;
}

static int fail(int fd, const char **step, const char *name) {
    int error = errno;
    if (fd >= 0) close(fd);
    errno = error;
    *step = name;
    return -1;
}

static int set(int fd, int option, int value) {
    return setsockopt(fd, SOL_PACKET, option, &value, sizeof value);
}

static void set_buffer(int fd, int forced, int plain, int bytes) {
    // Beyond the administrator's limit only with CAP_NET_ADMIN; less room is no reason to stop.
    if (setsockopt(fd, SOL_SOCKET, forced, &bytes, sizeof bytes) != 0)
        setsockopt(fd, SOL_SOCKET, plain, &bytes, sizeof bytes);
}

static int bind_to(int fd, int interface, int protocol) {
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_protocol = htons(protocol), .sll_ifindex = interface};
    return bind(fd, (struct sockaddr *)&address, sizeof address);
}

static int attach_filter(int fd, struct sock_filter *program, unsigned short count) {
    struct sock_fprog filter = {.len = count, .filter = program};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
}

static int refuse_all(int fd) {
    struct sock_filter program[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
    return attach_filter(fd, program, 1);
}

int afpacket_begin_receiving(int fd) {
    // IPv4, IPv6 and ARP; the outermost VLAN tag is out of the frame already.
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_ARP, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
    };
    return attach_filter(fd, program, sizeof program / sizeof *program);
}

int afpacket_join(int fd, int kind, int32_t *group) {
    // Since 5.10 a group has its own word on outgoing frames; older kernels ignore the flag.
    int flags = PACKET_FANOUT_FLAG_IGNORE_OUTGOING;
    if (*group < 0) flags |= PACKET_FANOUT_FLAG_UNIQUEID;
    int type = kind == AFPACKET_BY_PROGRAM ? PACKET_FANOUT_EBPF : PACKET_FANOUT_HASH;
    uint32_t word = (*group < 0 ? 0 : (uint32_t)*group) | (uint32_t)(type | flags) << 16;
    if (setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &word, sizeof word) != 0) return -1;
    socklen_t length = sizeof word;
    if (getsockopt(fd, SOL_PACKET, PACKET_FANOUT, &word, &length) != 0) return -1;
    *group = word & 0xffff;
    return 0;
}

int afpacket_steer(int fd, int program) {
    return setsockopt(fd, SOL_PACKET, PACKET_FANOUT_DATA, &program, sizeof program);
}

int afpacket_open_receive(
    int interface, const struct afpacket_layout *layout, void **ring, const char **step) {
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (fd < 0) return fail(fd, step, "socket AF_PACKET");
    // The virtio-net header must be asked for before the ring exists (EBUSY after).
    if (set(fd, PACKET_VNET_HDR, 1) != 0) return fail(fd, step, "PACKET_VNET_HDR");
    if (set(fd, PACKET_IGNORE_OUTGOING, 1) != 0) return fail(fd, step, "PACKET_IGNORE_OUTGOING");
    if (set(fd, PACKET_VERSION, TPACKET_V2) != 0) return fail(fd, step, "PACKET_VERSION");
    if (set(fd, PACKET_RESERVE, (int)layout->reserve) != 0) return fail(fd, step, "PACKET_RESERVE");
    // Frames longer than a slot wait in the socket's queue, up to this many bytes of them.
    if (set(fd, PACKET_COPY_THRESH, 1) != 0) return fail(fd, step, "PACKET_COPY_THRESH");
    set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, 64 << 20);
    if (refuse_all(fd) != 0) return fail(fd, step, "SO_ATTACH_FILTER");
    struct tpacket_req request = {
        .tp_block_size = layout->block_bytes,
        .tp_block_nr = layout->blocks,
        .tp_frame_size = layout->slot_bytes,
        .tp_frame_nr = layout->blocks * layout->slots_per_block,
    };
    if (setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) != 0)
        return fail(fd, step, "PACKET_RX_RING");
    size_t bytes = (size_t)layout->block_bytes * layout->blocks;
    void *memory =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (memory == MAP_FAILED) return fail(fd, step, "mmap");
    if (bind_to(fd, interface, ETH_P_ALL) != 0) {
        int error = errno;
        munmap(memory, bytes);
        errno = error;
        return fail(fd, step, "bind");
    }
    *ring = memory;
    return fd;
}

int afpacket_open_transmit(int interface, const char **step) {
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (fd < 0) return fail(fd, step, "socket AF_PACKET");
    if (set(fd, PACKET_VNET_HDR, 1) != 0) return fail(fd, step, "PACKET_VNET_HDR");
    set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, 64 << 20);
    // Protocol 0: this socket receives nothing.
    if (bind_to(fd, interface, 0) != 0) return fail(fd, step, "bind");
    return fd;
}

int afpacket_open_sender(int interface, const char **step) {
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (fd < 0) return fail(fd, step, "socket AF_PACKET");
    // A kernel that cannot do it goes the longer way.
    set(fd, PACKET_QDISC_BYPASS, 1);
    set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, 4 << 20);
    if (bind_to(fd, interface, 0) != 0) return fail(fd, step, "bind");
    return fd;
}

void afpacket_unmap(void *ring, const struct afpacket_layout *layout) {
    munmap(ring, (size_t)layout->block_bytes * layout->blocks);
}

void *afpacket_messages(struct afpacket_piece *pieces, unsigned count) {
    struct mmsghdr *messages = calloc(count, sizeof *messages);
    if (messages == NULL) return NULL;
    for (unsigned i = 0; i < count; i++) {
        messages[i].msg_hdr.msg_iov = (struct iovec *)&pieces[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    return messages;
}

void afpacket_free_messages(void *messages) { free(messages); }

int afpacket_send(int fd, void *messages, unsigned from, unsigned count) {
    int sent;
    do
        sent = sendmmsg(fd, (struct mmsghdr *)messages + from, count, MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

long afpacket_fetch(int fd, void *buffer, size_t room) {
    ssize_t got;
    // An interface that went down leaves one ENETDOWN before the frames that wait.
    do
        got = recv(fd, buffer, room, MSG_DONTWAIT | MSG_TRUNC);
    while (got < 0 && (errno == EINTR || errno == ENETDOWN));
    return got;
}

uint32_t afpacket_losses(int fd) {
    struct tpacket_stats statistics = {0};
    socklen_t length = sizeof statistics;
    if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &statistics, &length) != 0) return 0;
    return statistics.tp_drops;
}

int afpacket_take_error(int fd) {
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
    return error;
}

int afpacket_bound_interface(int fd) {
    struct sockaddr_ll address = {0};
    socklen_t length = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &length) != 0) return -1;
    return address.sll_ifindex;
}

void afpacket_close(int fd) { close(fd); }

int afpacket_replace(int fd, int old) { return dup3(fd, old, O_CLOEXEC) < 0 ? -1 : 0; }
