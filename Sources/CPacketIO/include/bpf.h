// Programs and maps of the kernel's BPF machine, by bpf(2) alone.
// Kernel headers stay in bpf.c; functions return a descriptor, 0 or -1 and leave errno.
#pragma once
#include <stddef.h>
#include <stdint.h>

// A hash map of fixed-size keys and values; memory is taken element by element.
int bpf_make_hash(uint32_t key_bytes, uint32_t value_bytes, uint32_t most);
// A map from receive queues to AF_XDP sockets.
int bpf_make_socket_map(uint32_t queues);
// Sets an element, whether it is there or not.
int bpf_set(int map, const void *key, const void *value);
// Removes an element; one that is not there is ENOENT.
int bpf_remove(int map, const void *key);
// Gives an XDP program of so many 8-byte instructions to the kernel. With `log` the verifier
// explains itself there, ended by a zero byte.
int bpf_load_xdp(const uint64_t *instructions, uint32_t count, char *log, uint32_t log_bytes);
// As above, a program that answers a number for a packet, which it reads from its network header on.
int bpf_load_filter(const uint64_t *instructions, uint32_t count, char *log, uint32_t log_bytes);
// Attaches a program to an interface for as long as the descriptor returned is open.
int bpf_attach_xdp(int program, int32_t interface, uint8_t is_generic);
// Puts another program in the place of the attached one, without a gap.
int bpf_replace(int link, int program);
// The interface a link is attached to, 0 once that was deleted.
int32_t bpf_link_interface(int link);
// Runs a program over a frame; what it answered (XDP_PASS...), or -1.
int bpf_run(int program, const void *frame, uint32_t length);
void bpf_close(int fd);
