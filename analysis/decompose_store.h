/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Episodes of a cell as results.sqlite has them, put together for people: which transitions cost
 * how much. */
#ifndef SQUALL_ANALYSIS_DECOMPOSE_STORE_H
#define SQUALL_ANALYSIS_DECOMPOSE_STORE_H

#include "analysis/decompose.h"
#include "analysis/results.h"

#define DECOMPOSE_STUCK_MAX 16

struct decompose_stuck {
    char label[DECOMPOSE_NAME_SIZE + 16]; /* "quorum-back:1-2#0" */
    uint64_t seed;
};

/* Of one kind of transition. */
struct decompose_part {
    enum decompose_kind kind;
    double rate_per_h;
    double outage_h; /* mean over the kind, as often as they happen; NaN: no episode */
    double share;    /* of the time */
    double error;    /* standard error of it */
    uint64_t episodes;
};

struct decompose_report {
    struct decompose_fleet fleet;
    struct decompose_sums sums[DECOMPOSE_CLASSES_MAX];
    struct decompose_steady steady;
    struct decompose_estimate estimate;
    struct decompose_part parts[DECOMPOSE_KIND_COUNT]; /* those that happen, in order of kind */
    uint32_t part_count;
    struct decompose_stuck stuck[DECOMPOSE_STUCK_MAX]; /* the first of estimate.stuck */
    uint32_t stuck_count;
    uint64_t idle; /* episodes that had nobody to strike */
    bool has_leader;
};

/* False with ERR_NONE in `err`, which must be so at the call: the cell has no episodes. */
bool decompose_load(struct results *results, int64_t cell_id, const struct spec_fleet *fleet,
                    struct decompose_report *report, struct err *err);

/* What runs with accelerated faults say to the decomposition (analysis/episode.h), in three tests.
 *
 * 1. What clients saw, with the time without a quorum replaced by its expectation, against what the
 *    sum of the episodes says at the same rates. The two are of different seeds, so the variance of
 *    the difference is the sum of theirs: they agree when the difference is at most the root of the
 *    sum of the squares of their half-widths (Student's t) plus
 *      - `coincidence`, what the sum is known to be wrong by at rates like these, derived from how
 *        often transitions come together (decompose_coincidence), not from the difference;
 *      - where clients saw more: what classes without a finished episode may cost.
 *    What identical episodes may hide (decompose_estimate.unseen) is not allowed for: that clients
 *    saw what no episode has shown is a disagreement.
 * 2. What clients saw, as it is, likewise. Whether the few long repairs of a run were many or few
 *    makes nearly all of its variance, and a run with few of them has a small variance of its own;
 *    so that part is that of the fleet by itself, over many cycles, and not that of the sample
 *    (as in a score test). Its covariance with what the code adds is left out.
 * 3. The share of time without a quorum, which the first test says nothing about, against the fleet
 *    by itself, within four standard errors. */
struct decompose_validation {
    struct estimate seen;       /* by the clients; its interval is that of the second test */
    struct estimate controlled; /* the same without the luck of few long repairs */
    struct estimate said;       /* by the decomposition, at the same rates; likewise */
    double seen_half;           /* of the intervals, as the tests take them */
    double controlled_half;
    double said_half;
    double coincidence;
    uint64_t cycles;
    bool is_enough; /* failures to say anything */
    bool is_plain;  /* the quorum was lost often enough to compare `seen` as well */
    bool agrees;
};

/* `report` is that of the cell. `risk`: the share of the risk of the scenario's confidence that one
 * of the two comparisons may take. False: `sums`, the estimates of the cell, have no validation. */
bool decompose_validation(const struct spec_fleet *fleet, const struct decompose_report *report,
                          const struct estimate_sums *sums, uint32_t count, double risk,
                          struct decompose_validation *validation);

#endif
