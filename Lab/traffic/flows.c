// Commands on frames: send, connect, answer, watch.
#define _GNU_SOURCE
#include "traffic.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH = 64, MOST_NUMBERED = 1 << 23 };

static uint64_t deadline(const struct settings *s) { return now() + (uint64_t)(s->seconds * 1e9); }

void run_send(const struct settings *s) {
    struct transmitter *out = open_transmitter(s->interface, s->uses_sendmmsg);
    uint8_t source[6];
    hardware_address(s->interface, source);
    // Each flow counts its own frames, unless there are too many flows to ask about them.
    uint32_t *numbers = s->flows <= MOST_NUMBERED ? reserve(s->flows * sizeof *numbers) : NULL;
    uint64_t state = now() | 1, flow = 0, sent = 0;
    uint64_t began = now(), used = cpu_time(), end = deadline(s);
    unsigned batch = s->rate > 0 && s->rate < 64000 ? 1 + (unsigned)(s->rate / 1000) : BATCH;
    while (!stopped && now() < end) {
        for (unsigned i = 0; i < batch; i++) {
            if (s->is_random) flow = scramble(&state) % s->flows;
            uint32_t number = numbers ? numbers[flow]++ : (uint32_t)sent;
            build(next_frame(out), s, source, s->kind, s->first_flow + flow, number, 0x10000001);
            push(out, s->kind == KIND_UDP || s->kind == KIND_DATA ? s->size : LEAST_SIZE);
            sent++;
            if (!s->is_random && ++flow == s->flows) flow = 0;
        }
        flush(out);
        if (s->rate > 0) {
            uint64_t due = began + (uint64_t)((double)sent * 1e9 / s->rate);
            // Slow senders leave the CPU to others meanwhile.
            while (!stopped && now() < due) {
                struct timespec nap = {.tv_nsec = 50000};
                if (due > now() + 150000) nanosleep(&nap, NULL);
            }
        }
    }
    double seconds = (double)(now() - began) / 1e9;
    printf("{\"sent\": %lu, \"seconds\": %.4f, \"rate\": %.0f, \"cpu\": %.4f, \"refused\": %lu}\n", sent, seconds,
        (double)sent / seconds, (double)(cpu_time() - used) / 1e9, refused_frames(out));
}

// What is known of a handshake.
enum { NEW, ASKED, ESTABLISHED };

static void push_handshake(struct transmitter *out, const struct settings *s, const uint8_t *source, enum kind kind,
    uint64_t flow, uint32_t acknowledged) {
    build(next_frame(out), s, source, kind, flow, 0, acknowledged);
    push(out, LEAST_SIZE);
}

void run_connect(const struct settings *s) {
    struct transmitter *out = open_transmitter(s->interface, s->uses_sendmmsg);
    struct receiver *in = open_receiver(s->interface, s->port);
    uint8_t source[6];
    hardware_address(s->interface, source);
    uint8_t *states = reserve(s->flows);
    struct settings back = *s;
    back.looks_back = true;
    uint64_t established = 0, asked = 0, repeated = 0, next = 0;
    uint64_t began = now(), end = deadline(s), last = began;
    // Those without an answer for a while are asked again, from the first on.
    const uint64_t patience = 50000000;
    while (!stopped && established < s->flows && now() < end) {
        uint32_t length;
        uint64_t before = established;
        for (uint8_t *frame; (frame = take(in, &length));) {
            struct seen seen;
            if (!recognise(frame, length, &back, &seen) || seen.protocol != 6 || (seen.flags & 0x12) != 0x12) continue;
            push_handshake(out, s, source, KIND_ACK, seen.flow, seen.sequence + 1);
            uint8_t *state = &states[seen.flow - s->first_flow];
            if (*state != ESTABLISHED) established++;
            *state = ESTABLISHED;
        }
        give_back(in);
        if (established != before) last = now();
        uint64_t open = asked - (established < asked ? established : asked);
        for (unsigned i = 0; i < BATCH && open < s->window && next < s->flows; i++, next++) {
            if (states[next] == ESTABLISHED) continue;
            push_handshake(out, s, source, KIND_SYN, s->first_flow + next, 0);
            states[next] = ASKED;
            asked++, open++;
        }
        flush(out);
        if (now() - last > patience) {
            for (next = 0; next < s->flows && states[next] == ESTABLISHED;) next++;
            asked = established;
            for (uint64_t flow = next; flow < s->flows; flow++) {
                if (states[flow] == ASKED) states[flow] = NEW, repeated++;
            }
            last = now();
        } else if (established == before && (next == s->flows || open >= s->window)) {
            wait_for_frames(in, 5);
        }
    }
    double seconds = (double)(now() - began) / 1e9;
    printf("{\"established\": %lu, \"wanted\": %lu, \"seconds\": %.3f, \"rate\": %.0f, \"repeated\": %lu}\n",
        established, s->flows, seconds, (double)established / seconds, repeated);
    if (established < s->flows) exit(3);
}

void run_answer(const struct settings *s) {
    struct transmitter *out = open_transmitter(s->interface, s->uses_sendmmsg);
    struct receiver *in = open_receiver(s->interface, 0);
    uint64_t seen = 0, answered = 0, end = deadline(s);
    while (!stopped && now() < end) {
        unsigned taken = 0;
        uint32_t length;
        for (uint8_t *frame; taken < BATCH && (frame = take(in, &length)); taken++) {
            uint8_t *answer = next_frame(out);
            memcpy(answer, frame, length);
            length = turn_round(answer, length);
            if (length == 0) continue;
            push(out, length);
            answered++;
        }
        give_back(in);
        seen += taken;
        if (taken) flush(out);
        else wait_for_frames(in, 100);
    }
    printf("{\"seen\": %lu, \"answered\": %lu, \"overrun\": %lu, \"refused\": %lu}\n", seen, answered,
        lost_frames(in), refused_frames(out));
}

struct count { uint64_t frames, missing, late, flows; };

static void report(const struct count *count, uint64_t overrun, const struct histogram *times, double seconds) {
    printf("{\"frames\": %lu, \"flows\": %lu, \"missing\": %lu, \"late\": %lu, \"overrun\": %lu, \"seconds\": %.3f",
        count->frames, count->flows, count->missing, count->late, overrun, seconds);
    if (times->total) {
        printf(", ");
        print_percentiles(times);
    }
    printf("}\n");
    fflush(stdout);
}

// Numbers of a flow count up by one. A gap is missing frames until one of them comes: then it is late, and there.
void run_watch(const struct settings *s) {
    struct receiver *in = open_receiver(s->interface, s->port);
    uint32_t *expected = reserve(s->flows * sizeof *expected);
    uint8_t *known = reserve(s->flows);
    struct histogram *times = reserve(sizeof *times);
    struct count count = {0};
    uint64_t began = now(), end = deadline(s), tick = began + 1000000000;
    fprintf(stderr, "watching\n");
    while (!stopped && now() < end) {
        uint32_t length;
        bool some = false;
        for (uint8_t *frame; (frame = take(in, &length));) {
            struct seen seen;
            some = true;
            if (!recognise(frame, length, s, &seen)) continue;
            // Segments without data have no number of their own.
            if (seen.protocol == 6 && !(seen.flags & 8)) continue;
            uint64_t flow = seen.flow - s->first_flow;
            count.frames++;
            if (!known[flow]) known[flow] = 1, count.flows++, expected[flow] = seen.number;
            int32_t ahead = (int32_t)(seen.number - expected[flow]);
            if (ahead >= 0) {
                count.missing += (uint32_t)ahead;
                expected[flow] = seen.number + 1;
            } else {
                count.late++;
                if (count.missing) count.missing--;
            }
            if (seen.sent_at) note(times, now() - seen.sent_at);
        }
        give_back(in);
        if (s->reports_each && now() >= tick) {
            report(&count, lost_frames(in), times, (double)(now() - began) / 1e9);
            tick += 1000000000;
        }
        if (!some) wait_for_frames(in, 20);
    }
    report(&count, lost_frames(in), times, (double)(now() - began) / 1e9);
}
