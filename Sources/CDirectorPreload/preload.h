// The preload library: lets programs that speak generic netlink to the kernel's IPVS speak to a director.
//
//     program ── libc name ──► sockets.c, duplicates.c     generic netlink sockets ──► channel.c ─┐
//                              files.c, metadata.c,        /proc/net/ip_vs*,                      │
//                              directories.c               /proc/sys/net/ipv4/vs/* ──► question.c ┤
//                              modules.c                   modprobe ip_vs: refused                │
//                                                                          control socket ◄── reach.c
//
// It does nothing unless DIRECTOR_CONTROL names a control socket. A call that has nothing to do with
// IPVS costs one look into a table or at the first letters of a path.
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

// What the library replaces; everything else in it is hidden.
#define REPLACES __attribute__((visibility("default")))

// ---- reach.c: the way to the director ----

// Whether the process is to use a director at all.
bool reach_is_on(void);
// Where the control socket is.
const char *reach_path(void);
// A connection to the director, blocking and closed on exec; waits for a director that is away. -1 and
// errno when there is none.
int reach_director(void);
// The same without waiting.
int reach_director_now(void);
// Sends one message; waits for room at most as long as patience lasts. -1 and errno otherwise.
ssize_t reach_send(int fd, const void *message, size_t length);
// Waits for something to read: 1, or 0 when patience ends, or -1.
int reach_await(int fd);

// ---- question.c: the private family of the director ----

// Writes the text of a name (and key, or NULL) to a descriptor, -1 for nowhere. 0, or -1 and errno.
int question_read(const char *name, const char *key, int output);
// Gives a key of a name a value. 0, or -1 and errno.
int question_write(const char *name, const char *key, const char *value);

// ---- holdings.c: descriptors that mean something to this library ----

enum holding_kind { HOLDING_CHANNEL, HOLDING_PAPER };

// What stands behind one or more descriptors. The file that they show tells whether they still do: a
// descriptor may be closed in ways that this library does not see, and its number used again.
struct holding {
    enum holding_kind kind;
    int references;
    dev_t device;
    ino_t inode;
};

// The holding behind a descriptor, to be given back; NULL for nearly every descriptor.
struct holding *holding_take(int fd);
void holding_give_back(struct holding *holding);
// Puts a new holding (with one reference, which goes to the descriptor) behind a descriptor.
// False when the descriptor's number is beyond what can be remembered.
bool holding_put(int fd, struct holding *holding);
// Forgets a descriptor that is about to be closed.
void holding_forget(int fd);
// The same for all descriptors of a range.
void holding_forget_range(unsigned first, unsigned last);
// Notes that `copy` now shows what `fd` shows.
void holding_copied(int fd, int copy);
// Lets all descriptors of a holding show another file, and closes `fd`, which showed it.
void holding_move(struct holding *holding, int fd);
// Calls a function for every holding there is.
void holding_each(void (*body)(struct holding *holding));
// Whether there is any holding.
bool holding_any(void);

// ---- channel.c: what looks like a generic netlink socket ----

struct channel;
// The channel behind a descriptor, or NULL; to be given back.
struct channel *channel_take(int fd);
void channel_give_back(struct channel *channel);
// A new netlink socket of this type (with SOCK_CLOEXEC and SOCK_NONBLOCK); -1 and errno.
int channel_open(int type);
int channel_type(const struct channel *channel);
uint32_t channel_port(const struct channel *channel);
void channel_bind(struct channel *channel, uint32_t port);
ssize_t channel_send(
    struct channel *channel, int fd, const struct iovec *parts, size_t count, int flags);
ssize_t channel_receive(struct channel *channel, int fd, struct msghdr *message, int flags);
void channel_free(struct holding *holding);
// In the child of a fork: nobody holds the lock.
void channel_forked(struct holding *holding);

// ---- places.c: paths that the director answers for ----

enum place_kind {
    PLACE_ELSEWHERE,
    PLACE_TEXT,      // a file of /proc/net
    PLACE_SETTING,   // a file of /proc/sys/net/ipv4/vs
    PLACE_SETTINGS,  // that directory
    PLACE_PARENT,    // /proc/sys/net/ipv4, in which it is shown
};

struct place {
    enum place_kind kind;
    // Name of the text or of the setting.
    char name[64];
};

struct place place_of(const char *path);
// Whether the director has it. 0, or -1 and errno.
int place_check(const struct place *place);
// What stat says of it.
void place_describe(const struct place *place, struct stat *status);
// The path without what does not matter in it; `room` holds PATH_MAX bytes.
void place_path(const struct place *place, char *room);

// ---- papers.c: settings that are being written ----

// A descriptor to write a setting to; -1 and errno.
int paper_open(const char *setting, int flags);
// Takes what a program writes: the value counts at once. The count, or -1 and errno.
ssize_t paper_write(const char *setting, const void *text, size_t length);
// The setting behind a descriptor that stands for one, copied; false for other descriptors.
bool paper_setting(int fd, char *setting, size_t room);
// Lets a value count that was written behind the library's back. 0, or -1 and errno.
int paper_finish(struct holding *holding);
void paper_free(struct holding *holding);
// Finds papers that the program was started with.
void paper_inherit(void);
