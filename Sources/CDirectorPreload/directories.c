// Listings: /proc/sys/net/ipv4/vs, made of the director's settings, and /proc/sys/net/ipv4, in which
// it is shown. Both are carried by a stream of the latter, which is there on every kernel.
#include "originals.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#define CARRIER "/proc/sys/net/ipv4"
#define SHOWN "vs"

struct listing {
    DIR *stream;
    enum place_kind kind;
    // The director's settings, "name = value" a line; NULL in the parent.
    char *names;
    char *position;
    // How many of "." and ".." were told; programs skip the first two entries unseen.
    int dots;
    bool is_shown;
    // What readdir returns; structures of both kinds are the same.
    struct dirent entry;
    struct listing *next;
};

static struct listing *listings;
static atomic_int count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct listing *listing_of(DIR *stream) {
    if (atomic_load_explicit(&count, memory_order_relaxed) == 0) return NULL;
    pthread_mutex_lock(&lock);
    struct listing *listing = listings;
    while (listing && listing->stream != stream) listing = listing->next;
    pthread_mutex_unlock(&lock);
    return listing;
}

// The director's settings as a text; NULL and errno.
static char *read_names(void) {
    int fd = memfd_create("director-settings", MFD_CLOEXEC);
    if (fd < 0) return NULL;
    char *text = NULL;
    struct stat status;
    if (question_read("sysctl", NULL, fd) == 0 && fstat(fd, &status) == 0) {
        text = calloc(1, (size_t)status.st_size + 1);
        if (text && pread(fd, text, (size_t)status.st_size, 0) != status.st_size) {
            free(text);
            text = NULL;
        }
    }
    int error = errno;
    original()->close(fd);
    errno = error;
    return text;
}

REPLACES DIR *opendir(const char *path) {
    struct place place = place_of(path);
    if (place.kind == PLACE_TEXT || place.kind == PLACE_SETTING) {
        if (place_check(&place) == 0) errno = ENOTDIR;
        return NULL;
    }
    if (place.kind == PLACE_ELSEWHERE) return original()->opendir(path);
    char *names = place.kind == PLACE_SETTINGS ? read_names() : NULL;
    if (place.kind == PLACE_SETTINGS && !names) return NULL;
    DIR *stream = original()->opendir(CARRIER);
    struct listing *listing = stream ? calloc(1, sizeof *listing) : NULL;
    if (!listing) {
        free(names);
        return stream;
    }
    listing->stream = stream;
    listing->kind = place.kind;
    listing->names = listing->position = names;
    pthread_mutex_lock(&lock);
    listing->next = listings;
    listings = listing;
    atomic_fetch_add(&count, 1);
    pthread_mutex_unlock(&lock);
    return stream;
}

static struct dirent *entry(struct listing *listing, const char *name, size_t length, int type) {
    struct dirent *entry = &listing->entry;
    if (length >= sizeof entry->d_name) length = sizeof entry->d_name - 1;
    memset(entry, 0, sizeof *entry);
    entry->d_ino = 1;
    entry->d_reclen = sizeof *entry;
    entry->d_type = (unsigned char)type;
    memcpy(entry->d_name, name, length);
    return entry;
}

static struct dirent *next_entry(struct listing *listing) {
    if (listing->kind == PLACE_PARENT) {
        struct dirent *found = original()->readdir(listing->stream);
        if (found) {
            if (strcmp(found->d_name, SHOWN) == 0) listing->is_shown = true;
            return found;
        }
        if (listing->is_shown || errno) return NULL;
        listing->is_shown = true;
        return entry(listing, SHOWN, strlen(SHOWN), DT_DIR);
    }
    if (listing->dots < 2) {
        listing->dots++;
        return entry(listing, "..", (size_t)listing->dots, DT_DIR);
    }
    char *name = listing->position;
    if (!*name) return NULL;
    size_t line = strcspn(name, "\n");
    listing->position += line + (name[line] == '\n');
    size_t length = strcspn(name, " \n");
    return length ? entry(listing, name, length, DT_REG) : next_entry(listing);
}

REPLACES struct dirent *readdir(DIR *stream) {
    struct listing *listing = listing_of(stream);
    if (!listing) return original()->readdir(stream);
    int error = errno;
    errno = 0;
    struct dirent *found = next_entry(listing);
    if (!errno) errno = error;
    return found;
}

REPLACES struct dirent64 *readdir64(DIR *stream) {
    _Static_assert(sizeof(struct dirent) == sizeof(struct dirent64), "both entries are the same");
    if (!listing_of(stream)) return original()->readdir64(stream);
    return (struct dirent64 *)readdir(stream);
}

REPLACES void rewinddir(DIR *stream) {
    struct listing *listing = listing_of(stream);
    original()->rewinddir(stream);
    if (!listing) return;
    listing->position = listing->names;
    listing->dots = 0;
    listing->is_shown = false;
}

REPLACES int closedir(DIR *stream) {
    if (listing_of(stream)) {
        pthread_mutex_lock(&lock);
        struct listing **link = &listings;
        while (*link && (*link)->stream != stream) link = &(*link)->next;
        struct listing *listing = *link;
        if (listing) *link = listing->next;
        atomic_fetch_sub(&count, 1);
        pthread_mutex_unlock(&lock);
        if (listing) free(listing->names);
        free(listing);
    }
    return original()->closedir(stream);
}
