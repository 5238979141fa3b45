/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A node votes for at most one candidate in a term, and remembers it across restarts (Ongaro &
 * Ousterhout 2014, section 5.2: votedFor is persistent state).
 *
 * What a node said before a crash or a power loss binds its later incarnations. After SQ_LIFE_WIPE
 * its votes are forgotten: the scenario itself took its memory away, and what follows from that is
 * for election safety to say. */
#include "analysis/check.h"

#include "sim/base/base.h"
#include "sim/base/hash.h"
#include "sim/base/map.h"

#include <inttypes.h>

struct vote_once {
    struct map votes; /* (node, wipes of the node, term) -> candidate + 1 */
    uint32_t wipes[64];
};

static void release(struct check *check)
{
    struct vote_once *state = check->state;
    map_release(&state->votes);
}

static void begin(struct check *check)
{
    struct vote_once *state = check->state;
    map_clear(&state->votes);
    for (uint32_t i = 0; i < ARRAY_COUNT(state->wipes); i++) {
        state->wipes[i] = 0;
    }
}

static void on_seen(struct check *check, const struct sq_seen *seen)
{
    struct vote_once *state = check->state;
    ASSERT(seen->what == SQ_SEE_VOTE);
    ASSERT(seen->node < ARRAY_COUNT(state->wipes));
    if (seen->b == 0) {
        return;
    }
    uint64_t voter = ((uint64_t)state->wipes[seen->node] << 32) | (seen->node + 1);
    uint64_t name = hash_mix(voter, seen->a);
    check->comparisons++;
    const uint64_t *vote = map_find(&state->votes, name);
    if (vote == NULL) {
        map_put(&state->votes, name, seen->b);
        return;
    }
    if (*vote != seen->b) {
        struct check_place place = check_place_of(seen);
        check_violate(check, &place, "%s voted for %s and then for %s in term %" PRIu64,
                      check_node_name(check, seen->node),
                      check_node_name(check, (sq_node)(*vote - 1)),
                      check_node_name(check, (sq_node)(seen->b - 1)), seen->a);
    }
}

static void on_life(struct check *check, const struct sq_life_event *life)
{
    struct vote_once *state = check->state;
    ASSERT(life->node < ARRAY_COUNT(state->wipes));
    if (life->what == SQ_LIFE_WIPE) {
        state->wipes[life->node]++;
    }
}

const struct check_ops check_raft_vote_once = {
    .name = "raft.vote-once",
    .description = "a node votes for at most one candidate in a term, restarts included",
    .sees = 1u << SQ_SEE_VOTE,
    .state_size = sizeof(struct vote_once),
    .release = release,
    .begin = begin,
    .on_seen = on_seen,
    .on_life = on_life,
};
