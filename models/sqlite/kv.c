/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The key-value store on SQLite. All statements are prepared once. What decides replies without
 * touching the disk is cached and always equal to the tables: the sessions (a hash table by id),
 * position, digest and the owner's numbers. The cache follows the open transaction; kv_rollback
 * reads it anew from the tables, because only they know what a failed COMMIT left behind.
 *
 * The digest is a sum modulo 2^64 of one hash for each row of kv (key, value, padding) and session
 * (id, sequence, value), so a write subtracts the old row's hash and adds the new one's, whatever
 * the order. It is stored in the transaction that changed it. A page that rots or is written to the
 * wrong place thus shows as a digest that does not fit, even where PRAGMA integrity_check, which
 * has no checksums, finds a well-formed tree.
 *
 * Rows of meta are addressed by rowid, one more than their place in `numbers`: a transaction that
 * touches position and digest then costs two updates in place and no index lookups. */
#include "kv.h"
#include "vfs.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

enum statement {
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_ROLLBACK,
    STATEMENT_READ,
    STATEMENT_WRITE,
    STATEMENT_SESSION_WRITE,
    STATEMENT_NUMBER_UPDATE,
    STATEMENT_NUMBER_INSERT,
    STATEMENT_ROWS,
    STATEMENT_SESSIONS,
    STATEMENT_NUMBERS,
    STATEMENT_ROWS_CLEAR,
    STATEMENT_SESSIONS_CLEAR,
    STATEMENT_COUNT,
};

static const char *const statement_text[STATEMENT_COUNT] = {
    [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_ROLLBACK] = "ROLLBACK",
    [STATEMENT_READ] = "SELECT value, padding FROM kv WHERE key = ?1",
    [STATEMENT_WRITE] = "REPLACE INTO kv(key, value, padding) VALUES(?1, ?2, ?3)",
    [STATEMENT_SESSION_WRITE] = "REPLACE INTO session(id, sequence, value) VALUES(?1, ?2, ?3)",
    [STATEMENT_NUMBER_UPDATE] = "UPDATE meta SET value = ?2 WHERE rowid = ?1",
    [STATEMENT_NUMBER_INSERT] = "INSERT INTO meta(rowid, name, value) VALUES(?1, ?3, ?2)",
    [STATEMENT_ROWS] = "SELECT key, value, padding FROM kv ORDER BY key",
    [STATEMENT_SESSIONS] = "SELECT id, sequence, value FROM session ORDER BY id",
    [STATEMENT_NUMBERS] = "SELECT rowid, name, value FROM meta ORDER BY rowid",
    [STATEMENT_ROWS_CLEAR] = "DELETE FROM kv",
    [STATEMENT_SESSIONS_CLEAR] = "DELETE FROM session",
};

static const char schema_text[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE kv(key INTEGER PRIMARY KEY, value INTEGER, padding BLOB);"
    "CREATE TABLE session(id INTEGER PRIMARY KEY, sequence INTEGER, value INTEGER);"
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER);"
    "INSERT INTO meta(rowid, name, value) VALUES(1, 'position', 0), (2, 'digest', 0);"
    "COMMIT";

enum {
    NUMBER_POSITION,
    NUMBER_DIGEST,
    NUMBER_OWN, /* first of the store's own */
    NUMBER_COUNT_MAX = NUMBER_OWN + 8,
    NUMBER_NAME_SIZE = 32,
    CACHE_PAGES = 2000,
    PAGE_BYTES = 4096,
    SQL_SIZE = 160,
};

struct number {
    char name[NUMBER_NAME_SIZE];
    int64_t value;
    bool is_dirty;
    bool is_new; /* not in the table yet */
};

struct session {
    uint64_t id; /* 0: free */
    uint64_t sequence;
    uint64_t value;
};

struct kv {
    struct sq_env *env;
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENT_COUNT];
    struct session *sessions;  /* open addressing, linear probing */
    uint32_t session_capacity; /* power of two */
    uint32_t session_count;
    struct number numbers[NUMBER_COUNT_MAX];
    uint32_t number_count;
    bool was_there;
    bool is_stale; /* the cache must be read anew */
    char message[KV_MESSAGE_SIZE];
};

/* ---------------------------------------------------------------------- hashes */

#define SALT_ROW     UINT64_C(0x9e3779b97f4a7c15)
#define SALT_SESSION UINT64_C(0xc2b2ae3d27d4eb4f)
#define SALT_REQUEST UINT64_C(0x165667b19e3779f9)

/* Folded 64x64->128 multiply, as in wyhash; neither operand is ever 0 by chance of a zero
 * argument. */
static inline uint64_t mix(uint64_t left, uint64_t right)
{
    unsigned __int128 product = (unsigned __int128)(left ^ UINT64_C(0x9e3779b97f4a7c15)) *
                                (right ^ UINT64_C(0xe7037ed1a0b428db));
    return (uint64_t)product ^ (uint64_t)(product >> 64) ^ right;
}

static uint64_t mix_bytes(uint64_t hash, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint64_t rest = size;
    for (; rest >= 8; rest -= 8, bytes += 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        hash = mix(hash, word);
    }
    uint64_t word = 0;
    if (rest > 0) {
        memcpy(&word, bytes, rest);
    }
    return mix(mix(hash, word), size);
}

static uint64_t row_hash(uint64_t key, uint64_t value, const void *padding, size_t size)
{
    return mix_bytes(mix(mix(SALT_ROW, key), value), padding, size);
}

static uint64_t session_hash(const struct session *session)
{
    return mix(mix(mix(SALT_SESSION, session->id), session->sequence), session->value);
}

uint64_t kv_hash(const struct sq_kv_request *request, const void *padding)
{
    uint64_t hash = mix(mix(SALT_REQUEST, request->kind), request->key);
    hash = mix(mix(mix(hash, request->value), request->session), request->sequence);
    hash = mix_bytes(hash, padding, request->padding);
    return hash != 0 ? hash : 1;
}

/* ---------------------------------------------------------------------- outcomes */

static enum sq_status status_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return SQ_OK;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return SQ_E_INVALID;
    case SQLITE_FULL:
        return SQ_E_NOSPC;
    default:
        return SQ_E_IO;
    }
}

static enum sq_status failed(struct kv *kv, int code, const char *what)
{
    snprintf(kv->message, sizeof(kv->message), "%.80s: %.120s (SQLite code %d)", what,
             sqlite3_errmsg(kv->db), code);
    enum sq_status status = status_of(code);
    return status != SQ_OK ? status : SQ_E_IO;
}

/* Runs a statement that yields no rows. */
static enum sq_status run(struct kv *kv, enum statement which)
{
    sqlite3_stmt *statement = kv->statements[which];
    int code = sqlite3_step(statement);
    enum sq_status status = SQ_OK;
    if (code != SQLITE_DONE) {
        status = failed(kv, code, statement_text[which]);
    }
    (void)sqlite3_reset(statement);
    return status;
}

/* Runs any SQL text, without its rows. */
static enum sq_status execute(struct kv *kv, const char *sql)
{
    int code = sqlite3_exec(kv->db, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? SQ_OK : failed(kv, code, sql);
}

/* First column of the first row as text, "" when there is none. `result` has KV_MESSAGE_SIZE
 * bytes. */
static enum sq_status ask(struct kv *kv, const char *sql, char *result)
{
    sqlite3_stmt *statement = NULL;
    result[0] = '\0';
    int code = sqlite3_prepare_v2(kv->db, sql, -1, &statement, NULL);
    if (code == SQLITE_OK) {
        code = sqlite3_step(statement);
    }
    enum sq_status status = SQ_OK;
    if (code == SQLITE_ROW) {
        const unsigned char *text = sqlite3_column_text(statement, 0);
        snprintf(result, KV_MESSAGE_SIZE, "%s", text != NULL ? (const char *)text : "");
    } else if (code != SQLITE_DONE) {
        status = failed(kv, code, sql);
    }
    sqlite3_finalize(statement);
    return status;
}

/* ---------------------------------------------------------------------- cache */

static uint64_t digest_of(const struct kv *kv)
{
    return (uint64_t)kv->numbers[NUMBER_DIGEST].value;
}

static void digest_change(struct kv *kv, uint64_t removed, uint64_t added)
{
    struct number *number = &kv->numbers[NUMBER_DIGEST];
    number->value = (int64_t)((uint64_t)number->value - removed + added);
    number->is_dirty = true;
}

/* The session's place, or the free place where it belongs. */
static struct session *session_place(const struct kv *kv, uint64_t id)
{
    uint32_t mask = kv->session_capacity - 1;
    uint32_t place = (uint32_t)(mix(SALT_SESSION, id) >> 32) & mask;
    while (kv->sessions[place].id != 0 && kv->sessions[place].id != id) {
        place = (place + 1) & mask;
    }
    return &kv->sessions[place];
}

static void sessions_forget(struct kv *kv)
{
    memset(kv->sessions, 0, kv->session_capacity * sizeof(*kv->sessions));
    kv->session_count = 0;
}

static void sessions_grow(struct kv *kv)
{
    struct session *before = kv->sessions;
    uint32_t count = kv->session_capacity;
    kv->session_capacity = count == 0 ? 64 : count * 2;
    kv->sessions = kv->env->mem->alloc(kv->env, kv->session_capacity * sizeof(*kv->sessions));
    memset(kv->sessions, 0, kv->session_capacity * sizeof(*kv->sessions));
    for (uint32_t i = 0; i < count; i++) {
        if (before[i].id != 0) {
            *session_place(kv, before[i].id) = before[i];
        }
    }
    kv->env->mem->free(kv->env, before);
}

static void session_remember(struct kv *kv, struct session session)
{
    assert(session.id != 0);
    struct session *place = session_place(kv, session.id);
    if (place->id == 0 && ++kv->session_count * 2 > kv->session_capacity) {
        sessions_grow(kv);
        place = session_place(kv, session.id);
    }
    *place = session;
}

static struct session session_of_row(sqlite3_stmt *row)
{
    return (struct session){(uint64_t)sqlite3_column_int64(row, 0),
                            (uint64_t)sqlite3_column_int64(row, 1),
                            (uint64_t)sqlite3_column_int64(row, 2)};
}

static enum sq_status sessions_load(struct kv *kv)
{
    sqlite3_stmt *rows = kv->statements[STATEMENT_SESSIONS];
    sessions_forget(kv);
    int code;
    while ((code = sqlite3_step(rows)) == SQLITE_ROW) {
        struct session session = session_of_row(rows);
        if (session.id != 0) {
            session_remember(kv, session);
        }
    }
    enum sq_status status = code == SQLITE_DONE ? SQ_OK : failed(kv, code, "reading sessions");
    (void)sqlite3_reset(rows);
    return status;
}

static enum sq_status numbers_load(struct kv *kv)
{
    sqlite3_stmt *rows = kv->statements[STATEMENT_NUMBERS];
    uint32_t count = 0;
    bool is_sound = true;
    int code;
    while ((code = sqlite3_step(rows)) == SQLITE_ROW && count < NUMBER_COUNT_MAX) {
        struct number *number = &kv->numbers[count++];
        const unsigned char *name = sqlite3_column_text(rows, 1);
        is_sound = is_sound && sqlite3_column_int64(rows, 0) == (int64_t)count && name != NULL;
        *number = (struct number){.value = sqlite3_column_int64(rows, 2)};
        snprintf(number->name, sizeof(number->name), "%s", name != NULL ? (const char *)name : "");
    }
    enum sq_status status = code == SQLITE_DONE ? SQ_OK : failed(kv, code, "reading numbers");
    (void)sqlite3_reset(rows);
    kv->number_count = count;
    if (status == SQ_OK && !(is_sound && count >= NUMBER_OWN &&
                             strcmp(kv->numbers[NUMBER_POSITION].name, "position") == 0 &&
                             strcmp(kv->numbers[NUMBER_DIGEST].name, "digest") == 0)) {
        snprintf(kv->message, sizeof(kv->message), "table meta is not as this program writes it");
        status = SQ_E_INVALID;
    }
    return status;
}

static enum sq_status reload(struct kv *kv)
{
    kv->is_stale = true;
    enum sq_status status = numbers_load(kv);
    if (status == SQ_OK) {
        status = sessions_load(kv);
    }
    kv->is_stale = status != SQ_OK;
    return status;
}

/* ---------------------------------------------------------------------- opening */

/* Looks at the schema, which recovers the database if that is needed. */
static enum sq_status find_tables(struct kv *kv)
{
    char count[KV_MESSAGE_SIZE];
    enum sq_status status = ask(
        kv, "SELECT count(*) FROM sqlite_schema WHERE name IN ('kv', 'session', 'meta')", count);
    kv->was_there = status == SQ_OK && strcmp(count, "3") == 0;
    return status;
}

/* Sets the journal mode and insists on getting it. */
static enum sq_status set_journal(struct kv *kv, enum kv_journal journal)
{
    static const char *const names[] = {"wal", "delete", "truncate", "persist", "memory", "off"};
    assert((size_t)journal < sizeof(names) / sizeof(names[0]));
    char sql[SQL_SIZE];
    char result[KV_MESSAGE_SIZE];
    snprintf(sql, sizeof(sql), "PRAGMA journal_mode = %s", names[journal]);
    enum sq_status status = ask(kv, sql, result);
    if (status == SQ_OK && strcmp(result, names[journal]) != 0) {
        snprintf(kv->message, sizeof(kv->message), "journal mode is '%.40s', wanted '%s'", result,
                 names[journal]);
        status = SQ_E_IO;
    }
    return status;
}

static enum sq_status configure(struct kv *kv, const struct kv_options *options)
{
    char sql[SQL_SIZE];
    uint32_t page_bytes = options->page_bytes != 0 ? options->page_bytes : PAGE_BYTES;
    uint32_t cache_pages = options->cache_pages != 0 ? options->cache_pages : CACHE_PAGES;
    int is_powersafe = options->powersafe_overwrite;
    int code =
        sqlite3_file_control(kv->db, "main", SQLITE_FCNTL_POWERSAFE_OVERWRITE, &is_powersafe);
    if (code != SQLITE_OK) {
        return failed(kv, code, "powersafe overwrite");
    }
    snprintf(sql, sizeof(sql), "PRAGMA page_size = %u; PRAGMA temp_store = memory",
             (unsigned)page_bytes);
    enum sq_status status = execute(kv, sql);
    if (status == SQ_OK) {
        status = find_tables(kv);
    }
    if (status == SQ_OK) {
        status = set_journal(kv, options->journal);
    }
    if (status == SQ_OK) {
        snprintf(sql, sizeof(sql), "PRAGMA synchronous = %d; PRAGMA cache_size = %u",
                 (int)options->synchronous, (unsigned)cache_pages);
        status = execute(kv, sql);
    }
    if (status == SQ_OK && !kv->was_there) {
        status = execute(kv, schema_text);
    }
    return status;
}

static enum sq_status prepare(struct kv *kv)
{
    for (uint32_t i = 0; i < STATEMENT_COUNT; i++) {
        int code = sqlite3_prepare_v3(kv->db, statement_text[i], -1, SQLITE_PREPARE_PERSISTENT,
                                      &kv->statements[i], NULL);
        if (code != SQLITE_OK) {
            return failed(kv, code, statement_text[i]);
        }
    }
    return SQ_OK;
}

enum sq_status kv_open(struct sq_env *env, const char *path, const struct kv_options *options,
                       struct kv **kv, char *message)
{
    assert(env == sq_env_current());
    vfs_enter();
    *kv = NULL;
    struct kv *store = env->mem->alloc(env, sizeof(*store));
    memset(store, 0, sizeof(*store));
    store->env = env;
    sessions_grow(store);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_EXRESCODE;
    int code = sqlite3_open_v2(path, &store->db, flags, VFS_NAME);
    enum sq_status status = code == SQLITE_OK ? SQ_OK : failed(store, code, "open");
    if (status == SQ_OK) {
        status = configure(store, options);
    }
    if (status == SQ_OK) {
        status = prepare(store);
    }
    if (status == SQ_OK) {
        status = reload(store);
    }
    snprintf(message, KV_MESSAGE_SIZE, "%s", store->message);
    if (status != SQ_OK) {
        kv_close(store);
        store = NULL;
    }
    *kv = store;
    return status;
}

void kv_close(struct kv *kv)
{
    if (kv == NULL) {
        return;
    }
    vfs_enter();
    struct sq_env *env = kv->env;
    for (uint32_t i = 0; i < STATEMENT_COUNT; i++) {
        (void)sqlite3_finalize(kv->statements[i]);
    }
    (void)sqlite3_close(kv->db); /* rolls back; a failing checkpoint is left to the next recovery */
    env->mem->free(env, kv->sessions);
    env->mem->free(env, kv);
}

const char *kv_message(const struct kv *kv)
{
    return kv->message;
}

bool kv_was_there(const struct kv *kv)
{
    return kv->was_there;
}

/* What integrity_check says of a page that the disk would not give is no corruption. */
static bool is_disk_failure(const char *finding)
{
    const char *code = strstr(finding, "error code=");
    return code != NULL && (atoi(code + strlen("error code=")) & 0xff) == SQLITE_IOERR;
}

enum sq_status kv_examine(struct kv *kv, char *message)
{
    vfs_enter();
    enum sq_status status = ask(kv, "PRAGMA integrity_check(1)", message);
    if (status == SQ_OK && strcmp(message, "ok") != 0) {
        return is_disk_failure(message) ? SQ_E_IO : SQ_E_INVALID;
    }
    uint64_t digest = 0;
    if (status == SQ_OK) {
        status = kv_digest_full(kv, &digest);
    }
    if (status != SQ_OK) {
        snprintf(message, KV_MESSAGE_SIZE, "%s", kv->message);
        return status;
    }
    if (digest != digest_of(kv)) {
        snprintf(message, KV_MESSAGE_SIZE,
                 "well-formed, but the rows' digest is %016llx and the stored one %016llx",
                 (unsigned long long)digest, (unsigned long long)digest_of(kv));
        return SQ_E_INVALID;
    }
    message[0] = '\0';
    return SQ_OK;
}

/* ---------------------------------------------------------------------- transactions */

enum sq_status kv_begin(struct kv *kv)
{
    vfs_enter();
    assert(sqlite3_get_autocommit(kv->db) != 0);
    enum sq_status status = run(kv, STATEMENT_BEGIN);
    if (status == SQ_OK && kv->is_stale) {
        status = reload(kv);
    }
    return status;
}

static enum sq_status write_row(struct kv *kv, uint64_t key, uint64_t value, const void *padding,
                                size_t size)
{
    sqlite3_stmt *write = kv->statements[STATEMENT_WRITE];
    sqlite3_bind_int64(write, 1, (int64_t)key);
    sqlite3_bind_int64(write, 2, (int64_t)value);
    sqlite3_bind_blob64(write, 3, size > 0 ? padding : "", size, SQLITE_STATIC);
    enum sq_status status = run(kv, STATEMENT_WRITE);
    if (status == SQ_OK) {
        digest_change(kv, 0, row_hash(key, value, padding, size));
    }
    return status;
}

static enum sq_status write_session(struct kv *kv, struct session session)
{
    sqlite3_stmt *write = kv->statements[STATEMENT_SESSION_WRITE];
    sqlite3_bind_int64(write, 1, (int64_t)session.id);
    sqlite3_bind_int64(write, 2, (int64_t)session.sequence);
    sqlite3_bind_int64(write, 3, (int64_t)session.value);
    enum sq_status status = run(kv, STATEMENT_SESSION_WRITE);
    if (status == SQ_OK) {
        const struct session *before = session_place(kv, session.id);
        digest_change(kv, before->id != 0 ? session_hash(before) : 0, session_hash(&session));
        session_remember(kv, session);
    }
    return status;
}

/* Takes the row that is about to be replaced out of the digest. */
static enum sq_status take_out(struct kv *kv, uint64_t key)
{
    sqlite3_stmt *read = kv->statements[STATEMENT_READ];
    sqlite3_bind_int64(read, 1, (int64_t)key);
    int code = sqlite3_step(read);
    enum sq_status status = SQ_OK;
    if (code == SQLITE_ROW) {
        const void *padding = sqlite3_column_blob(read, 1);
        size_t size = (size_t)sqlite3_column_bytes(read, 1);
        uint64_t value = (uint64_t)sqlite3_column_int64(read, 0);
        digest_change(kv, row_hash(key, value, padding, size), 0);
    } else if (code != SQLITE_DONE) {
        status = failed(kv, code, statement_text[STATEMENT_READ]);
    }
    (void)sqlite3_reset(read);
    return status;
}

enum sq_status kv_apply(struct kv *kv, const struct sq_kv_request *request, const void *padding,
                        uint64_t position, struct sq_kv_reply *reply)
{
    vfs_enter();
    assert(!kv->is_stale);
    reply->value = 0;
    kv_skip(kv, position);
    if (request->kind == SQ_KV_READ) {
        return kv_read(kv, request->key, &reply->value);
    }
    if (request->session != 0) {
        const struct session *before = session_place(kv, request->session);
        if (before->id != 0 && request->sequence <= before->sequence) {
            bool is_last = request->sequence == before->sequence;
            reply->value = is_last ? before->value : 0;
            return is_last ? SQ_OK : SQ_E_TIMEOUT;
        }
    }
    enum sq_status status = take_out(kv, request->key);
    if (status == SQ_OK) {
        status = write_row(kv, request->key, request->value, padding, request->padding);
    }
    if (status == SQ_OK && request->session != 0) {
        status = write_session(
            kv, (struct session){request->session, request->sequence, request->value});
    }
    reply->value = request->value;
    return status;
}

static void number_change(struct number *number, int64_t value)
{
    number->is_dirty = number->is_dirty || number->value != value;
    number->value = value;
}

void kv_skip(struct kv *kv, uint64_t position)
{
    assert(sqlite3_get_autocommit(kv->db) == 0);
    number_change(&kv->numbers[NUMBER_POSITION], (int64_t)position);
}

/* number_count when there is none of that name. */
static uint32_t number_find(const struct kv *kv, const char *name)
{
    uint32_t i = 0;
    while (i < kv->number_count && strcmp(kv->numbers[i].name, name) != 0) {
        i++;
    }
    return i;
}

void kv_set_number(struct kv *kv, const char *name, int64_t number)
{
    assert(sqlite3_get_autocommit(kv->db) == 0);
    assert(strlen(name) < NUMBER_NAME_SIZE);
    uint32_t index = number_find(kv, name);
    if (index == kv->number_count) {
        assert(index < NUMBER_COUNT_MAX);
        kv->number_count++;
        kv->numbers[index] = (struct number){.is_new = true, .is_dirty = true};
        snprintf(kv->numbers[index].name, sizeof(kv->numbers[index].name), "%s", name);
    }
    assert(index >= NUMBER_OWN);
    number_change(&kv->numbers[index], number);
}

int64_t kv_number(const struct kv *kv, const char *name, int64_t when_absent)
{
    uint32_t index = number_find(kv, name);
    return index < kv->number_count ? kv->numbers[index].value : when_absent;
}

static enum sq_status write_number(struct kv *kv, uint32_t index)
{
    struct number *number = &kv->numbers[index];
    enum statement which = number->is_new ? STATEMENT_NUMBER_INSERT : STATEMENT_NUMBER_UPDATE;
    sqlite3_stmt *statement = kv->statements[which];
    sqlite3_bind_int64(statement, 1, (int64_t)index + 1);
    sqlite3_bind_int64(statement, 2, number->value);
    if (number->is_new) {
        sqlite3_bind_text(statement, 3, number->name, -1, SQLITE_STATIC);
    }
    return run(kv, which);
}

enum sq_status kv_commit(struct kv *kv)
{
    vfs_enter();
    assert(!kv->is_stale);
    enum sq_status status = SQ_OK;
    for (uint32_t i = 0; i < kv->number_count && status == SQ_OK; i++) {
        if (kv->numbers[i].is_dirty) {
            status = write_number(kv, i);
        }
    }
    if (status == SQ_OK) {
        status = run(kv, STATEMENT_COMMIT);
    }
    for (uint32_t i = 0; i < kv->number_count && status == SQ_OK; i++) {
        kv->numbers[i].is_dirty = false;
        kv->numbers[i].is_new = false;
    }
    return status;
}

enum sq_status kv_rollback(struct kv *kv)
{
    vfs_enter();
    kv->is_stale = true;
    if (sqlite3_get_autocommit(kv->db) == 0) {
        enum sq_status status = run(kv, STATEMENT_ROLLBACK);
        if (status != SQ_OK && sqlite3_get_autocommit(kv->db) == 0) {
            return status;
        }
    }
    return reload(kv);
}

/* ---------------------------------------------------------------------- reading */

enum sq_status kv_read(struct kv *kv, uint64_t key, uint64_t *value)
{
    vfs_enter();
    *value = 0;
    sqlite3_stmt *read = kv->statements[STATEMENT_READ];
    sqlite3_bind_int64(read, 1, (int64_t)key);
    int code = sqlite3_step(read);
    enum sq_status status = SQ_OK;
    if (code == SQLITE_ROW) {
        *value = (uint64_t)sqlite3_column_int64(read, 0);
    } else if (code != SQLITE_DONE) {
        status = failed(kv, code, statement_text[STATEMENT_READ]);
    }
    (void)sqlite3_reset(read);
    return status;
}

uint64_t kv_position(const struct kv *kv)
{
    return (uint64_t)kv->numbers[NUMBER_POSITION].value;
}

uint64_t kv_digest(const struct kv *kv)
{
    return digest_of(kv);
}

enum sq_status kv_digest_full(struct kv *kv, uint64_t *digest)
{
    vfs_enter();
    uint64_t sum = 0;
    sqlite3_stmt *rows = kv->statements[STATEMENT_ROWS];
    int code;
    while ((code = sqlite3_step(rows)) == SQLITE_ROW) {
        const void *padding = sqlite3_column_blob(rows, 2);
        sum += row_hash((uint64_t)sqlite3_column_int64(rows, 0),
                        (uint64_t)sqlite3_column_int64(rows, 1), padding,
                        (size_t)sqlite3_column_bytes(rows, 2));
    }
    enum sq_status status = code == SQLITE_DONE ? SQ_OK : failed(kv, code, "scanning rows");
    (void)sqlite3_reset(rows);
    if (status != SQ_OK) {
        return status;
    }
    rows = kv->statements[STATEMENT_SESSIONS];
    while ((code = sqlite3_step(rows)) == SQLITE_ROW) {
        struct session session = session_of_row(rows);
        sum += session_hash(&session);
    }
    status = code == SQLITE_DONE ? SQ_OK : failed(kv, code, "scanning sessions");
    (void)sqlite3_reset(rows);
    *digest = sum;
    return status;
}

/* ---------------------------------------------------------------------- dumps */

/* A dump is this header, then `rows` times {key, value, size, bytes}, then `sessions` times struct
 * session; words are 8 bytes, little-endian. */
struct dump_header {
    uint64_t magic;
    uint64_t size; /* of all */
    uint64_t position;
    uint64_t digest;
    uint64_t rows;
    uint64_t sessions;
};

#define DUMP_MAGIC UINT64_C(0x31564b6c61757173) /* "squalKV1" */

struct bytes {
    struct sq_env *env;
    uint8_t *data;
    size_t size;
    size_t capacity;
};

static void bytes_add(struct bytes *bytes, const void *data, size_t size)
{
    if (bytes->size + size > bytes->capacity) {
        bytes->capacity = (bytes->size + size) * 2;
        bytes->data = bytes->env->mem->realloc(bytes->env, bytes->data, bytes->capacity);
    }
    if (size > 0) {
        memcpy(bytes->data + bytes->size, data, size);
    }
    bytes->size += size;
}

static int dump_rows(struct kv *kv, struct bytes *bytes, uint64_t *count)
{
    sqlite3_stmt *rows = kv->statements[STATEMENT_ROWS];
    int code;
    while ((code = sqlite3_step(rows)) == SQLITE_ROW) {
        const void *padding = sqlite3_column_blob(rows, 2);
        uint64_t size = (uint64_t)sqlite3_column_bytes(rows, 2);
        uint64_t words[] = {(uint64_t)sqlite3_column_int64(rows, 0),
                            (uint64_t)sqlite3_column_int64(rows, 1), size};
        bytes_add(bytes, words, sizeof(words));
        bytes_add(bytes, padding, size);
        ++*count;
    }
    (void)sqlite3_reset(rows);
    return code;
}

static int dump_sessions(struct kv *kv, struct bytes *bytes, uint64_t *count)
{
    sqlite3_stmt *rows = kv->statements[STATEMENT_SESSIONS];
    int code;
    while ((code = sqlite3_step(rows)) == SQLITE_ROW) {
        struct session session = session_of_row(rows);
        bytes_add(bytes, &session, sizeof(session));
        ++*count;
    }
    (void)sqlite3_reset(rows);
    return code;
}

enum sq_status kv_dump(struct kv *kv, void **data, size_t *size)
{
    vfs_enter();
    assert(!kv->is_stale);
    struct dump_header header = {
        .magic = DUMP_MAGIC, .position = kv_position(kv), .digest = digest_of(kv)};
    struct bytes bytes = {.env = kv->env};
    bytes_add(&bytes, &header, sizeof(header));
    int code = dump_rows(kv, &bytes, &header.rows);
    if (code == SQLITE_DONE) {
        code = dump_sessions(kv, &bytes, &header.sessions);
    }
    *data = NULL;
    *size = 0;
    if (code != SQLITE_DONE) {
        kv->env->mem->free(kv->env, bytes.data);
        return failed(kv, code, "dump");
    }
    header.size = bytes.size;
    memcpy(bytes.data, &header, sizeof(header));
    *data = bytes.data;
    *size = bytes.size;
    return SQ_OK;
}

/* Reads `size` bytes of a dump; false past its end. */
static bool take(const uint8_t **cursor, const uint8_t *end, void *result, size_t size)
{
    if ((size_t)(end - *cursor) < size) {
        return false;
    }
    memcpy(result, *cursor, size);
    *cursor += size;
    return true;
}

static enum sq_status load_rows(struct kv *kv, const struct dump_header *header,
                                const uint8_t **cursor, const uint8_t *end)
{
    for (uint64_t i = 0; i < header->rows; i++) {
        uint64_t words[3];
        if (!take(cursor, end, words, sizeof(words)) || (uint64_t)(end - *cursor) < words[2]) {
            return SQ_E_MALFORMED;
        }
        enum sq_status status = write_row(kv, words[0], words[1], *cursor, words[2]);
        if (status != SQ_OK) {
            return status;
        }
        *cursor += words[2];
    }
    return SQ_OK;
}

static enum sq_status load_sessions(struct kv *kv, const struct dump_header *header,
                                    const uint8_t **cursor, const uint8_t *end)
{
    for (uint64_t i = 0; i < header->sessions; i++) {
        struct session session;
        if (!take(cursor, end, &session, sizeof(session)) || session.id == 0) {
            return SQ_E_MALFORMED;
        }
        enum sq_status status = write_session(kv, session);
        if (status != SQ_OK) {
            return status;
        }
    }
    return SQ_OK;
}

enum sq_status kv_load(struct kv *kv, const void *data, size_t size)
{
    vfs_enter();
    assert(!kv->is_stale);
    assert(sqlite3_get_autocommit(kv->db) == 0);
    const uint8_t *cursor = data;
    const uint8_t *end = cursor + size;
    struct dump_header header;
    if (!take(&cursor, end, &header, sizeof(header)) || header.magic != DUMP_MAGIC ||
        header.size != size) {
        return SQ_E_MALFORMED;
    }
    enum sq_status status = run(kv, STATEMENT_ROWS_CLEAR);
    if (status == SQ_OK) {
        status = run(kv, STATEMENT_SESSIONS_CLEAR);
    }
    sessions_forget(kv);
    digest_change(kv, digest_of(kv), 0);
    if (status == SQ_OK) {
        status = load_rows(kv, &header, &cursor, end);
    }
    if (status == SQ_OK) {
        status = load_sessions(kv, &header, &cursor, end);
    }
    if (status == SQ_OK && (cursor != end || digest_of(kv) != header.digest)) {
        status = SQ_E_MALFORMED;
    }
    if (status == SQ_OK) {
        kv_skip(kv, header.position);
    }
    return status;
}
