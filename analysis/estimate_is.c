/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Importance sampling on the jump chain of the fleet. Until the service is down for the first time
 * in a cycle, the next event is a failure with a probability that is given and not the tiny one
 * that it has, and all failures are equally likely (balanced failure biasing: Shahabuddin,
 * Management Science 40, 1994: the relative error stays bounded however rare the outage). From then
 * on, and for the lengths of cycles, nothing is biased. Time in a state is its mean, never drawn.
 *
 * The probability of a failure is tuned for each number of machines that are away, by a few rounds
 * of cross-entropy (Rubinstein and Kroese, The Cross-Entropy Method, 2004, 3.3): the share of
 * failures among the steps of those cycles that had an outage, by their weights.
 *
 * Only chances of failures are touched, never anything that runs on the machines. Weights are
 * doubles made with + - * / alone; the only decisions that they lead to are the tuned
 * probabilities, which are rounded to 2^-32. */
#include "analysis/estimators.h"

#include "analysis/fleet_chain.h"
#include "sim/base/base.h"
#include "sim/base/hash.h"

#define CYCLES        2000 /* of one replication */
#define LENGTH_CYCLES 2000
#define ROUNDS        4
#define ROUND_CYCLES  500
#define BIAS          UINT64_C(3865470566) /* 0.9 out of 2^32 */
#define BIAS_LOW      (RNG_ALWAYS / 10)
#define BIAS_HIGH     (RNG_ALWAYS / 100 * 99)
#define STEPS_MAX     10000000 /* of one cycle: whoever never comes back */

struct walk {
    struct fleet_chain chain;
    struct rng rng;
    uint64_t bias[FLEET_MACHINES_MAX + 1]; /* by machines away: chance of a failure, out of 2^32 */
    double failures[FLEET_MACHINES_MAX + 1]; /* of a tuning round, weighted */
    double steps[FLEET_MACHINES_MAX + 1];
    uint64_t events;
    uint64_t digest;
};

/* Steps of a cycle before its first outage, by machines away. */
struct tally {
    uint32_t failures[FLEET_MACHINES_MAX + 1];
    uint32_t steps[FLEET_MACHINES_MAX + 1];
};

struct cycle {
    double down_h;
    double hours;
    double outages;
    double weight; /* at the first outage; 0: none */
};

struct totals {
    double failure;
    double all;
    uint32_t failures; /* kinds */
};

static struct totals totals_of(const struct fleet_move *moves, uint32_t count)
{
    struct totals totals = {0};
    for (uint32_t i = 0; i < count; i++) {
        totals.all += moves[i].rate;
        totals.failure += moves[i].is_failure ? moves[i].rate : 0;
        totals.failures += moves[i].is_failure ? 1 : 0;
    }
    return totals;
}

/* A uniform double in [0, 1) with 53 bits. */
static double draw(struct rng *rng)
{
    return (double)(rng_u64(rng) >> 11) * 0x1p-53;
}

/* The move at `at` of the total rate of the moves that are, or are not, failures, or of all. */
static uint32_t pick(const struct fleet_move *moves, uint32_t count, double at, bool is_any,
                     bool is_failure)
{
    uint32_t last = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!is_any && moves[i].is_failure != is_failure) {
            continue;
        }
        last = i;
        at -= moves[i].rate;
        if (at < 0) {
            return i;
        }
    }
    return last;
}

/* The index-th failure. */
static uint32_t nth_failure(const struct fleet_move *moves, uint32_t index)
{
    for (uint32_t i = 0;; i++) {
        if (moves[i].is_failure && index-- == 0) {
            return i;
        }
    }
}

/* One step under the bias; multiplies the weight by the likelihood ratio. */
static uint32_t step_biased(struct walk *walk, const struct fleet_move *moves, uint32_t count,
                            uint64_t bias, double *weight)
{
    const struct totals totals = totals_of(moves, count);
    const double repair = totals.all - totals.failure;
    if (totals.failures == 0) {
        return pick(moves, count, draw(&walk->rng) * totals.all, true, false);
    }
    if (totals.failures == count) {
        uint32_t move = (uint32_t)rng_below(&walk->rng, count);
        *weight *= moves[move].rate / totals.all * count;
        return move;
    }
    const double chance = (double)bias * 0x1p-32;
    if (rng_chance(&walk->rng, bias)) {
        uint32_t move = nth_failure(moves, (uint32_t)rng_below(&walk->rng, totals.failures));
        *weight *= moves[move].rate / totals.all / (chance / totals.failures);
        return move;
    }
    *weight *= repair / totals.all / (1 - chance);
    return pick(moves, count, draw(&walk->rng) * repair, false, false);
}

static bool is_whole(const struct fleet_state *state)
{
    static const struct fleet_state whole;
    for (uint32_t g = 0; g < FLEET_GROUPS_MAX; g++) {
        if (state->groups[g] != whole.groups[g]) {
            return false;
        }
    }
    return state->phase == FLEET_PHASE_LEADER;
}

/* One cycle from all-up to all-up. */
static struct cycle run_cycle(struct walk *walk, bool is_biased, struct tally *tally)
{
    struct fleet_move moves[FLEET_MOVES_MAX];
    struct fleet_state state = {0};
    struct cycle cycle = {0};
    double weight = 1;
    bool was_up = true;
    uint32_t steps = 0;
    do {
        const uint32_t count = fleet_chain_moves(&walk->chain, &state, moves);
        const struct totals totals = totals_of(moves, count);
        const bool is_up = fleet_chain_is_up(&walk->chain, &state);
        cycle.hours += 1 / totals.all;
        cycle.down_h += is_up ? 0 : weight / totals.all;
        if (was_up && !is_up) {
            cycle.outages += weight;
            cycle.weight = cycle.weight > 0 ? cycle.weight : weight;
        }
        was_up = is_up;
        const uint32_t away =
            walk->chain.model.machines - fleet_chain_available(&walk->chain, &state);
        uint32_t move;
        if (is_biased && cycle.weight == 0) {
            move = step_biased(walk, moves, count, walk->bias[away], &weight);
            tally->steps[away] += totals.failures < count ? 1 : 0;
            tally->failures[away] += totals.failures < count && moves[move].is_failure ? 1 : 0;
        } else {
            move = pick(moves, count, draw(&walk->rng) * totals.all, true, false);
        }
        state = moves[move].to;
        walk->events++;
        walk->digest = hash_mix(walk->digest, move);
        steps++;
    } while (!is_whole(&state) && steps < STEPS_MAX);
    return cycle;
}

/* One round of cross-entropy: moves the biases to what the outages of this round would have had. */
static void tune(struct walk *walk)
{
    const uint32_t levels = walk->chain.model.machines;
    for (uint32_t i = 0; i <= levels; i++) {
        walk->failures[i] = 0;
        walk->steps[i] = 0;
    }
    for (uint32_t c = 0; c < ROUND_CYCLES; c++) {
        struct tally tally = {0};
        struct cycle cycle = run_cycle(walk, true, &tally);
        for (uint32_t i = 0; cycle.weight > 0 && i <= levels; i++) {
            walk->failures[i] += cycle.down_h * tally.failures[i];
            walk->steps[i] += cycle.down_h * tally.steps[i];
        }
    }
    for (uint32_t i = 0; i <= levels; i++) {
        if (walk->steps[i] > 0) {
            uint64_t bias = (uint64_t)(walk->failures[i] / walk->steps[i] * 0x1p32);
            walk->bias[i] = bias < BIAS_LOW ? BIAS_LOW : bias > BIAS_HIGH ? BIAS_HIGH : bias;
        }
    }
}

static void run_service(struct walk *walk, struct estimate_sums *sums)
{
    struct tally tally = {0};
    for (uint32_t i = 0; i <= FLEET_MACHINES_MAX; i++) {
        walk->bias[i] = BIAS;
    }
    for (uint32_t round = 0; round < ROUNDS; round++) {
        tune(walk);
    }
    for (uint32_t c = 0; c < CYCLES; c++) {
        struct cycle cycle = run_cycle(walk, true, &tally);
        estimate_add_weighted(sums, cycle.down_h, cycle.outages, cycle.weight);
    }
    for (uint32_t c = 0; c < LENGTH_CYCLES; c++) {
        struct cycle cycle = run_cycle(walk, false, &tally);
        estimate_add_length(sums, cycle.hours);
        sums->simulated_h += cycle.hours;
    }
    sums->events = walk->events;
}

bool estimate_is(const struct spec_fleet *fleet, struct estimators_run *run, struct err *err)
{
    for (uint32_t i = 0; i < fleet->service_count; i++) {
        struct fleet_model model;
        struct walk walk = {0};
        if (!estimate_model(fleet, i, &model, err) || !fleet_chain_init(&walk.chain, &model, err)) {
            return false;
        }
        walk.rng = rng_keyed(run->seed, i, 0, hash_text("importance sampling"));
        estimate_begin(&run->sums[i], fleet->services[i].name, ESTIMATE_IS);
        run_service(&walk, &run->sums[i]);
        run->events += walk.events;
        run->digest = hash_mix(run->digest, walk.digest);
    }
    return true;
}
