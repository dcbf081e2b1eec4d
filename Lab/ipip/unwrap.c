/* Unwraps IPIP in the kernel, for real servers whose kernel has no ipip module.
 *
 * usage: unwrap INTERFACE      attaches a program of two dozen instructions at the interface's ingress, says "ready"
 *                              and runs until it is killed; the program goes with it.
 *
 * A packet keeps its device and what its sender left to a network card (checksum, segmentation), so what it costs is
 * near what the kernel's own ipip costs; packets with IP options and fragments are left as they are. Needs Linux 6.6
 * (attaching at ingress by bpf_link); receiver.c does the same on any kernel, one copy to user space and back dearer.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Newer than the headers of Debian 12. */
enum { tcx_ingress = 46, tcx_next = -1 };

enum { outer = 20, inner_at = ETH_HLEN + outer };

#define INSTRUCTION(CODE, TO, FROM, OFFSET, VALUE) \
    {.code = (CODE), .dst_reg = (TO), .src_reg = (FROM), .off = (OFFSET), .imm = (VALUE)}
#define COPY(TO, FROM) INSTRUCTION(BPF_ALU64 | BPF_MOV | BPF_X, TO, FROM, 0, 0)
#define SET(TO, VALUE) INSTRUCTION(BPF_ALU64 | BPF_MOV | BPF_K, TO, 0, 0, VALUE)
#define ADD(TO, VALUE) INSTRUCTION(BPF_ALU64 | BPF_ADD | BPF_K, TO, 0, 0, VALUE)
#define AND(TO, VALUE) INSTRUCTION(BPF_ALU64 | BPF_AND | BPF_K, TO, 0, 0, VALUE)
#define LOAD(SIZE, TO, FROM, OFFSET) INSTRUCTION(BPF_LDX | BPF_MEM | (SIZE), TO, FROM, OFFSET, 0)
/* From the instruction at AT to the one at `end`. */
#define UNLESS_EQUAL(REGISTER, VALUE, AT) INSTRUCTION(BPF_JMP | BPF_JNE | BPF_K, REGISTER, 0, end - (AT)-1, VALUE)
#define IF_BEYOND(ONE, OTHER, AT) INSTRUCTION(BPF_JMP | BPF_JGT | BPF_X, ONE, OTHER, end - (AT)-1, 0)

static long call(enum bpf_cmd command, union bpf_attr *attributes) {
    return syscall(SYS_bpf, command, attributes, sizeof *attributes);
}

static int must(long result, const char *what) {
    if (result < 0) {
        fprintf(stderr, "%s: %s\n", what, strerror(errno));
        exit(1);
    }
    return (int)result;
}

int main(int count, char **words) {
    if (count != 2) {
        fprintf(stderr, "usage: %s INTERFACE\n", words[0]);
        return 2;
    }
    unsigned interface = if_nametoindex(words[1]);
    if (interface == 0) must(-1, words[1]);

    enum { end = 21 };
    const struct bpf_insn program[] = {
        LOAD(BPF_W, 2, 1, offsetof(struct __sk_buff, data)),
        LOAD(BPF_W, 3, 1, offsetof(struct __sk_buff, data_end)),
        COPY(4, 2),
        ADD(4, inner_at + 20),
        IF_BEYOND(4, 3, 4),
        LOAD(BPF_H, 5, 2, offsetof(struct ethhdr, h_proto)),
        UNLESS_EQUAL(5, htons(ETH_P_IP), 6),
        LOAD(BPF_B, 5, 2, ETH_HLEN), /* version and header length */
        UNLESS_EQUAL(5, 0x45, 8),
        LOAD(BPF_B, 5, 2, ETH_HLEN + 9),
        UNLESS_EQUAL(5, IPPROTO_IPIP, 10),
        LOAD(BPF_H, 5, 2, ETH_HLEN + 6), /* more fragments, or an offset */
        AND(5, htons(0x3fff)),
        UNLESS_EQUAL(5, 0, 13),
        LOAD(BPF_B, 5, 2, inner_at),
        AND(5, 0xf0),
        UNLESS_EQUAL(5, 0x40, 16),
        SET(2, -outer),
        SET(3, BPF_ADJ_ROOM_MAC),
        SET(4, BPF_F_ADJ_ROOM_FIXED_GSO),
        INSTRUCTION(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_skb_adjust_room),
        [end] = SET(0, tcx_next),
        INSTRUCTION(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
    };
    static char log[65536];
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.prog_type = BPF_PROG_TYPE_SCHED_CLS;
    attributes.insns = (uintptr_t)program;
    attributes.insn_cnt = sizeof program / sizeof *program;
    attributes.license = (uintptr_t) "GPL";
    attributes.log_buf = (uintptr_t)log;
    attributes.log_size = sizeof log;
    attributes.log_level = 1;
    long loaded = call(BPF_PROG_LOAD, &attributes);
    if (loaded < 0) fputs(log, stderr);
    must(loaded, "BPF_PROG_LOAD");

    memset(&attributes, 0, sizeof attributes);
    attributes.link_create.prog_fd = (uint32_t)loaded;
    attributes.link_create.target_ifindex = interface;
    attributes.link_create.attach_type = tcx_ingress;
    must(call(BPF_LINK_CREATE, &attributes), "BPF_LINK_CREATE at ingress");
    puts("ready");
    fflush(stdout);
    for (;;) pause();
}
