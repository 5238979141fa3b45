/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Model `bolt-log`: one node that appends to a log kept in bolt.h, as the log store of a Raft
 * leader does, without the rest of Raft. An update is a batch of `entriesPerRequest` entries of
 * `entryBytes` bytes; all that wait, up to `batch` entries, are appended in one transaction and
 * answered when it is durable. When the log has grown to `truncateAt` entries, one more transaction
 * deletes all but the last `keep`, which is what follows a snapshot.
 *
 * The signal `truncation` (0 or 1) suspends that, as a snapshot that is blocked, or slow, does: the
 * log and the file grow. Afterwards the file is full of free pages, whose list every append writes
 * from then on; a restart does not change it. The signal `compact` does: the store is copied into
 * a new file while everything waits.
 *
 * Reads answer with the last value of a key among the entries that are in the log, or were when
 * this node last saw them: memory that a boot fills from the log. So nothing acknowledged is ever
 * missing while nothing is truncated; what is truncated is a snapshot's affair, and there is none
 * here: a restart forgets it.
 *
 * A failed transaction is answered with an indefinite error, and the store fails everything until
 * the node starts again. */
#include "../models.h"

#include <assert.h>

#include "../raft/bytes.h"
#include "bolt.h"

#define LOG_NAME     "log.bolt"
#define ENTRY_HEADER 32 /* index, key, value, number of the entry in its request */
#define KEYS_MAX     (UINT64_C(1) << 22)

enum option {
    OPTION_ENTRIES,
    OPTION_ENTRY_BYTES,
    OPTION_BATCH,
    OPTION_KEEP,
    OPTION_TRUNCATE_AT,
    OPTION_NO_FREELIST_SYNC,
    OPTION_COMMIT_COST,
    OPTION_LIST_COST,
    OPTION_QUEUE_LIMIT,
    OPTION_COUNT,
};

static const struct sq_option options[OPTION_COUNT] = {
    {"entriesPerRequest", SQ_OPTION_COUNT, "4", NULL, "log entries that an update appends"},
    {"entryBytes", SQ_OPTION_SIZE, "4000B", NULL, "size of an entry, at least 32B"},
    {"batch", SQ_OPTION_COUNT, "64", NULL,
     "entries that one transaction appends at most, if that many wait"},
    {"keep", SQ_OPTION_COUNT, "10240", NULL, "entries that stay when the log is truncated"},
    {"truncateAt", SQ_OPTION_COUNT, "16384", NULL,
     "length at which the log is truncated; 0: never"},
    {"noFreelistSync", SQ_OPTION_BOOLEAN, "false", NULL,
     "do not write the list of free pages with every transaction (bbolt's NoFreelistSync)"},
    {"commitCost", SQ_OPTION_DURATION, "20us", NULL, "processor time of a transaction"},
    {"listCost", SQ_OPTION_DURATION, "600ns", NULL,
     "processor time of a transaction for each thousand free pages"},
    {"queueLimit", SQ_OPTION_COUNT, "100000", NULL,
     "updates that may wait before more are refused as overloaded"},
};

struct update {
    struct update *next;
    struct sq_reply_to to;
    uint64_t key;
    uint64_t value;
};

struct bolt_log {
    struct sq_env *env;
    struct bolt *bolt;
    uint64_t first_index; /* of the log; one past the last when it is empty */
    uint64_t last_index;
    bool truncates;
    struct update *first;
    struct update *last;
    uint32_t waiting;
    sq_fiber committer;
    bool is_idle;
    uint8_t *bytes;   /* of the entries of a transaction */
    uint64_t *values; /* by key; 0: none */
    uint64_t value_count;
};

static int64_t option(const struct bolt_log *log, enum option index)
{
    return log->env->options[index].number;
}

/* -------------------------------------------------------------------------------------- values */

static void remember(struct bolt_log *log, uint64_t key, uint64_t value)
{
    struct sq_env *env = log->env;
    if (key >= KEYS_MAX) {
        return;
    }
    if (key >= log->value_count) {
        uint64_t count = log->value_count > 0 ? log->value_count : 64;
        while (count <= key) {
            count *= 2;
        }
        log->values = env->mem->realloc(env, log->values, count * sizeof(*log->values));
        memset(log->values + log->value_count, 0,
               (count - log->value_count) * sizeof(*log->values));
        log->value_count = count;
    }
    log->values[key] = value;
}

/* --------------------------------------------------------------------------------- the committer
 */

/* The updates of the next transaction, which leave the queue; *count is their number. */
static struct update *take_updates(struct bolt_log *log, uint32_t *count)
{
    struct update *taken = log->first;
    struct update *end = taken;
    int64_t entries = option(log, OPTION_ENTRIES);
    *count = 1;
    while (end->next != NULL && (*count + 1) * entries <= option(log, OPTION_BATCH)) {
        end = end->next;
        (*count)++;
    }
    log->first = end->next;
    if (log->first == NULL) {
        log->last = NULL;
    }
    end->next = NULL;
    log->waiting -= *count;
    return taken;
}

static enum sq_status append(struct bolt_log *log, const struct update *update)
{
    size_t entry_bytes = (size_t)option(log, OPTION_ENTRY_BYTES);
    enum sq_status status = bolt_begin(log->bolt);
    if (status != SQ_OK) {
        return status;
    }
    uint8_t *at = log->bytes;
    uint64_t index = log->last_index;
    for (; update != NULL; update = update->next) {
        for (int64_t i = 0; i < option(log, OPTION_ENTRIES); i++) {
            index++;
            put_u64(put_u64(put_u64(put_u64(at, index), update->key), update->value), (uint64_t)i);
            bolt_put(log->bolt, index, at, (uint32_t)entry_bytes);
            at += entry_bytes;
        }
    }
    status = bolt_commit(log->bolt);
    if (status == SQ_OK) {
        log->last_index = index;
    }
    return status;
}

static void answer(struct bolt_log *log, struct update *update, enum sq_status status)
{
    struct sq_env *env = log->env;
    while (update != NULL) {
        struct update *next = update->next;
        struct sq_kv_reply reply = {update->value};
        if (status == SQ_OK) {
            remember(log, update->key, update->value);
        }
        env->call->reply(env, update->to, status, SQ_NODE_NONE, &reply,
                         status == SQ_OK ? sizeof(reply) : 0);
        env->mem->free(env, update);
        update = next;
    }
}

static uint64_t length(const struct bolt_log *log)
{
    return log->last_index + 1 - log->first_index;
}

static void show_length(struct bolt_log *log)
{
    log->env->trace->see(log->env, SQ_SEE_GAUGE, length(log), 0, 0, "bolt.log-entries");
}

static void truncate(struct bolt_log *log)
{
    uint64_t limit = (uint64_t)option(log, OPTION_TRUNCATE_AT);
    if (limit == 0 || !log->truncates || length(log) < limit) {
        return;
    }
    uint64_t first = log->last_index + 1 - (uint64_t)option(log, OPTION_KEEP);
    if (bolt_begin(log->bolt) == SQ_OK) {
        bolt_remove(log->bolt, log->first_index, first - 1);
        if (bolt_commit(log->bolt) == SQ_OK) {
            log->first_index = first;
        }
    }
}

static void commit_all(struct sq_env *env, void *argument)
{
    struct bolt_log *log = argument;
    for (;;) {
        if (log->first != NULL) {
            uint32_t count;
            struct update *updates = take_updates(log, &count);
            answer(log, updates, append(log, updates));
            truncate(log);
            show_length(log);
        } else {
            log->is_idle = true;
            env->fiber->park(env);
        }
    }
}

/* ----------------------------------------------------------------------------------- the model */

static void on_request(struct sq_env *env, const struct sq_request *request)
{
    struct bolt_log *log = env->state;
    struct sq_kv_request kv;
    if (!sq_kv_decode(request->data, request->size, &kv)) {
        env->call->reply(env, request->reply_to, SQ_E_MALFORMED, SQ_NODE_NONE, NULL, 0);
        return;
    }
    if (kv.kind == SQ_KV_READ) {
        struct sq_kv_reply reply = {kv.key < log->value_count ? log->values[kv.key] : 0};
        env->call->reply(env, request->reply_to, SQ_OK, SQ_NODE_NONE, &reply, sizeof(reply));
        return;
    }
    if ((int64_t)log->waiting >= option(log, OPTION_QUEUE_LIMIT)) {
        env->call->reply(env, request->reply_to, SQ_E_OVERLOADED, SQ_NODE_NONE, NULL, 0);
        return;
    }
    struct update *update = env->mem->alloc(env, sizeof(*update));
    *update = (struct update){.to = request->reply_to, .key = kv.key, .value = kv.value};
    if (log->last != NULL) {
        log->last->next = update;
    } else {
        log->first = update;
    }
    log->last = update;
    log->waiting++;
    if (log->is_idle) {
        log->is_idle = false;
        env->fiber->unpark(env, log->committer);
    }
}

static void on_signal(struct sq_env *env, const char *name, int64_t value)
{
    struct bolt_log *log = env->state;
    if (strcmp(name, "truncation") == 0) {
        log->truncates = value != 0;
    } else if (strcmp(name, "compact") == 0) {
        env->trace->always(env, bolt_compact(log->bolt) == SQ_OK, "bolt.compacts",
                           "the log could not be copied into a new file");
    } else {
        env->trace->log(env, "bolt-log: no such signal");
    }
}

static bool load_entry(void *context, uint64_t key, const uint8_t *value, uint32_t size)
{
    struct bolt_log *log = context;
    if (size < ENTRY_HEADER || get_u64(value) != key ||
        (log->last_index != 0 && key != log->last_index + 1)) {
        return false;
    }
    if (log->last_index == 0) {
        log->first_index = key;
    }
    log->last_index = key;
    remember(log, get_u64(value + 8), get_u64(value + 16));
    return true;
}

static enum sq_status load(struct bolt_log *log, const char **problem)
{
    uint64_t last = 0;
    enum sq_status status = bolt_visit(log->bolt, 0, load_entry, log);
    if (status == SQ_OK) {
        status = bolt_last(log->bolt, &last);
        status = status == SQ_E_KEY_NOT_FOUND ? SQ_OK : status;
    }
    if (status == SQ_OK && last != log->last_index) {
        *problem = "an entry is missing, or is not what its index says";
        status = SQ_E_INVALID;
    }
    return status;
}

static bool options_are_sound(const struct bolt_log *log)
{
    int64_t bytes = option(log, OPTION_ENTRY_BYTES);
    int64_t limit = option(log, OPTION_TRUNCATE_AT);
    return option(log, OPTION_ENTRIES) >= 1 && option(log, OPTION_ENTRIES) <= 65536 &&
           bytes >= ENTRY_HEADER && bytes <= (1 << 20) && option(log, OPTION_BATCH) <= 65536 &&
           (limit == 0 || (option(log, OPTION_KEEP) >= 1 && option(log, OPTION_KEEP) < limit));
}

static enum sq_status boot(struct sq_env *env)
{
    struct bolt_log *log = env->mem->alloc(env, sizeof(*log));
    *log = (struct bolt_log){.env = env, .first_index = 1, .truncates = true};
    env->state = log;
    if (!options_are_sound(log)) {
        env->trace->log(env, "bolt-log: entriesPerRequest and batch at most 65536, entryBytes 32B "
                             "to 1MiB, keep at least 1 and less than truncateAt");
        return SQ_E_INVALID;
    }
    struct bolt_options store = {
        .name = LOG_NAME,
        .skips_freelist = option(log, OPTION_NO_FREELIST_SYNC) != 0,
        .commit_cost = option(log, OPTION_COMMIT_COST),
        .list_cost = option(log, OPTION_LIST_COST),
    };
    const char *problem = "";
    enum sq_status status = bolt_open(env, &store, &log->bolt, &problem);
    if (status == SQ_OK) {
        status = load(log, &problem);
    }
    if (status == SQ_E_INVALID) {
        env->trace->see(env, SQ_SEE_INTEGRITY, 0, 0, 0, problem);
    }
    if (status != SQ_OK) {
        return status;
    }
    int64_t entries = option(log, OPTION_BATCH);
    entries = entries < option(log, OPTION_ENTRIES) ? option(log, OPTION_ENTRIES) : entries;
    size_t size = (size_t)entries * (size_t)option(log, OPTION_ENTRY_BYTES);
    log->bytes = env->mem->alloc(env, size);
    memset(log->bytes, 0, size);
    log->committer = env->fiber->spawn(env, commit_all, log);
    env->trace->see(env, SQ_SEE_INTEGRITY, 1, 0, 0, "bolt-log");
    env->trace->see(env, SQ_SEE_RECOVERED, log->last_index, 0, 0, NULL);
    env->trace->role(env, SQ_ROLE_LEADER);
    return SQ_OK;
}

const struct sq_model model_bolt_log = {
    .abi_version = SQ_ABI_VERSION,
    .size = sizeof(struct sq_model),
    .name = "bolt-log",
    .version = "1",
    .description = "the log of one Raft node in a copy-on-write B+tree with a free list, as "
                   "BoltDB keeps it",
    .options = options,
    .option_count = OPTION_COUNT,
    .boot = boot,
    .request = on_request,
    .signal = on_signal,
};
