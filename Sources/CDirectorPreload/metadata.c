// What programs ask about files before they open them.
#include "originals.h"

#include <errno.h>
#include <string.h>

_Static_assert(
    sizeof(struct stat) == sizeof(struct stat64), "both describe files in the same way here");

static bool is_ours(const struct place *place) {
    return place->kind != PLACE_ELSEWHERE && place->kind != PLACE_PARENT;
}

static int describe(const struct place *place, void *status) {
    if (place_check(place) < 0) return -1;
    place_describe(place, status);
    return 0;
}

#define STAT(name, type)                                                                          \
    REPLACES int name(const char *restrict path, struct type *restrict status) {                  \
        struct place place = place_of(path);                                                      \
        return is_ours(&place) ? describe(&place, status) : original()->name(path, status);       \
    }

#define STATAT(name, type)                                                                        \
    REPLACES int name(                                                                            \
        int directory, const char *restrict path, struct type *restrict status, int flags) {      \
        struct place place = place_of(path);                                                      \
        if (is_ours(&place)) return describe(&place, status);                                     \
        return original()->name(directory, path, status, flags);                                  \
    }

STAT(stat, stat)
STAT(lstat, stat)
STAT(stat64, stat64)
STAT(lstat64, stat64)
STATAT(fstatat, stat)
STATAT(fstatat64, stat64)

REPLACES int statx(
    int directory, const char *restrict path, int flags, unsigned mask,
    struct statx *restrict extended) {
    struct place place = place_of(path);
    if (!is_ours(&place)) return original()->statx(directory, path, flags, mask, extended);
    struct stat status;
    if (describe(&place, &status) < 0) return -1;
    struct statx_timestamp now = {
        .tv_sec = status.st_mtim.tv_sec, .tv_nsec = (unsigned)status.st_mtim.tv_nsec};
    *extended = (struct statx){
        .stx_mask = STATX_BASIC_STATS, .stx_mode = (uint16_t)status.st_mode, .stx_nlink = 1,
        .stx_ino = status.st_ino, .stx_blksize = (unsigned)status.st_blksize, .stx_atime = now,
        .stx_mtime = now, .stx_ctime = now};
    return 0;
}

// As the administrator, who alone may ask the director; writing is for settings.
static int check_access(const struct place *place, int mode) {
    if (place_check(place) < 0) return -1;
    bool is_directory = place->kind == PLACE_SETTINGS;
    if ((mode & X_OK && !is_directory) || (mode & W_OK && place->kind != PLACE_SETTING)) {
        errno = EACCES;
        return -1;
    }
    return 0;
}

#define ACCESS(name)                                                                              \
    REPLACES int name(const char *path, int mode) {                                               \
        struct place place = place_of(path);                                                      \
        return is_ours(&place) ? check_access(&place, mode) : original()->name(path, mode);       \
    }

ACCESS(access)
ACCESS(euidaccess)
ACCESS(eaccess)

REPLACES int faccessat(int directory, const char *path, int mode, int flags) {
    struct place place = place_of(path);
    if (is_ours(&place)) return check_access(&place, mode);
    return original()->faccessat(directory, path, mode, flags);
}
