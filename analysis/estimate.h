/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Estimates of unavailability: what a replication (one seed) adds up, how replications are put
 * together, and what is printed beside the number so that it can be believed.
 *
 * All estimators but the exact one give pairs of (time down, time) over cycles, batches or
 * replications, and the unavailability is a ratio of two means. Importance sampling measures the
 * two on different cycles (measure-specific dynamic importance sampling: Goyal, Shahabuddin,
 * Heidelberger, Nicola and Glynn, IEEE Trans. Computers 41, 1992). Hours throughout. */
#ifndef SQUALL_ANALYSIS_ESTIMATE_H
#define SQUALL_ANALYSIS_ESTIMATE_H

#include "analysis/statistics.h"
#include "sim/fleet.h"

#include <stdbool.h>
#include <stdint.h>

#define ESTIMATE_NAME_SIZE 64
#define ESTIMATE_PATH_SIZE 256

enum estimate_method {
    ESTIMATE_EXACT,    /* Markov chain */
    ESTIMATE_BINOMIAL, /* independent machines and groups, any laws: renewal theory */
    ESTIMATE_BETA_BINOMIAL,
    ESTIMATE_CRUDE,
    ESTIMATE_IS,
    ESTIMATE_RESTART,
    ESTIMATE_DECOMPOSE,
    ESTIMATE_TRIALS,   /* of a placement: data was lost in so many of them */
    ESTIMATE_COPYSETS, /* closed form of a placement, as if its copysets were independent */
    ESTIMATE_METHOD_COUNT
};
/* Computed, without chance; so there is no interval. */
bool estimate_is_exact(enum estimate_method method);

/* Sums over the cycles of a replication, for one service. */
struct estimate_sums {
    char service[ESTIMATE_NAME_SIZE];
    enum estimate_method method;
    bool is_paired;     /* the two means are of the same cycles */
    bool is_sequential; /* seeds were asked for until the interval was short enough; a store knows
                           that, and estimate_of widens it */
    uint64_t count;     /* cycles in which time down was measured */
    double down;        /* sums over them of (weighted) hours down, ... */
    double down2;       /* their squares, ... */
    double outages;     /* (weighted) outages that began, ... */
    double cross;       /* paired: hours down times hours */
    uint64_t lengths;   /* cycles in which hours were measured */
    double hours;
    double hours2;
    uint64_t hits; /* cycles with an outage */
    /* What each cycle with an outage adds to the estimate, its (weighted) hours down: sum, squares
     * and largest say whether a few cycles are all there is. */
    double weights;
    double weights2;
    double weight_max;
    uint64_t events; /* of the fleet that were simulated */
    double simulated_h;
    /* RESTART: the longest outage, and the trajectory that had it ("42/3/0/1": seed, replication,
     * and the branch at each split), with the digest of all its events; "": none, or a name too
     * long. */
    double worst_h;
    uint64_t worst_digest;
    char worst_path[ESTIMATE_PATH_SIZE];
    /* Exact methods: the answer itself; the sums above are 0. */
    double unavailability;
    double outages_per_h;
    double mttf_h; /* from all up; NaN: not known */
};

/* All its doubles, for what writes and reads them: ESTIMATE_NUMBERS(sums) are values,
 * ESTIMATE_NUMBERS(&sums) their addresses. */
#define ESTIMATE_NUMBERS(sums_)                                                                    \
    {                                                                                              \
        sums_->down, sums_->down2, sums_->outages, sums_->cross, sums_->hours, sums_->hours2,      \
            sums_->weights, sums_->weights2, sums_->weight_max, sums_->simulated_h,                \
            sums_->unavailability, sums_->outages_per_h, sums_->mttf_h, sums_->worst_h             \
    }

void estimate_begin(struct estimate_sums *sums, const char *service, enum estimate_method method);
/* Adds the sums of another replication of the same service by the same method. */
void estimate_merge(struct estimate_sums *sums, const struct estimate_sums *other);
/* One cycle in which both were measured. */
void estimate_add_pair(struct estimate_sums *sums, double down_h, double hours, double outages);
/* One cycle under a change of measure, with weighted hours down and outages. */
void estimate_add_weighted(struct estimate_sums *sums, double down_h, double outages);
/* `hits` of `trials` losses took data with them. The "unavailability" is the chance of that. */
void estimate_add_trials(struct estimate_sums *sums, uint32_t hits, uint32_t trials);
/* One cycle for its length alone. */
void estimate_add_length(struct estimate_sums *sums, double hours);

struct estimate {
    double unavailability; /* NaN: nothing was measured */
    /* NaN where there is none; an exact one has its value at both ends. With no hit the upper end
     * is a one-sided bound: at most -ln(1 - confidence) cycles in those that were seen (3 at 95 %),
     * down throughout. */
    struct interval interval;
    const char *interval_method;
    bool is_bound;       /* no hit: only the upper end means something */
    double half_width;   /* relative; infinite for a bound */
    bool is_logarithmic; /* the interval is as long on both sides on a logarithmic scale, and
                            half_width is that of the longer side: plain simulation that saw fewer
                            outages than ESTIMATE_HITS_MIN */
    double outages_per_h;
    struct interval rate; /* of outages an hour, where they were counted one by one (plain
                             simulation): Poisson, wider where cycles have several; NaN elsewhere */
    double outage_h;      /* mean length; NaN: none seen */
    double mttf_h;        /* NaN: not known */
    double effective;     /* sample size of the hits: (sum w)^2 / sum w^2 */
    double weight_share;  /* of the cycle that adds most; above 5 % the interval is not to be
                             believed */
    uint64_t hits;
    uint64_t events;
    double simulated_h;
};
struct estimate estimate_of(const struct estimate_sums *sums, double confidence);

/* Of a decomposition: how much of the upper end is there for what identical episodes may hide
 * (analysis/decompose.h). 0 for other methods. */
double estimate_hidden(const struct estimate_sums *sums, double confidence);

/* A campaign that stops at the first good moment makes intervals too short. What it looks at and
 * what it prints (of sums with is_sequential) is wider by this, z = 2.24 for 1.96; floors alone do
 * not cure it. */
#define ESTIMATE_SEQUENTIAL (2.24 / 1.96)
void estimate_widen(struct estimate *estimate);
/* May a campaign stop: is the half-width, so widened, at most that (relative), by at least
 * ESTIMATE_HITS_MIN cycles with an outage, none of them with more than ESTIMATE_SHARE_MAX of all?
 * What is exact is enough. */
#define ESTIMATE_HITS_MIN  30
#define ESTIMATE_SHARE_MAX 0.05
bool estimate_is_enough(const struct estimate_sums *sums, double half_width, double confidence);

/* "exact", "binomial", "beta-binomial", "crude", "is", "restart", "decompose", "trials",
 * "copysets". */
const char *estimate_method_name(enum estimate_method method);
/* The word of `availability.estimator`. */
const char *estimate_estimator_name(enum spec_estimator estimator);
/* False: there is no such method. */
bool estimate_method_find(const char *name, enum estimate_method *method);

/* Is the fleet one for the estimator that is asked for? False (ERR_INPUT): why not. What only
 * running it can tell, and what decompose needs of the real code, is not looked at. */
bool estimate_check(const struct spec_fleet *fleet, struct err *err);
/* What SPEC_ESTIMATOR_AUTO is for this fleet: exact if it can be, else is, else restart. `why` gets
 * a clause of at most ESTIMATE_WHY_SIZE bytes, and may be NULL. */
#define ESTIMATE_WHY_SIZE 128
enum spec_estimator estimate_choose(const struct spec_fleet *fleet, char *why);

/* One replication of every service of the fleet: fills `sums[service]`. What is exact ignores the
 * seed. `digest` gets that of all that was simulated. False (ERR_INPUT): this fleet is not for this
 * estimator, and why. */
bool estimate_run(const struct spec_fleet *fleet, uint64_t seed, struct estimate_sums *sums,
                  uint64_t *digest, uint64_t *events, struct err *err);

/* ------------------------------------------------------------------------------ seed paths */

/* A trajectory of RESTART by its name. */
struct estimate_path {
    uint64_t seed;
    uint32_t depth; /* >= 1 */
    uint32_t branches[FLEET_MACHINES + 1];
};
/* "42/3/0/1", "0x2a/3". False (ERR_INPUT): it is none. */
bool estimate_path_parse(const char *text, struct estimate_path *path, struct err *err);

/* What a trajectory came to. */
struct estimate_trajectory {
    uint64_t digest; /* as in worst_digest */
    uint64_t events;
    int64_t end_ns;
    /* Its longest outage, with the part of it before the last split; outage_ns 0: there was none.
     * whole_ns is when all was whole for the last time before it. */
    int64_t outage_ns;
    int64_t outage_from_ns;
    int64_t whole_ns;
};
/* `fleet` is in the state after the event. */
typedef void estimate_on_event(void *context, const struct fleet *fleet,
                               const struct fleet_event *event, bool is_up);
/* Goes the path of a trajectory from the start, without snapshots, and tells every event on it.
 * `on_event` may be NULL. False (ERR_INPUT): there is no such path. */
bool estimate_replay(const struct spec_fleet *fleet, uint32_t service,
                     const struct estimate_path *path, estimate_on_event *on_event, void *context,
                     struct estimate_trajectory *trajectory, struct err *err);

#endif
