// Traffic for the lab: one program with the commands below; each prints one line of JSON at its end.
#define _GNU_SOURCE
#include "traffic.h"
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

static const char usage[] =
    "usage: traffic COMMAND [OPTION]...\n"
    "frames:   send     one frame after another, of flows in order or at random\n"
    "          connect  three-way handshakes, until every flow is established\n"
    "          answer   answers datagrams, opening segments and data (the far end of the two above)\n"
    "          watch    counts frames by flow and number: lost, late, twice, and how long they took\n"
    "sockets:  ping, reflect    datagrams to and fro, one at a time\n"
    "          dial, accept     connections a second, a byte to and fro on each\n"
    "          hold             opens --count connections and keeps them until its input ends\n"
    "--interface NAME   --hardware MAC (of the next hop)\n"
    "--from ADDRESS --addresses N --first-port P --flows N --first-flow N   whose frames\n"
    "--to ADDRESS --port P   --kind udp|syn|ack|data   --size BYTES (60)\n"
    "--random   --rate PER_SECOND (0: all that go)   --seconds S   --cpu N   --window N (connect, dial)\n"
    "--sendmmsg (not AF_XDP)   --back (watch the answers)   --each (a line a second)\n"
    "--count N --gap MICROSECONDS (ping)\n";

volatile int stopped;

static void on_signal(int number) {
    (void)number;
    stopped = 1;
}

void fail(const char *format, ...) {
    int error = errno;
    va_list words;
    va_start(words, format);
    fputs("traffic: ", stderr);
    vfprintf(stderr, format, words);
    va_end(words);
    fprintf(stderr, error ? ": %s\n" : "\n", strerror(error));
    exit(1);
}

uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

uint64_t cpu_time(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

void *reserve(size_t bytes) {
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) fail("no memory for %zu bytes", bytes);
    return memory;
}

static double number(const char *text, double least, double most) {
    char *end;
    double value = strtod(text, &end);
    errno = 0;
    if (end == text || *end || value < least || value > most)
        fail("%s: a number from %.0f to %.0f is wanted", text, least, most);
    return value;
}

static uint32_t address(const char *text) {
    struct in_addr found;
    errno = 0;
    if (inet_pton(AF_INET, text, &found) != 1) fail("%s: an IPv4 address is wanted", text);
    return ntohl(found.s_addr);
}

static void read_hardware(const char *text, uint8_t into[6]) {
    unsigned byte[6];
    char more;
    errno = 0;
    if (sscanf(text, "%x:%x:%x:%x:%x:%x%c", byte, byte + 1, byte + 2, byte + 3, byte + 4, byte + 5, &more) != 6)
        fail("%s: a hardware address is wanted", text);
    for (int i = 0; i < 6; i++) into[i] = (uint8_t)byte[i];
}

static enum kind kind(const char *text) {
    static const char *const names[] = {"udp", "syn", "ack", "data"};
    for (int i = 0; i < 4; i++)
        if (!strcmp(text, names[i])) return (enum kind)i;
    errno = 0;
    fail("%s: udp, syn, ack or data is wanted", text);
}

static struct settings read_settings(int count, char **words) {
    enum { INTERFACE = 1, HARDWARE, FROM, TO, PORT, FIRST_PORT, ADDRESSES, FLOWS, FIRST_FLOW, KIND, SIZE, WINDOW,
        COUNT, GAP, SECONDS, RATE, CPU, RANDOM, SENDMMSG, BACK, EACH };
    static const struct option options[] = {
        {"interface", 1, 0, INTERFACE}, {"hardware", 1, 0, HARDWARE}, {"from", 1, 0, FROM}, {"to", 1, 0, TO},
        {"port", 1, 0, PORT}, {"first-port", 1, 0, FIRST_PORT}, {"addresses", 1, 0, ADDRESSES},
        {"flows", 1, 0, FLOWS}, {"first-flow", 1, 0, FIRST_FLOW}, {"kind", 1, 0, KIND}, {"size", 1, 0, SIZE},
        {"window", 1, 0, WINDOW}, {"count", 1, 0, COUNT}, {"gap", 1, 0, GAP}, {"seconds", 1, 0, SECONDS},
        {"rate", 1, 0, RATE}, {"cpu", 1, 0, CPU}, {"random", 0, 0, RANDOM}, {"sendmmsg", 0, 0, SENDMMSG},
        {"back", 0, 0, BACK}, {"each", 0, 0, EACH}, {0, 0, 0, 0}};
    struct settings s = {
        .port = 80, .first_port = 1024, .addresses = 1, .flows = 1, .size = LEAST_SIZE, .window = 64,
        .count = 1000, .seconds = 3600, .cpu = -1};
    for (int which; (which = getopt_long(count, words, "", options, NULL)) != -1;) switch (which) {
        case INTERFACE: s.interface = optarg; break;
        case HARDWARE: read_hardware(optarg, s.hardware); break;
        case FROM: s.from = address(optarg); break;
        case TO: s.to = address(optarg); break;
        case PORT: s.port = (uint16_t)number(optarg, 1, 65535); break;
        case FIRST_PORT: s.first_port = (uint16_t)number(optarg, 1, 65535); break;
        case ADDRESSES: s.addresses = (uint32_t)number(optarg, 1, 1 << 24); break;
        case FLOWS: s.flows = (uint64_t)number(optarg, 1, 1e12); break;
        case FIRST_FLOW: s.first_flow = (uint64_t)number(optarg, 0, 1e12); break;
        case KIND: s.kind = kind(optarg); break;
        case SIZE: s.size = (unsigned)number(optarg, LEAST_SIZE, MOST_SIZE); break;
        case WINDOW: s.window = (unsigned)number(optarg, 1, 65536); break;
        case COUNT: s.count = (unsigned)number(optarg, 1, 1e9); break;
        case GAP: s.gap = (unsigned)number(optarg, 0, 1e6); break;
        case SECONDS: s.seconds = number(optarg, 0, 1e6); break;
        case RATE: s.rate = number(optarg, 0, 1e9); break;
        case CPU: s.cpu = (int)number(optarg, 0, 1023); break;
        case RANDOM: s.is_random = true; break;
        case SENDMMSG: s.uses_sendmmsg = true; break;
        case BACK: s.looks_back = true; break;
        case EACH: s.reports_each = true; break;
        default: fputs(usage, stderr); exit(2);
    }
    errno = 0;
    if (optind != count) fail("%s: not an option", words[optind]);
    if ((s.first_flow + s.flows - 1) / s.addresses > 65535u - s.first_port)
        fail("%u addresses have no ports for so many flows; give more --addresses", s.addresses);
    return s;
}

int main(int count, char **words) {
    static const struct {
        const char *name;
        void (*run)(const struct settings *);
        bool wants_interface;
    } commands[] = {
        {"send", run_send, true}, {"connect", run_connect, true}, {"answer", run_answer, true},
        {"watch", run_watch, true}, {"ping", run_ping, false}, {"reflect", run_reflect, false},
        {"dial", run_dial, false}, {"hold", run_hold, false}, {"accept", run_accept, false}};
    const char *name = count > 1 ? words[1] : "";
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(name, commands[i].name)) continue;
        struct settings settings = read_settings(count - 1, words + 1);
        errno = 0;
        if (commands[i].wants_interface && !settings.interface) fail("%s needs --interface", name);
        if (settings.cpu >= 0) {
            cpu_set_t set;
            CPU_ZERO(&set);
            CPU_SET(settings.cpu, &set);
            if (sched_setaffinity(0, sizeof set, &set) != 0) fail("CPU %d", settings.cpu);
        }
        commands[i].run(&settings);
        return 0;
    }
    fputs(usage, stderr);
    return 2;
}
