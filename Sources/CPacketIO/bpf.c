#include "bpf.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int call(enum bpf_cmd command, union bpf_attr *attributes) {
    int result;
    // EAGAIN: the verifier was interrupted by a signal.
    int patience = 10;
    do
        result = (int)syscall(SYS_bpf, command, attributes, sizeof *attributes);
    while (result < 0 && (errno == EINTR || (errno == EAGAIN && --patience > 0)));
    return result;
}

static int make_map(enum bpf_map_type type, uint32_t key, uint32_t value, uint32_t most, uint32_t flags) {
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.map_type = type;
    attributes.key_size = key;
    attributes.value_size = value;
    attributes.max_entries = most;
    attributes.map_flags = flags;
    return call(BPF_MAP_CREATE, &attributes);
}

int bpf_make_hash(uint32_t key_bytes, uint32_t value_bytes, uint32_t most) {
    return make_map(BPF_MAP_TYPE_HASH, key_bytes, value_bytes, most, BPF_F_NO_PREALLOC);
}

int bpf_make_socket_map(uint32_t queues) {
    return make_map(BPF_MAP_TYPE_XSKMAP, sizeof(uint32_t), sizeof(uint32_t), queues, 0);
}

int bpf_set(int map, const void *key, const void *value) {
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.map_fd = (uint32_t)map;
    attributes.key = (uintptr_t)key;
    attributes.value = (uintptr_t)value;
    attributes.flags = BPF_ANY;
    return call(BPF_MAP_UPDATE_ELEM, &attributes);
}

int bpf_remove(int map, const void *key) {
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.map_fd = (uint32_t)map;
    attributes.key = (uintptr_t)key;
    return call(BPF_MAP_DELETE_ELEM, &attributes);
}

static int load(
    enum bpf_prog_type type, enum bpf_attach_type attach, const uint64_t *instructions, uint32_t count,
    char *log, uint32_t log_bytes) {
    _Static_assert(sizeof(struct bpf_insn) == sizeof(uint64_t), "instruction");
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.prog_type = type;
    attributes.expected_attach_type = attach;
    attributes.insns = (uintptr_t)instructions;
    attributes.insn_cnt = count;
    // No helper that the program calls asks for a licence.
    attributes.license = (uintptr_t) "none";
    memcpy(attributes.prog_name, "director", sizeof "director");
    if (log != NULL) {
        log[0] = 0;
        attributes.log_buf = (uintptr_t)log;
        attributes.log_size = log_bytes;
        attributes.log_level = 1;
    }
    return call(BPF_PROG_LOAD, &attributes);
}

int bpf_load_xdp(const uint64_t *instructions, uint32_t count, char *log, uint32_t log_bytes) {
    return load(BPF_PROG_TYPE_XDP, BPF_XDP, instructions, count, log, log_bytes);
}

int bpf_load_filter(const uint64_t *instructions, uint32_t count, char *log, uint32_t log_bytes) {
    return load(BPF_PROG_TYPE_SOCKET_FILTER, 0, instructions, count, log, log_bytes);
}

int bpf_attach_xdp(int program, int32_t interface, uint8_t is_generic) {
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.link_create.prog_fd = (uint32_t)program;
    attributes.link_create.target_ifindex = (uint32_t)interface;
    attributes.link_create.attach_type = BPF_XDP;
    attributes.link_create.flags = is_generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
    return call(BPF_LINK_CREATE, &attributes);
}

int bpf_replace(int link, int program) {
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.link_update.link_fd = (uint32_t)link;
    attributes.link_update.new_prog_fd = (uint32_t)program;
    return call(BPF_LINK_UPDATE, &attributes);
}

int32_t bpf_link_interface(int link) {
    struct bpf_link_info info;
    memset(&info, 0, sizeof info);
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.info.bpf_fd = (uint32_t)link;
    attributes.info.info_len = sizeof info;
    attributes.info.info = (uintptr_t)&info;
    if (call(BPF_OBJ_GET_INFO_BY_FD, &attributes) != 0) return 0;
    return (int32_t)info.xdp.ifindex;
}

int bpf_run(int program, const void *frame, uint32_t length) {
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.test.prog_fd = (uint32_t)program;
    attributes.test.data_in = (uintptr_t)frame;
    attributes.test.data_size_in = length;
    if (call(BPF_PROG_TEST_RUN, &attributes) != 0) return -1;
    return (int)attributes.test.retval;
}

void bpf_close(int fd) { close(fd); }
