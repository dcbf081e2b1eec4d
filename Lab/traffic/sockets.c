// Commands on the kernel's own sockets: ping and reflect, dial and accept, hold.
#define _GNU_SOURCE
#include "traffic.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 256, MOST_SOCKETS = 1 << 20 };

static struct sockaddr_in place(uint32_t address, uint16_t port) {
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(address), .sin_port = htons(port)};
}

static int new_socket(int type) {
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    if (fd < 0) fail("socket");
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    return fd;
}

static void listen_to(int fd, const struct settings *s) {
    struct sockaddr_in here = place(s->from, s->port);
    if (bind(fd, (struct sockaddr *)&here, sizeof here) != 0) fail("bind to port %d", s->port);
    fprintf(stderr, "listening\n");
}

static void allow_many_sockets(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max < MOST_SOCKETS ? limit.rlim_max : MOST_SOCKETS;
    setrlimit(RLIMIT_NOFILE, &limit);
}

void run_reflect(const struct settings *s) {
    int fd = new_socket(SOCK_DGRAM);
    listen_to(fd, s);
    uint8_t data[2048];
    struct sockaddr_in peer;
    while (!stopped) {
        socklen_t bytes = sizeof peer;
        ssize_t got = recvfrom(fd, data, sizeof data, 0, (struct sockaddr *)&peer, &bytes);
        if (got >= 0) (void)!sendto(fd, data, (size_t)got, 0, (struct sockaddr *)&peer, bytes);
    }
}

void run_ping(const struct settings *s) {
    int fd = new_socket(SOCK_DGRAM);
    struct sockaddr_in far = place(s->to, s->port);
    struct timeval patience = {.tv_usec = 200000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&far, sizeof far) != 0) fail("connect");
    struct histogram *times = reserve(sizeof *times);
    uint64_t lost = 0, end = now() + (uint64_t)(s->seconds * 1e9);
    for (uint32_t number = 0; number < s->count && !stopped && now() < end; number++) {
        uint32_t data[5] = {number}, answer[5] = {0};
        uint64_t began = now();
        if (send(fd, data, sizeof data, 0) < 0 && errno != ECONNREFUSED) fail("send");
        ssize_t got;
        do got = recv(fd, answer, sizeof answer, 0);
        while (got > 0 && answer[0] != number);
        // The first ones pay for neighbours and new flows.
        if (got < 0) lost++;
        else if (number >= 20 || s->count <= 20) note(times, now() - began);
        if (s->gap) usleep(s->gap);
    }
    printf("{\"lost\": %lu, \"count\": %lu, ", lost, times->total);
    print_percentiles(times);
    printf("}\n");
}

// Ends without waiting in TIME_WAIT, so that a port can be used again at once.
static void drop_connection(int fd) {
    struct linger at_once = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
}

static int begin(const struct settings *s, int queue) {
    struct sockaddr_in far = place(s->to, s->port);
    int fd = new_socket(SOCK_STREAM | SOCK_NONBLOCK);
    if (connect(fd, (struct sockaddr *)&far, sizeof far) != 0 && errno != EINPROGRESS) {
        close(fd);
        return -1;
    }
    struct epoll_event wanted = {.events = EPOLLOUT, .data.fd = fd};
    if (epoll_ctl(queue, EPOLL_CTL_ADD, fd, &wanted) != 0) fail("epoll_ctl");
    return fd;
}

// Takes a connection that was begun one step on: 0 while it waits, 1 when it was answered, -1 when it failed.
static int go_on(int queue, const struct epoll_event *event) {
    int fd = event->data.fd;
    char byte = 'x';
    if (!(event->events & (EPOLLERR | EPOLLHUP | EPOLLIN))) {
        struct epoll_event wanted = {.events = EPOLLIN, .data.fd = fd};
        if (send(fd, &byte, 1, 0) == 1 && epoll_ctl(queue, EPOLL_CTL_MOD, fd, &wanted) == 0) return 0;
    }
    return recv(fd, &byte, 1, 0) == 1 ? 1 : -1;
}

void run_dial(const struct settings *s) {
    allow_many_sockets();
    int queue = epoll_create1(EPOLL_CLOEXEC);
    uint64_t *starts = reserve(MOST_SOCKETS * sizeof *starts);
    struct histogram *times = reserve(sizeof *times);
    uint64_t good = 0, bad = 0, began = now(), end = began + (uint64_t)(s->seconds * 1e9);
    unsigned open = 0;
    while (!stopped && now() < end) {
        while (open < s->window) {
            uint64_t start = now();
            int fd = begin(s, queue);
            if (fd < 0) {
                bad++;
                break;
            }
            starts[fd] = start;
            open++;
        }
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(queue, events, EVENTS, 100);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            int answer = go_on(queue, &events[i]);
            if (answer == 0) continue;
            if (answer > 0) {
                good++;
                note(times, now() - starts[fd]);
            } else {
                bad++;
            }
            drop_connection(fd);
            open--;
        }
    }
    double seconds = (double)(now() - began) / 1e9;
    printf("{\"connections\": %lu, \"failed\": %lu, \"seconds\": %.3f, \"rate\": %.0f, ", good, bad, seconds,
        (double)good / seconds);
    print_percentiles(times);
    printf("}\n");
}

void run_hold(const struct settings *s) {
    allow_many_sockets();
    int queue = epoll_create1(EPOLL_CLOEXEC);
    unsigned begun = 0, held = 0, failed = 0;
    uint64_t end = now() + (uint64_t)(s->seconds * 1e9);
    while (!stopped && held + failed < s->count && now() < end) {
        while (begun < s->count && begun - held - failed < s->window) {
            if (begin(s, queue) < 0) failed++;
            begun++;
        }
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(queue, events, EVENTS, 100);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            int answer = go_on(queue, &events[i]);
            if (answer == 0) continue;
            if (answer > 0) {
                held++;
                epoll_ctl(queue, EPOLL_CTL_DEL, fd, NULL);
            } else {
                failed++;
                close(fd);
            }
        }
    }
    printf("{\"held\": %u, \"failed\": %u}\n", held, s->count - held);
    fflush(stdout);
    char byte;
    while (!stopped && read(0, &byte, 1) > 0) {}
}

// Answers the first byte of each connection with one of its own, and keeps it until the other end goes.
void run_accept(const struct settings *s) {
    allow_many_sockets();
    int door = new_socket(SOCK_STREAM | SOCK_NONBLOCK), queue = epoll_create1(EPOLL_CLOEXEC);
    struct sockaddr_in here = place(s->from, s->port);
    if (bind(door, (struct sockaddr *)&here, sizeof here) != 0 || listen(door, 65535) != 0)
        fail("listen on port %d", s->port);
    fprintf(stderr, "listening\n");
    struct epoll_event wanted = {.events = EPOLLIN, .data.fd = door};
    epoll_ctl(queue, EPOLL_CTL_ADD, door, &wanted);
    while (!stopped) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(queue, events, EVENTS, 100);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd == door) {
                for (int one; (one = accept4(door, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
                    wanted = (struct epoll_event){.events = EPOLLIN, .data.fd = one};
                    epoll_ctl(queue, EPOLL_CTL_ADD, one, &wanted);
                }
                continue;
            }
            char byte;
            if (recv(fd, &byte, 1, 0) != 1 || send(fd, &byte, 1, 0) != 1) close(fd);
        }
    }
}
