#include "originals.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <time.h>

#define SETTINGS "/proc/sys/net/ipv4/vs"
#define PARENT "/proc/sys/net/ipv4"

// The texts of a director, by their names in /proc/net.
static const char *const texts[] = {"ip_vs", "ip_vs_conn", "ip_vs_conn_sync", "ip_vs_stats"};

// Takes doubled slashes and steps to the same directory out of an absolute path, and a slash at its
// end. False when it is too long to be one of ours.
static bool simplify(const char *path, char *simple, size_t room) {
    size_t length = 0;
    while (*path) {
        while (*path == '/') path++;
        size_t step = strcspn(path, "/");
        bool is_same = step == 0 || (step == 1 && path[0] == '.');
        if (!is_same) {
            if (length + 1 + step >= room) return false;
            simple[length++] = '/';
            memcpy(simple + length, path, step);
            length += step;
        }
        path += step;
    }
    simple[length] = 0;
    return true;
}

static const char *after(const char *text, const char *beginning) {
    size_t length = strlen(beginning);
    return strncmp(text, beginning, length) == 0 ? text + length : NULL;
}

// The rest of a path below the directory `net` of our own process.
static const char *below_net(const char *path) {
    const char *rest = after(path, "/proc/net/");
    if (!rest) rest = after(path, "/proc/self/net/");
    if (!rest) rest = after(path, "/proc/thread-self/net/");
    if (rest) return rest;
    rest = after(path, "/proc/");
    if (!rest || *rest < '1' || *rest > '9') return NULL;
    char *end;
    return strtol(rest, &end, 10) == getpid() ? after(end, "/net/") : NULL;
}

struct place place_of(const char *path) {
    struct place place = {.kind = PLACE_ELSEWHERE};
    char simple[128];
    if (!path || path[0] != '/' || path[strspn(path, "/.")] != 'p' || !reach_is_on() ||
        !simplify(path, simple, sizeof simple)) {
        return place;
    }
    if (strcmp(simple, SETTINGS) == 0) place.kind = PLACE_SETTINGS;
    if (strcmp(simple, PARENT) == 0) place.kind = PLACE_PARENT;
    const char *name = after(simple, SETTINGS "/");
    if (name && *name && !strchr(name, '/')) {
        place.kind = PLACE_SETTING;
    } else {
        name = below_net(simple);
        for (size_t index = 0; name && index < sizeof texts / sizeof *texts; index++) {
            if (strcmp(name, texts[index]) == 0) place.kind = PLACE_TEXT;
        }
        // A kernel's IPVS shows more; those of ours that are not there are not the kernel's.
        if (name && place.kind != PLACE_TEXT && after(name, "ip_vs")) place.kind = PLACE_TEXT;
    }
    if (place.kind == PLACE_TEXT || place.kind == PLACE_SETTING) {
        if (strlen(name) >= sizeof place.name) place.name[0] = 0;
        else strcpy(place.name, name);
    }
    return place;
}

int place_check(const struct place *place) {
    if (place->kind == PLACE_SETTING) return question_read("sysctl", place->name, -1);
    if (place->kind == PLACE_SETTINGS) return question_read("sysctl", NULL, -1);
    for (size_t index = 0; index < sizeof texts / sizeof *texts; index++) {
        if (strcmp(place->name, texts[index]) != 0) continue;
        int fd = reach_director();
        if (fd < 0) {
            errno = EAGAIN;
            return -1;
        }
        original()->close(fd);
        return 0;
    }
    errno = ENOENT;
    return -1;
}

void place_describe(const struct place *place, struct stat *status) {
    memset(status, 0, sizeof *status);
    status->st_nlink = 1;
    switch (place->kind) {
    case PLACE_SETTING: status->st_mode = S_IFREG | 0644; break;
    case PLACE_SETTINGS: status->st_mode = S_IFDIR | 0555; break;
    default: status->st_mode = S_IFREG | 0444; break;
    }
    status->st_blksize = 1024;
    // A number of its own for every place, as programs tell files apart by it.
    status->st_ino = 5381 + place->kind;
    for (const char *letter = place->name; *letter; letter++) {
        status->st_ino = status->st_ino * 33 + (unsigned char)*letter;
    }
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    status->st_atim = status->st_mtim = status->st_ctim = now;
}

void place_path(const struct place *place, char *room) {
    switch (place->kind) {
    case PLACE_SETTINGS: strcpy(room, SETTINGS); break;
    case PLACE_SETTING: snprintf(room, PATH_MAX, "%s/%s", SETTINGS, place->name); break;
    default: snprintf(room, PATH_MAX, "/proc/%ld/net/%s", (long)getpid(), place->name); break;
    }
}
