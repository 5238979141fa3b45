/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the two sides of replication by stream share: options, messages, and the connection's
 * states. See resync.c. */
#ifndef SQUALL_MODELS_RESYNC_RESYNC_H
#define SQUALL_MODELS_RESYNC_RESYNC_H

#include "stream.h"

enum resync_option {
    RESYNC_STATE_SIZE,
    RESYNC_WRITE_SIZE,
    RESYNC_SAVE_RATE,
    RESYNC_SEND_RATE,
    RESYNC_LOAD_RATE,
    RESYNC_HARD,
    RESYNC_SOFT,
    RESYNC_SOFT_TIME,
    RESYNC_BACKLOG,
    RESYNC_WINDOW,
    RESYNC_TIMEOUT,
    RESYNC_SERVE_STALE,
    RESYNC_READS,
    RESYNC_OPTION_COUNT,
};

enum { RESYNC_READS_ANY, RESYNC_READS_REPLICAS };

#define RESYNC_HEARTBEAT      (INT64_C(1000) * 1000 * 1000) /* ns */
#define RESYNC_NOTHING        UINT64_MAX          /* an offset: of a replica without data */
#define RESYNC_CHUNKS         UINT64_C(64)        /* in which a snapshot is sent */
#define RESYNC_VALUES_MAX     (UINT64_C(1) << 20) /* keys whose value is kept */
#define RESYNC_KEYS_A_MESSAGE 4096

enum resync_kind {
    RESYNC_HELLO,    /* replica: run and offset of its data, or RESYNC_NOTHING */
    RESYNC_PARTIAL,  /* primary: the stream goes on at `offset` */
    RESYNC_FULL,     /* primary: a snapshot as of `offset` will come, of `run` */
    RESYNC_SNAPSHOT, /* primary: values from key `offset` on; is_last: the snapshot is complete */
    RESYNC_STREAM,   /* primary: records, the first one begins at `offset` */
    RESYNC_ALIVE,    /* either; replica: has read up to `offset`; is_last: it reads the stream */
    RESYNC_CLOSE,    /* primary: the connection is over */
};

/* Every message begins so; values (8 bytes each) or records follow. */
struct resync_message {
    uint32_t kind;
    uint32_t count;      /* of what follows */
    uint64_t connection; /* the replica's name for it: rises with each HELLO */
    uint64_t run;        /* incarnation of the primary: offsets of another one mean nothing */
    uint64_t offset;
    uint64_t serial; /* of the primary's messages of this connection, from 1; CLOSE: 0 */
    uint64_t is_last;
};

/* Values by key, in memory; absent ones are 0. */
struct values {
    uint64_t *items;
    uint64_t count;
};

void values_set(struct sq_env *env, struct values *values, uint64_t key, uint64_t value);
uint64_t values_get(const struct values *values, uint64_t key);

int64_t resync_option(const struct sq_env *env, enum resync_option which);
/* ns that `bytes` take at a rate in bytes a second. */
sq_time resync_time(uint64_t bytes, int64_t bytes_per_s);
void resync_send(struct sq_env *env, sq_node to, const struct resync_message *message,
                 const void *data, size_t size);
void resync_show(struct sq_env *env, const char *name, uint64_t value);
void resync_count(struct sq_env *env, const char *name);

/* The two roles: env->state is theirs. */
void resync_primary_boot(struct sq_env *env);
void resync_primary_deliver(struct sq_env *env, sq_node from, const struct resync_message *message);
void resync_primary_request(struct sq_env *env, const struct sq_request *request,
                            const struct sq_kv_request *kv);
void resync_primary_timer(struct sq_env *env, uint64_t tag);

void resync_replica_boot(struct sq_env *env);
/* `data`: what follows the message, already checked against its count. */
void resync_replica_deliver(struct sq_env *env, const struct resync_message *message,
                            const void *data);
void resync_replica_request(struct sq_env *env, const struct sq_request *request,
                            const struct sq_kv_request *kv);
void resync_replica_timer(struct sq_env *env, uint64_t tag);

#endif
