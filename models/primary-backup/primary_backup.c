/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Model `primary-backup`: one primary applies writes and ships them to its backups; no consensus.
 * It is here as the honest contrast to Raft: simpler, faster, and wrong in ways that squall can
 * show.
 *
 * Log. Every write gets the next position and the epoch of the primary that made it. Each node
 * stores the result with SQLite (models/sqlite/kv.h) together with position and epoch of the last
 * entry, and keeps the newest entries in memory (tail.h). (position, epoch) names a prefix of one
 * history, for an epoch has one primary and a backup appends only what follows its own end. A
 * backup is `joined` once the end of its log was seen to lie on the primary's history; until then,
 * and after a gap, it asks with NEED, and gets entries when the primary's memory still covers that
 * place, else a dump of the whole database, which also replaces whatever diverged.
 *
 * Writing. The primary's worker fiber commits a batch to its own database, then ships it; backups
 * commit and answer with the position that is durable there. A request is answered when the
 * position is stable: `acks: async` at once (the log is shipped every shipInterval), `one` when one
 * backup has it, `all` when all backups of the group have it. With `all`, a backup that cannot be
 * reached blocks all answers until it is back: consistency is bought with availability. Reads are
 * served by the primary only and wait for the stability of what they have seen, as dirty reads
 * would undo it all.
 *
 * Fail-over. The primary's heartbeats renew a lease. A backup that hears nothing for leaseTimeout,
 * plus a leaseStep for each node before it in the group, takes over with a higher epoch; one that
 * is not joined waits for a further step per node of the group. Whoever hears of a higher epoch
 * steps down. Epochs are never shared: a node takes only those congruent to its index modulo the
 * size of the group. There is no quorum. So, by design:
 *   - a partition makes two primaries at once; `fencing` stops one that has heard from none of its
 *     backups for leaseTimeout (by its own clock, counted from the sending of what was answered),
 *     and does nothing for one that still hears one;
 *   - the backup that takes over need not be the one that knows most: `async` and `one` lose
 *     answered writes. With `all` any backup has all that was answered, and nothing answered is
 *     lost, as long as disks keep what they synced.
 *
 * A deposed primary answers what waits with an indefinite status and is resynchronised as any
 * backup.
 *
 * Failures of the disk. A failed transaction is rolled back until that succeeds; then the database
 * says whether the commit took place. A corrupt database takes the node out of service for good. */
#include "../models.h"
#include "../plant.h"
#include "../sqlite/recover.h"
#include "../sqlite/vfs.h"
#include "tail.h"

#include <assert.h>
#include <sqlite3.h>

#define DATABASE          "store.db"
#define NUMBER_EPOCH      "epoch"
#define NUMBER_LAST_EPOCH "lastEpoch"

enum {
    GROUP_MAX = 64,
    ENTRIES_PER_MESSAGE = 64,
    BYTES_PER_MESSAGE = 256 * 1024,
    WINDOW_ENTRIES = 1024,       /* shipped beyond what the backup has confirmed */
    RETRY_NS = 10 * 1000 * 1000, /* between attempts on a failing disk */
    NEED_BACKOFF_MAX = 64,       /* heartbeats between two requests for the same place */
};

enum option {
    OPTION_ACKS,
    OPTION_FENCING,
    OPTION_HEARTBEAT_INTERVAL,
    OPTION_LEASE_TIMEOUT,
    OPTION_LEASE_STEP,
    OPTION_SHIP_INTERVAL,
    OPTION_BATCH,
    OPTION_QUEUE_LIMIT,
    OPTION_TAIL_ENTRIES,
    OPTION_JOURNAL,
    OPTION_SYNCHRONOUS,
    OPTION_CACHE_PAGES,
    OPTION_PAGE_SIZE,
    OPTION_INTEGRITY_CHECK,
    OPTION_COUNT,
};

enum acks {
    ACKS_ASYNC,
    ACKS_ONE,
    ACKS_ALL,
};

static const struct sq_option options[OPTION_COUNT] = {
    [OPTION_ACKS] = {"acks", SQ_OPTION_CHOICE, "all", "async|one|all",
                     "backups that must have a write before it is answered"},
    [OPTION_FENCING] = {"fencing", SQ_OPTION_BOOLEAN, "true", NULL,
                        "a primary that hears from no backup for leaseTimeout stops serving"},
    [OPTION_HEARTBEAT_INTERVAL] = {"heartbeatInterval", SQ_OPTION_DURATION, "50ms", NULL,
                                   "between two heartbeats of the primary"},
    [OPTION_LEASE_TIMEOUT] = {"leaseTimeout", SQ_OPTION_DURATION, "500ms", NULL,
                              "silence of the primary after which a backup takes over"},
    [OPTION_LEASE_STEP] = {"leaseStep", SQ_OPTION_DURATION, "200ms", NULL,
                           "added to leaseTimeout for each node before it in the group"},
    [OPTION_SHIP_INTERVAL] = {"shipInterval", SQ_OPTION_DURATION, "20ms", NULL,
                              "with acks async: how long writes are collected before shipping"},
    [OPTION_BATCH] = {"batch", SQ_OPTION_COUNT, "64", NULL,
                      "most requests that share one transaction"},
    [OPTION_QUEUE_LIMIT] = {"queueLimit", SQ_OPTION_COUNT, "10000", NULL,
                            "requests that may wait; more are refused as overloaded"},
    [OPTION_TAIL_ENTRIES] = {"tailEntries", SQ_OPTION_COUNT, "4096", NULL,
                             "log entries kept in memory for backups that lag"},
    [OPTION_JOURNAL] = {"journal", SQ_OPTION_CHOICE, "wal", KV_JOURNAL_CHOICES,
                        "SQLite's journal mode"},
    [OPTION_SYNCHRONOUS] = {"synchronous", SQ_OPTION_CHOICE, "full", KV_SYNCHRONOUS_CHOICES,
                            "SQLite's PRAGMA synchronous"},
    [OPTION_CACHE_PAGES] = {"cachePages", SQ_OPTION_COUNT, "2000", NULL,
                            "pages that SQLite keeps in memory"},
    [OPTION_PAGE_SIZE] = {"pageSize", SQ_OPTION_SIZE, "4KiB", NULL, "page size of a new database"},
    [OPTION_INTEGRITY_CHECK] = {"integrityCheck", SQ_OPTION_BOOLEAN, "true", NULL,
                                "check the whole database at each boot"},
};

enum timer {
    TIMER_LEASE = 1,
    TIMER_HEARTBEAT,
    TIMER_SHIP,
};

/* ---------------------------------------------------------------------- messages */

enum message_kind {
    MESSAGE_APPEND =
        1,        /* primary: `count` entries after (position, position_epoch); none: a heartbeat */
    MESSAGE_DUMP, /* primary: a dump of the database at (position, position_epoch) follows */
    MESSAGE_ACK,  /* backup: joined, and all up to `position` is durable here */
    MESSAGE_NEED, /* backup: my log ends at (position, position_epoch), send what follows */
    MESSAGE_ALIVE, /* backup: busy */
};

struct message {
    uint32_t kind; /* enum message_kind */
    uint32_t count;
    uint64_t epoch; /* of the sender */
    uint64_t position;
    uint64_t position_epoch;
    int64_t stamp; /* primary: its clock when sent; backup: the stamp that it answers */
};

/* Before each entry of an APPEND. */
struct message_entry {
    uint64_t epoch;
    uint64_t size;
};

/* ---------------------------------------------------------------------- state */

enum role {
    ROLE_BACKUP,
    ROLE_PROMOTING, /* has taken an epoch and is about to make it durable */
    ROLE_PRIMARY,
};

/* A request, first in the queue and then among the unstable. */
struct waiting {
    struct waiting *next;
    struct sq_reply_to reply_to;
    struct sq_kv_request request;
    struct sq_kv_reply reply;
    enum sq_status status;
    uint64_t position; /* must be stable before the answer */
    uint8_t padding[];
};

struct queue {
    struct waiting *first;
    struct waiting **last;
    uint32_t count;
};

/* What the primary knows of a backup. */
struct backup {
    uint64_t next;  /* position to ship next */
    uint64_t base;  /* the backup has said that it has all up to here */
    uint64_t acked; /* durable there, on this primary's history */
    sq_time contact;
};

struct dump {
    void *data; /* NULL: none */
    size_t size;
    uint64_t epoch;
    uint64_t position;
    uint64_t position_epoch;
};

struct node {
    struct kv *kv;
    sq_fiber worker;
    enum role role;
    uint64_t epoch;
    sq_node primary; /* as far as is known */
    struct tail tail;
    uint64_t applied; /* durable in the database */
    bool is_joined;
    bool is_replacing; /* the worker changes the end of the log: nothing may be appended */
    bool is_broken;
    /* backup */
    sq_time heard;
    sq_time stamp; /* of the last message from the primary */
    sq_timer lease;
    uint64_t need_position;
    sq_time need_sent;
    sq_time need_delay; /* before the same is asked again; 0: nothing was asked */
    struct dump dump;   /* arrived, to be loaded */
    /* primary */
    struct backup backups[GROUP_MAX];
    struct queue queue;
    struct queue unstable; /* by position */
    sq_timer heartbeat;
    sq_timer ship;
    uint64_t dump_wanted; /* by index in the group */
};

static int64_t number(const struct sq_env *env, enum option option)
{
    return env->options[option].number;
}

static uint32_t count_of(const struct sq_env *env, enum option option)
{
    int64_t value = number(env, option);
    return value < 1 ? 1 : value > 1000000 ? 1000000 : (uint32_t)value;
}

static uint32_t index_of(const struct sq_env *env)
{
    return env->self - env->group_first;
}

static sq_time now(struct sq_env *env)
{
    return env->clock->monotonic(env);
}

/* ---------------------------------------------------------------------- requests that wait */

static void queue_init(struct queue *queue)
{
    *queue = (struct queue){.last = &queue->first};
}

static void queue_push(struct queue *queue, struct waiting *one)
{
    one->next = NULL;
    *queue->last = one;
    queue->last = &one->next;
    queue->count++;
}

static struct waiting *queue_pop(struct queue *queue)
{
    struct waiting *one = queue->first;
    assert(one != NULL);
    queue->first = one->next;
    if (queue->first == NULL) {
        queue->last = &queue->first;
    }
    queue->count--;
    return one;
}

/* Answers and frees. */
static void answer(struct sq_env *env, struct waiting *one, enum sq_status status, sq_node leader)
{
    env->call->reply(env, one->reply_to, status, leader, &one->reply,
                     status == SQ_OK ? sizeof(one->reply) : 0);
    env->mem->free(env, one);
}

static void queue_answer(struct sq_env *env, struct queue *queue, enum sq_status status,
                         sq_node leader)
{
    while (queue->first != NULL) {
        answer(env, queue_pop(queue), status, leader);
    }
}

static uint64_t stable_position(const struct sq_env *env, const struct node *node)
{
    enum acks acks = (enum acks)number(env, OPTION_ACKS);
    if (acks == ACKS_ASYNC || env->group_size == 1) {
        return UINT64_MAX;
    }
    uint64_t least = UINT64_MAX;
    uint64_t most = 0;
    for (uint32_t i = 0; i < env->group_size; i++) {
        if (i != index_of(env)) {
            uint64_t acked = node->backups[i].acked;
            least = acked < least ? acked : least;
            most = acked > most ? acked : most;
        }
    }
    return acks == ACKS_ALL && !PLANTED(env, ALL_MEANS_ONE) ? least : most;
}

static void answer_stable(struct sq_env *env, struct node *node)
{
    uint64_t stable = stable_position(env, node);
    while (node->unstable.first != NULL && node->unstable.first->position <= stable) {
        struct waiting *one = queue_pop(&node->unstable);
        answer(env, one, one->status, SQ_NODE_NONE);
    }
}

/* ---------------------------------------------------------------------- shipping */

static void send_message(struct sq_env *env, sq_node to, const struct message *message)
{
    struct sq_buffer buffer = {message, sizeof(*message)};
    env->net->send(env, to, &buffer, 1);
}

/* One message with as many entries from backup->next on as fit. */
static void ship_some(struct sq_env *env, struct node *node, uint32_t index)
{
    struct backup *backup = &node->backups[index];
    struct message message = {
        .kind = MESSAGE_APPEND,
        .epoch = node->epoch,
        .position = backup->next - 1,
        .position_epoch = tail_epoch(&node->tail, backup->next - 1),
        .stamp = now(env),
    };
    struct message_entry heads[ENTRIES_PER_MESSAGE];
    struct sq_buffer buffers[1 + 2 * ENTRIES_PER_MESSAGE];
    uint32_t used = 1;
    size_t bytes = 0;
    while (backup->next <= node->tail.last && message.count < ENTRIES_PER_MESSAGE &&
           bytes < BYTES_PER_MESSAGE) {
        const struct entry *entry = tail_at(&node->tail, backup->next);
        assert(entry != NULL);
        heads[message.count] = (struct message_entry){entry->epoch, entry->size};
        buffers[used++] = (struct sq_buffer){&heads[message.count], sizeof(heads[0])};
        buffers[used++] = (struct sq_buffer){entry->data, entry->size};
        bytes += entry->size;
        message.count++;
        backup->next++;
    }
    if (PLANTED(env, MESSAGE_CUT_SHORT) && message.count == ENTRIES_PER_MESSAGE) {
        buffers[used - 1].size -= 8;
    }
    buffers[0] = (struct sq_buffer){&message, sizeof(message)};
    env->net->send(env, env->group_first + index, buffers, used);
}

static void ship(struct sq_env *env, struct node *node, uint32_t index)
{
    struct backup *backup = &node->backups[index];
    while (backup->next <= node->tail.last && backup->next - backup->base <= WINDOW_ENTRIES &&
           tail_epoch(&node->tail, backup->next - 1) != TAIL_EPOCH_UNKNOWN) {
        ship_some(env, node, index);
    }
}

static void ship_all(struct sq_env *env, struct node *node)
{
    for (uint32_t i = 0; i < env->group_size; i++) {
        if (i != index_of(env)) {
            ship(env, node, i);
        }
    }
}

/* Renews the lease, and shows a backup what it should have: it asks when it has not. */
static void beat(struct sq_env *env, struct node *node)
{
    for (uint32_t i = 0; i < env->group_size; i++) {
        if (i == index_of(env)) {
            continue;
        }
        uint64_t position = node->backups[i].next - 1;
        if (tail_epoch(&node->tail, position) == TAIL_EPOCH_UNKNOWN) {
            position = node->tail.last;
        }
        struct message message = {
            .kind = MESSAGE_APPEND,
            .epoch = node->epoch,
            .position = position,
            .position_epoch = tail_epoch(&node->tail, position),
            .stamp = now(env),
        };
        send_message(env, env->group_first + i, &message);
    }
}

/* ---------------------------------------------------------------------- roles */

/* What a backup waits for before it takes over. */
static sq_time patience(const struct sq_env *env, const struct node *node)
{
    int64_t steps = (int64_t)index_of(env) + (node->is_joined ? 0 : (int64_t)env->group_size);
    return number(env, OPTION_LEASE_TIMEOUT) + steps * number(env, OPTION_LEASE_STEP);
}

static void lease_restart(struct sq_env *env, struct node *node)
{
    node->heard = now(env);
    sq_time delay = patience(env, node);
    if (node->lease == 0 || !env->clock->rearm(env, node->lease, delay)) {
        node->lease = env->clock->start(env, delay, TIMER_LEASE);
    }
}

/* Becomes a backup, of `primary` if that is known. */
static void step_down(struct sq_env *env, struct node *node, sq_node primary)
{
    enum role before = node->role;
    node->role = ROLE_BACKUP;
    node->primary = primary;
    node->is_joined = false;
    node->need_delay = 0;
    node->dump_wanted = 0;
    if (before != ROLE_BACKUP) {
        env->trace->role(env, SQ_ROLE_FOLLOWER);
        env->trace->log(env, "steps down in epoch %llu", (unsigned long long)node->epoch);
    }
    queue_answer(env, &node->unstable, SQ_E_TIMEOUT, primary); /* may survive or not */
    queue_answer(env, &node->queue, SQ_E_NOT_LEADER, primary);
    lease_restart(env, node);
}

/* Takes the next epoch of its own; the worker does the rest. */
static void start_promotion(struct sq_env *env, struct node *node)
{
    node->epoch = (node->epoch / env->group_size + 1) * env->group_size + index_of(env);
    node->role = ROLE_PROMOTING;
    node->is_joined = false;
    node->primary = SQ_NODE_NONE;
    env->trace->role(env, SQ_ROLE_CANDIDATE);
    env->fiber->unpark(env, node->worker);
}

static void become_primary(struct sq_env *env, struct node *node)
{
    node->role = ROLE_PRIMARY;
    node->primary = env->self;
    for (uint32_t i = 0; i < env->group_size; i++) {
        node->backups[i] = (struct backup){
            .next = node->tail.last + 1, .base = node->tail.last, .contact = now(env)};
    }
    env->trace->see(env, SQ_SEE_LEADER, node->epoch, 0, 0, NULL);
    env->trace->role(env, SQ_ROLE_LEADER);
    env->trace->sometimes(env, node->tail.last > 0 ? "primary-backup.fail-over"
                                                   : "primary-backup.first-primary");
    beat(env, node);
    if (node->heartbeat == 0) {
        node->heartbeat =
            env->clock->start(env, number(env, OPTION_HEARTBEAT_INTERVAL), TIMER_HEARTBEAT);
    }
}

/* A primary that knows that it may have been replaced. */
static bool is_fenced(struct sq_env *env, const struct node *node)
{
    if (number(env, OPTION_FENCING) == 0 || env->group_size == 1) {
        return false;
    }
    sq_time latest = INT64_MIN;
    for (uint32_t i = 0; i < env->group_size; i++) {
        if (i != index_of(env) && node->backups[i].contact > latest) {
            latest = node->backups[i].contact;
        }
    }
    return now(env) - latest > number(env, OPTION_LEASE_TIMEOUT);
}

/* Takes the node out of service. */
static void give_up(struct sq_env *env, struct node *node, const char *why)
{
    env->trace->see(env, SQ_SEE_INTEGRITY, 0, 0, 0, why);
    step_down(env, node, SQ_NODE_NONE);
    node->is_broken = true;
    env->trace->role(env, SQ_ROLE_NONE);
}

/* ---------------------------------------------------------------------- the worker: any role */

/* After a failed transaction that would have led to position `aim`: returns once the database can
 * be read again and is either where it was or there, or is given up. */
static void recover(struct sq_env *env, struct node *node, enum sq_status status, uint64_t aim)
{
    env->trace->log(env, "a transaction failed: %s", kv_message(node->kv));
    env->trace->sometimes(env, "primary-backup.transaction-failed");
    while (status != SQ_OK && status != SQ_E_INVALID) {
        env->clock->sleep(env, RETRY_NS);
        status = kv_rollback(node->kv);
    }
    if (status == SQ_E_INVALID) {
        give_up(env, node, kv_message(node->kv));
    } else if (kv_position(node->kv) != node->applied && kv_position(node->kv) != aim) {
        give_up(env, node, "a failed transaction left the database at an impossible position");
    }
}

static void tell_applied(struct sq_env *env, struct node *node, uint64_t from)
{
    for (uint64_t i = from; i <= node->applied; i++) {
        const struct entry *entry = tail_at(&node->tail, i);
        struct sq_kv_request request;
        if (entry != NULL && sq_kv_decode(entry->data, entry->size, &request)) {
            env->trace->see(env, SQ_SEE_APPLY, i, kv_hash(&request, entry->data + sizeof(request)),
                            0, NULL);
        }
    }
    if (from <= node->applied) {
        env->trace->see(env, SQ_SEE_STATE, node->applied, kv_digest(node->kv), 0, NULL);
    }
}

/* To the primary: all that is durable here. */
static void acknowledge(struct sq_env *env, const struct node *node)
{
    if (node->role != ROLE_BACKUP || !node->is_joined || node->primary == SQ_NODE_NONE) {
        return;
    }
    struct message message = {
        .kind = MESSAGE_ACK, .epoch = node->epoch, .position = node->applied, .stamp = node->stamp};
    send_message(env, node->primary, &message);
}

static enum sq_status apply_entry(struct node *node, uint64_t position)
{
    const struct entry *entry = tail_at(&node->tail, position);
    assert(entry != NULL);
    struct sq_kv_request request;
    struct sq_kv_reply reply;
    if (!sq_kv_decode(entry->data, entry->size, &request)) {
        return SQ_E_MALFORMED; /* the primary checked it */
    }
    enum sq_status status =
        kv_apply(node->kv, &request, entry->data + sizeof(request), position, &reply);
    return status == SQ_E_TIMEOUT ? SQ_OK : status; /* an old operation of its session */
}

static void remember_epochs(struct node *node, uint64_t last_epoch)
{
    kv_set_number(node->kv, NUMBER_EPOCH, (int64_t)node->epoch);
    kv_set_number(node->kv, NUMBER_LAST_EPOCH, (int64_t)last_epoch);
}

/* Applies what was received and not applied yet. */
static void apply_received(struct sq_env *env, struct node *node)
{
    uint64_t from = node->applied + 1;
    uint64_t to = node->applied + count_of(env, OPTION_BATCH);
    to = to < node->tail.last ? to : node->tail.last;
    size_t bytes = 0;
    for (uint64_t i = from; i <= to; i++) {
        bytes += tail_at(&node->tail, i)->size;
    }
    env->cpu->charge(env, (uint32_t)(to - from + 1), bytes);
    enum sq_status status = kv_begin(node->kv);
    for (uint64_t i = from; i <= to && status == SQ_OK; i++) {
        status = apply_entry(node, i);
    }
    if (status == SQ_OK) {
        remember_epochs(node, tail_epoch(&node->tail, to));
        status = kv_commit(node->kv);
    }
    if (status != SQ_OK) {
        recover(env, node, status, to);
    }
    if (!node->is_broken) {
        node->applied = kv_position(node->kv);
        tell_applied(env, node, from);
        acknowledge(env, node);
    }
}

static void load_dump(struct sq_env *env, struct node *node)
{
    struct dump dump = node->dump;
    node->dump = (struct dump){0};
    if (dump.epoch == node->epoch && node->role == ROLE_BACKUP) {
        node->is_replacing = true;
        env->cpu->charge(env, 1, dump.size);
        enum sq_status status = kv_begin(node->kv);
        if (status == SQ_OK) {
            status = kv_load(node->kv, dump.data, dump.size);
        }
        if (status == SQ_OK) {
            remember_epochs(node, dump.position_epoch);
            status = kv_commit(node->kv);
        }
        if (status != SQ_OK) {
            recover(env, node, status, dump.position);
        }
        if (!node->is_broken) {
            node->applied = kv_position(node->kv);
            uint64_t last_epoch = (uint64_t)kv_number(node->kv, NUMBER_LAST_EPOCH, 0);
            tail_reset(&node->tail, node->applied, last_epoch);
            env->trace->see(env, SQ_SEE_STATE, node->applied, kv_digest(node->kv), 0, NULL);
            env->trace->sometimes(env, "primary-backup.dump-loaded");
        }
        node->is_replacing = false;
        node->is_joined = status == SQ_OK && dump.epoch == node->epoch &&
                          node->role == ROLE_BACKUP && !node->is_broken;
        acknowledge(env, node);
    }
    env->mem->free(env, dump.data);
}

/* Makes the new epoch durable, so that it is never taken again, and begins to serve. */
static void finish_promotion(struct sq_env *env, struct node *node)
{
    uint64_t epoch = node->epoch;
    enum sq_status status = kv_begin(node->kv);
    if (status == SQ_OK) {
        kv_set_number(node->kv, NUMBER_EPOCH, (int64_t)epoch);
        status = kv_commit(node->kv);
    }
    if (status != SQ_OK) {
        recover(env, node, status, node->applied);
    } else if (node->role == ROLE_PROMOTING && node->epoch == epoch) {
        become_primary(env, node);
    }
}

/* ---------------------------------------------------------------------- the worker: primary */

static void send_dump(struct sq_env *env, struct node *node)
{
    uint64_t epoch = node->epoch;
    uint64_t wanted = node->dump_wanted;
    node->dump_wanted = 0;
    void *data = NULL;
    size_t size = 0;
    enum sq_status status = kv_dump(node->kv, &data, &size);
    if (status != SQ_OK) {
        recover(env, node, status, node->applied); /* the backup will ask again */
        return;
    }
    env->cpu->charge(env, 1, size);
    struct message message = {
        .kind = MESSAGE_DUMP,
        .epoch = epoch,
        .position = node->applied,
        .position_epoch = (uint64_t)kv_number(node->kv, NUMBER_LAST_EPOCH, 0),
        .stamp = now(env),
    };
    struct sq_buffer buffers[] = {{&message, sizeof(message)}, {data, size}};
    for (uint32_t i = 0; i < env->group_size; i++) {
        if ((wanted >> i & 1) != 0 && node->role == ROLE_PRIMARY && node->epoch == epoch) {
            node->backups[i].next = message.position + 1;
            node->backups[i].base = message.position;
            env->net->send(env, env->group_first + i, buffers, 2);
        }
    }
    env->mem->free(env, data);
}

/* Moves up to a batch of requests from the queue. */
static size_t batch_take(struct sq_env *env, struct node *node, struct queue *batch)
{
    size_t bytes = 0;
    queue_init(batch);
    while (node->queue.first != NULL && batch->count < count_of(env, OPTION_BATCH)) {
        struct waiting *one = queue_pop(&node->queue);
        bytes += sizeof(one->request) + one->request.padding;
        queue_push(batch, one);
    }
    return bytes;
}

static enum sq_status batch_commit(struct node *node, const struct queue *batch, uint64_t epoch)
{
    struct kv *kv = node->kv;
    enum sq_status status = kv_begin(kv);
    for (struct waiting *one = batch->first; one != NULL && status == SQ_OK; one = one->next) {
        one->status = SQ_OK;
        if (one->request.kind == SQ_KV_READ) {
            status = kv_read(kv, one->request.key, &one->reply.value);
        } else {
            status = kv_apply(kv, &one->request, one->padding, kv_position(kv) + 1, &one->reply);
        }
        if (status == SQ_E_TIMEOUT) { /* an old operation of its session: its own affair */
            one->status = status;
            status = SQ_OK;
        }
        one->position = kv_position(kv);
    }
    if (status == SQ_OK && kv_position(kv) != node->applied) {
        remember_epochs(node, epoch);
    }
    return status == SQ_OK ? kv_commit(kv) : status;
}

static uint32_t writes_of(const struct queue *batch)
{
    uint32_t count = 0;
    for (const struct waiting *one = batch->first; one != NULL; one = one->next) {
        count += one->request.kind == SQ_KV_UPDATE;
    }
    return count;
}

/* Adds the batch's writes up to the database's position to the log. */
static void batch_log(struct sq_env *env, struct node *node, const struct queue *batch,
                      uint64_t epoch)
{
    for (const struct waiting *one = batch->first; one != NULL; one = one->next) {
        uint32_t size = (uint32_t)sizeof(one->request) + one->request.padding;
        if (one->request.kind == SQ_KV_UPDATE && node->tail.last < kv_position(node->kv)) {
            uint8_t *data = env->mem->alloc(env, size);
            memcpy(data, &one->request, sizeof(one->request));
            memcpy(data + sizeof(one->request), one->padding, one->request.padding);
            tail_append(&node->tail, epoch, data, size);
            env->mem->free(env, data);
        }
    }
    node->applied = kv_position(node->kv);
}

/* Ships what is new, or sees to it that it will be. */
static void ship_soon(struct sq_env *env, struct node *node)
{
    if ((enum acks)number(env, OPTION_ACKS) != ACKS_ASYNC) {
        ship_all(env, node);
    } else if (node->ship == 0 && env->group_size > 1) {
        node->ship = env->clock->start(env, number(env, OPTION_SHIP_INTERVAL), TIMER_SHIP);
    }
}

static void serve(struct sq_env *env, struct node *node)
{
    if (is_fenced(env, node)) {
        env->trace->sometimes(env, "primary-backup.fenced");
        queue_answer(env, &node->queue, SQ_E_UNAVAILABLE, SQ_NODE_NONE);
        return;
    }
    struct queue batch;
    uint64_t epoch = node->epoch;
    uint64_t from = node->applied + 1;
    size_t bytes = batch_take(env, node, &batch);
    assert(node->tail.last == node->applied);
    node->is_replacing = true; /* one that is deposed meanwhile must not append behind our back */
    env->cpu->charge(env, batch.count, bytes);
    enum sq_status status = SQ_E_NOT_LEADER; /* deposed before anything was done: definite */
    bool is_tried = node->role == ROLE_PRIMARY && node->epoch == epoch;
    if (is_tried) {
        status = batch_commit(node, &batch, epoch);
        if (status != SQ_OK) {
            recover(env, node, status, node->applied + writes_of(&batch));
            status = SQ_E_IO;
        }
        if (!node->is_broken) {
            batch_log(env, node, &batch, epoch);
            tell_applied(env, node, from);
        }
    }
    node->is_replacing = false;
    bool is_primary = node->role == ROLE_PRIMARY && node->epoch == epoch;
    if (status == SQ_OK && !is_primary) {
        status = SQ_E_TIMEOUT;
    }
    while (batch.first != NULL) {
        struct waiting *one = queue_pop(&batch);
        if (status == SQ_OK) {
            queue_push(&node->unstable, one);
        } else {
            answer(env, one, status, node->primary);
        }
    }
    if (is_primary) {
        ship_soon(env, node);
        answer_stable(env, node);
    }
}

static void worker_main(struct sq_env *env, void *argument)
{
    struct node *node = argument;
    while (!node->is_broken) {
        if (node->dump.data != NULL) {
            load_dump(env, node);
        } else if (node->applied < node->tail.last) {
            apply_received(env, node);
        } else if (node->role == ROLE_PROMOTING) {
            finish_promotion(env, node);
        } else if (node->role == ROLE_PRIMARY && node->dump_wanted != 0) {
            send_dump(env, node);
        } else if (node->role == ROLE_PRIMARY && node->queue.first != NULL) {
            serve(env, node);
        } else {
            env->fiber->park(env);
        }
    }
}

/* ---------------------------------------------------------------------- messages: backup */

/* Asks the primary for what follows the end of the log, but not again and again while the answer is
 * on its way: at most four times a heartbeat, and ever more rarely when it does not help. */
static void ask(struct sq_env *env, struct node *node)
{
    sq_time heartbeat = number(env, OPTION_HEARTBEAT_INTERVAL);
    bool is_same = node->need_delay != 0 && node->need_position == node->tail.last;
    sq_time pause = is_same ? node->need_delay : heartbeat / 4;
    struct message message = {.kind = MESSAGE_NEED,
                              .epoch = node->epoch,
                              .position = node->tail.last,
                              .position_epoch = tail_epoch(&node->tail, node->tail.last),
                              .stamp = node->stamp};
    if (node->need_delay != 0 && now(env) - node->need_sent < pause) {
        message.kind = MESSAGE_ALIVE;
    } else {
        sq_time longest = NEED_BACKOFF_MAX * heartbeat;
        node->need_delay = is_same ? node->need_delay * 2 : 2 * heartbeat;
        node->need_delay = node->need_delay < longest ? node->need_delay : longest;
        node->need_position = node->tail.last;
        node->need_sent = now(env);
    }
    send_message(env, node->primary, &message);
}

/* Appends the entries that are new; false when the message is not well-formed. */
static bool append_entries(struct sq_env *env, struct node *node, const struct message *message,
                           const uint8_t *data, size_t size)
{
    uint32_t room = node->tail.capacity;
    uint64_t position = message->position;
    for (uint32_t i = 0; i < message->count; i++) {
        struct message_entry head;
        if (size < sizeof(head)) {
            return false;
        }
        memcpy(&head, data, sizeof(head));
        if (size - sizeof(head) < head.size) {
            return false;
        }
        position++;
        if (position == node->tail.last + 1 && node->tail.last - node->applied < room) {
            tail_append(&node->tail, head.epoch, data + sizeof(head), (uint32_t)head.size);
        }
        data += sizeof(head) + head.size;
        size -= sizeof(head) + head.size;
    }
    env->fiber->unpark(env, node->worker);
    return size == 0;
}

static void on_append(struct sq_env *env, struct node *node, const struct message *message,
                      const uint8_t *data, size_t size)
{
    if (node->is_replacing || node->dump.data != NULL) {
        struct message busy = {.kind = MESSAGE_ALIVE, .epoch = node->epoch, .stamp = node->stamp};
        send_message(env, node->primary, &busy);
        return;
    }
    bool fits = message->position == node->tail.last &&
                message->position_epoch == tail_epoch(&node->tail, node->tail.last);
    if (!node->is_joined && fits) {
        node->is_joined = true;
        lease_restart(env, node);
    }
    if (!node->is_joined || message->position > node->tail.last) {
        ask(env, node);
        return;
    }
    uint64_t before = node->tail.last;
    bool is_sound = append_entries(env, node, message, data, size);
    env->trace->always(env, is_sound, "primary-backup.well-formed", "an APPEND is cut short");
    if (node->tail.last == before) {
        acknowledge(env, node);
    }
}

static void on_dump(struct sq_env *env, struct node *node, const struct message *message,
                    const void *data, size_t size)
{
    bool is_old = node->is_joined && message->position <= node->tail.last;
    if (is_old || node->is_replacing || size == 0) {
        return;
    }
    env->mem->free(env, node->dump.data);
    node->dump = (struct dump){.data = env->mem->alloc(env, size),
                               .size = size,
                               .epoch = message->epoch,
                               .position = message->position,
                               .position_epoch = message->position_epoch};
    memcpy(node->dump.data, data, size);
    node->is_joined = false;
    node->need_delay = 0;
    env->fiber->unpark(env, node->worker);
}

/* ---------------------------------------------------------------------- messages: primary */

static void on_backup_message(struct sq_env *env, struct node *node, uint32_t index,
                              const struct message *message)
{
    struct backup *backup = &node->backups[index];
    if (message->stamp > backup->contact) {
        backup->contact = message->stamp;
    }
    if (message->kind == MESSAGE_ACK) {
        if (message->position > backup->acked) {
            backup->acked = message->position;
        }
        if (message->position > backup->base) {
            backup->base = message->position;
        }
        if (backup->next <= message->position) {
            backup->next = message->position + 1;
        }
        answer_stable(env, node);
        if ((enum acks)number(env, OPTION_ACKS) != ACKS_ASYNC) {
            ship(env, node, index);
        }
    } else if (message->kind == MESSAGE_NEED) {
        if (tail_epoch(&node->tail, message->position) == message->position_epoch) {
            backup->base = message->position;
            backup->next = message->position + 1;
            if (message->position == node->tail.last) {
                beat(env, node); /* it fits: let it see that it has joined */
            }
            ship(env, node, index);
        } else {
            node->dump_wanted |= UINT64_C(1) << index;
            env->fiber->unpark(env, node->worker);
        }
    }
}

/* ---------------------------------------------------------------------- calls from the world */

static void deliver(struct sq_env *env, sq_node from, const void *data, size_t size)
{
    struct node *node = env->state;
    struct message message;
    if (size < sizeof(message) || from < env->group_first ||
        from - env->group_first >= env->group_size || from == env->self || node->is_broken) {
        return;
    }
    memcpy(&message, data, sizeof(message));
    const uint8_t *rest = (const uint8_t *)data + sizeof(message);
    size_t rest_size = size - sizeof(message);
    bool is_from_primary = message.kind == MESSAGE_APPEND || message.kind == MESSAGE_DUMP;
    if (message.epoch > node->epoch) {
        node->epoch = message.epoch;
        step_down(env, node, is_from_primary ? from : SQ_NODE_NONE);
    }
    if (message.epoch < node->epoch) {
        if (is_from_primary) { /* tells it that it is deposed */
            struct message news = {.kind = MESSAGE_ALIVE, .epoch = node->epoch};
            send_message(env, from, &news);
        }
        return;
    }
    if (!is_from_primary) {
        if (node->role == ROLE_PRIMARY) {
            on_backup_message(env, node, from - env->group_first, &message);
        }
        return;
    }
    if (node->role != ROLE_BACKUP) {
        return; /* nobody else has this epoch */
    }
    node->primary = from;
    node->stamp = message.stamp > node->stamp ? message.stamp : node->stamp;
    lease_restart(env, node);
    if (message.kind == MESSAGE_APPEND) {
        on_append(env, node, &message, rest, rest_size);
    } else {
        on_dump(env, node, &message, rest, rest_size);
    }
}

static void on_request(struct sq_env *env, const struct sq_request *request)
{
    struct node *node = env->state;
    struct sq_kv_request kv;
    enum sq_status refusal = SQ_OK;
    if (node->role != ROLE_PRIMARY) {
        refusal = SQ_E_NOT_LEADER;
    } else if (!sq_kv_decode(request->data, request->size, &kv)) {
        refusal = SQ_E_MALFORMED;
    } else if (is_fenced(env, node)) {
        refusal = SQ_E_UNAVAILABLE;
        env->trace->sometimes(env, "primary-backup.fenced");
    } else if (node->queue.count + node->unstable.count >= count_of(env, OPTION_QUEUE_LIMIT)) {
        refusal = SQ_E_OVERLOADED;
    }
    if (refusal != SQ_OK) {
        env->call->reply(env, request->reply_to, refusal, node->primary, NULL, 0);
        return;
    }
    struct waiting *one = env->mem->alloc(env, sizeof(*one) + kv.padding);
    *one = (struct waiting){.reply_to = request->reply_to, .request = kv};
    memcpy(one->padding, (const uint8_t *)request->data + sizeof(kv), kv.padding);
    queue_push(&node->queue, one);
    env->fiber->unpark(env, node->worker);
}

static void on_lease(struct sq_env *env, struct node *node)
{
    node->lease = 0;
    if (node->role != ROLE_BACKUP || node->is_broken) {
        return; /* step_down starts it again */
    }
    sq_time left = node->heard + patience(env, node) - now(env);
    if (left > 0) {
        node->lease = env->clock->start(env, left, TIMER_LEASE);
    } else {
        start_promotion(env, node);
    }
}

static void on_timer(struct sq_env *env, uint64_t tag)
{
    struct node *node = env->state;
    bool is_primary = node->role == ROLE_PRIMARY;
    switch ((enum timer)tag) {
    case TIMER_LEASE:
        on_lease(env, node);
        break;
    case TIMER_HEARTBEAT:
        node->heartbeat = 0;
        if (is_primary) {
            beat(env, node);
            ship_all(env, node);
            sq_time interval = number(env, OPTION_HEARTBEAT_INTERVAL);
            node->heartbeat = env->clock->start(env, interval, TIMER_HEARTBEAT);
        }
        break;
    case TIMER_SHIP:
        node->ship = 0;
        if (is_primary) {
            ship_all(env, node);
        }
        break;
    }
}

/* ---------------------------------------------------------------------- boot */

static enum sq_status open_store(struct sq_env *env, struct node *node)
{
    struct kv_options kv_options = {
        .journal = (enum kv_journal)number(env, OPTION_JOURNAL),
        .synchronous = (enum kv_synchronous)number(env, OPTION_SYNCHRONOUS),
        .cache_pages = (uint32_t)number(env, OPTION_CACHE_PAGES),
        .page_bytes = (uint32_t)number(env, OPTION_PAGE_SIZE),
    };
    bool examines = number(env, OPTION_INTEGRITY_CHECK) != 0;
    return kv_recover(env, DATABASE, &kv_options, examines, &node->kv);
}

static enum sq_status boot(struct sq_env *env)
{
    if (env->group_size > GROUP_MAX) {
        return SQ_E_INVALID;
    }
    struct node *node = env->mem->alloc(env, sizeof(*node));
    *node = (struct node){.primary = SQ_NODE_NONE};
    env->state = node;
    queue_init(&node->queue);
    queue_init(&node->unstable);
    tail_init(&node->tail, env, count_of(env, OPTION_TAIL_ENTRIES));
    if (open_store(env, node) != SQ_OK) {
        return SQ_E_IO;
    }
    node->applied = kv_position(node->kv);
    node->epoch = (uint64_t)kv_number(node->kv, NUMBER_EPOCH, 0);
    tail_reset(&node->tail, node->applied, (uint64_t)kv_number(node->kv, NUMBER_LAST_EPOCH, 0));
    node->worker = env->fiber->spawn(env, worker_main, node);
    env->trace->role(env, SQ_ROLE_FOLLOWER);
    bool is_first_of_all = index_of(env) == 0 && env->incarnation == 1 && !kv_was_there(node->kv);
    if (is_first_of_all || env->group_size == 1) {
        start_promotion(env, node);
    } else {
        lease_restart(env, node);
    }
    return SQ_OK;
}

const struct sq_model model_primary_backup = {
    .abi_version = SQ_ABI_VERSION,
    .size = sizeof(struct sq_model),
    .name = "primary-backup",
    .version = "1, sqlite " SQLITE_VERSION,
    .description = "a primary ships writes to backups; fail-over by lease, no quorum",
    .options = options,
    .option_count = OPTION_COUNT,
    .prepare = vfs_prepare,
    .boot = boot,
    .deliver = deliver,
    .request = on_request,
    .timer = on_timer,
};
