/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Importance sampling on the jump chain of the fleet. Until the quorum is lost for the first time
 * in a cycle, the type of the next event (a machine, a rack, a shock, with the leader or without,
 * repairs of machines and of racks, an election) is drawn from probabilities that are given and not
 * from the tiny ones that it has: failure biasing that is balanced over the types (Shahabuddin,
 * Management Science 40, 1994: the relative error stays bounded however rare the outage). Within a
 * type nothing is biased. From the loss of the quorum on, and for the lengths of cycles, nothing is
 * biased at all. Time in a state is its mean, never drawn.
 *
 * A short outage without a leader does not end the bias: what is rare and long may still come in
 * that cycle, and without the bias it would be seen once in a thousand times, with a weight to
 * match. The estimate would be too low as a rule, and its interval too short.
 *
 * The best probability of a move is its own times what the state after it is worth, over what the
 * state before it is worth (L'Ecuyer and Tuffin, Annals of Operations Research 189, 2011). So rates
 * are multiplied, by a factor for each type in each situation (machines away, groups down, leader
 * or election), and not replaced: what is possible in one state of a situation and not in another
 * does not spoil the rest. Moves that change nobody's availability, as a machine that breaks in a
 * rack that is down, are worth what they were and keep their rates. Multipliers are tuned by a few
 * rounds of cross-entropy (Rubinstein and Kroese, The Cross-Entropy Method, 2004, 3.3): a step is
 * credited with the weighted time down that came after it, which is what the step leads to (the
 * optimal change of measure of an additive cost looks ahead, never back), and each multiplier is
 * moved until what was taken is what was expected (iterative scaling: Darroch and Ratcliff, Annals
 * of Mathematical Statistics 43, 1972). A situation that was seen little has those of all with as
 * many machines away. What the rounds never saw must not have a large weight: a share of the cycles
 * is not tuned at all, and all are weighed against the mixture of the two (Hesterberg,
 * Technometrics 37, 1995: defensive mixture).
 *
 * Only chances of failures are touched, never anything that runs on the machines. Weights are
 * doubles made with + - * / alone, and so are the chances. */
#include "analysis/estimators.h"

#include "analysis/fleet_chain.h"
#include "sim/base/base.h"
#include "sim/base/hash.h"

#include <stdlib.h>
#include <string.h>

#define CYCLES       2000 /* of one replication, with the bias and as many without */
#define WARM_CYCLES  200
#define ROUNDS       8
#define ROUND_CYCLES 500
#define GROUP_CYCLES 60  /* more for each group: there are as many more situations */
#define BIAS         0.9 /* all failures, untuned */
#define EVEN         0.3 /* share of cycles that are not tuned */
#define DEFENCE      0.1
#define DEFENCE_BIAS 0.5      /* all failures, in that part */
#define MEMORY       0.3      /* of the round before */
#define DOUBT        1e-4     /* share of the credit that is given to what is expected */
#define STEPS_MAX    10000000 /* of one cycle: whoever never comes back */
#define SEEN_MIN     30       /* steps with a credit before a situation has a bias of its own */
#define DARK_MAX     (FLEET_GROUPS_MAX + 1)
#define SITUATIONS   (2 * (FLEET_MACHINES_MAX + 1) * (DARK_MAX + 1))

/* What may happen, as far as the bias is concerned: kinds of moves (FLEET_MOVE_KINDS of them), and
 * apart from them those that only touch what is away anyhow, and repairs of groups. */
enum type {
    TYPE_MACHINE_HIDDEN = FLEET_MOVE_KINDS, /* one or all, in a group that is down */
    TYPE_GROUP_HIDDEN,                      /* all its machines are broken */
    TYPE_REPAIR_HIDDEN,                     /* of a machine */
    TYPE_GROUP_REPAIR,
    TYPE_GROUP_REPAIR_HIDDEN,
    TYPES
};

/* By how much the rates of the types of the next event are multiplied, by situation. */
struct bias {
    double of[TYPES];
    uint32_t seen; /* steps that it was tuned with */
};

/* What steps of a tuning round from a situation were worth. */
struct credit {
    double taken[TYPES];    /* by type */
    double expected[TYPES]; /* the same if the types were as likely as the present bias has them */
    double all;
    uint32_t seen;
};

/* A step of a cycle under the bias. */
struct step {
    uint16_t situation;
    uint16_t type;
    double down_before_h; /* weighted, in the cycle so far */
    double rates[TYPES];
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

/* What may happen, and by type. */
struct choice {
    struct fleet_move moves[FLEET_MOVES_MAX];
    uint8_t types[FLEET_MOVES_MAX];
    uint32_t count;
    double rates[TYPES];
    double all;
    uint32_t away; /* machines */
    uint32_t dark; /* groups */
};

struct walk {
    struct fleet_chain chain;
    struct rng rng;
    struct fleet_state home; /* in which cycles begin */
    struct bias bias[SITUATIONS];
    struct credit credit[SITUATIONS]; /* of a tuning round */
    struct choice choice;
    struct notes notes;
    uint64_t events;
    uint64_t digest;
};

static uint32_t dark_of(const struct fleet_chain *chain, const struct fleet_state *state)
{
    uint32_t dark = 0;
    for (uint32_t g = 0; g < chain->group_count; g++) {
        dark += (state->groups[g] & FLEET_GROUP_DOWN) != 0 ? 1 : 0;
    }
    return dark;
}

/* The type of a move to a state with so many away and dark. */
static uint32_t type_of(const struct choice *choice, enum fleet_move_kind kind, uint32_t away,
                        uint32_t dark)
{
    const bool is_hidden = away == choice->away;
    if (kind == FLEET_MOVE_REPAIR) {
        if (dark < choice->dark) {
            return is_hidden ? TYPE_GROUP_REPAIR_HIDDEN : TYPE_GROUP_REPAIR;
        }
        return is_hidden ? TYPE_REPAIR_HIDDEN : FLEET_MOVE_REPAIR;
    }
    if (is_hidden && (kind == FLEET_MOVE_MACHINE || kind == FLEET_MOVE_SHOCK)) {
        return TYPE_MACHINE_HIDDEN;
    }
    return is_hidden && kind == FLEET_MOVE_GROUP ? TYPE_GROUP_HIDDEN : (uint32_t)kind;
}

static void look(struct walk *walk, const struct fleet_state *state)
{
    const struct fleet_chain *chain = &walk->chain;
    struct choice *choice = &walk->choice;
    choice->count = fleet_chain_moves(chain, state, choice->moves);
    choice->away = chain->model.machines - fleet_chain_available(chain, state);
    choice->dark = dark_of(chain, state);
    choice->all = 0;
    memset(choice->rates, 0, sizeof(choice->rates));
    for (uint32_t i = 0; i < choice->count; i++) {
        const struct fleet_move *move = &choice->moves[i];
        const uint32_t away = chain->model.machines - fleet_chain_available(chain, &move->to);
        const uint32_t type = type_of(choice, move->kind, away, dark_of(chain, &move->to));
        choice->types[i] = (uint8_t)type;
        choice->rates[type] += move->rate;
        choice->all += move->rate;
    }
}

/* A uniform double in [0, 1) with 53 bits. */
static double draw(struct rng *rng)
{
    return (double)(rng_u64(rng) >> 11) * 0x1p-53;
}

/* The move at `at` of the total rate of the moves of a type; TYPES: of all. */
static uint32_t pick(const struct choice *choice, double at, uint32_t type)
{
    uint32_t last = 0;
    for (uint32_t i = 0; i < choice->count; i++) {
        if (type != TYPES && choice->types[i] != type) {
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

static uint32_t situation_of(const struct choice *choice, const struct fleet_state *state,
                             uint32_t dark)
{
    return 2 * ((DARK_MAX + 1) * choice->away + dark) +
           (state->phase == FLEET_PHASE_LEADER ? 0 : 1);
}

/* Is nobody's availability changed? */
static bool is_hidden(uint32_t type)
{
    return type == TYPE_MACHINE_HIDDEN || type == TYPE_GROUP_HIDDEN || type == TYPE_REPAIR_HIDDEN ||
           type == TYPE_GROUP_REPAIR_HIDDEN;
}

static bool is_failure(uint32_t type)
{
    return type < FLEET_MOVE_REPAIR;
}

/* Chances in the present state: a failure that takes somebody away with probability `bias`, and all
 * types of them alike; the rest as it is. */
static void balance(const struct choice *choice, double bias, double chances[TYPES])
{
    double others = 0;
    uint32_t failures = 0;
    for (uint32_t i = 0; i < TYPES; i++) {
        failures += is_failure(i) && choice->rates[i] > 0 ? 1 : 0;
        others += is_failure(i) ? 0 : choice->rates[i];
    }
    bias = others > 0 ? bias : 1;
    bias = failures > 0 ? bias : 0;
    for (uint32_t i = 0; i < TYPES; i++) {
        chances[i] = 0;
        if (choice->rates[i] > 0) {
            chances[i] = is_failure(i) ? bias / failures : (1 - bias) * choice->rates[i] / others;
        }
    }
}

/* Failures are likely, and all types of them alike; while a leader is sought, less so: that time is
 * short. */
static void chances_even(const struct choice *choice, bool is_electing, double chances[TYPES])
{
    balance(choice, is_electing ? 1 - BIAS : BIAS, chances);
}

/* As multiplied rates have it. */
static void chances_multiplied(const double rates[TYPES], const struct bias *bias,
                               double chances[TYPES])
{
    double all = 0;
    for (uint32_t i = 0; i < TYPES; i++) {
        chances[i] = rates[i] * bias->of[i];
        all += chances[i];
    }
    for (uint32_t i = 0; i < TYPES; i++) {
        chances[i] /= all;
    }
}

/* What was tuned for the situation, with a defence. */
static void chances_tuned(const struct choice *choice, const struct bias *bias,
                          double chances[TYPES])
{
    double defence[TYPES];
    balance(choice, DEFENCE_BIAS, defence);
    chances_multiplied(choice->rates, bias, chances);
    for (uint32_t i = 0; i < TYPES; i++) {
        chances[i] = DEFENCE * defence[i] + (1 - DEFENCE) * chances[i];
    }
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
static uint32_t step_biased(struct walk *walk, const struct bias *bias, bool is_electing,
                            struct ratios *ratios)
{
    const struct choice *choice = &walk->choice;
    double tuned[TYPES];
    double even[TYPES];
    chances_even(choice, is_electing, even);
    if (bias == NULL) {
        memcpy(tuned, even, sizeof(tuned));
    } else {
        chances_tuned(choice, bias, tuned);
    }
    const double *chances = ratios->is_even ? even : tuned;
    double at = draw(&walk->rng);
    uint32_t type = TYPES;
    for (uint32_t i = 0; i < TYPES && (at >= 0 || type == TYPES); i++) {
        if (choice->rates[i] > 0) {
            type = i;
            at -= chances[i];
        }
    }
    ASSERT(type < TYPES);
    const double chance = choice->rates[type] / choice->all;
    ratios->tuned *= chance / tuned[type];
    ratios->even *= chance / even[type];
    return pick(choice, draw(&walk->rng) * choice->rates[type], type);
}

/* --------------------------------------------------------------------------------------- cycles */

static void note(struct notes *notes, const struct choice *choice, uint32_t situation,
                 uint32_t type, double down_h)
{
    if (notes->count < STEPS_NOTED) {
        struct step *step = &notes->steps[notes->count++];
        *step = (struct step){(uint16_t)situation, (uint16_t)type, down_h, {0}};
        memcpy(step->rates, choice->rates, sizeof(step->rates));
    }
}

/* The chances of the present situation, or, where too little is known of it, of all with so many
 * machines away and any group dark, or none; NULL: nothing is known. */
static const struct bias *bias_of(const struct walk *walk, const struct fleet_state *state)
{
    const struct choice *choice = &walk->choice;
    const struct bias *fine = &walk->bias[situation_of(choice, state, choice->dark)];
    const struct bias *coarse = &walk->bias[situation_of(choice, state, DARK_MAX)];
    if (fine->seen >= SEEN_MIN) {
        return fine;
    }
    return coarse->seen >= SEEN_MIN ? coarse : NULL;
}

/* One cycle from all-up to all-up. Without a bias it leaves the next one to begin where it ended:
 * where the leader is may make several states of all-up. */
static struct cycle run_cycle(struct walk *walk, bool is_biased)
{
    const struct choice *choice = &walk->choice;
    const bool is_home = !is_biased;
    struct fleet_state state = walk->home;
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
            const uint32_t situation = situation_of(choice, &state, choice->dark);
            move = step_biased(walk, bias_of(walk, &state), state.phase != FLEET_PHASE_LEADER,
                               &ratios);
            weight = weight_of(&ratios);
            note(&walk->notes, choice, situation, choice->types[move], cycle.down_h);
        } else {
            move = pick(choice, draw(&walk->rng) * choice->all, TYPES);
        }
        state = choice->moves[move].to;
        walk->events++;
        walk->digest = hash_mix(walk->digest, move);
        steps++;
    } while (!fleet_chain_is_whole(&walk->chain, &state) && steps < STEPS_MAX);
    walk->home = is_home ? state : walk->home;
    return cycle;
}

/* One step of iterative scaling towards the multipliers under which what is expected is what was
 * taken. What was seen little is moved little. */
static void move_bias(struct bias *bias, const struct credit *credit)
{
    const double memory = bias->seen > 0 ? MEMORY : 0;
    for (uint32_t i = 0; credit->all > 0 && i < TYPES; i++) {
        if (is_hidden(i)) {
            continue;
        }
        const double ratio =
            (credit->taken[i] + DOUBT * credit->all) / (credit->expected[i] + DOUBT * credit->all);
        bias->of[i] *= memory + (1 - memory) * ratio;
    }
    bias->seen += credit->seen;
}

static void add_credit(struct credit *credit, const struct bias *bias, const struct step *step,
                       double worth)
{
    double chances[TYPES];
    chances_multiplied(step->rates, bias, chances);
    for (uint32_t i = 0; i < TYPES; i++) {
        credit->expected[i] += worth * chances[i];
    }
    credit->taken[step->type] += worth;
    credit->all += worth;
    credit->seen++;
}

/* One round of cross-entropy: moves the biases to what the time down of this round came from. */
static void tune(struct walk *walk)
{
    memset(walk->credit, 0, sizeof(walk->credit));
    const uint32_t cycles = ROUND_CYCLES + GROUP_CYCLES * walk->chain.model.groups;
    for (uint32_t c = 0; c < cycles; c++) {
        const struct cycle cycle = run_cycle(walk, true);
        for (uint32_t i = 0; i < walk->notes.count; i++) {
            const struct step *step = &walk->notes.steps[i];
            const double worth = cycle.down_h - step->down_before_h;
            const uint32_t dark = step->situation / 2 % (DARK_MAX + 1);
            const uint32_t coarse = step->situation + 2 * (DARK_MAX - dark);
            if (worth > 0) {
                add_credit(&walk->credit[step->situation], &walk->bias[step->situation], step,
                           worth);
                add_credit(&walk->credit[coarse], &walk->bias[coarse], step, worth);
            }
        }
    }
    for (uint32_t i = 0; i < SITUATIONS; i++) {
        move_bias(&walk->bias[i], &walk->credit[i]);
    }
}

static void run_service(struct walk *walk, struct estimate_sums *sums)
{
    for (uint32_t i = 0; i < SITUATIONS; i++) {
        for (uint32_t type = 0; type < TYPES; type++) {
            walk->bias[i].of[type] = 1;
        }
    }
    struct fleet_state starts[FLEET_STARTS_MAX];
    double chances[FLEET_STARTS_MAX];
    (void)fleet_chain_starts(&walk->chain, starts, chances);
    walk->home = starts[0];
    for (uint32_t round = 0; round < ROUNDS; round++) {
        tune(walk);
    }
    for (uint32_t c = 0; c < WARM_CYCLES; c++) {
        (void)run_cycle(walk, false);
    }
    for (uint32_t c = 0; c < CYCLES; c++) {
        const struct cycle cycle = run_cycle(walk, true);
        const struct cycle plain = run_cycle(walk, false);
        estimate_add_weighted(sums, cycle.down_h, cycle.outages);
        estimate_add_length(sums, plain.hours);
        sums->simulated_h += plain.hours;
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
