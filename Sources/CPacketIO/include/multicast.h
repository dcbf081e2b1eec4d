// Taking part in IPv6 multicast groups, without receiving what is sent to them.
//
// Functions return 0 or a descriptor, and a negative errno when they fail.
#ifndef LVS_MULTICAST_H
#define LVS_MULTICAST_H

#include <stdint.h>

// A socket that holds memberships of the calling thread's network namespace; they end with it.
int lvs_multicast_open(void);
void lvs_multicast_close(int descriptor);
// `group` is 16 bytes in network order.
int lvs_multicast_join(int descriptor, int32_t interface, const uint8_t *group);
int lvs_multicast_leave(int descriptor, int32_t interface, const uint8_t *group);

#endif
