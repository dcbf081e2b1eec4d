// libnftables behind an opaque handle: one atomic transaction a call.
#ifndef LVS_NFT_H
#define LVS_NFT_H

struct lvs_nft;

// NULL when there is no memory. Works on the network namespace of the thread that opens it.
struct lvs_nft *lvs_nft_open(void);
void lvs_nft_close(struct lvs_nft *nft);

// Runs commands in nft's own language as one transaction; 0 when it was done. `only_check` asks the
// kernel whether it would accept them and changes nothing.
int lvs_nft_run(struct lvs_nft *nft, const char *commands, int only_check);

// What the last run said about its failure; empty when it did not fail. Valid until the next run.
const char *lvs_nft_error(struct lvs_nft *nft);
// What the last run listed. Valid until the next run.
const char *lvs_nft_output(struct lvs_nft *nft);

struct lvs_nft_events;

// Listens for changes of the rules of nftables, iptables-nft's among them, in the thread's network
// namespace; 0 or a negative errno.
int lvs_nft_events_open(struct lvs_nft_events **out);
void lvs_nft_events_close(struct lvs_nft_events *events);
int lvs_nft_events_descriptor(const struct lvs_nft_events *events);
// Takes what happened: 1 when tables, chains or rules of IPv4 or IPv6 changed, or it was too much to
// tell; 0 when nothing did; a negative errno.
int lvs_nft_events_read(struct lvs_nft_events *events);

#endif
