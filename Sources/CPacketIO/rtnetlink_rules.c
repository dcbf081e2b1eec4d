// Policy rules, the table they lead to, and the ingress filter: the requests that change something
// other than neighbours.
#define _GNU_SOURCE
#include "rtnetlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "rtnetlink_private.h"

// Rules and routes of the director name it as their author (an unassigned routing protocol).
#define AUTHOR 76

static struct nlmsghdr *rule_message(struct lvs_rt_socket *s, int add, uint8_t family,
                                     uint32_t priority, struct fib_rule_hdr **header)
{
    struct nlmsghdr *h = mnl_nlmsg_put_header(s->buffer);
    h->nlmsg_type = add ? RTM_NEWRULE : RTM_DELRULE;
    h->nlmsg_flags = add ? NLM_F_CREATE | NLM_F_EXCL : 0;
    struct fib_rule_hdr *m = mnl_nlmsg_put_extra_header(h, sizeof *m);
    m->family = family == 4 ? AF_INET : AF_INET6;
    m->action = FR_ACT_TO_TBL;
    mnl_attr_put_u32(h, FRA_PRIORITY, priority);
    mnl_attr_put_u8(h, FRA_PROTOCOL, AUTHOR);
    *header = m;
    return h;
}

int lvs_rt_change_rule(struct lvs_rt_socket *s, int add, uint8_t family, const uint8_t *address,
                       uint8_t transport, uint16_t port, uint32_t priority, uint32_t table)
{
    struct fib_rule_hdr *m;
    struct nlmsghdr *h = rule_message(s, add, family, priority, &m);
    m->src_len = family == 4 ? 32 : 128;
    mnl_attr_put(h, FRA_SRC, family == 4 ? 4 : 16, address);
    mnl_attr_put_u32(h, FRA_TABLE, table);
    mnl_attr_put_u8(h, FRA_IP_PROTO, transport);
    if (port) {
        struct fib_rule_port_range range = {port, port};
        mnl_attr_put(h, FRA_SPORT_RANGE, sizeof range, &range);
    }
    return lvs_rt_transact(s, h);
}

int lvs_rt_delete_rule(struct lvs_rt_socket *s, uint8_t family, uint32_t priority, uint32_t table)
{
    struct fib_rule_hdr *m;
    struct nlmsghdr *h = rule_message(s, 0, family, priority, &m);
    mnl_attr_put_u32(h, FRA_TABLE, table);
    return lvs_rt_transact(s, h);
}

int lvs_rt_change_route(struct lvs_rt_socket *s, int add, uint8_t family, const uint8_t *prefix,
                        uint8_t length, int32_t interface, uint32_t table)
{
    struct nlmsghdr *h = mnl_nlmsg_put_header(s->buffer);
    h->nlmsg_type = add ? RTM_NEWROUTE : RTM_DELROUTE;
    h->nlmsg_flags = add ? NLM_F_CREATE | NLM_F_REPLACE : 0;
    struct rtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof *m);
    m->rtm_family = family == 4 ? AF_INET : AF_INET6;
    m->rtm_dst_len = length;
    m->rtm_protocol = AUTHOR;
    // What is deleted matches whatever its scope is.
    m->rtm_scope = !add ? RT_SCOPE_NOWHERE : interface ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    m->rtm_type = interface ? RTN_UNICAST : RTN_THROW;
    mnl_attr_put_u32(h, RTA_TABLE, table);
    if (length)
        mnl_attr_put(h, RTA_DST, family == 4 ? 4 : 16, prefix);
    if (interface)
        mnl_attr_put_u32(h, RTA_OIF, (uint32_t)interface);
    return lvs_rt_transact(s, h);
}

struct found_route {
    struct found_route *next;
    uint8_t family, length, prefix[16];
};

struct table_search {
    uint32_t table;
    struct found_route *found;
};

static int find_route(const struct nlmsghdr *h, void *data)
{
    struct table_search *search = data;
    const struct rtmsg *m = mnl_nlmsg_get_payload(h);
    const struct nlattr *a;
    if (h->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(h) < sizeof *m
        || (m->rtm_family != AF_INET && m->rtm_family != AF_INET6))
        return MNL_CB_OK;
    unsigned bytes = m->rtm_family == AF_INET ? 4 : 16;
    uint32_t table = m->rtm_table;
    const void *prefix = NULL;
    mnl_attr_for_each(a, h, sizeof *m) {
        if (mnl_attr_get_type(a) == RTA_TABLE && mnl_attr_get_payload_len(a) >= 4)
            table = mnl_attr_get_u32(a);
        if (mnl_attr_get_type(a) == RTA_DST && mnl_attr_get_payload_len(a) == bytes)
            prefix = mnl_attr_get_payload(a);
    }
    struct found_route *route = table == search->table ? calloc(1, sizeof *route) : NULL;
    if (!route)
        return MNL_CB_OK;
    route->family = m->rtm_family == AF_INET ? 4 : 6;
    route->length = m->rtm_dst_len;
    if (prefix)
        memcpy(route->prefix, prefix, bytes);
    route->next = search->found;
    search->found = route;
    return MNL_CB_OK;
}

int lvs_rt_flush_table(struct lvs_rt_socket *s, uint32_t table)
{
    struct table_search search = {.table = table};
    struct nlmsghdr *h = mnl_nlmsg_put_header(s->buffer);
    h->nlmsg_type = RTM_GETROUTE;
    h->nlmsg_flags = 0;
    mnl_nlmsg_put_extra_header(h, sizeof(struct rtmsg));
    int result = lvs_rt_gather(s, h, find_route, &search);
    while (search.found) {
        struct found_route *route = search.found;
        struct rtmsg *m;
        search.found = route->next;
        h = mnl_nlmsg_put_header(s->buffer);
        h->nlmsg_type = RTM_DELROUTE;
        h->nlmsg_flags = 0;
        m = mnl_nlmsg_put_extra_header(h, sizeof *m);
        m->rtm_family = route->family == 4 ? AF_INET : AF_INET6;
        m->rtm_dst_len = route->length;
        m->rtm_scope = RT_SCOPE_NOWHERE;
        mnl_attr_put_u32(h, RTA_TABLE, table);
        if (route->length)
            mnl_attr_put(h, RTA_DST, route->family == 4 ? 4 : 16, route->prefix);
        int gone = lvs_rt_transact(s, h);
        if (result >= 0 && gone < 0 && gone != -ESRCH)
            result = gone;
        free(route);
    }
    return result < 0 ? result : 0;
}

int lvs_rt_add_address(struct lvs_rt_socket *s, uint8_t family, int32_t interface,
                       const uint8_t *address)
{
    struct nlmsghdr *h = mnl_nlmsg_put_header(s->buffer);
    h->nlmsg_type = RTM_NEWADDR;
    h->nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE;
    struct ifaddrmsg *m = mnl_nlmsg_put_extra_header(h, sizeof *m);
    m->ifa_family = family == 4 ? AF_INET : AF_INET6;
    m->ifa_prefixlen = family == 4 ? 32 : 128;
    m->ifa_scope = RT_SCOPE_LINK;
    m->ifa_index = (uint32_t)interface;
    mnl_attr_put(h, IFA_LOCAL, family == 4 ? 4 : 16, address);
    mnl_attr_put(h, IFA_ADDRESS, family == 4 ? 4 : 16, address);
    return lvs_rt_transact(s, h);
}

// Preference and handle by which the director finds its own filter again after a restart.
#define FILTER_PREFERENCE 76
#define FILTER_HANDLE 0x4c5653

static struct nlmsghdr *traffic_message(struct lvs_rt_socket *s, int type, int flags,
                                        int32_t interface, struct tcmsg **header)
{
    struct nlmsghdr *h = mnl_nlmsg_put_header(s->buffer);
    h->nlmsg_type = (uint16_t)type;
    h->nlmsg_flags = (uint16_t)flags;
    struct tcmsg *m = mnl_nlmsg_put_extra_header(h, sizeof *m);
    m->tcm_family = AF_UNSPEC;
    m->tcm_ifindex = interface;
    *header = m;
    return h;
}

static void put_filter_name(struct tcmsg *m)
{
    m->tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS);
    m->tcm_handle = FILTER_HANDLE;
    m->tcm_info = TC_H_MAKE(FILTER_PREFERENCE << 16, htons(ETH_P_ALL));
}

int lvs_rt_set_filter(struct lvs_rt_socket *s, int32_t interface, const uint32_t *code,
                      uint16_t instructions)
{
    struct tcmsg *m;
    struct nlmsghdr *h = traffic_message(s, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, interface, &m);
    m->tcm_parent = TC_H_CLSACT;
    m->tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
    mnl_attr_put_strz(h, TCA_KIND, "clsact");
    int result = lvs_rt_transact(s, h);
    if (result < 0 && result != -EEXIST)
        return result;

    h = traffic_message(s, RTM_NEWTFILTER, NLM_F_CREATE, interface, &m);
    put_filter_name(m);
    mnl_attr_put_strz(h, TCA_KIND, "bpf");
    struct nlattr *options = mnl_attr_nest_start(h, TCA_OPTIONS);
    mnl_attr_put_u16(h, TCA_BPF_OPS_LEN, instructions);
    struct sock_filter program[BPF_MAXINSNS];
    if (instructions == 0 || instructions > BPF_MAXINSNS)
        return -E2BIG;
    for (unsigned i = 0; i < instructions; i++) {
        program[i].code = (uint16_t)code[2 * i];
        program[i].jt = (uint8_t)(code[2 * i] >> 16);
        program[i].jf = (uint8_t)(code[2 * i] >> 24);
        program[i].k = code[2 * i + 1];
    }
    mnl_attr_put(h, TCA_BPF_OPS, instructions * sizeof program[0], program);
    mnl_attr_put_u32(h, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
    mnl_attr_nest_end(h, options);
    return lvs_rt_transact(s, h);
}

struct count {
    int all, own;
};

static int count_filter(const struct nlmsghdr *h, void *data)
{
    struct count *count = data;
    const struct tcmsg *m = mnl_nlmsg_get_payload(h);
    if (h->nlmsg_type != RTM_NEWTFILTER || mnl_nlmsg_get_payload_len(h) < sizeof *m)
        return MNL_CB_OK;
    count->all++;
    count->own += m->tcm_handle == FILTER_HANDLE && TC_H_MAJ(m->tcm_info) == FILTER_PREFERENCE << 16;
    return MNL_CB_OK;
}

static int count_filters(struct lvs_rt_socket *s, int32_t interface, struct count *count)
{
    static const uint32_t parents[] = {TC_H_MIN_INGRESS, TC_H_MIN_EGRESS};
    for (unsigned i = 0; i < 2; i++) {
        struct tcmsg *m;
        struct nlmsghdr *h = traffic_message(s, RTM_GETTFILTER, NLM_F_DUMP, interface, &m);
        m->tcm_parent = TC_H_MAKE(TC_H_CLSACT, parents[i]);
        int result = lvs_rt_gather(s, h, count_filter, count);
        if (result < 0)
            return result;
    }
    return 0;
}

int lvs_rt_has_filter(struct lvs_rt_socket *s, int32_t interface)
{
    struct count count = {0};
    int result = count_filters(s, interface, &count);
    return result < 0 ? result : count.own > 0;
}

int lvs_rt_remove_filter(struct lvs_rt_socket *s, int32_t interface)
{
    struct tcmsg *m;
    struct nlmsghdr *h = traffic_message(s, RTM_DELTFILTER, 0, interface, &m);
    put_filter_name(m);
    mnl_attr_put_strz(h, TCA_KIND, "bpf");
    int result = lvs_rt_transact(s, h);
    struct count count = {0};
    if (result < 0 || count_filters(s, interface, &count) < 0 || count.all > 0)
        return result;
    h = traffic_message(s, RTM_DELQDISC, 0, interface, &m);
    m->tcm_parent = TC_H_CLSACT;
    m->tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
    (void)lvs_rt_transact(s, h);
    return 0;
}
