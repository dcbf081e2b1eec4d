// A connection to the director that passes for a generic netlink socket: one connection is one socket,
// one packet one datagram.
//
// Clients in the way of libnl hang for good after a send that failed, and take the end of a connection
// for an empty answer. So neither reaches them: a director that went away is waited for and asked
// again, and when it stays away, the client reads that its last request was refused with EAGAIN. That
// refusal lies in a socket of its own, put in the place of the dead one, so that peeking, polling,
// non-blocking reads and copies of the descriptor need no care.
#include "originals.h"

#include <errno.h>
#include <linux/netlink.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

// Longest packet that the director takes.
#define LONGEST (256 * 1024)
// A request that is not answered by so many directors in a row is not given to another one.
#define MOST_TRIALS 3

enum progress { IDLE, ASKED, ANSWERING };

struct channel {
    struct holding holding;
    int type;
    _Atomic uint32_t port;
    // Guards what follows; held while a director is waited for.
    pthread_mutex_t lock;
    // Counts the connections this channel had.
    unsigned generation;
    // The last request, and how far its answer has come.
    unsigned char *request;
    size_t length;
    uint32_t sequence;
    bool is_acknowledged;
    enum progress progress;
    int trials;
};

struct channel *channel_take(int fd) {
    struct holding *holding = holding_take(fd);
    if (holding && holding->kind == HOLDING_CHANNEL) return (struct channel *)holding;
    holding_give_back(holding);
    return NULL;
}

void channel_give_back(struct channel *channel) { holding_give_back(&channel->holding); }

int channel_type(const struct channel *channel) { return channel->type; }

uint32_t channel_port(const struct channel *channel) { return atomic_load(&channel->port); }

void channel_bind(struct channel *channel, uint32_t port) {
    atomic_store(&channel->port, port ? port : (uint32_t)getpid());
}

void channel_free(struct holding *holding) {
    struct channel *channel = (struct channel *)holding;
    pthread_mutex_destroy(&channel->lock);
    free(channel->request);
    free(channel);
}

void channel_forked(struct holding *holding) {
    pthread_mutex_init(&((struct channel *)holding)->lock, NULL);
}

// Says on standard error, once, why a tool is about to complain about its kernel.
static void complain(const char *reason) {
    static atomic_bool is_said;
    if (atomic_exchange(&is_said, true)) return;
    dprintf(STDERR_FILENO, "director-preload: no director answers at %s: %s\n", reach_path(), reason);
}

int channel_open(int type) {
    int kind = type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (kind != SOCK_RAW && kind != SOCK_DGRAM) {
        errno = ESOCKTNOSUPPORT;
        return -1;
    }
    int fd = reach_director();
    if (fd < 0) {
        int error = errno;
        complain(strerror(error));
        errno = error;
        return -1;
    }
    if (!(type & SOCK_CLOEXEC)) original()->fcntl(fd, F_SETFD, 0);
    if (type & SOCK_NONBLOCK) original()->fcntl(fd, F_SETFL, O_NONBLOCK);
    struct channel *channel = calloc(1, sizeof *channel);
    if (channel) {
        channel->holding.kind = HOLDING_CHANNEL;
        channel->holding.references = 1;
        channel->type = kind;
        pthread_mutex_init(&channel->lock, NULL);
    }
    if (!channel || !holding_put(fd, &channel->holding)) {
        if (channel) channel_free(&channel->holding);
        original()->close(fd);
        errno = channel ? EMFILE : ENOMEM;
        return -1;
    }
    return fd;
}

// The next whole message header in a packet, NULL at its end. Messages are aligned in buffers that
// clients chose, so a header is copied out.
static bool header_at(
    const unsigned char *packet, size_t length, size_t position, struct nlmsghdr *header) {
    if (position > length || length - position < sizeof *header) return false;
    memcpy(header, packet + position, sizeof *header);
    return header->nlmsg_len >= sizeof *header;
}

// Makes a packet the channel's last request; the port number of the socket goes into its messages.
static void adopt(struct channel *channel, unsigned char *packet, size_t length) {
    uint32_t port = channel_port(channel);
    struct nlmsghdr header;
    free(channel->request);
    channel->request = packet;
    channel->length = length;
    channel->progress = IDLE;
    channel->trials = 0;
    for (size_t at = 0; header_at(packet, length, at, &header);
         at += NLMSG_ALIGN((size_t)header.nlmsg_len)) {
        header.nlmsg_pid = port;
        memcpy(packet + at, &header, sizeof header);
        channel->sequence = header.nlmsg_seq;
        channel->is_acknowledged =
            header.nlmsg_flags & NLM_F_ACK || (header.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
        channel->progress = ASKED;
    }
}

// Notes how far the answer has come with what the client has just read.
static void note(struct channel *channel, const unsigned char *packet, size_t length) {
    struct nlmsghdr header;
    for (size_t at = 0; header_at(packet, length, at, &header);
         at += NLMSG_ALIGN((size_t)header.nlmsg_len)) {
        if (header.nlmsg_seq != channel->sequence || channel->progress == IDLE) continue;
        bool is_last = header.nlmsg_type == NLMSG_ERROR || header.nlmsg_type == NLMSG_DONE ||
                       (!channel->is_acknowledged && !(header.nlmsg_flags & NLM_F_MULTI));
        channel->progress = is_last ? IDLE : ANSWERING;
    }
}

static void move(struct channel *channel, int fd) {
    holding_move(&channel->holding, fd);
    channel->generation++;
}

// Lets the client read that its last request was refused with EAGAIN, and then the end.
static void refuse(struct channel *channel) {
    struct {
        struct nlmsghdr header;
        struct nlmsgerr error;
    } answer = {
        .header = {
            .nlmsg_len = sizeof answer,
            .nlmsg_type = NLMSG_ERROR,
            .nlmsg_flags = NLM_F_CAPPED,
            .nlmsg_seq = channel->sequence,
            .nlmsg_pid = channel_port(channel),
        },
        .error.error = -EAGAIN,
    };
    struct nlmsghdr request;
    if (channel->request && header_at(channel->request, channel->length, 0, &request)) {
        answer.error.msg = request;
    }
    complain("a request was given up");
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return;
    reach_send(ends[1], &answer, sizeof answer);
    original()->close(ends[1]);
    move(channel, ends[0]);
}

// After the connection broke, or its director fell silent: another connection, on which an unanswered
// request is repeated, or the refusal. Half an answer cannot be continued by another director.
static void revive(struct channel *channel) {
    if (channel->progress == IDLE) {
        int fd = reach_director_now();
        if (fd >= 0) move(channel, fd);
        return;
    }
    while (channel->progress == ASKED && channel->trials++ < MOST_TRIALS) {
        int fd = reach_director();
        if (fd < 0) break;
        if (reach_send(fd, channel->request, channel->length) >= 0) {
            move(channel, fd);
            return;
        }
        original()->close(fd);
    }
    channel->progress = ASKED;
    refuse(channel);
}

ssize_t channel_send(
    struct channel *channel, int fd, const struct iovec *parts, size_t count, int flags) {
    size_t length = 0;
    for (size_t index = 0; index < count; index++) {
        if (parts[index].iov_len > LONGEST - length) {
            errno = EMSGSIZE;
            return -1;
        }
        length += parts[index].iov_len;
    }
    // To the director an empty packet would be the end.
    if (length == 0) return 0;
    unsigned char *packet = malloc(length);
    if (!packet) return -1;
    size_t filled = 0;
    for (size_t index = 0; index < count; index++) {
        if (parts[index].iov_len) memcpy(packet + filled, parts[index].iov_base, parts[index].iov_len);
        filled += parts[index].iov_len;
    }
    if (!channel_port(channel)) channel_bind(channel, 0);
    pthread_mutex_lock(&channel->lock);
    adopt(channel, packet, length);
    bool is_impatient = flags & MSG_DONTWAIT || original()->fcntl(fd, F_GETFL) & O_NONBLOCK;
    ssize_t sent = is_impatient
        ? original()->send(fd, packet, length, MSG_NOSIGNAL | MSG_DONTWAIT)
        : reach_send(fd, packet, length);
    if (sent < 0 && (errno == EAGAIN || errno == EMSGSIZE)) {
        channel->progress = IDLE;
    } else if (sent < 0) {
        revive(channel);
        sent = (ssize_t)length;
    }
    int error = errno;
    pthread_mutex_unlock(&channel->lock);
    errno = error;
    return sent;
}

// Whether a read that gives nothing means the end: reading into no room gives nothing too.
static bool has_room(const struct msghdr *message, int flags) {
    size_t room = 0;
    for (size_t index = 0; index < message->msg_iovlen; index++) {
        room += message->msg_iov[index].iov_len;
    }
    return room > 0 || flags & MSG_TRUNC;
}

// Whether the client has set a time limit of its own.
static bool has_limit(int fd) {
    struct timeval limit = {0};
    socklen_t size = sizeof limit;
    original()->getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, &size);
    return limit.tv_sec || limit.tv_usec;
}

ssize_t channel_receive(struct channel *channel, int fd, struct msghdr *message, int flags) {
    bool is_impatient = flags & MSG_DONTWAIT || original()->fcntl(fd, F_GETFL) & O_NONBLOCK;
    socklen_t name_room = message->msg_namelen;
    size_t control_room = message->msg_controllen;
    for (;;) {
        pthread_mutex_lock(&channel->lock);
        unsigned generation = channel->generation;
        bool is_waiting = channel->progress != IDLE;
        pthread_mutex_unlock(&channel->lock);

        if (is_waiting && !is_impatient && !has_limit(fd) && reach_await(fd) == 0) {
            // A director that does not answer: drop it, so that its late answer disturbs nobody.
            pthread_mutex_lock(&channel->lock);
            if (channel->generation == generation) refuse(channel);
            pthread_mutex_unlock(&channel->lock);
            continue;
        }
        message->msg_namelen = name_room;
        message->msg_controllen = control_room;
        ssize_t got = original()->recvmsg(fd, message, flags);
        bool is_end = (got == 0 && has_room(message, flags)) ||
                      (got < 0 && (errno == ECONNRESET || errno == ENOTCONN || errno == EPIPE));
        pthread_mutex_lock(&channel->lock);
        if (is_end && channel->generation == generation) revive(channel);
        bool is_dead = is_end && channel->generation == generation;
        if (got > 0 && !(flags & MSG_PEEK) && message->msg_iovlen) {
            const struct iovec *first = &message->msg_iov[0];
            size_t seen = (size_t)got < first->iov_len ? (size_t)got : first->iov_len;
            note(channel, first->iov_base, seen);
        }
        pthread_mutex_unlock(&channel->lock);
        if (is_dead) {
            // Nothing was asked and nobody is there.
            errno = is_impatient ? EAGAIN : ECONNRESET;
            return -1;
        }
        if (is_end) continue;
        if (got >= 0 && message->msg_name) {
            struct sockaddr_nl sender = {.nl_family = AF_NETLINK};
            memcpy(
                message->msg_name, &sender, name_room < sizeof sender ? name_room : sizeof sender);
            message->msg_namelen = sizeof sender;
        }
        return got;
    }
}
