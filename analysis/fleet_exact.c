/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A state has a byte for each group (its machines that are down, and a bit for the group itself)
 * and the phase of the leader. Bytes of groups of the same size are sorted, so groups that are
 * alike are one state; without groups there is one group that never fails. States are found from
 * the one with all up by following transitions, which also numbers them: those that are many steps
 * from all-up come last and are eliminated first, the order in which nothing is lost.
 *
 * An outage begins at a transition from an up to a down state; the mean outage is the
 * unavailability over the rate of such transitions. */
#include "analysis/fleet_exact.h"

#include "analysis/markov.h"
#include "sim/base/base.h"
#include "sim/base/hash.h"
#include "sim/base/map.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_errno.h>
#include <gsl/gsl_sf_gamma.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GROUP_DOWN 0x80
#define COUNT_MASK 0x7f

enum phase {
    PHASE_LEADER, /* or no leader is asked for */
    PHASE_ELECTING,
    PHASE_NO_QUORUM,
};

/* In the order of the groups: sizes fall, and bytes fall within a size. */
struct state {
    uint8_t groups[FLEET_GROUPS_MAX];
    uint8_t phase;
};

struct space {
    const struct fleet_model *model;
    uint32_t group_count; /* at least 1 */
    uint8_t sizes[FLEET_GROUPS_MAX];
    struct state states[MARKOV_STATES_MAX];
    uint32_t count;
    struct map numbers; /* hash of a state -> number + 1 */
    bool is_full;
    /* While transitions are followed: where they go. */
    struct markov *markov; /* NULL: only count states */
};

uint32_t fleet_majority(uint32_t machines)
{
    return machines / 2 + 1;
}

/* -------------------------------------------------------------------------------------- a state */

static uint32_t available_in(const struct space *space, const struct state *state, uint32_t group)
{
    if ((state->groups[group] & GROUP_DOWN) != 0) {
        return 0;
    }
    return space->sizes[group] - (state->groups[group] & COUNT_MASK);
}

static uint32_t available(const struct space *space, const struct state *state)
{
    uint32_t count = 0;
    for (uint32_t g = 0; g < space->group_count; g++) {
        count += available_in(space, state, g);
    }
    return count;
}

static bool is_up(const struct space *space, const struct state *state)
{
    return state->phase == PHASE_LEADER && available(space, state) >= space->model->needed;
}

static void canonicalise(const struct space *space, struct state *state)
{
    for (uint32_t i = 1; i < space->group_count; i++) {
        uint8_t byte = state->groups[i];
        uint32_t at = i;
        while (at > 0 && space->sizes[at - 1] == space->sizes[i] && state->groups[at - 1] < byte) {
            state->groups[at] = state->groups[at - 1];
            at--;
        }
        state->groups[at] = byte;
    }
}

/* Number of a state, which is made when it is new; UINT32_MAX when there is no room. */
static uint32_t number_of(struct space *space, struct state state)
{
    canonicalise(space, &state);
    uint64_t key = hash_bytes(&state, sizeof(state));
    const uint64_t *found = map_find(&space->numbers, key);
    if (found != NULL) {
        ASSERT(memcmp(&space->states[*found], &state, sizeof(state)) == 0);
        return (uint32_t)*found;
    }
    if (space->count == MARKOV_STATES_MAX) {
        space->is_full = true;
        return UINT32_MAX;
    }
    map_put(&space->numbers, key, space->count);
    space->states[space->count] = state;
    return space->count++;
}

/* ---------------------------------------------------------------------------------- transitions */

static void go(struct space *space, uint32_t from, struct state to, double rate)
{
    if (rate <= 0) {
        return;
    }
    uint32_t number = number_of(space, to);
    if (space->markov != NULL && number != UINT32_MAX) {
        markov_add(space->markov, from, number, rate);
    }
}

/* To `to`, in which machines went away; the leader was one of them with probability `leader`. */
static void lose(struct space *space, uint32_t from, struct state to, double rate, double leader)
{
    const struct fleet_model *model = space->model;
    if (model->failover_h <= 0) {
        go(space, from, to, rate);
        return;
    }
    if (available(space, &to) < model->needed) {
        to.phase = PHASE_NO_QUORUM;
        go(space, from, to, rate);
        return;
    }
    if (to.phase == PHASE_LEADER) {
        struct state without = to;
        without.phase = PHASE_ELECTING;
        go(space, from, without, rate * leader);
        rate *= 1 - leader;
    }
    go(space, from, to, rate);
}

/* To `to`, in which machines came back. */
static void gain(struct space *space, uint32_t from, struct state to, double rate)
{
    const struct fleet_model *model = space->model;
    if (model->failover_h > 0 && to.phase == PHASE_NO_QUORUM &&
        available(space, &to) >= model->needed) {
        to.phase = PHASE_ELECTING;
    }
    go(space, from, to, rate);
}

static void fail_machines(struct space *space, uint32_t from, struct state state)
{
    const struct fleet_model *model = space->model;
    const double alone = model->fail_per_h * (1 - model->shock_share);
    const double all = available(space, &state);
    struct state dark = state;
    for (uint32_t g = 0; g < space->group_count; g++) {
        uint32_t up = space->sizes[g] - (state.groups[g] & COUNT_MASK);
        dark.groups[g] = (uint8_t)((state.groups[g] & GROUP_DOWN) | space->sizes[g]);
        if (up == 0) {
            continue;
        }
        struct state to = state;
        to.groups[g]++;
        bool is_seen = (state.groups[g] & GROUP_DOWN) == 0;
        lose(space, from, to, up * alone, is_seen && all > 0 ? 1 / all : 0);
    }
    if (memcmp(&dark, &state, sizeof(state)) != 0) {
        lose(space, from, dark, model->fail_per_h * model->shock_share, 1);
    }
}

static void fail_groups(struct space *space, uint32_t from, struct state state)
{
    const struct fleet_model *model = space->model;
    const double all = available(space, &state);
    for (uint32_t g = 0; model->groups > 0 && g < space->group_count; g++) {
        if ((state.groups[g] & GROUP_DOWN) != 0) {
            continue;
        }
        struct state to = state;
        double gone = available_in(space, &state, g);
        to.groups[g] |= GROUP_DOWN;
        lose(space, from, to, model->group_fail_per_h, all > 0 ? gone / all : 0);
    }
}

/* Crews go to groups first; what is left of them is spread over the machines that are down. */
static void repair(struct space *space, uint32_t from, struct state state)
{
    const struct fleet_model *model = space->model;
    double dark = 0;
    double broken = 0;
    for (uint32_t g = 0; g < space->group_count; g++) {
        dark += (state.groups[g] & GROUP_DOWN) != 0;
        broken += state.groups[g] & COUNT_MASK;
    }
    double crews = model->crews == 0 ? dark + broken : (double)model->crews;
    double at_groups = fmin(crews, dark);
    double at_machines = fmin(crews - at_groups, broken);
    for (uint32_t g = 0; g < space->group_count; g++) {
        uint32_t down = state.groups[g] & COUNT_MASK;
        struct state to = state;
        if (down > 0) {
            to.groups[g]--;
            gain(space, from, to, at_machines * down / broken * model->repair_per_h);
        }
        if ((state.groups[g] & GROUP_DOWN) != 0) {
            to = state;
            to.groups[g] &= COUNT_MASK;
            gain(space, from, to, at_groups / dark * model->group_repair_per_h);
        }
    }
}

/* Everything that can happen in state `from`. */
static void follow(struct space *space, uint32_t from)
{
    struct state state = space->states[from];
    fail_machines(space, from, state);
    fail_groups(space, from, state);
    repair(space, from, state);
    if (state.phase == PHASE_ELECTING) {
        struct state to = state;
        to.phase = PHASE_LEADER;
        go(space, from, to, 1 / space->model->failover_h);
    }
}

/* ------------------------------------------------------------------------------------ the chain */

static bool check(const struct fleet_model *model, struct err *err)
{
    bool is_sized = model->machines >= 1 && model->machines <= FLEET_MACHINES_MAX &&
                    model->needed >= 1 && model->needed <= model->machines &&
                    model->groups <= FLEET_GROUPS_MAX && model->groups <= model->machines;
    bool is_rated = model->fail_per_h > 0 && isfinite(model->fail_per_h) &&
                    model->repair_per_h > 0 && isfinite(model->repair_per_h) &&
                    model->shock_share >= 0 && model->shock_share <= 1 && model->failover_h >= 0 &&
                    isfinite(model->failover_h);
    bool is_grouped = model->groups == 0 ||
                      (model->group_fail_per_h > 0 && isfinite(model->group_fail_per_h) &&
                       model->group_repair_per_h > 0 && isfinite(model->group_repair_per_h));
    return (is_sized && is_rated && is_grouped) ||
           err_set(err, ERR_INPUT,
                   "a fleet needs 1 to %d machines, at most %d groups, a quorum of "
                   "them, and positive rates",
                   FLEET_MACHINES_MAX, FLEET_GROUPS_MAX);
}

static struct space *space_new(const struct fleet_model *model)
{
    struct space *space = calloc(1, sizeof(*space));
    ASSERT(space != NULL);
    space->model = model;
    space->group_count = model->groups > 0 ? model->groups : 1;
    for (uint32_t g = 0; g < space->group_count; g++) {
        uint32_t extra = g < model->machines % space->group_count ? 1 : 0;
        space->sizes[g] = (uint8_t)(model->machines / space->group_count + extra);
    }
    map_init(&space->numbers);
    return space;
}

static void space_free(struct space *space)
{
    map_release(&space->numbers);
    free(space);
}

/* All states and the rates between them. False: too many. */
static bool build(struct space *space, struct markov *markov, struct err *err)
{
    number_of(space, (struct state){0});
    for (uint32_t s = 0; s < space->count && !space->is_full; s++) {
        follow(space, s);
    }
    if (space->is_full) {
        return err_set(err, ERR_INPUT,
                       "the exact model has more than %d states: take another "
                       "estimator",
                       MARKOV_STATES_MAX);
    }
    markov_init(markov, space->count);
    space->markov = markov;
    for (uint32_t s = 0; s < space->count; s++) {
        follow(space, s);
    }
    return true;
}

/* Rate of going down, in the stationary law. */
static double outage_rate(const struct space *space, const struct markov *markov, const double *law)
{
    double rate = 0;
    for (uint32_t i = 0; i < space->count; i++) {
        for (uint32_t j = 0; is_up(space, &space->states[i]) && j < space->count; j++) {
            if (!is_up(space, &space->states[j])) {
                rate += law[i] * markov->rates[(size_t)i * space->count + j];
            }
        }
    }
    return rate;
}

bool fleet_exact(const struct fleet_model *model, struct fleet_exact *exact, struct err *err)
{
    *exact = (struct fleet_exact){0};
    if (!check(model, err)) {
        return false;
    }
    struct space *space = space_new(model);
    struct markov markov = {0};
    bool is_fine = build(space, &markov, err);
    if (is_fine) {
        double *law = calloc(space->count, sizeof(*law));
        double *times = calloc(space->count, sizeof(*times));
        bool *is_down = calloc(space->count, sizeof(*is_down));
        ASSERT(law != NULL && times != NULL && is_down != NULL);
        markov_stationary(&markov, law);
        for (uint32_t s = 0; s < space->count; s++) {
            is_down[s] = !is_up(space, &space->states[s]);
            exact->unavailability += is_down[s] ? law[s] : 0;
        }
        markov_hitting(&markov, is_down, times);
        exact->mttf_h = times[0];
        exact->outages_per_h = outage_rate(space, &markov, law);
        exact->outage_h = exact->unavailability / exact->outages_per_h;
        exact->states = space->count;
        free(law);
        free(times);
        free(is_down);
    }
    markov_release(&markov);
    space_free(space);
    return is_fine;
}

bool fleet_exact_transient(const struct fleet_model *model, double time_h,
                           struct fleet_transient *transient, struct err *err)
{
    *transient = (struct fleet_transient){0};
    if (!check(model, err) || !(time_h >= 0)) {
        return false;
    }
    struct space *space = space_new(model);
    struct markov markov = {0};
    bool is_fine = build(space, &markov, err);
    if (is_fine) {
        double *law = calloc(space->count, sizeof(*law));
        ASSERT(law != NULL);
        law[0] = 1;
        markov_transient(&markov, law, time_h, law);
        for (uint32_t s = 0; s < space->count; s++) {
            bool is_down = !is_up(space, &space->states[s]);
            transient->unavailability += is_down ? law[s] : 0;
            for (uint32_t to = 0; is_down && to < space->count; to++) {
                markov.rates[(size_t)s * space->count + to] = 0; /* the first outage absorbs */
            }
        }
        memset(law, 0, space->count * sizeof(*law));
        law[0] = 1;
        markov_transient(&markov, law, time_h, law);
        for (uint32_t s = 0; s < space->count; s++) {
            transient->outage_by_then += is_up(space, &space->states[s]) ? 0 : law[s];
        }
        free(law);
    }
    markov_release(&markov);
    space_free(space);
    return is_fine;
}

/* ------------------------------------------------------------------------------------ still ones
 */

double fleet_binomial(uint32_t machines, uint32_t needed, double down)
{
    ASSERT(needed >= 1);
    ASSERT(needed <= machines);
    ASSERT(down >= 0 && down <= 1);
    gsl_set_error_handler_off();
    return gsl_cdf_binomial_Q(machines - needed, down, machines);
}

double fleet_beta_binomial(uint32_t machines, uint32_t needed, double down, double rho)
{
    ASSERT(rho >= 0 && rho < 1);
    if (rho == 0 || down <= 0 || down >= 1) {
        return fleet_binomial(machines, needed, down);
    }
    const double a = down * (1 - rho) / rho;
    const double b = (1 - down) * (1 - rho) / rho;
    double sum = 0;
    gsl_set_error_handler_off();
    for (uint32_t k = machines; k > machines - needed; k--) {
        sum += exp(gsl_sf_lnchoose(machines, k) + gsl_sf_lnbeta(k + a, machines - k + b) -
                   gsl_sf_lnbeta(a, b));
    }
    return sum;
}
