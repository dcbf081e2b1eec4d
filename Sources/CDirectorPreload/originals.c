#include "originals.h"

#include <dlfcn.h>
#include <stdatomic.h>

static struct originals found;
static atomic_bool is_found;

// May run twice at the same time, and then writes the same twice.
const struct originals *original(void) {
    if (!atomic_load_explicit(&is_found, memory_order_acquire)) {
#define X(name) found.name = (__typeof__(name) *)dlsym(RTLD_NEXT, #name);
        ORIGINALS(X)
#undef X
        atomic_store_explicit(&is_found, true, memory_order_release);
    }
    return &found;
}
