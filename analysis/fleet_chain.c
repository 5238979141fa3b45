/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The rules of a fleet, for exponential laws. Crews go to groups first; what is left of them is
 * spread over the machines that are broken.
 *
 * A new leader is any of the available machines with the same probability, and stays where it is.
 * Among machines that are all alike nobody needs to know which one it is: it goes as often as any
 * machine. Among several groups its group is a part of the state, since it is not in each of them
 * as often as the group has machines: who came back did not bring it along, and a large group that
 * takes the quorum with it does not keep it. Within its group it is any available machine. */
#include "analysis/fleet_chain.h"

#include "sim/base/base.h"

#include <math.h>
#include <string.h>

#define COUNT_MASK 0x7f

/* The moves being written. */
struct moves {
    const struct fleet_chain *chain;
    struct fleet_move *list;
    uint32_t count;
    enum fleet_move_kind kind;
};

/* -------------------------------------------------------------------------------------- a state */

/* Is it kept in which group the leader is? */
static bool is_tracked(const struct fleet_chain *chain)
{
    return chain->model.failover_h > 0 && chain->group_count > 1;
}

static uint32_t available_in(const struct fleet_chain *chain, const struct fleet_state *state,
                             uint32_t group)
{
    if ((state->groups[group] & FLEET_GROUP_DOWN) != 0) {
        return 0;
    }
    return chain->sizes[group] - (state->groups[group] & COUNT_MASK);
}

uint32_t fleet_chain_available(const struct fleet_chain *chain, const struct fleet_state *state)
{
    uint32_t count = 0;
    for (uint32_t g = 0; g < chain->group_count; g++) {
        count += available_in(chain, state, g);
    }
    return count;
}

bool fleet_chain_is_up(const struct fleet_chain *chain, const struct fleet_state *state)
{
    return state->phase == FLEET_PHASE_LEADER &&
           fleet_chain_available(chain, state) >= chain->model.needed;
}

static void canonicalise(const struct fleet_chain *chain, struct fleet_state *state)
{
    for (uint32_t i = 1; i < chain->group_count; i++) {
        const uint16_t group = state->groups[i];
        uint32_t at = i;
        while (at > 0 && chain->sizes[at - 1] == chain->sizes[i] && state->groups[at - 1] < group) {
            state->groups[at] = state->groups[at - 1];
            at--;
        }
        state->groups[at] = group;
    }
}

static void forget_leader(struct fleet_state *state)
{
    for (uint32_t g = 0; g < FLEET_GROUPS_MAX; g++) {
        state->groups[g] &= (uint16_t)~FLEET_GROUP_LEADER;
    }
}

/* Probability that the leader is among `lost` of the available machines of a group. */
static double leader_among(const struct fleet_chain *chain, const struct fleet_state *state,
                           uint32_t group, uint32_t lost)
{
    const uint32_t there = available_in(chain, state, group);
    if (!is_tracked(chain)) {
        const uint32_t all = fleet_chain_available(chain, state);
        return all > 0 && there > 0 ? (double)lost / all : 0;
    }
    return (state->groups[group] & FLEET_GROUP_LEADER) != 0 ? (double)lost / there : 0;
}

/* ---------------------------------------------------------------------------------------- moves */

static void go(struct moves *moves, struct fleet_state to, double rate)
{
    if (rate <= 0) {
        return;
    }
    ASSERT(moves->count < FLEET_MOVES_MAX);
    canonicalise(moves->chain, &to);
    moves->list[moves->count++] =
        (struct fleet_move){to, rate, moves->kind < FLEET_MOVE_REPAIR, moves->kind};
}

/* To `to`, in which machines went away; the leader was one of them with probability `leader`. */
static void lose(struct moves *moves, struct fleet_state to, double rate, double leader)
{
    const struct fleet_model *model = &moves->chain->model;
    if (model->failover_h <= 0) {
        go(moves, to, rate);
        return;
    }
    if (fleet_chain_available(moves->chain, &to) < model->needed) {
        to.phase = FLEET_PHASE_NO_QUORUM;
        forget_leader(&to);
        go(moves, to, rate);
        return;
    }
    if (to.phase == FLEET_PHASE_LEADER) {
        struct fleet_state without = to;
        without.phase = FLEET_PHASE_ELECTING;
        forget_leader(&without);
        moves->kind++;
        go(moves, without, rate * leader);
        moves->kind--;
        rate *= 1 - leader;
    }
    go(moves, to, rate);
}

/* To `to`, in which machines came back. */
static void gain(struct moves *moves, struct fleet_state to, double rate)
{
    const struct fleet_model *model = &moves->chain->model;
    if (model->failover_h > 0 && to.phase == FLEET_PHASE_NO_QUORUM &&
        fleet_chain_available(moves->chain, &to) >= model->needed) {
        to.phase = FLEET_PHASE_ELECTING;
    }
    go(moves, to, rate);
}

static void fail_machines(struct moves *moves, struct fleet_state state)
{
    const struct fleet_model *model = &moves->chain->model;
    const double alone = model->fail_per_h * (1 - model->shock_share - model->group_shock_share);
    struct fleet_state dark = state;
    moves->kind = FLEET_MOVE_MACHINE;
    for (uint32_t g = 0; g < moves->chain->group_count; g++) {
        uint32_t up = moves->chain->sizes[g] - (state.groups[g] & COUNT_MASK);
        dark.groups[g] = (uint16_t)((state.groups[g] & ~COUNT_MASK) | moves->chain->sizes[g]);
        if (up == 0) {
            continue;
        }
        struct fleet_state to = state;
        to.groups[g]++;
        lose(moves, to, up * alone, leader_among(moves->chain, &state, g, 1));
    }
    moves->kind = FLEET_MOVE_SHOCK;
    if (memcmp(&dark, &state, sizeof(state)) != 0) {
        lose(moves, dark, model->fail_per_h * model->shock_share, 1);
    }
}

static void fail_groups(struct moves *moves, struct fleet_state state)
{
    const struct fleet_model *model = &moves->chain->model;
    moves->kind = FLEET_MOVE_GROUP;
    for (uint32_t g = 0; model->groups > 0 && g < moves->chain->group_count; g++) {
        if ((state.groups[g] & FLEET_GROUP_DOWN) != 0) {
            continue;
        }
        struct fleet_state to = state;
        const uint32_t gone = available_in(moves->chain, &state, g);
        to.groups[g] |= FLEET_GROUP_DOWN;
        lose(moves, to, model->group_fail_per_h, leader_among(moves->chain, &state, g, gone));
    }
}

/* Shocks that strike the machines of one group. */
static void strike_groups(struct moves *moves, struct fleet_state state)
{
    const struct fleet_model *model = &moves->chain->model;
    moves->kind = FLEET_MOVE_SHOCK;
    for (uint32_t g = 0; model->groups > 0 && g < moves->chain->group_count; g++) {
        struct fleet_state to = state;
        const uint32_t gone = available_in(moves->chain, &state, g);
        to.groups[g] = (uint16_t)((state.groups[g] & ~COUNT_MASK) | moves->chain->sizes[g]);
        if (to.groups[g] != state.groups[g]) {
            lose(moves, to, model->fail_per_h * model->group_shock_share,
                 leader_among(moves->chain, &state, g, gone));
        }
    }
}

/* Crews go to groups first; what is left of them is spread over the machines that are down. */
static void repair(struct moves *moves, struct fleet_state state)
{
    const struct fleet_model *model = &moves->chain->model;
    double dark = 0;
    double broken = 0;
    for (uint32_t g = 0; g < moves->chain->group_count; g++) {
        dark += (state.groups[g] & FLEET_GROUP_DOWN) != 0;
        broken += state.groups[g] & COUNT_MASK;
    }
    double crews = model->crews == 0 ? dark + broken : (double)model->crews;
    double at_groups = fmin(crews, dark);
    double at_machines = fmin(crews - at_groups, broken);
    for (uint32_t g = 0; g < moves->chain->group_count; g++) {
        uint32_t down = state.groups[g] & COUNT_MASK;
        struct fleet_state to = state;
        if (down > 0) {
            to.groups[g]--;
            gain(moves, to, at_machines * down / broken * model->repair_per_h);
        }
        if ((state.groups[g] & FLEET_GROUP_DOWN) != 0) {
            to = state;
            to.groups[g] &= (uint16_t)~FLEET_GROUP_DOWN;
            gain(moves, to, at_groups / dark * model->group_repair_per_h);
        }
    }
}

/* A new leader: any of the available machines. */
static void elect(struct moves *moves, struct fleet_state state)
{
    const double rate = 1 / moves->chain->model.failover_h;
    const double all = fleet_chain_available(moves->chain, &state);
    state.phase = FLEET_PHASE_LEADER;
    if (!is_tracked(moves->chain)) {
        go(moves, state, rate);
        return;
    }
    for (uint32_t g = 0; g < moves->chain->group_count; g++) {
        struct fleet_state to = state;
        to.groups[g] |= FLEET_GROUP_LEADER;
        go(moves, to, rate * available_in(moves->chain, &state, g) / all);
    }
}

uint32_t fleet_chain_moves(const struct fleet_chain *chain, const struct fleet_state *state,
                           struct fleet_move list[FLEET_MOVES_MAX])
{
    struct moves moves = {.chain = chain, .list = list};
    fail_machines(&moves, *state);
    fail_groups(&moves, *state);
    strike_groups(&moves, *state);
    moves.kind = FLEET_MOVE_REPAIR;
    repair(&moves, *state);
    moves.kind = FLEET_MOVE_ELECTION;
    if (state->phase == FLEET_PHASE_ELECTING) {
        elect(&moves, *state);
    }
    return moves.count;
}

/* ---------------------------------------------------------------------------------------- public
 */

static bool check(const struct fleet_model *model, struct err *err)
{
    bool is_sized = model->machines >= 1 && model->machines <= FLEET_MACHINES_MAX &&
                    model->needed >= 1 && model->needed <= model->machines &&
                    model->groups <= FLEET_GROUPS_MAX && model->groups <= model->machines;
    bool is_rated = model->fail_per_h > 0 && isfinite(model->fail_per_h) &&
                    model->repair_per_h > 0 && isfinite(model->repair_per_h) &&
                    model->shock_share >= 0 && model->group_shock_share >= 0 &&
                    model->shock_share + model->group_shock_share <= 1 && model->failover_h >= 0 &&
                    isfinite(model->failover_h);
    const bool is_eternal = model->group_fail_per_h == 0 && model->group_shock_share > 0;
    bool is_grouped = model->groups == 0 || is_eternal ||
                      (model->group_fail_per_h > 0 && isfinite(model->group_fail_per_h) &&
                       model->group_repair_per_h > 0 && isfinite(model->group_repair_per_h));
    return (is_sized && is_rated && is_grouped) ||
           err_set(err, ERR_INPUT,
                   "a fleet needs 1 to %d machines, at most %d groups, a quorum of "
                   "them, and positive rates",
                   FLEET_MACHINES_MAX, FLEET_GROUPS_MAX);
}

bool fleet_chain_init(struct fleet_chain *chain, const struct fleet_model *model, struct err *err)
{
    if (!check(model, err)) {
        return false;
    }
    *chain = (struct fleet_chain){.model = *model};
    chain->group_count = model->groups > 0 ? model->groups : 1;
    for (uint32_t g = 0; g < chain->group_count; g++) {
        uint32_t extra = g < model->machines % chain->group_count ? 1 : 0;
        chain->sizes[g] = (uint8_t)(model->machines / chain->group_count + extra);
    }
    return true;
}

uint32_t fleet_chain_starts(const struct fleet_chain *chain,
                            struct fleet_state states[FLEET_STARTS_MAX],
                            double chances[FLEET_STARTS_MAX])
{
    uint32_t count = 0;
    for (uint32_t g = 0; g < chain->group_count; g++) {
        const double chance = (double)chain->sizes[g] / chain->model.machines;
        struct fleet_state state = {0};
        if (is_tracked(chain)) {
            state.groups[g] = FLEET_GROUP_LEADER;
            canonicalise(chain, &state);
        }
        if (count > 0 && memcmp(&states[count - 1], &state, sizeof(state)) == 0) {
            chances[count - 1] += chance;
            continue;
        }
        ASSERT(count < FLEET_STARTS_MAX);
        states[count] = state;
        chances[count++] = chance;
    }
    return count;
}

bool fleet_chain_is_whole(const struct fleet_chain *chain, const struct fleet_state *state)
{
    uint32_t gone = 0;
    for (uint32_t g = 0; g < chain->group_count; g++) {
        gone += (state->groups[g] & ~FLEET_GROUP_LEADER) != 0 ? 1 : 0;
    }
    return gone == 0 && state->phase == FLEET_PHASE_LEADER;
}
