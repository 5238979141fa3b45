/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Model `sqlite-single`: one SQLite database behind a queue, the store without replication that
 * everything else is compared with.
 *
 * A request joins the queue at once, so the node keeps listening while the disk works. The writer
 * fiber takes up to `batch` waiting requests, applies them in order in one transaction and answers
 * them when COMMIT has returned (group commit). Reads are served in the same order and answered at
 * the same moment, so nobody sees a write that may yet be rolled back. Retries of a write are
 * recognised by session and sequence.
 *
 * When a transaction fails (I/O error, full disk) the whole batch gets SQ_E_IO, which is
 * indefinite: a COMMIT that returned an error may have reached the disk and be found there by the
 * next recovery. The writer rolls back and goes on with the next batch. A database that is found
 * corrupt at boot is reported and not served.
 *
 * What it tells the checkers: APPLY and STATE once a transaction is committed, never before, so a
 * position is not used twice unless a committed transaction was lost; INTEGRITY and RECOVERED at
 * each boot on an existing database.
 *
 * In a group of several nodes only the first one serves: the others answer not-leader. */
#include "../models.h"
#include "recover.h"
#include "vfs.h"

#include <sqlite3.h>

#define DATABASE "store.db"

enum option {
    OPTION_JOURNAL,
    OPTION_SYNCHRONOUS,
    OPTION_BATCH,
    OPTION_QUEUE_LIMIT,
    OPTION_CACHE_PAGES,
    OPTION_PAGE_SIZE,
    OPTION_POWERSAFE_OVERWRITE,
    OPTION_INTEGRITY_CHECK,
    OPTION_COUNT,
};

static const struct sq_option options[OPTION_COUNT] = {
    [OPTION_JOURNAL] = {"journal", SQ_OPTION_CHOICE, "wal", KV_JOURNAL_CHOICES,
                        "SQLite's journal mode"},
    [OPTION_SYNCHRONOUS] = {"synchronous", SQ_OPTION_CHOICE, "full", KV_SYNCHRONOUS_CHOICES,
                            "SQLite's PRAGMA synchronous"},
    [OPTION_BATCH] = {"batch", SQ_OPTION_COUNT, "64", NULL,
                      "most requests that share one transaction"},
    [OPTION_QUEUE_LIMIT] = {"queueLimit", SQ_OPTION_COUNT, "10000", NULL,
                            "requests that may wait; more are refused as overloaded"},
    [OPTION_CACHE_PAGES] = {"cachePages", SQ_OPTION_COUNT, "2000", NULL,
                            "pages that SQLite keeps in memory"},
    [OPTION_PAGE_SIZE] = {"pageSize", SQ_OPTION_SIZE, "4KiB", NULL, "page size of a new database"},
    [OPTION_POWERSAFE_OVERWRITE] = {"powersafeOverwrite", SQ_OPTION_BOOLEAN, "false", NULL,
                                    "let SQLite assume that a torn write spares its neighbours"},
    [OPTION_INTEGRITY_CHECK] = {"integrityCheck", SQ_OPTION_BOOLEAN, "true", NULL,
                                "check the whole database at each boot"},
};

struct waiting {
    struct waiting *next;
    struct sq_reply_to reply_to;
    struct sq_kv_request request;
    struct sq_kv_reply reply;
    enum sq_status status;
    uint64_t position; /* of an update; 0: it is a read */
    uint8_t padding[];
};

struct single {
    struct kv *kv;
    sq_fiber writer;
    struct waiting *first;
    struct waiting **last;
    uint32_t count;
    bool is_corrupt; /* told already */
};

static int64_t number(const struct sq_env *env, enum option option)
{
    return env->options[option].number;
}

/* The batch in progress: a list that ends with NULL. */
struct batch {
    struct waiting *first;
    uint32_t count;
    size_t bytes;
};

static struct batch batch_take(struct sq_env *env, struct single *single)
{
    struct batch batch = {.first = single->first};
    uint32_t limit = number(env, OPTION_BATCH) > 0 ? (uint32_t)number(env, OPTION_BATCH) : 1;
    struct waiting **end = &single->first;
    while (*end != NULL && batch.count < limit) {
        batch.count++;
        batch.bytes += sizeof((*end)->request) + (*end)->request.padding;
        end = &(*end)->next;
    }
    single->first = *end;
    if (single->first == NULL) {
        single->last = &single->first;
    }
    *end = NULL;
    single->count -= batch.count;
    return batch;
}

/* Applies and commits; the statuses in the batch are those of its operations. */
static enum sq_status batch_commit(struct kv *kv, const struct batch *batch)
{
    enum sq_status status = kv_begin(kv);
    for (struct waiting *one = batch->first; one != NULL && status == SQ_OK; one = one->next) {
        one->position = 0;
        one->status = SQ_OK;
        if (one->request.kind == SQ_KV_READ) {
            status = kv_read(kv, one->request.key, &one->reply.value);
            continue;
        }
        one->position = kv_position(kv) + 1;
        status = kv_apply(kv, &one->request, one->padding, one->position, &one->reply);
        if (status == SQ_E_TIMEOUT) { /* an old operation of its session: its own affair */
            one->status = status;
            status = SQ_OK;
        }
    }
    return status == SQ_OK ? kv_commit(kv) : status;
}

static void tell(struct sq_env *env, struct single *single, const struct batch *batch)
{
    bool has_writes = false;
    for (const struct waiting *one = batch->first; one != NULL; one = one->next) {
        if (one->position != 0) {
            has_writes = true;
            env->trace->see(env, SQ_SEE_APPLY, one->position, kv_hash(&one->request, one->padding),
                            0, NULL);
        }
    }
    if (has_writes) {
        env->trace->see(env, SQ_SEE_STATE, kv_position(single->kv), kv_digest(single->kv), 0, NULL);
    }
}

static void batch_serve(struct sq_env *env, struct single *single)
{
    struct batch batch = batch_take(env, single);
    env->cpu->charge(env, batch.count, batch.bytes);
    enum sq_status status = batch_commit(single->kv, &batch);
    if (status == SQ_OK) {
        tell(env, single, &batch);
    } else {
        const char *message = kv_message(single->kv);
        env->trace->log(env, "transaction of %u failed: %s", batch.count, message);
        if (status == SQ_E_INVALID && !single->is_corrupt) {
            single->is_corrupt = true;
            env->trace->see(env, SQ_SEE_INTEGRITY, 0, 0, 0, message);
        }
        (void)kv_rollback(single->kv); /* failing again, the next transaction tries it anew */
    }
    while (batch.first != NULL) {
        struct waiting *one = batch.first;
        batch.first = one->next;
        enum sq_status answer = status != SQ_OK ? SQ_E_IO : one->status;
        env->call->reply(env, one->reply_to, answer, SQ_NODE_NONE, &one->reply,
                         answer == SQ_OK ? sizeof(one->reply) : 0);
        env->mem->free(env, one);
    }
}

static void writer_main(struct sq_env *env, void *argument)
{
    struct single *single = argument;
    for (;;) {
        if (single->first != NULL) {
            batch_serve(env, single);
        } else {
            env->fiber->park(env);
        }
    }
}

static void on_request(struct sq_env *env, const struct sq_request *request)
{
    struct single *single = env->state;
    struct sq_kv_request kv;
    enum sq_status refusal = SQ_OK;
    if (env->self != env->group_first) {
        refusal = SQ_E_NOT_LEADER;
    } else if (!sq_kv_decode(request->data, request->size, &kv)) {
        refusal = SQ_E_MALFORMED;
    } else if ((int64_t)single->count >= number(env, OPTION_QUEUE_LIMIT)) {
        refusal = SQ_E_OVERLOADED;
    }
    if (refusal != SQ_OK) {
        env->call->reply(env, request->reply_to, refusal, env->group_first, NULL, 0);
        return;
    }
    struct waiting *one = env->mem->alloc(env, sizeof(*one) + kv.padding);
    *one = (struct waiting){.reply_to = request->reply_to, .request = kv};
    memcpy(one->padding, (const uint8_t *)request->data + sizeof(kv), kv.padding);
    *single->last = one;
    single->last = &one->next;
    single->count++;
    env->fiber->unpark(env, single->writer);
}

static enum sq_status boot(struct sq_env *env)
{
    struct single *single = env->mem->alloc(env, sizeof(*single));
    *single = (struct single){.last = &single->first};
    env->state = single;
    struct kv_options kv_options = {
        .journal = (enum kv_journal)number(env, OPTION_JOURNAL),
        .synchronous = (enum kv_synchronous)number(env, OPTION_SYNCHRONOUS),
        .cache_pages = (uint32_t)number(env, OPTION_CACHE_PAGES),
        .page_bytes = (uint32_t)number(env, OPTION_PAGE_SIZE),
        .powersafe_overwrite = number(env, OPTION_POWERSAFE_OVERWRITE) != 0,
    };
    bool examines = number(env, OPTION_INTEGRITY_CHECK) != 0;
    enum sq_status status = kv_recover(env, DATABASE, &kv_options, examines, &single->kv);
    if (status != SQ_OK) {
        return status;
    }
    single->writer = env->fiber->spawn(env, writer_main, single);
    bool is_serving = env->self == env->group_first;
    env->trace->role(env, is_serving ? SQ_ROLE_LEADER : SQ_ROLE_FOLLOWER);
    return SQ_OK;
}

const struct sq_model model_sqlite_single = {
    .abi_version = SQ_ABI_VERSION,
    .size = sizeof(struct sq_model),
    .name = "sqlite-single",
    .version = "sqlite " SQLITE_VERSION,
    .description = "one SQLite database with group commit, not replicated",
    .options = options,
    .option_count = OPTION_COUNT,
    .prepare = vfs_prepare,
    .boot = boot,
    .request = on_request,
};
