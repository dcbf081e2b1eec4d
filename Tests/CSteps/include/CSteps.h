// A function in a child process, one instruction after the other.
#pragma once
#include <stddef.h>

// Zeroed memory that children share; NULL when there is none.
void *steps_memory(size_t bytes);
// Starts a child that stops before it calls `body`; its number, or -1.
int steps_start(void (*body)(void *), void *context);
// Runs the child's next instruction: 1 when it has stopped again, 0 when it has ended well, -1 else.
int steps_next(int child);
// Brings a copy up to date; whether there was any difference.
int steps_follow(const void *memory, void *copy, size_t bytes);
// Kills a child that has stopped.
void steps_kill(int child);
