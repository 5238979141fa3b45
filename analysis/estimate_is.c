/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Importance sampling on the jump chain of the fleet. Until the quorum is lost for the first time
 * in a cycle, the kind of the next event (a machine, a rack, a shock, with the leader or without, a
 * repair, an election) is drawn from probabilities that are given and not from the tiny ones that
 * it has: failure biasing that is balanced over the kinds (Shahabuddin, Management Science 40,
 * 1994: the relative error stays bounded however rare the outage). Within a kind nothing is biased.
 * From the loss of the quorum on, and for the lengths of cycles, nothing is biased at all. Time in
 * a state is its mean, never drawn.
 *
 * A short outage without a leader does not end the bias: what is rare and long may still come in
 * that cycle, and without the bias it would be seen once in a thousand times, with a weight to
 * match. The estimate would be too low as a rule, and its interval too short.
 *
 * The probabilities are tuned for each situation (machines away, leader or election, a group down)
 * by a few rounds of cross-entropy (Rubinstein and Kroese, The Cross-Entropy Method, 2004, 3.3): a
 * step is credited with the weighted time down that came after it, which is what the step leads to
 * (the optimal change of measure of an additive cost looks ahead, never back). What the
 * rounds never saw must not have a large weight: a share of the cycles is not tuned at all, and all
 * are weighed against the mixture of the two (Hesterberg, Technometrics 37, 1995: defensive
 * mixture).
 *
 * Only chances of failures are touched, never anything that runs on the machines. Weights are
 * doubles made with + - * / alone; the only decisions that they lead to are the tuned
 * probabilities, which are rounded to 2^-32. */
#include "analysis/estimators.h"

#include "analysis/fleet_chain.h"
#include "sim/base/base.h"
#include "sim/base/hash.h"

#include <stdlib.h>
#include <string.h>

#define CYCLES        2000 /* of one replication */
#define LENGTH_CYCLES 2000
#define ROUNDS        5
#define ROUND_CYCLES  500
#define BIAS          0.9 /* all failures, untuned */
#define EVEN          0.3 /* share of cycles that are not tuned */
#define DEFENCE       0.1
#define DEFENCE_BIAS  0.5      /* all failures, in that part */
#define MEMORY        0.3      /* of the round before */
#define STEPS_MAX     10000000 /* of one cycle: whoever never comes back */
#define SITUATIONS    (4 * (FLEET_MACHINES_MAX + 1))

/* Probabilities of the kinds of the next event, or what they are worth, by situation. */
struct kinds {
    double of[FLEET_MOVE_KINDS];
};

/* A step of a cycle under the bias. */
struct step {
    uint16_t situation;
    uint16_t kind;
    double down_before_h; /* weighted, in the cycle so far */
};

#define STEPS_NOTED 4096
struct notes {
    struct step steps[STEPS_NOTED];
    uint32_t count;
};

struct cycle {
    double down_h;
    double hours;
    double outages;
};

/* What may happen, and by kind. */
struct choice {
    struct fleet_move moves[FLEET_MOVES_MAX];
    uint32_t count;
    double rates[FLEET_MOVE_KINDS];
    double all;
};

struct walk {
    struct fleet_chain chain;
    struct rng rng;
    struct kinds bias[SITUATIONS];
    struct kinds credit[SITUATIONS]; /* of a tuning round */
    struct choice choice;
    struct notes notes;
    uint64_t events;
    uint64_t digest;
};

static void look(struct walk *walk, const struct fleet_state *state)
{
    struct choice *choice = &walk->choice;
    choice->count = fleet_chain_moves(&walk->chain, state, choice->moves);
    choice->all = 0;
    memset(choice->rates, 0, sizeof(choice->rates));
    for (uint32_t i = 0; i < choice->count; i++) {
        choice->rates[choice->moves[i].kind] += choice->moves[i].rate;
        choice->all += choice->moves[i].rate;
    }
}

/* A uniform double in [0, 1) with 53 bits. */
static double draw(struct rng *rng)
{
    return (double)(rng_u64(rng) >> 11) * 0x1p-53;
}

/* The move at `at` of the total rate of the moves of a kind; FLEET_MOVE_KINDS: of all. */
static uint32_t pick(const struct choice *choice, double at, enum fleet_move_kind kind)
{
    uint32_t last = 0;
    for (uint32_t i = 0; i < choice->count; i++) {
        if (kind != FLEET_MOVE_KINDS && choice->moves[i].kind != kind) {
            continue;
        }
        last = i;
        at -= choice->moves[i].rate;
        if (at < 0) {
            return i;
        }
    }
    return last;
}

/* ------------------------------------------------------------------------------------- the bias */

static bool is_dark(const struct fleet_chain *chain, const struct fleet_state *state)
{
    bool is_dark = false;
    for (uint32_t g = 0; g < chain->group_count; g++) {
        is_dark |= (state->groups[g] & FLEET_GROUP_DOWN) != 0;
    }
    return is_dark;
}

static uint32_t situation_of(const struct fleet_chain *chain, const struct fleet_state *state)
{
    const uint32_t away = chain->model.machines - fleet_chain_available(chain, state);
    return 4 * away + (state->phase == FLEET_PHASE_LEADER ? 0 : 2) +
           (is_dark(chain, state) ? 1 : 0);
}

/* A failure with probability `bias`, all kinds of them alike. */
static struct kinds balanced(double bias)
{
    struct kinds kinds;
    for (uint32_t i = 0; i < FLEET_MOVE_KINDS; i++) {
        kinds.of[i] = i < FLEET_MOVE_REPAIR ? bias / FLEET_MOVE_REPAIR : (1 - bias) / 2;
    }
    return kinds;
}

/* Failures are likely, and all kinds of them alike; while a leader is sought, less so: that time is
 * short. */
static struct kinds untuned(bool is_electing)
{
    return balanced(is_electing ? 1 - BIAS : BIAS);
}

/* Sum of the probabilities of what may happen. */
static double total_of(const struct choice *choice, const struct kinds *bias)
{
    double all = 0;
    for (uint32_t i = 0; i < FLEET_MOVE_KINDS; i++) {
        all += choice->rates[i] > 0 ? bias->of[i] : 0;
    }
    return all;
}

/* How much likelier the cycle so far is than under each of the two laws it may have come from. */
struct ratios {
    bool is_even; /* which of them it comes from */
    double tuned;
    double even;
};

/* The weight against the mixture of both laws, whichever the cycle came from (the balance
 * heuristic: Veach and Guibas, SIGGRAPH 1995). */
static double weight_of(const struct ratios *ratios)
{
    return 1 / ((1 - EVEN) / ratios->tuned + EVEN / ratios->even);
}

/* One step under the bias; multiplies the likelihood ratios. */
static uint32_t step_biased(struct walk *walk, uint32_t situation, struct ratios *ratios)
{
    const struct choice *choice = &walk->choice;
    const struct kinds *tuned = &walk->bias[situation];
    const struct kinds even = untuned((situation & 2) != 0);
    const struct kinds *bias = ratios->is_even ? &even : tuned;
    const double all_tuned = total_of(choice, tuned);
    const double all_even = total_of(choice, &even);
    double at = draw(&walk->rng) * (ratios->is_even ? all_even : all_tuned);
    uint32_t kind = FLEET_MOVE_KINDS;
    for (uint32_t i = 0; i < FLEET_MOVE_KINDS && (at >= 0 || kind == FLEET_MOVE_KINDS); i++) {
        if (choice->rates[i] > 0) {
            kind = i;
            at -= bias->of[i];
        }
    }
    ASSERT(kind < FLEET_MOVE_KINDS);
    const double chance = choice->rates[kind] / choice->all;
    ratios->tuned *= chance / (tuned->of[kind] / all_tuned);
    ratios->even *= chance / (even.of[kind] / all_even);
    return pick(choice, draw(&walk->rng) * choice->rates[kind], (enum fleet_move_kind)kind);
}

/* --------------------------------------------------------------------------------------- cycles */

static bool is_whole(const struct fleet_state *state)
{
    static const struct fleet_state whole;
    return memcmp(state->groups, whole.groups, sizeof(whole.groups)) == 0 &&
           state->phase == FLEET_PHASE_LEADER;
}

static void note(struct notes *notes, uint32_t situation, enum fleet_move_kind kind, double down_h)
{
    if (notes->count < STEPS_NOTED) {
        notes->steps[notes->count++] = (struct step){(uint16_t)situation, (uint16_t)kind, down_h};
    }
}

/* One cycle from all-up to all-up. */
static struct cycle run_cycle(struct walk *walk, bool is_biased)
{
    const struct choice *choice = &walk->choice;
    struct fleet_state state = {0};
    struct cycle cycle = {0};
    struct ratios ratios = {.tuned = 1, .even = 1};
    double weight = 1;
    bool was_up = true;
    uint32_t steps = 0;
    ratios.is_even = is_biased && rng_chance(&walk->rng, (uint64_t)(EVEN * 0x1p32));
    walk->notes.count = 0;
    do {
        look(walk, &state);
        const bool is_up = fleet_chain_is_up(&walk->chain, &state);
        cycle.hours += 1 / choice->all;
        cycle.down_h += is_up ? 0 : weight / choice->all;
        cycle.outages += was_up && !is_up ? weight : 0;
        was_up = is_up;
        is_biased =
            is_biased && fleet_chain_available(&walk->chain, &state) >= walk->chain.model.needed;
        uint32_t move;
        if (is_biased) {
            const uint32_t situation = situation_of(&walk->chain, &state);
            move = step_biased(walk, situation, &ratios);
            weight = weight_of(&ratios);
            note(&walk->notes, situation, choice->moves[move].kind, cycle.down_h);
        } else {
            move = pick(choice, draw(&walk->rng) * choice->all, FLEET_MOVE_KINDS);
        }
        state = choice->moves[move].to;
        walk->events++;
        walk->digest = hash_mix(walk->digest, move);
        steps++;
    } while (!is_whole(&state) && steps < STEPS_MAX);
    return cycle;
}

/* To what is worth it, with a memory and a defence. */
static void move_bias(struct kinds *bias, const struct kinds *credit)
{
    const struct kinds defence = balanced(DEFENCE_BIAS);
    double all = 0;
    for (uint32_t i = 0; i < FLEET_MOVE_KINDS; i++) {
        all += credit->of[i];
    }
    for (uint32_t i = 0; all > 0 && i < FLEET_MOVE_KINDS; i++) {
        const double tuned = MEMORY * bias->of[i] + (1 - MEMORY) * credit->of[i] / all;
        const double mixed = DEFENCE * defence.of[i] + (1 - DEFENCE) * tuned;
        bias->of[i] = (double)(uint64_t)(mixed * 0x1p32 + 1) * 0x1p-32;
    }
}

/* One round of cross-entropy: moves the biases to what the time down of this round came from. */
static void tune(struct walk *walk)
{
    memset(walk->credit, 0, sizeof(walk->credit));
    for (uint32_t c = 0; c < ROUND_CYCLES; c++) {
        const struct cycle cycle = run_cycle(walk, true);
        for (uint32_t i = 0; i < walk->notes.count; i++) {
            const struct step *step = &walk->notes.steps[i];
            walk->credit[step->situation].of[step->kind] += cycle.down_h - step->down_before_h;
        }
    }
    for (uint32_t i = 0; i < SITUATIONS; i++) {
        move_bias(&walk->bias[i], &walk->credit[i]);
    }
}

static void run_service(struct walk *walk, struct estimate_sums *sums)
{
    for (uint32_t i = 0; i < SITUATIONS; i++) {
        walk->bias[i] = untuned((i & 2) != 0);
    }
    for (uint32_t round = 0; round < ROUNDS; round++) {
        tune(walk);
    }
    for (uint32_t c = 0; c < CYCLES; c++) {
        const struct cycle cycle = run_cycle(walk, true);
        estimate_add_weighted(sums, cycle.down_h, cycle.outages);
    }
    for (uint32_t c = 0; c < LENGTH_CYCLES; c++) {
        const struct cycle cycle = run_cycle(walk, false);
        estimate_add_length(sums, cycle.hours);
        sums->simulated_h += cycle.hours;
    }
    sums->events = walk->events;
}

bool estimate_is(const struct spec_fleet *fleet, struct estimators_run *run, struct err *err)
{
    struct walk *walk = malloc(sizeof(*walk));
    ASSERT(walk != NULL);
    bool is_fine = true;
    for (uint32_t i = 0; i < fleet->service_count && is_fine; i++) {
        struct fleet_model model;
        memset(walk, 0, sizeof(*walk));
        is_fine =
            estimate_model(fleet, i, &model, err) && fleet_chain_init(&walk->chain, &model, err);
        if (is_fine) {
            walk->rng = rng_keyed(run->seed, i, 0, hash_text("importance sampling"));
            estimate_begin(&run->sums[i], fleet->services[i].name, ESTIMATE_IS);
            run_service(walk, &run->sums[i]);
            run->events += walk->events;
            run->digest = hash_mix(run->digest, walk->digest);
        }
    }
    free(walk);
    return is_fine;
}
