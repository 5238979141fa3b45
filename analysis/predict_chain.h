/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The Markov chain of (queue, orbit): requests in the server, and clients that wait to send again.
 * Where the mean field says that two states exist, the chain says how long a system of this size
 * stays in each by chance: stationary law, mean hitting times, mixing time.
 *
 * The transitions are those of "Formal Analysis of Metastable Failures" (Isaacs et al., HotOS
 * 2025): with u = R / ((R + 1) T) the rate at which one in the orbit tries again, d = 1 / ((R + 1)
 * T) the rate at which it leaves, and late(q) the chance that an arrival which finds q requests
 * times out, (q, o) -> (q+1, o+1)  alpha fresh late(q)            (q, o) -> (q-1, o)  min(q,
 * servers) service
 *            -> (q+1, o  )  fresh + o u late(q)                    -> (q, o-1)  o d
 *            -> (q+1, o-1)  o u (1 - late(q))
 * and with a full queue o (u + d) to (q, o-1), with an empty one late = 0.
 *
 * It is useful to within a factor of about three below the saddle-node: the orbit forgets how long
 * a client has waited. Times beyond some 10^12 s mean "never". */
#ifndef SQUALL_ANALYSIS_PREDICT_CHAIN_H
#define SQUALL_ANALYSIS_PREDICT_CHAIN_H

#include "sim/base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum chain_tail {
    CHAIN_TAIL_EXACT,     /* of the wait and the own service, all exponential */
    CHAIN_TAIL_CHEBYSHEV, /* the bound by mean and variance, as the paper's tool has it */
};

struct chain_model {
    double load_per_s;     /* fresh, > 0 */
    double service_per_s;  /* of one server, > 0 */
    uint32_t servers;      /* >= 1 */
    double timeout_s;      /* > 0 */
    uint32_t retries;      /* R */
    uint32_t queue_states; /* q = 0 .. queue_states - 1; >= 3 */
    uint32_t orbit_states; /* o = 0 .. orbit_states - 1; >= 1 */
    double alpha;          /* of the late, the share that goes into the orbit, (0, 1] */
    enum chain_tail tail;
};

struct chain; /* the rates, owned by who made it */

/* A rectangle of states, ends included. */
struct chain_set {
    uint32_t queue_low;
    uint32_t queue_high;
    uint32_t orbit_low;
    uint32_t orbit_high;
};

/* False, with a text, when the model is out of range or would take more than some seconds. */
bool chain_new(const struct chain_model *model, struct chain **chain, struct err *err);
void chain_free(struct chain *chain);

/* Mean times (s) from every state to `target`, to full relative precision however long: no
 * subtraction occurs. `times[q * orbit_states + o]`, 0 within the target, infinite where it cannot
 * be reached. */
void chain_hitting_times(const struct chain *chain, struct chain_set target, double *times);
/* The least mean time (s) from a state of `from` to `target`. */
double chain_hitting_time_min(const struct chain *chain, struct chain_set from,
                              struct chain_set target);
/* The stationary law, `law[q * orbit_states + o]`: non-negative, sums to 1. */
void chain_stationary(const struct chain *chain, double *law);
/* 1 / |lambda_2| (s): the time in which the memory of the start decays by a factor e. The mixing
 * time of the paper's tool is log2(100) times that. NAN when the iteration does not settle, as when
 * the second eigenvalue is not real. Relative precision about 1e-6. */
double chain_relaxation_time(const struct chain *chain);

#endif
