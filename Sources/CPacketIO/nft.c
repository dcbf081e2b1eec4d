#include "nft.h"

#include <nftables/libnftables.h>
#include <stdbool.h>
#include <stddef.h>

// libnftables' context is the handle itself.
static struct nft_ctx *context(struct lvs_nft *nft)
{
    return (struct nft_ctx *)nft;
}

struct lvs_nft *lvs_nft_open(void)
{
    struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
    if (!nft)
        return NULL;
    if (nft_ctx_buffer_error(nft) != 0 || nft_ctx_buffer_output(nft) != 0) {
        nft_ctx_free(nft);
        return NULL;
    }
    // Counters and the contents of sets are of no use here, and sets may be large.
    nft_ctx_output_set_flags(nft, NFT_CTX_OUTPUT_NUMERIC_ALL | NFT_CTX_OUTPUT_STATELESS | NFT_CTX_OUTPUT_TERSE);
    return (struct lvs_nft *)nft;
}

void lvs_nft_close(struct lvs_nft *nft)
{
    nft_ctx_free(context(nft));
}

int lvs_nft_run(struct lvs_nft *nft, const char *commands, int only_check)
{
    nft_ctx_set_dry_run(context(nft), only_check != 0);
    return nft_run_cmd_from_buffer(context(nft), commands);
}

const char *lvs_nft_error(struct lvs_nft *nft)
{
    return nft_ctx_get_error_buffer(context(nft));
}

const char *lvs_nft_output(struct lvs_nft *nft)
{
    return nft_ctx_get_output_buffer(context(nft));
}
