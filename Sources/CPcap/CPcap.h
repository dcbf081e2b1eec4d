// libpcap, and what its files need of the C library.
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

// Makes a capture file that only its owner reads; NULL with errno where that is refused, EINVAL where
// something else than a file is there.
static inline pcap_dumper_t *cpcap_create(pcap_t *format, const char *path) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_CLOEXEC, 0600);
    if (fd < 0) return NULL;
    struct stat kind;
    if (fstat(fd, &kind) == 0 && !S_ISREG(kind.st_mode)) {
        close(fd);
        errno = EINVAL;
        return NULL;
    }
    FILE *file = fdopen(fd, "w");
    if (file == NULL) {
        close(fd);
        return NULL;
    }
    return pcap_dump_fopen(format, file);
}

// Writes a frame of `length` bytes, `captured` of which are at `bytes`; time in nanoseconds since 1970.
// The errno of what failed, or 0.
static inline int cpcap_write(
    pcap_dumper_t *file, uint64_t time, const void *bytes, uint32_t captured, uint32_t length) {
    struct pcap_pkthdr header = {
        .ts = {.tv_sec = (time_t)(time / 1000000000), .tv_usec = (suseconds_t)(time % 1000000000)},
        .caplen = captured,
        .len = length,
    };
    errno = 0;
    pcap_dump((u_char *)file, &header, (const u_char *)bytes);
    return ferror(pcap_dump_file(file)) ? (errno != 0 ? errno : EIO) : 0;
}

// Brings what was written to the file; the errno of what failed, or 0.
static inline int cpcap_flush(pcap_dumper_t *file) {
    return pcap_dump_flush(file) == 0 ? 0 : errno;
}

// Closes the file and leaves its first `bytes` bytes, the rest being a frame cut short.
static inline void cpcap_close(pcap_dumper_t *file, uint64_t bytes) {
    int fd = dup(fileno(pcap_dump_file(file)));
    pcap_dump_close(file);
    struct stat kind;
    if (fstat(fd, &kind) == 0 && (uint64_t)kind.st_size > bytes)
        // One that cannot be cut is still read up to there.
        (void)!ftruncate(fd, (off_t)bytes);
    close(fd);
}

// Time of day less time since boot, nanoseconds.
static inline int64_t cpcap_clock_difference(void) {
    struct timespec day, boot;
    clock_gettime(CLOCK_REALTIME, &day);
    clock_gettime(CLOCK_BOOTTIME, &boot);
    return (day.tv_sec - boot.tv_sec) * 1000000000LL + (day.tv_nsec - boot.tv_nsec);
}
