/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The bugs that can be planted into squall's own models, and how. This file is put before the
 * sources of the models (`-include`) when tests/bugs' plug-ins are compiled; there PLANTED asks the
 * node's option `plant`. models/plant.h says what PLANTED is elsewhere.
 *
 * A bug is what somebody might really write: a line that was forgotten, an index that is one off,
 * an answer that goes out too early. The libraries under the models stay as they are. */
#ifndef SQUALL_TESTS_BUGS_PLANTS_H
#define SQUALL_TESTS_BUGS_PLANTS_H

#include "squall.h"

#define PLANT_MAP(X)                                                                               \
    /* models/raft: io and store */                                                                \
    X(VOTE_NOT_PERSISTED, "vote-not-persisted")                                                    \
    X(ACKNOWLEDGED_BEFORE_WRITTEN, "acknowledged-before-written")                                  \
    X(WAKE_UP_LOST, "wake-up-lost")                                                                \
    X(LOADED_PAYLOAD_OF_ANOTHER, "loaded-payload-of-another")                                      \
    X(LEADER_OVERWRITES, "leader-overwrites")                                                      \
    X(SENDER_ONE_OFF, "sender-one-off")                                                            \
    X(NO_TICK_AFTER_RESTART, "no-tick-after-restart")                                              \
    X(LOG_NOT_SYNCED, "log-not-synced")                                                            \
    X(LOG_NOT_TRUNCATED, "log-not-truncated")                                                      \
    X(PAYLOADS_MIXED_UP, "payloads-mixed-up")                                                      \
    X(LOG_TERM_FORGED, "log-term-forged")                                                          \
    X(REFUSAL_COUNTS, "refusal-counts")                                                            \
    /* models/raft: replica and state machines */                                                  \
    X(ANSWERED_BEFORE_COMMITTED, "answered-before-committed")                                      \
    X(LEASE_NEVER_EXPIRES, "lease-never-expires")                                                  \
    X(FOLLOWER_READS, "follower-reads")                                                            \
    X(SESSION_IGNORED, "session-ignored")                                                          \
    X(APPLY_SKIPPED, "apply-skipped")                                                              \
    X(RESTORE_LOSES_KEY, "restore-loses-key")                                                      \
    X(TRANSACTION_NOT_REPEATED, "transaction-not-repeated")                                        \
    /* models/primary-backup */                                                                    \
    X(ALL_MEANS_ONE, "all-means-one")                                                              \
    X(MESSAGE_CUT_SHORT, "message-cut-short")                                                      \
    /* models/quorum */                                                                            \
    X(OWN_COPY_FORETOLD, "own-copy-foretold")                                                      \
    /* models/sqlite */                                                                            \
    X(JOURNAL_NOT_SYNCED, "journal-not-synced")                                                    \
    X(WAL_NOT_SYNCED, "wal-not-synced")

enum plant {
    PLANT_NONE,
#define PLANT_ENUM(code, name) PLANT_##code,
    PLANT_MAP(PLANT_ENUM)
#undef PLANT_ENUM
};

/* Does the node of `env` have this bug? */
bool plant_is(const struct sq_env *env, enum plant plant);

#define PLANTED(env, bug) plant_is(env, PLANT_##bug)

#endif
