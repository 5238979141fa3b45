/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The mean field of a server with impatient clients that retry: which loads are stable, vulnerable
 * or unstable, before anything is simulated.
 *
 * A call is sent, times out when its sojourn exceeds the time-out, and is sent again at once, at
 * most `retries` times; the server does not learn of it and serves every attempt. With p(x) the
 * share of attempts that time out when x attempts a second arrive, the load that feeds itself is a
 * root of x = fresh (1 + p + ... + p^retries), where p is the tail of the sojourn time in M/M/c
 * (Erlang C), and 1 from the capacity on.
 *
 * All rates are per second, times in seconds. Nothing here decides a run. */
#ifndef SQUALL_ANALYSIS_PREDICT_MEAN_FIELD_H
#define SQUALL_ANALYSIS_PREDICT_MEAN_FIELD_H

#include <stdbool.h>
#include <stdint.h>

#define PREDICT_RETRIES_MAX  64
#define PREDICT_SERVERS_MAX  10000
#define MEAN_FIELD_ROOTS_MAX 8

enum predict_service {
    PREDICT_EXPONENTIAL,
    PREDICT_CONSTANT, /* arrivals and services like clockwork: nothing waits below the capacity */
};

/* A server, its clients and their retries. */
struct predict_system {
    double capacity_per_s; /* of all servers together, > 0 */
    uint32_t servers;      /* 1 .. PREDICT_SERVERS_MAX */
    double timeout_s;      /* of one attempt, > 0 */
    uint32_t retries;      /* after the first attempt, 0 .. PREDICT_RETRIES_MAX */
    double budget; /* retries for each fresh call that clients allow themselves; < 0: no budget */
    double
        queue_limit; /* waiting and in service; what does not fit is lost in silence; 0: no limit */
    double retry_delay_s; /* between time-out and next attempt, >= 0; the mean field neglects it */
    enum predict_service service;
};

enum predict_class {
    PREDICT_STABLE,     /* comes back by itself from any trigger */
    PREDICT_VULNERABLE, /* holds, but a trigger that is large enough sticks */
    PREDICT_UNSTABLE,   /* collapses without a trigger */
};

struct mean_field_root {
    double attempts_per_s; /* all attempts that arrive */
    double timeout_share;  /* of them that time out */
    double goodput_per_s;  /* calls that end well, at most */
    bool is_stable;        /* a separatrix is not */
};

/* Are all values in the ranges above? */
bool predict_system_is_valid(const struct predict_system *system);

/* Erlang's probability that an arrival waits in M/M/c; `load` = arrivals / capacity, in [0, 1). */
double mean_field_erlang_c(uint32_t servers, double load);
/* The share of attempts that time out when `attempts_per_s` arrive; 1 from the capacity on. */
double mean_field_timeout_share(const struct predict_system *system, double attempts_per_s);
/* Attempts for each fresh call when a share `p` of the attempts times out; at most 1 + budget. */
double mean_field_amplification(const struct predict_system *system, double p);

/* The load below which every trigger is survived: capacity / (retries + 1), or / (1 + budget) if
 * that is less work, or the capacity itself where the queue is too short to make anything late;
 * 0 where a constant service takes longer than the time-out. */
double mean_field_hidden_capacity(const struct predict_system *system);
/* The saddle-node: the highest fresh load with a healthy fixed point. Beyond it the server
 * collapses without a trigger. At least the hidden capacity, at most the capacity. */
double mean_field_saddle_node(const struct predict_system *system);
/* Of the fresh load `load_per_s` >= 0: stable below the hidden capacity, unstable from the
 * saddle-node on. */
enum predict_class mean_field_class(const struct predict_system *system, double load_per_s);
const char *predict_class_name(enum predict_class class);
/* All fixed points for a fresh load > 0, from few attempts to many; writes at most
 * MEAN_FIELD_ROOTS_MAX and returns their number (at least 1: if not healthy then stuck). */
uint32_t mean_field_roots(const struct predict_system *system, double load_per_s,
                          struct mean_field_root *roots);

#endif
