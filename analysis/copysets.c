/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The closed form takes copysets as independent. Those of a window are not: neighbouring ones
 * overlap, so losses come together and are rarer than the closed form says (17.5 % instead of 19.1
 * % of 5000 nodes). That is why there is a simulation beside it, and why the two disagree there.
 *
 * A trial draws the lost nodes by the first steps of a shuffle. In a window data is lost when some
 * lost node has replicas - 1 lost ones among the next `scatter`; with permutations, when a set is
 * lost as a whole. Nodes that are left over by the cut of a permutation belong to no set of it.
 * Placements are drawn again every REDRAWN trials, so that the answer is about placements and not
 * about one. Trials of one placement are nearly independent where there are many nodes: what is
 * lost depends little on which sets they are. Of few nodes (six in pairs: the variance doubles)
 * each trial has a placement of its own, since intervals take trials as independent.
 *
 * Random placement has millions of chunks, of which a trial needs those of the lost nodes. So no
 * placement is stored: the chunks whose first replica is on a node are a function of (seed,
 * placement, node), drawn again whenever they are looked at. */
#include "analysis/copysets.h"

#include "sim/base/base.h"
#include "sim/base/hash.h"
#include "sim/base/rng.h"
#include "sim/base/vec.h"

#include <math.h>
#include <stdlib.h>

#define REDRAWN   100
#define NODES_FEW 100

bool copysets_check(const struct copysets *copysets, struct err *err)
{
    if (copysets->replicas < 2 || copysets->replicas > COPYSETS_REPLICAS_MAX) {
        return err_set(err, ERR_INPUT, "there are 2 to %d replicas", COPYSETS_REPLICAS_MAX);
    }
    if (copysets->nodes < copysets->replicas || copysets->nodes > COPYSETS_NODES_MAX) {
        return err_set(err, ERR_INPUT, "there are %u (the replicas) to %d nodes",
                       copysets->replicas, COPYSETS_NODES_MAX);
    }
    if (copysets->lost < copysets->replicas || copysets->lost > copysets->nodes) {
        return err_set(err, ERR_INPUT, "%u of %u nodes lost: at least as many as replicas",
                       copysets->lost, copysets->nodes);
    }
    return (copysets->scatter >= copysets->replicas - 1 && copysets->scatter < copysets->nodes) ||
           err_set(err, ERR_INPUT,
                   "the scatter is at least the replicas less one, and below the "
                   "number of nodes");
}

static double choose(uint32_t n, uint32_t k)
{
    double product = 1;
    for (uint32_t i = 0; i < k; i++) {
        product *= (double)(n - i) / (i + 1);
    }
    return product;
}

double copysets_loss(const struct copysets *copysets, double sets)
{
    double q = 1;
    for (uint32_t i = 0; i < copysets->replicas; i++) {
        q *= (double)(copysets->lost - i) / (copysets->nodes - i);
    }
    return -expm1(sets * log1p(-q));
}

double copysets_of_window(const struct copysets *copysets)
{
    return copysets->nodes * choose(copysets->scatter, copysets->replicas - 1);
}

double copysets_of_chunks(const struct copysets *copysets, uint32_t chunks)
{
    return floor((double)chunks * copysets->nodes / copysets->replicas);
}

double copysets_of_permutations(const struct copysets *copysets)
{
    const uint32_t permutations = copysets->scatter / (copysets->replicas - 1);
    return (double)permutations * copysets->nodes / copysets->replicas;
}

/* ------------------------------------------------------------------------------------- by trials
 */

struct lab {
    const struct copysets *copysets;
    struct rng rng;
    uint32_t *shuffled; /* nodes; the first `lost` of them are lost */
    uint32_t *set_of;   /* [permutation * nodes + node] */
    uint32_t *hits;     /* of each set, by permutation; 0 between trials */
    uint32_t permutations;
};

/* Trials that share a placement. */
static uint32_t redrawn(const struct copysets *copysets)
{
    return copysets->nodes < NODES_FEW ? 1 : REDRAWN;
}

/* The first `count` places of a uniform shuffle. */
static void shuffle(struct lab *lab, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t other = i + (uint32_t)rng_below(&lab->rng, lab->copysets->nodes - i);
        const uint32_t kept = lab->shuffled[i];
        lab->shuffled[i] = lab->shuffled[other];
        lab->shuffled[other] = kept;
    }
}

static void place(struct lab *lab)
{
    const uint32_t nodes = lab->copysets->nodes;
    for (uint32_t p = 0; p < lab->permutations; p++) {
        shuffle(lab, nodes);
        for (uint32_t i = 0; i < nodes; i++) {
            lab->set_of[(size_t)p * nodes + lab->shuffled[i]] = i / lab->copysets->replicas;
        }
    }
}

static bool is_lost_in_permutations(struct lab *lab)
{
    const uint32_t nodes = lab->copysets->nodes;
    bool is_lost = false;
    for (uint32_t p = 0; p < lab->permutations && !is_lost; p++) {
        const uint32_t *set_of = &lab->set_of[(size_t)p * nodes];
        for (uint32_t i = 0; i < lab->copysets->lost; i++) {
            is_lost = ++lab->hits[set_of[lab->shuffled[i]]] == lab->copysets->replicas || is_lost;
        }
        for (uint32_t i = 0; i < lab->copysets->lost; i++) {
            lab->hits[set_of[lab->shuffled[i]]] = 0;
        }
    }
    return is_lost;
}

static int compare_nodes(const void *left, const void *right)
{
    const uint32_t a = *(const uint32_t *)left;
    const uint32_t b = *(const uint32_t *)right;
    return a < b ? -1 : a > b;
}

static bool is_lost_in_window(struct lab *lab)
{
    const struct copysets *copysets = lab->copysets;
    const uint32_t others = copysets->replicas - 1;
    /* A shuffle of a sorted beginning is as uniform as any. */
    sort_stable(lab->shuffled, copysets->lost, sizeof(*lab->shuffled), compare_nodes);
    for (uint32_t i = 0; i < copysets->lost; i++) {
        const uint32_t last = (i + others) % copysets->lost;
        const uint32_t distance =
            (lab->shuffled[last] + copysets->nodes - lab->shuffled[i]) % copysets->nodes;
        if (others < copysets->lost && distance <= copysets->scatter) {
            return true;
        }
    }
    return false;
}

/* ------------------------------------------------------------------------------ random placement
 */

/* First replicas on nodes before this one. */
static uint64_t firsts_before(const struct copysets *copysets, uint32_t chunks, uint32_t node)
{
    return (uint64_t)chunks * node / copysets->replicas;
}

/* Another node than those that the chunk has. */
static uint32_t draw_other(struct rng *rng, uint32_t nodes, const uint32_t *has, uint32_t count)
{
    for (;;) {
        const uint32_t drawn = (uint32_t)rng_below(rng, nodes);
        bool is_new = true;
        for (uint32_t i = 0; i < count; i++) {
            is_new = is_new && has[i] != drawn;
        }
        if (is_new) {
            return drawn;
        }
    }
}

/* Are all replicas lost of a chunk whose first is on this node? `is_lost` by node. */
static bool loses_chunk_of(const struct copysets *copysets, uint32_t chunks, uint64_t placement,
                           uint32_t node, const bool *is_lost)
{
    struct rng rng = rng_stream(placement, "random", node, "copysets");
    const uint64_t count =
        firsts_before(copysets, chunks, node + 1) - firsts_before(copysets, chunks, node);
    for (uint64_t chunk = 0; chunk < count; chunk++) {
        uint32_t has[COPYSETS_REPLICAS_MAX] = {node};
        bool is_gone = true;
        for (uint32_t i = 1; i < copysets->replicas; i++) {
            has[i] = draw_other(&rng, copysets->nodes, has, i);
            is_gone = is_gone && is_lost[has[i]];
        }
        if (is_gone) {
            return true;
        }
    }
    return false;
}

uint32_t copysets_simulate_random(const struct copysets *copysets, uint32_t chunks,
                                  struct copysets_trials trials)
{
    struct lab lab = {.copysets = copysets,
                      .rng = rng_stream(trials.seed, "random", 0, "copysets-lost")};
    bool *is_lost = calloc(copysets->nodes, sizeof(*is_lost));
    lab.shuffled = calloc(copysets->nodes, sizeof(*lab.shuffled));
    ASSERT(lab.shuffled != NULL && is_lost != NULL);
    for (uint32_t i = 0; i < copysets->nodes; i++) {
        lab.shuffled[i] = i;
    }
    uint32_t lost = 0;
    for (uint32_t trial = 0; trial < trials.trials; trial++) {
        const uint64_t placement = hash_mix(trials.seed, trial / redrawn(copysets));
        bool is_hit = false;
        shuffle(&lab, copysets->lost);
        for (uint32_t i = 0; i < copysets->lost; i++) {
            is_lost[lab.shuffled[i]] = true;
        }
        for (uint32_t i = 0; i < copysets->lost && !is_hit; i++) {
            is_hit = loses_chunk_of(copysets, chunks, placement, lab.shuffled[i], is_lost);
        }
        for (uint32_t i = 0; i < copysets->lost; i++) {
            is_lost[lab.shuffled[i]] = false;
        }
        lost += is_hit ? 1 : 0;
    }
    free(lab.shuffled);
    free(is_lost);
    return lost;
}

uint32_t copysets_simulate(const struct copysets *copysets, enum copysets_placement placement,
                           struct copysets_trials trials)
{
    const bool is_window = placement == COPYSETS_WINDOW;
    struct lab lab = {
        .copysets = copysets,
        .rng = rng_stream(trials.seed, is_window ? "window" : "permutations", 0, "copysets"),
        .permutations = is_window ? 0 : copysets->scatter / (copysets->replicas - 1)};
    lab.shuffled = calloc(copysets->nodes, sizeof(*lab.shuffled));
    lab.hits = calloc(copysets->nodes, sizeof(*lab.hits));
    lab.set_of = calloc((size_t)copysets->nodes * (lab.permutations + 1), sizeof(*lab.set_of));
    ASSERT(lab.shuffled != NULL && lab.hits != NULL && lab.set_of != NULL);
    for (uint32_t i = 0; i < copysets->nodes; i++) {
        lab.shuffled[i] = i;
    }
    uint32_t lost = 0;
    for (uint32_t trial = 0; trial < trials.trials; trial++) {
        if (trial % redrawn(copysets) == 0) {
            place(&lab);
        }
        shuffle(&lab, copysets->lost);
        lost += is_window ? is_lost_in_window(&lab) : is_lost_in_permutations(&lab);
    }
    free(lab.shuffled);
    free(lab.hits);
    free(lab.set_of);
    return lost;
}
