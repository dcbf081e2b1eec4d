// Keeps a kernel's own IPVS from being loaded: tools do so when nobody answers them, and would then
// quietly program that kernel. The variables of this library reach modprobe too, and here it ends.
#include "originals.h"

#include <string.h>

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool is_loader(const char *program) {
    const char *name = base_name(program);
    return strcmp(name, "modprobe") == 0 || strcmp(name, "insmod") == 0 || strcmp(name, "kmod") == 0;
}

__attribute__((constructor)) static void begin(int argc, char **argv) {
    if (!reach_is_on()) return;
    if (argc > 0 && is_loader(argv[0])) {
        for (int index = 1; index < argc; index++) {
            if (strncmp(base_name(argv[index]), "ip_vs", 5) != 0) continue;
            dprintf(
                STDERR_FILENO, "director-preload: not loading %s: a director is in its place\n",
                argv[index]);
            _exit(EXIT_FAILURE);
        }
    }
    paper_inherit();
}
