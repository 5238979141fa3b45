/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Store. The rules that make it safe:
 *
 * - Term and vote alternate between two slots of one file, each with a counter and a checksum. A write can tear only
 *   the older slot, so the newer one always stands.
 * - A batch of entries is one write and one sync at the end of the last segment. A record carries its own checksums
 *   and `synced`, the last index that was durable before its batch was written. At boot the log ends at the first
 *   record that is not valid. That is a torn write, and is cut off, unless a valid record further on says that the
 *   invalid one had been durable before: then the medium is at fault and the node must not start, because to cut
 *   would be to forget acknowledged entries (Alagappan et al., Protocol-Aware Recovery for Consensus-Based Storage,
 *   FAST 2018, section 3.3). Rot in the very last batch cannot be told from a torn write and is cut.
 * - A new segment is made only when the one before is durable, so all but the last must be whole.
 * - The durable log is cut by truncating the segment and syncing it before anything else is written there.
 * - A snapshot gets its name only when its content is durable. Segments are removed after it has.
 * - After an error of the disk nothing more is written to the log (a failed sync may have dropped the pages, and a
 *   later one that succeeds would prove nothing: Rebello et al., Can Applications Recover from fsync Failures?, 2020).
 *
 * What it deliberately does not do: preallocate segments, compress, repair a corrupt log from its peers. */
#include "store.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "bytes.h"
#include "checksum.h"

#define FORMAT_VERSION 1
#define META_MAGIC UINT32_C(0x54454d52)    /* "RMET" */
#define SEGMENT_MAGIC UINT32_C(0x47455352) /* "RSEG" */
#define RECORD_MAGIC UINT32_C(0x544e4552)  /* "RENT" */
#define SNAPSHOT_MAGIC UINT32_C(0x504e5352) /* "RSNP" */

#define META_NAME "raft.meta"
#define LOG_PREFIX "raft.log."
#define SNAPSHOT_PREFIX "raft.snap."
#define TEMPORARY_PREFIX "raft.tmp"

#define META_SLOT 4096
#define META_SIZE 40
#define SNAPSHOT_HEADER 72
#define NAME_SIZE 32

static void log_name(char name[NAME_SIZE], uint64_t first_index)
{
    snprintf(name, NAME_SIZE, LOG_PREFIX "%016" PRIx64, first_index);
}

static void snapshot_name(char name[NAME_SIZE], uint64_t index)
{
    snprintf(name, NAME_SIZE, SNAPSHOT_PREFIX "%016" PRIx64, index);
}

/* ------------------------------------------------------------------------------------------------ whole files */

/* Reads a file into *bytes (env->mem); leaves it open in *file when that is not NULL. */
static enum sq_status read_whole(struct sq_env *env, const char *name, uint8_t **bytes, size_t *size, sq_file *file)
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

/* ------------------------------------------------------------------------------------------------ records */

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

/* False when there is no valid record at `offset`. */
static bool record_decode(const uint8_t *bytes, size_t size, size_t offset, struct store_record *record,
                          uint64_t *synced)
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
    return padding == 0 && record->hash == checksum_entry(record->term, record->type, record->data, record->size);
}

bool store_scan(const uint8_t *bytes, size_t size, const struct store_segment *segment,
                void (*visit)(void *context, const struct store_record *record), void *context, size_t *end,
                uint64_t *next_index)
{
    size_t offset = STORE_SEGMENT_HEADER;
    uint64_t index = segment->first_index;
    struct store_record record;
    uint64_t synced;
    while (record_decode(bytes, size, offset, &record, &synced) && record.index == index) {
        if (visit != NULL) {
            visit(context, &record);
        }
        offset += STORE_RECORD_HEADER + pad8(record.size);
        index++;
    }
    *end = offset < size ? offset : size;
    *next_index = index;
    for (size_t at = offset; at < size; at += 8) {
        if (record_decode(bytes, size, at, &record, &synced) && (at == offset || synced >= index)) {
            return false;
        }
    }
    return true;
}

uint64_t store_batch_add(struct sq_env *env, struct store_batch *batch, uint64_t index, uint64_t term,
                         uint16_t type, const void *data, size_t size)
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
    struct store_record record = {.index = index, .term = term, .type = type, .data = data, .size = (uint32_t)size,
                                  .hash = checksum_entry(term, type, data, size)};
    /* All before this batch is durable by the time it is written: batches are written one after another. */
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

/* ------------------------------------------------------------------------------------------------ term and vote */

enum sq_status store_set_meta(struct store *store, uint64_t term, uint64_t vote)
{
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
        bool is_valid = get_u32(slot) == META_MAGIC && get_u32(slot + 4) == FORMAT_VERSION &&
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

/* ------------------------------------------------------------------------------------------------ the log */

static struct store_segment *last_segment(struct store *store)
{
    return store->segment_count == 0 ? NULL : &store->segments[store->segment_count - 1];
}

static struct store_segment *segment_push(struct store *store)
{
    if (store->segment_count == store->segment_capacity) {
        store->segment_capacity = store->segment_capacity == 0 ? 16 : store->segment_capacity * 2;
        store->segments = store->env->mem->realloc(store->env, store->segments,
                                                   store->segment_capacity * sizeof(*store->segments));
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

static void segment_header(uint8_t header[STORE_SEGMENT_HEADER], const struct store_segment *segment)
{
    uint8_t *at = put_u32(header, SEGMENT_MAGIC);
    at = put_u32(at, FORMAT_VERSION);
    at = put_u64(at, segment->first_index);
    at = put_u64(at, segment->prev_term);
    put_u64(at, checksum_bytes(SEGMENT_MAGIC, header, STORE_SEGMENT_HEADER - 8));
}

static bool segment_header_is_valid(const uint8_t *bytes, size_t size, const struct store_segment *segment)
{
    return size >= STORE_SEGMENT_HEADER && get_u32(bytes) == SEGMENT_MAGIC &&
           get_u32(bytes + 4) == FORMAT_VERSION && get_u64(bytes + 8) == segment->first_index &&
           get_u64(bytes + 24) == checksum_bytes(SEGMENT_MAGIC, bytes, STORE_SEGMENT_HEADER - 8);
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
    enum sq_status status = env->disk->open(env, name, SQ_OPEN_CREATE | SQ_OPEN_EXCLUSIVE, &store->file);
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
    if (status == SQ_OK) {
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
    status = env->disk->truncate(env, store->file, search.offset);
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
    enum sq_status status = SQ_OK;
    while (status == SQ_OK && store->segment_count > 0 && last_segment(store)->first_index >= index) {
        store->last_term = last_segment(store)->prev_term;
        status = drop_segment(store);
    }
    if (status == SQ_OK && store->segment_count > 0) {
        const struct store_segment *segment = last_segment(store);
        /* Entries up to last_index may have been in a segment that is gone now, then this one is whole. */
        if (store->file != 0 || segment->first_index < index) {
            status = cut_segment(store, index);
        }
    }
    if (status == SQ_OK) {
        store->last_index = index - 1;
    }
    return status;
}

enum sq_status store_reset(struct store *store, uint64_t index, uint64_t term)
{
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
    memmove(store->segments, store->segments + count, store->segment_count * sizeof(*store->segments));
    return env->disk->sync_dir(env);
}

/* ------------------------------------------------------------------------------------------------ snapshots */

static void snapshot_header(uint8_t header[SNAPSHOT_HEADER], const struct store_snapshot *snapshot)
{
    uint64_t sum = checksum_bytes(SNAPSHOT_MAGIC, snapshot->configuration.data, snapshot->configuration.size);
    uint64_t data_size = 0;
    for (uint32_t i = 0; i < snapshot->data_count; i++) {
        data_size += snapshot->data[i].size;
    }
    /* The checksum must not depend on how the content came in pieces, so it is kept per piece only for one piece. */
    for (uint32_t i = 0; i < snapshot->data_count; i++) {
        sum = checksum_bytes(sum, snapshot->data[i].data, snapshot->data[i].size);
    }
    uint8_t *at = put_u32(header, SNAPSHOT_MAGIC);
    at = put_u32(at, FORMAT_VERSION);
    at = put_u64(at, snapshot->index);
    at = put_u64(at, snapshot->term);
    at = put_u64(at, snapshot->configuration_index);
    at = put_u64(at, snapshot->configuration.size);
    at = put_u64(at, data_size);
    at = put_u64(at, sum);
    at = put_u64(at, 0);
    put_u64(at, checksum_bytes(SNAPSHOT_MAGIC, header, SNAPSHOT_HEADER - 8));
}
