// The functions of the C library that this library stands in front of.
#pragma once
#include "preload.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

// Names that only fortified programs use and no header declares for us.
ssize_t __read_chk(int, void *, size_t, size_t);
ssize_t __recv_chk(int, void *, size_t, size_t, int);
ssize_t __recvfrom_chk(int, void *, size_t, size_t, int, __SOCKADDR_ARG, socklen_t *);
int __open_2(const char *, int);
int __open64_2(const char *, int);
int __openat_2(int, const char *, int);
int __openat64_2(int, const char *, int);
char *__realpath_chk(const char *, char *, size_t);

#define ORIGINALS(X)                                                                              \
    X(socket) X(bind) X(connect) X(getsockname) X(getpeername) X(getsockopt) X(setsockopt)        \
    X(send) X(sendto) X(sendmsg) X(sendmmsg) X(write) X(writev) X(pwrite) X(pwrite64)             \
    X(recv) X(recvfrom) X(recvmsg) X(recvmmsg) X(read) X(readv)                                   \
    X(__read_chk) X(__recv_chk) X(__recvfrom_chk)                                                 \
    X(close) X(close_range) X(closefrom) X(dup) X(dup2) X(dup3) X(fcntl)                          \
    X(open) X(open64) X(openat) X(openat64) X(creat) X(creat64) X(fopen) X(fopen64)               \
    X(__open_2) X(__open64_2) X(__openat_2) X(__openat64_2) X(realpath) X(__realpath_chk)         \
    X(stat) X(stat64) X(lstat) X(lstat64) X(fstatat) X(fstatat64) X(statx)                        \
    X(access) X(faccessat) X(euidaccess) X(eaccess)                                               \
    X(opendir) X(readdir) X(readdir64) X(closedir) X(rewinddir)

struct originals {
#define X(name) __typeof__(name) *name;
    ORIGINALS(X)
#undef X
};

// All of them, found at the first call.
const struct originals *original(void);
