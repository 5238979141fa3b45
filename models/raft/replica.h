/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Replica: what the models on libraft share. It boots an instance of the library on its io (io.h),
 * feeds it messages, ticks and requests, and answers clients; the state machine behind it is the
 * model's, a struct raft_fsm and two functions.
 *
 * A request becomes a log entry (the bytes of struct sq_kv_request with its padding) and is
 * answered when it has been applied. Answers and processor time are settled at the end of each
 * event, outside of raft.
 *
 * Reads: through the log, or, with `reads: lease`, from the leader's state while it holds a lease.
 * The lease: a majority, itself included, answered AppendEntries that it sent less than 90 % of an
 * election timeout ago (its own clock; the rest is for drift), and a barrier of its term has been
 * applied. A follower that heard from a leader refuses votes until its election timer runs out, so
 * no other leader can exist; one that restarts has forgotten, and therefore ignores requests for
 * votes during its first election timeout. */
#ifndef SQUALL_MODELS_RAFT_REPLICA_H
#define SQUALL_MODELS_RAFT_REPLICA_H

#include <raft.h>

#include "io.h"

/* The first options of every model on a replica, in this order. */
enum {
    REPLICA_ELECTION_TIMEOUT,
    REPLICA_HEARTBEAT_TIMEOUT,
    REPLICA_SNAPSHOT_THRESHOLD,
    REPLICA_SNAPSHOT_TRAILING,
    REPLICA_PRE_VOTE,
    REPLICA_SEGMENT_SIZE,
    REPLICA_READS,
    REPLICA_EMPTY_DISK,
    REPLICA_LOG_STORE,
    REPLICA_APPEND_BYTES,
    REPLICA_NO_FREELIST_SYNC,
    REPLICA_AGED_NODES,
    REPLICA_AGED_PAGES,
    REPLICA_COMMIT_COST,
    REPLICA_LIST_COST,
    REPLICA_TICK_INTERVAL,
    REPLICA_OPTION_COUNT,
};

#define REPLICA_OPTIONS                                                                            \
    {"electionTimeout", SQ_OPTION_DURATION, "1s", NULL,                                            \
     "base of the election timeout; each is drawn from once to twice this, and seen to have run "  \
     "out at a tick"},                                                                             \
        {"heartbeatTimeout", SQ_OPTION_DURATION, "100ms", NULL,                                    \
         "idle leader's messages, and by default the tick of raft"},                               \
        {"snapshotThreshold", SQ_OPTION_COUNT, "1024", NULL,                                       \
         "applied entries between two snapshots"},                                                 \
        {"snapshotTrailing", SQ_OPTION_COUNT, "2048", NULL,                                        \
         "entries that stay in the log behind a snapshot"},                                        \
        {"preVote", SQ_OPTION_BOOLEAN, "false", NULL, "ask before starting an election"},          \
        {"segmentSize", SQ_OPTION_SIZE, "1MiB", NULL,                                              \
         "size at which a new file of the log is begun"},                                          \
        {"reads", SQ_OPTION_CHOICE, "log", "log|lease",                                            \
         "reads as log entries, or from a leader with a lease"},                                   \
        {"emptyDisk", SQ_OPTION_CHOICE, "join", "join|bootstrap",                                  \
         "what a node that comes back with an empty disk does: wait for the leader, or start "     \
         "as a founding member again"},                                                            \
        {"logStore", SQ_OPTION_CHOICE, "segments", "segments|bolt",                                \
         "files of raft's log: segments that are appended to, or one file with a B+tree and a "    \
         "list of free pages, as BoltDB's"},                                                       \
        {"appendBytes", SQ_OPTION_SIZE, "0B", NULL,                                                \
         "most bytes that share one write of the leader's log; 0B: all that wait"},                \
        {"noFreelistSync", SQ_OPTION_BOOLEAN, "false", NULL,                                       \
         "logStore bolt: do not write the list of free pages (bbolt's NoFreelistSync)"},           \
        {"agedNodes", SQ_OPTION_COUNT, "0", NULL,                                                  \
         "logStore bolt: so many nodes, from the first, begin with a file that was large once"},   \
        {"agedPages", SQ_OPTION_COUNT, "100000", NULL,                                             \
         "logStore bolt: free pages in their files, written and deleted before the first boot"},   \
        {"commitCost", SQ_OPTION_DURATION, "20us", NULL,                                           \
         "logStore bolt: processor time of a transaction"},                                        \
        {"listCost", SQ_OPTION_DURATION, "600ns", NULL,                                            \
         "logStore bolt: processor time of a transaction for each thousand free pages"},           \
    {                                                                                              \
        "tickInterval", SQ_OPTION_DURATION, "0s", NULL,                                            \
            "between two ticks of raft, which sees its timers run out only then; 0: "              \
            "heartbeatTimeout, as raft asks for"                                                   \
    }

struct replica;
struct replica_operation;

/* What the state machine adds to its struct raft_fsm. */
struct replica_machine {
    /* The command of a client has been committed and fsm->apply has returned `result`: answer now
     * or later. */
    void (*on_applied)(struct replica *replica, struct sq_reply_to to, void *result);
    /* A read under a lease: all entries committed so far have been given to fsm->apply. */
    void (*read)(struct replica *replica, struct sq_reply_to to, uint64_t key);
};

struct replica_answer {
    struct sq_reply_to to;
    enum sq_status status;
    uint64_t value;
};

struct replica {
    struct sq_env *env;
    struct raft raft;
    struct raft_fsm fsm; /* data: the replica */
    struct raft_tracer tracer;
    struct io io;
    const struct replica_machine *machine;
    sq_time booted; /* monotonic */
    sq_time election_timeout;
    bool has_lease_reads;
    raft_term barrier_term; /* of the last barrier submitted */
    raft_term lease_term;   /* of the last barrier applied */
    struct replica_operation *free_operations;
    struct replica_answer *answers;
    uint32_t answer_count;
    uint32_t answer_capacity;
    uint32_t charged_operations; /* processor time owed for this event */
    size_t charged_bytes;
};

/* Starts the node (blocks). `fsm` is copied; its data becomes the replica. What fsm->restore and
 * fsm->apply need must be ready. Anything but SQ_OK ends the boot. */
enum sq_status replica_boot(struct replica *replica, struct sq_env *env, const struct raft_fsm *fsm,
                            const struct replica_machine *machine);
void replica_deliver(struct replica *replica, sq_node from, const void *data, size_t size);
void replica_request(struct replica *replica, const struct sq_request *request);
void replica_timer(struct replica *replica, uint64_t tag);
/* `compact` copies the log's file anew, with logStore bolt. Others mean nothing. */
void replica_signal(struct replica *replica, const char *name, int64_t value);

/* For the state machine: */

/* Answers a request at the end of the current event, after its processor time. Main fiber only. */
void replica_answer(struct replica *replica, struct sq_reply_to to, enum sq_status status,
                    uint64_t value);
/* Owes processor time for an operation. */
void replica_charge(struct replica *replica, size_t bytes);
/* To be called first in fsm->apply: index of the command being applied, which libraft does not
 * pass, and its entry's hash. */
uint64_t replica_applying(struct replica *replica, const struct raft_buffer *buffer,
                          uint64_t *hash);
/* To be called at the end of an event of the model's own on the main fiber. */
void replica_settle(struct replica *replica);

#endif
