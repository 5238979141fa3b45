/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is known of the logs of a consensus group from what its nodes tell (SQ_SEE_*): for each node
 * the log in memory, the durable log and the snapshot; for each group what was committed. The raft
 * checkers read it.
 *
 * The meaning given to the reports, which an adapter must keep to:
 *
 *   APPEND    entry `index` of memory's log is (term, hash); replaces what was there, and all
 *             after it when it differs
 *   TRUNCATE  memory's log ends before `index`
 *   DURABLE   entry `index` is on stable storage; replaces likewise
 *   CUT       the durable log ends before `index`
 *   SNAPSHOT  a durable snapshot stands for all entries up to `index`
 *   LOADED    after a boot: the disk held entries first..last (last < first: none) and a snapshot
 *             up to c. They become memory's log. Entries among them that were never reported as
 *             durable are durable with unknown content; an adapter that reports DURABLE (and
 *             APPEND) again for what it loaded makes them known.
 *   COMMIT    the node's commit index moved
 *   CONFIG    the voters, as this node knows them; without it all nodes of the group are voters
 *
 * A crash leaves the durable log as it is; SQ_LIFE_WIPE empties it; a new incarnation starts with
 * an empty memory. */
#ifndef SQUALL_ANALYSIS_RAFT_VIEW_H
#define SQUALL_ANALYSIS_RAFT_VIEW_H

#include "squall_check.h"

#include <stdbool.h>
#include <stdint.h>

#define LOG_TERM_UNKNOWN 0          /* the entry exists, its term and hash are not known */
#define LOG_TERM_ABSENT  UINT64_MAX /* nothing is known to be at this index */

struct log_entry {
    uint64_t term;
    uint64_t hash;
    /* committed log: term in which it was committed; log matching: term of the entry before it */
    uint64_t other;
};

/* The newest entries of a log, indices first .. first + count - 1. It holds at most LOG_TAIL_MAX
 * entries and forgets the older half when it is full: checkers skip what was forgotten. */
#define LOG_TAIL_MAX (UINT32_C(1) << 18)
struct log_tail {
    struct log_entry *entries;
    uint64_t first;
    uint64_t forgotten; /* entries before this index were there and were dropped for want of room */
    uint32_t count;
    uint32_t capacity;
};

void log_tail_release(struct log_tail *tail);
/* NULL when the index is outside of what is kept; an entry with LOG_TERM_ABSENT in a gap. */
static inline struct log_entry *log_tail_at(const struct log_tail *tail, uint64_t index)
{
    uint64_t offset = index - tail->first;
    return index >= tail->first && offset < tail->count ? &tail->entries[offset]
                                                        : (struct log_entry *)0;
}
/* Sets an entry; a gap before it is filled with absent ones. False when the index is older than all
 * that is kept. */
bool log_tail_set(struct log_tail *tail, uint64_t index, struct log_entry entry);
/* Forgets all from `index` on. */
void log_tail_cut(struct log_tail *tail, uint64_t index);
/* The index after the last one. */
static inline uint64_t log_tail_end(const struct log_tail *tail)
{
    return tail->first + tail->count;
}

struct raft_node {
    struct log_tail memory;
    struct log_tail durable;
    uint64_t snapshot_index;
    uint64_t snapshot_term; /* LOG_TERM_UNKNOWN: not known */
    uint64_t leader_term;   /* of the last SQ_SEE_LEADER of this incarnation; 0: none */
    uint64_t verified; /* leader-completeness: committed entries up to here are in memory's log */
    uint64_t voters;   /* bit i: node group_first + i; 0: all */
};

struct raft_group {
    struct log_tail committed;
    uint64_t commit; /* the highest commit index that any node reported */
};

struct raft_view {
    struct raft_node *nodes;
    struct raft_group *groups;
    const struct sq_node_info *infos; /* borrowed for a run */
    uint32_t node_count;
    uint32_t group_count;
    uint32_t node_capacity;
    uint32_t group_capacity;
};

void raft_view_init(struct raft_view *view);
void raft_view_release(struct raft_view *view);
void raft_view_begin(struct raft_view *view, const struct sq_node_info *infos, uint32_t node_count);
void raft_view_on_seen(struct raft_view *view, const struct sq_seen *seen);
void raft_view_on_life(struct raft_view *view, const struct sq_life_event *life);

static inline struct raft_group *raft_view_group_of(const struct raft_view *view, sq_node node)
{
    return &view->groups[view->infos[node].group];
}
/* Term of memory's entry `index`, of the snapshot when it ends there; LOG_TERM_UNKNOWN when it is
 * not known, LOG_TERM_ABSENT when the log ends before it. Index 0 has term 0 in every log and
 * counts as unknown. */
uint64_t raft_view_term_at(const struct raft_node *node, uint64_t index);
/* Is entry (index, term) on the node's stable storage, as far as is known? An unknown term matches
 * any. */
bool raft_view_is_durable(const struct raft_node *node, uint64_t index, uint64_t term);

#endif
