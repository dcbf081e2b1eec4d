#define _GNU_SOURCE
#include "survey.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/genetlink.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef AF_XDP
#define AF_XDP 44
#endif

// The kernel's netdev family (linux/netdev.h), which headers before 6.3 do not have.
enum { NETDEV_CMD_DEV_GET_ = 1, NETDEV_A_DEV_IFINDEX_ = 1, NETDEV_A_DEV_XDP_FEATURES_ = 3 };

static int ethtool(int fd, const char *interface, void *command)
{
    struct ifreq request;
    memset(&request, 0, sizeof request);
    if (strlen(interface) >= IFNAMSIZ)
        return -1;
    strcpy(request.ifr_name, interface);
    request.ifr_data = command;
    return ioctl(fd, SIOCETHTOOL, &request);
}

static int8_t value(int fd, const char *interface, uint32_t command)
{
    struct ethtool_value value = {.cmd = command};
    return ethtool(fd, interface, &value) == 0 ? value.data != 0 : -1;
}

void survey_card(const char *interface, struct survey_card *card)
{
    memset(card, 0, sizeof *card);
    card->receive_ring = card->receive_ring_most = -1;
    card->tso = card->gso = card->gro = card->lro = card->transmit_checksum = card->receive_checksum = -1;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    struct ethtool_drvinfo driver = {.cmd = ETHTOOL_GDRVINFO};
    if (ethtool(fd, interface, &driver) == 0) {
        memcpy(card->driver, driver.driver, sizeof card->driver);
        card->driver[sizeof card->driver - 1] = 0;
    }
    struct ethtool_ringparam ring = {.cmd = ETHTOOL_GRINGPARAM};
    if (ethtool(fd, interface, &ring) == 0) {
        card->receive_ring = (int32_t)ring.rx_pending;
        card->receive_ring_most = (int32_t)ring.rx_max_pending;
    }
    card->tso = value(fd, interface, ETHTOOL_GTSO);
    card->gso = value(fd, interface, ETHTOOL_GGSO);
    card->gro = value(fd, interface, ETHTOOL_GGRO);
    card->transmit_checksum = value(fd, interface, ETHTOOL_GTXCSUM);
    card->receive_checksum = value(fd, interface, ETHTOOL_GRXCSUM);
    struct ethtool_value flags = {.cmd = ETHTOOL_GFLAGS};
    if (ethtool(fd, interface, &flags) == 0)
        card->lro = (flags.data & ETH_FLAG_LRO) != 0;
    close(fd);
}

// One request and the answer to it; `visit` sees the answer. Bounded, since an answer may never come.
static int ask(int bus, struct nlmsghdr *h, mnl_cb_t visit, void *context)
{
    struct mnl_socket *socket = mnl_socket_open2(bus, SOCK_CLOEXEC);
    if (!socket)
        return -errno;
    char buffer[16384];
    struct timeval patience = {.tv_sec = 2};
    int result;
    h->nlmsg_seq = 1;
    if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0
        || setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0
        || mnl_socket_sendto(socket, h, h->nlmsg_len) < 0) {
        result = -errno;
    } else {
        ssize_t got = mnl_socket_recvfrom(socket, buffer, sizeof buffer);
        result = got < 0 ? -errno : 0;
        if (got >= 0 && mnl_cb_run(buffer, got, 1, mnl_socket_get_portid(socket), visit, context) < 0)
            result = -errno;
    }
    mnl_socket_close(socket);
    return result;
}

static struct nlmsghdr *generic(char *buffer, uint16_t family, uint8_t command)
{
    struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);
    h->nlmsg_type = family;
    h->nlmsg_flags = NLM_F_REQUEST;
    struct genlmsghdr *g = mnl_nlmsg_put_extra_header(h, sizeof *g);
    g->cmd = command;
    g->version = 1;
    return h;
}

// A number that the answer of a generic family holds, in an attribute of at least so many bytes.
struct number {
    uint16_t type;
    uint16_t bytes;
    void *value;
};

static int read_number(const struct nlmsghdr *h, void *context)
{
    const struct number *number = context;
    const struct nlattr *a;
    if (mnl_nlmsg_get_payload_len(h) < sizeof(struct genlmsghdr))
        return MNL_CB_OK;
    mnl_attr_for_each(a, h, sizeof(struct genlmsghdr))
        if (mnl_attr_get_type(a) == number->type && mnl_attr_get_payload_len(a) >= number->bytes)
            memcpy(number->value, mnl_attr_get_payload(a), number->bytes);
    return MNL_CB_OK;
}

int survey_xdp(int32_t interface, uint64_t *features)
{
    char buffer[256];
    uint16_t family = 0;
    struct nlmsghdr *h = generic(buffer, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
    mnl_attr_put_strz(h, CTRL_ATTR_FAMILY_NAME, "netdev");
    struct number id = {.type = CTRL_ATTR_FAMILY_ID, .bytes = sizeof family, .value = &family};
    int result = ask(NETLINK_GENERIC, h, read_number, &id);
    if (result < 0)
        return result;
    if (family == 0)
        return -ENOENT;
    h = generic(buffer, family, NETDEV_CMD_DEV_GET_);
    mnl_attr_put_u32(h, NETDEV_A_DEV_IFINDEX_, (uint32_t)interface);
    *features = 0;
    struct number bits = {
        .type = NETDEV_A_DEV_XDP_FEATURES_, .bytes = sizeof *features, .value = features};
    return ask(NETLINK_GENERIC, h, read_number, &bits);
}

static int read_program(const struct nlmsghdr *h, void *context)
{
    const struct nlattr *a, *b;
    if (mnl_nlmsg_get_payload_len(h) < sizeof(struct ifinfomsg))
        return MNL_CB_OK;
    mnl_attr_for_each(a, h, sizeof(struct ifinfomsg)) {
        if (mnl_attr_get_type(a) != IFLA_XDP)
            continue;
        mnl_attr_for_each_nested(b, a) {
            int type = mnl_attr_get_type(b);
            int is_program = type == IFLA_XDP_PROG_ID || type == IFLA_XDP_DRV_PROG_ID
                || type == IFLA_XDP_SKB_PROG_ID || type == IFLA_XDP_HW_PROG_ID;
            if (is_program && mnl_attr_get_payload_len(b) >= 4 && mnl_attr_get_u32(b) != 0)
                *(int64_t *)context = mnl_attr_get_u32(b);
        }
    }
    return MNL_CB_OK;
}

int64_t survey_xdp_program(int32_t interface)
{
    char buffer[256];
    int64_t program = 0;
    struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);
    h->nlmsg_type = RTM_GETLINK;
    h->nlmsg_flags = NLM_F_REQUEST;
    struct ifinfomsg *m = mnl_nlmsg_put_extra_header(h, sizeof *m);
    m->ifi_index = interface;
    int result = ask(NETLINK_ROUTE, h, read_program, &program);
    return result < 0 ? result : program;
}

static int has_family(int family, int type)
{
    int fd = socket(family, type | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        close(fd);
        return 1;
    }
    return errno == EAFNOSUPPORT ? 0 : errno == EPERM ? 1 : -1;
}

int survey_has_packet_sockets(void) { return has_family(AF_PACKET, SOCK_RAW); }

int survey_has_xdp_sockets(void) { return has_family(AF_XDP, SOCK_RAW); }
