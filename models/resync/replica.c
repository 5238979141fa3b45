/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A replica: says hello, and then reads the stream or takes a copy. One beat a second says that it
 * is alive and how far it has read, looks whether the primary still is, and says hello again while
 * nobody has answered. */
#include "resync.h"

#include <assert.h>

enum replica_state {
    REPLICA_CONNECTING,
    REPLICA_WAITING, /* for the snapshot, whole */
    REPLICA_LOADING,
    REPLICA_IN_SYNC,
};

enum tag { TAG_BEAT, TAG_LOADED };

struct replica {
    enum replica_state state;
    struct values values;
    struct values arriving; /* WAITING: of the snapshot */
    bool has_data;
    bool is_closed; /* LOADING: by the primary, found when it has loaded */
    uint64_t connection;
    uint64_t run;      /* of the primary whose offset it has */
    uint64_t offset;   /* read up to here; has_data */
    uint64_t snapshot; /* WAITING, LOADING: offset of the snapshot */
    uint64_t serial;   /* of the primary's last message */
    sq_time heard;
};

static void tell(struct sq_env *env, enum resync_kind kind, uint64_t offset)
{
    const struct replica *replica = env->state;
    const struct resync_message message = {.kind = kind,
                                           .connection = replica->connection,
                                           .run = replica->run,
                                           .offset = offset,
                                           .is_last = replica->state == REPLICA_IN_SYNC};
    resync_send(env, env->group_first, &message, NULL, 0);
}

static void set_state(struct sq_env *env, enum replica_state state)
{
    struct replica *replica = env->state;
    replica->state = state;
    resync_show(env, "resync.in-sync", state == REPLICA_IN_SYNC);
}

static void say_hello(struct sq_env *env)
{
    struct replica *replica = env->state;
    replica->connection++;
    replica->serial = 0;
    tell(env, RESYNC_HELLO, replica->has_data ? replica->offset : RESYNC_NOTHING);
}

/* The connection is gone. A load goes on: what is loaded may be worth something. */
static void reconnect(struct sq_env *env)
{
    struct replica *replica = env->state;
    if (replica->state == REPLICA_LOADING) {
        replica->is_closed = true;
        return;
    }
    set_state(env, REPLICA_CONNECTING);
}

/* ------------------------------------------------------------------------------------------- copy
 */

/* The offset of its data is given up at once: a copy that fails leaves nothing to go on from. */
static void on_full(struct sq_env *env, const struct resync_message *message)
{
    struct replica *replica = env->state;
    replica->has_data = false;
    replica->run = message->run;
    replica->snapshot = message->offset;
    env->mem->free(env, replica->arriving.items);
    replica->arriving = (struct values){0};
    set_state(env, REPLICA_WAITING);
}

static void on_snapshot(struct sq_env *env, const struct resync_message *message, const void *data)
{
    struct replica *replica = env->state;
    for (uint32_t i = 0; i < message->count; i++) {
        uint64_t value;
        memcpy(&value, (const char *)data + i * sizeof(value), sizeof(value));
        values_set(env, &replica->arriving, message->offset + i, value);
    }
    if (message->is_last) {
        replica->is_closed = false;
        set_state(env, REPLICA_LOADING);
        const sq_time delay = resync_time((uint64_t)resync_option(env, RESYNC_STATE_SIZE),
                                          resync_option(env, RESYNC_LOAD_RATE));
        env->clock->start(env, delay, TAG_LOADED);
    }
}

static void on_loaded(struct sq_env *env)
{
    struct replica *replica = env->state;
    assert(replica->state == REPLICA_LOADING);
    env->mem->free(env, replica->values.items);
    replica->values = replica->arriving;
    replica->arriving = (struct values){0};
    replica->has_data = true;
    replica->offset = replica->snapshot;
    if (replica->is_closed) {
        set_state(env, REPLICA_CONNECTING);
        say_hello(env);
    } else {
        set_state(env, REPLICA_IN_SYNC);
        tell(env, RESYNC_ALIVE, replica->offset);
    }
}

/* ----------------------------------------------------------------------------------------- stream
 */

static void on_partial(struct sq_env *env, const struct resync_message *message)
{
    struct replica *replica = env->state;
    assert(replica->has_data);
    assert(replica->offset == message->offset);
    set_state(env, REPLICA_IN_SYNC);
}

static void on_stream(struct sq_env *env, const struct resync_message *message, const void *data)
{
    struct replica *replica = env->state;
    assert(message->offset == replica->offset);
    for (uint32_t i = 0; i < message->count; i++) {
        struct record record;
        memcpy(&record, (const char *)data + i * sizeof(record), sizeof(record));
        values_set(env, &replica->values, record.key, record.value);
        replica->offset = record.end;
    }
    tell(env, RESYNC_ALIVE, replica->offset);
}

/* ----------------------------------------------------------------------------------------- events
 */

/* Does it come next, and is it something that this state can take? Anything else means that what
 * should have come before was lost. */
static bool is_expected(const struct replica *replica, const struct resync_message *message)
{
    if (message->serial != replica->serial) {
        return false;
    }
    switch ((enum resync_kind)message->kind) {
    case RESYNC_PARTIAL:
    case RESYNC_FULL:
        return replica->state == REPLICA_CONNECTING;
    case RESYNC_SNAPSHOT:
        return replica->state == REPLICA_WAITING;
    case RESYNC_STREAM:
        return replica->state == REPLICA_IN_SYNC;
    case RESYNC_ALIVE:
        return true;
    case RESYNC_HELLO:
    case RESYNC_CLOSE:
        return false;
    }
    return false;
}

void resync_replica_deliver(struct sq_env *env, const struct resync_message *message,
                            const void *data)
{
    struct replica *replica = env->state;
    const bool is_copy = message->serial > 0 && message->serial <= replica->serial;
    if (message->connection != replica->connection || is_copy) {
        return;
    }
    replica->heard = env->clock->monotonic(env);
    replica->serial++;
    if (!is_expected(replica, message)) {
        reconnect(env);
    } else if (message->kind == RESYNC_PARTIAL) {
        on_partial(env, message);
    } else if (message->kind == RESYNC_FULL) {
        on_full(env, message);
    } else if (message->kind == RESYNC_SNAPSHOT) {
        on_snapshot(env, message, data);
    } else if (message->kind == RESYNC_STREAM) {
        on_stream(env, message, data);
    }
}

static void beat(struct sq_env *env)
{
    struct replica *replica = env->state;
    const sq_time silence = env->clock->monotonic(env) - replica->heard;
    if (replica->state != REPLICA_CONNECTING && silence > resync_option(env, RESYNC_TIMEOUT)) {
        reconnect(env);
    }
    if (replica->state == REPLICA_CONNECTING) {
        say_hello(env);
    } else {
        tell(env, RESYNC_ALIVE, replica->offset);
    }
    env->clock->start(env, RESYNC_HEARTBEAT, TAG_BEAT);
}

void resync_replica_timer(struct sq_env *env, uint64_t tag)
{
    if (tag == TAG_BEAT) {
        beat(env);
    } else {
        on_loaded(env);
    }
}

void resync_replica_request(struct sq_env *env, const struct sq_request *request,
                            const struct sq_kv_request *kv)
{
    const struct replica *replica = env->state;
    if (kv->kind == SQ_KV_UPDATE) {
        env->call->reply(env, request->reply_to, SQ_E_NOT_LEADER, env->group_first, NULL, 0);
        return;
    }
    const bool is_stale_fine =
        resync_option(env, RESYNC_SERVE_STALE) != 0 && replica->state != REPLICA_LOADING;
    if (replica->state != REPLICA_IN_SYNC && !is_stale_fine) {
        env->call->reply(env, request->reply_to, SQ_E_UNAVAILABLE, SQ_NODE_NONE, NULL, 0);
        return;
    }
    const struct sq_kv_reply reply = {values_get(&replica->values, kv->key)};
    env->call->reply(env, request->reply_to, SQ_OK, SQ_NODE_NONE, &reply, sizeof(reply));
}

void resync_replica_boot(struct sq_env *env)
{
    struct replica *replica = env->mem->alloc(env, sizeof(*replica));
    *replica = (struct replica){
        .connection = (uint64_t)env->incarnation << 32,
        .has_data = env->incarnation == 1,
        .run = 1,
        .heard = env->clock->monotonic(env),
    };
    env->state = replica;
    env->trace->role(env, SQ_ROLE_FOLLOWER);
    set_state(env, REPLICA_CONNECTING);
    say_hello(env);
    env->clock->start(env, RESYNC_HEARTBEAT, TAG_BEAT);
}
