/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The table of checkers, and what they have in common. The table is in order of name, so that lists
 * of names, and whatever is derived from them, never depend on the order in which files are linked.
 */
#include "analysis/check.h"

#include "analysis/judge.h"
#include "analysis/result.h"
#include "sim/base/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const struct check_ops *const check_table[CHECK_COUNT] = {
    &check_linearizable,
    &check_model_always,
    &check_no_lost_acked_write,
    &check_raft_commit_current_term,
    &check_raft_committed_durable,
    &check_raft_election_safety,
    &check_raft_leader_append_only,
    &check_raft_leader_completeness,
    &check_raft_log_matching,
    &check_raft_no_stray_message,
    &check_raft_vote_once,
    &check_sqlite_integrity,
    &check_state_machine_agreement,
};

const char *const checks_names[] = {
    "linearizable",
    "model.always",
    "no-lost-acked-write",
    "raft.commit-current-term",
    "raft.committed-durable",
    "raft.election-safety",
    "raft.leader-append-only",
    "raft.leader-completeness",
    "raft.log-matching",
    "raft.no-stray-message",
    "raft.vote-once",
    "sqlite.integrity",
    "state-machine-agreement",
    NULL,
};
static_assert(ARRAY_COUNT(checks_names) == CHECK_COUNT + 1, "one name for each checker");

const char *const checks_probes[] = {
    "client.breaker-closed",
    "client.breaker-half-opened",
    "client.breaker-opened",
    "client.hedged",
    "client.not-permitted",
    "client.operation-dropped",
    "client.pushed-back",
    "client.rate-limited",
    "client.request-overflowed",
    "client.retried-after-timeout",
    "client.retried-transparently",
    "client.retry-throttled",
    "fault.struck",
    "raft.leader-changed",
    NULL,
};

static const char *const probe_descriptions[] = {
    "a circuit breaker closed again",
    "a circuit breaker let some attempts through to see whether they succeed",
    "a circuit breaker opened",
    "a hedge was sent: an attempt while another was still out",
    "a circuit breaker did not permit an attempt",
    "an operation was dropped by its client: too many were under way or waiting",
    "a server said when to try again, or never, and its caller obeyed",
    "an attempt waited for the client's rate limiter",
    "an attempt was refused by its client: too many were out, or waiting for a connection",
    "a client sent an operation again after an attempt had timed out",
    "a request that a full host had turned away was sent again at once (gRPC A6)",
    "a retry or a hedge was not made because the budget was used up",
    "a fault of the scenario struck",
    "a group had a second leader",
};
static_assert(ARRAY_COUNT(probe_descriptions) + 1 == ARRAY_COUNT(checks_probes),
              "one line for each probe");

const struct check_ops *check_find(const char *name)
{
    for (uint32_t i = 0; i < CHECK_COUNT; i++) {
        if (strcmp(check_table[i]->name, name) == 0) {
            return check_table[i];
        }
    }
    return NULL;
}

const char *checks_description(const char *name)
{
    ASSERT(name != NULL);
    const struct check_ops *ops = check_find(name);
    if (ops != NULL) {
        return ops->description;
    }
    for (uint32_t i = 0; checks_probes[i] != NULL; i++) {
        if (strcmp(checks_probes[i], name) == 0) {
            return probe_descriptions[i];
        }
    }
    if (strcmp(name, "recovers") == 0) {
        return "goodput is back at its level before the first fault, soon after the last fault has "
               "ended";
    }
    return NULL;
}

void check_violate(struct check *check, const struct check_place *place, const char *format, ...)
{
    ASSERT(check != NULL);
    ASSERT(place != NULL);
    if (check->is_violated) {
        return;
    }
    check->is_violated = true;
    char message[RESULT_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    ASSERT(length >= 0);
    check->listener.on_violation(check->listener.context, check, place, message);
}

const char *check_node_name(const struct check *check, sq_node node)
{
    return node < check->run->node_count ? check->run->nodes[node].name : "?";
}
