/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Pool: forked workers that run (cell, seed) orders, so that a crash or a hang of the code under
 * test is a finding with its seed and not the end of the campaign. */
#ifndef SQUALL_CLI_POOL_H
#define SQUALL_CLI_POOL_H

#include "analysis/judge.h"
#include "sim/cli/cli.h"

struct order {
    uint64_t number; /* of the caller */
    uint64_t seed;
    uint64_t seed_index; /* in the plan */
    uint32_t cell;
    uint16_t is_recheck;   /* run it twice and compare the digests */
    uint16_t keep_windows; /* keep its time series whatever the verdict */
};

struct delivery {
    struct order order;
    const struct run_result *result; /* good during the call only */
    uint64_t digest_again; /* with order.is_recheck and a result that is no VERDICT_ERROR */
};

struct pool;

struct pool_options {
    const struct plan *plan;
    const char *const *sets;
    uint32_t set_count;
    uint32_t jobs;
    enum judge_windows windows;
    uint32_t ahead; /* orders that wait at a worker, 1 .. 8; 0: 8 */
    /* False: no more orders for now. It is asked again after each delivery; the pool ends when all
     * are delivered. */
    bool (*next)(void *context, struct order *order);
    void (*on_delivery)(void *context, const struct delivery *delivery);
    void (*on_idle)(void *context); /* at least ten times a second: progress, commits */
    bool (*is_cancelled)(void *context);
    void *context;
};

/* Runs until `next` is exhausted and all is delivered, or is_cancelled: then the workers are
 * killed. False: workers cannot be made. */
bool pool_run(const struct pool_options *options, struct err *err);

#endif
