/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Bolt: a log store in one file of 4096-byte pages, built as boltdb/bolt and etcd-io/bbolt are, and
 * used as hashicorp/raft-boltdb uses them: entries under their index (8 bytes, big-endian) in a
 * copy-on-write B+tree, a few numbers (term, vote) beside it, a transaction for each batch, two
 * syncs for each transaction, and a list of free pages that each transaction writes as a whole.
 *
 * Pages 0 and 1 are metas; transaction n goes to page n mod 2, when all that it refers to has been
 * synced, and the valid meta with the higher number counts. So whatever a crash or a power loss
 * interrupts, the last transaction whose commit returned is there.
 *
 * A transaction is bolt_begin, any number of changes, bolt_commit. There is one writer at a time:
 * bolt_begin waits for its turn (fiber by fiber, in order). Readers see what was committed when
 * they began. All functions block in virtual time. Memory is env->mem's. */
#ifndef SQUALL_MODELS_BOLTLOG_BOLT_H
#define SQUALL_MODELS_BOLTLOG_BOLT_H

#include "squall.h"

#define BOLT_NUMBERS 8
#define BOLT_HOLDS   8

struct bolt_options {
    const char *name;    /* of the file; `name`.tmp is used as well; at most 64 bytes */
    bool skips_freelist; /* bbolt's NoFreelistSync: not written, rebuilt by a scan at open */
    sq_time commit_cost; /* processor time of a transaction, */
    sq_time list_cost;   /* and of a thousand ids of the free list; ns */
    bool is_silent;      /* shows no gauges */
};

struct bolt_stats {
    uint64_t commits;        /* since open */
    uint64_t written_bytes;  /* since open */
    uint64_t last_bytes;     /* written by the last commit */
    uint64_t pages;          /* of the file; it never shrinks */
    uint64_t free_pages;     /* free and pending ones */
    uint64_t pending_pages;  /* of those: not yet to be handed out */
    uint64_t freelist_pages; /* that the list occupies on the disk */
    uint64_t freelist_bytes; /* its header (16), 8 for each page, 8 when there are >= 65535 */
};

/* What each page of the file is. They add up to `pages`. */
struct bolt_audit {
    uint64_t pages;
    uint64_t metas;
    uint64_t freelist;
    uint64_t tree;
    uint64_t free;
    uint64_t pending;
    bool is_sound; /* every page is exactly one of these */
};

struct bolt;

/* Opens the store, or makes an empty one; what is found is made durable. A `problem` (may be NULL)
 * of SQ_E_INVALID says what is corrupt. After any status but SQ_OK there is no store. */
enum sq_status bolt_open(struct sq_env *env, const struct bolt_options *options,
                         struct bolt **opened, const char **problem);
void bolt_close(struct bolt *bolt);

/* Waits until no other transaction is open. After an error of the disk in a transaction the store
 * is broken: every later one fails with SQ_E_IO, until it is opened again. */
enum sq_status bolt_begin(struct bolt *bolt);
/* Changes of the open transaction. An error is kept and returned by bolt_commit. */
void bolt_put(struct bolt *bolt, uint64_t key, const void *value, uint32_t size);
void bolt_remove(struct bolt *bolt, uint64_t first, uint64_t last);
void bolt_set(struct bolt *bolt, uint32_t number, uint64_t value);
/* Durable when it returns SQ_OK. After an error the transaction has happened or not: the next open
 * tells. Ends the transaction in any case. */
enum sq_status bolt_commit(struct bolt *bolt);

/* One of BOLT_NUMBERS numbers; 0 when never set. */
uint64_t bolt_number(const struct bolt *bolt, uint32_t number);
/* SQ_E_KEY_NOT_FOUND in an empty store. */
enum sq_status bolt_first(struct bolt *bolt, uint64_t *key);
enum sq_status bolt_last(struct bolt *bolt, uint64_t *key);
/* *value is env->mem and the caller's. */
enum sq_status bolt_get(struct bolt *bolt, uint64_t key, void **value, uint32_t *size);
/* All entries from `first` on, ascending, until `on_entry` says false. */
enum sq_status bolt_visit(struct bolt *bolt, uint64_t first,
                          bool (*on_entry)(void *context, uint64_t key, const uint8_t *value,
                                           uint32_t size),
                          void *context);

/* A read transaction: as long as it is open no page is reused that it can see, so the file grows.
 * The result is to be given back. At most BOLT_HOLDS at a time. */
uint64_t bolt_hold(struct bolt *bolt);
void bolt_let_go(struct bolt *bolt, uint64_t hold);

/* Copies all that lives into a new file and puts that in the place of the old one, as `bbolt
 * compact` does while the program is stopped: nobody may be reading. After an error the old file
 * stands and the store is broken. */
enum sq_status bolt_compact(struct bolt *bolt);

void bolt_stats(const struct bolt *bolt, struct bolt_stats *stats);
/* Reads the whole tree. Not while a transaction is open. */
enum sq_status bolt_audit(struct bolt *bolt, struct bolt_audit *audit);

#endif
