// NFQUEUE: packets that netfilter hands over, and verdicts that hand them back (nfnetlink_queue).
// Kernel headers stay in nfqueue.c and nfqueue_rule.c; functions return a negative errno unless said
// otherwise.
#pragma once
#include <stddef.h>
#include <stdint.h>

// What a message from the kernel says.
enum {
    LVS_NFQ_OTHER = 0,
    LVS_NFQ_PACKET = 1,
    // A verdict was refused; `id` is the errno.
    LVS_NFQ_REFUSED = 2,
};

// Verdicts.
enum {
    LVS_NFQ_DROP = 0,
    LVS_NFQ_ACCEPT = 1,
};

// Hooks in which packets are taken.
enum {
    LVS_NFQ_PREROUTING = 0,
    LVS_NFQ_FORWARD = 2,
    LVS_NFQ_OUTPUT = 3,
};

enum {
    // The transport checksum is for a card to finish.
    LVS_NFQ_PARTIAL = 1 << 0,
    // A super-frame.
    LVS_NFQ_SEGMENTS = 1 << 1,
};

// Bytes of a verdict without contents, and of what stands before contents.
enum {
    LVS_NFQ_VERDICT_BYTES = 32,
    LVS_NFQ_CONTENTS_HEADER = 36,
    // Longest contents of a verdict: an attribute's length has 16 bits.
    LVS_NFQ_MOST_CONTENTS = 65535 - 4,
};

// One packet; `contents` points into the message, at the network header, and is NULL when there is none.
struct lvs_nfq_packet {
    uint8_t *contents;
    // Bytes that came, and bytes that there are.
    uint32_t length;
    uint32_t whole;
    // As the kernel numbers it, in its own byte order.
    uint32_t id;
    uint32_t mark;
    // Interface it came in by; 0 when the host itself sent it.
    int32_t ingress;
    // EtherType, host order.
    uint16_t protocol;
    uint8_t hook;
    uint8_t flags;
    // Sender's MAC address; zeros when there is none.
    uint8_t sender[8];
};

// A part of a message to the kernel (struct iovec).
struct lvs_nfq_piece {
    void *base;
    size_t length;
};

struct lvs_nfq_batch;

// A socket to netfilter in the calling thread's network namespace, which hears nobody but the kernel;
// close it with lvs_nfq_close.
int lvs_nfq_connect(void);

// Binds a queue and returns its socket: packets come whole, super-frames too, and up to `longest` of
// them wait. On failure *step names what failed.
int lvs_nfq_open(uint16_t queue, uint32_t longest, const char **step);
void lvs_nfq_close(int fd);

// Reads a message of `length` bytes; reads nothing beyond them, whatever they say.
int lvs_nfq_decode(void *message, size_t length, struct lvs_nfq_packet *packet);

// Writes the Ethernet header that the packet came behind into 14 bytes; the kernel tells the sender
// alone, `station` is the MAC address of the interface in the low 48 bits, 0 where none is known.
void lvs_nfq_write_link(struct lvs_nfq_packet packet, uint64_t station, void *target);

// Receivers of `count` messages, which lie `stride` bytes apart from `buffers` on and are at most
// `most` bytes long; NULL without memory.
struct lvs_nfq_batch *lvs_nfq_batch(void *buffers, size_t stride, size_t most, unsigned count);
void lvs_nfq_free_batch(struct lvs_nfq_batch *batch);
// Takes up to `count` messages without waiting, from the buffer at `from` on: how many came.
int lvs_nfq_receive(int fd, struct lvs_nfq_batch *batch, unsigned from, unsigned count);
// Length of the message at `index`; 0 when it was longer than its buffer.
size_t lvs_nfq_length(const struct lvs_nfq_batch *batch, unsigned index);

// Writes a verdict without contents into LVS_NFQ_VERDICT_BYTES bytes at `target`.
void lvs_nfq_write_verdict(uint8_t *target, uint16_t queue, uint32_t id, uint32_t verdict);
// Writes an accepting verdict into the LVS_NFQ_CONTENTS_HEADER bytes before `contents`, and up to
// three bytes behind them; returns its length, from those bytes on.
size_t lvs_nfq_write_contents(uint8_t *contents, size_t length, uint16_t queue, uint32_t id);
// Hands verdicts to the kernel, in their order.
int lvs_nfq_send(int fd, const struct lvs_nfq_piece *pieces, unsigned count);

// Where the kernel counts what queues have lost, in the calling thread's network namespace; a
// descriptor.
int lvs_nfq_open_counts(void);
// What was lost because the queue, or its socket, was full; 0 when the queue is not listed, then
// `*lost` stays as it was. `*owner` is the port number of the socket that has it.
int lvs_nfq_read_counts(int fd, uint16_t queue, uint64_t *lost, uint32_t *owner);

// Adds the rule "queue everything to this queue" to a chain, by the xtables target NFQUEUE; `fd` is of
// lvs_nfq_connect, `family` is 4 or 6. Waits for the kernel's answer.
int lvs_nft_add_queue_rule(int fd, int family, const char *table, const char *chain, uint16_t queue);
