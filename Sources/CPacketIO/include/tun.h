// A TUN device with virtio-net headers: IP packets to and from the host's stack.
//
// Functions return 0, a descriptor or a count, and a negative errno when they fail.
#ifndef LVS_TUN_H
#define LVS_TUN_H

#include <stdint.h>

// The virtio-net header that precedes each packet (10 bytes, host order).
struct lvs_tun_header {
    uint8_t flags;
    uint8_t segment_kind;
    uint16_t header_length;
    uint16_t segment_size;
    uint16_t checksum_start;
    uint16_t checksum_offset;
};

// Opens one more queue of the device, which is made by the first; it goes with the last descriptor.
// *super_frames tells whether the host may send TCP super-frames into it.
int lvs_tun_open(const char *name, int *super_frames);
void lvs_tun_close(int descriptor);

// Sets the MTU and brings the device up.
int lvs_tun_up(const char *name, uint32_t mtu);

// One packet a call; -EAGAIN when there is none.
int lvs_tun_read(int descriptor, struct lvs_tun_header *header, void *packet, uint32_t capacity);
int lvs_tun_write(int descriptor, const struct lvs_tun_header *header, const void *packet,
                  uint32_t length);

#endif
