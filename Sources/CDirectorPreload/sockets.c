// The calls on sockets: generic netlink goes to the director, everything else to the kernel.
#include "originals.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <string.h>

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

// Numbers of the IP_VS options on the level IP, and some room for newer ones.
#define IPVS_FIRST 1152
#define IPVS_LAST 1215

REPLACES int socket(int domain, int type, int protocol) {
    if (domain == AF_NETLINK && protocol == NETLINK_GENERIC && reach_is_on()) {
        return channel_open(type);
    }
    return original()->socket(domain, type, protocol);
}

// ---- Names ----

static int say_name(uint32_t port, struct sockaddr *address, socklen_t *size) {
    if (!address || !size) {
        errno = EFAULT;
        return -1;
    }
    struct sockaddr_nl name = {.nl_family = AF_NETLINK, .nl_pid = port};
    memcpy(address, &name, *size < sizeof name ? *size : sizeof name);
    *size = sizeof name;
    return 0;
}

REPLACES int bind(int fd, __CONST_SOCKADDR_ARG address, socklen_t size) {
    struct channel *channel = channel_take(fd);
    if (!channel) return original()->bind(fd, address, size);
    struct sockaddr_nl name = {0};
    const void *given = address.__sockaddr__;
    if (given) memcpy(&name, given, size < sizeof name ? size : sizeof name);
    bool is_good = given && size >= sizeof name && name.nl_family == AF_NETLINK;
    if (is_good) channel_bind(channel, name.nl_pid);
    channel_give_back(channel);
    if (is_good) return 0;
    errno = EINVAL;
    return -1;
}

// A netlink socket that is connected still asks the kernel.
REPLACES int connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t size) {
    struct channel *channel = channel_take(fd);
    if (!channel) return original()->connect(fd, address, size);
    if (!channel_port(channel)) channel_bind(channel, 0);
    channel_give_back(channel);
    return 0;
}

REPLACES int getsockname(int fd, __SOCKADDR_ARG address, socklen_t *restrict size) {
    struct channel *channel = channel_take(fd);
    if (!channel) return original()->getsockname(fd, address, size);
    uint32_t port = channel_port(channel);
    channel_give_back(channel);
    return say_name(port, address.__sockaddr__, size);
}

REPLACES int getpeername(int fd, __SOCKADDR_ARG address, socklen_t *restrict size) {
    struct channel *channel = channel_take(fd);
    if (!channel) return original()->getpeername(fd, address, size);
    channel_give_back(channel);
    return say_name(0, address.__sockaddr__, size);
}

// ---- Options ----

static bool is_ipvs(int level, int option) {
    return level == IPPROTO_IP && option >= IPVS_FIRST && option <= IPVS_LAST && reach_is_on();
}

static int say_number(int number, void *value, socklen_t *size) {
    if (!value || !size) {
        errno = EFAULT;
        return -1;
    }
    memcpy(value, &number, *size < sizeof number ? *size : sizeof number);
    if (*size > sizeof number) *size = sizeof number;
    return 0;
}

REPLACES int getsockopt(int fd, int level, int option, void *restrict value, socklen_t *restrict size) {
    if (is_ipvs(level, option)) {
        errno = ENOPROTOOPT;
        return -1;
    }
    struct channel *channel = channel_take(fd);
    if (!channel) return original()->getsockopt(fd, level, option, value, size);
    int type = channel_type(channel);
    channel_give_back(channel);
    if (level == SOL_NETLINK) return say_number(0, value, size);
    if (level == SOL_SOCKET && option == SO_DOMAIN) return say_number(AF_NETLINK, value, size);
    if (level == SOL_SOCKET && option == SO_TYPE) return say_number(type, value, size);
    if (level == SOL_SOCKET && option == SO_PROTOCOL) {
        return say_number(NETLINK_GENERIC, value, size);
    }
    return original()->getsockopt(fd, level, option, value, size);
}

REPLACES int setsockopt(int fd, int level, int option, const void *value, socklen_t size) {
    if (is_ipvs(level, option)) {
        errno = ENOPROTOOPT;
        return -1;
    }
    struct channel *channel = level == SOL_NETLINK ? channel_take(fd) : NULL;
    if (!channel) return original()->setsockopt(fd, level, option, value, size);
    channel_give_back(channel);
    return 0;
}

// ---- Sending ----

static ssize_t send_one(struct channel *channel, int fd, const void *bytes, size_t length, int flags) {
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = length};
    ssize_t sent = channel_send(channel, fd, &part, 1, flags);
    channel_give_back(channel);
    return sent;
}

REPLACES ssize_t send(int fd, const void *bytes, size_t length, int flags) {
    struct channel *channel = channel_take(fd);
    if (!channel) return original()->send(fd, bytes, length, flags);
    return send_one(channel, fd, bytes, length, flags);
}

REPLACES ssize_t sendto(
    int fd, const void *bytes, size_t length, int flags, __CONST_SOCKADDR_ARG to, socklen_t size) {
    struct channel *channel = channel_take(fd);
    if (!channel) return original()->sendto(fd, bytes, length, flags, to, size);
    return send_one(channel, fd, bytes, length, flags);
}

REPLACES ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    struct channel *channel = channel_take(fd);
    if (!channel) return original()->sendmsg(fd, message, flags);
    ssize_t sent = channel_send(channel, fd, message->msg_iov, message->msg_iovlen, flags);
    channel_give_back(channel);
    return sent;
}

REPLACES int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags) {
    struct channel *channel = channel_take(fd);
    if (!channel) return original()->sendmmsg(fd, messages, count, flags);
    unsigned done = 0;
    while (done < count) {
        struct msghdr *message = &messages[done].msg_hdr;
        ssize_t sent = channel_send(channel, fd, message->msg_iov, message->msg_iovlen, flags);
        if (sent < 0) break;
        messages[done++].msg_len = (unsigned)sent;
    }
    channel_give_back(channel);
    return done || !count ? (int)done : -1;
}

// A holding is a channel or a setting that is being written.
REPLACES ssize_t write(int fd, const void *bytes, size_t length) {
    struct channel *channel = channel_take(fd);
    if (channel) return send_one(channel, fd, bytes, length, 0);
    char setting[64];
    if (paper_setting(fd, setting, sizeof setting)) return paper_write(setting, bytes, length);
    return original()->write(fd, bytes, length);
}

REPLACES ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
    char setting[64];
    if (paper_setting(fd, setting, sizeof setting)) return paper_write(setting, bytes, length);
    return original()->pwrite(fd, bytes, length, offset);
}

REPLACES ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
    char setting[64];
    if (paper_setting(fd, setting, sizeof setting)) return paper_write(setting, bytes, length);
    return original()->pwrite64(fd, bytes, length, offset);
}

REPLACES ssize_t writev(int fd, const struct iovec *parts, int count) {
    struct channel *channel = channel_take(fd);
    if (channel) {
        ssize_t sent = channel_send(channel, fd, parts, count > 0 ? (size_t)count : 0, 0);
        channel_give_back(channel);
        return sent;
    }
    char setting[64];
    if (!paper_setting(fd, setting, sizeof setting)) return original()->writev(fd, parts, count);
    char text[256];
    size_t length = 0;
    for (int index = 0; index < count; index++) {
        if (parts[index].iov_len > sizeof text - length) {
            errno = EINVAL;
            return -1;
        }
        memcpy(text + length, parts[index].iov_base, parts[index].iov_len);
        length += parts[index].iov_len;
    }
    return paper_write(setting, text, length);
}

// ---- Receiving ----

static ssize_t receive_one(
    struct channel *channel, int fd, void *bytes, size_t length, int flags, void *from,
    socklen_t *size) {
    struct iovec part = {.iov_base = bytes, .iov_len = length};
    struct msghdr message = {
        .msg_name = size ? from : NULL, .msg_namelen = from && size ? *size : 0,
        .msg_iov = &part, .msg_iovlen = 1};
    ssize_t got = channel_receive(channel, fd, &message, flags);
    channel_give_back(channel);
    if (got >= 0 && from && size) *size = message.msg_namelen;
    return got;
}

REPLACES ssize_t recv(int fd, void *bytes, size_t length, int flags) {
    struct channel *channel = channel_take(fd);
    if (!channel) return original()->recv(fd, bytes, length, flags);
    return receive_one(channel, fd, bytes, length, flags, NULL, NULL);
}

REPLACES ssize_t recvfrom(
    int fd, void *restrict bytes, size_t length, int flags, __SOCKADDR_ARG from,
    socklen_t *restrict size) {
    struct channel *channel = channel_take(fd);
    if (!channel) return original()->recvfrom(fd, bytes, length, flags, from, size);
    return receive_one(channel, fd, bytes, length, flags, from.__sockaddr__, size);
}

REPLACES ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
    struct channel *channel = channel_take(fd);
    if (!channel) return original()->recvmsg(fd, message, flags);
    ssize_t got = channel_receive(channel, fd, message, flags);
    channel_give_back(channel);
    return got;
}

REPLACES int recvmmsg(
    int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *limit) {
    struct channel *channel = channel_take(fd);
    if (!channel) return original()->recvmmsg(fd, messages, count, flags, limit);
    ssize_t got = count ? channel_receive(channel, fd, &messages[0].msg_hdr, flags) : 0;
    channel_give_back(channel);
    if (got < 0 || !count) return (int)got;
    messages[0].msg_len = (unsigned)got;
    return 1;
}

REPLACES ssize_t read(int fd, void *bytes, size_t length) {
    struct channel *channel = channel_take(fd);
    if (!channel) return original()->read(fd, bytes, length);
    return receive_one(channel, fd, bytes, length, 0, NULL, NULL);
}

REPLACES ssize_t readv(int fd, const struct iovec *parts, int count) {
    struct channel *channel = channel_take(fd);
    if (!channel) return original()->readv(fd, parts, count);
    struct msghdr message = {
        .msg_iov = (struct iovec *)parts, .msg_iovlen = count > 0 ? (size_t)count : 0};
    ssize_t got = channel_receive(channel, fd, &message, 0);
    channel_give_back(channel);
    return got;
}

// ---- The same in programs built with checks of buffer sizes ----

REPLACES ssize_t __read_chk(int fd, void *bytes, size_t length, size_t room) {
    struct channel *channel = length <= room ? channel_take(fd) : NULL;
    if (!channel) return original()->__read_chk(fd, bytes, length, room);
    return receive_one(channel, fd, bytes, length, 0, NULL, NULL);
}

REPLACES ssize_t __recv_chk(int fd, void *bytes, size_t length, size_t room, int flags) {
    struct channel *channel = length <= room ? channel_take(fd) : NULL;
    if (!channel) return original()->__recv_chk(fd, bytes, length, room, flags);
    return receive_one(channel, fd, bytes, length, flags, NULL, NULL);
}

REPLACES ssize_t __recvfrom_chk(
    int fd, void *bytes, size_t length, size_t room, int flags, __SOCKADDR_ARG from,
    socklen_t *size) {
    struct channel *channel = length <= room ? channel_take(fd) : NULL;
    if (!channel) return original()->__recvfrom_chk(fd, bytes, length, room, flags, from, size);
    return receive_one(channel, fd, bytes, length, flags, from.__sockaddr__, size);
}
