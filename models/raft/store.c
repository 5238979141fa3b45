/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Store. The rules that make it safe:
 *
 * - Term and vote alternate between two slots of one file, each with a counter and a checksum. A
 *   write can tear only the older slot, so the newer one always stands.
 * - A batch of entries is one write and one sync at the end of the last segment. A record carries
 *   its own checksums and `synced`, the last index that was durable before its batch was written.
 *   At boot the log ends at the first record that is not valid. That is a torn write, and is cut
 *   off, unless a valid record further on says that the invalid one had been durable before: then
 *   the medium is at fault and the node must not start, because to cut would be to forget
 *   acknowledged entries (Alagappan et al., Protocol-Aware Recovery for Consensus-Based Storage,
 *   FAST 2018, section 3.3). Rot in the very last batch cannot be told from a torn write and is
 *   cut.
 * - A new segment is made only when the one before is durable, so all but the last must be whole.
 * - The durable log is cut by truncating the segment and syncing it before anything else is
 *   written there.
 * - A snapshot gets its name only when its content is durable. Segments are removed after it has.
 * - After an error of the disk nothing more is written to the log (a failed sync may have dropped
 *   the pages, and a later one that succeeds would prove nothing: Rebello et al., Can Applications
 *   Recover from fsync Failures?, 2020).
 *
 * What it deliberately does not do: preallocate segments, compress, repair a corrupt log from its
 * peers. */
#include "store.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../plant.h"
#include "bytes.h"
#include "checksum.h"
#include "store_bolt.h"

#define FORMAT_VERSION 1
#define META_MAGIC     UINT32_C(0x54454d52) /* "RMET" */
#define SEGMENT_MAGIC  UINT32_C(0x47455352) /* "RSEG" */
#define RECORD_MAGIC   UINT32_C(0x544e4552) /* "RENT" */
#define SNAPSHOT_MAGIC UINT32_C(0x504e5352) /* "RSNP" */

#define META_NAME        "raft.meta"
#define LOG_PREFIX       "raft.log."
#define SNAPSHOT_PREFIX  "raft.snap."
#define TEMPORARY_PREFIX "raft.tmp"

#define META_SLOT       4096
#define META_SIZE       40
#define SNAPSHOT_HEADER 64
#define NAME_SIZE       32

static void log_name(char name[NAME_SIZE], uint64_t first_index)
{
    snprintf(name, NAME_SIZE, LOG_PREFIX "%016" PRIx64, first_index);
}

static void snapshot_name(char name[NAME_SIZE], uint64_t index)
{
    snprintf(name, NAME_SIZE, SNAPSHOT_PREFIX "%016" PRIx64, index);
}

/* --------------------------------------------------------------------------------- whole files */

/* Reads a file into *bytes (env->mem); leaves it open in *file when that is not NULL. */
static enum sq_status read_whole(struct sq_env *env, const char *name, uint8_t **bytes,
                                 size_t *size, sq_file *file)
{
    sq_file opened = 0;
    uint64_t length = 0;
    *bytes = NULL;
    *size = 0;
    enum sq_status status = env->disk->open(env, name, 0, &opened);
    if (status != SQ_OK) {
        return status;
    }
    status = env->disk->size(env, opened, &length);
    if (status == SQ_OK && length > 0) {
        *bytes = env->mem->alloc(env, (size_t)length);
        status = env->disk->read(env, opened, *bytes, (size_t)length, 0, size);
    }
    if (status == SQ_OK && file != NULL) {
        *file = opened;
    } else {
        env->disk->close(env, opened);
    }
    if (status != SQ_OK) {
        env->mem->free(env, *bytes);
        *bytes = NULL;
    }
    return status;
}

static enum sq_status sync_name(struct sq_env *env, const char *name)
{
    sq_file file = 0;
    enum sq_status status = env->disk->open(env, name, 0, &file);
    if (status == SQ_OK) {
        status = env->disk->sync(env, file);
        env->disk->close(env, file);
    }
    return status;
}

/* ------------------------------------------------------------------------------------- records */

static void record_encode(uint8_t *at, uint64_t synced, const struct store_record *record)
{
    uint8_t *start = at;
    at = put_u32(at, RECORD_MAGIC);
    at = put_u32(at, record->size);
    at = put_u64(at, record->index);
    at = put_u64(at, record->term);
    at = put_u64(at, synced);
    at = put_u64(at, record->hash);
    at = put_u16(at, record->type);
    at = put_u16(at, 0);
    at = put_u32(at, (uint32_t)checksum_bytes(RECORD_MAGIC, start, STORE_RECORD_HEADER - 4));
    assert(at == start + STORE_RECORD_HEADER);
    if (record->size > 0) {
        memcpy(at, record->data, record->size);
    }
    memset(at + record->size, 0, pad8(record->size) - record->size);
}

bool store_record_decode(const uint8_t *bytes, size_t size, size_t offset,
                         struct store_record *record, uint64_t *synced)
{
    if (size < STORE_RECORD_HEADER || offset > size - STORE_RECORD_HEADER) {
        return false;
    }
    const uint8_t *at = bytes + offset;
    if (get_u32(at) != RECORD_MAGIC ||
        get_u32(at + 44) != (uint32_t)checksum_bytes(RECORD_MAGIC, at, STORE_RECORD_HEADER - 4)) {
        return false;
    }
    record->size = get_u32(at + 4);
    if (pad8(record->size) > size - offset - STORE_RECORD_HEADER) {
        return false;
    }
    record->index = get_u64(at + 8);
    record->term = get_u64(at + 16);
    *synced = get_u64(at + 24);
    record->hash = get_u64(at + 32);
    record->type = get_u16(at + 40);
    record->data = at + STORE_RECORD_HEADER;
    uint64_t padding = 0;
    memcpy(&padding, record->data + record->size, pad8(record->size) - record->size);
    return padding == 0 &&
           record->hash == checksum_entry(record->term, record->type, record->data, record->size);
}

static bool segment_header_is_valid(const uint8_t *bytes, size_t size,
                                    const struct store_segment *segment)
{
    return size >= STORE_SEGMENT_HEADER && get_u32(bytes) == SEGMENT_MAGIC &&
           get_u32(bytes + 4) == FORMAT_VERSION && get_u64(bytes + 8) == segment->first_index &&
           get_u64(bytes + 24) == checksum_bytes(SEGMENT_MAGIC, bytes, STORE_SEGMENT_HEADER - 8);
}

bool store_scan(const uint8_t *bytes, size_t size, const struct store_segment *segment,
                void (*visit)(void *context, const struct store_record *record), void *context,
                size_t *end, uint64_t *next_index)
{
    size_t offset = STORE_SEGMENT_HEADER;
    uint64_t index = segment->first_index;
    struct store_record record;
    uint64_t synced;
    bool is_begun = segment_header_is_valid(bytes, size, segment);
    while (is_begun && store_record_decode(bytes, size, offset, &record, &synced) &&
           record.index == index) {
        if (visit != NULL) {
            visit(context, &record);
        }
        offset += STORE_RECORD_HEADER + pad8(record.size);
        index++;
    }
    *end = offset < size ? offset : size;
    *next_index = index;
    for (size_t at = offset; at < size; at += 8) {
        bool is_out_of_place =
            is_begun && at == offset; /* valid, but not the one that belongs here */
        if (store_record_decode(bytes, size, at, &record, &synced) &&
            (is_out_of_place || synced >= index)) {
            return false;
        }
    }
    return true;
}

uint64_t store_batch_add(struct sq_env *env, struct store_batch *batch, uint64_t index,
                         uint64_t term, uint16_t type, const void *data, size_t size)
{
    assert(size <= UINT32_MAX - 8);
    if (batch->size == 0) {
        batch->first_index = index;
    }
    assert(batch->size == 0 || index == batch->last_index + 1);
    size_t needed = batch->size + STORE_RECORD_HEADER + pad8(size);
    if (needed > batch->capacity) {
        size_t capacity = batch->capacity < 4096 ? 4096 : batch->capacity;
        while (capacity < needed) {
            capacity *= 2;
        }
        batch->bytes = env->mem->realloc(env, batch->bytes, capacity);
        batch->capacity = capacity;
    }
    struct store_record record = {.index = index,
                                  .term = term,
                                  .type = type,
                                  .data = data,
                                  .size = (uint32_t)size,
                                  .hash = checksum_entry(term, type, data, size)};
    /* All before this batch is durable by the time it is written: batches are written one after
     * another. */
    record_encode(batch->bytes + batch->size, batch->first_index - 1, &record);
    batch->size = needed;
    batch->last_index = index;
    batch->last_term = term;
    return record.hash;
}

void store_batch_clear(struct store_batch *batch)
{
    batch->size = 0;
}

bool store_batch_next(const struct store_batch *batch, size_t *offset, struct store_record *record)
{
    if (*offset >= batch->size) {
        return false;
    }
    const uint8_t *at = batch->bytes + *offset;
    record->size = get_u32(at + 4);
    record->index = get_u64(at + 8);
    record->term = get_u64(at + 16);
    record->hash = get_u64(at + 32);
    record->type = get_u16(at + 40);
    record->data = at + STORE_RECORD_HEADER;
    *offset += STORE_RECORD_HEADER + pad8(record->size);
    return true;
}

/* ------------------------------------------------------------------------------- term and vote */

enum sq_status store_set_meta(struct store *store, uint64_t term, uint64_t vote)
{
    if (store->bolt != NULL) {
        return store_bolt_set_meta(store, term, vote);
    }
    struct sq_env *env = store->env;
    bool is_new = store->meta_file == 0;
    if (is_new) {
        enum sq_status status = env->disk->open(env, META_NAME, SQ_OPEN_CREATE, &store->meta_file);
        if (status != SQ_OK) {
            store->meta_file = 0;
            return status;
        }
    }
    uint64_t counter = store->meta_counter + 1;
    uint8_t slot[META_SIZE];
    uint8_t *at = put_u32(slot, META_MAGIC);
    at = put_u32(at, FORMAT_VERSION);
    at = put_u64(at, counter);
    at = put_u64(at, term);
    at = put_u64(at, vote);
    put_u64(at, checksum_bytes(META_MAGIC, slot, META_SIZE - 8));
    enum sq_status status =
        env->disk->write(env, store->meta_file, slot, sizeof(slot), (counter % 2) * META_SLOT);
    if (status == SQ_OK) {
        status = env->disk->sync(env, store->meta_file);
    }
    if (status == SQ_OK && is_new) {
        status = env->disk->sync_dir(env);
    }
    if (status == SQ_OK) {
        store->meta_counter = counter;
    } else if (is_new) {
        env->disk->close(env, store->meta_file);
        store->meta_file = 0;
    }
    return status;
}

static enum sq_status load_meta(struct store *store, struct store_image *image)
{
    struct sq_env *env = store->env;
    uint8_t *bytes;
    size_t size;
    if (!env->disk->exists(env, META_NAME)) {
        return SQ_OK;
    }
    enum sq_status status = read_whole(env, META_NAME, &bytes, &size, &store->meta_file);
    if (status != SQ_OK) {
        return status;
    }
    for (size_t offset = 0; offset + META_SIZE <= size; offset += META_SLOT) {
        const uint8_t *slot = bytes + offset;
        uint64_t counter = get_u64(slot + 8);
        bool is_valid =
            get_u32(slot) == META_MAGIC && get_u32(slot + 4) == FORMAT_VERSION &&
            get_u64(slot + META_SIZE - 8) == checksum_bytes(META_MAGIC, slot, META_SIZE - 8);
        if (is_valid && counter > store->meta_counter) {
            store->meta_counter = counter;
            image->term = get_u64(slot + 16);
            image->vote = get_u64(slot + 24);
        }
    }
    env->mem->free(env, bytes);
    /* What a killed process left in the page cache counts only once it is durable. */
    return env->disk->sync(env, store->meta_file);
}

/* ------------------------------------------------------------------------------------- the log */

static struct store_segment *last_segment(struct store *store)
{
    return store->segment_count == 0 ? NULL : &store->segments[store->segment_count - 1];
}

static struct store_segment *segment_push(struct store *store)
{
    if (store->segment_count == store->segment_capacity) {
        store->segment_capacity = store->segment_capacity == 0 ? 16 : store->segment_capacity * 2;
        store->segments = store->env->mem->realloc(
            store->env, store->segments, store->segment_capacity * sizeof(*store->segments));
    }
    struct store_segment *segment = &store->segments[store->segment_count++];
    *segment = (struct store_segment){0};
    return segment;
}

static void close_segment(struct store *store)
{
    if (store->file != 0) {
        store->env->disk->close(store->env, store->file);
        store->file = 0;
    }
}

static enum sq_status open_segment(struct store *store)
{
    char name[NAME_SIZE];
    log_name(name, last_segment(store)->first_index);
    enum sq_status status = store->env->disk->open(store->env, name, 0, &store->file);
    if (status != SQ_OK) {
        store->file = 0;
    }
    return status;
}

static void segment_header(uint8_t header[STORE_SEGMENT_HEADER],
                           const struct store_segment *segment)
{
    uint8_t *at = put_u32(header, SEGMENT_MAGIC);
    at = put_u32(at, FORMAT_VERSION);
    at = put_u64(at, segment->first_index);
    at = put_u64(at, segment->prev_term);
    put_u64(at, checksum_bytes(SEGMENT_MAGIC, header, STORE_SEGMENT_HEADER - 8));
}

/* Creates the next segment, its header not yet synced. */
static enum sq_status begin_segment(struct store *store)
{
    struct sq_env *env = store->env;
    char name[NAME_SIZE];
    uint8_t header[STORE_SEGMENT_HEADER];
    close_segment(store);
    struct store_segment *segment = segment_push(store);
    segment->first_index = store->last_index + 1;
    segment->prev_term = store->last_term;
    segment->size = STORE_SEGMENT_HEADER;
    segment_header(header, segment);
    log_name(name, segment->first_index);
    enum sq_status status =
        env->disk->open(env, name, SQ_OPEN_CREATE | SQ_OPEN_EXCLUSIVE, &store->file);
    if (status != SQ_OK) {
        store->file = 0;
        return status;
    }
    return env->disk->write(env, store->file, header, sizeof(header), 0);
}

enum sq_status store_append(struct store *store, const struct store_batch *batch)
{
    struct sq_env *env = store->env;
    assert(batch->size > 0);
    assert(batch->first_index == store->last_index + 1);
    if (store->bolt != NULL) {
        return store_bolt_append(store, batch);
    }
    enum sq_status status = SQ_OK;
    struct store_segment *segment = last_segment(store);
    bool is_new = segment == NULL || segment->size >= store->segment_bytes;
    if (is_new) {
        status = begin_segment(store);
        segment = last_segment(store);
    }
    if (status == SQ_OK) {
        status = env->disk->write(env, store->file, batch->bytes, batch->size, segment->size);
    }
    if (status == SQ_OK && !PLANTED(env, LOG_NOT_SYNCED)) {
        status = env->disk->sync(env, store->file);
    }
    if (status == SQ_OK && is_new) {
        status = env->disk->sync_dir(env);
    }
    if (status == SQ_OK) {
        segment->size += batch->size;
        store->last_index = batch->last_index;
        store->last_term = batch->last_term;
    }
    return status;
}

/* Removes the last segment's file. */
static enum sq_status drop_segment(struct store *store)
{
    struct sq_env *env = store->env;
    char name[NAME_SIZE];
    close_segment(store);
    log_name(name, last_segment(store)->first_index);
    store->segment_count--;
    enum sq_status status = env->disk->remove(env, name);
    /* One at a time, newest first: whatever a power loss keeps has no gap. */
    return status == SQ_OK ? env->disk->sync_dir(env) : status;
}

struct cut_search {
    uint64_t index; /* of the first record to remove */
    size_t offset;  /* where it starts */
    uint64_t prev_term;
};

static void cut_visit(void *context, const struct store_record *record)
{
    struct cut_search *search = context;
    if (record->index < search->index) {
        search->offset += STORE_RECORD_HEADER + pad8(record->size);
        search->prev_term = record->term;
    }
}

/* Cuts inside the last segment, whose first entry stays. */
static enum sq_status cut_segment(struct store *store, uint64_t index)
{
    struct sq_env *env = store->env;
    struct store_segment *segment = last_segment(store);
    struct cut_search search = {.index = index, .offset = STORE_SEGMENT_HEADER};
    char name[NAME_SIZE];
    uint8_t *bytes;
    size_t size;
    size_t end;
    uint64_t next;
    log_name(name, segment->first_index);
    close_segment(store);
    enum sq_status status = read_whole(env, name, &bytes, &size, &store->file);
    if (status != SQ_OK) {
        store->file = 0;
        return status;
    }
    bool is_sound = store_scan(bytes, size, segment, cut_visit, &search, &end, &next);
    env->mem->free(env, bytes);
    if (!is_sound || next < index) {
        return SQ_E_INVALID;
    }
    if (!PLANTED(env, LOG_NOT_TRUNCATED)) {
        status = env->disk->truncate(env, store->file, search.offset);
    }
    if (status == SQ_OK) {
        status = env->disk->sync(env, store->file);
    }
    if (status == SQ_OK) {
        segment->size = search.offset;
        store->last_term = search.prev_term;
    }
    return status;
}

enum sq_status store_cut(struct store *store, uint64_t index)
{
    assert(index > 0);
    if (index > store->last_index) {
        return SQ_OK;
    }
    if (store->bolt != NULL) {
        return store_bolt_cut(store, index);
    }
    enum sq_status status = SQ_OK;
    bool is_whole = false; /* what is left needs no cutting */
    while (status == SQ_OK && store->segment_count > 0 &&
           last_segment(store)->first_index >= index) {
        is_whole = last_segment(store)->first_index == index;
        store->last_term = last_segment(store)->prev_term;
        status = drop_segment(store);
    }
    if (status == SQ_OK && store->segment_count > 0) {
        status = is_whole ? open_segment(store) : cut_segment(store, index);
    }
    if (status == SQ_OK) {
        store->last_index = index - 1;
    }
    return status;
}

enum sq_status store_reset(struct store *store, uint64_t index, uint64_t term)
{
    if (store->bolt != NULL) {
        return store_bolt_reset(store, index, term);
    }
    enum sq_status status = SQ_OK;
    while (status == SQ_OK && store->segment_count > 0) {
        status = drop_segment(store);
    }
    if (status == SQ_OK) {
        store->last_index = index;
        store->last_term = term;
    }
    return status;
}

enum sq_status store_prune(struct store *store, uint64_t index)
{
    struct sq_env *env = store->env;
    uint32_t count = 0;
    if (store->bolt != NULL) {
        return store_bolt_prune(store, index);
    }
    while (count + 1 < store->segment_count && store->segments[count + 1].first_index <= index) {
        char name[NAME_SIZE];
        log_name(name, store->segments[count].first_index);
        enum sq_status status = env->disk->remove(env, name);
        if (status != SQ_OK) {
            break;
        }
        count++;
    }
    if (count == 0) {
        return SQ_OK;
    }
    store->segment_count -= count;
    memmove(store->segments, store->segments + count,
            store->segment_count * sizeof(*store->segments));
    return env->disk->sync_dir(env);
}

/* ----------------------------------------------------------------------------------- snapshots */

static uint64_t snapshot_sum(const struct store_snapshot *snapshot)
{
    uint64_t sum =
        checksum_bytes(SNAPSHOT_MAGIC, snapshot->configuration.data, snapshot->configuration.size);
    return checksum_bytes(sum, snapshot->data.data, snapshot->data.size);
}

static void snapshot_header(uint8_t header[SNAPSHOT_HEADER], const struct store_snapshot *snapshot)
{
    uint8_t *at = put_u32(header, SNAPSHOT_MAGIC);
    at = put_u32(at, FORMAT_VERSION);
    at = put_u64(at, snapshot->index);
    at = put_u64(at, snapshot->term);
    at = put_u64(at, snapshot->configuration_index);
    at = put_u64(at, snapshot->configuration.size);
    at = put_u64(at, snapshot->data.size);
    at = put_u64(at, snapshot_sum(snapshot));
    put_u64(at, checksum_bytes(SNAPSHOT_MAGIC, header, SNAPSHOT_HEADER - 8));
}

/* The snapshot then points into `bytes`. */
static bool snapshot_decode(const uint8_t *bytes, size_t size, struct store_snapshot *snapshot)
{
    if (size < SNAPSHOT_HEADER || get_u32(bytes) != SNAPSHOT_MAGIC ||
        get_u32(bytes + 4) != FORMAT_VERSION ||
        get_u64(bytes + SNAPSHOT_HEADER - 8) !=
            checksum_bytes(SNAPSHOT_MAGIC, bytes, SNAPSHOT_HEADER - 8)) {
        return false;
    }
    uint64_t configuration_size = get_u64(bytes + 32);
    uint64_t data_size = get_u64(bytes + 40);
    size_t body = size - SNAPSHOT_HEADER;
    if (configuration_size > body || data_size != body - configuration_size) {
        return false;
    }
    *snapshot = (struct store_snapshot){
        .index = get_u64(bytes + 8),
        .term = get_u64(bytes + 16),
        .configuration_index = get_u64(bytes + 24),
        .configuration = {bytes + SNAPSHOT_HEADER, (size_t)configuration_size},
        .data = {bytes + SNAPSHOT_HEADER + configuration_size, (size_t)data_size},
    };
    return get_u64(bytes + 48) == snapshot_sum(snapshot);
}

static enum sq_status write_snapshot(struct sq_env *env, sq_file file,
                                     const struct store_snapshot *snapshot)
{
    uint8_t header[SNAPSHOT_HEADER];
    snapshot_header(header, snapshot);
    enum sq_status status = env->disk->write(env, file, header, sizeof(header), 0);
    if (status == SQ_OK && snapshot->configuration.size > 0) {
        status = env->disk->write(env, file, snapshot->configuration.data,
                                  snapshot->configuration.size, SNAPSHOT_HEADER);
    }
    if (status == SQ_OK && snapshot->data.size > 0) {
        status = env->disk->write(env, file, snapshot->data.data, snapshot->data.size,
                                  SNAPSHOT_HEADER + snapshot->configuration.size);
    }
    return status == SQ_OK ? env->disk->sync(env, file) : status;
}

enum sq_status store_put_snapshot(struct store *store, const struct store_snapshot *snapshot)
{
    struct sq_env *env = store->env;
    char temporary[NAME_SIZE] = TEMPORARY_PREFIX;
    char name[NAME_SIZE];
    sq_file file = 0;
    assert(snapshot->index > 0);
    snapshot_name(name, snapshot->index);
    enum sq_status status =
        env->disk->open(env, temporary, SQ_OPEN_CREATE | SQ_OPEN_TRUNCATE, &file);
    if (status != SQ_OK) {
        return status;
    }
    status = write_snapshot(env, file, snapshot);
    env->disk->close(env, file);
    if (status == SQ_OK) {
        status = env->disk->rename(env, temporary, name);
    }
    if (status == SQ_OK) {
        status = env->disk->sync_dir(env);
    }
    if (status != SQ_OK) {
        env->disk->remove(env, temporary);
        return status;
    }
    uint64_t old_index = store->snapshot_index;
    store->snapshot_index = snapshot->index;
    store->snapshot_term = snapshot->term;
    if (old_index != 0 && old_index != snapshot->index) {
        snapshot_name(name, old_index);
        env->disk->remove(env, name); /* if it stays, the next boot removes it */
    }
    return SQ_OK;
}

enum sq_status store_get_snapshot(struct store *store, struct store_snapshot *snapshot,
                                  uint8_t **bytes)
{
    struct sq_env *env = store->env;
    enum sq_status status = SQ_E_NOENT;
    uint64_t index = 0;
    size_t size = 0;
    /* It may be replaced by a newer one before the file is open. */
    while (status == SQ_E_NOENT && index != store->snapshot_index) {
        char name[NAME_SIZE];
        index = store->snapshot_index;
        snapshot_name(name, index);
        status = read_whole(env, name, bytes, &size, NULL);
    }
    if (status == SQ_OK && !snapshot_decode(*bytes, size, snapshot)) {
        env->mem->free(env, *bytes);
        *bytes = NULL;
        status = SQ_E_INVALID;
    }
    return status;
}

/* ---------------------------------------------------------------------------------------- boot */

struct loader {
    struct store *store;
    struct store_image *image;
    uint64_t *logs; /* first indexes, ascending */
    uint32_t log_count;
    uint64_t *snapshots; /* indexes, ascending */
    uint32_t snapshot_count;
    size_t record_capacity;
    uint64_t prev_term; /* of the entry before the first record */
};

static enum sq_status corrupt(struct loader *loader, const char *what, const char *name,
                              uint64_t place)
{
    snprintf(loader->image->problem, sizeof(loader->image->problem), "%s: %s (at %" PRIu64 ")",
             name, what, place);
    return SQ_E_INVALID;
}

/* Keeps *bytes for as long as the image lives. */
static void keep_bytes(struct loader *loader, uint8_t *bytes)
{
    struct store_image *image = loader->image;
    struct sq_env *env = loader->store->env;
    image->bytes =
        env->mem->realloc(env, image->bytes, (image->byte_count + 1) * sizeof(*image->bytes));
    image->bytes[image->byte_count++] = bytes;
}

static bool parse_name(const char *name, const char *prefix, uint64_t *number)
{
    size_t length = strlen(prefix);
    if (strncmp(name, prefix, length) != 0 || strlen(name + length) != 16) {
        return false;
    }
    char *end;
    *number = strtoull(name + length, &end, 16);
    return *end == '\0';
}

/* Keeps them in ascending order; there are few. */
static void add_number(struct sq_env *env, uint64_t **numbers, uint32_t *count, uint64_t number)
{
    *numbers = env->mem->realloc(env, *numbers, (*count + 1) * sizeof(**numbers));
    uint32_t place = *count;
    while (place > 0 && (*numbers)[place - 1] > number) {
        (*numbers)[place] = (*numbers)[place - 1];
        place--;
    }
    (*numbers)[place] = number;
    (*count)++;
}

static void list_names(struct loader *loader)
{
    struct sq_env *env = loader->store->env;
    const char *name;
    uint64_t number;
    bool has_temporary = false;
    for (uint32_t i = 0; (name = env->disk->list(env, i)) != NULL; i++) {
        if (parse_name(name, LOG_PREFIX, &number)) {
            add_number(env, &loader->logs, &loader->log_count, number);
        } else if (parse_name(name, SNAPSHOT_PREFIX, &number)) {
            add_number(env, &loader->snapshots, &loader->snapshot_count, number);
        } else if (strcmp(name, TEMPORARY_PREFIX) == 0) {
            has_temporary = true;
        }
    }
    if (has_temporary) {
        env->disk->remove(env, TEMPORARY_PREFIX);
    }
}

/* The newest one; older ones are removed. Its name was made durable after its content, so it must
 * be whole. */
static enum sq_status load_snapshot(struct loader *loader)
{
    struct store *store = loader->store;
    struct sq_env *env = store->env;
    char name[NAME_SIZE];
    if (loader->snapshot_count == 0) {
        return SQ_OK;
    }
    uint64_t index = loader->snapshots[loader->snapshot_count - 1];
    uint8_t *bytes;
    size_t size;
    snapshot_name(name, index);
    enum sq_status status = read_whole(env, name, &bytes, &size, NULL);
    if (status != SQ_OK) {
        return status;
    }
    keep_bytes(loader, bytes);
    if (!snapshot_decode(bytes, size, &loader->image->snapshot) ||
        loader->image->snapshot.index != index) {
        return corrupt(loader, "snapshot fails its checksum", name, 0);
    }
    store->snapshot_index = index;
    store->snapshot_term = loader->image->snapshot.term;
    status = sync_name(env, name);
    for (uint32_t i = 0; status == SQ_OK && i + 1 < loader->snapshot_count; i++) {
        snapshot_name(name, loader->snapshots[i]);
        status = env->disk->remove(env, name);
    }
    return status;
}

static void load_visit(void *context, const struct store_record *record)
{
    struct loader *loader = context;
    struct store_image *image = loader->image;
    if (image->record_count == loader->record_capacity) {
        struct sq_env *env = loader->store->env;
        loader->record_capacity = loader->record_capacity == 0 ? 256 : loader->record_capacity * 2;
        image->records = env->mem->realloc(env, image->records,
                                           loader->record_capacity * sizeof(*image->records));
    }
    if (image->record_count == 0) {
        image->first_index = record->index;
    }
    image->records[image->record_count++] = *record;
}

/* Cuts an unfinished write off the last segment, or removes it when nothing in it was finished. */
static enum sq_status cut_torn(struct loader *loader, size_t end, bool is_empty)
{
    struct store *store = loader->store;
    loader->image->is_torn = true;
    if (is_empty) {
        return drop_segment(store);
    }
    enum sq_status status = open_segment(store);
    if (status == SQ_OK) {
        status = store->env->disk->truncate(store->env, store->file, end);
    }
    if (status == SQ_OK) {
        status = store->env->disk->sync(store->env, store->file);
    }
    last_segment(store)->size = end;
    return status;
}

static enum sq_status load_segment(struct loader *loader, uint64_t first_index, bool is_last)
{
    struct store *store = loader->store;
    struct store_image *image = loader->image;
    char name[NAME_SIZE];
    uint8_t *bytes;
    size_t size;
    size_t end;
    uint64_t next;
    log_name(name, first_index);
    enum sq_status status = read_whole(store->env, name, &bytes, &size, NULL);
    if (status != SQ_OK) {
        return status;
    }
    keep_bytes(loader, bytes);
    struct store_segment *segment = segment_push(store);
    segment->first_index = first_index;
    bool is_valid = segment_header_is_valid(bytes, size, segment);
    segment->prev_term = is_valid ? get_u64(bytes + 16) : 0;
    segment->size = size;
    /* What was read before is not part of the log when this segment does not follow it. */
    if (image->record_count > 0 && image->first_index + image->record_count != first_index) {
        if (store->snapshot_index + 1 < first_index) {
            return corrupt(loader, "entries before this segment are missing", name, first_index);
        }
        image->record_count = 0;
        store->segments[0] = *segment;
        store->segment_count = 1;
    }
    bool is_sound = store_scan(bytes, size, segment, load_visit, loader, &end, &next);
    if (!is_sound || (!is_last && (!is_valid || end != size))) {
        return corrupt(loader, "an entry that was durable is damaged", name, next);
    }
    bool is_empty = !is_valid || next == first_index;
    if (is_empty || end != size) {
        return is_last ? cut_torn(loader, end, is_empty)
                       : corrupt(loader, "empty segment", name, next);
    }
    return SQ_OK;
}

/* A snapshot replaces the log when the log does not hold its last entry: the crash of an
 * installation. */
static bool log_fits_snapshot(const struct loader *loader)
{
    const struct store *store = loader->store;
    const struct store_image *image = loader->image;
    if (image->record_count == 0 && store->bolt != NULL) {
        /* The file says what an empty log follows. */
        return image->first_index == store->snapshot_index + 1 &&
               loader->prev_term == store->snapshot_term;
    }
    if (store->snapshot_index == 0 || image->record_count == 0) {
        return true;
    }
    uint64_t last = image->first_index + image->record_count - 1;
    if (last < store->snapshot_index) {
        return false;
    }
    if (image->first_index == store->snapshot_index + 1) {
        return loader->prev_term == store->snapshot_term;
    }
    return image->records[store->snapshot_index - image->first_index].term == store->snapshot_term;
}

static enum sq_status load_segments(struct loader *loader)
{
    struct store *store = loader->store;
    enum sq_status status = SQ_OK;
    for (uint32_t i = 0; status == SQ_OK && i < loader->log_count; i++) {
        status = load_segment(loader, loader->logs[i], i + 1 == loader->log_count);
    }
    if (status == SQ_OK && store->segment_count > 0) {
        loader->prev_term = store->segments[0].prev_term;
    }
    return status;
}

/* The log has been read: it must go with the snapshot. */
static enum sq_status fit_log(struct loader *loader)
{
    struct store *store = loader->store;
    struct store_image *image = loader->image;
    enum sq_status status = SQ_OK;
    bool is_known = image->record_count > 0 || store->bolt != NULL; /* where the log begins */
    if (is_known && image->first_index > store->snapshot_index + 1) {
        return corrupt(loader, "entries before the log are missing", "raft.log",
                       image->first_index);
    }
    if (!log_fits_snapshot(loader)) {
        image->record_count = 0;
        status = store_reset(store, store->snapshot_index, store->snapshot_term);
    }
    if (image->record_count == 0) {
        image->first_index = store->snapshot_index + 1;
        store->last_index = store->snapshot_index;
        store->last_term = store->snapshot_term;
        return status;
    }
    const struct store_record *last = &image->records[image->record_count - 1];
    store->last_index = last->index;
    store->last_term = last->term;
    if (store->bolt != NULL) {
        return SQ_OK;
    }
    if (store->file == 0) {
        status = open_segment(store);
    }
    return status == SQ_OK ? store->env->disk->sync(store->env, store->file) : status;
}

/* Judges the parts together. */
static enum sq_status judge(struct loader *loader)
{
    struct store *store = loader->store;
    struct store_image *image = loader->image;
    if (store->meta_counter == 0) {
        /* Bootstrapping writes the first entry, then the first term. */
        if (image->record_count > 1 || store->snapshot_index > 0) {
            return corrupt(loader, "term and vote are missing", META_NAME, 0);
        }
        image->is_empty = true;
        image->record_count = 0;
        image->first_index = 1;
        return store_reset(store, 0, 0);
    }
    if (image->term < store->last_term) {
        return corrupt(loader, "older than the log", META_NAME, image->term);
    }
    return SQ_OK;
}

enum sq_status store_open_with(struct store *store, struct sq_env *env,
                               const struct store_options *options, struct store_image *image)
{
    *store = (struct store){
        .env = env, .segment_bytes = options->segment_bytes, .aged_pages = options->aged_pages};
    *image = (struct store_image){0};
    struct loader loader = {.store = store, .image = image};
    list_names(&loader);
    enum sq_status status = SQ_OK;
    if (options->is_bolt) {
        status = load_snapshot(&loader);
        if (status == SQ_OK) {
            status = store_bolt_open(store, &options->bolt, image, &loader.prev_term);
        }
    } else {
        status = load_meta(store, image);
        if (status == SQ_OK) {
            status = load_snapshot(&loader);
        }
        if (status == SQ_OK) {
            status = load_segments(&loader);
        }
    }
    if (status == SQ_OK) {
        status = fit_log(&loader);
    }
    if (status == SQ_OK) {
        status = judge(&loader);
    }
    if (status == SQ_OK) {
        status = env->disk->sync_dir(env);
    }
    env->mem->free(env, loader.logs);
    env->mem->free(env, loader.snapshots);
    return status;
}

enum sq_status store_open(struct store *store, struct sq_env *env, uint64_t segment_bytes,
                          struct store_image *image)
{
    const struct store_options options = {.segment_bytes = segment_bytes};
    return store_open_with(store, env, &options, image);
}

void store_image_release(struct store *store, struct store_image *image)
{
    struct sq_env *env = store->env;
    for (uint32_t i = 0; i < image->byte_count; i++) {
        env->mem->free(env, image->bytes[i]);
    }
    env->mem->free(env, image->bytes);
    env->mem->free(env, image->records);
    *image = (struct store_image){0};
}
