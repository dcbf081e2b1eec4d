#define _GNU_SOURCE
#include "CPosix.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <unistd.h>

// Since Linux 6.1; older C libraries do not name it.
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
// Since Linux 5.14.
#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

int cposix_memory_kind(int fd) {
    struct statfs status;
    if (fstatfs(fd, &status) != 0) return -1;
    switch ((unsigned long)status.f_type) {
    case TMPFS_MAGIC:
    case RAMFS_MAGIC:
        return 1;
    case HUGETLBFS_MAGIC:
        return 2;
    default:
        return 0;
    }
}

int cposix_fill(int fd, int64_t bytes) {
    int result;
    do result = fallocate(fd, 0, 0, bytes);
    while (result != 0 && errno == EINTR);
    return result;
}

void *cposix_map_shared(int fd, size_t bytes, size_t alignment) {
    // Room to find an aligned address in, of which the rest is given back.
    size_t room = bytes + alignment;
    char *found = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (found == MAP_FAILED) return NULL;
    char *base = (char *)(((uintptr_t)found + alignment - 1) / alignment * alignment);
    if (mmap(base, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED) {
        int error = errno;
        munmap(found, room);
        errno = error;
        return NULL;
    }
    if (base > found) munmap(found, (size_t)(base - found));
    if (found + room > base + bytes) munmap(base + bytes, (size_t)(found + room - base - bytes));
    return base;
}

int cposix_collapse(void *base, size_t bytes) { return madvise(base, bytes, MADV_COLLAPSE); }

int cposix_populate(void *base, size_t bytes) { return madvise(base, bytes, MADV_POPULATE_WRITE); }

uint64_t cposix_network_cookie(void) {
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return 0;
    uint64_t cookie = 0;
    socklen_t length = sizeof cookie;
    if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &length) != 0) cookie = 0;
    close(fd);
    return cookie;
}
