// Opening what the director answers for: a memory file with the text, or a paper to write on.
#include "originals.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

static int open_text(const struct place *place, int flags) {
    int fd = memfd_create(place->name, flags & O_CLOEXEC ? MFD_CLOEXEC : 0);
    if (fd < 0) return -1;
    const char *name = place->kind == PLACE_SETTING ? "sysctl" : place->name;
    const char *key = place->kind == PLACE_SETTING ? place->name : NULL;
    if (question_read(name, key, fd) == 0 && lseek(fd, 0, SEEK_SET) == 0) return fd;
    int error = errno;
    original()->close(fd);
    errno = error;
    return -1;
}

static int open_place(const struct place *place, int flags) {
    bool is_read = (flags & O_ACCMODE) == O_RDONLY;
    if (place->kind == PLACE_SETTINGS) {
        // There is a listing (opendir), but no descriptor that would show a directory.
        errno = is_read ? EOPNOTSUPP : EISDIR;
        return -1;
    }
    if (flags & O_DIRECTORY) {
        errno = ENOTDIR;
        return -1;
    }
    if (is_read) return open_text(place, flags);
    if (place->kind == PLACE_SETTING) return paper_open(place->name, flags);
    errno = EACCES;
    return -1;
}

static bool is_ours(const struct place *place) {
    return place->kind != PLACE_ELSEWHERE && place->kind != PLACE_PARENT;
}

// Whether open has a third argument.
static bool has_mode(int flags) {
    return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE;
}

#define OPEN(name)                                                                                \
    REPLACES int name(const char *path, int flags, ...) {                                         \
        struct place place = place_of(path);                                                      \
        if (is_ours(&place)) return open_place(&place, flags);                                    \
        if (!has_mode(flags)) return original()->name(path, flags);                               \
        va_list arguments;                                                                        \
        va_start(arguments, flags);                                                               \
        mode_t mode = va_arg(arguments, mode_t);                                                  \
        va_end(arguments);                                                                        \
        return original()->name(path, flags, mode);                                               \
    }

#define OPENAT(name)                                                                              \
    REPLACES int name(int directory, const char *path, int flags, ...) {                          \
        struct place place = place_of(path);                                                      \
        if (is_ours(&place)) return open_place(&place, flags);                                    \
        if (!has_mode(flags)) return original()->name(directory, path, flags);                    \
        va_list arguments;                                                                        \
        va_start(arguments, flags);                                                               \
        mode_t mode = va_arg(arguments, mode_t);                                                  \
        va_end(arguments);                                                                        \
        return original()->name(directory, path, flags, mode);                                    \
    }

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

#define OPEN_FORTIFIED(name)                                                                      \
    REPLACES int name(const char *path, int flags) {                                              \
        struct place place = place_of(path);                                                      \
        return is_ours(&place) ? open_place(&place, flags) : original()->name(path, flags);       \
    }

#define OPENAT_FORTIFIED(name)                                                                    \
    REPLACES int name(int directory, const char *path, int flags) {                               \
        struct place place = place_of(path);                                                      \
        if (is_ours(&place)) return open_place(&place, flags);                                    \
        return original()->name(directory, path, flags);                                          \
    }

OPEN_FORTIFIED(__open_2)
OPEN_FORTIFIED(__open64_2)
OPENAT_FORTIFIED(__openat_2)
OPENAT_FORTIFIED(__openat64_2)

#define CREAT(name)                                                                               \
    REPLACES int name(const char *path, mode_t mode) {                                            \
        struct place place = place_of(path);                                                      \
        if (is_ours(&place)) return open_place(&place, O_WRONLY | O_CREAT | O_TRUNC);             \
        return original()->name(path, mode);                                                      \
    }

CREAT(creat)
CREAT(creat64)

// ---- Streams: the C library's own fopen does not come through open ----

static ssize_t write_stream(void *cookie, const char *text, size_t length) {
    ssize_t written = paper_write(cookie, text, length);
    return written < 0 ? 0 : written;
}

static int close_stream(void *cookie) {
    free(cookie);
    return 0;
}

static FILE *open_setting(const struct place *place, const char *mode) {
    if (question_read("sysctl", place->name, -1) < 0) return NULL;
    char *setting = strdup(place->name);
    if (!setting) return NULL;
    cookie_io_functions_t functions = {.write = write_stream, .close = close_stream};
    FILE *stream = fopencookie(setting, mode, functions);
    if (!stream) free(setting);
    return stream;
}

static FILE *open_stream(const struct place *place, const char *mode) {
    bool is_read = mode[0] == 'r' && !strchr(mode, '+');
    if (!is_read && place->kind == PLACE_SETTING) return open_setting(place, mode);
    int fd = open_place(place, (is_read ? O_RDONLY : O_WRONLY) | (strchr(mode, 'e') ? O_CLOEXEC : 0));
    if (fd < 0) return NULL;
    FILE *stream = fdopen(fd, mode);
    if (!stream) original()->close(fd);
    return stream;
}

#define FOPEN(name)                                                                               \
    REPLACES FILE *name(const char *restrict path, const char *restrict mode) {                   \
        struct place place = place_of(path);                                                      \
        return is_ours(&place) ? open_stream(&place, mode) : original()->name(path, mode);        \
    }

FOPEN(fopen)
FOPEN(fopen64)

// ---- Names ----

static char *real_place(const struct place *place, char *resolved) {
    if (place_check(place) < 0) return NULL;
    char *path = resolved ? resolved : malloc(PATH_MAX);
    if (path) place_path(place, path);
    return path;
}

REPLACES char *realpath(const char *restrict path, char *restrict resolved) {
    struct place place = place_of(path);
    return is_ours(&place) ? real_place(&place, resolved) : original()->realpath(path, resolved);
}

REPLACES char *__realpath_chk(const char *path, char *resolved, size_t room) {
    struct place place = place_of(path);
    return is_ours(&place) ? real_place(&place, resolved)
                           : original()->__realpath_chk(path, resolved, room);
}
