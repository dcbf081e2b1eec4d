#define _GNU_SOURCE
#include "CPosix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int join4(int fd, const uint8_t *group, uint16_t port, int interface) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    memcpy(&address.sin_addr, group, 4);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) return -1;
    struct ip_mreqn request = {.imr_multiaddr = address.sin_addr, .imr_ifindex = interface};
    return setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request);
}

static int join6(int fd, const uint8_t *group, uint16_t port, int interface) {
    struct sockaddr_in6 address = {
        .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_scope_id = (uint32_t)interface};
    memcpy(&address.sin6_addr, group, 16);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) return -1;
    struct ipv6_mreq request = {
        .ipv6mr_multiaddr = address.sin6_addr, .ipv6mr_interface = (unsigned)interface};
    return setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &request, sizeof request);
}

int cposix_multicast_receiver(const uint8_t *group, int bytes, uint16_t port, int interface, int room) {
    char name[IF_NAMESIZE];
    if (if_indextoname((unsigned)interface, name) == NULL) return -1;
    int family = bytes == 4 ? AF_INET : AF_INET6;
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    int on = 1;
    // Only what comes by this interface, whoever else on this host is a member of the group.
    int result = setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, strlen(name) + 1);
    if (result == 0) result = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (result == 0 && room > 0
        && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) != 0)
        result = setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (result == 0)
        result = bytes == 4 ? join4(fd, group, port, interface) : join6(fd, group, port, interface);
    if (result == 0) return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

// The address that datagrams of the interface come from; any when it has none.
static void own_address(const char *name, struct sockaddr_in *address) {
    struct ifreq request = {0};
    memcpy(request.ifr_name, name, strnlen(name, IFNAMSIZ - 1));
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    if (ioctl(fd, SIOCGIFADDR, &request) == 0) {
        struct sockaddr_in found;
        memcpy(&found, &request.ifr_addr, sizeof found);
        address->sin_addr = found.sin_addr;
    }
    close(fd);
}

static int aim4(int fd, const char *name, const uint8_t *group, uint16_t port, int interface, int ttl) {
    int off = 0, never = IP_PMTUDISC_DONT;
    struct ip_mreqn way = {.imr_ifindex = interface};
    struct sockaddr_in own = {.sin_family = AF_INET};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    memcpy(&to.sin_addr, group, 4);
    own_address(name, &own);
    if (setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &way, sizeof way) != 0) return -1;
    if (setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &ttl, sizeof ttl) != 0) return -1;
    if (setsockopt(fd, IPPROTO_IP, IP_MULTICAST_LOOP, &off, sizeof off) != 0) return -1;
    if (setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &never, sizeof never) != 0) return -1;
    if (bind(fd, (struct sockaddr *)&own, sizeof own) != 0) return -1;
    return connect(fd, (struct sockaddr *)&to, sizeof to);
}

static int aim6(int fd, const uint8_t *group, uint16_t port, int interface, int ttl) {
    int off = 0, never = IPV6_PMTUDISC_DONT;
    struct sockaddr_in6 to = {
        .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_scope_id = (uint32_t)interface};
    memcpy(&to.sin6_addr, group, 16);
    if (setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &interface, sizeof interface) != 0) return -1;
    if (setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &ttl, sizeof ttl) != 0) return -1;
    if (setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, &off, sizeof off) != 0) return -1;
    if (setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &never, sizeof never) != 0) return -1;
    return connect(fd, (struct sockaddr *)&to, sizeof to);
}

int cposix_multicast_sender(
    const uint8_t *group, int bytes, uint16_t port, int interface, int ttl, int room) {
    char name[IF_NAMESIZE];
    if (if_indextoname((unsigned)interface, name) == NULL) return -1;
    int family = bytes == 4 ? AF_INET : AF_INET6;
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    int result = setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, strlen(name) + 1);
    if (result == 0 && room > 0
        && setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room) != 0)
        result = setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    if (result == 0)
        result = bytes == 4 ? aim4(fd, name, group, port, interface, ttl)
                            : aim6(fd, group, port, interface, ttl);
    if (result == 0) return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}
