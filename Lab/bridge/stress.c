// Eight threads that use generic netlink sockets, the files of /proc and forks all at once; to be run behind the
// bridge while directors come and go. Each request must be answered once, by its own number: carried out, or refused
// with EAGAIN when no director came back in time. Prints the counts; status 1 when anything else was seen.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 8

static atomic_long answered, refused, strange, read_files, unread_files;
static int rounds;

struct request {
    struct nlmsghdr header;
    struct genlmsghdr generic;
    struct nlattr attribute;
    char name[8];
};

static void tell(const char *what, long number) {
    strange++;
    fprintf(stderr, "strange: %s (%ld)\n", what, number);
}

static void ask(int fd, unsigned sequence) {
    struct request request = {
        .header = {
            .nlmsg_len = sizeof request - 3, .nlmsg_type = GENL_ID_CTRL,
            .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK, .nlmsg_seq = sequence},
        .generic = {.cmd = CTRL_CMD_GETFAMILY, .version = 1},
        .attribute = {.nla_len = NLA_HDRLEN + 5, .nla_type = CTRL_ATTR_FAMILY_NAME},
        .name = "IPVS",
    };
    if (send(fd, &request, sizeof request, 0) != sizeof request) {
        tell("send", errno);
        return;
    }
    for (;;) {
        char answer[4096];
        ssize_t got = recv(fd, answer, sizeof answer, 0);
        struct nlmsghdr header;
        int code;
        if (got < (ssize_t)(sizeof header + sizeof code)) {
            tell("recv", got < 0 ? -errno : got);
            return;
        }
        memcpy(&header, answer, sizeof header);
        memcpy(&code, answer + sizeof header, sizeof code);
        if (header.nlmsg_seq != sequence) tell("an answer to another request", header.nlmsg_seq);
        if (header.nlmsg_type != NLMSG_ERROR) continue;
        if (code == 0) answered++;
        else if (code == -EAGAIN) refused++;
        else tell("error", code);
        return;
    }
}

static void child(int fd) {
    pid_t process = fork();
    if (process == 0) {
        close(fd);
        int own = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
        close(own);
        _exit(0);
    }
    int status = -1;
    if (process > 0 && (waitpid(process, &status, 0) != process || status)) tell("child", status);
}

static void count(int is_good) { (*(is_good ? &read_files : &unread_files))++; }

static void files(void) {
    FILE *stream = fopen("/proc/net/ip_vs", "r");
    char line[256];
    while (stream && fgets(line, sizeof line, stream)) {}
    count(stream && fclose(stream) == 0);
    int fd = open("/proc/sys/net/ipv4/vs/am_droprate", O_WRONLY);
    count(fd >= 0 && write(fd, "5\n", 2) == 2);
    if (fd >= 0) close(fd);
    DIR *directory = opendir("/proc/sys/net/ipv4/vs");
    int entries = 0;
    while (directory && readdir(directory)) entries++;
    if (directory && entries < 10) tell("entries", entries);
    count(directory && closedir(directory) == 0);
}

static void *work(void *context) {
    unsigned seed = (unsigned)(size_t)context;
    for (int round = 0; round < rounds; round++) {
        int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
        if (fd < 0) {
            tell("socket", errno);
            continue;
        }
        int copy = rand_r(&seed) % 3 == 0 ? dup(fd) : -1;
        for (int number = 0; number < 3; number++) {
            ask(copy >= 0 && number % 2 ? copy : fd, (unsigned)(round * 3 + number));
        }
        if (rand_r(&seed) % 20 == 0) child(fd);
        if (rand_r(&seed) % 10 == 0) files();
        if (copy >= 0) close(copy);
        close(fd);
    }
    return NULL;
}

static int descriptors(void) {
    int found = 0;
    for (int fd = 0; fd < 1024; fd++) found += fcntl(fd, F_GETFD) >= 0;
    return found;
}

int main(int argc, char **argv) {
    rounds = argc > 1 ? atoi(argv[1]) : 100;
    int before = descriptors();
    pthread_t threads[THREADS];
    for (size_t number = 0; number < THREADS; number++) {
        pthread_create(&threads[number], NULL, work, (void *)number);
    }
    for (size_t number = 0; number < THREADS; number++) pthread_join(threads[number], NULL);
    if (descriptors() != before) tell("descriptors left open", descriptors() - before);
    printf("%ld requests answered, %ld refused, %ld files read or written, %ld not\n",
           answered, refused, read_files, unread_files);
    return strange != 0;
}
