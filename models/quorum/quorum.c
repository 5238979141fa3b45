/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Model `quorum`: a key-value store with tunable quorums, as Dynamo has it (DeCandia et al., SOSP
 * 2007). Every node is replica and coordinator. The nodes stand on a ring, one evenly spaced token
 * each; a key belongs to the `replicas` nodes from its place on. Whoever gets a request coordinates
 * it: it sends a write to all replicas and answers when `writeQuorum` have it, a read to all and
 * answers with the newest version of the first `readQuorum` answers. Its own copy is asked by a
 * message as well, so no replica is privileged.
 *
 * Versions are (time of the coordinator's clock, coordinator), and the last writer wins: clocks
 * that differ lose updates, as they do in reality. A coordinator's times always grow, and it never
 * falls behind what it has seen.
 *
 * Read repair: `async` answers first, waits for the other replicas until replicaTimeout, and sends
 * the newest version to those that lag; `blocking` makes sure that writeQuorum replicas have what
 * is read before it answers (Attiya, Bar-Noy & Dolev, JACM 1995), after which no later read sees
 * less.
 *
 * Hinted hand-off: what a replica has not acknowledged after replicaTimeout is kept for it, by the
 * coordinator (`coordinator`; does not count for the quorum), or by the next nodes on the ring
 * (`sloppy`: it counts, and reads ask those nodes, too). Hints are offered every hintInterval until
 * they are taken.
 *
 * WARS. writeDelay, ackDelay, readDelay and responseDelay are laws (mixture.h) of the time from the
 * sending of a message to its effect, on top of the network's: W, A, R and S of Bailis et al.,
 * "Probabilistically Bounded Staleness", VLDB 2012. The receiver draws the delay and holds the
 * message, so it falls with the receiver and not with the sender.
 *
 * Gauges: quorum.read-latency-us and quorum.write-latency-us (of good answers, at the coordinator),
 * quorum.hints (kept for others). Counter: quorum.read-repairs. With `observe: replicas` nodes also
 * tell when a write or a read reaches them (SQ_SEE_STORED, _VISITED, _READ); copies that hints keep
 * for others are not told of.
 *
 * WHAT IT PROMISES. With readQuorum + writeQuorum > replicas, hints that do not count, clocks that
 * agree and clients that send an operation once: a read sees the last acknowledged write, or one
 * under way. With `blocking` repair too it is linearizable. With `storage: disk` rows and hints are
 * on the disk before anybody is told; with `memory` a crash forgets both.
 *
 * WHAT IT DOES NOT. A retry is a new write, which may bury a newer one; sloppy quorums do not
 * overlap; a partial quorum promises nothing. Not here: deletion, vector clocks and siblings,
 * Merkle trees, change of membership, a failure detector (every operation tries every replica). The
 * padding of a value is not carried. */
#include "../models.h"
#include "../plant.h"
#include "log.h"
#include "mixture.h"
#include "rows.h"

#include <assert.h>

enum {
    GROUP_MAX = 64,
    REPLICAS_MAX = 16,
    HINTS_PER_OFFER = 32, /* to one node at a time */
    BATCH_MAX = 64,       /* records that share a sync */
};

enum option {
    OPTION_REPLICAS,
    OPTION_WRITE_QUORUM,
    OPTION_READ_QUORUM,
    OPTION_READ_REPAIR,
    OPTION_HINTS,
    OPTION_HINT_INTERVAL,
    OPTION_REPLICA_TIMEOUT,
    OPTION_TIMEOUT,
    OPTION_STORAGE,
    OPTION_MAX_IN_FLIGHT,
    OPTION_WRITE_DELAY,
    OPTION_ACK_DELAY,
    OPTION_READ_DELAY,
    OPTION_RESPONSE_DELAY,
    OPTION_OBSERVE,
    OPTION_COUNT,
};

enum repair { REPAIR_NONE, REPAIR_ASYNC, REPAIR_BLOCKING };
enum hints { HINTS_NONE, HINTS_COORDINATOR, HINTS_SLOPPY };
enum storage { STORAGE_MEMORY, STORAGE_DISK };
enum observe { OBSERVE_NONE, OBSERVE_REPLICAS };

#define LAW_FORM ", as '38% pareto 1.05ms 1.51 + 62% exponential 5.464481ms'"

static const struct sq_option options[OPTION_COUNT] = {
    [OPTION_REPLICAS] = {"replicas", SQ_OPTION_COUNT, "3", NULL, "nodes that have each key"},
    [OPTION_WRITE_QUORUM] = {"writeQuorum", SQ_OPTION_COUNT, "2", NULL,
                             "replicas that must have a write before it is answered"},
    [OPTION_READ_QUORUM] = {"readQuorum", SQ_OPTION_COUNT, "2", NULL,
                            "replicas whose answers a read waits for"},
    [OPTION_READ_REPAIR] = {"readRepair", SQ_OPTION_CHOICE, "async", "none|async|blocking",
                            "replicas seen to lag are sent the newest version: never, after the "
                            "answer, or before it"},
    [OPTION_HINTS] = {"hints", SQ_OPTION_CHOICE, "coordinator", "none|coordinator|sloppy",
                      "who keeps writes for a replica that does not answer; sloppy: the next "
                      "nodes on the ring, and they count"},
    [OPTION_HINT_INTERVAL] = {"hintInterval", SQ_OPTION_DURATION, "1s", NULL,
                              "between two attempts to hand hints over"},
    [OPTION_REPLICA_TIMEOUT] = {"replicaTimeout", SQ_OPTION_DURATION, "100ms", NULL,
                                "after which a silent replica is given up"},
    [OPTION_TIMEOUT] = {"timeout", SQ_OPTION_DURATION, "1s", NULL,
                        "after which an operation without its quorum ends"},
    [OPTION_STORAGE] = {"storage", SQ_OPTION_CHOICE, "disk", "memory|disk",
                        "where rows and hints are; memory is forgotten at a crash"},
    [OPTION_MAX_IN_FLIGHT] = {"maxInFlight", SQ_OPTION_COUNT, "10000", NULL,
                              "operations that a node coordinates; more get `overloaded`"},
    [OPTION_WRITE_DELAY] = {"writeDelay", SQ_OPTION_TEXT, "", NULL,
                            "law of W: a write on its way to a replica" LAW_FORM},
    [OPTION_ACK_DELAY] = {"ackDelay", SQ_OPTION_TEXT, "", NULL, "law of A: its acknowledgement"},
    [OPTION_READ_DELAY] = {"readDelay", SQ_OPTION_TEXT, "", NULL,
                           "law of R: a read on its way to a replica"},
    [OPTION_RESPONSE_DELAY] = {"responseDelay", SQ_OPTION_TEXT, "", NULL, "law of S: its answer"},
    [OPTION_OBSERVE] = {"observe", SQ_OPTION_CHOICE, "none", "none|replicas",
                        "replicas tell when writes and reads reach them, which the threshold "
                        "`visibility` needs"},
};

/* ------------------------------------------------------------------------------------- messages */

enum message_kind {
    MESSAGE_WRITE,
    MESSAGE_WRITE_ACK,
    MESSAGE_READ,
    MESSAGE_READ_ANSWER,
    MESSAGE_OFFER, /* of a hint */
    MESSAGE_OFFER_ACK,
    MESSAGE_COUNT,
};

struct message {
    uint32_t kind;      /* enum message_kind */
    uint32_t meant;     /* index in the group of the replica that it is about */
    uint64_t operation; /* of the coordinator; 0: none, no answer is wanted */
    struct row row;
};

/* A message whose delay has not passed. */
struct held {
    struct message message;
    sq_node from;
    uint32_t next_free;
};

/* ---------------------------------------------------------------------------------------- state */

struct operation {
    uint64_t id; /* index + 1, and above 32 bits how often the slot has been used; 0: free */
    struct sq_reply_to reply_to;
    sq_time began;
    sq_timer timer;
    uint32_t next_free;
    uint32_t first; /* index of the first replica */
    bool is_write;
    bool is_answered;
    bool is_repairing;             /* a read that has its answers, and makes sure of them */
    bool is_late;                  /* replicaTimeout has passed */
    uint32_t acks;                 /* that count for the quorum */
    uint32_t answered;             /* bits by slot: has acknowledged or answered */
    struct row row;                /* the write; or the newest that was read */
    struct row seen[REPLICAS_MAX]; /* read: by slot */
};

/* A record on its way to the disk, and whom to tell. */
struct pending {
    struct log_record record;
    struct message message; /* the answer */
    sq_node to;             /* SQ_NODE_NONE: nobody */
};

struct node {
    struct rows rows;
    struct rows hints[GROUP_MAX];
    uint32_t hint_count;
    uint64_t last_time;
    struct mixture delays[MESSAGE_COUNT];
    struct held *held;
    uint32_t held_count;
    uint32_t held_free; /* index + 1; 0: none */
    struct operation *operations;
    uint32_t operation_count;
    uint32_t operation_free; /* index + 1 */
    uint32_t in_flight;
    bool has_hint_timer;
    /* storage: disk */
    struct log log;
    sq_fiber writer;
    struct pending *queue;
    uint32_t queue_count;
    uint32_t queue_capacity;
};

enum timer_kind { TIMER_HELD, TIMER_OPERATION, TIMER_HINTS, TIMER_KINDS };

static int64_t number(const struct sq_env *env, enum option option)
{
    return env->options[option].number;
}

static uint32_t count_of(const struct sq_env *env, enum option option)
{
    return (uint32_t)number(env, option);
}

static uint32_t self_index(const struct sq_env *env)
{
    return env->self - env->group_first;
}

static sq_timer start_timer(struct sq_env *env, sq_time delay, enum timer_kind kind, uint64_t word)
{
    return env->clock->start(env, delay, word * TIMER_KINDS + kind);
}

static void send(struct sq_env *env, sq_node to, const struct message *message)
{
    struct sq_buffer buffer = {message, sizeof(*message)};
    env->net->send(env, to, &buffer, 1);
}

/* A version that this node has heard of: its own will be later. */
static void hear(struct node *node, const struct row *row)
{
    node->last_time = row->time > node->last_time ? row->time : node->last_time;
}

/* ---------------------------------------------------------------------------------- storage */

static void show_hints(struct sq_env *env, const struct node *node)
{
    env->trace->see(env, SQ_SEE_GAUGE, node->hint_count, 0, 0, "quorum.hints");
}

static void offer_later(struct sq_env *env, struct node *node)
{
    if (node->hint_count > 0 && !node->has_hint_timer) {
        node->has_hint_timer = true;
        start_timer(env, number(env, OPTION_HINT_INTERVAL), TIMER_HINTS, 0);
    }
}

static bool is_observed(const struct sq_env *env)
{
    return number(env, OPTION_OBSERVE) == OBSERVE_REPLICAS;
}

/* An id for the run: no two nodes coordinate the same operation. */
static uint64_t read_id(uint32_t coordinator, uint64_t operation)
{
    return (uint64_t)coordinator << 58 | operation;
}

static void keep_record(struct sq_env *env, const struct log_record *record)
{
    struct node *node = env->state;
    uint32_t before = node->hints[record->target].count;
    bool is_newest = false;
    hear(node, &record->row);
    switch ((enum log_kind)record->kind) {
    case LOG_ROW:
        is_newest = rows_put(env, &node->rows, &record->row);
        if (is_observed(env)) {
            env->trace->see(env, SQ_SEE_STORED, record->row.key, record->row.value, is_newest,
                            NULL);
        }
        return;
    case LOG_HINT:
        rows_put(env, &node->hints[record->target], &record->row);
        break;
    case LOG_HINT_END:
        rows_remove(&node->hints[record->target], &record->row);
        break;
    }
    node->hint_count += node->hints[record->target].count - before;
}

static void finish_record(struct sq_env *env, struct node *node, const struct pending *pending)
{
    keep_record(env, &pending->record);
    if (pending->record.kind != LOG_ROW) {
        show_hints(env, node);
        offer_later(env, node);
    }
    if (pending->to != SQ_NODE_NONE) {
        send(env, pending->to, &pending->message);
    }
}

/* Keeps the record, on the disk first when that is asked for, and then tells. */
static void store(struct sq_env *env, struct node *node, const struct pending *pending)
{
    if (number(env, OPTION_STORAGE) == STORAGE_MEMORY) {
        finish_record(env, node, pending);
        return;
    }
    if (node->queue_count == node->queue_capacity) {
        node->queue_capacity = node->queue_capacity == 0 ? BATCH_MAX : 2 * node->queue_capacity;
        node->queue =
            env->mem->realloc(env, node->queue, node->queue_capacity * sizeof(*node->queue));
    }
    node->queue[node->queue_count++] = *pending;
    env->fiber->unpark(env, node->writer);
}

/* Fiber: what waits shares one sync. After an error nobody is told, and coordinators time out. */
static void writer_main(struct sq_env *env, void *argument)
{
    struct node *node = argument;
    struct pending batch[BATCH_MAX];
    struct log_record records[BATCH_MAX];
    for (;;) {
        uint32_t count = node->queue_count < BATCH_MAX ? node->queue_count : BATCH_MAX;
        if (count == 0) {
            env->fiber->park(env);
            continue;
        }
        memcpy(batch, node->queue, count * sizeof(batch[0]));
        node->queue_count -= count;
        memmove(node->queue, node->queue + count, node->queue_count * sizeof(batch[0]));
        for (uint32_t i = 0; i < count; i++) {
            records[i] = batch[i].record;
        }
        bool is_stored = log_append(env, &node->log, records, count) == SQ_OK;
        for (uint32_t i = 0; is_stored && i < count; i++) {
            finish_record(env, node, &batch[i]);
        }
    }
}

/* ------------------------------------------------------------------------------------ operations
 */

static struct operation *operation_new(struct sq_env *env, struct node *node)
{
    if (node->operation_free == 0) {
        size_t size = (node->operation_count + 1) * sizeof(*node->operations);
        if ((node->operation_count & (node->operation_count - 1)) == 0) {
            node->operations =
                env->mem->realloc(env, node->operations, 2 * size - sizeof(*node->operations));
        }
        node->operations[node->operation_count] = (struct operation){0};
        node->operation_free = ++node->operation_count;
    }
    uint32_t index = node->operation_free - 1;
    struct operation *operation = &node->operations[index];
    uint64_t uses = (operation->id >> 32) + 1;
    node->operation_free = operation->next_free;
    *operation = (struct operation){.id = uses << 32 | (index + 1)};
    node->in_flight++;
    return operation;
}

/* The id stays in the slot, with its index taken out: the next use counts on. */
static void operation_end(struct sq_env *env, struct node *node, struct operation *operation)
{
    uint32_t index = (uint32_t)operation->id;
    if (operation->timer != 0) {
        env->clock->cancel(env, operation->timer);
    }
    operation->id &= ~(uint64_t)UINT32_MAX;
    operation->next_free = node->operation_free;
    node->operation_free = index;
    node->in_flight--;
}

static struct operation *operation_find(const struct node *node, uint64_t id)
{
    uint32_t index = (uint32_t)id;
    if (index == 0 || index > node->operation_count || node->operations[index - 1].id != id) {
        return NULL;
    }
    return &node->operations[index - 1];
}

/* Index in the group of the node that is `steps` behind the first replica on the ring. */
static uint32_t on_ring(const struct sq_env *env, const struct operation *operation, uint32_t steps)
{
    return (operation->first + steps) % env->group_size;
}

static void ask(struct sq_env *env, const struct operation *operation, enum message_kind kind,
                uint32_t slot, uint32_t whom)
{
    struct message message = {
        .kind = kind,
        .meant = on_ring(env, operation, slot),
        .operation = operation->id,
        .row = operation->row,
    };
    send(env, env->group_first + whom, &message);
}

/* The replicas that have answered so far made the result. */
static void show_read(struct sq_env *env, const struct operation *operation)
{
    uint64_t used = 0;
    for (uint32_t i = 0; i < count_of(env, OPTION_REPLICAS); i++) {
        used |= (uint64_t)(operation->answered >> i & 1) << on_ring(env, operation, i);
    }
    env->trace->see(env, SQ_SEE_READ, read_id(self_index(env), operation->id), operation->row.key,
                    used, NULL);
}

static void answer(struct sq_env *env, struct operation *operation, enum sq_status status)
{
    struct sq_kv_reply reply = {operation->row.value};
    operation->is_answered = true;
    if (is_observed(env) && !operation->is_write && status == SQ_OK) {
        show_read(env, operation);
    }
    env->call->reply(env, operation->reply_to, status, SQ_NODE_NONE, &reply,
                     status == SQ_OK ? sizeof(reply) : 0);
    if (status == SQ_OK) {
        sq_time took = env->clock->monotonic(env) - operation->began;
        env->trace->see(env, SQ_SEE_GAUGE, (uint64_t)(took + 500) / 1000, 0, 0,
                        operation->is_write ? "quorum.write-latency-us" : "quorum.read-latency-us");
    }
}

/* Sends the newest version to the replicas that are known to lag. */
static void repair(struct sq_env *env, const struct operation *operation)
{
    struct operation quiet = *operation;
    quiet.id = operation->is_repairing ? operation->id : 0;
    for (uint32_t i = 0; i < count_of(env, OPTION_REPLICAS); i++) {
        bool is_known = operation->answered >> i & 1;
        if (operation->row.time != 0 && (is_known || operation->is_repairing) &&
            row_is_newer(&operation->row, &operation->seen[i])) {
            env->trace->see(env, SQ_SEE_COUNTER, 1, 0, 0, "quorum.read-repairs");
            ask(env, &quiet, MESSAGE_WRITE, i, on_ring(env, operation, i));
        }
    }
}

/* Replicas that are known to have what the read is going to answer. */
static uint32_t holders(const struct sq_env *env, const struct operation *operation)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < count_of(env, OPTION_REPLICAS); i++) {
        bool is_known = operation->answered >> i & 1;
        count += is_known && !row_is_newer(&operation->row, &operation->seen[i]);
    }
    return count;
}

/* A read has as many answers as it needs. */
static void conclude_read(struct sq_env *env, struct operation *operation)
{
    bool is_safe = number(env, OPTION_READ_REPAIR) != REPAIR_BLOCKING || operation->row.time == 0 ||
                   holders(env, operation) >= count_of(env, OPTION_WRITE_QUORUM);
    if (is_safe) {
        answer(env, operation, SQ_OK);
    } else if (!operation->is_repairing) {
        operation->is_repairing = true;
        env->trace->sometimes(env, "quorum.blocking-repair");
        repair(env, operation);
    }
}

/* All have answered: what is left to do. */
static void end_if_complete(struct sq_env *env, struct node *node, struct operation *operation)
{
    uint32_t all = (UINT32_C(1) << count_of(env, OPTION_REPLICAS)) - 1;
    if (!operation->is_answered || operation->answered != all) {
        return;
    }
    if (!operation->is_write && number(env, OPTION_READ_REPAIR) == REPAIR_ASYNC) {
        repair(env, operation);
    }
    operation_end(env, node, operation);
}

/* The slot of a replica among those of the key. */
static uint32_t slot_of(const struct sq_env *env, const struct operation *operation, uint32_t meant)
{
    return (meant + env->group_size - operation->first) % env->group_size;
}

static void on_write_ack(struct sq_env *env, struct node *node, const struct message *message)
{
    struct operation *operation = operation_find(node, message->operation);
    uint32_t slot = operation == NULL ? REPLICAS_MAX : slot_of(env, operation, message->meant);
    if (slot >= count_of(env, OPTION_REPLICAS)) {
        return;
    }
    uint32_t bit = UINT32_C(1) << slot;
    if (!operation->is_write) { /* of a blocking repair */
        operation->answered |= bit;
        operation->seen[slot] = operation->row;
        if (!operation->is_answered) {
            conclude_read(env, operation);
        }
        end_if_complete(env, node, operation);
        return;
    }
    operation->acks += (operation->answered & bit) == 0;
    operation->answered |= bit;
    if (operation->acks >= count_of(env, OPTION_WRITE_QUORUM) && !operation->is_answered) {
        answer(env, operation, SQ_OK);
    }
    end_if_complete(env, node, operation);
}

static void on_read_answer(struct sq_env *env, struct node *node, const struct message *message)
{
    struct operation *operation = operation_find(node, message->operation);
    uint32_t slot = operation == NULL ? REPLICAS_MAX : slot_of(env, operation, message->meant);
    if (slot >= count_of(env, OPTION_REPLICAS) || (operation->answered >> slot & 1)) {
        return;
    }
    operation->answered |= UINT32_C(1) << slot;
    operation->acks++;
    operation->seen[slot] = message->row;
    /* What comes after the answer, or while it is being made sure of, only shows who lags. */
    bool is_early = !operation->is_answered && !operation->is_repairing;
    bool may_repair = operation->is_answered && number(env, OPTION_READ_REPAIR) == REPAIR_ASYNC;
    if ((is_early || may_repair) && row_is_newer(&message->row, &operation->row)) {
        operation->row = message->row;
    }
    if (!operation->is_answered &&
        (operation->is_repairing || operation->acks >= count_of(env, OPTION_READ_QUORUM))) {
        conclude_read(env, operation);
    }
    end_if_complete(env, node, operation);
}

/* ------------------------------------------------------------------------------------ time-outs */

/* A hint that the coordinator keeps itself. */
static void keep_hint(struct sq_env *env, struct node *node, const struct operation *operation,
                      uint32_t slot)
{
    struct pending pending = {.to = SQ_NODE_NONE};
    pending.record = (struct log_record){
        .row = operation->row, .kind = LOG_HINT, .target = on_ring(env, operation, slot)};
    store(env, node, &pending);
}

/* Replicas have been silent for replicaTimeout. */
static void on_late(struct sq_env *env, struct node *node, struct operation *operation)
{
    enum hints hints = (enum hints)number(env, OPTION_HINTS);
    uint32_t replicas = count_of(env, OPTION_REPLICAS);
    uint32_t spare = replicas; /* the next node that may stand in */
    operation->is_late = true;
    for (uint32_t i = 0; i < replicas; i++) {
        if (operation->answered >> i & 1) {
            continue;
        }
        if (hints == HINTS_SLOPPY && spare < env->group_size) {
            env->trace->sometimes(env, "quorum.sloppy");
            ask(env, operation, operation->is_write ? MESSAGE_WRITE : MESSAGE_READ, i,
                on_ring(env, operation, spare));
            spare++;
        } else if (hints == HINTS_COORDINATOR && operation->is_write) {
            env->trace->sometimes(env, "quorum.hinted");
            keep_hint(env, node, operation, i);
        }
    }
}

static void on_operation_timer(struct sq_env *env, struct node *node, uint64_t id)
{
    struct operation *operation = operation_find(node, id);
    if (operation == NULL) {
        return;
    }
    sq_time left = operation->began + number(env, OPTION_TIMEOUT) - env->clock->monotonic(env);
    operation->timer = 0;
    if (!operation->is_late && left > 0) {
        on_late(env, node, operation);
        /* A write that is answered has nothing more to wait for, nor has a read. */
        if (!operation->is_answered) {
            operation->timer = start_timer(env, left, TIMER_OPERATION, id);
            return;
        }
    }
    if (!operation->is_answered) {
        answer(env, operation, SQ_E_TIMEOUT);
    } else if (!operation->is_write && number(env, OPTION_READ_REPAIR) == REPAIR_ASYNC) {
        repair(env, operation);
    }
    operation_end(env, node, operation);
}

/* ---------------------------------------------------------------------------------------- hints */

static void on_hint_timer(struct sq_env *env, struct node *node)
{
    node->has_hint_timer = false;
    for (uint32_t target = 0; target < env->group_size; target++) {
        const struct rows *hints = &node->hints[target];
        uint32_t sent = 0;
        for (uint32_t i = 0; i < hints->capacity && sent < HINTS_PER_OFFER; i++) {
            if (hints->slots[i].time != 0) {
                struct message offer = {
                    .kind = MESSAGE_OFFER, .meant = target, .row = hints->slots[i]};
                send(env, env->group_first + target, &offer);
                sent++;
            }
        }
    }
    offer_later(env, node);
}

static void on_offer_ack(struct sq_env *env, struct node *node, const struct message *message)
{
    struct pending pending = {.to = SQ_NODE_NONE};
    pending.record =
        (struct log_record){.row = message->row, .kind = LOG_HINT_END, .target = message->meant};
    env->trace->sometimes(env, "quorum.handed-over");
    store(env, node, &pending);
}

/* -------------------------------------------------------------------------------------- replica */

static void on_write(struct sq_env *env, struct node *node, sq_node from,
                     const struct message *message)
{
    bool is_hint = message->meant != self_index(env);
    bool is_offer = message->kind == MESSAGE_OFFER;
    struct pending pending = {.to = is_offer || message->operation != 0 ? from : SQ_NODE_NONE};
    pending.message = *message;
    pending.message.kind = is_offer ? MESSAGE_OFFER_ACK : MESSAGE_WRITE_ACK;
    pending.record = (struct log_record){
        .row = message->row, .kind = is_hint ? LOG_HINT : LOG_ROW, .target = message->meant};
    env->cpu->charge(env, 1, sizeof(*message));
    store(env, node, &pending);
}

static void on_read(struct sq_env *env, const struct node *node, sq_node from,
                    const struct message *message)
{
    struct message reply = *message;
    env->cpu->charge(env, 1, sizeof(*message));
    if (is_observed(env)) {
        env->trace->see(env, SQ_SEE_VISITED, read_id(from - env->group_first, message->operation),
                        message->row.key, 0, NULL);
    }
    reply.kind = MESSAGE_READ_ANSWER;
    reply.row = rows_find(&node->rows, message->row.key);
    if (message->meant != self_index(env)) {
        struct row hint = rows_find(&node->hints[message->meant], message->row.key);
        reply.row = row_is_newer(&hint, &reply.row) ? hint : reply.row;
    }
    send(env, from, &reply);
}

static void handle(struct sq_env *env, struct node *node, sq_node from,
                   const struct message *message)
{
    hear(node, &message->row);
    switch ((enum message_kind)message->kind) {
    case MESSAGE_WRITE:
    case MESSAGE_OFFER:
        on_write(env, node, from, message);
        break;
    case MESSAGE_WRITE_ACK:
        on_write_ack(env, node, message);
        break;
    case MESSAGE_READ:
        on_read(env, node, from, message);
        break;
    case MESSAGE_READ_ANSWER:
        on_read_answer(env, node, message);
        break;
    case MESSAGE_OFFER_ACK:
        on_offer_ack(env, node, message);
        break;
    case MESSAGE_COUNT:
        break;
    }
}

/* ------------------------------------------------------------------------- calls from the world */

static void hold(struct sq_env *env, struct node *node, sq_node from, const struct message *message,
                 sq_time delay)
{
    if (node->held_free == 0) {
        if ((node->held_count & (node->held_count - 1)) == 0) {
            size_t size = (2 * (size_t)node->held_count + 1) * sizeof(*node->held);
            node->held = env->mem->realloc(env, node->held, size);
        }
        node->held[node->held_count].next_free = 0;
        node->held_free = ++node->held_count;
    }
    uint32_t index = node->held_free - 1;
    node->held_free = node->held[index].next_free;
    node->held[index] = (struct held){.message = *message, .from = from};
    start_timer(env, delay, TIMER_HELD, index);
}

static void deliver(struct sq_env *env, sq_node from, const void *data, size_t size)
{
    struct node *node = env->state;
    struct message message;
    if (size != sizeof(message) || from < env->group_first ||
        from - env->group_first >= env->group_size) {
        return;
    }
    memcpy(&message, data, sizeof(message));
    if (message.kind >= MESSAGE_COUNT || message.meant >= env->group_size) {
        return;
    }
    sq_time delay = mixture_sample(env, &node->delays[message.kind]);
    if (delay > 0) {
        hold(env, node, from, &message, delay);
    } else {
        handle(env, node, from, &message);
    }
}

static void on_timer(struct sq_env *env, uint64_t tag)
{
    struct node *node = env->state;
    uint64_t word = tag / TIMER_KINDS;
    switch ((enum timer_kind)(tag % TIMER_KINDS)) {
    case TIMER_HELD: {
        struct held held = node->held[word];
        node->held[word].next_free = node->held_free;
        node->held_free = (uint32_t)word + 1;
        handle(env, node, held.from, &held.message);
        break;
    }
    case TIMER_OPERATION:
        on_operation_timer(env, node, word);
        break;
    case TIMER_HINTS:
        on_hint_timer(env, node);
        break;
    case TIMER_KINDS:
        break;
    }
}

static uint64_t next_time(struct sq_env *env, struct node *node)
{
    uint64_t now = (uint64_t)env->clock->realtime(env);
    node->last_time = now > node->last_time ? now : node->last_time + 1;
    return node->last_time;
}

static void on_request(struct sq_env *env, const struct sq_request *request)
{
    struct node *node = env->state;
    struct sq_kv_request kv;
    enum sq_status refusal = SQ_OK;
    if (!sq_kv_decode(request->data, request->size, &kv)) {
        refusal = SQ_E_MALFORMED;
    } else if (node->in_flight >= number(env, OPTION_MAX_IN_FLIGHT)) {
        refusal = SQ_E_OVERLOADED;
    }
    if (refusal != SQ_OK) {
        env->call->reply(env, request->reply_to, refusal, SQ_NODE_NONE, NULL, 0);
        return;
    }
    struct operation *operation = operation_new(env, node);
    operation->reply_to = request->reply_to;
    operation->began = env->clock->monotonic(env);
    operation->is_write = kv.kind == SQ_KV_UPDATE;
    operation->row = (struct row){.key = kv.key};
    operation->first = (uint32_t)((kv.key * UINT64_C(0x9e3779b97f4a7c15)) >> 32) % env->group_size;
    if (operation->is_write) {
        operation->row.time = next_time(env, node);
        operation->row.writer = self_index(env);
        operation->row.value = kv.value;
    }
    if (is_observed(env) && !operation->is_write) {
        env->trace->see(env, SQ_SEE_READ, read_id(self_index(env), operation->id), kv.key, 0, NULL);
    }
    sq_time late = number(env, OPTION_REPLICA_TIMEOUT);
    sq_time end = number(env, OPTION_TIMEOUT);
    operation->timer = start_timer(env, late < end ? late : end, TIMER_OPERATION, operation->id);
    if (PLANTED(env, OWN_COPY_FORETOLD) && operation->is_write &&
        slot_of(env, operation, self_index(env)) < count_of(env, OPTION_REPLICAS)) {
        operation->acks = 1;
    }
    for (uint32_t i = 0; i < count_of(env, OPTION_REPLICAS); i++) {
        ask(env, operation, operation->is_write ? MESSAGE_WRITE : MESSAGE_READ, i,
            on_ring(env, operation, i));
    }
}

/* ----------------------------------------------------------------------------------------- boot */

static bool read_laws(struct sq_env *env, struct node *node)
{
    static const enum option laws[MESSAGE_COUNT] = {
        [MESSAGE_WRITE] = OPTION_WRITE_DELAY, [MESSAGE_WRITE_ACK] = OPTION_ACK_DELAY,
        [MESSAGE_READ] = OPTION_READ_DELAY,   [MESSAGE_READ_ANSWER] = OPTION_RESPONSE_DELAY,
        [MESSAGE_OFFER] = OPTION_WRITE_DELAY, [MESSAGE_OFFER_ACK] = OPTION_ACK_DELAY,
    };
    for (uint32_t kind = 0; kind < MESSAGE_COUNT; kind++) {
        const char *text = env->options[laws[kind]].text;
        if (!mixture_parse(&node->delays[kind], text == NULL ? "" : text)) {
            env->trace->log(env, "quorum: '%s' is no law of a delay", text);
            return false;
        }
    }
    return true;
}

static bool check_quorum(struct sq_env *env, enum option option)
{
    return number(env, option) >= 1 && number(env, option) <= number(env, OPTION_REPLICAS);
}

static enum sq_status boot(struct sq_env *env)
{
    if (env->group_size > GROUP_MAX || number(env, OPTION_REPLICAS) < 1 ||
        number(env, OPTION_REPLICAS) > REPLICAS_MAX ||
        number(env, OPTION_REPLICAS) > env->group_size || !check_quorum(env, OPTION_WRITE_QUORUM) ||
        !check_quorum(env, OPTION_READ_QUORUM)) {
        env->trace->log(env, "quorum: replicas must be at most 16 and at most the group, and the "
                             "quorums between 1 and replicas");
        return SQ_E_INVALID;
    }
    struct node *node = env->mem->alloc(env, sizeof(*node));
    memset(node, 0, sizeof(*node));
    env->state = node;
    if (!read_laws(env, node)) {
        return SQ_E_INVALID;
    }
    if (number(env, OPTION_STORAGE) == STORAGE_DISK) {
        if (log_open(env, &node->log, keep_record) != SQ_OK) {
            return SQ_E_IO;
        }
        node->writer = env->fiber->spawn(env, writer_main, node);
        env->trace->see(env, SQ_SEE_RECOVERED, node->rows.count, 0, 0, NULL);
        if (node->hint_count > 0) {
            show_hints(env, node);
            offer_later(env, node);
        }
    }
    return SQ_OK;
}

const struct sq_model model_quorum = {
    .abi_version = SQ_ABI_VERSION,
    .size = sizeof(struct sq_model),
    .name = "quorum",
    .version = "1",
    .description = "replicas with tunable read and write quorums, read repair and hinted hand-off",
    .options = options,
    .option_count = OPTION_COUNT,
    .boot = boot,
    .deliver = deliver,
    .request = on_request,
    .timer = on_timer,
};
