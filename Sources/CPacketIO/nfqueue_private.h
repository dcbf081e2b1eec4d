// What nfqueue.c and nfqueue_rule.c have in common.
#ifndef LVS_NFQUEUE_PRIVATE_H
#define LVS_NFQUEUE_PRIVATE_H

#include <stddef.h>
#include <sys/types.h>

// Waits for the kernel's next message: its length, or a negative errno.
ssize_t lvs_nfq_wait(int fd, void *buffer, size_t bytes);

#endif
