/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The rules of a fleet, for exponential laws. Crews go to groups first; what is left of them is
 * spread over the machines that are broken. The leader is any of the available machines with the
 * same probability, so a loss takes it with the share of machines that went. */
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
        uint8_t byte = state->groups[i];
        uint32_t at = i;
        while (at > 0 && chain->sizes[at - 1] == chain->sizes[i] && state->groups[at - 1] < byte) {
            state->groups[at] = state->groups[at - 1];
            at--;
        }
        state->groups[at] = byte;
    }
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
        go(moves, to, rate);
        return;
    }
    if (to.phase == FLEET_PHASE_LEADER) {
        struct fleet_state without = to;
        without.phase = FLEET_PHASE_ELECTING;
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
    const double alone = model->fail_per_h * (1 - model->shock_share);
    const double all = fleet_chain_available(moves->chain, &state);
    struct fleet_state dark = state;
    moves->kind = FLEET_MOVE_MACHINE;
    for (uint32_t g = 0; g < moves->chain->group_count; g++) {
        uint32_t up = moves->chain->sizes[g] - (state.groups[g] & COUNT_MASK);
        dark.groups[g] = (uint8_t)((state.groups[g] & FLEET_GROUP_DOWN) | moves->chain->sizes[g]);
        if (up == 0) {
            continue;
        }
        struct fleet_state to = state;
        to.groups[g]++;
        bool is_seen = (state.groups[g] & FLEET_GROUP_DOWN) == 0;
        lose(moves, to, up * alone, is_seen && all > 0 ? 1 / all : 0);
    }
    moves->kind = FLEET_MOVE_SHOCK;
    if (memcmp(&dark, &state, sizeof(state)) != 0) {
        lose(moves, dark, model->fail_per_h * model->shock_share, 1);
    }
}

static void fail_groups(struct moves *moves, struct fleet_state state)
{
    const struct fleet_model *model = &moves->chain->model;
    const double all = fleet_chain_available(moves->chain, &state);
    moves->kind = FLEET_MOVE_GROUP;
    for (uint32_t g = 0; model->groups > 0 && g < moves->chain->group_count; g++) {
        if ((state.groups[g] & FLEET_GROUP_DOWN) != 0) {
            continue;
        }
        struct fleet_state to = state;
        double gone = available_in(moves->chain, &state, g);
        to.groups[g] |= FLEET_GROUP_DOWN;
        lose(moves, to, model->group_fail_per_h, all > 0 ? gone / all : 0);
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
            to.groups[g] &= COUNT_MASK;
            gain(moves, to, at_groups / dark * model->group_repair_per_h);
        }
    }
}

uint32_t fleet_chain_moves(const struct fleet_chain *chain, const struct fleet_state *state,
                           struct fleet_move list[FLEET_MOVES_MAX])
{
    struct moves moves = {.chain = chain, .list = list};
    fail_machines(&moves, *state);
    fail_groups(&moves, *state);
    moves.kind = FLEET_MOVE_REPAIR;
    repair(&moves, *state);
    moves.kind = FLEET_MOVE_ELECTION;
    if (state->phase == FLEET_PHASE_ELECTING) {
        struct fleet_state to = *state;
        to.phase = FLEET_PHASE_LEADER;
        go(&moves, to, 1 / chain->model.failover_h);
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
