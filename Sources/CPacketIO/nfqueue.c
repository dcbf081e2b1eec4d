#define _GNU_SOURCE
#include "nfqueue.h"

#include "nfqueue_private.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

_Static_assert(LVS_NFQ_DROP == NF_DROP && LVS_NFQ_ACCEPT == NF_ACCEPT, "verdicts");
_Static_assert(LVS_NFQ_PREROUTING == (int)NF_INET_PRE_ROUTING && LVS_NFQ_FORWARD == (int)NF_INET_FORWARD
        && LVS_NFQ_OUTPUT == (int)NF_INET_LOCAL_OUT, "hooks");
_Static_assert(LVS_NFQ_PARTIAL == NFQA_SKB_CSUMNOTREADY && LVS_NFQ_SEGMENTS == NFQA_SKB_GSO, "flags");
_Static_assert(sizeof(struct iovec) == sizeof(struct lvs_nfq_piece)
        && offsetof(struct iovec, iov_len) == offsetof(struct lvs_nfq_piece, length), "piece");
_Static_assert(MNL_NLMSG_HDRLEN + sizeof(struct nfgenmsg) + MNL_ATTR_HDRLEN
        + sizeof(struct nfqnl_msg_verdict_hdr) == LVS_NFQ_VERDICT_BYTES, "verdict");

#define BUFFER_BYTES (64 << 20)
#define MOST_BATCH 64

struct lvs_nfq_batch {
    struct mmsghdr messages[MOST_BATCH];
    struct iovec buffers[MOST_BATCH];
};

static struct nlmsghdr *begin(void *buffer, uint16_t queue, int type)
{
    struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);
    h->nlmsg_type = NFNL_SUBSYS_QUEUE << 8 | type;
    h->nlmsg_flags = NLM_F_REQUEST;
    struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof *g);
    g->nfgen_family = AF_UNSPEC;
    g->version = NFNETLINK_V0;
    g->res_id = htons(queue);
    return h;
}

ssize_t lvs_nfq_wait(int fd, void *buffer, size_t bytes)
{
    ssize_t got;
    do
        got = recv(fd, buffer, bytes, 0);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

// Waits for the answer to the request with sequence 1; packets that come before it are let go.
static int take_answer(int fd, uint16_t queue, char *buffer, size_t bytes)
{
    for (;;) {
        ssize_t got = lvs_nfq_wait(fd, buffer, bytes);
        if (got < 0)
            return (int)got;
        const struct nlmsghdr *h = (const struct nlmsghdr *)buffer;
        if (mnl_nlmsg_ok(h, (int)got) && h->nlmsg_type == NLMSG_ERROR && h->nlmsg_seq == 1
            && mnl_nlmsg_get_payload_len(h) >= sizeof(struct nlmsgerr))
            return ((const struct nlmsgerr *)mnl_nlmsg_get_payload(h))->error;
        struct lvs_nfq_packet packet;
        if (lvs_nfq_decode(buffer, (size_t)got, &packet) == LVS_NFQ_PACKET) {
            uint8_t verdict[LVS_NFQ_VERDICT_BYTES];
            lvs_nfq_write_verdict(verdict, queue, packet.id, LVS_NFQ_DROP);
            if (send(fd, verdict, sizeof verdict, 0) < 0)
                return -errno;
        }
    }
}

static int configure(int fd, uint16_t queue, uint32_t longest)
{
    // One request: no packet can come between the binding and how packets are to come.
    char *buffer = malloc(MNL_SOCKET_BUFFER_SIZE + 65536);
    if (!buffer)
        return -ENOMEM;
    struct nlmsghdr *h = begin(buffer, queue, NFQNL_MSG_CONFIG);
    h->nlmsg_flags |= NLM_F_ACK;
    h->nlmsg_seq = 1;
    struct nfqnl_msg_config_cmd command = {.command = NFQNL_CFG_CMD_BIND};
    mnl_attr_put(h, NFQA_CFG_CMD, sizeof command, &command);
    struct nfqnl_msg_config_params params = {
        .copy_range = htonl(LVS_NFQ_MOST_CONTENTS), .copy_mode = NFQNL_COPY_PACKET};
    mnl_attr_put(h, NFQA_CFG_PARAMS, sizeof params, &params);
    mnl_attr_put_u32(h, NFQA_CFG_QUEUE_MAXLEN, htonl(longest));
    mnl_attr_put_u32(h, NFQA_CFG_FLAGS, htonl(NFQA_CFG_F_GSO));
    mnl_attr_put_u32(h, NFQA_CFG_MASK, htonl(NFQA_CFG_F_GSO));
    int result = send(fd, h, h->nlmsg_len, 0) < 0
        ? -errno : take_answer(fd, queue, buffer, MNL_SOCKET_BUFFER_SIZE + 65536);
    free(buffer);
    return result;
}

static void set_buffer(int fd, int forced, int plain)
{
    int bytes = BUFFER_BYTES;
    if (setsockopt(fd, SOL_SOCKET, forced, &bytes, sizeof bytes) != 0)
        (void)setsockopt(fd, SOL_SOCKET, plain, &bytes, sizeof bytes);
}

int lvs_nfq_connect(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (fd < 0)
        return -errno;
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    if (bind(fd, (struct sockaddr *)&kernel, sizeof kernel) == 0
        && connect(fd, (struct sockaddr *)&kernel, sizeof kernel) == 0)
        return fd;
    int error = errno;
    close(fd);
    return -error;
}

int lvs_nfq_open(uint16_t queue, uint32_t longest, const char **step)
{
    *step = "socket NETLINK_NETFILTER";
    int fd = lvs_nfq_connect();
    if (fd < 0)
        return fd;
    int on = 1;
    int result = setsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, sizeof on) != 0 ? -errno : 0;
    // A refused verdict is told by its number alone, not by sending it back.
    (void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
    set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF);
    set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF);
    if (result == 0) {
        *step = "bind queue";
        result = configure(fd, queue, longest);
    }
    if (result == 0)
        return fd;
    close(fd);
    return result;
}

void lvs_nfq_close(int fd) { close(fd); }

static uint32_t number(const struct nlattr *a)
{
    return mnl_attr_get_payload_len(a) >= 4 ? ntohl(mnl_attr_get_u32(a)) : 0;
}

static void read_attribute(const struct nlattr *a, struct lvs_nfq_packet *packet)
{
    switch (mnl_attr_get_type(a)) {
    case NFQA_PACKET_HDR:
        if (mnl_attr_get_payload_len(a) >= sizeof(struct nfqnl_msg_packet_hdr)) {
            struct nfqnl_msg_packet_hdr header;
            memcpy(&header, mnl_attr_get_payload(a), sizeof header);
            packet->id = header.packet_id;
            packet->protocol = ntohs(header.hw_protocol);
            packet->hook = header.hook;
        }
        return;
    case NFQA_MARK:
        packet->mark = number(a);
        return;
    case NFQA_IFINDEX_INDEV:
        packet->ingress = (int32_t)number(a);
        return;
    case NFQA_SKB_INFO:
        packet->flags = (uint8_t)(number(a) & (LVS_NFQ_PARTIAL | LVS_NFQ_SEGMENTS));
        return;
    case NFQA_CAP_LEN:
        packet->whole = number(a);
        return;
    case NFQA_HWADDR:
        if (mnl_attr_get_payload_len(a) >= sizeof(struct nfqnl_msg_packet_hw)) {
            const struct nfqnl_msg_packet_hw *from = mnl_attr_get_payload(a);
            if (ntohs(from->hw_addrlen) == 6)
                memcpy(packet->sender, from->hw_addr, 6);
        }
        return;
    case NFQA_PAYLOAD:
        packet->contents = mnl_attr_get_payload(a);
        packet->length = mnl_attr_get_payload_len(a);
        return;
    }
}

int lvs_nfq_decode(void *message, size_t length, struct lvs_nfq_packet *packet)
{
    memset(packet, 0, sizeof *packet);
    const struct nlmsghdr *h = message;
    if (length > INT32_MAX || !mnl_nlmsg_ok(h, (int)length))
        return LVS_NFQ_OTHER;
    if (h->nlmsg_type == NLMSG_ERROR) {
        if (mnl_nlmsg_get_payload_len(h) < sizeof(struct nlmsgerr))
            return LVS_NFQ_OTHER;
        int error = ((const struct nlmsgerr *)mnl_nlmsg_get_payload(h))->error;
        packet->id = (uint32_t)(error < 0 ? -(int64_t)error : error);
        return error == 0 ? LVS_NFQ_OTHER : LVS_NFQ_REFUSED;
    }
    if (h->nlmsg_type != (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET)
        || mnl_nlmsg_get_payload_len(h) < sizeof(struct nfgenmsg))
        return LVS_NFQ_OTHER;
    const char *end = mnl_nlmsg_get_payload_tail(h);
    if (end > (const char *)message + length)
        end = (const char *)message + length;
    const struct nlattr *a = mnl_nlmsg_get_payload_offset(h, sizeof(struct nfgenmsg));
    while ((const char *)a < end && mnl_attr_ok(a, (int)(end - (const char *)a))) {
        read_attribute(a, packet);
        a = mnl_attr_next(a);
    }
    if (packet->whole < packet->length)
        packet->whole = packet->length;
    return LVS_NFQ_PACKET;
}

void lvs_nfq_write_link(struct lvs_nfq_packet packet, uint64_t station, void *target)
{
    uint16_t protocol = htons(packet.protocol);
    uint64_t address = htobe64(station << 16);
    memcpy(target, &address, 6);
    memcpy((char *)target + 6, packet.sender, 6);
    memcpy((char *)target + 12, &protocol, sizeof protocol);
}

struct lvs_nfq_batch *lvs_nfq_batch(void *buffers, size_t stride, size_t most, unsigned count)
{
    struct lvs_nfq_batch *batch = count <= MOST_BATCH ? calloc(1, sizeof *batch) : NULL;
    if (!batch)
        return NULL;
    for (unsigned i = 0; i < count; i++) {
        batch->buffers[i].iov_base = (char *)buffers + i * stride;
        batch->buffers[i].iov_len = most;
        batch->messages[i].msg_hdr.msg_iov = &batch->buffers[i];
        batch->messages[i].msg_hdr.msg_iovlen = 1;
    }
    return batch;
}

void lvs_nfq_free_batch(struct lvs_nfq_batch *batch) { free(batch); }

int lvs_nfq_receive(int fd, struct lvs_nfq_batch *batch, unsigned from, unsigned count)
{
    int got;
    do
        got = recvmmsg(fd, batch->messages + from, count, MSG_DONTWAIT, NULL);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

size_t lvs_nfq_length(const struct lvs_nfq_batch *batch, unsigned index)
{
    const struct mmsghdr *message = &batch->messages[index];
    return message->msg_hdr.msg_flags & MSG_TRUNC ? 0 : message->msg_len;
}

static void write_header(uint8_t *target, size_t length, uint16_t queue, uint32_t id, uint32_t verdict)
{
    struct nlmsghdr h = {
        .nlmsg_len = (uint32_t)length,
        .nlmsg_type = NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_VERDICT,
        .nlmsg_flags = NLM_F_REQUEST};
    struct nfgenmsg g = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0, .res_id = htons(queue)};
    struct nlattr a = {
        .nla_len = MNL_ATTR_HDRLEN + sizeof(struct nfqnl_msg_verdict_hdr),
        .nla_type = NFQA_VERDICT_HDR};
    struct nfqnl_msg_verdict_hdr v = {.verdict = htonl(verdict), .id = id};
    memcpy(target, &h, sizeof h);
    memcpy(target + 16, &g, sizeof g);
    memcpy(target + 20, &a, sizeof a);
    memcpy(target + 24, &v, sizeof v);
}

void lvs_nfq_write_verdict(uint8_t *target, uint16_t queue, uint32_t id, uint32_t verdict)
{
    write_header(target, LVS_NFQ_VERDICT_BYTES, queue, id, verdict);
}

size_t lvs_nfq_write_contents(uint8_t *contents, size_t length, uint16_t queue, uint32_t id)
{
    size_t padded = LVS_NFQ_CONTENTS_HEADER + MNL_ALIGN(length);
    struct nlattr a = {.nla_len = (uint16_t)(MNL_ATTR_HDRLEN + length), .nla_type = NFQA_PAYLOAD};
    write_header(contents - LVS_NFQ_CONTENTS_HEADER, padded, queue, id, LVS_NFQ_ACCEPT);
    memcpy(contents - MNL_ATTR_HDRLEN, &a, sizeof a);
    memset(contents + length, 0, MNL_ALIGN(length) - length);
    return padded;
}

int lvs_nfq_send(int fd, const struct lvs_nfq_piece *pieces, unsigned count)
{
    struct msghdr message = {.msg_iov = (struct iovec *)pieces, .msg_iovlen = count};
    ssize_t sent;
    do
        sent = sendmsg(fd, &message, 0);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

int lvs_nfq_open_counts(void)
{
    // Not /proc/net, which is that of the process's first thread.
    int fd = open("/proc/thread-self/net/netfilter/nfnetlink_queue", O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int lvs_nfq_read_counts(int fd, uint16_t queue, uint64_t *lost, uint32_t *owner)
{
    char text[16384];
    ssize_t got = pread(fd, text, sizeof text - 1, 0);
    if (got < 0)
        return -errno;
    text[got] = 0;
    // queue, port of the socket, waiting, copy mode, copy range, lost in the queue, lost in the socket ...
    for (const char *line = text; line && *line; line = strchr(line, '\n'), line += line != NULL) {
        unsigned number, port, waiting, mode, range;
        unsigned long long full, unsent;
        if (sscanf(line, "%u %u %u %u %u %llu %llu", &number, &port, &waiting, &mode, &range, &full, &unsent) == 7
            && number == queue) {
            *lost = full + unsent;
            *owner = port;
            return 1;
        }
    }
    return 0;
}
