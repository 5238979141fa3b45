/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Observe: tells the checkers what changed inside a raft instance, by comparing its public fields
 * with what was told last. Called wherever raft lets something out (a message, a write, an applied
 * command) and after every event. */
#ifndef SQUALL_MODELS_RAFT_OBSERVE_H
#define SQUALL_MODELS_RAFT_OBSERVE_H

#include <raft.h>

#include "squall.h"

struct observer {
    bool is_started; /* raft_start has returned */
    unsigned state;
    raft_term term;
    raft_index commit_index;
    raft_index configuration_index;
    raft_index uncommitted_index;
    uint64_t disk_errors; /* counted by the owner: the only excuse for giving up */
};

void observe_change(struct sq_env *env, const struct raft *raft, struct observer *observer);

static inline void observe(struct sq_env *env, const struct raft *raft, struct observer *observer)
{
    if (raft->state != observer->state || raft->current_term != observer->term ||
        raft->commit_index != observer->commit_index ||
        raft->configuration_index != observer->configuration_index ||
        raft->configuration_uncommitted_index != observer->uncommitted_index) {
        observe_change(env, raft, observer);
    }
}

/* The entry that raft's memory holds at `index`, or NULL. */
const struct raft_entry *observe_entry(const struct raft *raft, raft_index index);

#endif
