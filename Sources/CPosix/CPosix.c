#define _GNU_SOURCE
#include "CPosix.h"

#include <errno.h>
#include <grp.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

int cposix_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

int cposix_accept(int listener) {
    return accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

int cposix_peer_credentials(int fd, uint32_t *user, uint32_t *group, int32_t *process) {
    struct ucred credentials;
    socklen_t length = sizeof credentials;
    int result = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length);
    if (result == 0) {
        *user = credentials.uid;
        *group = credentials.gid;
        *process = credentials.pid;
    }
    return result;
}

int cposix_peer_groups(int fd, uint32_t *groups, uint32_t *count) {
    socklen_t size = *count * sizeof(*groups);
    int result = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size);
    *count = size / sizeof(*groups);
    return result;
}

int64_t cposix_group_number(const char *name) {
    struct group *found = getgrnam(name);
    return found ? (int64_t)found->gr_gid : -1;
}

int cposix_signalfd(const int *signals, int count) {
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < count; i++) sigaddset(&set, signals[i]);
    int error = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (error != 0) {
        errno = error;
        return -1;
    }
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int cposix_read_signal(int fd) {
    struct signalfd_siginfo info;
    ssize_t got = read(fd, &info, sizeof info);
    return got == sizeof info ? (int)info.ssi_signo : -1;
}

int cposix_ppoll(void *descriptors, size_t count, int64_t nanoseconds) {
    struct timespec time = {nanoseconds / 1000000000, nanoseconds % 1000000000};
    return ppoll(descriptors, count, nanoseconds < 0 ? NULL : &time, NULL);
}

int cposix_name_thread(const char *name) { return prctl(PR_SET_NAME, name, 0, 0, 0); }

int cposix_pin_thread(int cpu) {
    size_t bytes = CPU_ALLOC_SIZE(cpu + 1);
    cpu_set_t *set = CPU_ALLOC(cpu + 1);
    if (set == NULL) return -1;
    CPU_ZERO_S(bytes, set);
    CPU_SET_S(cpu, bytes, set);
    int result = sched_setaffinity(0, bytes, set);
    CPU_FREE(set);
    return result;
}

int cposix_keep_thread(uintptr_t thread, const int *cpus, int count) {
    int most = 0;
    for (int i = 0; i < count; i++) most = cpus[i] > most ? cpus[i] : most;
    size_t bytes = CPU_ALLOC_SIZE(most + 1);
    cpu_set_t *set = CPU_ALLOC(most + 1);
    if (set == NULL) return ENOMEM;
    CPU_ZERO_S(bytes, set);
    for (int i = 0; i < count; i++) CPU_SET_S(cpus[i], bytes, set);
    int result = pthread_setaffinity_np((pthread_t)thread, bytes, set);
    CPU_FREE(set);
    return result;
}

int cposix_allowed_cpus(int *cpus, int capacity) {
    // Beyond the 1,024 CPUs of cpu_set_t the kernel wants a longer mask.
    size_t bytes = CPU_ALLOC_SIZE(8192);
    cpu_set_t *set = CPU_ALLOC(8192);
    if (set == NULL) return -1;
    int count = -1;
    if (sched_getaffinity(0, bytes, set) == 0) {
        count = 0;
        for (int cpu = 0; cpu < 8192 && count < capacity; cpu++)
            if (CPU_ISSET_S(cpu, bytes, set)) cpus[count++] = cpu;
    }
    CPU_FREE(set);
    return count;
}

void *cposix_map_huge(size_t bytes) {
    void *address = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | 21 << MAP_HUGE_SHIFT, -1, 0);
    if (address == MAP_FAILED) return NULL;
    // A page that a control group withholds would be a fatal signal when it is touched; here it is an
    // error, and kernels that cannot tell (before 5.14) are not trusted with this.
    if (madvise(address, bytes, MADV_POPULATE_WRITE) != 0) {
        munmap(address, bytes);
        return NULL;
    }
    return address;
}

int cposix_advise_huge(void *base, size_t bytes) { return madvise(base, bytes, MADV_HUGEPAGE); }

int cposix_enter_network_namespace(int fd) { return setns(fd, CLONE_NEWNET); }

static int64_t read_clock(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

int64_t cposix_boottime(void) { return read_clock(CLOCK_BOOTTIME); }

int64_t cposix_thread_cputime(void) { return read_clock(CLOCK_THREAD_CPUTIME_ID); }

int64_t cposix_thread_cputime_of(unsigned long thread) {
    clockid_t clock;
    return pthread_getcpuclockid((pthread_t)thread, &clock) == 0 ? read_clock(clock) : -1;
}

int64_t cposix_free_pages(void) {
    struct sysinfo info;
    if (sysinfo(&info) != 0) return -1;
    uint64_t bytes = ((uint64_t)info.freeram + info.bufferram) * info.mem_unit;
    return (int64_t)(bytes / (uint64_t)sysconf(_SC_PAGESIZE));
}

int cposix_interface_mtu(const char *name) {
    struct ifreq request;
    memset(&request, 0, sizeof request);
    if (strlen(name) >= sizeof request.ifr_name) {
        errno = ENODEV;
        return -1;
    }
    strcpy(request.ifr_name, name);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    int result = ioctl(fd, SIOCGIFMTU, &request);
    close(fd);
    return result == 0 ? request.ifr_mtu : -1;
}
