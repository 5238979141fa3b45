/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Decomposition: how long a service is unavailable when machines fail, without running its code for
 * centuries. What the fleet does by itself is known exactly, or estimated without any code: how
 * long the quorum is not there, and how often each kind of transition happens. What the code makes
 * of a transition is measured in episodes of seconds. Together
 *
 *     U = P(no quorum) + sum over classes of transitions  rate * E[outage]
 *
 * where the outage is the time that the clients see the service down beyond what the first term
 * counts already; it is negative where they see it up in spite of that. What clients miss while
 * nothing happens at all is a term of its own. It holds while transitions are rare compared with
 * outages: a second transition within an outage is taken as if it came alone.
 *
 * The variance is that of the means, sum of rate^2 Var / M (delta method), with the degrees of
 * freedom of Satterthwaite (Biometrics Bulletin 2, 1946); episodes go where they narrow it most
 * (Neyman, JRSS 97, 1934), and where nothing has been seen yet. Hours throughout. */
#ifndef SQUALL_ANALYSIS_DECOMPOSE_H
#define SQUALL_ANALYSIS_DECOMPOSE_H

#include "analysis/estimate.h"
#include "sim/base/err.h"
#include "sim/spec.h"

#include <stdbool.h>
#include <stdint.h>

#define DECOMPOSE_CLASSES_MAX 512
#define DECOMPOSE_NAME_SIZE   32
/* End the names of the services that a check of a decomposition adds to the estimates
 * (analysis/episode.h). */
#define DECOMPOSE_VALIDATION "@fast"
#define DECOMPOSE_CONTROLLED "@fast-cv"

enum decompose_kind {
    DECOMPOSE_LEADER_LOST,   /* the machine of the leader; the quorum stays */
    DECOMPOSE_FOLLOWER_LOST, /* another one */
    DECOMPOSE_MACHINE_LOST,  /* any; where nobody leads */
    DECOMPOSE_GROUP_LOST,    /* whoever is in it; the quorum stays */
    DECOMPOSE_QUORUM_LOST,   /* the machine, or group, that takes it */
    DECOMPOSE_SHOCK,         /* all at once, or all of a group */
    DECOMPOSE_QUORUM_BACK,
    DECOMPOSE_MACHINE_BACK, /* one or, with its group, several; the quorum was there */
    DECOMPOSE_KIND_COUNT
};

/* Transitions that look alike to the code: of this kind, with so many machines available before and
 * after. */
struct decompose_class {
    enum decompose_kind kind;
    uint32_t before;
    uint32_t after;
    double rate;       /* per hour, over all time */
    double rate_error; /* standard error of it; 0: exact */
};

/* The fleet by itself. */
struct decompose_fleet {
    uint32_t machines;
    uint32_t needed;
    double down;                                           /* P(no quorum) */
    double down_error;                                     /* standard error of it; 0: exact */
    double down_freedom;                                   /* degrees of, where there is one */
    double outages_per_h;                                  /* the quorum goes */
    struct decompose_class classes[DECOMPOSE_CLASSES_MAX]; /* in order of kind, before, after */
    uint32_t class_count;
};

/* For one service. Without a leader, DECOMPOSE_MACHINE_LOST takes the place of the two before it.
 * Exact where the fleet is a Markov chain, or its machines are independent; else simulated, by
 * RESTART, and plainly for the rates, on this seed: other seeds are other samples, so the mean over
 * the seeds of a campaign has a smaller error. False (ERR_INPUT): the fleet is for none of these.
 */
bool decompose_fleet(const struct spec_fleet *fleet, uint32_t service, bool has_leader,
                     uint64_t seed, struct decompose_fleet *out, struct err *err);
/* Does the seed matter? */
bool decompose_is_simulated(const struct spec_fleet *fleet);
/* The mean over such seeds; of the first alone where they do not matter. `count` >= 1. */
bool decompose_fleet_mean(const struct spec_fleet *fleet, uint32_t service, bool has_leader,
                          const uint64_t *seeds, uint32_t count, struct decompose_fleet *out,
                          struct err *err);
/* The same fleet with the rates at which the decomposition is checked. */
struct spec_fleet decompose_accelerated(const struct spec_fleet *fleet);

/* "leader-lost:5-4". */
void decompose_class_name(const struct decompose_class *class_, char name[DECOMPOSE_NAME_SIZE]);
/* False: it is none. The rate is 0. */
bool decompose_class_parse(const char *name, struct decompose_class *class_);
/* "leader-lost". */
const char *decompose_kind_name(enum decompose_kind kind);
/* Was the quorum there before, and is it after? */
bool decompose_was_up(const struct decompose_class *class_, uint32_t needed);
bool decompose_is_up(const struct decompose_class *class_, uint32_t needed);

/* What came of one. */
struct decompose_episode {
    double outage_h;
    double up_h;       /* of the span that was looked at, the part in which the quorum was there */
    double recovery_h; /* from the transition until clients saw nothing any more; 0 where the quorum
                          is gone */
    bool is_recovered;
};

/* What episodes of one class added up. Those that did not recover count in `stuck` alone. */
struct decompose_sums {
    uint64_t count;
    double outage_h;
    double outage2_h2;
    double up_h;
    double recovery_h;
    double recovery2_h2;
    uint64_t hits;    /* the clients saw something */
    uint64_t nothing; /* episodes in which exactly nothing was seen */
    uint64_t stuck;   /* not recovered within the window: a finding, never averaged */
};
void decompose_add(struct decompose_sums *sums, const struct decompose_episode *episode);

/* Time before transitions in which nothing was wrong, over all episodes. */
struct decompose_steady {
    uint64_t count;
    uint64_t hits; /* of those, in which clients missed something all the same */
    double hours;
    double down_h;
    double hours2;
    double down2_h2;
    double cross_h2; /* hours times hours down */
};
void decompose_add_steady(struct decompose_steady *steady, double hours, double down_h);

struct decompose_term {
    double share; /* of the time, that the class costs */
    double error; /* standard error of it; NaN: a single episode */
};

struct decompose_estimate {
    double unavailability;
    double error;       /* standard error, ... */
    double fleet_error; /* ... the part of it that more episodes do not mend */
    double freedom;     /* degrees of; infinite when nothing was estimated */
    double quartic;     /* sum of (variance of a term)^2 / degrees of freedom of it */
    double steady;      /* the share of time that clients miss while nothing happens */
    double unknown;     /* at most so much more, for classes without a finished episode, when each
                           outage lasted for the window */
    double unseen;      /* what identical episodes may hide; see decompose_combine */
    uint32_t alike;     /* the class that may hide it */
    double outages_per_h;
    uint64_t episodes;
    uint64_t hits;
    uint64_t stuck;
    struct decompose_term terms[DECOMPOSE_CLASSES_MAX]; /* one for each class */
};
/* `sums`: one for each class. `window_h`: how long an episode is watched.
 *
 * Episodes that are all alike have no variance, which does not mean that the next one cannot be
 * another. When N_c episodes of each of some classes c were alike, a share p_c of others has a
 * chance of exp(-sum N_c p_c) to stay unseen, so with confidence 1 - a the sum of N_c p_c is at
 * most -ln a (3 for 95 %: the rule of three), and what they cost at most -ln a times the largest
 * rate_c X / N_c: `unseen`, without the -ln a. X, what one of them costs, is the longest outage
 * that was seen in any episode, or the window when there was none (an assumption: classes have
 * outages of one order). It goes to the upper end alone. Where most episodes of a class saw
 * nothing, and k did see something, the variance of the class has 2 k degrees of freedom at most:
 * it is known as well as k is, and a count has a relative variance of 1 / k, as chi-square has with
 * 2 k. So for what clients miss while nothing happens, too; when they missed nothing then, it is
 * taken as nothing. */
void decompose_combine(const struct decompose_fleet *fleet, const struct decompose_sums *sums,
                       const struct decompose_steady *steady, double window_h,
                       struct decompose_estimate *estimate);

/* Fills `out`, one for each class of `to`, with the sums of the same class of `from`; empty where
 * that has none. */
void decompose_translate(const struct decompose_fleet *from, const struct decompose_sums *sums,
                         const struct decompose_fleet *to, struct decompose_sums *out);

/* The share of time by which the sum may be wrong because transitions come together: one comes
 * while the code recovers from another. `spec` is that of `fleet`.
 *
 * A recovery from class c that takes R meets Lambda R further transitions, Lambda being the rate of
 * all transitions with so many machines up. When the second one ends the first outage, the sum
 * counts what was left of it twice: E[R^2] / 2 for each unit of Lambda, the integral over the
 * instants at which it may come. When it delays the first recovery, by no more than one of the
 * slowest class (an assumption, right for code that begins anew), the sum lacks E[R] max E[R]. The
 * two have opposite signs, so that no more than the larger one is wrong:
 *
 *     sum over c  rate Lambda max(E[R^2] / 2, E[R] max E[R])
 *
 * Of second order in rate times recovery: with machines that live for days it is nothing, with
 * those of a validation a few percent of what fail-overs cost. */
double decompose_coincidence(const struct spec_fleet *spec, const struct decompose_fleet *fleet,
                             const struct decompose_sums *sums);

/* Shares `count` episodes out: two for every class that matters (the others get none); of the rest
 * one half in proportion to rate times standard deviation of the pilot, which makes the variance
 * small, and one half to classes of which all episodes of the pilot were alike, in proportion to
 * their rates, which makes `unseen` small; all of it to one of the two when there is no other. The
 * sum is `count`, or more when that is less than two for each. */
void decompose_allocate(const struct decompose_fleet *fleet, const struct decompose_sums *pilot,
                        uint32_t count, uint32_t *allocation);
/* Is it at least one in a million transitions? */
bool decompose_matters(const struct decompose_fleet *fleet, uint32_t index);

/* As one replication for the results file: replications of the same campaign have the same
 * allocation, so the mean of theirs is that of all episodes. `weights` is `unseen`, `weight_max`
 * is `unknown`, `cross` the quartic. */
void decompose_deliver(const struct decompose_estimate *estimate, struct estimate_sums *sums);

#endif
