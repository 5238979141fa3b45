/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Checker: one property of a run, as a table of functions over the events that an observer sees. A
 * checker is online where it can be, reports its first violation and is quiet afterwards, and
 * counts what it compared: the judge turns zero comparisons into a violation, so that a property
 * that was never put to the test cannot look as if it held.
 *
 * Inside the analysis only. The judge makes one instance of each checker it needs and reuses it run
 * after run. */
#ifndef SQUALL_ANALYSIS_CHECK_H
#define SQUALL_ANALYSIS_CHECK_H

#include "analysis/kv_history.h"
#include "analysis/raft_view.h"
#include "sim/spec.h"
#include "squall_check.h"

#include <stdbool.h>
#include <stdint.h>

/* What all checkers of a run share. */
struct check_run {
    const struct run_spec *spec;
    const struct sq_node_info *nodes;
    uint32_t node_count;
    struct raft_view raft;     /* as it was BEFORE the event that is being dispatched */
    struct kv_history history; /* with the operation that is being dispatched */
};

struct check;

/* Where and when a violation became evident. */
struct check_place {
    sq_time time;
    uint64_t event; /* RESULT_EVENT_NONE when only the time is known */
    sq_node node;   /* or SQ_NODE_NONE */
};

/* What the judge is told. */
struct check_listener {
    void (*on_violation)(void *context, const struct check *check, const struct check_place *place,
                         const char *message);
    void *context;
};

struct check_ops {
    const char *name;
    const char *description;              /* one line, for `squall list checks` */
    uint32_t sees;                        /* bits 1 << enum sq_see: what on_seen is called for */
    uint32_t state_size;                  /* bytes, zeroed once */
    void (*release)(struct check *check); /* frees what the state holds; NULL: nothing */
    void (*begin)(struct check *check);   /* a new run: forget the one before */
    void (*on_seen)(struct check *check, const struct sq_seen *seen);
    void (*on_life)(struct check *check, const struct sq_life_event *life);
    void (*on_invoke)(struct check *check, const struct sq_operation *operation);
    void (*on_complete)(struct check *check, const struct sq_operation *operation);
    void (*finish)(struct check *check); /* at the end of the run */
};

struct check {
    const struct check_ops *ops;
    struct check_run *run;
    void *state;
    struct check_listener listener;
    uint64_t comparisons;
    bool is_violated;
    bool is_unknown; /* it could not decide */
};

/* Reports a violation, formatted; only the first one of a run reaches the listener. */
void check_violate(struct check *check, const struct check_place *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Name of a node for messages; "?" for a number that is none. */
const char *check_node_name(const struct check *check, sq_node node);
static inline struct check_place check_place_of(const struct sq_seen *seen)
{
    return (struct check_place){.time = seen->time, .event = seen->event, .node = seen->node};
}

/* All of them, in order of name. */
extern const struct check_ops check_linearizable;
extern const struct check_ops check_model_always;
extern const struct check_ops check_no_lost_acked_write;
extern const struct check_ops check_raft_commit_current_term;
extern const struct check_ops check_raft_committed_durable;
extern const struct check_ops check_raft_election_safety;
extern const struct check_ops check_raft_leader_append_only;
extern const struct check_ops check_raft_leader_completeness;
extern const struct check_ops check_raft_log_matching;
extern const struct check_ops check_raft_no_stray_message;
extern const struct check_ops check_raft_vote_once;
extern const struct check_ops check_sqlite_integrity;
extern const struct check_ops check_state_machine_agreement;

#define CHECK_COUNT 13
extern const struct check_ops *const check_table[CHECK_COUNT];
/* NULL when there is no `always` check of that name. */
const struct check_ops *check_find(const char *name);

#endif
