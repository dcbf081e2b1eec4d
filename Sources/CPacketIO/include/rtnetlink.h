// rtnetlink behind plain structs: links, addresses, routes, neighbours and policy rules of the
// network namespace in which the socket was opened. Kernel headers stay in rtnetlink.c.
//
// Addresses are bytes in network order; `family` is 4 or 6 (never AF_*). Functions return 0 or a
// count, and a negative errno when they fail.
#ifndef LVS_RTNETLINK_H
#define LVS_RTNETLINK_H

#include <stdint.h>

enum lvs_rt_what {
    LVS_RT_LINK = 1,
    LVS_RT_ADDRESS = 2,
    LVS_RT_ROUTE = 3,
    LVS_RT_NEIGHBOUR = 4,
    LVS_RT_RULE = 5,
};

struct lvs_rt_link {
    int32_t index;
    int32_t master;        // 0: none
    int32_t parent;        // of a VLAN or a similar child; 0: none or in another namespace
    uint32_t flags;        // IFF_*
    uint32_t mtu;
    uint16_t type;         // ARPHRD_*
    uint16_t vlan_id;      // 0: no VLAN interface
    uint8_t carrier;
    uint8_t has_hardware;
    uint8_t hardware[6];
    char name[16];
    char kind[16];         // "veth", "vlan", ...; empty for cards
    char slave_kind[16];   // "bridge", "bond", ...: what its master makes of it
};

struct lvs_rt_address {
    int32_t index;
    uint8_t family;
    uint8_t prefix_length;
    uint8_t scope;         // RT_SCOPE_*
    uint8_t secondary;
    uint8_t unusable;      // tentative, deprecated or found to be a duplicate
    uint8_t address[16];
};

enum lvs_rt_route_kind {
    LVS_RT_UNICAST = 1,
    LVS_RT_LOCAL = 2,
    LVS_RT_REFUSED = 3,    // blackhole, unreachable, prohibit, broadcast, multicast
    LVS_RT_THROW = 4,
};

struct lvs_rt_route {
    uint8_t family;
    uint8_t prefix_length;
    uint8_t kind;          // enum lvs_rt_route_kind
    uint8_t gateway_family; // 0: on-link
    uint8_t has_source;
    uint8_t dead;
    uint8_t selective;     // for one TOS or source prefix only
    uint32_t table;
    int32_t interface;     // of the first hop that works; 0: none
    uint32_t metric;
    uint32_t mtu;          // 0: the device's
    uint8_t destination[16];
    uint8_t gateway[16];
    uint8_t source[16];
};

struct lvs_rt_neighbour {
    int32_t index;
    uint8_t family;
    uint8_t valid;         // resolved: `hardware` may be used
    uint8_t permanent;     // an operator's own entry
    uint8_t has_hardware;
    uint8_t managed;       // the kernel keeps it fresh for us
    uint8_t hardware[6];
    uint8_t address[16];
};

struct lvs_rt_rule {
    uint8_t family;
    uint8_t protocol;      // who installed it
    uint8_t plain;         // one of the three rules a kernel starts with
    uint8_t action;        // enum lvs_rt_rule_action
    uint8_t elsewhere;     // for packets that come from or go to a named interface only
    uint8_t qualified;     // asks for more than addresses and interfaces
    uint8_t source_length;
    uint8_t destination_length;
    uint32_t priority;
    uint32_t table;
    uint8_t source[16];
    uint8_t destination[16];
};

enum lvs_rt_rule_action {
    LVS_RT_RULE_LOOKUP = 1,
    LVS_RT_RULE_REFUSE = 2,
    LVS_RT_RULE_NOTHING = 3,
    LVS_RT_RULE_OTHER = 4,
};

struct lvs_rt_event {
    uint8_t what;          // enum lvs_rt_what
    uint8_t removed;
    struct lvs_rt_link link;
    struct lvs_rt_address address;
    struct lvs_rt_route route;
    struct lvs_rt_neighbour neighbour;
    struct lvs_rt_rule rule;
};

typedef void (*lvs_rt_visitor)(const struct lvs_rt_event *event, void *context);

struct lvs_rt_socket;

// Opens a socket; `events` != 0 joins the groups of links, addresses, routes, neighbours and rules.
int lvs_rt_open(int events, struct lvs_rt_socket **socket);
void lvs_rt_close(struct lvs_rt_socket *socket);
int lvs_rt_descriptor(const struct lvs_rt_socket *socket);

// Shows every object of one sort to the visitor. -EINTR: the kernel's list changed meanwhile.
int lvs_rt_dump(struct lvs_rt_socket *socket, int what, lvs_rt_visitor visitor, void *context);

// Reads what is there without waiting; -ENOBUFS says that events were lost.
int lvs_rt_read(struct lvs_rt_socket *socket, lvs_rt_visitor visitor, void *context);

enum lvs_rt_care {
    LVS_RT_CARE_MANAGED = 1,   // the kernel resolves it now and keeps it fresh (Linux 5.16)
    LVS_RT_CARE_USE = 2,       // the kernel resolves it now
    LVS_RT_CARE_RELEASE = 3,   // the kernel treats it as any other again
};
// Never for a permanent entry: the kernel would turn it into a dynamic one.
int lvs_rt_care(struct lvs_rt_socket *socket, int care, int32_t interface, uint8_t family,
                const uint8_t *address);

// Adds or deletes "from ADDRESS ipproto PROTOCOL sport PORT lookup TABLE" (port 0: every port).
int lvs_rt_change_rule(struct lvs_rt_socket *socket, int add, uint8_t family,
                       const uint8_t *address, uint8_t transport, uint16_t port,
                       uint32_t priority, uint32_t table);
// Deletes the first rule of this family with this priority that leads to this table; -ENOENT when
// there is none.
int lvs_rt_delete_rule(struct lvs_rt_socket *socket, uint8_t family, uint32_t priority,
                       uint32_t table);
// Adds or deletes "PREFIX/LENGTH dev INTERFACE table TABLE"; interface 0 is "throw PREFIX/LENGTH":
// the search goes on with the next rule.
int lvs_rt_change_route(struct lvs_rt_socket *socket, int add, uint8_t family,
                        const uint8_t *prefix, uint8_t length, int32_t interface,
                        uint32_t table);
// Deletes every route of a table.
int lvs_rt_flush_table(struct lvs_rt_socket *socket, uint32_t table);

// Adds an address that is good on its own link only (scope link, one address long).
int lvs_rt_add_address(struct lvs_rt_socket *socket, uint8_t family, int32_t interface,
                       const uint8_t *address);

// The drop filter of last resort: a classic BPF program on the ingress of an interface (clsact),
// which returns 2 for a packet to drop and -1 for one to leave alone. `code` is pairs of 32-bit
// words per instruction: operation | true << 16 | false << 24, operand.
int lvs_rt_set_filter(struct lvs_rt_socket *socket, int32_t interface, const uint32_t *code,
                      uint16_t instructions);
// 1: the filter is there, 0: it is not.
int lvs_rt_has_filter(struct lvs_rt_socket *socket, int32_t interface);
// Removes the filter, and the clsact qdisc when nobody else has a filter in it.
int lvs_rt_remove_filter(struct lvs_rt_socket *socket, int32_t interface);

#endif
