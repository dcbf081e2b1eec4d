#define _GNU_SOURCE
#include "nft.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <sys/socket.h>

#define BUFFER_BYTES 32768

struct lvs_nft_events {
    struct mnl_socket *netlink;
    char buffer[BUFFER_BYTES];
};

int lvs_nft_events_open(struct lvs_nft_events **out)
{
    struct lvs_nft_events *e = calloc(1, sizeof *e);
    if (!e)
        return -ENOMEM;
    int group = NFNLGRP_NFTABLES;
    e->netlink = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (!e->netlink || mnl_socket_bind(e->netlink, 0, MNL_SOCKET_AUTOPID) < 0 ||
        mnl_socket_setsockopt(e->netlink, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0) {
        int error = errno ? errno : ENOMEM;
        lvs_nft_events_close(e);
        return -error;
    }
    *out = e;
    return 0;
}

void lvs_nft_events_close(struct lvs_nft_events *e)
{
    if (e->netlink)
        mnl_socket_close(e->netlink);
    free(e);
}

int lvs_nft_events_descriptor(const struct lvs_nft_events *e)
{
    return mnl_socket_get_fd(e->netlink);
}

static int concerns_rules(const struct nlmsghdr *message)
{
    if (message->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES ||
        mnl_nlmsg_get_payload_len(message) < sizeof(struct nfgenmsg))
        return 0;
    const struct nfgenmsg *header = mnl_nlmsg_get_payload(message);
    if (header->nfgen_family != NFPROTO_IPV4 && header->nfgen_family != NFPROTO_IPV6 &&
        header->nfgen_family != NFPROTO_INET)
        return 0;
    switch (message->nlmsg_type & 0xff) {
    case NFT_MSG_NEWTABLE:
    case NFT_MSG_DELTABLE:
    case NFT_MSG_NEWCHAIN:
    case NFT_MSG_DELCHAIN:
    case NFT_MSG_NEWRULE:
    case NFT_MSG_DELRULE:
        return 1;
    default:
        return 0;
    }
}

int lvs_nft_events_read(struct lvs_nft_events *e)
{
    int changed = 0;
    for (;;) {
        ssize_t got = mnl_socket_recvfrom(e->netlink, e->buffer, sizeof e->buffer);
        if (got < 0) {
            if (errno == EINTR)
                continue;
            if (errno == EAGAIN)
                return changed;
            // Lost some, or one that is too long: then everything may have changed.
            if (errno == ENOBUFS || errno == ENOSPC) {
                changed = 1;
                continue;
            }
            return -errno;
        }
        int left = (int)got;
        for (const struct nlmsghdr *m = (const struct nlmsghdr *)e->buffer; mnl_nlmsg_ok(m, left);
             m = mnl_nlmsg_next(m, &left))
            changed |= concerns_rules(m);
    }
}
