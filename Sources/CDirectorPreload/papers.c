// Settings that are being written. A program gets a memory file to write into. What it writes through
// write() never gets there: it goes to the director at once, and the program is told at once when it
// is refused. What stdio writes, which cannot be seen, is found in the memory file when the descriptor
// is closed or the program ends; a refusal is then said on standard error.
#include "originals.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

// Memory files are found again by name in programs that inherit them.
#define TITLE "director-setting:"
#define LONGEST 4096

struct paper {
    struct holding holding;
    // Another descriptor of the memory file, since stdio closes its own unseen.
    int memory;
    // Whether a program was started with it: then a refusal decides how the program ends.
    bool is_inherited;
    // Whether the memory file holds the old value, to be read; then only write() changes the setting.
    bool is_read;
    char setting[64];
};

// Where refusals are said; a copy where a program is likely to close its standard error before us.
static int complaints = STDERR_FILENO;
// Whether a value was refused that a program has written without being told.
static bool is_refused;

// Above what shells and programs use by number.
#define MEMORY_FROM 200

static struct paper *make(int fd, const char *setting) {
    struct paper *paper = calloc(1, sizeof *paper);
    if (!paper) return NULL;
    paper->holding.kind = HOLDING_PAPER;
    paper->holding.references = 1;
    paper->memory = original()->fcntl(fd, F_DUPFD_CLOEXEC, MEMORY_FROM);
    if (paper->memory < 0) paper->memory = original()->fcntl(fd, F_DUPFD_CLOEXEC, 0);
    strncpy(paper->setting, setting, sizeof paper->setting - 1);
    if (paper->memory >= 0 && holding_put(fd, &paper->holding)) return paper;
    if (paper->memory >= 0) original()->close(paper->memory);
    free(paper);
    errno = EMFILE;
    return NULL;
}

int paper_open(const char *setting, int flags) {
    char title[128];
    snprintf(title, sizeof title, TITLE "%s", setting);
    int fd = memfd_create(title, flags & O_CLOEXEC ? MFD_CLOEXEC : 0);
    if (fd < 0) return -1;
    bool is_read = (flags & O_ACCMODE) == O_RDWR;
    int output = is_read ? fd : -1;
    if (question_read("sysctl", setting, output) == 0 && (!is_read || lseek(fd, 0, SEEK_SET) == 0)) {
        struct paper *paper = make(fd, setting);
        if (paper) paper->is_read = is_read;
        if (paper) return fd;
    }
    int error = errno;
    original()->close(fd);
    errno = error;
    return -1;
}

ssize_t paper_write(const char *setting, const void *text, size_t length) {
    const char *from = text;
    const char *to = from + length;
    while (from < to && (strchr(" \t\n\r", *from) || !*from)) from++;
    while (from < to && (strchr(" \t\n\r", to[-1]) || !to[-1])) to--;
    // Blanks alone change nothing, as in the kernel.
    if (from == to) return (ssize_t)length;
    char value[LONGEST];
    if ((size_t)(to - from) >= sizeof value || memchr(from, 0, (size_t)(to - from))) {
        errno = EINVAL;
        return -1;
    }
    memcpy(value, from, (size_t)(to - from));
    value[to - from] = 0;
    return question_write("sysctl", setting, value) < 0 ? -1 : (ssize_t)length;
}

bool paper_setting(int fd, char *setting, size_t room) {
    struct holding *holding = holding_take(fd);
    if (!holding) return false;
    bool is_paper = holding->kind == HOLDING_PAPER;
    if (is_paper) snprintf(setting, room, "%s", ((struct paper *)holding)->setting);
    holding_give_back(holding);
    return is_paper;
}

// Whether the paper's own descriptor is still what it was: programs close numbers they do not know.
static bool has_memory(const struct paper *paper) {
    struct stat status;
    return fstat(paper->memory, &status) == 0 && status.st_dev == paper->holding.device &&
           status.st_ino == paper->holding.inode;
}

int paper_finish(struct holding *holding) {
    struct paper *paper = (struct paper *)holding;
    if (holding->kind != HOLDING_PAPER || paper->is_read || !has_memory(paper)) return 0;
    char text[LONGEST];
    ssize_t got = pread(paper->memory, text, sizeof text, 0);
    if (got <= 0) return 0;
    // Once is enough: others may share the file.
    if (ftruncate(paper->memory, 0) < 0) return -1;
    if (paper_write(paper->setting, text, (size_t)got) >= 0) return 0;
    int error = errno;
    dprintf(complaints, "director-preload: net.ipv4.vs.%s: %s\n", paper->setting, strerror(error));
    if (paper->is_inherited) is_refused = true;
    errno = error;
    return -1;
}

void paper_free(struct holding *holding) {
    struct paper *paper = (struct paper *)holding;
    int error = errno;
    paper_finish(holding);
    if (has_memory(paper)) original()->close(paper->memory);
    free(paper);
    errno = error;
}

void paper_inherit(void) {
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
        char path[32], link[128];
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(path, link, sizeof link - 1);
        if (length < 0) continue;
        link[length] = 0;
        static const char beginning[] = "/memfd:" TITLE;
        if (strncmp(link, beginning, sizeof beginning - 1) != 0) continue;
        char *setting = link + sizeof beginning - 1;
        setting[strcspn(setting, " ")] = 0;
        struct paper *paper = make(fd, setting);
        if (!paper) continue;
        paper->is_inherited = true;
        int copy = original()->fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, MEMORY_FROM);
        if (copy >= 0) complaints = copy;
    }
}

static void finish_at_end(struct holding *holding) { paper_finish(holding); }

// Programs such as echo close their standard output on their way out, out of our sight.
__attribute__((destructor)) static void end(void) {
    if (!holding_any()) return;
    fflush(NULL);
    holding_each(finish_at_end);
    if (is_refused) _exit(EXIT_FAILURE);
}
