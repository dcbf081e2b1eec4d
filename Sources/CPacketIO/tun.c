#define _GNU_SOURCE
#include "tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

_Static_assert(sizeof(struct lvs_tun_header) == 10, "the legacy virtio-net header has 10 bytes");

int lvs_tun_open(const char *name, int *super_frames)
{
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE};
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    if (ioctl(fd, TUNSETIFF, &request) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    unsigned tcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
    *super_frames = ioctl(fd, TUNSETOFFLOAD, (unsigned long)(tcp | TUN_F_USO4 | TUN_F_USO6)) == 0
        || ioctl(fd, TUNSETOFFLOAD, (unsigned long)tcp) == 0;
    return fd;
}

void lvs_tun_close(int descriptor)
{
    close(descriptor);
}

int lvs_tun_up(const char *name, uint32_t mtu)
{
    struct ifreq request = {0};
    int result = 0, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    request.ifr_mtu = (int)mtu;
    if (ioctl(fd, SIOCSIFMTU, &request) < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
        result = -errno;
    request.ifr_flags |= IFF_UP;
    if (result == 0 && ioctl(fd, SIOCSIFFLAGS, &request) < 0)
        result = -errno;
    close(fd);
    return result;
}

int lvs_tun_read(int descriptor, struct lvs_tun_header *header, void *packet, uint32_t capacity)
{
    struct iovec parts[2] = {{header, sizeof *header}, {packet, capacity}};
    ssize_t bytes;
    do
        bytes = readv(descriptor, parts, 2);
    while (bytes < 0 && errno == EINTR);
    if (bytes < 0)
        return -errno;
    return bytes < (ssize_t)sizeof *header ? -EIO : (int)(bytes - (ssize_t)sizeof *header);
}

int lvs_tun_write(int descriptor, const struct lvs_tun_header *header, const void *packet,
                  uint32_t length)
{
    struct iovec parts[2] = {{(void *)header, sizeof *header}, {(void *)packet, length}};
    ssize_t bytes;
    do
        bytes = writev(descriptor, parts, 2);
    while (bytes < 0 && errno == EINTR);
    return bytes < 0 ? -errno : 0;
}
