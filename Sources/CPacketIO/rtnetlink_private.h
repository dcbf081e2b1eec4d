// The socket of rtnetlink.h and its request function, shared by the rtnetlink_*.c files.
#ifndef LVS_RTNETLINK_PRIVATE_H
#define LVS_RTNETLINK_PRIVATE_H

#include <stdint.h>

struct mnl_socket;
struct nlmsghdr;

struct lvs_rt_socket {
    struct mnl_socket *netlink;
    unsigned port;
    uint32_t sequence;
    char *buffer;
};

// Sends a request and waits for the kernel's answer: 0 or a negative errno.
int lvs_rt_transact(struct lvs_rt_socket *socket, struct nlmsghdr *request);

// Sends a request for a list and shows each message of the answer to libmnl's kind of callback.
int lvs_rt_gather(struct lvs_rt_socket *socket, struct nlmsghdr *request,
                  int (*callback)(const struct nlmsghdr *, void *), void *data);

// Fills a zeroed event from a message of the kernel; 0 when it tells nothing of interest.
struct lvs_rt_event;
int lvs_rt_decode(const struct nlmsghdr *message, struct lvs_rt_event *event);

#endif
