/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Adaptive limits of the number of requests in a server, as in Netflix's concurrency-limits: each
 * answered request is a sample of latency, and the limit follows. */
#ifndef SQUALL_MODELS_SERVER_LIMIT_H
#define SQUALL_MODELS_SERVER_LIMIT_H

#include "squall.h"

enum limit_kind { /* in the order of the choices of the option limiter */
                  LIMIT_NONE,
                  LIMIT_STATIC,
                  LIMIT_AIMD,
                  LIMIT_VEGAS,
                  LIMIT_GRADIENT,
};

struct limit_window {
    sq_time next_update;
    sq_time rtt_sum;
    uint32_t count;
    uint32_t in_flight_max;
    bool did_drop;
};

struct limit {
    enum limit_kind kind;
    uint32_t min;
    uint32_t max;
    uint64_t estimate; /* the limit, 20 fraction bits */
    /* Vegas */
    sq_time rtt_noload; /* 0: not known */
    uint64_t probe_count;
    uint64_t probe_jitter; /* out of 2^32, from a half to one */
    /* Gradient */
    int64_t long_rtt; /* ns, 10 fraction bits */
    int64_t warmup_sum;
    uint32_t warmup_count;
    struct limit_window window;
};

/* `initial` is the first limit, of STATIC the limit for good. min or max 0: Netflix's default
 * (20 and 200; Vegas 1 and 1000). */
void limit_init(struct limit *limit, struct sq_env *env, enum limit_kind kind, uint32_t initial,
                uint32_t min, uint32_t max);
/* Requests that may be in the server; UINT32_MAX: any number. */
uint32_t limit_now(const struct limit *limit);
/* A request that came with in_flight - 1 others left after `rtt` ns; did_drop: without success. */
void limit_sample(struct limit *limit, struct sq_env *env, sq_time rtt, uint32_t in_flight,
                  bool did_drop);

#endif
