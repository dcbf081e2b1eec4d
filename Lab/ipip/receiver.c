/* An IPIP receiver for real servers whose kernel has no ipip module.
 *
 *      director ── IP(director > RIP, protocol 4){ IP(CIP > VIP){ TCP } } ──► eth0
 *                                                                              │ packet socket
 *      server's own stack, VIP configured ◄── tun device ◄── IP(CIP > VIP) ◄── receiver
 *
 * usage: receiver DEVICE      creates the TUN device DEVICE, says "ready" and runs until it is killed.
 *
 * Inner packets often carry a checksum that their sender left to its network card, and over veth no card ever
 * fills it in. The packet socket's virtio-net header says where such a checksum lies; it is moved by the outer
 * header's length and handed on to the TUN device, as the kernel's own ipip would keep it in the packet. A complete
 * checksum is therefore still verified by the server's stack, and a wrong one still noticed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { largest = 1 << 17 };

static int must(int result, const char *what) {
    if (result < 0) {
        perror(what);
        exit(1);
    }
    return result;
}

static int open_tun(const char *name) {
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR};
    int device = must(open("/dev/net/tun", O_RDWR | O_CLOEXEC), "/dev/net/tun");
    int header = sizeof(struct virtio_net_hdr);
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    must(ioctl(device, TUNSETIFF, &request), "TUNSETIFF");
    must(ioctl(device, TUNSETVNETHDRSZ, &header), "TUNSETVNETHDRSZ");
    return device;
}

static int open_tap(void) {
    int tap = must(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_IP)), "packet socket");
    int on = 1, room = 16 << 20;
    /* A fanout group of one, for the sake of its flag: outer fragments arrive reassembled. */
    int fanout = (getpid() & 0xffff) | (PACKET_FANOUT_HASH | PACKET_FANOUT_FLAG_DEFRAG) << 16;
    must(setsockopt(tap, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on), "PACKET_VNET_HDR");
    must(setsockopt(tap, SOL_PACKET, PACKET_FANOUT, &fanout, sizeof fanout), "PACKET_FANOUT");
    must(setsockopt(tap, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room), "SO_RCVBUFFORCE");
    return tap;
}

/* While somebody listens for the protocol the kernel does not answer "protocol unreachable". The filter keeps the
 * socket empty: one whose buffer is full no longer counts as listening. */
static void claim_protocol(void) {
    struct sock_filter nothing = {.code = BPF_RET | BPF_K, .k = 0};
    struct sock_fprog program = {.len = 1, .filter = &nothing};
    int claim = must(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_IPIP), "raw socket");
    must(setsockopt(claim, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), "SO_ATTACH_FILTER");
}

int main(int count, char **words) {
    if (count != 2) {
        fprintf(stderr, "usage: %s DEVICE\n", words[0]);
        return 2;
    }
    int tun = open_tun(words[1]);
    int tap = open_tap();
    claim_protocol();
    puts("ready");
    fflush(stdout);

    static uint8_t bytes[largest];
    const size_t before = sizeof(struct virtio_net_hdr) + ETH_HLEN;
    for (;;) {
        struct sockaddr_ll from;
        socklen_t from_size = sizeof from;
        ssize_t length = recvfrom(tap, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &from_size);
        if (length < 0 && errno == EINTR) continue;
        must((int)length, "receive");
        if (from.sll_pkttype != PACKET_HOST || (size_t)length < before + 40) continue;

        struct iphdr outer, inner;
        memcpy(&outer, bytes + before, sizeof outer);
        size_t outer_length = outer.ihl * 4u;
        if (outer.version != 4 || outer_length < 20 || outer.protocol != IPPROTO_IPIP) continue;
        if ((size_t)length < before + outer_length + 20) continue;
        memcpy(&inner, bytes + before + outer_length, sizeof inner);
        size_t inner_length = ntohs(inner.tot_len);
        if (inner.version != 4 || inner_length < 20) continue;
        if (before + outer_length + inner_length > (size_t)length) continue;

        struct virtio_net_hdr header;
        memcpy(&header, bytes, sizeof header);
        uint16_t stripped = ETH_HLEN + outer_length;
        if (header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
            if (header.csum_start < stripped) continue;
            header.csum_start -= stripped;
        }
        header.hdr_len = header.hdr_len > stripped ? header.hdr_len - stripped : 0;
        uint8_t *start = bytes + before + outer_length - sizeof header;
        memcpy(start, &header, sizeof header);
        /* A packet that the stack refuses (device down, malformed) is lost, as on any link. */
        if (write(tun, start, sizeof header + inner_length) < 0 && errno == EBADFD) return 1;
    }
}
