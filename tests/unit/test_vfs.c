/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * SQLite under simulated power losses, and what must not leak between nodes, worlds and the
 * process.
 *
 * The crash matrix: a run of six transactions is stopped after every event (each disk operation
 * ends with one), the host loses power, and what SQLite then recovers is compared with what it had
 * promised. What must hold is what SQLite documents: nothing is lost or torn with synchronous FULL
 * or EXTRA, except that journal mode DELETE needs EXTRA, for its commit is the removal of a name;
 * NORMAL in WAL mode may lose, but not corrupt; OFF may do anything. */
#include "tests/unit/sqlite_lab.h"

#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

/* ---------------------------------------------------------------------- crash matrix */

#define TRANSACTIONS 6
#define KEYS         40

struct tally {
    uint32_t images;
    uint32_t corrupt; /* refused, or found damaged by kv_examine */
    uint32_t lost;    /* a transaction is missing whose commit had returned */
    uint32_t torn;    /* the content is not that after any transaction */
};

static struct {
    struct kv_options options;
    uint64_t committed;
    uint64_t digests[TRANSACTIONS + 1]; /* after each transaction */
    bool is_reference;
    struct tally tally;
} matrix;

static void script_commit(struct sq_env *env)
{
    struct sq_kv_reply reply;
    char message[KV_MESSAGE_SIZE];
    uint8_t padding[300] = {1};
    struct kv *kv = NULL;
    if (kv_open(env, "test.db", &matrix.options, &kv, message) != SQ_OK) {
        return;
    }
    for (uint64_t i = 1; i <= TRANSACTIONS; i++) {
        CHECK_EQUAL(kv_begin(kv), SQ_OK);
        for (uint64_t j = 0; j < 6; j++) { /* several pages at once, so that half of it shows */
            struct sq_kv_request request = {SQ_KV_UPDATE, sizeof(padding), (i * 7 + j * 11) % KEYS,
                                            i * 100 + j,  j + 1,           i};
            CHECK_EQUAL(kv_apply(kv, &request, padding, i, &reply), SQ_OK);
        }
        CHECK_EQUAL(kv_commit(kv), SQ_OK);
        matrix.committed = i;
        if (matrix.is_reference) {
            matrix.digests[i] = kv_digest(kv);
        }
    }
}

static void script_judge(struct sq_env *env)
{
    char message[KV_MESSAGE_SIZE];
    struct kv *kv = NULL;
    struct tally *tally = &matrix.tally;
    tally->images++;
    enum sq_status status = kv_open(env, "test.db", &matrix.options, &kv, message);
    if (status == SQ_OK) {
        status = kv_examine(kv, message);
    }
    if (status != SQ_OK) {
        tally->corrupt++;
        return;
    }
    uint64_t position = kv_position(kv);
    tally->lost += position < matrix.committed;
    tally->torn += position > TRANSACTIONS || kv_digest(kv) != matrix.digests[position];
}

static struct tally matrix_cell(enum kv_journal journal, enum kv_synchronous synchronous)
{
    struct lab *lab = lab_new(1);
    matrix.options =
        (struct kv_options){.journal = journal, .synchronous = synchronous, .page_bytes = 1024};
    matrix.tally = (struct tally){0};
    matrix.is_reference = true;
    matrix.digests[0] = 0;
    lab_run(lab, script_commit, 1, UINT64_MAX);
    CHECK_EQUAL(matrix.committed, TRANSACTIONS);
    matrix.is_reference = false;
    uint64_t events = lab->world->sched.stats.fired;
    for (uint64_t event = 1; event <= events; event++) {
        for (uint64_t image = 0; image < 2; image++) {
            matrix.committed = 0;
            lab_run(lab, script_commit, event * 8 + image, event);
            lab_again(lab, script_judge, true);
        }
    }
    lab_free(lab);
    CHECK(matrix.tally.images >= 2 * events);
    return matrix.tally;
}

static void check_cell(enum kv_journal journal, enum kv_synchronous synchronous)
{
    struct tally tally = matrix_cell(journal, synchronous);
    CHECK(tally.images > 100);
    CHECK_EQUAL(tally.corrupt, 0);
    CHECK_EQUAL(tally.lost, 0);
    CHECK_EQUAL(tally.torn, 0);
}

TEST(vfs, power_loss_spares_wal_with_full)
{
    check_cell(KV_JOURNAL_WAL, KV_SYNCHRONOUS_FULL);
}

TEST(vfs, power_loss_spares_truncate_with_full)
{
    check_cell(KV_JOURNAL_TRUNCATE, KV_SYNCHRONOUS_FULL);
}

TEST(vfs, power_loss_spares_persist_with_full)
{
    check_cell(KV_JOURNAL_PERSIST, KV_SYNCHRONOUS_FULL);
}

TEST(vfs, power_loss_spares_every_journal_with_extra)
{
    check_cell(KV_JOURNAL_WAL, KV_SYNCHRONOUS_EXTRA);
    check_cell(KV_JOURNAL_DELETE, KV_SYNCHRONOUS_EXTRA);
    check_cell(KV_JOURNAL_TRUNCATE, KV_SYNCHRONOUS_EXTRA);
    check_cell(KV_JOURNAL_PERSIST, KV_SYNCHRONOUS_EXTRA);
}

/* The directory entry of the removed journal is not durable: the journal comes back and undoes the
 * commit. */
TEST(vfs, power_loss_undoes_commits_of_delete_with_full)
{
    struct tally tally = matrix_cell(KV_JOURNAL_DELETE, KV_SYNCHRONOUS_FULL);
    CHECK(tally.lost > 0);
    CHECK_EQUAL(tally.corrupt, 0);
    CHECK_EQUAL(tally.torn, 0);
}

TEST(vfs, power_loss_loses_but_does_not_corrupt_wal_with_normal)
{
    struct tally tally = matrix_cell(KV_JOURNAL_WAL, KV_SYNCHRONOUS_NORMAL);
    CHECK(tally.lost > 0);
    CHECK_EQUAL(tally.corrupt, 0);
    CHECK_EQUAL(tally.torn, 0);
}

TEST(vfs, power_loss_is_seen_to_harm_with_synchronous_off)
{
    struct tally tally = matrix_cell(KV_JOURNAL_DELETE, KV_SYNCHRONOUS_OFF);
    CHECK(tally.lost > 0);
    CHECK(tally.corrupt > 0);
    tally = matrix_cell(KV_JOURNAL_WAL, KV_SYNCHRONOUS_OFF);
    CHECK(tally.lost > 0);
}

TEST(vfs, power_loss_is_seen_to_harm_without_a_journal)
{
    struct tally tally = matrix_cell(KV_JOURNAL_OFF, KV_SYNCHRONOUS_EXTRA);
    CHECK(tally.corrupt + tally.torn > 0);
}

/* ---------------------------------------------------------------------- the process itself */

static uint64_t count_rows(sqlite3 *db)
{
    sqlite3_stmt *statement = NULL;
    uint64_t count = 0;
    CHECK_EQUAL(sqlite3_prepare_v2(db, "SELECT count(*) FROM t", -1, &statement, NULL), SQLITE_OK);
    if (sqlite3_step(statement) == SQLITE_ROW) {
        count = (uint64_t)sqlite3_column_int64(statement, 0);
    }
    sqlite3_finalize(statement);
    return count;
}

/* The results database is written between runs. */
static void outside(const char *vfs_name)
{
    char path[] = "/tmp/squall-test-vfs-XXXXXX";
    int file = mkstemp(path);
    REQUIRE(file >= 0);
    close(file);
    sqlite3 *db = NULL;
    CHECK_EQUAL(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, vfs_name), SQLITE_OK);
    CHECK_EQUAL(sqlite3_exec(db, "PRAGMA journal_mode = wal; CREATE TABLE t(a)", NULL, NULL, NULL),
                SQLITE_OK);
    for (uint32_t i = 0; i < 5; i++) {
        CHECK_EQUAL(sqlite3_exec(db, "INSERT INTO t VALUES(randomblob(8) || datetime('now'))", NULL,
                                 NULL, NULL),
                    SQLITE_OK);
    }
    CHECK_EQUAL(count_rows(db), 5);
    CHECK_EQUAL(sqlite3_close(db), SQLITE_OK);
    CHECK_EQUAL(remove(path), 0);
}

static void script_small(struct sq_env *env)
{
    struct kv *kv = lab_open(env, &lab_wal);
    struct sq_kv_reply reply;
    CHECK_EQUAL(lab_write(kv, lab_update(1, 1, 1, 1), 1, &reply), SQ_OK);
}

TEST(vfs, the_process_keeps_its_own_sqlite)
{
    struct lab *lab = lab_new(1);
    outside("unix");
    lab_run(lab, script_small, 1, UINT64_MAX);
    outside("unix");
    lab_run(lab, script_small, 1, 8); /* stopped in the middle of a call */
    outside("unix");
    outside(NULL);
    lab_again(lab, script_small, false);
    lab_free(lab);
}

TEST(vfs, preparing_twice_is_fine)
{
    vfs_prepare();
    vfs_prepare();
    CHECK(sqlite3_vfs_find(VFS_NAME) != NULL);
    CHECK(sqlite3_vfs_find(NULL) == sqlite3_vfs_find(VFS_NAME));
    CHECK(sqlite3_vfs_find("unix") != NULL);
}

/* ---------------------------------------------------------------------- nodes */

static void script_memory(struct sq_env *env)
{
    const struct heap *heap = &node_of(env)->heap;
    uint64_t before = heap->live_bytes;
    uint64_t during = 0;
    for (uint32_t i = 0; i < 3; i++) {
        struct kv *kv = lab_open(env, &lab_wal);
        struct sq_kv_reply reply;
        CHECK_EQUAL(lab_write(kv, lab_update(1, i, 1, i + 1), i + 1, &reply), SQ_OK);
        during = heap->live_bytes;
        CHECK(during > before + 10000);
        kv_close(kv);
        CHECK_EQUAL(heap->live_bytes, before);
    }
}

TEST(vfs, all_memory_is_the_nodes_and_closing_gives_it_back)
{
    lab_do(script_memory);
}

/* Hash of all that node 0 did to its disk. */
struct ear {
    struct trace_sink sink; /* first */
    uint64_t digest;
    uint64_t count;
};

static void hear(struct trace_sink *sink, uint64_t order, const struct trace_record *record,
                 const char *text)
{
    struct ear *ear = (struct ear *)sink;
    (void)order;
    (void)text;
    if (record->kind == TRACE_DISK && record->node == 0) {
        ear->digest = hash_mix(hash_mix(ear->digest, record->word), record->extra);
        ear->count++;
    }
}

/* Every transaction draws from SQLite's generator: the journal's header has a nonce. */
static void script_draw(struct sq_env *env)
{
    struct kv_options options = {.journal = KV_JOURNAL_DELETE, .synchronous = KV_SYNCHRONOUS_FULL};
    struct kv *kv = lab_open(env, &options);
    struct sq_kv_reply reply;
    for (uint64_t i = 1; i <= 10; i++) {
        CHECK_EQUAL(lab_write(kv, lab_update(1, i, 1, i), i, &reply), SQ_OK);
    }
}

static struct ear listen(uint32_t nodes, uint64_t seed)
{
    struct lab *lab = lab_new(nodes);
    struct ear ear = {.sink = {.on_record = hear}};
    lab_script = script_draw;
    lab_finished = 0;
    world_reset(lab->world, &lab->spec, seed, NULL);
    trace_sink_add(&lab->world->trace, &ear.sink);
    world_run(lab->world, LAB_RUN_NS, UINT64_MAX);
    CHECK_EQUAL(lab_finished, nodes);
    lab_free(lab);
    return ear;
}

TEST(vfs, chance_of_a_node_is_its_own)
{
    struct ear alone = listen(1, 5);
    CHECK(alone.count > 100);
    CHECK(alone.digest == listen(1, 5).digest);
    CHECK(alone.digest == listen(4, 5).digest); /* three others draw in between */
    CHECK(alone.digest != listen(1, 6).digest);
}

static void script_time(struct sq_env *env)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(VFS_NAME);
    REQUIRE(vfs != NULL);
    vfs_enter();
    sqlite3_int64 before = 0;
    sqlite3_int64 after = 0;
    sq_time start = env->clock->monotonic(env);
    CHECK_EQUAL(vfs->xCurrentTimeInt64(vfs, &before), SQLITE_OK);
    CHECK_EQUAL(vfs->xSleep(vfs, 1500000), 1500000);
    CHECK_EQUAL(vfs->xCurrentTimeInt64(vfs, &after), SQLITE_OK);
    CHECK_EQUAL(after - before, 1500);
    CHECK_EQUAL(env->clock->monotonic(env) - start, 1500 * NS_PER_MS);
    CHECK_EQUAL(before, INT64_C(210866760000000) +
                            (env->clock->realtime(env) - 1500 * NS_PER_MS) / NS_PER_MS);
}

TEST(vfs, time_is_the_nodes)
{
    lab_do(script_time);
}

static int open_file(sqlite3_vfs *vfs, const char *name, int flags, sqlite3_file **file,
                     struct sq_env *env)
{
    *file = env->mem->alloc(env, (size_t)vfs->szOsFile);
    memset(*file, 0, (size_t)vfs->szOsFile);
    return vfs->xOpen(vfs, name, *file, flags, NULL);
}

static void script_files(struct sq_env *env)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(VFS_NAME);
    int flags = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_READWRITE;
    int is_there = 7;
    char data[8] = "xxxxxxx";
    sqlite3_file *file = NULL;
    vfs_enter();
    CHECK_EQUAL(open_file(vfs, "none", flags, &file, env), SQLITE_CANTOPEN);
    CHECK(file->pMethods == NULL);
    CHECK_EQUAL(open_file(vfs, "some", flags | SQLITE_OPEN_CREATE, &file, env), SQLITE_OK);
    CHECK_EQUAL(vfs->xAccess(vfs, "some", SQLITE_ACCESS_EXISTS, &is_there), SQLITE_OK);
    CHECK_EQUAL(is_there, 0); /* empty files are not seen, as on unix */
    CHECK_EQUAL(vfs->xAccess(vfs, "some", SQLITE_ACCESS_READWRITE, &is_there), SQLITE_OK);
    CHECK_EQUAL(is_there, 1);
    CHECK_EQUAL(file->pMethods->xWrite(file, "abc", 3, 2), SQLITE_OK);
    CHECK_EQUAL(file->pMethods->xRead(file, data, 7, 0), SQLITE_IOERR_SHORT_READ);
    CHECK(memcmp(data, "\0\0abc\0\0", 8) == 0);
    CHECK_EQUAL(vfs->xAccess(vfs, "some", SQLITE_ACCESS_EXISTS, &is_there), SQLITE_OK);
    CHECK_EQUAL(is_there, 1);
    int flag = -1;
    CHECK_EQUAL(file->pMethods->xFileControl(file, SQLITE_FCNTL_POWERSAFE_OVERWRITE, &flag),
                SQLITE_OK);
    CHECK_EQUAL(flag, 0);
    CHECK_EQUAL(file->pMethods->xDeviceCharacteristics(file), 0);
    flag = 1;
    CHECK_EQUAL(file->pMethods->xFileControl(file, SQLITE_FCNTL_POWERSAFE_OVERWRITE, &flag),
                SQLITE_OK);
    CHECK_EQUAL(file->pMethods->xDeviceCharacteristics(file), SQLITE_IOCAP_POWERSAFE_OVERWRITE);
    CHECK_EQUAL(file->pMethods->xFileControl(file, 99999, &flag), SQLITE_NOTFOUND);
    CHECK_EQUAL(file->pMethods->xClose(file), SQLITE_OK);
    CHECK_EQUAL(vfs->xDelete(vfs, "some", 1), SQLITE_OK);
    CHECK_EQUAL(vfs->xDelete(vfs, "some", 1), SQLITE_IOERR_DELETE_NOENT);
}

TEST(vfs, files_behave_as_sqlite_expects)
{
    lab_do(script_files);
}

static void script_temporary(struct sq_env *env)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(VFS_NAME);
    int flags = SQLITE_OPEN_TEMP_DB | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                SQLITE_OPEN_DELETEONCLOSE;
    sqlite3_file *first = NULL;
    sqlite3_file *second = NULL;
    vfs_enter();
    CHECK_EQUAL(open_file(vfs, NULL, flags, &first, env), SQLITE_OK);
    CHECK_EQUAL(open_file(vfs, NULL, flags, &second, env), SQLITE_OK);
    CHECK_EQUAL(first->pMethods->xWrite(first, "a", 1, 0), SQLITE_OK);
    sqlite3_int64 size = 9;
    CHECK_EQUAL(second->pMethods->xFileSize(second, &size), SQLITE_OK);
    CHECK_EQUAL(size, 0);
    CHECK(env->disk->list(env, 1) != NULL);
    CHECK_EQUAL(first->pMethods->xClose(first), SQLITE_OK);
    CHECK_EQUAL(second->pMethods->xClose(second), SQLITE_OK);
    CHECK(env->disk->list(env, 0) == NULL);
}

TEST(vfs, temporary_files_have_names_of_their_own_and_vanish)
{
    lab_do(script_temporary);
}
