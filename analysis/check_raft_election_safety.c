/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Election safety (Ongaro & Ousterhout 2014, figure 3): at most one leader is elected in a term.
 *
 * Each SQ_SEE_LEADER is compared with the first leader that the same group reported for the term.
 * Whether a node still acts as a leader later on is not asked: being elected twice in one term is
 * enough. */
#include "analysis/check.h"

#include "sim/base/base.h"
#include "sim/base/hash.h"
#include "sim/base/map.h"

#include <inttypes.h>

struct election_safety {
    struct map leaders; /* (group, term) -> node */
};

static void release(struct check *check)
{
    struct election_safety *state = check->state;
    map_release(&state->leaders);
}

static void begin(struct check *check)
{
    struct election_safety *state = check->state;
    map_clear(&state->leaders);
}

static void on_seen(struct check *check, const struct sq_seen *seen)
{
    struct election_safety *state = check->state;
    ASSERT(seen->what == SQ_SEE_LEADER);
    uint64_t name = hash_mix(check->run->nodes[seen->node].group + 1, seen->a);
    check->comparisons++;
    const uint64_t *leader = map_find(&state->leaders, name);
    if (leader == NULL) {
        map_put(&state->leaders, name, seen->node);
        return;
    }
    if (*leader != seen->node) {
        struct check_place place = check_place_of(seen);
        check_violate(check, &place, "%s and %s were both elected leader in term %" PRIu64,
                      check_node_name(check, (sq_node)*leader), check_node_name(check, seen->node),
                      seen->a);
    }
}

const struct check_ops check_raft_election_safety = {
    .name = "raft.election-safety",
    .description = "at most one leader is elected in a term",
    .sees = 1u << SQ_SEE_LEADER,
    .state_size = sizeof(struct election_safety),
    .release = release,
    .begin = begin,
    .on_seen = on_seen,
};
