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
    struct decompose_estimate estimate;
    struct decompose_part parts[DECOMPOSE_KIND_COUNT]; /* those that happen, in order of kind */
    uint32_t part_count;
    struct decompose_stuck stuck[DECOMPOSE_STUCK_MAX]; /* the first of estimate.stuck */
    uint32_t stuck_count;
    uint64_t idle; /* episodes that had nobody to strike */
};

/* False with ERR_NONE in `err`, which must be so at the call: the cell has no episodes. */
bool decompose_load(struct results *results, int64_t cell_id, const struct spec_fleet *fleet,
                    struct decompose_report *report, struct err *err);

/* What a run with accelerated faults says to the decomposition (analysis/episode.h). */
struct decompose_validation {
    struct estimate seen;       /* by the clients */
    struct estimate controlled; /* the same without the luck of few long repairs */
    struct estimate said;       /* by the decomposition, at the same rates */
    uint64_t cycles;
    bool is_enough; /* failures to say anything */
    bool is_plain;  /* the quorum was lost often enough to compare `seen` as well */
    bool agrees;
};

/* `risk`: the share of the risk of the scenario's confidence that one of the two comparisons may
 * take. False: `sums`, the estimates of the cell, have no validation. */
bool decompose_validation(const struct spec_fleet *fleet, const struct estimate_sums *sums,
                          uint32_t count, double risk, struct decompose_validation *validation);

#endif
