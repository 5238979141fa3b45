/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Exact availability of a fleet of machines that fail and are repaired, for exponential laws: a
 * Markov chain over what is down where, lumped over machines and groups that are alike. All rates
 * are per hour and times in hours.
 *
 * A machine is available when itself and its group (rack, zone) are up. A group that is down takes
 * its machines away and leaves them as they are. A share `shock_share` of every machine's failure
 * rate is common: one shock of that rate takes down all machines that are up (Marshall and Olkin,
 * JASA 62, 1967; the beta factor). `crews` repair crews serve machines, and groups before machines.
 * The service is up while at least `needed` machines are available, and, with a failover time, a
 * leader is known: the leader is one of the available machines; when it goes, or when the quorum
 * comes back, the next one is there after an exponential time, any of those available then, and
 * stays where it is.
 */
#ifndef SQUALL_ANALYSIS_FLEET_EXACT_H
#define SQUALL_ANALYSIS_FLEET_EXACT_H

#include "sim/base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define FLEET_MACHINES_MAX 64
#define FLEET_GROUPS_MAX   16
#define HOURS_IN_A_YEAR    8766.0 /* of 365.25 days */

struct fleet_model {
    uint32_t machines; /* 1 .. FLEET_MACHINES_MAX */
    uint32_t needed;   /* 1 .. machines */
    double fail_per_h; /* of one machine, shocks included; > 0 */
    double repair_per_h;
    uint32_t crews;          /* 0: one for each machine and group */
    double shock_share;      /* [0, 1] */
    uint32_t groups;         /* 0: none; else machines are dealt out to them in turn */
    double group_fail_per_h; /* 0: they never fail by themselves */
    double group_repair_per_h;
    double group_shock_share; /* as shock_share, of those that strike the machines of one group;
                                 both together in [0, 1] */
    double failover_h;        /* mean; 0: no leader */
};

struct fleet_exact {
    double unavailability;
    double outages_per_h; /* times at which the service goes down */
    double outage_h;      /* mean length of one */
    double mttf_h;        /* from all up, with any machine as leader, to the first outage */
    uint32_t states;
};

/* False (ERR_INPUT): the model is out of range, or has more than MARKOV_STATES_MAX states. */
bool fleet_exact(const struct fleet_model *model, struct fleet_exact *exact, struct err *err);
/* States of the model; 0: it is out of range, or has too many. */
uint32_t fleet_exact_states(const struct fleet_model *model);
/* From all up: the unavailability at `time_h`, and the probability of at least one outage before.
 * As above. */
struct fleet_transient {
    double unavailability;
    double outage_by_then;
};
bool fleet_exact_transient(const struct fleet_model *model, double time_h,
                           struct fleet_transient *transient, struct err *err);

/* What happens in the stationary law: calls `on_move` for every (state, move) with the machines
 * that are available before and after, what it is (enum fleet_move_kind of fleet_chain.h) and its
 * rate over all time; the mean time in a state is not told. `down`: the unavailability. As above.
 */
bool fleet_exact_moves(const struct fleet_model *model,
                       void (*on_move)(void *context, uint32_t before, uint32_t after, int kind,
                                       double rate_per_h),
                       void *context, double *down, struct err *err);

/* Unavailability of a service that needs `needed` of `machines` when each is down with probability
 * `down`, independently: the binomial tail. By renewal theory it holds for all laws of life and
 * repair when each machine has its own crew, with down = repair / (life + repair). */
double fleet_binomial(uint32_t machines, uint32_t needed, double down);
/* The same when the number that is down is beta-binomial with this mean and the correlation `rho`
 * of [0, 1) between two machines (Bakkaloglu et al., CMU-CS-02-129). */
double fleet_beta_binomial(uint32_t machines, uint32_t needed, double down, double rho);
/* Machines needed for a majority: n / 2 + 1. */
uint32_t fleet_majority(uint32_t machines);

#endif
