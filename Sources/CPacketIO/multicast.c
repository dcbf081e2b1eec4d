#define _GNU_SOURCE
#include "multicast.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int lvs_multicast_open(void)
{
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

void lvs_multicast_close(int descriptor)
{
    close(descriptor);
}

static int change(int descriptor, int option, int32_t interface, const uint8_t *group)
{
    struct ipv6_mreq request = {.ipv6mr_interface = (unsigned)interface};
    memcpy(&request.ipv6mr_multiaddr, group, 16);
    return setsockopt(descriptor, IPPROTO_IPV6, option, &request, sizeof request) == 0 ? 0 : -errno;
}

int lvs_multicast_join(int descriptor, int32_t interface, const uint8_t *group)
{
    int result = change(descriptor, IPV6_ADD_MEMBERSHIP, interface, group);
    return result == -EADDRINUSE ? 0 : result;
}

int lvs_multicast_leave(int descriptor, int32_t interface, const uint8_t *group)
{
    return change(descriptor, IPV6_DROP_MEMBERSHIP, interface, group);
}
