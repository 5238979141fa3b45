/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * States are found from the one with all up by following moves, which also numbers them: those that
 * are many steps from all-up come last and are eliminated first.
 *
 * An outage begins at a transition from an up to a down state; the mean outage is the
 * unavailability over the rate of such transitions. */
#include "analysis/fleet_exact.h"

#include "analysis/fleet_chain.h"
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

struct space {
    struct fleet_chain chain;
    struct fleet_state states[MARKOV_STATES_MAX];
    uint32_t count;
    uint32_t starts;                  /* as many of the first states have all up, ... */
    double chances[FLEET_STARTS_MAX]; /* ... each with this probability at time 0 */
    struct map numbers;               /* hash of a state -> number */
    bool is_full;
};

uint32_t fleet_majority(uint32_t machines)
{
    return machines / 2 + 1;
}

static bool is_up(const struct space *space, uint32_t state)
{
    return fleet_chain_is_up(&space->chain, &space->states[state]);
}

/* Number of a state, which is made when it is new; UINT32_MAX when there is no room. */
static uint32_t number_of(struct space *space, const struct fleet_state *state)
{
    uint64_t key = hash_bytes(state, sizeof(*state));
    const uint64_t *found = map_find(&space->numbers, key);
    if (found != NULL) {
        ASSERT(memcmp(&space->states[*found], state, sizeof(*state)) == 0);
        return (uint32_t)*found;
    }
    if (space->count == MARKOV_STATES_MAX) {
        space->is_full = true;
        return UINT32_MAX;
    }
    map_put(&space->numbers, key, space->count);
    space->states[space->count] = *state;
    return space->count++;
}

/* Everything that can happen in a state; `markov` NULL: only finds the states. */
static void follow(struct space *space, uint32_t from, struct markov *markov)
{
    struct fleet_move moves[FLEET_MOVES_MAX];
    uint32_t count = fleet_chain_moves(&space->chain, &space->states[from], moves);
    for (uint32_t i = 0; i < count && !space->is_full; i++) {
        uint32_t to = number_of(space, &moves[i].to);
        if (markov != NULL) {
            markov_add(markov, from, to, moves[i].rate);
        }
    }
}

/* The space of a model; NULL: it is out of range. */
static struct space *space_new(const struct fleet_model *model, struct err *err)
{
    struct space *space = calloc(1, sizeof(*space));
    ASSERT(space != NULL);
    map_init(&space->numbers);
    if (!fleet_chain_init(&space->chain, model, err)) {
        map_release(&space->numbers);
        free(space);
        return NULL;
    }
    return space;
}

static void space_free(struct space *space)
{
    map_release(&space->numbers);
    free(space);
}

static void find_states(struct space *space)
{
    struct fleet_state starts[FLEET_STARTS_MAX];
    space->starts = fleet_chain_starts(&space->chain, starts, space->chances);
    for (uint32_t i = 0; i < space->starts; i++) {
        number_of(space, &starts[i]);
    }
    for (uint32_t s = 0; s < space->count && !space->is_full; s++) {
        follow(space, s, NULL);
    }
}

/* All states and the rates between them. False: too many. */
static bool build(struct space *space, struct markov *markov, struct err *err)
{
    find_states(space);
    if (space->is_full) {
        return err_set(err, ERR_INPUT,
                       "the exact model has more than %d states: take another "
                       "estimator",
                       MARKOV_STATES_MAX);
    }
    markov_init(markov, space->count);
    for (uint32_t s = 0; s < space->count; s++) {
        follow(space, s, markov);
    }
    return true;
}

uint32_t fleet_exact_states(const struct fleet_model *model)
{
    struct err ignored = {0};
    struct space *space = space_new(model, &ignored);
    uint32_t count = 0;
    if (space != NULL) {
        find_states(space);
        count = space->is_full ? 0 : space->count;
        space_free(space);
    }
    return count;
}

/* Rate of going down, in the stationary law. */
static double outage_rate(const struct space *space, const struct markov *markov, const double *law)
{
    double rate = 0;
    for (uint32_t i = 0; i < space->count; i++) {
        for (uint32_t j = 0; is_up(space, i) && j < space->count; j++) {
            if (!is_up(space, j)) {
                rate += law[i] * markov->rates[(size_t)i * space->count + j];
            }
        }
    }
    return rate;
}

bool fleet_exact(const struct fleet_model *model, struct fleet_exact *exact, struct err *err)
{
    *exact = (struct fleet_exact){0};
    struct space *space = space_new(model, err);
    if (space == NULL) {
        return false;
    }
    struct markov markov = {0};
    bool is_fine = build(space, &markov, err);
    if (is_fine) {
        double *law = calloc(space->count, sizeof(*law));
        double *times = calloc(space->count, sizeof(*times));
        bool *is_down = calloc(space->count, sizeof(*is_down));
        ASSERT(law != NULL && times != NULL && is_down != NULL);
        markov_stationary(&markov, law);
        for (uint32_t s = 0; s < space->count; s++) {
            is_down[s] = !is_up(space, s);
            exact->unavailability += is_down[s] ? law[s] : 0;
        }
        markov_hitting(&markov, is_down, times);
        for (uint32_t i = 0; i < space->starts; i++) {
            exact->mttf_h += space->chances[i] * times[i];
        }
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

/* All is up. */
static void begin_law(const struct space *space, double *law)
{
    memset(law, 0, space->count * sizeof(*law));
    memcpy(law, space->chances, space->starts * sizeof(*law));
}

bool fleet_exact_transient(const struct fleet_model *model, double time_h,
                           struct fleet_transient *transient, struct err *err)
{
    *transient = (struct fleet_transient){0};
    ASSERT(time_h >= 0);
    struct space *space = space_new(model, err);
    if (space == NULL) {
        return false;
    }
    struct markov markov = {0};
    bool is_fine = build(space, &markov, err);
    if (is_fine) {
        double *law = calloc(space->count, sizeof(*law));
        ASSERT(law != NULL);
        begin_law(space, law);
        markov_transient(&markov, law, time_h, law);
        for (uint32_t s = 0; s < space->count; s++) {
            bool is_down = !is_up(space, s);
            transient->unavailability += is_down ? law[s] : 0;
            for (uint32_t to = 0; is_down && to < space->count; to++) {
                markov.rates[(size_t)s * space->count + to] = 0; /* the first outage absorbs */
            }
        }
        begin_law(space, law);
        markov_transient(&markov, law, time_h, law);
        for (uint32_t s = 0; s < space->count; s++) {
            transient->outage_by_then += is_up(space, s) ? 0 : law[s];
        }
        free(law);
    }
    markov_release(&markov);
    space_free(space);
    return is_fine;
}

bool fleet_exact_moves(const struct fleet_model *model,
                       void (*on_move)(void *context, uint32_t before, uint32_t after, int kind,
                                       double rate_per_h),
                       void *context, double *down, struct err *err)
{
    *down = 0;
    struct space *space = space_new(model, err);
    if (space == NULL) {
        return false;
    }
    struct markov markov = {0};
    bool is_fine = build(space, &markov, err);
    if (is_fine) {
        double *law = calloc(space->count, sizeof(*law));
        ASSERT(law != NULL);
        markov_stationary(&markov, law);
        for (uint32_t s = 0; s < space->count; s++) {
            struct fleet_move moves[FLEET_MOVES_MAX];
            const uint32_t count = fleet_chain_moves(&space->chain, &space->states[s], moves);
            const uint32_t before = fleet_chain_available(&space->chain, &space->states[s]);
            *down += is_up(space, s) ? 0 : law[s];
            for (uint32_t i = 0; i < count; i++) {
                on_move(context, before, fleet_chain_available(&space->chain, &moves[i].to),
                        (int)moves[i].kind, law[s] * moves[i].rate);
            }
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
