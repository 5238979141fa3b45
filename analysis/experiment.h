/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What experiments make of verdicts: the class of a load, the loads at which the class changes, the
 * size of the trigger at which half of the runs stick, and the search for it in one seed.
 *
 * A run is STUCK when its control arm held and goodput was back neither in the run nor in one twice
 * as long (analysis/metastability.h); whether a relief then brings it back, which makes it
 * metastable and not permanent, is another question. Nothing here decides a run. */
#ifndef SQUALL_ANALYSIS_EXPERIMENT_H
#define SQUALL_ANALYSIS_EXPERIMENT_H

#include "analysis/statistics.h"

#include <stdbool.h>
#include <stdint.h>

/* How the runs of one point came out. */
struct tally {
    uint64_t stable;
    uint64_t stuck;
    uint64_t unstable;  /* the control arm failed */
    uint64_t undecided; /* neither well nor stuck, or the run died */
};

/* Runs that tell whether the trigger sticks: stable and stuck ones. */
uint64_t tally_told(const struct tally *tally);

enum region {
    REGION_STABLE,     /* no trigger of the set sticks */
    REGION_VULNERABLE, /* some trigger of the set sticks */
    REGION_UNSTABLE,   /* at least half of the runs fail without any */
    REGION_UNKNOWN,    /* nothing sticks, but not every size was told in most of its runs */
};

/* Of one load, from the points of all its triggers. */
enum region region_of(const struct tally *points, uint32_t count);
const char *region_name(enum region region);

/* Where something begins: above `low`, at `high` or below. NaN: that end was not seen. */
struct bracket {
    double low;
    double high;
};

/* Between the last load of the rising `loads` before anything is `least` or worse (in the order
 * stable, vulnerable, unstable) and the first one that is: REGION_VULNERABLE brackets the hidden
 * capacity, REGION_UNSTABLE the advertised one. Loads of an unknown class are left out.
 * *is_monotone: no load above it is better again. */
struct bracket bracket_of(const double *loads, const enum region *regions, uint32_t count,
                          enum region least, bool *is_monotone);

enum tipping_method {
    TIPPING_NONE,    /* less than half sticks at every size, or nothing was told */
    TIPPING_ALL,     /* at least half sticks at every size: it lies below the first */
    TIPPING_FIT,     /* logistic regression over all sizes */
    TIPPING_BETWEEN, /* the sizes separate the runs, or do not fit: between two neighbours */
};
struct tipping {
    enum tipping_method method;
    double half;              /* the size at which half of the runs stick; NaN: NONE, ALL */
    struct interval interval; /* FIT: 95 %; BETWEEN: the two neighbours; else NaN */
};

/* From points at rising sizes; those without a told run are left out. A fit whose half is outside
 * the sizes is not used. */
struct tipping tipping_of(const double *sizes, const struct tally *points, uint32_t count);

/* Bisection for the smallest of `count` rising sizes that sticks, in one seed. Both ends come
 * first; when they differ, halves; and then one size on either side, which would show that what
 * sticks does not stick for every larger size. */
enum bisection_end {
    BISECTION_OPEN,
    BISECTION_FOUND,  /* between `low`, which does not stick, and `high`, the next, which does */
    BISECTION_BELOW,  /* the first size sticks */
    BISECTION_ABOVE,  /* the last size does not */
    BISECTION_FAILED, /* a run told nothing */
};
struct bisection {
    enum bisection_end end;
    uint32_t count;
    uint32_t low;   /* does not stick */
    uint32_t high;  /* sticks */
    uint32_t asked; /* of bisection_next */
    uint32_t told;  /* answers so far */
    uint32_t checks;
    bool is_contradicted; /* something larger did not stick, or something smaller did */
};
/* count >= 2. */
void bisection_init(struct bisection *bisection, uint32_t count);
/* The size to run next; false: it is over, and `end` says how. */
bool bisection_next(struct bisection *bisection, uint32_t *index);
/* What the size that bisection_next gave last came to. */
enum bisection_answer { BISECTION_STICKS, BISECTION_RECOVERS, BISECTION_TELLS_NOTHING };
void bisection_tell(struct bisection *bisection, enum bisection_answer answer);
/* Runs that a bisection of so many sizes takes at most. */
uint32_t bisection_runs_max(uint32_t count);

#endif
