/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Network: one directed link for each pair of endpoints, with latency, jitter, loss, duplication,
 * bandwidth and a bounded queue for the wire. Faults are filters in front of a link. A node's
 * messages to itself take no time and are never lost. */
#ifndef SQUALL_SIM_NET_H
#define SQUALL_SIM_NET_H

#include "sim/world.h"

/* What filters may change about one message. */
struct net_verdict {
    bool is_dropped;
    int64_t extra_ns;
    uint32_t copies;   /* 1, or more when duplicated */
    int64_t bandwidth; /* bytes/s, 0 = infinite */
};

struct net_filter {
    void (*apply)(struct net_filter *filter, struct net_verdict *verdict, uint32_t size);
    struct net_filter *next;
};

struct net *net_new(struct world *world);
void net_free(struct net *net);
void net_reset(struct net *net, const struct run_spec *spec);

/* A packet of `size` bytes with one reference, to be filled by the caller. */
struct packet *packet_new(struct net *net, size_t size);
void packet_unref(struct net *net, struct packet *packet);
/* Sends; takes over the reference. */
void net_send(struct net *net, struct packet *packet);

/* Filters of the link from -> to. A filter is on one link only. */
void net_filter_add(struct net *net, endpoint from, endpoint to, struct net_filter *filter);
void net_filter_remove(struct net *net, endpoint from, endpoint to, struct net_filter *filter);

#endif
