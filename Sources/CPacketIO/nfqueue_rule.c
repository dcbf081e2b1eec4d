#define _GNU_SOURCE
#include "nfqueue.h"

#include "nfqueue_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/xt_NFQUEUE.h>
#include <string.h>
#include <sys/socket.h>

// xtables rounds what a target is told up to eight bytes.
#define ROUNDED(bytes) (((bytes) + 7) & ~(size_t)7)

static struct nlmsghdr *put(struct mnl_nlmsg_batch *batch, int type, int family, int resource, unsigned sequence)
{
    struct nlmsghdr *h = mnl_nlmsg_put_header(mnl_nlmsg_batch_current(batch));
    h->nlmsg_type = (uint16_t)type;
    h->nlmsg_flags = NLM_F_REQUEST;
    h->nlmsg_seq = sequence;
    struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof *g);
    g->nfgen_family = (uint8_t)family;
    g->version = NFNETLINK_V0;
    g->res_id = htons((uint16_t)resource);
    return h;
}

static void put_rule(struct nlmsghdr *h, const char *table, const char *chain, uint16_t queue)
{
    uint8_t told[ROUNDED(sizeof(struct xt_NFQ_info_v3))] = {0};
    struct xt_NFQ_info_v3 info = {.queuenum = queue, .queues_total = 1};
    memcpy(told, &info, sizeof info);
    mnl_attr_put_strz(h, NFTA_RULE_TABLE, table);
    mnl_attr_put_strz(h, NFTA_RULE_CHAIN, chain);
    struct nlattr *expressions = mnl_attr_nest_start(h, NFTA_RULE_EXPRESSIONS);
    struct nlattr *element = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
    mnl_attr_put_strz(h, NFTA_EXPR_NAME, "target");
    struct nlattr *data = mnl_attr_nest_start(h, NFTA_EXPR_DATA);
    mnl_attr_put_strz(h, NFTA_TARGET_NAME, "NFQUEUE");
    mnl_attr_put_u32(h, NFTA_TARGET_REV, htonl(3));
    mnl_attr_put(h, NFTA_TARGET_INFO, sizeof told, told);
    mnl_attr_nest_end(h, data);
    mnl_attr_nest_end(h, element);
    mnl_attr_nest_end(h, expressions);
}

static int transact(int fd, struct mnl_nlmsg_batch *batch, char *buffer, size_t bytes)
{
    if (send(fd, mnl_nlmsg_batch_head(batch), mnl_nlmsg_batch_size(batch), 0) < 0)
        return -errno;
    for (;;) {
        ssize_t got = lvs_nfq_wait(fd, buffer, bytes);
        if (got < 0)
            return (int)got;
        // Whatever of the batch the kernel answers first decides about all of it.
        int result = mnl_cb_run(buffer, (size_t)got, 0, 0, NULL, NULL);
        if (result < 0)
            return -errno;
        if (result == MNL_CB_STOP)
            return 0;
    }
}

int lvs_nft_add_queue_rule(int fd, int family, const char *table, const char *chain, uint16_t queue)
{
    char requests[4096], answers[8192];
    struct mnl_nlmsg_batch *batch = mnl_nlmsg_batch_start(requests, sizeof requests / 2);
    if (!batch)
        return -ENOMEM;
    int protocol = family == 6 ? NFPROTO_IPV6 : NFPROTO_IPV4;
    put(batch, NFNL_MSG_BATCH_BEGIN, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, 1);
    mnl_nlmsg_batch_next(batch);
    struct nlmsghdr *rule = put(batch, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE, protocol, 0, 2);
    rule->nlmsg_flags |= NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK;
    put_rule(rule, table, chain, queue);
    mnl_nlmsg_batch_next(batch);
    put(batch, NFNL_MSG_BATCH_END, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, 3);
    mnl_nlmsg_batch_next(batch);
    int result = transact(fd, batch, answers, sizeof answers);
    mnl_nlmsg_batch_stop(batch);
    return result;
}
