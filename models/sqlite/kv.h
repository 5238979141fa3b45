/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A key-value store on SQLite, the state machine of all models that store through SQL. Tables:
 *     kv(key INTEGER PRIMARY KEY, value INTEGER, padding BLOB)
 *     session(id INTEGER PRIMARY KEY, sequence INTEGER, value INTEGER)
 *     meta(name TEXT PRIMARY KEY, value INTEGER)
 * session holds the last operation of each client and its result; meta the position (index of the
 * last entry applied), the digest and the owner's numbers.
 *
 * Usage: kv_begin, any number of kv_apply / kv_set_number / kv_load, kv_commit; when one fails,
 * kv_rollback. Reads may come at any time and see the open transaction. Every call may block in
 * virtual time (disk); one store is used by one fiber at a time. Only one store may be open on one
 * path in a node. A store lives in env->mem: a crash drops it.
 *
 * Statuses: SQ_OK; SQ_E_INVALID: the database is corrupt (SQLITE_CORRUPT, SQLITE_NOTADB);
 * SQ_E_NOSPC: the disk is full; SQ_E_IO: any other failure. After a failing kv_commit it is open
 * whether the transaction happened (as with any failing fsync): treat all three as indefinite
 * towards clients. */
#ifndef SQUALL_MODELS_SQLITE_KV_H
#define SQUALL_MODELS_SQLITE_KV_H

#include "squall.h"

struct kv;

enum kv_journal {
    KV_JOURNAL_WAL,
    KV_JOURNAL_DELETE,
    KV_JOURNAL_TRUNCATE,
    KV_JOURNAL_PERSIST,
    KV_JOURNAL_MEMORY,
    KV_JOURNAL_OFF,
};
#define KV_JOURNAL_CHOICES "wal|delete|truncate|persist|memory|off"

enum kv_synchronous {
    KV_SYNCHRONOUS_OFF,
    KV_SYNCHRONOUS_NORMAL,
    KV_SYNCHRONOUS_FULL,
    KV_SYNCHRONOUS_EXTRA,
};
#define KV_SYNCHRONOUS_CHOICES "off|normal|full|extra"

/* The numbers of the enums are the indices of the choices, so a struct sq_value of such an option
 * fits as it is. */
struct kv_options {
    enum kv_journal journal;
    enum kv_synchronous synchronous;
    uint32_t cache_pages;     /* 0: 2000 */
    uint32_t page_bytes;      /* power of two 512 .. 65536; 0: 4096. Only a new database takes it */
    bool powersafe_overwrite; /* claim SQLITE_IOCAP_POWERSAFE_OVERWRITE of the disk */
};

#define KV_MESSAGE_SIZE 256

/* Opens or creates the database and recovers it (a hot journal, a WAL). On failure *kv is NULL and
 * `message` (KV_MESSAGE_SIZE bytes) says why; on SQ_OK it is "". */
enum sq_status kv_open(struct sq_env *env, const char *path, const struct kv_options *options,
                       struct kv **kv, char *message);
/* Rolls back what is open and frees the store, whatever the disk says. NULL: nothing. Not needed
 * before a crash. */
void kv_close(struct kv *kv);
/* Text of the last failure, "" when none yet. Good until the next failure. */
const char *kv_message(const struct kv *kv);

/* True when there was a database with the tables before kv_open. */
bool kv_was_there(const struct kv *kv);
/* PRAGMA integrity_check and, when that finds nothing, kv_digest against kv_digest_full. SQ_OK:
 * sound. SQ_E_INVALID: corrupt, and `message` (KV_MESSAGE_SIZE bytes) says what is wrong. SQ_E_IO:
 * the disk failed, nothing is known. */
enum sq_status kv_examine(struct kv *kv, char *message);

enum sq_status kv_begin(struct kv *kv);
/* Applies one request inside the transaction and moves the position to `position` (which need not
 * grow by one; 0 is "nothing applied"). A retry of an operation that was applied changes nothing
 * and yields the same reply, with SQ_OK; an operation older than the session's last one changes
 * nothing and yields SQ_E_TIMEOUT with value 0 (its result is forgotten; its position counts).
 * UPDATE replies with the value written, READ with the value or 0. `padding` holds request->padding
 * bytes. */
enum sq_status kv_apply(struct kv *kv, const struct sq_kv_request *request, const void *padding,
                        uint64_t position, struct sq_kv_reply *reply);
/* Moves the position alone (an entry that is not for the store, such as a barrier). Inside a
 * transaction. */
void kv_skip(struct kv *kv, uint64_t position);
/* A number of the owner's, committed with the transaction. At most 8 names of up to 31 characters;
 * "position" and "digest" are the store's. */
void kv_set_number(struct kv *kv, const char *name, int64_t number);
enum sq_status kv_commit(struct kv *kv);
/* Abandons the transaction (if any is left) and forgets all that is cached; the next call reads it
 * anew. SQ_OK: the store is again as the last successful commit, or an indefinite one, left it;
 * otherwise the disk still fails: try again later. */
enum sq_status kv_rollback(struct kv *kv);

/* Outside or inside of a transaction. */
enum sq_status kv_read(struct kv *kv, uint64_t key, uint64_t *value);
uint64_t kv_position(const struct kv *kv);
int64_t kv_number(const struct kv *kv, const char *name, int64_t when_absent);
/* Digest of the contents of kv and session, independent of the order of writes; maintained with
 * each write, so it costs nothing. 0: empty. */
uint64_t kv_digest(const struct kv *kv);
/* The same by scanning the tables. */
enum sq_status kv_digest_full(struct kv *kv, uint64_t *digest);

/* All rows as bytes, allocated with env->mem; the caller frees. Equal contents give equal bytes. */
enum sq_status kv_dump(struct kv *kv, void **data, size_t *size);
/* Replaces all contents and the position by a dump's (not the owner's numbers), inside a
 * transaction. SQ_E_MALFORMED: not a whole dump; roll back. */
enum sq_status kv_load(struct kv *kv, const void *data, size_t size);

/* Hash of a request with its padding: what SQ_SEE_APPLY wants. Never 0. */
uint64_t kv_hash(const struct sq_kv_request *request, const void *padding);

#endif
