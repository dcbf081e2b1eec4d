// Asks the private family for texts and settings, each time on a connection of its own.
#include "originals.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <string.h>

#define FAMILY "IPVSX"
#define READ 1
#define WRITE 2
enum { NAME = 1, PIECE = 2, KEY = 3, VALUE = 4 };

// Larger than any packet of the director.
#define ANSWER_BYTES 65536
// A director that goes away in the middle is followed by another one, which is asked from the start.
#define MOST_TRIALS 3

struct request {
    union {
        struct nlmsghdr header;
        unsigned char bytes[8192];
    };
};

static void begin(struct request *request, uint16_t type, uint8_t command, uint16_t flags) {
    memset(request, 0, sizeof *request);
    request->header.nlmsg_len = NLMSG_HDRLEN + GENL_HDRLEN;
    request->header.nlmsg_type = type;
    request->header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
    request->header.nlmsg_seq = 1;
    struct genlmsghdr *generic = (struct genlmsghdr *)(request->bytes + NLMSG_HDRLEN);
    generic->cmd = command;
    generic->version = 1;
}

// Adds a text with its zero; false when there is no room.
static bool add(struct request *request, uint16_t type, const char *text) {
    size_t size = strlen(text) + 1;
    size_t at = NLMSG_ALIGN(request->header.nlmsg_len);
    if (size > sizeof request->bytes - NLA_HDRLEN - at) return false;
    struct nlattr attribute = {.nla_len = (uint16_t)(NLA_HDRLEN + size), .nla_type = type};
    memcpy(request->bytes + at, &attribute, sizeof attribute);
    memcpy(request->bytes + at + NLA_HDRLEN, text, size);
    request->header.nlmsg_len = (uint32_t)(at + NLA_HDRLEN + size);
    return true;
}

// What an attribute of an answer is given to: its number, its bytes. False ends with errno.
typedef bool (*taker)(uint16_t type, const unsigned char *bytes, size_t length, void *context);

static bool attributes(const unsigned char *bytes, size_t length, taker take, void *context) {
    for (size_t at = 0; length - at >= NLA_HDRLEN;) {
        struct nlattr attribute;
        memcpy(&attribute, bytes + at, sizeof attribute);
        if (attribute.nla_len < NLA_HDRLEN || attribute.nla_len > length - at) break;
        uint16_t type = attribute.nla_type & NLA_TYPE_MASK;
        if (!take(type, bytes + at + NLA_HDRLEN, attribute.nla_len - NLA_HDRLEN, context)) {
            return false;
        }
        at += NLA_ALIGN((size_t)attribute.nla_len);
        if (at > length) break;
    }
    return true;
}

// One message of an answer: 1 when more follow, 0 at the end, -1 and errno when refused.
static int take_message(
    const struct nlmsghdr *header, const unsigned char *body, size_t length, taker take,
    void *context) {
    if (header->nlmsg_type == NLMSG_DONE) return 0;
    if (header->nlmsg_type == NLMSG_ERROR) {
        int32_t code = -EBADMSG;
        if (length >= sizeof code) memcpy(&code, body, sizeof code);
        errno = -code;
        return code ? -1 : 0;
    }
    if (length < GENL_HDRLEN) return 1;
    return attributes(body + GENL_HDRLEN, length - GENL_HDRLEN, take, context) ? 1 : -1;
}

// Sends a request and tells the attributes of its answer. 0, or -1 and errno; ECONNRESET when the
// connection broke before there was any answer.
static int ask(int fd, const struct request *request, taker take, void *context) {
    if (reach_send(fd, request->bytes, request->header.nlmsg_len) < 0) {
        errno = ECONNRESET;
        return -1;
    }
    unsigned char *answer = malloc(ANSWER_BYTES);
    if (!answer) return -1;
    int result = 1;
    bool has_begun = false;
    while (result == 1) {
        int ready = reach_await(fd);
        ssize_t got = ready == 1 ? original()->recv(fd, answer, ANSWER_BYTES, 0) : -1;
        if (got <= 0) {
            errno = ready == 1 && !has_begun ? ECONNRESET : EAGAIN;
            result = -1;
        }
        for (size_t at = 0; result == 1 && at + NLMSG_HDRLEN <= (size_t)got;) {
            struct nlmsghdr header;
            memcpy(&header, answer + at, sizeof header);
            if (header.nlmsg_len < NLMSG_HDRLEN || header.nlmsg_len > (size_t)got - at) break;
            result = take_message(
                &header, answer + at + NLMSG_HDRLEN, header.nlmsg_len - NLMSG_HDRLEN, take, context);
            at += NLMSG_ALIGN((size_t)header.nlmsg_len);
            has_begun = true;
        }
    }
    int error = errno;
    free(answer);
    errno = error;
    return result;
}

static bool take_number(uint16_t type, const unsigned char *bytes, size_t length, void *context) {
    if (type == CTRL_ATTR_FAMILY_ID && length >= sizeof(uint16_t)) {
        memcpy(context, bytes, sizeof(uint16_t));
    }
    return true;
}

// A connection, and the number of the private family on it; -1 and errno.
static int open_family(uint16_t *number) {
    struct request request;
    begin(&request, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0);
    add(&request, CTRL_ATTR_FAMILY_NAME, FAMILY);
    int fd = reach_director();
    if (fd < 0) return -1;
    *number = 0;
    int result = ask(fd, &request, take_number, number);
    if (result == 0 && !*number) {
        errno = EBADMSG;
        result = -1;
    }
    if (result == 0) return fd;
    int error = errno;
    original()->close(fd);
    errno = error;
    return -1;
}

static int once(struct request *request, taker take, void *context) {
    uint16_t number;
    int fd = open_family(&number);
    if (fd < 0) return -1;
    request->header.nlmsg_type = number;
    int result = ask(fd, request, take, context);
    int error = errno;
    original()->close(fd);
    errno = error;
    return result;
}

// One request, to further directors when the first goes away before it answers.
static int converse(struct request *request, taker take, void *context) {
    int result = -1;
    for (int trial = 0; trial < MOST_TRIALS; trial++) {
        result = once(request, take, context);
        if (result == 0 || errno != ECONNRESET) break;
    }
    // A director that is not there is no missing file.
    if (result < 0 && (errno == ECONNRESET || errno == ECONNREFUSED)) errno = EAGAIN;
    return result;
}

static bool take_piece(uint16_t type, const unsigned char *bytes, size_t length, void *context) {
    int output = *(int *)context;
    if (type != PIECE || output < 0) return true;
    while (length) {
        ssize_t written = original()->write(output, bytes, length);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        bytes += written;
        length -= (size_t)written;
    }
    return true;
}

int question_read(const char *name, const char *key, int output) {
    struct request request;
    begin(&request, 0, READ, NLM_F_DUMP);
    if (!add(&request, NAME, name) || (key && !add(&request, KEY, key))) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return converse(&request, take_piece, &output);
}

static bool take_nothing(uint16_t type, const unsigned char *bytes, size_t length, void *context) {
    (void)type, (void)bytes, (void)length, (void)context;
    return true;
}

int question_write(const char *name, const char *key, const char *value) {
    struct request request;
    begin(&request, 0, WRITE, 0);
    if (!add(&request, NAME, name) || !add(&request, KEY, key) || !add(&request, VALUE, value)) {
        errno = EINVAL;
        return -1;
    }
    return converse(&request, take_nothing, NULL);
}
