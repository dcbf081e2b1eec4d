#include "originals.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

// Descriptors beyond cannot be remembered; opening one is EMFILE. Pages of the table that are never
// looked at cost nothing.
#define MOST 65536

static _Atomic(struct holding *) table[MOST];
static atomic_int highest = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
// The child of a vfork shares our memory and not our descriptors: what it closes is not closed here.
static pid_t owner;

static bool is_ours(void) { return getpid() == owner; }

static struct holding *peek(int fd) {
    if ((unsigned)fd >= MOST) return NULL;
    return atomic_load_explicit(&table[fd], memory_order_acquire);
}

static void drop(struct holding *holding) {
    pthread_mutex_lock(&lock);
    bool is_last = --holding->references == 0;
    pthread_mutex_unlock(&lock);
    if (!is_last) return;
    if (holding->kind == HOLDING_CHANNEL) channel_free(holding);
    else paper_free(holding);
}

static bool shows(int fd, const struct holding *holding) {
    struct stat status;
    return fstat(fd, &status) == 0 && status.st_dev == holding->device &&
           status.st_ino == holding->inode;
}

// Takes a descriptor out of the table; what was behind it.
static struct holding *clear(int fd) {
    struct holding *holding = peek(fd);
    if (!holding || !is_ours()) return NULL;
    pthread_mutex_lock(&lock);
    holding = atomic_exchange(&table[fd], NULL);
    pthread_mutex_unlock(&lock);
    return holding;
}

struct holding *holding_take(int fd) {
    if (!peek(fd)) return NULL;
    pthread_mutex_lock(&lock);
    struct holding *holding = atomic_load(&table[fd]);
    bool is_stale = holding && !shows(fd, holding);
    if (holding && !is_stale) holding->references++;
    pthread_mutex_unlock(&lock);
    if (is_stale) {
        struct holding *old = clear(fd);
        if (old) drop(old);
        return NULL;
    }
    return holding;
}

void holding_give_back(struct holding *holding) {
    if (holding) drop(holding);
}

static void put(int fd, struct holding *holding) {
    atomic_store(&table[fd], holding);
    if (fd > atomic_load(&highest)) atomic_store(&highest, fd);
}

bool holding_put(int fd, struct holding *holding) {
    struct stat status;
    if (fd >= MOST || fstat(fd, &status) < 0) return false;
    holding_forget(fd);
    holding->device = status.st_dev;
    holding->inode = status.st_ino;
    pthread_mutex_lock(&lock);
    put(fd, holding);
    pthread_mutex_unlock(&lock);
    return true;
}

void holding_forget(int fd) {
    struct holding *holding = clear(fd);
    if (holding) drop(holding);
}

void holding_forget_range(unsigned first, unsigned last) {
    int end = atomic_load(&highest);
    for (unsigned fd = first; fd <= last && (int)fd <= end; fd++) holding_forget((int)fd);
}

void holding_copied(int fd, int copy) {
    struct holding *holding = holding_take(fd);
    if (copy != fd) holding_forget(copy);
    if (!holding) return;
    // The reference taken above goes to the copy.
    if (copy == fd || copy >= MOST || !is_ours()) {
        drop(holding);
        return;
    }
    pthread_mutex_lock(&lock);
    put(copy, holding);
    pthread_mutex_unlock(&lock);
}

void holding_move(struct holding *holding, int fd) {
    struct stat status;
    pthread_mutex_lock(&lock);
    bool is_known = fstat(fd, &status) == 0;
    for (int other = 0; is_known && other <= atomic_load(&highest); other++) {
        // Of a number that was closed unseen something else may have been made.
        if (atomic_load(&table[other]) != holding || !shows(other, holding)) continue;
        int flags = original()->fcntl(other, F_GETFD);
        int status_flags = original()->fcntl(other, F_GETFL);
        if (flags < 0 || status_flags < 0) continue;
        original()->fcntl(fd, F_SETFL, status_flags & O_NONBLOCK);
        original()->dup3(fd, other, flags & FD_CLOEXEC ? O_CLOEXEC : 0);
    }
    if (is_known) {
        holding->device = status.st_dev;
        holding->inode = status.st_ino;
    }
    pthread_mutex_unlock(&lock);
    original()->close(fd);
}

void holding_each(void (*body)(struct holding *holding)) {
    for (int fd = 0; fd <= atomic_load(&highest); fd++) {
        struct holding *holding = holding_take(fd);
        if (!holding) continue;
        body(holding);
        drop(holding);
    }
}

bool holding_any(void) { return atomic_load(&highest) >= 0; }

static void before_fork(void) { pthread_mutex_lock(&lock); }

static void in_parent(void) { pthread_mutex_unlock(&lock); }

static void in_child(void) {
    pthread_mutex_init(&lock, NULL);
    owner = getpid();
    for (int fd = 0; fd <= atomic_load(&highest); fd++) {
        struct holding *holding = atomic_load(&table[fd]);
        if (holding && holding->kind == HOLDING_CHANNEL) channel_forked(holding);
    }
}

__attribute__((constructor)) static void begin(void) {
    owner = getpid();
    pthread_atfork(before_fork, in_parent, in_child);
}
