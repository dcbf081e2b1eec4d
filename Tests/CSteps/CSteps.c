#define _GNU_SOURCE
#include "CSteps.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

void *steps_memory(size_t bytes) {
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

int steps_start(void (*body)(void *), void *context) {
    int child = fork();
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        body(context);
        _exit(0);
    }
    int status;
    if (child > 0 && (waitpid(child, &status, 0) != child || !WIFSTOPPED(status))) return -1;
    return child;
}

int steps_next(int child) {
    int status;
    if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) != 0) return -1;
    if (waitpid(child, &status, 0) != child) return -1;
    if (WIFEXITED(status)) return WEXITSTATUS(status) == 0 ? 0 : -1;
    return WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP ? 1 : -1;
}

int steps_follow(const void *memory, void *copy, size_t bytes) {
    if (memcmp(memory, copy, bytes) == 0) return 0;
    memcpy(copy, memory, bytes);
    return 1;
}

void steps_kill(int child) {
    int status;
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
}
