#include "originals.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>

#define DEFAULT_PATIENCE 5000
#define RETRY 20
// A director that is there gets this long for an answer, even when nobody waits for an absent one.
#define LEAST_FOR_ANSWERS 1000

static struct sockaddr_un address = {.sun_family = AF_UNIX};
static int patience = DEFAULT_PATIENCE;
static pthread_once_t once = PTHREAD_ONCE_INIT;
// Set when waiting was in vain, until a director answers: the next requests do not wait again.
static atomic_bool is_given_up;

// The environment counts as it was at the start; programs may clean theirs.
static void configure(void) {
    const char *path = getenv("DIRECTOR_CONTROL");
    if (path && strlen(path) < sizeof address.sun_path) strcpy(address.sun_path, path);
    const char *seconds = getenv("DIRECTOR_WAIT");
    char *end;
    double value = seconds ? strtod(seconds, &end) : 0;
    if (seconds && *seconds && !*end && value >= 0 && value <= 3600) patience = (int)(value * 1000);
}

bool reach_is_on(void) {
    pthread_once(&once, configure);
    return address.sun_path[0] != 0;
}

const char *reach_path(void) { return address.sun_path; }

static int64_t now_milliseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

int reach_director_now(void) {
    if (!reach_is_on()) {
        errno = ENOENT;
        return -1;
    }
    // Non-blocking, since connecting waits where a listener has no room for another caller.
    int fd = original()->socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    if (original()->connect(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        original()->fcntl(fd, F_SETFL, 0) < 0) {
        int error = errno;
        original()->close(fd);
        errno = error;
        return -1;
    }
    atomic_store(&is_given_up, false);
    return fd;
}

// What waiting does not mend.
static bool is_final(int error) {
    return error == EACCES || error == EPERM || error == EPROTOTYPE || error == EMFILE ||
           error == ENFILE || error == ENOTDIR || error == ELOOP;
}

int reach_director(void) {
    int64_t deadline = now_milliseconds() + (atomic_load(&is_given_up) ? 0 : patience);
    for (;;) {
        int fd = reach_director_now();
        if (fd >= 0 || is_final(errno)) return fd;
        int error = errno;
        if (now_milliseconds() >= deadline) {
            atomic_store(&is_given_up, true);
            errno = error;
            return -1;
        }
        struct timespec pause = {.tv_nsec = RETRY * 1000000L};
        nanosleep(&pause, NULL);
    }
}

static int await(int fd, short events) {
    int64_t deadline =
        now_milliseconds() + (patience > LEAST_FOR_ANSWERS ? patience : LEAST_FOR_ANSWERS);
    for (;;) {
        int64_t left = deadline - now_milliseconds();
        struct pollfd wait = {.fd = fd, .events = events};
        int ready = poll(&wait, 1, left > 0 ? (int)left : 0);
        if (ready < 0 && errno == EINTR) continue;
        return ready;
    }
}

int reach_await(int fd) { return await(fd, POLLIN); }

ssize_t reach_send(int fd, const void *message, size_t length) {
    for (;;) {
        ssize_t sent = original()->send(fd, message, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0) return sent;
        if (errno == EINTR) continue;
        if (errno != EAGAIN) return -1;
        int ready = await(fd, POLLOUT);
        if (ready < 0) return -1;
        if (ready == 0) {
            errno = ETIMEDOUT;
            return -1;
        }
    }
}
