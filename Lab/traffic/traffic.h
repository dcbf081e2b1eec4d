// Frames and connections for the lab, made and counted: what the commands of `traffic` share.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What a frame is: a datagram, a connection's first segment, its last of three, or data on it.
enum kind { KIND_UDP, KIND_SYN, KIND_ACK, KIND_DATA };

// The command line. Flow i comes from address `from + i % addresses` and port `first_port + i / addresses`.
struct settings {
    const char *interface;
    uint8_t hardware[6];
    uint32_t from, to;  // host byte order
    uint16_t port, first_port;
    uint32_t addresses;
    uint64_t flows, first_flow;
    enum kind kind;
    bool is_random, uses_sendmmsg, looks_back, reports_each;
    unsigned size, window, count, gap;
    double seconds, rate;
    int cpu;
};

extern volatile int stopped;

uint64_t now(void);
uint64_t cpu_time(void);
void *reserve(size_t bytes);
void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
// A small generator of random words (xorshift).
static inline uint64_t scramble(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

// frames.c: one frame of a flow, and what a received one says.
enum { LEAST_SIZE = 60, MOST_SIZE = 1514 };
struct seen {
    uint64_t flow;
    uint32_t number;
    uint64_t sent_at;
    uint8_t protocol, flags;
    uint32_t sequence;
};
void build(uint8_t *frame, const struct settings *settings, const uint8_t source[6], enum kind kind,
    uint64_t flow, uint32_t number, uint32_t acknowledged);
// Reads a frame of one of the flows, on its way there or (`looks_back`) back; false when it is another's.
bool recognise(const uint8_t *frame, uint32_t length, const struct settings *settings, struct seen *seen);
// Turns a received frame into its answer, in place; 0 when it gets none, else its length.
uint32_t turn_round(uint8_t *frame, uint32_t length);

// wire.c: frames out by AF_XDP or sendmmsg, frames in by a packet socket's ring.
struct transmitter;
struct transmitter *open_transmitter(const char *interface, bool uses_sendmmsg);
// Memory for the next frame, which `push` then hands over; `flush` sends what was pushed.
uint8_t *next_frame(struct transmitter *);
void push(struct transmitter *, uint32_t length);
void flush(struct transmitter *);
uint64_t refused_frames(const struct transmitter *);
struct receiver;
// Frames from or to a port; from and to every one with port 0.
struct receiver *open_receiver(const char *interface, uint16_t port);
// The next frame that is there, or NULL; all of them go back to the kernel by `give_back`.
uint8_t *take(struct receiver *, uint32_t *length);
void give_back(struct receiver *);
void wait_for_frames(struct receiver *, int milliseconds);
uint64_t lost_frames(struct receiver *);
void hardware_address(const char *interface, uint8_t address[6]);

// histogram.c: times in nanoseconds, read back as percentiles within 3 %.
struct histogram { uint64_t total, buckets[2048]; };
void note(struct histogram *, uint64_t nanoseconds);
double percentile(const struct histogram *, double share);
void print_percentiles(const struct histogram *);

// The commands.
void run_send(const struct settings *);
void run_connect(const struct settings *);
void run_answer(const struct settings *);
void run_watch(const struct settings *);
void run_ping(const struct settings *);
void run_reflect(const struct settings *);
void run_dial(const struct settings *);
void run_hold(const struct settings *);
void run_accept(const struct settings *);
