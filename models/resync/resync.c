/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Model `resync`: a primary that streams its writes to replicas which keep everything in memory, as
 * Redis does, and what happens when the stream breaks. The first node of the group is the primary.
 *
 *     stream ---broken---> HELLO offset
 *        ^                   |-- still in the backlog: the stream goes on there
 *        |                   +-- gone: save -> send -> load, while writes pile up in the
 *        |                            |        output buffer that the primary keeps for it
 *        +---- buffer sent -----------+---- buffer above its limit: closed, and all begins anew
 *
 * A copy of the state takes stateSize / saveRate + stateSize / sendRate + stateSize / loadRate, and
 * during all of it the replica reads nothing of the stream. Its output buffer may grow to
 * bufferHard, and may stay above bufferSoft for bufferSoftTime (client-output-buffer-limit
 * replica); above that the primary closes the connection and the copy was in vain. So a rate of
 * writes above min(hard / t, soft / (t - soft time)) is sustained for ever by a replica in sync,
 * and never reached again by one that has lost it (analysis/predict_laws.h: law_resync_writes_max).
 *
 * Bytes. A write counts with the bytes of its request, or with writeSize, so that one may stand for
 * many. Rates are options, and messages carry numbers instead of bytes, so leave links unlimited.
 * Content is real all the same: a snapshot is the values as of its beginning, records come in
 * order, and a replica holds what it has read.
 *
 * The connection is TCP as far as it matters. What is under way is bounded by `window`, so the
 * buffer of a replica that does not read grows; a message that is lost breaks it; either side gives
 * it up after `timeout` without a sign of life; a close may be lost. The replica finds a close
 * during a load when it has loaded, and asks for the stream from there.
 *
 * Replicas of the first boot begin with the primary's data, which is none. A replica that is not in
 * sync answers reads from what it has, or with serveStale: false not at all; while it loads it
 * answers nothing. With reads: replicas the primary sends readers to the first replica, as a client
 * that splits reads from writes does; a replica sends writers to the primary.
 *
 * What it shows: gauges resync.buffer (bytes, the fullest of the primary's buffers, once a second)
 * and resync.in-sync (1 or 0, of a replica); counters resync.full, resync.partial and
 * resync.overflow, at the primary.
 *
 * Not here: one snapshot for several replicas, transfer without a disk, persistence, fail-over. */
#include "resync.h"

#include "../models.h"

#include <assert.h>

static const struct sq_option options[RESYNC_OPTION_COUNT] = {
    [RESYNC_STATE_SIZE] = {"stateSize", SQ_OPTION_SIZE, "8GB", NULL, "size of a snapshot"},
    [RESYNC_WRITE_SIZE] = {"writeSize", SQ_OPTION_SIZE, "0B", NULL,
                           "what a write adds to the stream; 0: the bytes of its request"},
    [RESYNC_SAVE_RATE] = {"saveRate", SQ_OPTION_SIZE, "120MB", NULL,
                          "bytes of it that are saved in a second"},
    [RESYNC_SEND_RATE] = {"sendRate", SQ_OPTION_SIZE, "200MB", NULL,
                          "that are sent in a second; of the stream as well"},
    [RESYNC_LOAD_RATE] = {"loadRate", SQ_OPTION_SIZE, "100MB", NULL, "that are loaded in a second"},
    [RESYNC_HARD] = {"bufferHard", SQ_OPTION_SIZE, "256MB", NULL,
                     "output buffer at which a replica is cut off at once; 0: none"},
    [RESYNC_SOFT] = {"bufferSoft", SQ_OPTION_SIZE, "64MB", NULL,
                     "output buffer at which it is cut off after bufferSoftTime; 0: none"},
    [RESYNC_SOFT_TIME] = {"bufferSoftTime", SQ_OPTION_DURATION, "1m", NULL, "see bufferSoft"},
    [RESYNC_BACKLOG] = {"backlog", SQ_OPTION_SIZE, "1MB", NULL,
                        "writes that are kept for a replica that comes back"},
    [RESYNC_WINDOW] = {"window", SQ_OPTION_SIZE, "4MB", NULL,
                       "bytes under way to a replica, in sockets and on the wire"},
    [RESYNC_TIMEOUT] = {"timeout", SQ_OPTION_DURATION, "1m", NULL,
                        "silence after which a connection is given up"},
    [RESYNC_SERVE_STALE] = {"serveStale", SQ_OPTION_BOOLEAN, "true", NULL,
                            "a replica that is not in sync answers reads from what it has"},
    [RESYNC_READS] = {"reads", SQ_OPTION_CHOICE, "any", "any|replicas", "who answers reads"},
};

/* ------------------------------------------------------------------------------- for both roles */

void values_set(struct sq_env *env, struct values *values, uint64_t key, uint64_t value)
{
    if (key >= RESYNC_VALUES_MAX) {
        return;
    }
    if (key >= values->count) {
        uint64_t count = values->count > 0 ? values->count : 64;
        while (count <= key) {
            count *= 2;
        }
        values->items = env->mem->realloc(env, values->items, count * sizeof(*values->items));
        memset(values->items + values->count, 0, (count - values->count) * sizeof(*values->items));
        values->count = count;
    }
    values->items[key] = value;
}

uint64_t values_get(const struct values *values, uint64_t key)
{
    return key < values->count ? values->items[key] : 0;
}

int64_t resync_option(const struct sq_env *env, enum resync_option which)
{
    return env->options[which].number;
}

sq_time resync_time(uint64_t bytes, int64_t bytes_per_s)
{
    return (sq_time)((unsigned __int128)bytes * 1000000000 / (uint64_t)bytes_per_s);
}

void resync_send(struct sq_env *env, sq_node to, const struct resync_message *message,
                 const void *data, size_t size)
{
    const struct sq_buffer buffers[] = {{message, sizeof(*message)}, {data, size}};
    env->net->send(env, to, buffers, size > 0 ? 2 : 1);
}

void resync_show(struct sq_env *env, const char *name, uint64_t value)
{
    env->trace->see(env, SQ_SEE_GAUGE, value, 0, 0, name);
}

void resync_count(struct sq_env *env, const char *name)
{
    env->trace->see(env, SQ_SEE_COUNTER, 1, 0, 0, name);
}

/* ---------------------------------------------------------------------------------------- model */

static bool is_primary(const struct sq_env *env)
{
    return env->self == env->group_first;
}

/* Bytes of one item that follows a message of this kind. */
static size_t item_size(uint32_t kind)
{
    return kind == RESYNC_SNAPSHOT ? sizeof(uint64_t)
           : kind == RESYNC_STREAM ? sizeof(struct record)
                                   : 0;
}

static void on_message(struct sq_env *env, sq_node from, const void *data, size_t size)
{
    struct resync_message message;
    assert(size >= sizeof(message));
    memcpy(&message, data, sizeof(message));
    assert(size == sizeof(message) + message.count * item_size(message.kind));
    if (is_primary(env)) {
        resync_primary_deliver(env, from, &message);
    } else {
        resync_replica_deliver(env, &message, (const char *)data + sizeof(message));
    }
}

static void on_request(struct sq_env *env, const struct sq_request *request)
{
    struct sq_kv_request kv;
    if (!sq_kv_decode(request->data, request->size, &kv)) {
        env->call->reply(env, request->reply_to, SQ_E_MALFORMED, SQ_NODE_NONE, NULL, 0);
    } else if (is_primary(env)) {
        resync_primary_request(env, request, &kv);
    } else {
        resync_replica_request(env, request, &kv);
    }
}

static void on_timer(struct sq_env *env, uint64_t tag)
{
    if (is_primary(env)) {
        resync_primary_timer(env, tag);
    } else {
        resync_replica_timer(env, tag);
    }
}

static enum sq_status boot(struct sq_env *env)
{
    static const enum resync_option positive[] = {RESYNC_SAVE_RATE, RESYNC_SEND_RATE,
                                                  RESYNC_LOAD_RATE, RESYNC_WINDOW, RESYNC_TIMEOUT};
    for (uint32_t i = 0; i < sizeof(positive) / sizeof(positive[0]); i++) {
        if (resync_option(env, positive[i]) < 1) {
            env->trace->log(env, "%s: more than 0", options[positive[i]].name);
            return SQ_E_INVALID;
        }
    }
    if (is_primary(env)) {
        resync_primary_boot(env);
    } else {
        resync_replica_boot(env);
    }
    return SQ_OK;
}

const struct sq_model model_resync = {
    .abi_version = SQ_ABI_VERSION,
    .size = sizeof(struct sq_model),
    .name = "resync",
    .version = "1",
    .description = "a primary and replicas in memory: stream, backlog, output buffers, full copies",
    .options = options,
    .option_count = RESYNC_OPTION_COUNT,
    .boot = boot,
    .deliver = on_message,
    .request = on_request,
    .timer = on_timer,
};
