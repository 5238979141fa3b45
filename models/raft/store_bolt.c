/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Store in bolt, as hashicorp/raft-boltdb has it: a transaction for each batch of entries, one for
 * each deletion of a range (a suffix that raft replaces, a prefix behind a snapshot), one for each
 * change of term or vote. An entry's value is its record, header and all (FORMAT.md), so what is
 * read back is checked as in a segment. Beside term and vote the file knows index and term of the
 * entry before the first, which a deletion of a prefix changes in the same transaction: so a log
 * that was emptied still says where it goes on.
 *
 * Term and vote are set on the main fiber and entries are appended on the writer's; the store's own
 * lock lets one wait for the other, as bolt's does: with a long list of free pages a vote takes as
 * long as an append.
 *
 * A file can begin aged: so many pages are written as large entries, and deleted again, before the
 * node starts for the first time. That is the history that a long-lived cluster has and a new one
 * has not. */
#include "store_bolt.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "bytes.h"

#define FILE_NAME    "raft.bolt"
#define AGED_PAGES   256 /* of one entry, and */
#define AGED_ENTRIES 4   /* such entries in a transaction */
#define AGED_BYTES   (AGED_PAGES * 4096 - 64)

/* The numbers of the file. */
enum {
    NUMBER_IS_SET, /* term and vote have been set */
    NUMBER_TERM,
    NUMBER_VOTE,
    NUMBER_PREV_INDEX,
    NUMBER_PREV_TERM,
};

enum sq_status store_bolt_set_meta(struct store *store, uint64_t term, uint64_t vote)
{
    enum sq_status status = bolt_begin(store->bolt);
    if (status != SQ_OK) {
        return status;
    }
    bolt_set(store->bolt, NUMBER_IS_SET, 1);
    bolt_set(store->bolt, NUMBER_TERM, term);
    bolt_set(store->bolt, NUMBER_VOTE, vote);
    status = bolt_commit(store->bolt);
    if (status == SQ_OK) {
        store->meta_counter++;
    }
    return status;
}

enum sq_status store_bolt_append(struct store *store, const struct store_batch *batch)
{
    struct store_record record;
    size_t offset = 0;
    size_t at = 0;
    enum sq_status status = bolt_begin(store->bolt);
    if (status != SQ_OK) {
        return status;
    }
    while (store_batch_next(batch, &offset, &record)) {
        bolt_put(store->bolt, record.index, batch->bytes + at, (uint32_t)(offset - at));
        at = offset;
    }
    status = bolt_commit(store->bolt);
    if (status == SQ_OK) {
        store->last_index = batch->last_index;
        store->last_term = batch->last_term;
    }
    return status;
}

/* The term of a stored entry, or of the one before the first. */
static enum sq_status term_of(struct store *store, uint64_t index, uint64_t *term)
{
    struct store_record record;
    uint64_t synced;
    void *bytes;
    uint32_t size;
    if (index == bolt_number(store->bolt, NUMBER_PREV_INDEX)) {
        *term = bolt_number(store->bolt, NUMBER_PREV_TERM);
        return SQ_OK;
    }
    enum sq_status status = bolt_get(store->bolt, index, &bytes, &size);
    if (status != SQ_OK) {
        return status == SQ_E_KEY_NOT_FOUND ? SQ_E_INVALID : status;
    }
    if (!store_record_decode(bytes, size, 0, &record, &synced) || record.index != index) {
        status = SQ_E_INVALID;
    }
    *term = record.term;
    store->env->mem->free(store->env, bytes);
    return status;
}

enum sq_status store_bolt_cut(struct store *store, uint64_t index)
{
    uint64_t term = 0;
    enum sq_status status = term_of(store, index - 1, &term);
    if (status == SQ_OK) {
        status = bolt_begin(store->bolt);
    }
    if (status != SQ_OK) {
        return status;
    }
    bolt_remove(store->bolt, index, store->last_index);
    status = bolt_commit(store->bolt);
    if (status == SQ_OK) {
        store->last_index = index - 1;
        store->last_term = term;
    }
    return status;
}

enum sq_status store_bolt_reset(struct store *store, uint64_t index, uint64_t term)
{
    enum sq_status status = bolt_begin(store->bolt);
    if (status != SQ_OK) {
        return status;
    }
    bolt_remove(store->bolt, 0, UINT64_MAX);
    bolt_set(store->bolt, NUMBER_PREV_INDEX, index);
    bolt_set(store->bolt, NUMBER_PREV_TERM, term);
    status = bolt_commit(store->bolt);
    if (status == SQ_OK) {
        store->last_index = index;
        store->last_term = term;
    }
    return status;
}

enum sq_status store_bolt_prune(struct store *store, uint64_t index)
{
    uint64_t first = bolt_number(store->bolt, NUMBER_PREV_INDEX) + 1;
    uint64_t term = 0;
    index = index > store->last_index + 1 ? store->last_index + 1 : index;
    if (index <= first) {
        return SQ_OK;
    }
    enum sq_status status = term_of(store, index - 1, &term);
    if (status == SQ_OK) {
        status = bolt_begin(store->bolt);
    }
    if (status != SQ_OK) {
        return status;
    }
    bolt_remove(store->bolt, first, index - 1);
    bolt_set(store->bolt, NUMBER_PREV_INDEX, index - 1);
    bolt_set(store->bolt, NUMBER_PREV_TERM, term);
    return bolt_commit(store->bolt);
}

/* ---------------------------------------------------------------------------------------- open */

struct reading {
    struct store_image *image;
    uint64_t next; /* index */
    size_t bytes;  /* of all records */
    size_t count;
    uint8_t *at;
    bool is_sound;
};

static bool measure(void *context, uint64_t key, const uint8_t *value, uint32_t size)
{
    struct reading *reading = context;
    (void)key;
    (void)value;
    reading->bytes += size;
    reading->count++;
    return true;
}

static bool take(void *context, uint64_t key, const uint8_t *value, uint32_t size)
{
    struct reading *reading = context;
    struct store_record *record = &reading->image->records[reading->image->record_count];
    uint64_t synced;
    memcpy(reading->at, value, size);
    reading->is_sound = store_record_decode(reading->at, size, 0, record, &synced) &&
                        record->index == key && key == reading->next;
    reading->at += size;
    reading->next++;
    reading->image->record_count += reading->is_sound;
    return reading->is_sound;
}

static enum sq_status read_log(struct store *store, struct store_image *image)
{
    struct sq_env *env = store->env;
    struct reading reading = {.image = image, .is_sound = true};
    reading.next = bolt_number(store->bolt, NUMBER_PREV_INDEX) + 1;
    image->first_index = reading.next;
    enum sq_status status = bolt_visit(store->bolt, 0, measure, &reading);
    if (status != SQ_OK || reading.count == 0) {
        return status;
    }
    image->bytes = env->mem->alloc(env, sizeof(*image->bytes));
    image->bytes[0] = env->mem->alloc(env, reading.bytes);
    image->byte_count = 1;
    image->records = env->mem->alloc(env, reading.count * sizeof(*image->records));
    reading.at = image->bytes[0];
    status = bolt_visit(store->bolt, 0, take, &reading);
    if (status == SQ_OK && !reading.is_sound) {
        snprintf(image->problem, sizeof(image->problem),
                 FILE_NAME ": an entry that was durable is damaged (at %" PRIu64 ")",
                 reading.next - 1);
        status = SQ_E_INVALID;
    }
    return status;
}

/* Writes `aged_pages` pages of entries, and deletes them. */
static enum sq_status age(struct store *store)
{
    struct sq_env *env = store->env;
    uint64_t entries = (store->aged_pages + AGED_PAGES - 1) / AGED_PAGES;
    uint8_t *bytes = env->mem->alloc(env, AGED_BYTES);
    enum sq_status status = SQ_OK;
    memset(bytes, 0, AGED_BYTES);
    for (uint64_t i = 0; status == SQ_OK && i < entries; i += AGED_ENTRIES) {
        status = bolt_begin(store->bolt);
        for (uint64_t j = i; status == SQ_OK && j < i + AGED_ENTRIES && j < entries; j++) {
            bolt_put(store->bolt, j + 1, bytes, AGED_BYTES);
        }
        status = status == SQ_OK ? bolt_commit(store->bolt) : status;
    }
    env->mem->free(env, bytes);
    if (status == SQ_OK) {
        status = bolt_begin(store->bolt);
    }
    if (status == SQ_OK) {
        bolt_remove(store->bolt, 0, UINT64_MAX);
        status = bolt_commit(store->bolt);
    }
    return status;
}

/* A node that never had a term may be in the middle of its ageing. */
static enum sq_status age_new(struct store *store)
{
    struct bolt_stats stats;
    if (store->aged_pages == 0 || bolt_number(store->bolt, NUMBER_IS_SET) != 0) {
        return SQ_OK;
    }
    bolt_stats(store->bolt, &stats);
    return stats.free_pages < store->aged_pages ? age(store) : SQ_OK;
}

enum sq_status store_bolt_open(struct store *store, const struct bolt_options *options,
                               struct store_image *image, uint64_t *prev_term)
{
    struct bolt_options named = *options;
    const char *problem = "";
    named.name = FILE_NAME;
    enum sq_status status = bolt_open(store->env, &named, &store->bolt, &problem);
    if (status == SQ_E_INVALID) {
        snprintf(image->problem, sizeof(image->problem), FILE_NAME ": %s", problem);
    }
    if (status == SQ_OK) {
        status = age_new(store);
    }
    if (status != SQ_OK) {
        return status;
    }
    image->term = bolt_number(store->bolt, NUMBER_TERM);
    image->vote = bolt_number(store->bolt, NUMBER_VOTE);
    store->meta_counter = bolt_number(store->bolt, NUMBER_IS_SET);
    *prev_term = bolt_number(store->bolt, NUMBER_PREV_TERM);
    return read_log(store, image);
}
