// From the kernel's messages to the structs of rtnetlink.h.
#define _GNU_SOURCE
#include "rtnetlink.h"

#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "rtnetlink_private.h"

#ifndef NTF_EXT_MANAGED
#define NTF_EXT_MANAGED (1 << 0)
#endif
#ifndef NDA_FLAGS_EXT
#define NDA_FLAGS_EXT 15
#endif

static uint8_t family_of(int family)
{
    return family == AF_INET ? 4 : family == AF_INET6 ? 6 : 0;
}

static unsigned address_bytes(uint8_t family)
{
    return family == 4 ? 4 : 16;
}

static void copy_string(char target[16], const struct nlattr *attribute)
{
    size_t length = mnl_attr_get_payload_len(attribute);
    if (length > 15)
        length = 15;
    memcpy(target, mnl_attr_get_payload(attribute), length);
    target[length] = 0;
}

// Copies an address of the family; anything of another length is left out.
static int copy_address(uint8_t target[16], const struct nlattr *attribute, uint8_t family)
{
    if (mnl_attr_get_payload_len(attribute) != address_bytes(family))
        return 0;
    memcpy(target, mnl_attr_get_payload(attribute), address_bytes(family));
    return 1;
}

static int copy_hardware(uint8_t target[6], const struct nlattr *attribute)
{
    if (mnl_attr_get_payload_len(attribute) != 6)
        return 0;
    memcpy(target, mnl_attr_get_payload(attribute), 6);
    return 1;
}

static uint32_t u32(const struct nlattr *attribute)
{
    return mnl_attr_get_payload_len(attribute) >= 4 ? mnl_attr_get_u32(attribute) : 0;
}

static void read_link_info(const struct nlattr *info, struct lvs_rt_link *link)
{
    const struct nlattr *a, *b, *data = NULL;
    mnl_attr_for_each_nested(a, info) {
        switch (mnl_attr_get_type(a)) {
        case IFLA_INFO_KIND: copy_string(link->kind, a); break;
        case IFLA_INFO_SLAVE_KIND: copy_string(link->slave_kind, a); break;
        case IFLA_INFO_DATA: data = a; break;
        }
    }
    if (!data || strcmp(link->kind, "vlan") != 0)
        return;
    mnl_attr_for_each_nested(b, data)
        if (mnl_attr_get_type(b) == IFLA_VLAN_ID && mnl_attr_get_payload_len(b) >= 2)
            link->vlan_id = mnl_attr_get_u16(b);
}

static int read_link(const struct nlmsghdr *h, struct lvs_rt_event *event)
{
    const struct ifinfomsg *m = mnl_nlmsg_get_payload(h);
    struct lvs_rt_link *link = &event->link;
    const struct nlattr *a;
    int foreign = 0;
    // Bridges announce the forwarding state of their ports under a family of their own.
    if (m->ifi_family != AF_UNSPEC)
        return 0;
    link->index = m->ifi_index;
    link->flags = m->ifi_flags;
    link->type = m->ifi_type;
    link->carrier = (m->ifi_flags & IFF_LOWER_UP) != 0;
    mnl_attr_for_each(a, h, sizeof *m) {
        switch (mnl_attr_get_type(a)) {
        case IFLA_IFNAME: copy_string(link->name, a); break;
        case IFLA_MTU: link->mtu = u32(a); break;
        case IFLA_ADDRESS: link->has_hardware = copy_hardware(link->hardware, a); break;
        case IFLA_LINK: link->parent = (int32_t)u32(a); break;
        case IFLA_LINK_NETNSID: foreign = 1; break;
        case IFLA_MASTER: link->master = (int32_t)u32(a); break;
        case IFLA_LINKINFO: read_link_info(a, link); break;
        }
    }
    if (foreign)
        link->parent = 0;
    return 1;
}

static int read_address(const struct nlmsghdr *h, struct lvs_rt_event *event)
{
    const struct ifaddrmsg *m = mnl_nlmsg_get_payload(h);
    struct lvs_rt_address *address = &event->address;
    const struct nlattr *a;
    uint32_t flags = m->ifa_flags;
    int local = 0, found = 0;
    address->family = family_of(m->ifa_family);
    if (!address->family)
        return 0;
    address->index = (int32_t)m->ifa_index;
    address->prefix_length = m->ifa_prefixlen;
    address->scope = m->ifa_scope;
    mnl_attr_for_each(a, h, sizeof *m) {
        switch (mnl_attr_get_type(a)) {
        case IFA_LOCAL:
            local = copy_address(address->address, a, address->family);
            break;
        case IFA_ADDRESS:
            // On a point-to-point link IFA_ADDRESS is the far end and IFA_LOCAL is ours.
            if (!local)
                found = copy_address(address->address, a, address->family);
            break;
        case IFA_FLAGS: flags = u32(a); break;
        }
    }
    address->secondary = (flags & IFA_F_SECONDARY) != 0;
    address->unusable = (flags & (IFA_F_TENTATIVE | IFA_F_DEPRECATED | IFA_F_DADFAILED)) != 0
        && !(flags & IFA_F_OPTIMISTIC);
    return local || found;
}

static void read_gateway(struct lvs_rt_route *route, const struct nlattr *a)
{
    if (copy_address(route->gateway, a, route->family))
        route->gateway_family = route->family;
}

// RTA_VIA: a gateway of the other family, behind a 16-bit family.
static void read_via(struct lvs_rt_route *route, const struct nlattr *a)
{
    const uint8_t *payload = mnl_attr_get_payload(a);
    uint16_t family;
    if (mnl_attr_get_payload_len(a) < 2)
        return;
    memcpy(&family, payload, 2);
    uint8_t number = family_of(family);
    if (!number || mnl_attr_get_payload_len(a) < 2 + address_bytes(number))
        return;
    memcpy(route->gateway, payload + 2, address_bytes(number));
    route->gateway_family = number;
}

// The first hop that works; one without carrier only when there is no better.
static void read_multipath(struct lvs_rt_route *route, const struct nlattr *a)
{
    for (unsigned unwanted = RTNH_F_DEAD | RTNH_F_LINKDOWN;; unwanted = RTNH_F_DEAD) {
        const struct rtnexthop *hop = mnl_attr_get_payload(a);
        int rest = mnl_attr_get_payload_len(a);
        for (; rest >= (int)sizeof *hop && hop->rtnh_len >= sizeof *hop && hop->rtnh_len <= rest;
             rest -= RTNH_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop)) {
            if (hop->rtnh_flags & unwanted)
                continue;
            const struct nlattr *b = (const void *)RTNH_DATA(hop);
            const char *end = (const char *)hop + hop->rtnh_len;
            route->interface = hop->rtnh_ifindex;
            for (; mnl_attr_ok(b, (int)(end - (const char *)b)); b = mnl_attr_next(b)) {
                if (mnl_attr_get_type(b) == RTA_GATEWAY)
                    read_gateway(route, b);
                else if (mnl_attr_get_type(b) == RTA_VIA)
                    read_via(route, b);
            }
            return;
        }
        if (unwanted == RTNH_F_DEAD)
            break;
    }
    route->dead = 1;
}

static int read_route(const struct nlmsghdr *h, struct lvs_rt_event *event)
{
    const struct rtmsg *m = mnl_nlmsg_get_payload(h);
    struct lvs_rt_route *route = &event->route;
    const struct nlattr *a, *b;
    route->family = family_of(m->rtm_family);
    if (!route->family || (m->rtm_flags & RTM_F_CLONED))
        return 0;
    route->prefix_length = m->rtm_dst_len;
    route->table = m->rtm_table;
    route->selective = m->rtm_tos != 0 || m->rtm_src_len != 0;
    route->dead = (m->rtm_flags & RTNH_F_DEAD) != 0;
    switch (m->rtm_type) {
    case RTN_UNICAST: route->kind = LVS_RT_UNICAST; break;
    case RTN_LOCAL:
    case RTN_ANYCAST: route->kind = LVS_RT_LOCAL; break;
    case RTN_THROW: route->kind = LVS_RT_THROW; break;
    default: route->kind = LVS_RT_REFUSED; break;
    }
    mnl_attr_for_each(a, h, sizeof *m) {
        switch (mnl_attr_get_type(a)) {
        case RTA_TABLE: route->table = u32(a); break;
        case RTA_DST: copy_address(route->destination, a, route->family); break;
        case RTA_OIF: route->interface = (int32_t)u32(a); break;
        case RTA_GATEWAY: read_gateway(route, a); break;
        case RTA_VIA: read_via(route, a); break;
        case RTA_PREFSRC:
            route->has_source = copy_address(route->source, a, route->family);
            break;
        case RTA_PRIORITY: route->metric = u32(a); break;
        case RTA_MULTIPATH: read_multipath(route, a); break;
        case RTA_METRICS:
            mnl_attr_for_each_nested(b, a)
                if (mnl_attr_get_type(b) == RTAX_MTU)
                    route->mtu = u32(b);
            break;
        }
    }
    return 1;
}

static int read_neighbour(const struct nlmsghdr *h, struct lvs_rt_event *event)
{
    const struct ndmsg *m = mnl_nlmsg_get_payload(h);
    struct lvs_rt_neighbour *n = &event->neighbour;
    const struct nlattr *a;
    int found = 0;
    n->family = family_of(m->ndm_family);
    if (!n->family || (m->ndm_flags & NTF_PROXY))
        return 0;
    n->index = m->ndm_ifindex;
    mnl_attr_for_each(a, h, sizeof *m) {
        switch (mnl_attr_get_type(a)) {
        case NDA_DST: found = copy_address(n->address, a, n->family); break;
        case NDA_LLADDR: n->has_hardware = copy_hardware(n->hardware, a); break;
        case NDA_FLAGS_EXT: n->managed = (u32(a) & NTF_EXT_MANAGED) != 0; break;
        }
    }
    n->permanent = (m->ndm_state & NUD_PERMANENT) != 0;
    n->valid = n->has_hardware
        && (m->ndm_state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP)) != 0;
    return found;
}

static uint8_t rule_action(uint8_t action)
{
    switch (action) {
    case FR_ACT_TO_TBL: return LVS_RT_RULE_LOOKUP;
    case FR_ACT_BLACKHOLE:
    case FR_ACT_UNREACHABLE:
    case FR_ACT_PROHIBIT: return LVS_RT_RULE_REFUSE;
    case FR_ACT_NOP: return LVS_RT_RULE_NOTHING;
    default: return LVS_RT_RULE_OTHER;
    }
}

static int read_rule(const struct nlmsghdr *h, struct lvs_rt_event *event)
{
    const struct fib_rule_hdr *m = mnl_nlmsg_get_payload(h);
    struct lvs_rt_rule *rule = &event->rule;
    const struct nlattr *a;
    rule->family = family_of(m->family);
    if (!rule->family)
        return 0;
    rule->table = m->table;
    rule->action = rule_action(m->action);
    rule->source_length = m->src_len;
    rule->destination_length = m->dst_len;
    rule->qualified = m->tos != 0 || (m->flags & FIB_RULE_INVERT) != 0;
    mnl_attr_for_each(a, h, sizeof *m) {
        switch (mnl_attr_get_type(a)) {
        case FRA_PRIORITY: rule->priority = u32(a); break;
        case FRA_TABLE: rule->table = u32(a); break;
        case FRA_PROTOCOL: rule->protocol = mnl_attr_get_u8(a); break;
        case FRA_SRC: copy_address(rule->source, a, rule->family); break;
        case FRA_DST: copy_address(rule->destination, a, rule->family); break;
        case FRA_IIFNAME:
            // What the director sends is routed as the host's own packets are, which come from "lo".
            if (strcmp(mnl_attr_get_str(a), "lo") != 0)
                rule->elsewhere = 1;
            break;
        case FRA_OIFNAME: rule->elsewhere = 1; break;
        case FRA_SUPPRESS_PREFIXLEN:
        case FRA_SUPPRESS_IFGROUP:
            // Every rule has them; all ones: nothing is suppressed.
            if (u32(a) != UINT32_MAX)
                rule->qualified = 1;
            break;
        case FRA_FWMARK: case FRA_UID_RANGE: case FRA_IP_PROTO: case FRA_SPORT_RANGE:
        case FRA_DPORT_RANGE: case FRA_TUN_ID: case FRA_GOTO:
            rule->qualified = 1;
            break;
        case FRA_L3MDEV:
            if (mnl_attr_get_payload_len(a) >= 1 && mnl_attr_get_u8(a) != 0)
                rule->qualified = 1;
            break;
        }
    }
    rule->plain = !rule->qualified && !rule->elsewhere && !rule->source_length
        && !rule->destination_length && rule->action == LVS_RT_RULE_LOOKUP
        && ((rule->priority == 0 && rule->table == RT_TABLE_LOCAL)
            || (rule->priority == 32766 && rule->table == RT_TABLE_MAIN)
            || (rule->priority == 32767 && rule->table == RT_TABLE_DEFAULT));
    return 1;
}

int lvs_rt_decode(const struct nlmsghdr *h, struct lvs_rt_event *event)
{
    static const struct {
        uint16_t add, remove;
        uint8_t what;
        uint32_t header;
        int (*read)(const struct nlmsghdr *, struct lvs_rt_event *);
    } sorts[] = {
        {RTM_NEWLINK, RTM_DELLINK, LVS_RT_LINK, sizeof(struct ifinfomsg), read_link},
        {RTM_NEWADDR, RTM_DELADDR, LVS_RT_ADDRESS, sizeof(struct ifaddrmsg), read_address},
        {RTM_NEWROUTE, RTM_DELROUTE, LVS_RT_ROUTE, sizeof(struct rtmsg), read_route},
        {RTM_NEWNEIGH, RTM_DELNEIGH, LVS_RT_NEIGHBOUR, sizeof(struct ndmsg), read_neighbour},
        {RTM_NEWRULE, RTM_DELRULE, LVS_RT_RULE, sizeof(struct fib_rule_hdr), read_rule},
    };
    for (unsigned i = 0; i < sizeof sorts / sizeof sorts[0]; i++) {
        if (h->nlmsg_type != sorts[i].add && h->nlmsg_type != sorts[i].remove)
            continue;
        if (mnl_nlmsg_get_payload_len(h) < sorts[i].header)
            return 0;
        event->what = sorts[i].what;
        event->removed = h->nlmsg_type == sorts[i].remove;
        return sorts[i].read(h, event);
    }
    return 0;
}
