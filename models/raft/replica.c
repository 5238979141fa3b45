/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Replica. How failures reach the client, which matters to every checker:
 *
 * - Not the leader when the request came, or refused by raft_apply: the command is in no log and
 *   never will be; a definite error (SQ_E_NOT_LEADER with the leader that this node believes in,
 *   SQ_E_UNAVAILABLE).
 * - Leadership lost, or the leader's own write failed, after the command had entered the log:
 *   others may have it and it may still be committed; an indefinite error (SQ_E_CRASH, SQ_E_IO;
 *   never SQ_E_NOSPC, which is definite).
 *
 * The group is what the scenario made: at its first incarnation every node bootstraps with all
 * nodes as voters, ids are index + 1. One that comes back later with an empty disk has forgotten
 * what it voted and acknowledged; by default it starts blank and waits to be filled by the leader,
 * which is what an operator should do. To let it bootstrap again is the classic mistake: two such
 * nodes of three found a second cluster under the same name. */
#include "replica.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "../plant.h"
#include "checksum.h"
#include "wire.h"

#define TICK_TAG 1

struct replica_operation {
    struct raft_apply apply; /* first: libraft gives it back */
    struct replica *replica;
    struct replica_operation *next;
    struct sq_reply_to to;
    sq_time submitted;
};

struct replica_barrier {
    struct raft_barrier barrier; /* first */
    struct replica *replica;
    raft_term term;
};

/* ------------------------------------------------------------------------- the end of an event */

void replica_answer(struct replica *replica, struct sq_reply_to to, enum sq_status status,
                    uint64_t value)
{
    if (replica->answer_count == replica->answer_capacity) {
        replica->answer_capacity =
            replica->answer_capacity == 0 ? 64 : replica->answer_capacity * 2;
        replica->answers = replica->env->mem->realloc(
            replica->env, replica->answers, replica->answer_capacity * sizeof(*replica->answers));
    }
    replica->answers[replica->answer_count++] = (struct replica_answer){to, status, value};
}

void replica_charge(struct replica *replica, size_t bytes)
{
    replica->charged_operations++;
    replica->charged_bytes += bytes;
}

static void send_answers(struct replica *replica)
{
    struct sq_env *env = replica->env;
    for (uint32_t i = 0; i < replica->answer_count; i++) {
        const struct replica_answer *answer = &replica->answers[i];
        struct sq_kv_reply reply = {answer->value};
        bool is_ok = answer->status == SQ_OK;
        env->call->reply(env, answer->to, answer->status, SQ_NODE_NONE, is_ok ? &reply : NULL,
                         is_ok ? sizeof(reply) : 0);
    }
    replica->answer_count = 0;
}

static void on_barrier(struct raft_barrier *request, int status)
{
    struct replica_barrier *barrier = (struct replica_barrier *)request;
    struct replica *replica = barrier->replica;
    if (status == 0 && replica->raft.current_term == barrier->term) {
        replica->lease_term = barrier->term;
    }
    replica->env->mem->free(replica->env, barrier);
}

/* A new leader does not know what is committed until something of its own term is: leases start
 * there. */
static void begin_lease_term(struct replica *replica)
{
    struct raft *raft = &replica->raft;
    struct sq_env *env = replica->env;
    if (!replica->has_lease_reads || raft->state != RAFT_LEADER ||
        replica->barrier_term == raft->current_term) {
        return;
    }
    struct replica_barrier *barrier = env->mem->alloc(env, sizeof(*barrier));
    memset(barrier, 0, sizeof(*barrier));
    barrier->replica = replica;
    barrier->term = raft->current_term;
    if (raft_barrier(raft, &barrier->barrier, on_barrier) == 0) {
        replica->barrier_term = barrier->term;
    } else {
        env->mem->free(env, barrier);
    }
}

void replica_settle(struct replica *replica)
{
    struct sq_env *env = replica->env;
    begin_lease_term(replica);
    io_run_sends(&replica->io);
    observe(env, &replica->raft, &replica->io.observer);
    if (replica->charged_operations > 0) {
        uint32_t operations = replica->charged_operations;
        size_t bytes = replica->charged_bytes;
        replica->charged_operations = 0;
        replica->charged_bytes = 0;
        env->cpu->charge(env, operations, bytes);
    }
    if (replica->answer_count > 0) {
        send_answers(replica);
    }
}

static void settle_after_disk(void *context)
{
    replica_settle(context);
}

/* ------------------------------------------------------------------------------------ requests */

static enum sq_status status_of(int result)
{
    switch (result) {
    case RAFT_IOERR:
    case RAFT_NOSPACE:
    case RAFT_CORRUPT:
        return SQ_E_IO;
    default:
        return SQ_E_CRASH;
    }
}

/* How long the leader took, where the store of the log is what is looked at. */
static void show_commit(struct replica *replica, const struct replica_operation *operation)
{
    struct sq_env *env = replica->env;
    if (replica->io.store.bolt != NULL) {
        sq_time took = env->clock->monotonic(env) - operation->submitted;
        env->trace->see(env, SQ_SEE_GAUGE, (uint64_t)(took / 1000), 0, 0, "raft.commit-us");
    }
}

static void on_applied(struct raft_apply *request, int status, void *result)
{
    struct replica_operation *operation = (struct replica_operation *)request;
    struct replica *replica = operation->replica;
    if (status == 0) {
        show_commit(replica, operation);
        replica->machine->on_applied(replica, operation->to, result);
    } else {
        replica_answer(replica, operation->to, status_of(status), 0);
    }
    operation->next = replica->free_operations;
    replica->free_operations = operation;
}

static struct replica_operation *operation_new(struct replica *replica, struct sq_reply_to to)
{
    struct replica_operation *operation = replica->free_operations;
    if (operation != NULL) {
        replica->free_operations = operation->next;
    } else {
        operation = replica->env->mem->alloc(replica->env, sizeof(*operation));
    }
    memset(operation, 0, sizeof(*operation));
    operation->replica = replica;
    operation->to = to;
    operation->submitted = replica->env->clock->monotonic(replica->env);
    return operation;
}

static sq_node leader_hint(struct replica *replica)
{
    raft_id id = 0;
    const char *address = NULL;
    raft_leader(&replica->raft, &id, &address);
    return id >= 1 && id <= replica->env->group_size ? replica->env->group_first + (sq_node)(id - 1)
                                                     : SQ_NODE_NONE;
}

static void submit(struct replica *replica, const struct sq_request *request)
{
    struct sq_env *env = replica->env;
    struct raft_buffer buffer = {.base = raft_malloc(request->size), .len = request->size};
    memcpy(buffer.base, request->data, request->size);
    struct replica_operation *operation = operation_new(replica, request->reply_to);
    int result = raft_apply(&replica->raft, &operation->apply, &buffer, 1, on_applied);
    if (result == 0) {
        return;
    }
    raft_free(buffer.base);
    operation->next = replica->free_operations;
    replica->free_operations = operation;
    enum sq_status status = result == RAFT_NOTLEADER ? SQ_E_NOT_LEADER : SQ_E_UNAVAILABLE;
    env->call->reply(env, request->reply_to, status, SQ_NODE_NONE, NULL, 0);
}

static bool has_lease(struct replica *replica)
{
    if (!replica->has_lease_reads || replica->lease_term != replica->raft.current_term) {
        return false;
    }
    sq_time contact = io_quorum_contact(&replica->io);
    sq_time now = replica->env->clock->monotonic(replica->env);
    return contact != INT64_MIN && (now - contact < replica->election_timeout / 10 * 9 ||
                                    PLANTED(replica->env, LEASE_NEVER_EXPIRES));
}

void replica_request(struct replica *replica, const struct sq_request *request)
{
    struct sq_env *env = replica->env;
    struct sq_kv_request kv;
    if (!sq_kv_decode(request->data, request->size, &kv)) {
        env->call->reply(env, request->reply_to, SQ_E_MALFORMED, SQ_NODE_NONE, NULL, 0);
        return;
    }
    if (PLANTED(env, FOLLOWER_READS) && kv.kind == SQ_KV_READ) {
        replica->machine->read(replica, request->reply_to, kv.key);
        replica_settle(replica);
        return;
    }
    if (raft_state(&replica->raft) != RAFT_LEADER) {
        env->call->reply(env, request->reply_to, SQ_E_NOT_LEADER, leader_hint(replica), NULL, 0);
        return;
    }
    if (kv.kind == SQ_KV_READ && has_lease(replica)) {
        env->trace->sometimes(env, "raft.lease-read");
        replica->machine->read(replica, request->reply_to, kv.key);
    } else {
        if (PLANTED(env, ANSWERED_BEFORE_COMMITTED) && kv.kind == SQ_KV_UPDATE) {
            replica_answer(replica, request->reply_to, SQ_OK, kv.value);
        }
        submit(replica, request);
    }
    replica_settle(replica);
}

/* -------------------------------------------------------------------------------------- events */

void replica_deliver(struct replica *replica, sq_node from, const void *data, size_t size)
{
    struct sq_env *env = replica->env;
    if (replica->has_lease_reads && wire_type(data, size) == RAFT_IO_REQUEST_VOTE &&
        env->clock->monotonic(env) - replica->booted < replica->election_timeout) {
        return; /* it may have promised a leader, before it restarted, not to vote yet */
    }
    io_deliver(&replica->io, from, data, size);
    replica_settle(replica);
}

void replica_timer(struct replica *replica, uint64_t tag)
{
    if (tag == TICK_TAG) {
        io_tick(&replica->io);
        replica_settle(replica);
    }
}

void replica_signal(struct replica *replica, const char *name, int64_t value)
{
    (void)value;
    if (strcmp(name, "compact") == 0) {
        io_compact(&replica->io);
    } else {
        replica->env->trace->log(replica->env, "raft: no such signal");
    }
}

uint64_t replica_applying(struct replica *replica, const struct raft_buffer *buffer, uint64_t *hash)
{
    struct sq_env *env = replica->env;
    const struct raft *raft = &replica->raft;
    observe(env, raft, &replica->io.observer);
    uint64_t index = raft->last_applied + 1;
    const struct raft_entry *entry = observe_entry(raft, index);
    if (entry == NULL || entry->buf.base != buffer->base || entry->type != RAFT_COMMAND) {
        env->trace->always(
            env, false, "raft.applies-its-log",
            "libraft applied something else than the log entry after the last one applied");
        *hash = checksum_entry(0, RAFT_COMMAND, buffer->base, buffer->len);
    } else {
        *hash = checksum_entry(entry->term, entry->type, buffer->base, buffer->len);
    }
    return index;
}

/* ---------------------------------------------------------------------------------------- boot */

/* libraft's default tracer reads the environment and the real clock; this one says nothing. */
static void say_nothing(struct raft_tracer *tracer, const char *file, int line, const char *message)
{
    (void)tracer;
    (void)file;
    (void)line;
    (void)message;
}

static int bootstrap(struct replica *replica)
{
    struct raft_configuration configuration;
    int result = 0;
    raft_configuration_init(&configuration);
    for (uint32_t i = 0; result == 0 && i < replica->env->group_size; i++) {
        result =
            raft_configuration_add(&configuration, i + 1, replica->io.peers[i].address, RAFT_VOTER);
    }
    if (result == 0) {
        result = raft_bootstrap(&replica->raft, &configuration);
    }
    raft_configuration_close(&configuration);
    return result;
}

static bool configure(struct replica *replica)
{
    const struct sq_value *options = replica->env->options;
    struct raft *raft = &replica->raft;
    int64_t election_ms = options[REPLICA_ELECTION_TIMEOUT].number / 1000000;
    int64_t heartbeat_ms = options[REPLICA_HEARTBEAT_TIMEOUT].number / 1000000;
    int64_t threshold = options[REPLICA_SNAPSHOT_THRESHOLD].number;
    int64_t trailing = options[REPLICA_SNAPSHOT_TRAILING].number;
    if (heartbeat_ms < 1 || heartbeat_ms >= election_ms || election_ms > INT32_MAX / 4 ||
        threshold < 1 || threshold > INT32_MAX || trailing < 0 || trailing > INT32_MAX) {
        replica->env->trace->log(
            replica->env, "raft: electionTimeout must be longer than heartbeatTimeout, which "
                          "must be at least 1ms; snapshotThreshold at least 1");
        return false;
    }
    raft_set_election_timeout(raft, (unsigned)election_ms);
    raft_set_heartbeat_timeout(raft, (unsigned)heartbeat_ms);
    raft_set_snapshot_threshold(raft, (unsigned)threshold);
    raft_set_snapshot_trailing(raft, (unsigned)trailing);
    raft_set_pre_vote(raft, options[REPLICA_PRE_VOTE].number != 0);
    replica->election_timeout = election_ms * 1000000;
    replica->io.tick_wanted = options[REPLICA_TICK_INTERVAL].number;
    replica->has_lease_reads = options[REPLICA_READS].number == 1;
    return true;
}

static int start_raft(struct replica *replica)
{
    struct sq_env *env = replica->env;
    struct io *io = &replica->io;
    uint32_t id = env->self - env->group_first + 1;
    int result =
        raft_init(&replica->raft, &io->raft_io, &replica->fsm, id, io->peers[id - 1].address);
    if (result != 0) {
        return result;
    }
    replica->tracer = (struct raft_tracer){.enabled = false, .emit = say_nothing};
    replica->raft.tracer = &replica->tracer;
    if (!configure(replica)) {
        return RAFT_INVALID;
    }
    if (io->image.is_empty &&
        (env->incarnation == 1 || env->options[REPLICA_EMPTY_DISK].number == 1)) {
        result = bootstrap(replica);
    }
    return result == 0 ? raft_start(&replica->raft) : result;
}

static struct io_options io_options_of(const struct sq_env *env)
{
    const struct sq_value *options = env->options;
    bool is_aged = env->self - env->group_first < options[REPLICA_AGED_NODES].number;
    return (struct io_options){
        .store =
            {
                .segment_bytes = (uint64_t)options[REPLICA_SEGMENT_SIZE].number,
                .is_bolt = options[REPLICA_LOG_STORE].number != 0,
                .bolt =
                    {
                        .skips_freelist = options[REPLICA_NO_FREELIST_SYNC].number != 0,
                        .commit_cost = options[REPLICA_COMMIT_COST].number,
                        .list_cost = options[REPLICA_LIST_COST].number,
                    },
                .aged_pages = is_aged ? (uint64_t)options[REPLICA_AGED_PAGES].number : 0,
            },
        .append_bytes = (uint64_t)options[REPLICA_APPEND_BYTES].number,
        .tick_tag = TICK_TAG,
    };
}

enum sq_status replica_boot(struct replica *replica, struct sq_env *env, const struct raft_fsm *fsm,
                            const struct replica_machine *machine)
{
    memset(replica, 0, sizeof(*replica)); /* raft_init leaves fields unset */
    replica->env = env;
    replica->fsm = *fsm;
    replica->fsm.data = replica;
    replica->machine = machine;
    replica->booted = env->clock->monotonic(env);
    const struct io_options options = io_options_of(env);
    enum sq_status status =
        io_open(&replica->io, env, &replica->raft, &options, settle_after_disk, replica);
    if (status == SQ_E_INVALID) {
        env->trace->see(env, SQ_SEE_INTEGRITY, 0, 0, 0, replica->io.image.problem);
    }
    if (status != SQ_OK) {
        return status;
    }
    if (replica->io.image.is_torn) {
        env->trace->sometimes(env, "raft.torn-tail");
    }
    int result = start_raft(replica);
    if (result != 0) {
        env->trace->log(env, "raft: %s", raft_strerror(result));
        return result == RAFT_INVALID ? SQ_E_INVALID : SQ_E_IO;
    }
    env->trace->see(env, SQ_SEE_INTEGRITY, 1, 0, 0, "raft");
    observe(env, &replica->raft, &replica->io.observer);
    replica->io.observer.is_started = true;
    replica_settle(replica);
    return SQ_OK;
}
