/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A fleet as a Markov chain: its states, lumped over machines and groups that are alike, and what
 * may happen in each. analysis/fleet_exact.c solves it, analysis/estimate_is.c walks through it. */
#ifndef SQUALL_ANALYSIS_FLEET_CHAIN_H
#define SQUALL_ANALYSIS_FLEET_CHAIN_H

#include "analysis/fleet_exact.h"

#define FLEET_GROUP_DOWN   0x80
#define FLEET_GROUP_LEADER 0x100
#define FLEET_MOVES_MAX    (9 * FLEET_GROUPS_MAX + 8)
#define FLEET_STARTS_MAX   2

enum fleet_phase {
    FLEET_PHASE_LEADER, /* or no leader is asked for */
    FLEET_PHASE_ELECTING,
    FLEET_PHASE_NO_QUORUM,
};

/* For each group the number of its machines that are broken, with FLEET_GROUP_DOWN when itself is
 * down, and FLEET_GROUP_LEADER when the leader is in it; without groups there is one that never
 * fails. Groups of one size are in falling order. Where the leader is, is only kept where it
 * matters: among several groups. */
struct fleet_state {
    uint16_t groups[FLEET_GROUPS_MAX];
    uint16_t phase;
};

struct fleet_chain {
    struct fleet_model model;
    uint32_t group_count; /* at least 1 */
    uint8_t sizes[FLEET_GROUPS_MAX];
};

/* What happens in a move. Those that also take the leader, and leave a quorum, are kinds of their
 * own: they are down at once. */
enum fleet_move_kind {
    FLEET_MOVE_MACHINE,
    FLEET_MOVE_MACHINE_LEADER,
    FLEET_MOVE_SHOCK, /* of all machines, or of those of a group */
    FLEET_MOVE_SHOCK_LEADER,
    FLEET_MOVE_GROUP,
    FLEET_MOVE_GROUP_LEADER,
    FLEET_MOVE_REPAIR, /* failures end here */
    FLEET_MOVE_ELECTION,
    FLEET_MOVE_KINDS
};

struct fleet_move {
    struct fleet_state to;
    double rate; /* per hour, > 0 */
    bool is_failure;
    enum fleet_move_kind kind;
};

/* False (ERR_INPUT): the model is out of range. */
bool fleet_chain_init(struct fleet_chain *chain, const struct fleet_model *model, struct err *err);
/* The states in which all is up, and the probability of each when the leader is any machine with
 * the same probability: one, but for groups of two sizes and a leader; returns how many. */
uint32_t fleet_chain_starts(const struct fleet_chain *chain,
                            struct fleet_state states[FLEET_STARTS_MAX],
                            double chances[FLEET_STARTS_MAX]);
/* Is it one of them? */
bool fleet_chain_is_whole(const struct fleet_chain *chain, const struct fleet_state *state);
/* Writes what may happen in `state`; returns how many moves. */
uint32_t fleet_chain_moves(const struct fleet_chain *chain, const struct fleet_state *state,
                           struct fleet_move moves[FLEET_MOVES_MAX]);
uint32_t fleet_chain_available(const struct fleet_chain *chain, const struct fleet_state *state);
bool fleet_chain_is_up(const struct fleet_chain *chain, const struct fleet_state *state);

#endif
