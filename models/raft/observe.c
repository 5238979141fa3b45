/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Observe reads fields of struct raft and struct raft_log that version 0.15 makes public. Nothing
 * is corrected or left out: when libraft breaks its own rules, the checkers are to see it.
 *
 * Only the commit index that raft_start sets is not told: it is the index of the snapshot, or 1,
 * for the entry that founded the group and that every member is given. Nobody decided it then. */
#include "observe.h"

static enum sq_role role_of(unsigned state)
{
    switch (state) {
    case RAFT_FOLLOWER:
        return SQ_ROLE_FOLLOWER;
    case RAFT_CANDIDATE:
        return SQ_ROLE_CANDIDATE;
    case RAFT_LEADER:
        return SQ_ROLE_LEADER;
    default:
        return SQ_ROLE_NONE;
    }
}

static void see_configuration(struct sq_env *env, const struct raft_configuration *configuration)
{
    uint64_t voters = 0;
    uint64_t mask = 0;
    for (unsigned i = 0; i < configuration->n; i++) {
        const struct raft_server *server = &configuration->servers[i];
        if (server->role == RAFT_VOTER) {
            voters++;
            mask |= server->id >= 1 && server->id <= 64 ? UINT64_C(1) << (server->id - 1) : 0;
        }
    }
    env->trace->see(env, SQ_SEE_CONFIG, voters, mask, 0, NULL);
}

void observe_change(struct sq_env *env, const struct raft *raft, struct observer *observer)
{
    bool was_leader = observer->state == RAFT_LEADER && observer->term == raft->current_term;
    bool gave_up = observer->is_started && raft->state == RAFT_UNAVAILABLE &&
                   observer->state != RAFT_UNAVAILABLE;
    if (raft->configuration_index != observer->configuration_index ||
        raft->configuration_uncommitted_index != observer->uncommitted_index) {
        observer->configuration_index = raft->configuration_index;
        observer->uncommitted_index = raft->configuration_uncommitted_index;
        see_configuration(env, &raft->configuration);
    }
    if (raft->state != observer->state) {
        env->trace->role(env, role_of(raft->state));
    }
    observer->state = raft->state;
    observer->term = raft->current_term;
    if (raft->state == RAFT_LEADER && !was_leader) {
        env->trace->see(env, SQ_SEE_LEADER, raft->current_term, 0, 0, NULL);
    }
    if (raft->commit_index != observer->commit_index) {
        observer->commit_index = raft->commit_index;
        if (observer->is_started) {
            env->trace->see(env, SQ_SEE_COMMIT, raft->commit_index, raft->current_term,
                            raft->state == RAFT_LEADER, NULL);
        }
    }
    if (gave_up) {
        env->trace->always(env, observer->disk_errors > 0, "raft.stays-available",
                           "libraft became unavailable although no disk operation had failed");
    }
}

const struct raft_entry *observe_entry(const struct raft *raft, raft_index index)
{
    const struct raft_log *log = &raft->log;
    if (log->entries == NULL || log->size == 0 || index <= log->offset) {
        return NULL;
    }
    size_t count =
        log->front <= log->back ? log->back - log->front : log->size - log->front + log->back;
    size_t place = (size_t)(index - log->offset - 1);
    return place < count ? &log->entries[(log->front + place) % log->size] : NULL;
}
