// Frames byte by byte: made for a flow, read, turned into their answers.
#include "traffic.h"
#include <arpa/inet.h>
#include <string.h>

enum { ETHERNET = 14, IP = 20, UDP = 8, TCP = 20, PROTOCOL_TCP = 6, PROTOCOL_UDP = 17 };
enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };
// Begins what a datagram carries: this word, the frame's number, the time of sending.
static const uint32_t mark = 0x6c767374;

static void put16(uint8_t *at, uint16_t value) {
    value = htons(value);
    memcpy(at, &value, 2);
}

static void put32(uint8_t *at, uint32_t value) {
    value = htonl(value);
    memcpy(at, &value, 4);
}

static uint16_t get16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }

static uint32_t get32(const uint8_t *at) {
    uint32_t value;
    memcpy(&value, at, 4);
    return ntohl(value);
}

static uint64_t sum(const uint8_t *at, unsigned length) {
    uint64_t total = 0;
    for (; length >= 4; at += 4, length -= 4) {
        uint32_t word;
        memcpy(&word, at, 4);
        total += word;
    }
    if (length >= 2) {
        uint16_t word;
        memcpy(&word, at, 2);
        total += word;
        at += 2;
        length -= 2;
    }
    return total + (length ? *at : 0);
}

// The sum as it stands in a header, in network byte order already.
static uint16_t folded(uint64_t total) {
    while (total >> 16) total = (total & 0xffff) + (total >> 16);
    return (uint16_t)~total;
}

static void finish(uint8_t *ip, unsigned length) {
    memset(ip + 10, 0, 2);
    uint16_t header = folded(sum(ip, IP));
    memcpy(ip + 10, &header, 2);
    uint8_t *transport = ip + IP;
    unsigned rest = length - IP;
    uint8_t *field = transport + (ip[9] == PROTOCOL_TCP ? 16 : 6);
    memset(field, 0, 2);
    uint16_t check = folded(sum(ip + 12, 8) + htons(ip[9]) + htons((uint16_t)rest) + sum(transport, rest));
    if (ip[9] == PROTOCOL_UDP && check == 0) check = 0xffff;
    memcpy(field, &check, 2);
}

void build(uint8_t *frame, const struct settings *settings, const uint8_t source[6], enum kind kind,
    uint64_t flow, uint32_t number, uint32_t acknowledged) {
    // A segment without data is 54 bytes; the rest of 60 is padding that no header counts.
    unsigned length = kind == KIND_SYN || kind == KIND_ACK ? IP + TCP : settings->size - ETHERNET;
    memset(frame, 0, ETHERNET + IP + TCP + 6);
    memcpy(frame, settings->hardware, 6);
    memcpy(frame + 6, source, 6);
    put16(frame + 12, 0x0800);
    uint8_t *ip = frame + ETHERNET;
    ip[0] = 0x45;
    put16(ip + 2, (uint16_t)length);
    put16(ip + 4, (uint16_t)number);
    ip[8] = 64;
    ip[9] = kind == KIND_UDP ? PROTOCOL_UDP : PROTOCOL_TCP;
    put32(ip + 12, settings->from + (uint32_t)(flow % settings->addresses));
    put32(ip + 16, settings->to);
    uint8_t *transport = ip + IP;
    put16(transport, (uint16_t)(settings->first_port + flow / settings->addresses));
    put16(transport + 2, settings->port);
    if (kind == KIND_UDP) {
        put16(transport + 4, (uint16_t)(length - IP));
        put32(transport + UDP, mark);
        put32(transport + UDP + 4, number);
        uint64_t time = now();
        memcpy(transport + UDP + 8, &time, 8);
    } else {
        // Data counts frames in its sequence numbers, so that a receiver of headers can tell what is missing.
        put32(transport + 4, kind == KIND_SYN ? number : number + 1);
        put32(transport + 8, acknowledged);
        transport[12] = 5 << 4;
        transport[13] = kind == KIND_SYN ? SYN : kind == KIND_ACK ? ACK : PSH | ACK;
        put16(transport + 14, 8192);
    }
    finish(ip, length);
}

bool recognise(const uint8_t *frame, uint32_t length, const struct settings *settings, struct seen *seen) {
    const uint8_t *ip = frame + ETHERNET, *transport = ip + IP;
    if (length < 54 || get16(frame + 12) != 0x0800 || ip[0] != 0x45) return false;
    if (ip[9] != PROTOCOL_UDP && ip[9] != PROTOCOL_TCP) return false;
    uint32_t client = get32(ip + (settings->looks_back ? 16 : 12));
    uint16_t port = get16(transport + (settings->looks_back ? 2 : 0));
    uint16_t served = get16(transport + (settings->looks_back ? 0 : 2));
    if (served != settings->port || client - settings->from >= settings->addresses || port < settings->first_port)
        return false;
    seen->flow = (uint64_t)(port - settings->first_port) * settings->addresses + (client - settings->from);
    if (seen->flow < settings->first_flow || seen->flow - settings->first_flow >= settings->flows) return false;
    seen->protocol = ip[9];
    seen->sent_at = 0;
    if (ip[9] == PROTOCOL_UDP) {
        if (length < ETHERNET + IP + UDP + 16 || get32(transport + UDP) != mark) return false;
        seen->flags = 0;
        seen->number = get32(transport + UDP + 4);
        memcpy(&seen->sent_at, transport + UDP + 8, 8);
    } else {
        seen->flags = transport[13];
        seen->sequence = get32(transport + 4);
        seen->number = seen->sequence - 1;
    }
    return true;
}

static void swap(uint8_t *one, uint8_t *other, size_t bytes) {
    uint8_t kept[6];
    memcpy(kept, one, bytes);
    memcpy(one, other, bytes);
    memcpy(other, kept, bytes);
}

uint32_t turn_round(uint8_t *frame, uint32_t length) {
    uint8_t *ip = frame + ETHERNET, *transport = ip + IP;
    if (length < 54 || get16(frame + 12) != 0x0800 || ip[0] != 0x45) return 0;
    unsigned total = get16(ip + 2);
    if (total + ETHERNET > length || total < IP + (ip[9] == PROTOCOL_TCP ? TCP : UDP)) return 0;
    if (ip[9] == PROTOCOL_TCP) {
        uint8_t flags = transport[13];
        uint32_t sequence = get32(transport + 4), acknowledged = get32(transport + 8);
        if (flags & RST || (transport[12] >> 4) != 5) return 0;
        if (flags & SYN) {
            put32(transport + 4, 0x10000000);
            put32(transport + 8, sequence + 1);
            transport[13] = SYN | ACK;
        } else if (flags & (FIN | PSH)) {
            // Data comes back with the number it had, so that the sender can tell what is missing.
            put32(transport + 4, flags & FIN ? acknowledged : sequence);
            put32(transport + 8, sequence + 1);
            transport[13] = flags & FIN ? FIN | ACK : PSH | ACK;
        } else {
            return 0;
        }
    } else if (ip[9] != PROTOCOL_UDP) {
        return 0;
    }
    swap(frame, frame + 6, 6);
    swap(ip + 12, ip + 16, 4);
    swap(transport, transport + 2, 2);
    ip[8] = 64;
    finish(ip, total);
    return length;
}
