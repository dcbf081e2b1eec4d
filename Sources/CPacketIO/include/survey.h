// What the kernel tells of interfaces and of itself to somebody who only looks: nothing here changes
// anything or needs a privilege. Kernel headers stay in survey.c.
#ifndef LVS_SURVEY_H
#define LVS_SURVEY_H

#include <stdint.h>

// 1: on, 0: off, -1: the driver does not say.
struct survey_card {
    char driver[32];
    int32_t receive_ring;       // slots of the card's own ring; -1: it does not say
    int32_t receive_ring_most;
    int8_t tso, gso, gro, lro, transmit_checksum, receive_checksum;
};
// Asks by ethtool's requests; everything is "does not say" where there is no such interface.
void survey_card(const char *interface, struct survey_card *card);

// What an interface's driver does with XDP programs, in the bits of the kernel's netdev family.
enum { SURVEY_XDP_BASIC = 1, SURVEY_XDP_REDIRECT = 2, SURVEY_XDP_ZERO_COPY = 8, SURVEY_XDP_MANY_BUFFERS = 32 };
// 0, or a negative errno: -ENOENT on kernels that do not tell (before 6.3).
int survey_xdp(int32_t interface, uint64_t *features);

// Number of the XDP program on an interface: 0 without one, a negative errno when it cannot be seen.
int64_t survey_xdp_program(int32_t interface);

// Whether the kernel has a family of sockets: 1, 0, or -1 when that cannot be seen.
int survey_has_packet_sockets(void);
int survey_has_xdp_sockets(void);

#endif
