// What glibc shows only under _GNU_SOURCE, which the Glibc module is built without.
// Each function returns what the system call returns and leaves errno alone.
#pragma once
#include <stddef.h>
#include <stdint.h>

int cposix_eventfd(void);
int cposix_accept(int listener);
int cposix_peer_credentials(int fd, uint32_t *user, uint32_t *group, int32_t *process);
// Supplementary groups of the peer; `count` is the room in groups, and then how many there are. ERANGE
// when they do not fit.
int cposix_peer_groups(int fd, uint32_t *groups, uint32_t *count);
// Number of a group by its name, -1 when there is none.
int64_t cposix_group_number(const char *name);
// Blocks the signals in the calling thread and returns a descriptor that reads them.
int cposix_signalfd(const int *signals, int count);
// The signal's number, or -1.
int cposix_read_signal(int fd);
// `descriptors` is an array of struct pollfd; a negative time waits for ever.
int cposix_ppoll(void *descriptors, size_t count, int64_t nanoseconds);
int cposix_name_thread(const char *name);
int cposix_pin_thread(int cpu);
// Lets a thread of this process, named by its pthread_t, run on these CPUs; an error number or 0.
int cposix_keep_thread(uintptr_t thread, const int *cpus, int count);
// The CPUs that the calling thread may run on, in ascending order; how many, or -1.
int cposix_allowed_cpus(int *cpus, int capacity);
// Memory in 2 MiB pages that were reserved, all of them given; NULL when there are not enough.
void *cposix_map_huge(size_t bytes);
// Asks for 2 MiB pages; a refusal is no failure.
int cposix_advise_huge(void *base, size_t bytes);
// Whether an open file lies in memory: 1 in tmpfs, 2 in hugetlbfs, 0 elsewhere, or -1.
int cposix_memory_kind(int fd);
// Gives a file this size with memory behind all of it, so that touching it cannot fail later.
int cposix_fill(int fd, int64_t bytes);
// Maps a file from its beginning at a multiple of `alignment`; NULL with errno.
void *cposix_map_shared(int fd, size_t bytes, size_t alignment);
// Brings mapped memory of a file into large pages now; -1 where the kernel cannot.
int cposix_collapse(void *base, size_t bytes);
// Maps all pages now; -1 where the kernel cannot.
int cposix_populate(void *base, size_t bytes);
// A number that no other network namespace of this boot has, or 0 on kernels that have none.
uint64_t cposix_network_cookie(void);
int cposix_enter_network_namespace(int fd);
int64_t cposix_boottime(void);
int64_t cposix_thread_cputime(void);
// CPU time of a thread that has not been joined (a pthread_t), or -1.
int64_t cposix_thread_cputime_of(unsigned long thread);
// Free and buffer pages of the machine, or -1.
int64_t cposix_free_pages(void);
// MTU of an interface of the calling thread's network namespace, or -1.
int cposix_interface_mtu(const char *name);
// Runs a program with these arguments (the first is its path, the last is NULL) to its end and reads
// what it writes to standard output, at most `capacity` bytes; nothing is read from us. Returns the
// number of bytes, or -1: with errno ETIMEDOUT when it took longer than `milliseconds` and was killed,
// EFBIG when it wrote more, EIO when it ended with a failure, ENOENT when there is no such program.
int64_t cposix_output(char *const argv[], char *output, size_t capacity, int milliseconds);
// A UDP socket that never waits and hears a multicast group (4 or 16 bytes, network order) on a port of
// one interface; `room` is the receive buffer's size in bytes, 0 for the system's. -1 with errno.
int cposix_multicast_receiver(const uint8_t *group, int bytes, uint16_t port, int interface, int room);
// A UDP socket that never waits and sends to a multicast group (4 or 16 bytes, network order) by one
// interface, from its first address, with this TTL, not to this host itself, and with DF clear; `room` is the
// send buffer's size in bytes, 0 for the system's. -1 with errno.
int cposix_multicast_sender(
    const uint8_t *group, int bytes, uint16_t port, int interface, int ttl, int room);
