#define _GNU_SOURCE
#include "rtnetlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "rtnetlink_private.h"

#ifndef NTF_EXT_MANAGED
#define NTF_EXT_MANAGED (1 << 0)
#endif
#ifndef NDA_FLAGS_EXT
#define NDA_FLAGS_EXT 15
#endif

#define BUFFER_BYTES 65536

int lvs_rt_open(int events, struct lvs_rt_socket **out)
{
    struct lvs_rt_socket *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    s->buffer = malloc(BUFFER_BYTES);
    s->netlink = s->buffer ? mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | (events ? SOCK_NONBLOCK : 0))
                           : NULL;
    if (!s->netlink || mnl_socket_bind(s->netlink, 0, MNL_SOCKET_AUTOPID) < 0)
        goto failed;
    s->port = mnl_socket_get_portid(s->netlink);
    if (events) {
        static const int groups[] = {
            RTNLGRP_LINK,        RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
            RTNLGRP_IPV6_ROUTE,  RTNLGRP_NEIGH,       RTNLGRP_IPV4_RULE,   RTNLGRP_IPV6_RULE,
        };
        // Room for a storm of routes; ENOBUFS is handled, but costs a dump of everything.
        int bytes = 4 << 20;
        if (setsockopt(mnl_socket_get_fd(s->netlink), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0)
            (void)setsockopt(mnl_socket_get_fd(s->netlink), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
        for (unsigned i = 0; i < sizeof groups / sizeof groups[0]; i++) {
            int group = groups[i];
            if (mnl_socket_setsockopt(s->netlink, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0)
                goto failed;
        }
    } else {
        // Only kernels before 4.20 lack it; they then list a little more than was asked for.
        int on = 1;
        (void)mnl_socket_setsockopt(s->netlink, NETLINK_GET_STRICT_CHK, &on, sizeof on);
        (void)mnl_socket_setsockopt(s->netlink, NETLINK_CAP_ACK, &on, sizeof on);
    }
    *out = s;
    return 0;
failed:;
    int error = errno ? errno : ENOMEM;
    lvs_rt_close(s);
    return -error;
}

void lvs_rt_close(struct lvs_rt_socket *s)
{
    if (s->netlink)
        mnl_socket_close(s->netlink);
    free(s->buffer);
    free(s);
}

int lvs_rt_descriptor(const struct lvs_rt_socket *s)
{
    return mnl_socket_get_fd(s->netlink);
}

struct visit {
    lvs_rt_visitor visitor;
    void *context;
    int count;
};

static int show(const struct nlmsghdr *h, void *data)
{
    struct visit *visit = data;
    struct lvs_rt_event event = {0};
    if (lvs_rt_decode(h, &event)) {
        visit->visitor(&event, visit->context);
        visit->count++;
    }
    return MNL_CB_OK;
}

// Whether the end of a list is among these messages.
static int ends(const char *buffer, ssize_t bytes)
{
    int rest = (int)bytes;
    const struct nlmsghdr *h = (const struct nlmsghdr *)buffer;
    for (; mnl_nlmsg_ok(h, rest); h = mnl_nlmsg_next(h, &rest))
        if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR)
            return 1;
    return 0;
}

int lvs_rt_gather(struct lvs_rt_socket *s, struct nlmsghdr *h,
                  int (*callback)(const struct nlmsghdr *, void *), void *data)
{
    h->nlmsg_flags |= NLM_F_REQUEST | NLM_F_DUMP;
    h->nlmsg_seq = ++s->sequence;
    if (mnl_socket_sendto(s->netlink, h, h->nlmsg_len) < 0)
        return -errno;
    // An interrupted list is read to its end all the same, so that nothing of it is left in the
    // socket for the next request.
    int interrupted = 0;
    for (;;) {
        ssize_t bytes = mnl_socket_recvfrom(s->netlink, s->buffer, BUFFER_BYTES);
        if (bytes < 0 && errno == EINTR)
            continue;
        if (bytes < 0)
            return -errno;
        int result = mnl_cb_run(s->buffer, bytes, s->sequence, s->port, callback, data);
        if (result < 0 && errno == EINTR)
            interrupted = 1;
        else if (result < 0)
            return -errno;
        if (result == MNL_CB_STOP || (interrupted && ends(s->buffer, bytes)))
            return interrupted ? -EINTR : 0;
    }
}

int lvs_rt_dump(struct lvs_rt_socket *s, int what, lvs_rt_visitor visitor, void *context)
{
    static const uint16_t types[] = {[LVS_RT_LINK] = RTM_GETLINK, [LVS_RT_ADDRESS] = RTM_GETADDR,
                                     [LVS_RT_ROUTE] = RTM_GETROUTE, [LVS_RT_NEIGHBOUR] = RTM_GETNEIGH,
                                     [LVS_RT_RULE] = RTM_GETRULE};
    static const uint32_t headers[] = {
        [LVS_RT_LINK] = sizeof(struct ifinfomsg), [LVS_RT_ADDRESS] = sizeof(struct ifaddrmsg),
        [LVS_RT_ROUTE] = sizeof(struct rtmsg),    [LVS_RT_NEIGHBOUR] = sizeof(struct ndmsg),
        [LVS_RT_RULE] = sizeof(struct fib_rule_hdr)};
    struct visit visit = {visitor, context, 0};
    struct nlmsghdr *h = mnl_nlmsg_put_header(s->buffer);
    h->nlmsg_type = types[what];
    mnl_nlmsg_put_extra_header(h, headers[what]);
    int result = lvs_rt_gather(s, h, show, &visit);
    return result < 0 ? result : visit.count;
}

int lvs_rt_read(struct lvs_rt_socket *s, lvs_rt_visitor visitor, void *context)
{
    struct visit visit = {visitor, context, 0};
    for (;;) {
        ssize_t bytes = mnl_socket_recvfrom(s->netlink, s->buffer, BUFFER_BYTES);
        if (bytes < 0 && errno == EINTR)
            continue;
        if (bytes < 0)
            return errno == EAGAIN ? visit.count : -errno;
        if (mnl_cb_run(s->buffer, bytes, 0, 0, show, &visit) < 0)
            return -errno;
    }
}

int lvs_rt_transact(struct lvs_rt_socket *s, struct nlmsghdr *h)
{
    h->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
    h->nlmsg_seq = ++s->sequence;
    if (mnl_socket_sendto(s->netlink, h, h->nlmsg_len) < 0)
        return -errno;
    for (;;) {
        ssize_t bytes = mnl_socket_recvfrom(s->netlink, s->buffer, BUFFER_BYTES);
        if (bytes < 0 && errno == EINTR)
            continue;
        if (bytes < 0)
            return -errno;
        int result = mnl_cb_run(s->buffer, bytes, s->sequence, s->port, NULL, NULL);
        if (result < 0)
            return -errno;
        if (result == MNL_CB_STOP)
            return 0;
    }
}

int lvs_rt_care(struct lvs_rt_socket *s, int care, int32_t interface, uint8_t family,
                const uint8_t *address)
{
    struct nlmsghdr *h = mnl_nlmsg_put_header(s->buffer);
    h->nlmsg_type = RTM_NEWNEIGH;
    h->nlmsg_flags = care == LVS_RT_CARE_RELEASE ? NLM_F_REPLACE : NLM_F_CREATE | NLM_F_REPLACE;
    struct ndmsg *m = mnl_nlmsg_put_extra_header(h, sizeof *m);
    m->ndm_family = family == 4 ? AF_INET : AF_INET6;
    m->ndm_ifindex = interface;
    m->ndm_state = NUD_NONE;
    m->ndm_flags = care == LVS_RT_CARE_MANAGED ? 0 : NTF_USE;
    mnl_attr_put(h, NDA_DST, family == 4 ? 4 : 16, address);
    if (care == LVS_RT_CARE_MANAGED)
        mnl_attr_put_u32(h, NDA_FLAGS_EXT, NTF_EXT_MANAGED);
    return lvs_rt_transact(s, h);
}
