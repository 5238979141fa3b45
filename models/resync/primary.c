/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The primary: applies writes, appends them to the log, and keeps for each replica a link that says
 * how far it has been sent and read. Everything happens on the main fiber, by timers: one beat a
 * second for signs of life and limits, and one timer for each link that is saving or sending.
 *
 * A link's output buffer is what lies between what was handed to its socket and the end of the log.
 * Limits are looked at after every write and at every beat. The log keeps what the slowest link
 * still has to get, and the backlog in any case. */
#include "resync.h"

#include <assert.h>

#define TAG_BEAT       0
#define PUMP_NS        INT64_C(10000000) /* of the send rate are handed to the socket at once */
#define RECORDS_A_TIME 1024
#define LINK_BITS      16 /* of a tag: which link, the rest which timer of it */

enum link_state {
    LINK_DOWN,
    LINK_SAVING,
    LINK_SENDING, /* the snapshot */
    LINK_LOADING, /* the replica has it and does not read yet */
    LINK_UP,
};

struct link {
    enum link_state state;
    sq_node node;
    uint64_t connection;
    sq_time heard;       /* the last sign of life */
    uint64_t sent;       /* offset up to which the stream was handed to the socket */
    uint64_t read;       /* offset up to which the replica has read */
    sq_time above_since; /* the buffer is above the soft limit; -1: it is not */
    uint64_t chunk;      /* SENDING: the next one */
    struct values snapshot;
    uint64_t serial; /* of the last message */
    uint64_t turn;   /* names the timer that counts */
    bool is_timed;   /* SAVING, SENDING: to the next step; UP: until the socket takes more */
};

struct primary {
    struct values values;
    struct stream stream;
    uint32_t link_count;
    struct link links[];
};

static sq_time now_of(struct sq_env *env)
{
    return env->clock->monotonic(env);
}

static struct resync_message next_message(const struct sq_env *env, struct link *link,
                                          enum resync_kind kind)
{
    link->serial++;
    return (struct resync_message){.kind = kind,
                                   .connection = link->connection,
                                   .run = env->incarnation,
                                   .serial = link->serial};
}

static void tell(struct sq_env *env, struct link *link, enum resync_kind kind, uint64_t offset)
{
    struct resync_message message = next_message(env, link, kind);
    message.offset = offset;
    resync_send(env, link->node, &message, NULL, 0);
}

static void say_close(struct sq_env *env, sq_node node, uint64_t connection)
{
    const struct resync_message message = {
        .kind = RESYNC_CLOSE, .connection = connection, .run = env->incarnation};
    resync_send(env, node, &message, NULL, 0);
}

/* Starts the link's timer; one that was running means nothing any more. */
static void set_timer(struct sq_env *env, struct link *link, sq_time delay)
{
    const struct primary *primary = env->state;
    const uint64_t index = (uint64_t)(link - primary->links);
    link->turn++;
    link->is_timed = true;
    env->clock->start(env, delay, link->turn << LINK_BITS | (index + 1));
}

static void forget_snapshot(struct sq_env *env, struct link *link)
{
    env->mem->free(env, link->snapshot.items);
    link->snapshot = (struct values){0};
}

/* ---------------------------------------------------------------------------------------- limits
 */

static uint64_t buffer_of(const struct primary *primary, const struct link *link)
{
    return link->state == LINK_DOWN ? 0 : primary->stream.end - link->sent;
}

static void drop(struct sq_env *env, struct link *link)
{
    say_close(env, link->node, link->connection);
    link->state = LINK_DOWN;
    link->is_timed = false;
    forget_snapshot(env, link);
}

static void check_limits(struct sq_env *env, struct link *link)
{
    const struct primary *primary = env->state;
    const uint64_t hard = (uint64_t)resync_option(env, RESYNC_HARD);
    const uint64_t soft = (uint64_t)resync_option(env, RESYNC_SOFT);
    const uint64_t buffer = buffer_of(primary, link);
    const sq_time now = now_of(env);
    if (soft == 0 || buffer < soft) {
        link->above_since = -1;
    } else if (link->above_since < 0) {
        link->above_since = now;
    }
    const bool is_long =
        link->above_since >= 0 && now - link->above_since > resync_option(env, RESYNC_SOFT_TIME);
    if (link->state != LINK_DOWN && (is_long || (hard > 0 && buffer >= hard))) {
        resync_count(env, "resync.overflow");
        env->trace->sometimes(env, "resync.overflow");
        drop(env, link);
    }
}

static void trim(struct sq_env *env)
{
    struct primary *primary = env->state;
    const uint64_t backlog = (uint64_t)resync_option(env, RESYNC_BACKLOG);
    uint64_t needed = primary->stream.end > backlog ? primary->stream.end - backlog : 0;
    for (uint32_t i = 0; i < primary->link_count; i++) {
        const struct link *link = &primary->links[i];
        needed = link->state != LINK_DOWN && link->sent < needed ? link->sent : needed;
    }
    stream_trim(&primary->stream, needed);
}

/* ----------------------------------------------------------------------------------------- stream
 */

/* Hands to the socket what it takes: up to the window, at the send rate. */
static void pump(struct sq_env *env, struct link *link)
{
    struct primary *primary = env->state;
    const struct stream *stream = &primary->stream;
    const int64_t rate = resync_option(env, RESYNC_SEND_RATE);
    const uint64_t window = (uint64_t)resync_option(env, RESYNC_WINDOW);
    if (link->state != LINK_UP || link->is_timed || link->sent == stream->end) {
        return;
    }
    if (link->sent - link->read >= window) {
        return;
    }
    struct record records[RECORDS_A_TIME];
    struct resync_message message = next_message(env, link, RESYNC_STREAM);
    message.offset = link->sent;
    uint64_t number = stream_find(stream, link->sent);
    sq_time took = 0;
    while (number < stream->next && message.count < RECORDS_A_TIME && took < PUMP_NS &&
           link->sent - link->read < window) {
        records[message.count] = *stream_at(stream, number);
        link->sent = records[message.count].end;
        took = resync_time(link->sent - message.offset, rate);
        message.count++;
        number++;
    }
    assert(message.count > 0);
    resync_send(env, link->node, &message, records, message.count * sizeof(records[0]));
    set_timer(env, link, took);
}

/* ------------------------------------------------------------------------------------------- copy
 */

static void begin_copy(struct sq_env *env, struct link *link)
{
    struct primary *primary = env->state;
    const uint64_t size = primary->values.count * sizeof(uint64_t);
    link->state = LINK_SAVING;
    link->sent = primary->stream.end;
    link->read = primary->stream.end;
    link->chunk = 0;
    link->snapshot = (struct values){env->mem->alloc(env, size + 1), primary->values.count};
    if (size > 0) {
        memcpy(link->snapshot.items, primary->values.items, size);
    }
    resync_count(env, "resync.full");
    tell(env, link, RESYNC_FULL, link->sent);
    set_timer(env, link,
              resync_time((uint64_t)resync_option(env, RESYNC_STATE_SIZE),
                          resync_option(env, RESYNC_SAVE_RATE)));
}

/* One more part of the snapshot has gone through the socket. */
static void send_chunk(struct sq_env *env, struct link *link)
{
    const uint64_t count = link->snapshot.count;
    const uint64_t from = count * link->chunk / RESYNC_CHUNKS;
    const uint64_t until = count * (link->chunk + 1) / RESYNC_CHUNKS;
    link->chunk++;
    uint64_t at = from;
    do {
        const uint64_t left = until - at;
        struct resync_message message = next_message(env, link, RESYNC_SNAPSHOT);
        message.offset = at;
        message.count = (uint32_t)(left < RESYNC_KEYS_A_MESSAGE ? left : RESYNC_KEYS_A_MESSAGE);
        message.is_last = link->chunk == RESYNC_CHUNKS && at + message.count == until;
        resync_send(env, link->node, &message, link->snapshot.items + at,
                    message.count * sizeof(uint64_t));
        at += message.count;
    } while (at < until);
}

static void step_copy(struct sq_env *env, struct link *link)
{
    const uint64_t size = (uint64_t)resync_option(env, RESYNC_STATE_SIZE);
    if (link->state == LINK_SENDING) {
        send_chunk(env, link);
    }
    link->state = LINK_SENDING;
    if (link->chunk == RESYNC_CHUNKS) {
        link->state = LINK_LOADING;
        forget_snapshot(env, link);
        return;
    }
    const sq_time all = resync_time(size, resync_option(env, RESYNC_SEND_RATE));
    const sq_time done = (sq_time)((__int128)all * (int64_t)link->chunk / (int64_t)RESYNC_CHUNKS);
    const sq_time next =
        (sq_time)((__int128)all * (int64_t)(link->chunk + 1) / (int64_t)RESYNC_CHUNKS);
    set_timer(env, link, next - done);
}

static void on_hello(struct sq_env *env, struct link *link, const struct resync_message *message)
{
    struct primary *primary = env->state;
    const uint64_t backlog = (uint64_t)resync_option(env, RESYNC_BACKLOG);
    const bool is_mine = message->run == env->incarnation && message->offset <= primary->stream.end;
    link->is_timed = false;
    link->serial = 0;
    forget_snapshot(env, link);
    link->connection = message->connection;
    link->above_since = -1;
    if (is_mine && primary->stream.end - message->offset <= backlog) {
        resync_count(env, "resync.partial");
        link->state = LINK_UP;
        link->sent = message->offset;
        link->read = message->offset;
        tell(env, link, RESYNC_PARTIAL, link->sent);
        pump(env, link);
    } else {
        begin_copy(env, link);
    }
}

/* ----------------------------------------------------------------------------------------- events
 */

static void beat(struct sq_env *env)
{
    struct primary *primary = env->state;
    uint64_t fullest = 0;
    for (uint32_t i = 0; i < primary->link_count; i++) {
        struct link *link = &primary->links[i];
        check_limits(env, link);
        if (link->state == LINK_DOWN) {
            continue;
        }
        const uint64_t buffer = buffer_of(primary, link);
        fullest = buffer > fullest ? buffer : fullest;
        if (now_of(env) - link->heard > resync_option(env, RESYNC_TIMEOUT)) {
            drop(env, link);
        } else {
            tell(env, link, RESYNC_ALIVE, link->sent);
        }
    }
    trim(env);
    resync_show(env, "resync.buffer", fullest);
    env->clock->start(env, RESYNC_HEARTBEAT, TAG_BEAT);
}

void resync_primary_timer(struct sq_env *env, uint64_t tag)
{
    struct primary *primary = env->state;
    if (tag == TAG_BEAT) {
        beat(env);
        return;
    }
    struct link *link = &primary->links[(tag & ((UINT64_C(1) << LINK_BITS) - 1)) - 1];
    if (!link->is_timed || link->turn != tag >> LINK_BITS) {
        return;
    }
    link->is_timed = false;
    if (link->state == LINK_SAVING || link->state == LINK_SENDING) {
        step_copy(env, link);
    } else {
        pump(env, link);
    }
}

void resync_primary_deliver(struct sq_env *env, sq_node from, const struct resync_message *message)
{
    struct primary *primary = env->state;
    struct link *link = &primary->links[from - env->group_first - 1];
    if (message->kind == RESYNC_HELLO) {
        if (message->connection > link->connection) { /* no second copy of an old one */
            link->heard = now_of(env);
            on_hello(env, link, message);
        }
        return;
    }
    if (link->state == LINK_DOWN || message->connection != link->connection) {
        say_close(env, from, message->connection);
        return;
    }
    link->heard = now_of(env);
    if (message->is_last && (link->state == LINK_LOADING || link->state == LINK_UP)) {
        link->state = LINK_UP;
        link->read = message->offset;
        pump(env, link);
    }
}

void resync_primary_request(struct sq_env *env, const struct sq_request *request,
                            const struct sq_kv_request *kv)
{
    struct primary *primary = env->state;
    struct sq_kv_reply reply = {0};
    if (kv->kind == SQ_KV_READ && resync_option(env, RESYNC_READS) == RESYNC_READS_REPLICAS &&
        primary->link_count > 0) {
        env->call->reply(env, request->reply_to, SQ_E_NOT_LEADER, env->group_first + 1, NULL, 0);
        return;
    }
    if (kv->kind == SQ_KV_UPDATE) {
        values_set(env, &primary->values, kv->key, kv->value);
        const uint64_t size = (uint64_t)resync_option(env, RESYNC_WRITE_SIZE);
        stream_append(env, &primary->stream, kv, size > 0 ? size : request->size);
        for (uint32_t i = 0; i < primary->link_count; i++) {
            pump(env, &primary->links[i]);
            check_limits(env, &primary->links[i]);
        }
        trim(env);
    }
    reply.value = values_get(&primary->values, kv->key);
    env->call->reply(env, request->reply_to, SQ_OK, SQ_NODE_NONE, &reply, sizeof(reply));
}

void resync_primary_boot(struct sq_env *env)
{
    const uint32_t links = env->group_size - 1;
    const size_t size = sizeof(struct primary) + links * sizeof(struct link);
    struct primary *primary = env->mem->alloc(env, size);
    memset(primary, 0, size);
    primary->link_count = links;
    for (uint32_t i = 0; i < links; i++) {
        primary->links[i].node = env->group_first + 1 + i;
        primary->links[i].above_since = -1;
    }
    env->state = primary;
    env->trace->role(env, SQ_ROLE_LEADER);
    env->clock->start(env, RESYNC_HEARTBEAT, TAG_BEAT);
}
