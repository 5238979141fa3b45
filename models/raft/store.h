/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Store: what a raft node keeps on its disk: term and vote, the log, and the last snapshot.
 * FORMAT.md describes the bytes and what a crash can leave behind. Term, vote and log are files of
 * our own (log in segments) or one file of bolt.h (store_bolt.h); snapshots are the same for both.
 *
 * All functions block in virtual time. Term and vote belong to the main fiber, the log to the one
 * fiber that writes it, the snapshot to whoever puts it; these three may interleave, two calls of
 * the same kind may not. Everything is allocated from env->mem and dies with the node. */
#ifndef SQUALL_MODELS_RAFT_STORE_H
#define SQUALL_MODELS_RAFT_STORE_H

#include "../boltlog/bolt.h"

#define STORE_RECORD_HEADER  48
#define STORE_SEGMENT_HEADER 32

/* One log entry, as found on disk. */
struct store_record {
    uint64_t index;
    uint64_t term;
    uint64_t hash; /* checksum_entry */
    uint32_t size;
    uint16_t type;
    const uint8_t *data;
};

struct store_snapshot {
    uint64_t index; /* last entry that it stands for; 0 = there is none */
    uint64_t term;
    uint64_t configuration_index;
    struct sq_buffer configuration; /* encoded by the caller */
    struct sq_buffer data;          /* the content */
};

/* What was found at boot. `bytes` own what the records and the snapshot point to. */
struct store_image {
    bool is_empty; /* nothing was ever stored here */
    uint64_t term;
    uint64_t vote; /* raft id, 0 = none */
    struct store_snapshot snapshot;
    uint64_t first_index; /* of records; one past the snapshot when there are none */
    struct store_record *records;
    size_t record_count;
    uint8_t **bytes;
    uint32_t byte_count;
    bool is_torn;      /* an unfinished write was cut off, which is what a crash leaves */
    char problem[160]; /* SQ_E_INVALID: what is corrupt, where */
};

struct store_segment {
    uint64_t first_index;
    uint64_t prev_term; /* term of entry first_index - 1 */
    uint64_t size;      /* bytes */
};

/* Bytes of records that are to be written together. */
struct store_batch {
    uint8_t *bytes;
    size_t size;
    size_t capacity;
    uint64_t first_index;
    uint64_t last_index;
    uint64_t last_term;
};

struct store_options {
    uint64_t segment_bytes; /* a segment that is this large is followed by a new one */
    bool is_bolt;           /* log, term and vote in one file of bolt.h instead; with: */
    struct bolt_options bolt;
    uint64_t aged_pages; /* a new file begins with so many free pages: it was larger once */
};

struct store {
    struct sq_env *env;
    uint64_t segment_bytes;
    struct bolt *bolt; /* NULL: segments */
    uint64_t aged_pages;
    sq_file meta_file;
    uint64_t meta_counter;
    uint64_t last_index; /* of the durable log; the snapshot's when the log is empty */
    uint64_t last_term;
    struct store_segment *segments; /* oldest first, contiguous */
    uint32_t segment_count;
    uint32_t segment_capacity;
    sq_file file; /* of the last segment, 0 = not open */
    uint64_t snapshot_index;
    uint64_t snapshot_term;
};

/* Reads everything, removes what a crash left unfinished, and makes the rest durable (what
 * survived a mere process crash may still be in the page cache only). SQ_OK; SQ_E_INVALID: the
 * disk holds something that no crash leaves (image->problem); otherwise the error of the disk.
 * Release the image unless the caller gives up. */
enum sq_status store_open(struct store *store, struct sq_env *env, uint64_t segment_bytes,
                          struct store_image *image);
/* The general form. */
enum sq_status store_open_with(struct store *store, struct sq_env *env,
                               const struct store_options *options, struct store_image *image);
void store_image_release(struct store *store, struct store_image *image);

/* Durable when it returns SQ_OK. After an error the old or the new values may be found at the next
 * boot. */
enum sq_status store_set_meta(struct store *store, uint64_t term, uint64_t vote);

/* Adds a record to a batch; the first one sets first_index, later ones must follow without a gap.
 * Returns the hash. */
uint64_t store_batch_add(struct sq_env *env, struct store_batch *batch, uint64_t index,
                         uint64_t term, uint16_t type, const void *data, size_t size);
void store_batch_clear(struct store_batch *batch);
/* Walks through the records of a batch: *offset starts at 0. */
bool store_batch_next(const struct store_batch *batch, size_t *offset, struct store_record *record);

/* Appends a batch to the log: one write, one sync. batch->first_index must be last_index + 1.
 * After an error the log must not be written to again: what is on the disk is known only after the
 * next boot. */
enum sq_status store_append(struct store *store, const struct store_batch *batch);
/* Durably removes all entries from `index` on (> snapshot index). Errors as store_append. */
enum sq_status store_cut(struct store *store, uint64_t index);
/* Durably removes the whole log, which goes on after a snapshot at (index, term). Errors as
 * store_append. */
enum sq_status store_reset(struct store *store, uint64_t index, uint64_t term);
/* Removes segments all of whose entries are before `index`, never the last segment; of a bolt file
 * all entries before `index`. An error loses nothing. */
enum sq_status store_prune(struct store *store, uint64_t index);

/* Makes `snapshot` durable, then removes older ones. After an error the old one still stands. */
enum sq_status store_put_snapshot(struct store *store, const struct store_snapshot *snapshot);
/* Reads the last snapshot back. *bytes (env->mem, the caller's) own configuration and data.
 * SQ_E_NOENT: there is none; SQ_E_INVALID: corrupt. */
enum sq_status store_get_snapshot(struct store *store, struct store_snapshot *snapshot,
                                  uint8_t **bytes);

/* Reads the record at `offset`: false when there is no valid one. It points into `bytes`. */
bool store_record_decode(const uint8_t *bytes, size_t size, size_t offset,
                         struct store_record *record, uint64_t *synced);

/* Checks one segment's bytes: its header, and the records up to the first invalid one; *end is
 * where that is and *next_index the index that it should have. `visit` may be NULL. False when a
 * later record proves that what is invalid was durable once: not a torn write. For tests and tools
 * as well. */
bool store_scan(const uint8_t *bytes, size_t size, const struct store_segment *segment,
                void (*visit)(void *context, const struct store_record *record), void *context,
                size_t *end, uint64_t *next_index);

#endif
