// Descriptors come, are copied and go; the memory of those that matter follows.
#include "originals.h"

#include <errno.h>
#include <stdarg.h>

REPLACES int close(int fd) {
    struct holding *holding = holding_take(fd);
    if (!holding) return original()->close(fd);
    // The last moment at which a program can be told that a value was refused.
    int finished = paper_finish(holding);
    int error = errno;
    holding_forget(fd);
    holding_give_back(holding);
    int result = original()->close(fd);
    if (result == 0 && finished < 0) {
        errno = error;
        return -1;
    }
    return result;
}

REPLACES int close_range(unsigned first, unsigned last, int flags) {
    if (!(flags & CLOSE_RANGE_CLOEXEC)) holding_forget_range(first, last);
    return original()->close_range(first, last, flags);
}

REPLACES void closefrom(int first) {
    holding_forget_range(first > 0 ? (unsigned)first : 0, ~0U);
    original()->closefrom(first);
}

static int copied(int fd, int copy) {
    if (copy >= 0 && holding_any()) {
        int error = errno;
        holding_copied(fd, copy);
        errno = error;
    }
    return copy;
}

REPLACES int dup(int fd) { return copied(fd, original()->dup(fd)); }

REPLACES int dup2(int fd, int copy) { return copied(fd, original()->dup2(fd, copy)); }

REPLACES int dup3(int fd, int copy, int flags) {
    return copied(fd, original()->dup3(fd, copy, flags));
}

// Every third argument of fcntl is passed in the same way.
REPLACES int fcntl(int fd, int command, ...) {
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    int result = original()->fcntl(fd, command, argument);
    return command == F_DUPFD || command == F_DUPFD_CLOEXEC ? copied(fd, result) : result;
}

// On machines of 64 bits the same function by another name.
REPLACES __typeof__(fcntl) fcntl64 __attribute__((alias("fcntl")));
