/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Io: struct raft_io, version 2, on the simulated machine: messages through env->net in our own
 * encoding (wire.h), the log, term, vote and snapshots through store.h, ticks through env->clock.
 *
 * What libraft may rely on:
 * - Entries are written by one fiber in the order of submission, all that are waiting in one write
 *   and one sync (a leader's, as many as append_bytes allows); their call-backs come in that order,
 * later, on the main fiber. A truncation waits for the entries before it.
 * - set_term and set_vote return when the disk has synced them; the node handles nothing else
 *   meanwhile.
 * - No call-back runs inside the call that it belongs to: io_run_sends runs those of messages at
 *   the end of the event.
 * - After the first error of the log's disk every later write of it fails, until the node starts
 *   again. */
#ifndef SQUALL_MODELS_RAFT_IO_H
#define SQUALL_MODELS_RAFT_IO_H

#include <raft.h>

#include "observe.h"
#include "store.h"

struct io_job;

/* Another member of the group, by raft id - 1. */
struct io_peer {
    char address[16];
    uint64_t received_term;  /* of the last AppendEntries taken from it, */
    uint64_t received_stamp; /* and its clock when it sent it: what is echoed */
    uint64_t echoed_term;    /* the latest of our own stamps that it echoed, */
    uint64_t echoed_stamp;   /* and our term then */
};

struct io_send {
    struct raft_io_send *request;
    raft_io_send_cb on_sent;
    int status;
};

struct io_queue {
    struct io_job *first;
    struct io_job *last;
};

struct io_options {
    struct store_options store;
    uint64_t
        append_bytes; /* most bytes of records that share a write of the log; 0: all that wait */
    uint64_t tick_tag;
};

struct io {
    struct raft_io raft_io;
    struct sq_env *env;
    struct raft *raft;
    struct observer observer;
    struct store store;
    struct store_image image; /* between io_open and raft_start */
    struct store_batch bootstrap;
    uint64_t append_bytes;
    uint64_t term;        /* as durable */
    uint64_t next_index;  /* of the next entry submitted */
    uint64_t durable_end; /* last index that was reported durable */
    bool is_broken;
    struct io_queue writes;
    struct io_queue done; /* call-backs that wait for the main fiber */
    bool is_posted;
    struct io_job *free_jobs;
    sq_fiber writer;
    bool is_writer_idle;
    struct io_send *sends;
    uint32_t send_count;
    uint32_t send_capacity;
    uint8_t *scratch;
    size_t scratch_size;
    sq_time tick_wanted; /* set before raft_start; 0: what raft asks for */
    sq_time tick_every;
    uint64_t tick_tag;
    raft_io_tick_cb on_tick;
    raft_io_recv_cb on_receive;
    const struct raft_message *receiving; /* an AppendEntries being handled, its */
    uint32_t receiving_from;
    uint64_t receiving_stamp;
    struct io_peer *peers; /* group_size */
    /* Called on the main fiber after call-backs of the disk have run: the end of an event. */
    void (*on_settle)(void *context);
    void *context;
};

/* Reads the disk (blocks) and prepares io->raft_io for raft_init. Status and text as store_open;
 * io->image.is_empty says that raft_bootstrap is due. `raft` must stay where it is. */
enum sq_status io_open(struct io *io, struct sq_env *env, struct raft *raft,
                       const struct io_options *options, void (*on_settle)(void *context),
                       void *context);
/* Copies the file of the log anew, after all writes that wait; only with a log in bolt. */
void io_compact(struct io *io);
/* A message from node `from` (of the whole system). Malformed ones and those from outside the
 * group are dropped. */
void io_deliver(struct io *io, sq_node from, const void *data, size_t size);
/* The timer with tick_tag fired. */
void io_tick(struct io *io);
/* Runs the call-backs of messages sent so far. To be called at the end of every event, outside of
 * raft. */
void io_run_sends(struct io *io);
/* When this node is leader: the time (its monotonic clock) at which it sent the newest
 * AppendEntries of its term that a majority, itself included, has answered: each of them has heard
 * from this leader since. INT64_MIN when there is none. */
sq_time io_quorum_contact(const struct io *io);

#endif
