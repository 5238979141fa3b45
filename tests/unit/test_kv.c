/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The key-value store on SQLite, on a simulated disk. */
#include "tests/unit/sqlite_lab.h"

static uint64_t read_key(struct kv *kv, uint64_t key)
{
    uint64_t value = 0;
    CHECK_EQUAL(kv_read(kv, key, &value), SQ_OK);
    return value;
}

static void check_digest(struct kv *kv)
{
    uint64_t full = 0;
    CHECK_EQUAL(kv_digest_full(kv, &full), SQ_OK);
    CHECK(full == kv_digest(kv));
}

static void script_read_write(struct sq_env *env)
{
    struct kv *kv = lab_open(env, &lab_wal);
    struct sq_kv_reply reply;
    CHECK(!kv_was_there(kv));
    CHECK_EQUAL(kv_position(kv), 0);
    CHECK_EQUAL(kv_digest(kv), 0);
    CHECK_EQUAL(read_key(kv, 7), 0);
    CHECK_EQUAL(lab_write(kv, lab_update(7, 70, 1, 1), 1, &reply), SQ_OK);
    CHECK_EQUAL(reply.value, 70);
    CHECK_EQUAL(read_key(kv, 7), 70);
    CHECK_EQUAL(lab_write(kv, lab_update(7, 71, 1, 2), 2, &reply), SQ_OK);
    CHECK_EQUAL(read_key(kv, 7), 71);
    CHECK_EQUAL(kv_position(kv), 2);
    struct sq_kv_request read = {.kind = SQ_KV_READ, .key = 7};
    CHECK_EQUAL(lab_write(kv, read, 9, &reply), SQ_OK);
    CHECK_EQUAL(reply.value, 71);
    CHECK_EQUAL(kv_position(kv), 9);
    uint64_t biggest = UINT64_MAX;
    CHECK_EQUAL(lab_write(kv, lab_update(biggest, biggest, biggest, 1), 10, &reply), SQ_OK);
    CHECK(read_key(kv, biggest) == biggest);
    check_digest(kv);
    kv_close(kv);
}

TEST(kv, what_is_written_can_be_read)
{
    lab_do(script_read_write);
}

static void script_open_transaction(struct sq_env *env)
{
    struct kv *kv = lab_open(env, &lab_wal);
    struct sq_kv_reply reply;
    struct sq_kv_request request = lab_update(3, 30, 1, 1);
    CHECK_EQUAL(kv_begin(kv), SQ_OK);
    CHECK_EQUAL(kv_apply(kv, &request, "pad!", 1, &reply), SQ_OK);
    CHECK_EQUAL(read_key(kv, 3), 30);
    kv_skip(kv, 5);
    CHECK_EQUAL(kv_commit(kv), SQ_OK);
    CHECK_EQUAL(kv_position(kv), 5);
    kv_close(kv);
}

TEST(kv, reads_see_the_open_transaction)
{
    lab_do(script_open_transaction);
}

static void script_retry(struct sq_env *env)
{
    struct kv *kv = lab_open(env, &lab_wal);
    struct sq_kv_reply reply;
    CHECK_EQUAL(lab_write(kv, lab_update(1, 10, 5, 1), 1, &reply), SQ_OK);
    CHECK_EQUAL(lab_write(kv, lab_update(1, 11, 6, 1), 2, &reply), SQ_OK);
    uint64_t digest = kv_digest(kv);
    CHECK_EQUAL(lab_write(kv, lab_update(1, 10, 5, 1), 3, &reply), SQ_OK);
    CHECK_EQUAL(reply.value, 10);
    CHECK_EQUAL(read_key(kv, 1), 11);
    CHECK(kv_digest(kv) == digest);
    CHECK_EQUAL(kv_position(kv), 3);
    kv_close(kv);
    kv = lab_open(env, &lab_wal); /* sessions are part of the database */
    CHECK_EQUAL(lab_write(kv, lab_update(1, 10, 5, 1), 4, &reply), SQ_OK);
    CHECK_EQUAL(reply.value, 10);
    CHECK_EQUAL(read_key(kv, 1), 11);
    kv_close(kv);
}

TEST(kv, a_retry_changes_nothing_and_yields_the_same_reply)
{
    lab_do(script_retry);
}

static void script_old(struct sq_env *env)
{
    struct kv *kv = lab_open(env, &lab_wal);
    struct sq_kv_reply reply = {1};
    CHECK_EQUAL(lab_write(kv, lab_update(1, 10, 5, 8), 1, &reply), SQ_OK);
    CHECK_EQUAL(lab_write(kv, lab_update(1, 12, 5, 7), 2, &reply), SQ_E_TIMEOUT);
    CHECK_EQUAL(reply.value, 0);
    CHECK_EQUAL(read_key(kv, 1), 10);
    CHECK_EQUAL(kv_position(kv), 2);
    CHECK_EQUAL(lab_write(kv, lab_update(1, 13, 0, 1), 3, &reply), SQ_OK);
    CHECK_EQUAL(lab_write(kv, lab_update(1, 14, 0, 1), 4, &reply), SQ_OK);
    CHECK_EQUAL(read_key(kv, 1), 14);
    kv_close(kv);
}

/* Session 0 is no session: nothing is recognised. */
TEST(kv, an_older_operation_of_a_session_is_indefinite_and_not_applied)
{
    lab_do(script_old);
}

static void script_sessions(struct sq_env *env)
{
    struct kv *kv = lab_open(env, &lab_wal);
    struct sq_kv_reply reply;
    CHECK_EQUAL(kv_begin(kv), SQ_OK);
    for (uint64_t i = 1; i <= 1000; i++) {
        struct sq_kv_request request = lab_update(i % 10, i, i * 64, 1);
        CHECK_EQUAL(kv_apply(kv, &request, "pad!", i, &reply), SQ_OK);
    }
    CHECK_EQUAL(kv_commit(kv), SQ_OK);
    for (uint64_t i = 1; i <= 1000; i += 37) {
        CHECK_EQUAL(lab_write(kv, lab_update(99, 5, i * 64, 1), 1000 + i, &reply), SQ_OK);
        CHECK_EQUAL(reply.value, i);
    }
    CHECK_EQUAL(read_key(kv, 99), 0);
    check_digest(kv);
    kv_close(kv);
}

TEST(kv, a_thousand_sessions_are_told_apart)
{
    lab_do(script_sessions);
}

static uint64_t digest_of_order(struct sq_env *env, const char *path, const uint64_t *order)
{
    char message[KV_MESSAGE_SIZE];
    struct kv *kv = NULL;
    struct sq_kv_reply reply;
    CHECK_EQUAL(kv_open(env, path, &lab_wal, &kv, message), SQ_OK);
    for (uint32_t i = 0; i < 4; i++) {
        CHECK_EQUAL(lab_write(kv, lab_update(order[i], 1, 0, 0), i + 1, &reply), SQ_OK);
        CHECK_EQUAL(lab_write(kv, lab_update(order[i], order[i] * 3, order[i], 1), i + 1, &reply),
                    SQ_OK);
    }
    check_digest(kv);
    uint64_t digest = kv_digest(kv);
    kv_close(kv);
    return digest;
}

static void script_digest(struct sq_env *env)
{
    uint64_t digest = digest_of_order(env, "a.db", (const uint64_t[]){1, 2, 3, 4});
    CHECK(digest != 0);
    CHECK(digest == digest_of_order(env, "b.db", (const uint64_t[]){4, 2, 1, 3}));
    CHECK(digest != digest_of_order(env, "c.db", (const uint64_t[]){4, 2, 1, 5}));
}

TEST(kv, the_digest_is_that_of_the_content_whatever_the_order)
{
    lab_do(script_digest);
}

static void script_padding(struct sq_env *env)
{
    struct kv *kv = lab_open(env, &lab_wal);
    struct sq_kv_request request = {SQ_KV_UPDATE, 9, 1, 10, 0, 0};
    struct sq_kv_reply reply;
    static const char *const paddings[] = {"12345678x", "12345678y", "02345678y"};
    uint64_t digests[3];
    for (uint32_t i = 0; i < 3; i++) {
        CHECK_EQUAL(kv_begin(kv), SQ_OK);
        CHECK_EQUAL(kv_apply(kv, &request, paddings[i], 1, &reply), SQ_OK);
        CHECK_EQUAL(kv_commit(kv), SQ_OK);
        check_digest(kv);
        digests[i] = kv_digest(kv);
    }
    CHECK(digests[0] != digests[1]);
    CHECK(digests[1] != digests[2]);
    request.padding = 0;
    CHECK_EQUAL(kv_begin(kv), SQ_OK);
    CHECK_EQUAL(kv_apply(kv, &request, NULL, 1, &reply), SQ_OK);
    CHECK_EQUAL(kv_commit(kv), SQ_OK);
    check_digest(kv);
    CHECK(digests[0] != kv_digest(kv));
    kv_close(kv);
}

TEST(kv, the_digest_covers_the_padding)
{
    lab_do(script_padding);
}

TEST(kv, the_hash_of_a_request_depends_on_all_of_it)
{
    struct sq_kv_request request = lab_update(1, 2, 3, 4);
    uint64_t hash = kv_hash(&request, "pad!");
    CHECK(hash != 0);
    CHECK(hash == kv_hash(&request, "pad!"));
    CHECK(hash != kv_hash(&request, "pad?"));
    for (uint32_t i = 0; i < 4; i++) {
        struct sq_kv_request other = request;
        uint64_t *words[] = {&other.key, &other.value, &other.session, &other.sequence};
        ++*words[i];
        CHECK(hash != kv_hash(&other, "pad!"));
    }
}

static void script_rollback(struct sq_env *env)
{
    struct kv *kv = lab_open(env, &lab_wal);
    struct sq_kv_reply reply;
    CHECK_EQUAL(lab_write(kv, lab_update(1, 10, 5, 1), 1, &reply), SQ_OK);
    uint64_t digest = kv_digest(kv);
    struct sq_kv_request request = lab_update(1, 11, 5, 2);
    CHECK_EQUAL(kv_begin(kv), SQ_OK);
    CHECK_EQUAL(kv_apply(kv, &request, "pad!", 2, &reply), SQ_OK);
    kv_set_number(kv, "mine", 5);
    CHECK(kv_digest(kv) != digest);
    CHECK_EQUAL(kv_rollback(kv), SQ_OK);
    CHECK(kv_digest(kv) == digest);
    CHECK_EQUAL(kv_position(kv), 1);
    CHECK_EQUAL(kv_number(kv, "mine", -1), -1);
    CHECK_EQUAL(read_key(kv, 1), 10);
    CHECK_EQUAL(lab_write(kv, request, 2, &reply), SQ_OK); /* was not applied before */
    CHECK_EQUAL(read_key(kv, 1), 11);
    check_digest(kv);
    CHECK_EQUAL(kv_rollback(kv), SQ_OK); /* without a transaction */
    CHECK_EQUAL(kv_position(kv), 2);
    kv_close(kv);
}

TEST(kv, a_rollback_takes_back_everything)
{
    lab_do(script_rollback);
}

static void script_numbers(struct sq_env *env)
{
    struct kv *kv = lab_open(env, &lab_wal);
    CHECK_EQUAL(kv_number(kv, "term", 3), 3);
    CHECK_EQUAL(kv_begin(kv), SQ_OK);
    kv_set_number(kv, "term", 7);
    kv_set_number(kv, "vote", -2);
    kv_set_number(kv, "term", 8);
    CHECK_EQUAL(kv_commit(kv), SQ_OK);
    CHECK_EQUAL(kv_begin(kv), SQ_OK);
    kv_set_number(kv, "vote", INT64_MIN);
    CHECK_EQUAL(kv_commit(kv), SQ_OK);
    kv_close(kv);
    kv = lab_open(env, &lab_wal);
    CHECK(kv_was_there(kv));
    CHECK_EQUAL(kv_number(kv, "term", 0), 8);
    CHECK_EQUAL(kv_number(kv, "vote", 0), INT64_MIN);
    kv_close(kv);
}

TEST(kv, numbers_of_the_owner_are_kept)
{
    lab_do(script_numbers);
}

static void script_fill(struct sq_env *env)
{
    struct kv *kv = lab_open(env, &lab_wal);
    struct sq_kv_reply reply;
    for (uint64_t i = 1; i <= 20; i++) {
        CHECK_EQUAL(lab_write(kv, lab_update(i % 7, i, 1, i), i, &reply), SQ_OK);
    }
    /* and dies without closing */
}

static void script_found(struct sq_env *env)
{
    char message[KV_MESSAGE_SIZE];
    struct kv *kv = lab_open(env, &lab_wal);
    CHECK(kv_was_there(kv));
    CHECK_EQUAL(kv_position(kv), 20);
    CHECK_EQUAL(read_key(kv, 20 % 7), 20);
    CHECK_EQUAL(kv_examine(kv, message), SQ_OK);
    CHECK_TEXT(message, "");
    kv_close(kv);
}

TEST(kv, a_crash_and_a_power_loss_lose_nothing_committed)
{
    struct lab *lab = lab_new(1);
    lab_run(lab, script_fill, 1, UINT64_MAX);
    lab_again(lab, script_found, false);
    lab_again(lab, script_found, true);
    lab_free(lab);
}

static void script_modes(struct sq_env *env)
{
    char message[KV_MESSAGE_SIZE];
    struct sq_kv_reply reply;
    uint64_t position = 0;
    for (uint32_t round = 0; round < 12; round++) {
        struct kv_options options = {.journal = (enum kv_journal)((round * 5) % 6),
                                     .synchronous = (enum kv_synchronous)(round % 4),
                                     .page_bytes = 1024,
                                     .powersafe_overwrite = round % 2 == 1};
        struct kv *kv = lab_open(env, &options);
        CHECK_EQUAL(kv_position(kv), position);
        for (uint32_t i = 0; i < 3; i++) {
            position++;
            CHECK_EQUAL(lab_write(kv, lab_update(i, position, 1, position), position, &reply),
                        SQ_OK);
        }
        CHECK_EQUAL(kv_examine(kv, message), SQ_OK);
        kv_close(kv);
    }
}

TEST(kv, a_database_can_be_reopened_in_every_journal_mode)
{
    lab_do(script_modes);
}

static void script_dump(struct sq_env *env)
{
    char message[KV_MESSAGE_SIZE];
    struct kv *kv = lab_open(env, &lab_wal);
    struct kv *other = NULL;
    CHECK_EQUAL(kv_open(env, "other.db", &lab_wal, &other, message), SQ_OK);
    struct sq_kv_reply reply;
    for (uint64_t i = 1; i <= 50; i++) {
        CHECK_EQUAL(lab_write(kv, lab_update(i % 13, i, i % 3 + 1, i), i, &reply), SQ_OK);
    }
    CHECK_EQUAL(lab_write(other, lab_update(77, 7, 9, 1), 3, &reply), SQ_OK);
    void *dump = NULL;
    size_t size = 0;
    CHECK_EQUAL(kv_dump(kv, &dump, &size), SQ_OK);
    CHECK_EQUAL(kv_begin(other), SQ_OK);
    CHECK_EQUAL(kv_load(other, dump, size), SQ_OK);
    CHECK_EQUAL(kv_commit(other), SQ_OK);
    CHECK_EQUAL(kv_position(other), 50);
    CHECK(kv_digest(other) == kv_digest(kv));
    check_digest(other);
    CHECK_EQUAL(read_key(other, 77), 0);
    CHECK_EQUAL(read_key(other, 50 % 13), 50);
    CHECK_EQUAL(lab_write(other, lab_update(1, 1, 9, 1), 51, &reply),
                SQ_OK); /* its session is gone */
    CHECK_EQUAL(kv_rollback(other), SQ_OK);
    CHECK_EQUAL(kv_begin(other), SQ_OK);
    CHECK_EQUAL(kv_load(other, dump, size), SQ_OK);
    CHECK_EQUAL(kv_commit(other), SQ_OK);
    void *again = NULL;
    size_t again_size = 0;
    CHECK_EQUAL(kv_dump(other, &again, &again_size), SQ_OK);
    CHECK_EQUAL(again_size, size);
    CHECK(again_size == size && memcmp(again, dump, size) == 0);
    env->mem->free(env, again);
    env->mem->free(env, dump);
    kv_close(other);
    kv_close(kv);
}

TEST(kv, a_dump_carries_all_contents_to_another_store)
{
    lab_do(script_dump);
}

static void script_bad_dump(struct sq_env *env)
{
    struct kv *kv = lab_open(env, &lab_wal);
    struct sq_kv_reply reply;
    for (uint64_t i = 1; i <= 5; i++) {
        CHECK_EQUAL(lab_write(kv, lab_update(i, i, 1, i), i, &reply), SQ_OK);
    }
    uint64_t digest = kv_digest(kv);
    uint8_t *dump = NULL;
    size_t size = 0;
    void *data = NULL;
    CHECK_EQUAL(kv_dump(kv, &data, &size), SQ_OK);
    dump = data;
    for (size_t cut = 0; cut < size; cut += 7) {
        CHECK_EQUAL(kv_begin(kv), SQ_OK);
        CHECK_EQUAL(kv_load(kv, dump, cut), SQ_E_MALFORMED);
        CHECK_EQUAL(kv_rollback(kv), SQ_OK);
    }
    static const size_t places[] = {0, 8, 24, 32, 40, 56, 64, 72};
    for (uint32_t i = 0; i < ARRAY_COUNT(places); i++) {
        dump[places[i]] ^= 0x40;
        CHECK_EQUAL(kv_begin(kv), SQ_OK);
        CHECK_EQUAL(kv_load(kv, dump, size), SQ_E_MALFORMED);
        CHECK_EQUAL(kv_rollback(kv), SQ_OK);
        dump[places[i]] ^= 0x40;
    }
    CHECK(kv_digest(kv) == digest);
    CHECK_EQUAL(kv_position(kv), 5);
    check_digest(kv);
    env->mem->free(env, data);
    kv_close(kv);
}

TEST(kv, a_damaged_dump_is_refused)
{
    lab_do(script_bad_dump);
}

/* Changes bytes in the middle of a file, from outside of SQLite. */
static void scribble(struct sq_env *env, const char *name, const char *find,
                     const char *replacement)
{
    static uint8_t content[1 << 20];
    sq_file file = 0;
    size_t size = 0;
    size_t length = strlen(find);
    CHECK_EQUAL(env->disk->open(env, name, 0, &file), SQ_OK);
    CHECK_EQUAL(env->disk->read(env, file, content, sizeof(content), 0, &size), SQ_OK);
    for (size_t i = 0; i + length <= size; i++) {
        if (memcmp(content + i, find, length) == 0) {
            CHECK_EQUAL(env->disk->write(env, file, replacement, strlen(replacement), i), SQ_OK);
        }
    }
    env->disk->close(env, file);
}

static void script_silent(struct sq_env *env)
{
    static const struct kv_options options = {.journal = KV_JOURNAL_DELETE,
                                              .synchronous = KV_SYNCHRONOUS_FULL};
    char message[KV_MESSAGE_SIZE];
    struct kv *kv = lab_open(env, &options);
    struct sq_kv_reply reply;
    CHECK_EQUAL(lab_write(kv, lab_update(1, 10, 1, 1), 1, &reply), SQ_OK);
    CHECK_EQUAL(kv_examine(kv, message), SQ_OK);
    kv_close(kv);
    scribble(env, "test.db", "pad!", "pbd!");
    kv = lab_open(env, &options);
    CHECK_EQUAL(kv_examine(kv, message), SQ_E_INVALID);
    CHECK(strstr(message, "digest") != NULL);
    kv_close(kv);
}

/* SQLite's own check has no checksums and would call this database sound. */
TEST(kv, a_flipped_byte_in_a_value_is_found)
{
    lab_do(script_silent);
}

static void script_corrupt(struct sq_env *env)
{
    char message[KV_MESSAGE_SIZE];
    struct sq_kv_reply reply;
    struct kv *kv = lab_open(env, &lab_wal);
    CHECK_EQUAL(lab_write(kv, lab_update(1, 10, 1, 1), 1, &reply), SQ_OK);
    kv_close(kv);
    scribble(env, "test.db", "SQLite format", "no database!!");
    CHECK_EQUAL(kv_open(env, "test.db", &lab_wal, &kv, message), SQ_E_INVALID);
    CHECK(kv == NULL);
    CHECK(strstr(message, "not a database") != NULL);
}

TEST(kv, a_file_that_is_no_database_is_corrupt)
{
    lab_do(script_corrupt);
}

static void script_foreign(struct sq_env *env)
{
    static const struct kv_options options = {.journal = KV_JOURNAL_DELETE,
                                              .synchronous = KV_SYNCHRONOUS_FULL};
    char message[KV_MESSAGE_SIZE];
    struct kv *kv = lab_open(env, &options);
    kv_close(kv);
    scribble(env, "test.db", "position", "positiom");
    CHECK_EQUAL(kv_open(env, "test.db", &options, &kv, message), SQ_E_INVALID);
    CHECK(strstr(message, "meta") != NULL);
}

TEST(kv, a_meta_table_of_another_make_is_corrupt)
{
    lab_do(script_foreign);
}

/* ---------------------------------------------------------------------- failing disks */

/* Fails the n-th call of some kind, or all from the n-th on. */
struct failing {
    struct disk_filter filter; /* first */
    uint32_t methods;
    enum sq_status status;
    uint64_t countdown;
    bool is_lasting;
    bool has_fired;
};

static struct failing failing;

static void fail_call(struct disk_filter *filter, struct disk_call *call, uint32_t method)
{
    (void)filter;
    if ((method & failing.methods) == 0) {
        return;
    }
    if (failing.countdown > 0) {
        failing.countdown--;
    }
    if (failing.countdown == 0 && (failing.is_lasting || !failing.has_fired)) {
        failing.has_fired = true;
        call->status = failing.status;
    }
}

static uint64_t committed; /* last position whose commit returned SQ_OK */

/* Up to ten transactions against a disk that fails; each failure is rolled back. */
static void script_failing(struct sq_env *env)
{
    static const enum kv_journal journals[] = {KV_JOURNAL_WAL, KV_JOURNAL_DELETE,
                                               KV_JOURNAL_TRUNCATE};
    struct kv_options options = {.journal = journals[env->options[0].number],
                                 .synchronous = KV_SYNCHRONOUS_EXTRA};
    char message[KV_MESSAGE_SIZE];
    struct kv *kv = NULL;
    if (kv_open(env, "test.db", &options, &kv, message) != SQ_OK) {
        CHECK(kv == NULL);
        CHECK(message[0] != '\0');
        return;
    }
    for (uint64_t i = 1; i <= 10; i++) {
        struct sq_kv_reply reply;
        enum sq_status status = lab_write(kv, lab_update(i % 3, i, 1, i), i, &reply);
        if (status == SQ_OK) {
            committed = i;
            continue;
        }
        CHECK(kv_message(kv)[0] != '\0');
        if (kv_rollback(kv) == SQ_OK) {
            uint64_t position = kv_position(kv);
            CHECK(position == committed || position == i);
            committed = position;
        }
    }
}

static void script_healed(struct sq_env *env)
{
    struct kv_options options = {.journal = KV_JOURNAL_WAL, .synchronous = KV_SYNCHRONOUS_FULL};
    char message[KV_MESSAGE_SIZE];
    struct kv *kv = lab_open(env, &options);
    CHECK_EQUAL(kv_examine(kv, message), SQ_OK);
    CHECK_TEXT(message, "");
    CHECK(kv_position(kv) >= committed);
    kv_close(kv);
}

/* Tries every n until none fires; returns how many did. */
static uint64_t fail_each(uint32_t methods, enum sq_status status, bool is_lasting)
{
    struct lab *lab = lab_new(1);
    uint64_t fired = 0;
    for (int64_t journal = 0; journal < 3; journal++) {
        struct sq_value option = {.number = journal};
        lab->group.options = &option;
        bool has_fired = true;
        for (uint64_t n = 1; has_fired; n += is_lasting ? 5 : 2) {
            failing = (struct failing){.filter = {.apply = fail_call},
                                       .methods = methods,
                                       .status = status,
                                       .countdown = n,
                                       .is_lasting = is_lasting};
            committed = 0;
            lab_script = script_failing;
            world_reset(lab->world, &lab->spec, n, NULL);
            disk_filter_add(lab->world->nodes[0].disk, &failing.filter);
            world_run(lab->world, LAB_RUN_NS, UINT64_MAX);
            disk_filter_remove(lab->world->nodes[0].disk, &failing.filter);
            has_fired = failing.has_fired;
            fired += has_fired;
            lab_again(lab, script_healed, n % 4 == 1);
        }
    }
    lab_free(lab);
    return fired;
}

TEST(kv, a_failing_write_loses_nothing_committed)
{
    CHECK(fail_each(SPEC_IO_WRITE, SQ_E_IO, false) > 50);
}

TEST(kv, a_failing_sync_loses_nothing_committed)
{
    CHECK(fail_each(SPEC_IO_SYNC | SPEC_IO_DIRECTORY, SQ_E_IO, false) > 20);
}

TEST(kv, a_failing_read_loses_nothing_committed)
{
    CHECK(fail_each(SPEC_IO_READ | SPEC_IO_OPEN, SQ_E_IO, false) > 10);
}

TEST(kv, a_disk_that_stays_full_loses_nothing_committed)
{
    CHECK(fail_each(SPEC_IO_WRITE, SQ_E_NOSPC, true) > 10);
}

static void script_full(struct sq_env *env)
{
    struct kv *kv = lab_open(env, &lab_wal);
    struct sq_kv_reply reply;
    CHECK_EQUAL(lab_write(kv, lab_update(1, 1, 1, 1), 1, &reply), SQ_OK);
    failing = (struct failing){.filter = {.apply = fail_call},
                               .methods = SPEC_IO_WRITE,
                               .status = SQ_E_NOSPC,
                               .countdown = 1,
                               .is_lasting = true};
    struct disk *disk = node_of(env)->disk;
    disk_filter_add(disk, &failing.filter);
    CHECK_EQUAL(lab_write(kv, lab_update(1, 2, 1, 2), 2, &reply), SQ_E_NOSPC);
    CHECK(strstr(kv_message(kv), "full") != NULL);
    CHECK_EQUAL(kv_rollback(kv), SQ_OK);
    disk_filter_remove(disk, &failing.filter);
    CHECK_EQUAL(lab_write(kv, lab_update(1, 3, 1, 3), 2, &reply), SQ_OK);
    CHECK_EQUAL(read_key(kv, 1), 3);
    kv_close(kv);
}

TEST(kv, a_full_disk_has_a_status_of_its_own)
{
    lab_do(script_full);
}

static void script_unreadable(struct sq_env *env)
{
    struct kv_options options = {
        .journal = KV_JOURNAL_DELETE, .synchronous = KV_SYNCHRONOUS_FULL, .cache_pages = 1};
    char message[KV_MESSAGE_SIZE];
    struct kv *kv = lab_open(env, &options);
    struct sq_kv_reply reply;
    for (uint64_t i = 1; i <= 3; i++) {
        CHECK_EQUAL(lab_write(kv, lab_update(i, i, 1, i), i, &reply), SQ_OK);
    }
    kv_close(kv);
    kv = lab_open(env, &options);
    struct disk *disk = node_of(env)->disk;
    failing = (struct failing){.filter = {.apply = fail_call},
                               .methods = SPEC_IO_READ,
                               .status = SQ_E_IO,
                               .countdown = 1,
                               .is_lasting = true};
    disk_filter_add(disk, &failing.filter);
    CHECK_EQUAL(kv_examine(kv, message), SQ_E_IO);
    CHECK(message[0] != '\0');
    disk_filter_remove(disk, &failing.filter);
    CHECK_EQUAL(kv_examine(kv, message), SQ_OK);
    kv_close(kv);
}

TEST(kv, a_disk_that_cannot_be_read_is_not_called_corrupt)
{
    lab_do(script_unreadable);
}
