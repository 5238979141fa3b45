/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Io. Two fibers matter: raft lives on the node's main fiber and nowhere else; the writer fiber
 * takes jobs from a queue, one after another, and hands them back through `done`, which a posted
 * call empties on the main fiber.
 *
 * Entries are encoded when they are submitted, into the last job of the queue if that one appends
 * too, so that all that arrives while the disk is busy becomes one write and one sync (group
 * commit), and a truncation in between keeps its place. libraft does not say at which index it
 * appends; we count as it does: one past the last entry submitted, back to the index of a
 * truncation, one past a snapshot that was installed.
 *
 * snapshot_put serves two purposes and does not say which. A snapshot of our own leaves the log
 * alone but for what is older than `trailing` entries, and is written on a fiber of its own beside
 * the log; one from the leader replaces the log, so the writer does it, in its turn. They differ
 * in snapshot.pending, which only the former uses.
 *
 * Messages go out at once. The address that libraft gives is not looked at, only the id: one that
 * names no member is reported (SQ_SEE_STRAY) and dropped, as a transport would fail to connect.
 *
 * Stamps: every AppendEntries carries its sender's clock, and an answer to it carries that back,
 * if it is of the same term. The leader learns since when a follower's election timer cannot have
 * been running, which is what a lease needs. libraft knows nothing of it. */
#include "io.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "../plant.h"
#include "bytes.h"
#include "wire.h"

enum io_kind {
    JOB_APPEND,
    JOB_CUT,     /* remove entries from `index` on */
    JOB_INSTALL, /* a snapshot that replaces the log */
    JOB_PRUNE,   /* remove whole segments before `index` */
    JOB_COMPACT,
    JOB_PUT, /* a snapshot of our own */
    JOB_GET,
    JOB_WORK,
};

struct io_append {
    struct raft_io_append *request;
    raft_io_append_cb on_appended;
};

struct io_job {
    struct io_job *next;
    struct io *io;
    enum io_kind kind;
    int status; /* libraft's */
    uint64_t index;
    struct store_batch batch;
    struct io_append *appends;
    uint32_t append_count;
    uint32_t append_capacity;
    unsigned trailing;
    const struct raft_snapshot *snapshot;
    struct raft_snapshot *got;
    struct raft_io_snapshot_put *put;
    raft_io_snapshot_put_cb on_put;
    struct raft_io_snapshot_get *get;
    raft_io_snapshot_get_cb on_got;
    struct raft_io_async_work *work;
    raft_io_async_work_cb on_worked;
};

static struct io *io_of(const struct raft_io *raft_io)
{
    return raft_io->impl;
}

static int error_of(struct io *io, enum sq_status status)
{
    if (status == SQ_OK) {
        return 0;
    }
    if (status != SQ_E_NOENT) {
        io->observer
            .disk_errors++; /* to ask for a snapshot where there is none is no fault of the disk */
    }
    snprintf(io->raft_io.errmsg, sizeof(io->raft_io.errmsg), "disk error %d", (int)status);
    switch (status) {
    case SQ_E_NOSPC:
        return RAFT_NOSPACE;
    case SQ_E_NOENT:
        return RAFT_NOTFOUND;
    case SQ_E_INVALID:
        return RAFT_CORRUPT;
    default:
        return RAFT_IOERR;
    }
}

/* ---------------------------------------------------------------------------------------- jobs */

static void queue_push(struct io_queue *queue, struct io_job *job)
{
    job->next = NULL;
    if (queue->last == NULL) {
        queue->first = job;
    } else {
        queue->last->next = job;
    }
    queue->last = job;
}

static struct io_job *queue_pop(struct io_queue *queue)
{
    struct io_job *job = queue->first;
    if (job != NULL) {
        queue->first = job->next;
        if (queue->first == NULL) {
            queue->last = NULL;
        }
    }
    return job;
}

static struct io_job *job_new(struct io *io, enum io_kind kind)
{
    struct io_job *job = io->free_jobs;
    if (job != NULL) {
        io->free_jobs = job->next;
    } else {
        job = io->env->mem->alloc(io->env, sizeof(*job));
        *job = (struct io_job){.io = io};
    }
    job->kind = kind;
    job->status = 0;
    return job;
}

static void job_free(struct io_job *job)
{
    store_batch_clear(&job->batch);
    job->append_count = 0;
    job->next = job->io->free_jobs;
    job->io->free_jobs = job;
}

static void job_run_callbacks(struct io_job *job)
{
    switch (job->kind) {
    case JOB_APPEND:
        for (uint32_t i = 0; i < job->append_count; i++) {
            job->appends[i].on_appended(job->appends[i].request, job->status);
        }
        break;
    case JOB_INSTALL:
    case JOB_PUT:
        job->on_put(job->put, job->status);
        break;
    case JOB_GET:
        job->on_got(job->get, job->got, job->status);
        break;
    case JOB_WORK:
        job->on_worked(job->work, job->status);
        break;
    case JOB_CUT:
    case JOB_PRUNE:
    case JOB_COMPACT:
        break;
    }
}

static void run_done(struct sq_env *env, void *argument)
{
    struct io *io = argument;
    (void)env;
    io->is_posted = false;
    struct io_job *job;
    while ((job = queue_pop(&io->done)) != NULL) {
        job_run_callbacks(job);
        job_free(job);
    }
    io->on_settle(io->context);
}

/* Any fiber: hands a job back to raft. */
static void job_done(struct io_job *job)
{
    struct io *io = job->io;
    queue_push(&io->done, job);
    if (PLANTED(io->env, WAKE_UP_LOST) && io->done.first == job) {
        return;
    }
    if (!io->is_posted) {
        io->is_posted = true;
        io->env->fiber->post(io->env, run_done, io);
    }
}

static void submit_write(struct io *io, struct io_job *job)
{
    queue_push(&io->writes, job);
    if (io->is_writer_idle) {
        io->is_writer_idle = false;
        io->env->fiber->unpark(io->env, io->writer);
    }
}

/* ---------------------------------------------------------------------------------- the writer */

/* Plant: tells raft that the entries are written before they are. */
static void acknowledge_early(struct io_job *job)
{
    struct io_job *early = job_new(job->io, JOB_APPEND);
    struct io_append *spare = early->appends;
    uint32_t spare_capacity = early->append_capacity;
    early->appends = job->appends;
    early->append_count = job->append_count;
    early->append_capacity = job->append_capacity;
    job->appends = spare;
    job->append_count = 0;
    job->append_capacity = spare_capacity;
    job_done(early);
}

static enum sq_status write_append(struct io *io, struct io_job *job)
{
    enum sq_status status = store_append(&io->store, &job->batch);
    if (status != SQ_OK) {
        return status;
    }
    size_t offset = 0;
    struct store_record record;
    while (store_batch_next(&job->batch, &offset, &record)) {
        io->env->trace->see(io->env, SQ_SEE_DURABLE, record.index, record.term, record.hash, NULL);
    }
    io->durable_end = io->store.last_index;
    return SQ_OK;
}

static void see_cut(struct io *io, uint64_t index)
{
    if (index <= io->durable_end) {
        io->env->trace->see(io->env, SQ_SEE_CUT, index, 0, 0, NULL);
        io->durable_end = index - 1;
    }
}

static enum sq_status put_snapshot(struct io *io, const struct raft_snapshot *snapshot)
{
    struct sq_env *env = io->env;
    assert(snapshot->n_bufs == 1);
    size_t size = wire_configuration_size(&snapshot->configuration);
    uint8_t *configuration = env->mem->alloc(env, size);
    wire_configuration_encode(&snapshot->configuration, configuration);
    struct store_snapshot stored = {
        .index = snapshot->index,
        .term = snapshot->term,
        .configuration_index = snapshot->configuration_index,
        .configuration = {configuration, size},
        .data = {snapshot->bufs[0].base, snapshot->bufs[0].len},
    };
    enum sq_status status = store_put_snapshot(&io->store, &stored);
    env->mem->free(env, configuration);
    if (status == SQ_OK) {
        env->trace->see(env, SQ_SEE_SNAPSHOT, stored.index, stored.term, 0, NULL);
    }
    return status;
}

static enum sq_status write_install(struct io *io, const struct raft_snapshot *snapshot)
{
    enum sq_status status = put_snapshot(io, snapshot);
    if (status == SQ_OK) {
        see_cut(io, snapshot->index + 1);
        status = store_reset(&io->store, snapshot->index, snapshot->term);
        io->durable_end = snapshot->index;
    }
    return status;
}

static void write_job(struct io *io, struct io_job *job)
{
    enum sq_status status = SQ_E_IO;
    switch (job->kind) {
    case JOB_APPEND:
        if (PLANTED(io->env, ACKNOWLEDGED_BEFORE_WRITTEN)) {
            acknowledge_early(job);
        }
        status = io->is_broken ? SQ_E_IO : write_append(io, job);
        break;
    case JOB_CUT:
        if (!io->is_broken) {
            see_cut(io, job->index);
            status = store_cut(&io->store, job->index);
        }
        break;
    case JOB_INSTALL:
        status = io->is_broken ? SQ_E_IO : write_install(io, job->snapshot);
        break;
    case JOB_PRUNE:
        if (!io->is_broken) {
            store_prune(&io->store, job->index);
        }
        job_free(job);
        return;
    case JOB_COMPACT:
        status = io->is_broken ? SQ_E_IO : bolt_compact(io->store.bolt);
        break;
    case JOB_PUT:
    case JOB_GET:
    case JOB_WORK:
        assert(!"not a job of the writer");
        break;
    }
    io->is_broken = io->is_broken || status != SQ_OK;
    job->status = error_of(io, status);
    if (job->kind == JOB_CUT || job->kind == JOB_COMPACT) {
        job_free(job);
    } else {
        job_done(job);
    }
}

static void writer_main(struct sq_env *env, void *argument)
{
    struct io *io = argument;
    for (;;) {
        struct io_job *job = queue_pop(&io->writes);
        if (job != NULL) {
            write_job(io, job);
        } else {
            io->is_writer_idle = true;
            env->fiber->park(env);
        }
    }
}

/* ---------------------------------------------------------------------------------------- load */

static int load_snapshot(const struct store_snapshot *stored, struct raft_snapshot **result)
{
    struct raft_snapshot *snapshot = raft_malloc(sizeof(*snapshot));
    *snapshot = (struct raft_snapshot){
        .index = stored->index,
        .term = stored->term,
        .configuration_index = stored->configuration_index,
        .n_bufs = 1,
    };
    if (!wire_configuration_decode(stored->configuration.data, stored->configuration.size,
                                   &snapshot->configuration)) {
        raft_free(snapshot);
        return RAFT_CORRUPT;
    }
    snapshot->bufs = raft_malloc(sizeof(*snapshot->bufs));
    snapshot->bufs[0].len = stored->data.size;
    snapshot->bufs[0].base = raft_malloc(stored->data.size > 0 ? stored->data.size : 1);
    memcpy(snapshot->bufs[0].base, stored->data.data, stored->data.size);
    *result = snapshot;
    return 0;
}

static struct raft_entry *load_entries(const struct store_image *image)
{
    size_t total = 1;
    for (size_t i = 0; i < image->record_count; i++) {
        total += (image->records[i].size + 7u) & ~(size_t)7;
    }
    uint8_t *batch = raft_malloc(total);
    struct raft_entry *entries = raft_malloc(image->record_count * sizeof(*entries));
    size_t offset = 0;
    for (size_t i = 0; i < image->record_count; i++) {
        const struct store_record *record = &image->records[i];
        memcpy(batch + offset, record->data, record->size);
        if (PLANTED(sq_env_current(), LOADED_PAYLOAD_OF_ANOTHER) && i > 0 &&
            record[-1].size == record->size) {
            memcpy(batch + offset, record[-1].data, record->size);
        }
        entries[i] = (struct raft_entry){
            .term = record->term,
            .type = record->type,
            .buf = {.base = batch + offset, .len = record->size},
            .batch = batch,
        };
        offset += (record->size + 7u) & ~(size_t)7;
    }
    return entries;
}

static void see_loaded(struct io *io)
{
    const struct sq_trace_ops *trace = io->env->trace;
    const struct store_image *image = &io->image;
    uint64_t last = image->first_index + image->record_count - 1;
    trace->see(io->env, SQ_SEE_LOADED, image->first_index, last, image->snapshot.index, NULL);
    for (size_t i = 0; i < image->record_count; i++) {
        const struct store_record *record = &image->records[i];
        trace->see(io->env, SQ_SEE_APPEND, record->index, record->term, record->hash, NULL);
        trace->see(io->env, SQ_SEE_DURABLE, record->index, record->term, record->hash, NULL);
    }
}

static int io_load(struct raft_io *raft_io, raft_term *term, raft_id *voted_for,
                   struct raft_snapshot **snapshot, raft_index *start_index,
                   struct raft_entry *entries[], size_t *n_entries)
{
    struct io *io = io_of(raft_io);
    struct store_image *image = &io->image;
    *snapshot = NULL;
    *entries = NULL;
    if (image->snapshot.index > 0) {
        int result = load_snapshot(&image->snapshot, snapshot);
        if (result != 0) {
            return result;
        }
    }
    see_loaded(io);
    *term = image->term;
    *voted_for = image->vote;
    *start_index = image->first_index;
    *n_entries = image->record_count;
    if (image->record_count > 0) {
        *entries = load_entries(image);
    }
    io->term = image->term;
    io->next_index = io->store.last_index + 1;
    io->durable_end = io->store.last_index;
    store_image_release(&io->store, image);
    return 0;
}

static int io_bootstrap(struct raft_io *raft_io, const struct raft_configuration *configuration)
{
    struct io *io = io_of(raft_io);
    struct store_image *image = &io->image;
    struct raft_buffer buffer;
    if (!image->is_empty) {
        return RAFT_CANTBOOTSTRAP;
    }
    int result = raft_configuration_encode(configuration, &buffer);
    if (result != 0) {
        return result;
    }
    store_batch_add(io->env, &io->bootstrap, 1, 1, RAFT_CHANGE, buffer.base, buffer.len);
    raft_free(buffer.base);
    enum sq_status status = store_append(&io->store, &io->bootstrap);
    if (status == SQ_OK) {
        status = store_set_meta(&io->store, 1, 0);
    }
    if (status != SQ_OK) {
        return error_of(io, status);
    }
    size_t offset = 0;
    image->is_empty = false;
    image->term = 1;
    image->first_index = 1;
    image->records = io->env->mem->alloc(io->env, sizeof(*image->records));
    image->record_count = 1;
    store_batch_next(&io->bootstrap, &offset, image->records);
    return 0;
}

static int io_recover(struct raft_io *raft_io, const struct raft_configuration *configuration)
{
    (void)raft_io;
    (void)configuration;
    return RAFT_IOERR; /* raft_recover is not offered to scenarios */
}

/* ----------------------------------------------------------------------------- term, vote, log */

static int io_set_term(struct raft_io *raft_io, raft_term term)
{
    struct io *io = io_of(raft_io);
    observe(io->env, io->raft, &io->observer);
    enum sq_status status = store_set_meta(&io->store, term, 0);
    if (status == SQ_OK) {
        io->term = term;
    }
    return error_of(io, status);
}

static int io_set_vote(struct raft_io *raft_io, raft_id server_id)
{
    struct io *io = io_of(raft_io);
    observe(io->env, io->raft, &io->observer);
    enum sq_status status = PLANTED(io->env, VOTE_NOT_PERSISTED)
                                ? SQ_OK
                                : store_set_meta(&io->store, io->term, server_id);
    if (status == SQ_OK) {
        /* Raft's ids count from 1, so this is the node + 1. */
        io->env->trace->see(io->env, SQ_SEE_VOTE, io->term, io->env->group_first + server_id, 0,
                            NULL);
    }
    return error_of(io, status);
}

/* The job that appends next, if it has room for an entry of so many bytes, or a new one. */
static struct io_job *append_job(struct io *io, size_t size)
{
    struct io_job *job = io->writes.last;
    bool is_limited = io->append_bytes > 0 && io->raft->state == RAFT_LEADER;
    bool is_full = job != NULL && is_limited && job->batch.size > 0 &&
                   job->batch.size + STORE_RECORD_HEADER + pad8(size) > io->append_bytes;
    if (job == NULL || job->kind != JOB_APPEND || is_full) {
        job = job_new(io, JOB_APPEND);
        submit_write(io, job);
    }
    return job;
}

static int io_append(struct raft_io *raft_io, struct raft_io_append *request,
                     const struct raft_entry entries[], unsigned n, raft_io_append_cb on_appended)
{
    struct io *io = io_of(raft_io);
    struct sq_env *env = io->env;
    observe(env, io->raft, &io->observer);
    if (PLANTED(env, LEADER_OVERWRITES) && io->raft->state == RAFT_LEADER &&
        io->next_index > io->durable_end + 1) {
        raft_io->truncate(raft_io, io->next_index - 1);
    }
    struct io_job *job = NULL;
    for (unsigned i = 0; i < n; i++) {
        const struct raft_entry *entry = &entries[i];
        job = append_job(io, entry->buf.len);
        uint64_t hash = store_batch_add(env, &job->batch, io->next_index, entry->term, entry->type,
                                        entry->buf.base, entry->buf.len);
        env->trace->see(env, SQ_SEE_APPEND, io->next_index, entry->term, hash, NULL);
        io->next_index++;
    }
    assert(job != NULL);
    if (raft_last_index(io->raft) != io->next_index - 1 && !io->is_broken) {
        env->trace->always(env, false, "raft.append-follows-log",
                           "libraft appended entries to the disk at another index than in memory");
    }
    if (job->append_count == job->append_capacity) {
        job->append_capacity = job->append_capacity == 0 ? 16 : job->append_capacity * 2;
        job->appends =
            env->mem->realloc(env, job->appends, job->append_capacity * sizeof(*job->appends));
    }
    job->appends[job->append_count++] = (struct io_append){request, on_appended};
    return 0;
}

static int io_truncate(struct raft_io *raft_io, raft_index index)
{
    struct io *io = io_of(raft_io);
    observe(io->env, io->raft, &io->observer);
    io->env->trace->see(io->env, SQ_SEE_TRUNCATE, index, 0, 0, NULL);
    struct io_job *job = job_new(io, JOB_CUT);
    job->index = index;
    if (index < io->next_index) {
        io->next_index = index;
    }
    submit_write(io, job);
    return 0;
}

/* ----------------------------------------------------------------------------- snapshots, work */

static void put_main(struct sq_env *env, void *argument)
{
    struct io_job *job = argument;
    struct io *io = job->io;
    (void)env;
    enum sq_status status = put_snapshot(io, job->snapshot);
    job->status = error_of(io, status);
    if (status == SQ_OK && job->snapshot->index > job->trailing) {
        struct io_job *prune = job_new(io, JOB_PRUNE);
        prune->index = job->snapshot->index - job->trailing + 1;
        submit_write(io, prune);
    }
    job_done(job);
}

static int io_snapshot_put(struct raft_io *raft_io, unsigned trailing,
                           struct raft_io_snapshot_put *request,
                           const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb on_put)
{
    struct io *io = io_of(raft_io);
    observe(io->env, io->raft, &io->observer);
    bool is_installed = trailing == 0 && io->raft->snapshot.pending.term == 0;
    struct io_job *job = job_new(io, is_installed ? JOB_INSTALL : JOB_PUT);
    job->put = request;
    job->on_put = on_put;
    job->snapshot = snapshot;
    job->trailing = trailing;
    if (is_installed) {
        if (io->next_index > snapshot->index + 1) {
            io->env->trace->see(io->env, SQ_SEE_TRUNCATE, snapshot->index + 1, 0, 0, NULL);
        }
        io->next_index = snapshot->index + 1;
        submit_write(io, job);
    } else {
        io->env->fiber->spawn(io->env, put_main, job);
    }
    return 0;
}

static void get_main(struct sq_env *env, void *argument)
{
    struct io_job *job = argument;
    struct store_snapshot stored;
    uint8_t *bytes = NULL;
    enum sq_status status = store_get_snapshot(&job->io->store, &stored, &bytes);
    job->status = error_of(job->io, status);
    job->got = NULL;
    if (status == SQ_OK) {
        job->status = load_snapshot(&stored, &job->got);
        env->mem->free(env, bytes);
    }
    job_done(job);
}

static int io_snapshot_get(struct raft_io *raft_io, struct raft_io_snapshot_get *request,
                           raft_io_snapshot_get_cb on_got)
{
    struct io *io = io_of(raft_io);
    struct io_job *job = job_new(io, JOB_GET);
    job->get = request;
    job->on_got = on_got;
    io->env->fiber->spawn(io->env, get_main, job);
    return 0;
}

static void work_main(struct sq_env *env, void *argument)
{
    struct io_job *job = argument;
    (void)env;
    job->status = job->work->work(job->work);
    job_done(job);
}

static int io_async_work(struct raft_io *raft_io, struct raft_io_async_work *request,
                         raft_io_async_work_cb on_worked)
{
    struct io *io = io_of(raft_io);
    struct io_job *job = job_new(io, JOB_WORK);
    job->work = request;
    job->on_worked = on_worked;
    io->env->fiber->spawn(io->env, work_main, job);
    return 0;
}

/* ------------------------------------------------------------------------------------ messages */

static uint64_t stamp_for(const struct io *io, const struct raft_message *message)
{
    if (message->type == RAFT_IO_APPEND_ENTRIES) {
        return (uint64_t)io->env->clock->monotonic(io->env);
    }
    if (message->type != RAFT_IO_APPEND_ENTRIES_RESULT) {
        return 0;
    }
    uint64_t term = message->append_entries_result.term;
    const struct io_peer *peer = &io->peers[message->server_id - 1];
    if (io->receiving != NULL && io->receiving_from == message->server_id - 1 &&
        io->receiving->append_entries.term == term) {
        return io->receiving_stamp;
    }
    return peer->received_term == term ? peer->received_stamp : 0;
}

static int io_send(struct raft_io *raft_io, struct raft_io_send *request,
                   const struct raft_message *message, raft_io_send_cb on_sent)
{
    struct io *io = io_of(raft_io);
    struct sq_env *env = io->env;
    observe(env, io->raft, &io->observer);
    if (io->send_count == io->send_capacity) {
        io->send_capacity = io->send_capacity == 0 ? 64 : io->send_capacity * 2;
        io->sends = env->mem->realloc(env, io->sends, io->send_capacity * sizeof(*io->sends));
    }
    struct io_send *send = &io->sends[io->send_count++];
    *send = (struct io_send){request, on_sent, 0};
    if (message->server_id < 1 || message->server_id > env->group_size) {
        env->trace->see(env, SQ_SEE_STRAY, message->server_id, message->type, 0, NULL);
        send->status = RAFT_NOCONNECTION;
        return 0;
    }
    size_t size = wire_size(message);
    if (size > io->scratch_size) {
        io->scratch_size = size * 2;
        io->scratch = env->mem->realloc(env, io->scratch, io->scratch_size);
    }
    wire_encode(message, stamp_for(io, message), io->scratch);
    struct sq_buffer buffer = {io->scratch, size};
    env->net->send(env, env->group_first + (sq_node)(message->server_id - 1), &buffer, 1);
    return 0;
}

void io_run_sends(struct io *io)
{
    /* A call-back may send again, which appends to the array. */
    for (uint32_t i = 0; i < io->send_count; i++) {
        struct io_send send = io->sends[i];
        if (send.on_sent != NULL) {
            send.on_sent(send.request, send.status);
        }
    }
    io->send_count = 0;
}

static void take_stamps(struct io *io, uint32_t from, const struct raft_message *message,
                        uint64_t stamp)
{
    const struct raft *raft = io->raft;
    struct io_peer *peer = &io->peers[from];
    if (message->type == RAFT_IO_APPEND_ENTRIES_RESULT && stamp > 0 && raft->state == RAFT_LEADER &&
        message->append_entries_result.term == raft->current_term) {
        if (peer->echoed_term != raft->current_term || peer->echoed_stamp < stamp) {
            peer->echoed_term = raft->current_term;
            peer->echoed_stamp = stamp;
        }
    }
}

void io_deliver(struct io *io, sq_node from, const void *data, size_t size)
{
    struct raft_message message;
    uint64_t stamp;
    uint32_t peer = from - io->env->group_first;
    if (from < io->env->group_first || peer >= io->env->group_size ||
        !wire_decode(data, size, &message, &stamp)) {
        return;
    }
    message.server_id = peer + (PLANTED(io->env, SENDER_ONE_OFF) && io->env->incarnation > 1) + 1;
    message.server_address = io->peers[peer].address;
    if (message.type != RAFT_IO_APPEND_ENTRIES) {
        take_stamps(io, peer, &message, stamp);
        io->on_receive(&io->raft_io, &message);
        return;
    }
    uint64_t term = message.append_entries.term;
    io->receiving = &message;
    io->receiving_from = peer;
    io->receiving_stamp = stamp;
    io->on_receive(&io->raft_io, &message);
    io->receiving = NULL;
    if (io->raft->current_term == term && io->raft->state == RAFT_FOLLOWER) {
        io->peers[peer].received_term = term;
        io->peers[peer].received_stamp = stamp;
    }
}

sq_time io_quorum_contact(const struct io *io)
{
    uint32_t needed = io->env->group_size / 2; /* besides this node */
    if (io->raft->state != RAFT_LEADER) {
        return INT64_MIN;
    }
    if (needed == 0) {
        return io->env->clock->monotonic(io->env);
    }
    /* The needed-th latest echo: that which at least `needed` peers have reached. Groups are
     * small. */
    sq_time best = INT64_MIN;
    for (uint32_t i = 0; i < io->env->group_size; i++) {
        const struct io_peer *candidate = &io->peers[i];
        uint32_t reached = 0;
        for (uint32_t j = 0; j < io->env->group_size; j++) {
            reached += io->peers[j].echoed_term == io->raft->current_term &&
                       io->peers[j].echoed_stamp >= candidate->echoed_stamp;
        }
        if (candidate->echoed_term == io->raft->current_term && reached >= needed &&
            (sq_time)candidate->echoed_stamp > best) {
            best = (sq_time)candidate->echoed_stamp;
        }
    }
    return best;
}

/* -------------------------------------------------------------------------- life, time, chance */

static int io_init(struct raft_io *raft_io, raft_id id, const char *address)
{
    (void)raft_io;
    (void)id;
    (void)address;
    return 0; /* the disk has been read by io_open */
}

static void io_close(struct raft_io *raft_io, raft_io_close_cb on_closed)
{
    /* raft_close is never called: a node ends by a crash, which runs no code. */
    on_closed(raft_io);
}

static int io_start(struct raft_io *raft_io, unsigned msecs, raft_io_tick_cb on_tick,
                    raft_io_recv_cb on_receive)
{
    struct io *io = io_of(raft_io);
    struct sq_env *env = io->env;
    io->on_tick = on_tick;
    io->on_receive = on_receive;
    io->tick_every = io->tick_wanted > 0 ? io->tick_wanted : (sq_time)msecs * 1000000;
    /* A phase of its own, or all nodes would time out in lock-step. */
    sq_time phase = 1 + (sq_time)env->rand->below(env, (uint64_t)io->tick_every);
    if (!(PLANTED(env, NO_TICK_AFTER_RESTART) && env->incarnation > 1)) {
        env->clock->start(env, phase, io->tick_tag);
    }
    io->is_writer_idle = false;
    io->writer = env->fiber->spawn(env, writer_main, io);
    return 0;
}

void io_tick(struct io *io)
{
    io->env->clock->start(io->env, io->tick_every, io->tick_tag);
    io->on_tick(&io->raft_io);
}

static raft_time io_time(struct raft_io *raft_io)
{
    struct sq_env *env = io_of(raft_io)->env;
    return (raft_time)(env->clock->monotonic(env) / 1000000);
}

static int io_random(struct raft_io *raft_io, int min, int max)
{
    struct sq_env *env = io_of(raft_io)->env;
    return max <= min ? min : min + (int)env->rand->below(env, (uint64_t)(max - min));
}

void io_compact(struct io *io)
{
    if (io->store.bolt != NULL) {
        submit_write(io, job_new(io, JOB_COMPACT));
    }
}

enum sq_status io_open(struct io *io, struct sq_env *env, struct raft *raft,
                       const struct io_options *options, void (*on_settle)(void *context),
                       void *context)
{
    *io = (struct io){
        .env = env,
        .raft = raft,
        .append_bytes = options->append_bytes,
        .tick_tag = options->tick_tag,
        .on_settle = on_settle,
        .context = context,
    };
    io->raft_io = (struct raft_io){
        .version = 2,
        .impl = io,
        .init = io_init,
        .close = io_close,
        .load = io_load,
        .start = io_start,
        .bootstrap = io_bootstrap,
        .recover = io_recover,
        .set_term = io_set_term,
        .set_vote = io_set_vote,
        .send = io_send,
        .append = io_append,
        .truncate = io_truncate,
        .snapshot_put = io_snapshot_put,
        .snapshot_get = io_snapshot_get,
        .time = io_time,
        .random = io_random,
        .async_work = io_async_work,
    };
    io->peers = env->mem->alloc(env, env->group_size * sizeof(*io->peers));
    for (uint32_t i = 0; i < env->group_size; i++) {
        io->peers[i] = (struct io_peer){0};
        snprintf(io->peers[i].address, sizeof(io->peers[i].address), "%" PRIu32, i + 1);
    }
    return store_open_with(&io->store, env, &options->store, &io->image);
}
