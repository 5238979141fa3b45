/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Model `raft-sqlite`: SQLite replicated by libraft, both unmodified.
 *
 * libraft applies a command by a call on the node's main fiber, but SQLite blocks on the disk. So
 * fsm->apply only queues the committed command; the applier fiber takes up to `batch` of them,
 * applies them in order in one transaction that also stores the position in the log, and answers
 * the clients after COMMIT. Everything that concerns the database goes through that queue, in its
 * place:
 *
 * - A snapshot must be the state at one index although libraft serialises it later: snapshot()
 *   queues a marker; when the applier gets there the state is that of the marker's index, and it
 *   dumps the database. snapshot_async, on a fiber of its own, waits for the dump.
 * - restore() queues the dump and holds up the main fiber (and so raft) until it has been loaded,
 *   in one transaction.
 * - A read under a lease queues behind all commands that were committed when it came.
 *
 * Durability: an entry is durable in raft's log before it is committed, so the database may lose
 * its last transactions in a power loss, as SQLite's synchronous=NORMAL with a WAL does: the
 * position that comes back with it says where the log has to be applied again. What may not happen
 * is that the log is gone as well. It is not: the log is cut behind a snapshot only, and a
 * snapshot is restored whenever the database's position is behind it. A database must not come
 * back corrupt, though, which synchronous=OFF or a journal in memory allow: then it is reported,
 * and either the node does not start or, with `rebuild`, it starts with an empty database that
 * snapshot and log fill again.
 *
 * When a transaction fails, it is rolled back, and what the database then says it does not contain
 * is applied again, until the disk works; nobody is answered meanwhile. When the database turns
 * out to be corrupt while running, the applier stops: clients get SQ_E_IO, which is indefinite, as
 * the command is in the replicated log. */
#include "../models.h"
#include "../plant.h"
#include "../sqlite/kv.h"
#include "../sqlite/vfs.h"

#include <assert.h>
#include <sqlite3.h>

#include "bytes.h"
#include "heap.h"
#include "replica.h"

#define DATABASE    "kv.db"
#define DUMP_HEADER 8 /* the position, before the dump */
#define RETRY_NS    INT64_C(10000000)

#ifndef RAFT_VERSION
#define RAFT_VERSION "unknown"
#endif

enum option {
    OPTION_JOURNAL = REPLICA_OPTION_COUNT,
    OPTION_SYNCHRONOUS,
    OPTION_BATCH,
    OPTION_BACKLOG,
    OPTION_REBUILD,
    OPTION_COUNT,
};

static const struct sq_option options[OPTION_COUNT] = {
    REPLICA_OPTIONS,
    {"journal", SQ_OPTION_CHOICE, "wal", KV_JOURNAL_CHOICES, "SQLite's journal mode"},
    {"synchronous", SQ_OPTION_CHOICE, "normal", KV_SYNCHRONOUS_CHOICES,
     "SQLite's PRAGMA synchronous; raft's log is durable by itself"},
    {"batch", SQ_OPTION_COUNT, "64", NULL, "most commands that share one transaction"},
    {"backlog", SQ_OPTION_COUNT, "10000", NULL,
     "committed commands that may wait for the database before the leader refuses requests as "
     "overloaded"},
    {"rebuild", SQ_OPTION_BOOLEAN, "false", NULL,
     "replace a corrupt database by snapshot and log instead of giving up"},
};

enum item_kind {
    ITEM_COMMAND,
    ITEM_READ,
    ITEM_DUMP,
    ITEM_LOAD,
};

/* One thing for the applier to do. */
struct item {
    struct item *next;
    enum item_kind kind;
    bool has_caller;
    bool is_done;    /* DUMP, LOAD */
    sq_fiber waiter; /* DUMP, LOAD: who waits for is_done; 0 = nobody yet */
    struct sq_reply_to to;
    uint64_t position; /* COMMAND */
    uint64_t hash;
    struct sq_kv_request request; /* COMMAND; READ: key only */
    struct sq_kv_reply reply;
    enum sq_status status;
    void *data; /* DUMP: result, LOAD: argument */
    size_t size;
    size_t capacity; /* of padding */
    uint8_t padding[];
};

struct raft_sqlite {
    struct replica replica; /* first */
    struct kv *kv;
    sq_fiber applier;
    struct item *first;
    struct item *last;
    uint32_t count; /* commands and reads waiting */
    uint64_t
        queued_position; /* of the last command that was queued, or found in the database at boot */
    struct item *free_items;
    struct item *dump; /* the snapshot being taken */
    bool is_corrupt;
};

static struct raft_sqlite *model_of(const struct raft_fsm *fsm)
{
    return fsm->data;
}

/* ----------------------------------------------------------------------------------- the queue */

static struct item *item_new(struct raft_sqlite *model, enum item_kind kind, size_t padding)
{
    struct item *item = model->free_items;
    if (item != NULL) {
        model->free_items = item->next;
    }
    if (item == NULL || item->capacity < padding) {
        struct sq_env *env = model->replica.env;
        env->mem->free(env, item);
        item = env->mem->alloc(env, sizeof(*item) + padding);
        item->capacity = padding;
    }
    size_t capacity = item->capacity;
    *item = (struct item){.kind = kind, .capacity = capacity};
    return item;
}

static void item_free(struct raft_sqlite *model, struct item *item)
{
    item->next = model->free_items;
    model->free_items = item;
}

static void item_push(struct raft_sqlite *model, struct item *item)
{
    struct sq_env *env = model->replica.env;
    item->next = NULL;
    if (model->last == NULL) {
        model->first = item;
        env->fiber->unpark(env, model->applier);
    } else {
        model->last->next = item;
    }
    model->last = item;
    model->count += item->kind == ITEM_COMMAND || item->kind == ITEM_READ;
}

/* Removes the first item; it stays first while it is being worked on. */
static void item_pop(struct raft_sqlite *model)
{
    struct item *item = model->first;
    model->first = item->next;
    if (model->first == NULL) {
        model->last = NULL;
    }
    model->count -= item->kind == ITEM_COMMAND || item->kind == ITEM_READ;
}

/* Blocks the calling fiber until the applier has dealt with the item. */
static void item_wait(struct raft_sqlite *model, struct item *item)
{
    struct sq_env *env = model->replica.env;
    item->waiter = env->fiber->self(env);
    while (!item->is_done) {
        env->fiber->park(env);
    }
}

static void item_done(struct raft_sqlite *model, struct item *item)
{
    struct sq_env *env = model->replica.env;
    item->is_done = true;
    if (item->waiter != 0) {
        env->fiber->unpark(env, item->waiter);
    }
}

static void answer(struct raft_sqlite *model, const struct item *item, enum sq_status status)
{
    struct sq_env *env = model->replica.env;
    if (item->has_caller) {
        env->call->reply(env, item->to, status, SQ_NODE_NONE, &item->reply,
                         status == SQ_OK ? sizeof(item->reply) : 0);
    }
}

/* --------------------------------------------------------------------------------- the applier */

static bool note_corruption(struct raft_sqlite *model, enum sq_status status)
{
    if (status == SQ_E_INVALID && !model->is_corrupt) {
        struct sq_env *env = model->replica.env;
        model->is_corrupt = true;
        env->trace->see(env, SQ_SEE_INTEGRITY, 0, 0, 0, kv_message(model->kv));
    }
    return model->is_corrupt;
}

/* After a failure: back to what the database says it contains. */
static void recover(struct raft_sqlite *model, enum sq_status status)
{
    struct sq_env *env = model->replica.env;
    while (!note_corruption(model, status)) {
        status = kv_rollback(model->kv);
        if (status == SQ_OK) {
            return;
        }
        env->clock->sleep(env, RETRY_NS);
    }
}

/* Applies up to `count` commands from the head of the queue, those not yet applied, in one
 * transaction. */
static enum sq_status apply_batch(struct raft_sqlite *model, uint32_t count)
{
    struct item *item = model->first;
    enum sq_status status = kv_begin(model->kv);
    for (uint32_t i = 0; status == SQ_OK && i < count; i++, item = item->next) {
        if (item->position <= kv_position(model->kv)) {
            continue; /* an earlier attempt that had seemed to fail */
        }
        item->status =
            kv_apply(model->kv, &item->request, item->padding, item->position, &item->reply);
        status = item->status == SQ_E_TIMEOUT ? SQ_OK : item->status;
    }
    return status == SQ_OK ? kv_commit(model->kv) : status;
}

/* Tells and answers the first `count` commands, which are in the database now (or never will be,
 * when it is corrupt). */
static void finish_batch(struct raft_sqlite *model, uint32_t count)
{
    struct sq_env *env = model->replica.env;
    for (uint32_t i = 0; i < count; i++) {
        struct item *item = model->first;
        if (model->is_corrupt) {
            answer(model, item, SQ_E_IO);
        } else {
            env->trace->see(env, SQ_SEE_APPLY, item->position, item->hash, 0, NULL);
            answer(model, item, item->status);
        }
        item_pop(model);
        item_free(model, item);
    }
    if (!model->is_corrupt) {
        env->trace->see(env, SQ_SEE_STATE, kv_position(model->kv), kv_digest(model->kv), 0, NULL);
    }
}

static void do_commands(struct raft_sqlite *model)
{
    struct sq_env *env = model->replica.env;
    int64_t limit = env->options[OPTION_BATCH].number;
    uint32_t count = 0;
    size_t bytes = 0;
    for (const struct item *item = model->first;
         item != NULL && item->kind == ITEM_COMMAND && (count == 0 || count < limit);
         item = item->next) {
        count++;
        bytes += sizeof(item->request) + item->request.padding;
    }
    env->cpu->charge(env, count, bytes);
    while (!model->is_corrupt) {
        enum sq_status status = apply_batch(model, count);
        if (status == SQ_OK) {
            break;
        }
        env->trace->log(env, "transaction of %u failed: %s", count, kv_message(model->kv));
        env->trace->sometimes(env, "raft-sqlite.transaction-failed");
        recover(model, status);
        if (PLANTED(env, TRANSACTION_NOT_REPEATED)) {
            break;
        }
    }
    finish_batch(model, count);
}

static void do_read(struct raft_sqlite *model)
{
    struct item *item = model->first;
    struct sq_env *env = model->replica.env;
    env->cpu->charge(env, 1, sizeof(item->request));
    enum sq_status status =
        model->is_corrupt ? SQ_E_IO : kv_read(model->kv, item->request.key, &item->reply.value);
    if (status != SQ_OK && status != SQ_E_IO) {
        note_corruption(model, status);
        status = SQ_E_IO;
    }
    answer(model, item, status);
    item_pop(model);
    item_free(model, item);
}

static void do_dump(struct raft_sqlite *model)
{
    struct item *item = model->first;
    struct sq_env *env = model->replica.env;
    item->status = model->is_corrupt ? SQ_E_IO : kv_dump(model->kv, &item->data, &item->size);
    if (item->status == SQ_OK) {
        item->position = kv_position(model->kv);
        env->cpu->charge(env, 1, item->size);
    } else {
        note_corruption(model, item->status);
    }
    item_pop(model);
    item_done(model, item);
}

static void do_load(struct raft_sqlite *model)
{
    struct item *item = model->first;
    struct sq_env *env = model->replica.env;
    env->cpu->charge(env, 1, item->size);
    do {
        enum sq_status status = model->is_corrupt ? SQ_E_IO : kv_begin(model->kv);
        item->status = status == SQ_OK ? kv_load(model->kv, item->data, item->size) : status;
        if (item->status == SQ_OK) {
            item->status = kv_commit(model->kv);
        }
        if (item->status != SQ_OK) {
            recover(model, item->status);
        }
    } while (item->status != SQ_OK && item->status != SQ_E_MALFORMED && !model->is_corrupt);
    if (item->status == SQ_OK) {
        env->trace->see(env, SQ_SEE_STATE, kv_position(model->kv), kv_digest(model->kv), 0, NULL);
        env->trace->sometimes(env, "raft.restored-snapshot");
    }
    item_pop(model);
    item_done(model, item);
}

static void applier_main(struct sq_env *env, void *argument)
{
    struct raft_sqlite *model = argument;
    for (;;) {
        while (model->first == NULL) {
            env->fiber->park(env);
        }
        switch (model->first->kind) {
        case ITEM_COMMAND:
            do_commands(model);
            break;
        case ITEM_READ:
            do_read(model);
            break;
        case ITEM_DUMP:
            do_dump(model);
            break;
        case ITEM_LOAD:
            do_load(model);
            break;
        }
    }
}

/* --------------------------------------------------------------------------- the state machine */

static int fsm_apply(struct raft_fsm *fsm, const struct raft_buffer *buffer, void **result)
{
    struct raft_sqlite *model = model_of(fsm);
    struct sq_kv_request request;
    uint64_t hash;
    uint64_t position = replica_applying(&model->replica, buffer, &hash);
    *result = NULL;
    /* What the database held at boot is applied again by libraft; it has no caller. */
    if (position > model->queued_position && sq_kv_decode(buffer->base, buffer->len, &request)) {
        model->queued_position = position;
        struct item *item = item_new(model, ITEM_COMMAND, request.padding);
        item->position = position;
        item->hash = hash;
        item->request = request;
        memcpy(item->padding, (const uint8_t *)buffer->base + sizeof(request), request.padding);
        item_push(model, item);
        *result = item;
    }
    return 0;
}

static void on_applied(struct replica *replica, struct sq_reply_to to, void *result)
{
    struct item *item = result;
    if (item == NULL) {
        replica_answer(replica, to, SQ_E_MALFORMED, 0);
        return;
    }
    item->to = to;
    item->has_caller = true;
}

static void read_later(struct replica *replica, struct sq_reply_to to, uint64_t key)
{
    struct raft_sqlite *model = (struct raft_sqlite *)replica;
    struct item *item = item_new(model, ITEM_READ, 0);
    item->to = to;
    item->has_caller = true;
    item->request.key = key;
    item_push(model, item);
}

static int fsm_snapshot(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n_bufs)
{
    struct raft_sqlite *model = model_of(fsm);
    if (model->dump != NULL) {
        return RAFT_BUSY;
    }
    model->dump = item_new(model, ITEM_DUMP, 0);
    item_push(model, model->dump);
    *bufs = raft_calloc(1, sizeof(**bufs));
    *n_bufs = 1;
    return 0;
}

static int fsm_snapshot_async(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n_bufs)
{
    struct raft_sqlite *model = model_of(fsm);
    struct sq_env *env = model->replica.env;
    struct item *item = model->dump;
    (void)n_bufs;
    item_wait(model, item);
    if (item->status == SQ_OK) {
        uint8_t *bytes = raft_malloc(DUMP_HEADER + item->size);
        put_u64(bytes, item->position);
        memcpy(bytes + DUMP_HEADER, item->data, item->size);
        (*bufs)[0] = (struct raft_buffer){.base = bytes, .len = DUMP_HEADER + item->size};
        env->mem->free(env, item->data);
    }
    return item->status == SQ_OK ? 0 : RAFT_IOERR;
}

static int fsm_snapshot_finalize(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n_bufs)
{
    struct raft_sqlite *model = model_of(fsm);
    if (*bufs != NULL) {
        raft_free((*bufs)[0].base);
        raft_free(*bufs);
        *bufs = NULL;
        *n_bufs = 0;
    }
    if (model->dump != NULL && model->dump->is_done) {
        item_free(model, model->dump);
        model->dump = NULL;
    }
    return 0;
}

static int fsm_restore(struct raft_fsm *fsm, struct raft_buffer *buffer)
{
    struct raft_sqlite *model = model_of(fsm);
    if (buffer->len < DUMP_HEADER) {
        return RAFT_CORRUPT;
    }
    enum sq_status status = SQ_OK;
    struct item *item = item_new(model, ITEM_LOAD, 0);
    item->data = (uint8_t *)buffer->base + DUMP_HEADER;
    item->size = buffer->len - DUMP_HEADER;
    /* At boot the database is usually ahead of the snapshot: then it is the better one. Later, it
     * is behind. */
    if (model->first == NULL && kv_position(model->kv) >= get_u64(buffer->base)) {
        item_free(model, item);
    } else {
        item_push(model, item);
        item_wait(model, item);
        status = item->status;
        item_free(model, item);
        model->queued_position = get_u64(buffer->base);
    }
    if (status != SQ_OK) {
        return status == SQ_E_MALFORMED ? RAFT_CORRUPT : RAFT_IOERR;
    }
    raft_free(buffer->base); /* it is the state machine's now */
    return 0;
}

/* ----------------------------------------------------------------------------------- the model */

static const struct replica_machine machine = {on_applied, read_later};

static const struct raft_fsm fsm_prototype = {
    .version = 3,
    .apply = fsm_apply,
    .snapshot = fsm_snapshot,
    .restore = fsm_restore,
    .snapshot_finalize = fsm_snapshot_finalize,
    .snapshot_async = fsm_snapshot_async,
};

static void remove_database(struct sq_env *env)
{
    static const char *const names[] = {DATABASE, DATABASE "-wal", DATABASE "-journal"};
    for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        env->disk->remove(env, names[i]);
    }
    env->disk->sync_dir(env);
}

/* Opens and examines the database; a corrupt one is told of, and replaced when the scenario says
 * so. */
static enum sq_status open_database(struct raft_sqlite *model, struct sq_env *env)
{
    struct kv_options kv_options = {
        .journal = (enum kv_journal)env->options[OPTION_JOURNAL].number,
        .synchronous = (enum kv_synchronous)env->options[OPTION_SYNCHRONOUS].number,
    };
    char message[KV_MESSAGE_SIZE];
    enum sq_status status = kv_open(env, DATABASE, &kv_options, &model->kv, message);
    if (status == SQ_OK && kv_was_there(model->kv)) {
        status = kv_examine(model->kv, message);
        if (status == SQ_OK) {
            env->trace->see(env, SQ_SEE_INTEGRITY, 1, 0, 0, "sqlite");
        }
    }
    if (status == SQ_E_INVALID) {
        env->trace->see(env, SQ_SEE_INTEGRITY, 0, 0, 0, message);
        kv_close(model->kv);
        model->kv = NULL;
        if (env->options[OPTION_REBUILD].number != 0) {
            env->trace->sometimes(env, "raft-sqlite.rebuilt");
            remove_database(env);
            status = kv_open(env, DATABASE, &kv_options, &model->kv, message);
        }
    }
    if (status != SQ_OK) {
        env->trace->log(env, "the database cannot be used: %s", message);
    }
    return status;
}

static enum sq_status model_boot(struct sq_env *env)
{
    struct raft_sqlite *model = env->mem->alloc(env, sizeof(*model));
    memset(model, 0, sizeof(*model));
    env->state = model;
    enum sq_status status = open_database(model, env);
    if (status != SQ_OK) {
        return status;
    }
    model->applier = env->fiber->spawn(env, applier_main, model);
    uint64_t found = kv_position(model->kv);
    model->queued_position = found;
    status = replica_boot(&model->replica, env, &fsm_prototype, &machine);
    if (status == SQ_OK) {
        uint64_t position = kv_position(model->kv);
        env->trace->see(env, SQ_SEE_RECOVERED, position, found, 0, NULL);
        env->trace->see(env, SQ_SEE_STATE, position, kv_digest(model->kv), 0, NULL);
    }
    return status;
}

static void model_deliver(struct sq_env *env, sq_node from, const void *data, size_t size)
{
    replica_deliver(env->state, from, data, size);
}

static void model_request(struct sq_env *env, const struct sq_request *request)
{
    struct raft_sqlite *model = env->state;
    if ((int64_t)model->count >= env->options[OPTION_BACKLOG].number) {
        env->call->reply(env, request->reply_to, SQ_E_OVERLOADED, SQ_NODE_NONE, NULL, 0);
        return;
    }
    replica_request(&model->replica, request);
}

static void model_signal(struct sq_env *env, const char *name, int64_t value)
{
    replica_signal(env->state, name, value);
}

static void model_timer(struct sq_env *env, uint64_t tag)
{
    replica_timer(env->state, tag);
}

static void prepare(void)
{
    vfs_prepare();
    raft_heap_install();
}

const struct sq_model model_raft_sqlite = {
    .abi_version = SQ_ABI_VERSION,
    .size = sizeof(struct sq_model),
    .name = "raft-sqlite",
    .version = "libraft " RAFT_VERSION ", sqlite " SQLITE_VERSION,
    .description =
        "SQLite replicated by the real libraft; one transaction per batch of committed commands",
    .options = options,
    .option_count = OPTION_COUNT,
    .prepare = prepare,
    .boot = model_boot,
    .deliver = model_deliver,
    .request = model_request,
    .timer = model_timer,
    .signal = model_signal,
};
