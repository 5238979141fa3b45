/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The disk, behaviour by behaviour. What needs a random choice of the disk is tried under many
 * seeds: `always` facts must hold under all of them, possible ones must be seen under some.
 * Random histories are in test_disk_reference.c. */
#include "tests/unit/harness.h"

#include "sim/base/base.h"
#include "sim/disk.h"

#include <malloc.h>
#include <stdio.h>

#define SEEDS 60
#define PAGE  4096
#define MS    INT64_C(1000000)

struct fixture {
    struct disk *disk;
    struct spec_disk spec;
    int64_t now_ns;
};

static struct fixture fixture_new(enum spec_directory directory)
{
    return (struct fixture){
        .disk = disk_new(),
        .spec = {.capacity_bytes = INT64_MAX, .directory = directory, .sector_bytes = 512},
    };
}

static void fixture_reset(struct fixture *fixture, uint64_t seed)
{
    fixture->now_ns = 0;
    disk_reset(fixture->disk, &fixture->spec, rng_stream(seed, "n1", 0, "disk"));
}

/* A call from its beginning to its end; the clock moves on to when it is done. */
static enum sq_status perform(struct fixture *fixture, struct disk_call *call)
{
    disk_begin(fixture->disk, fixture->now_ns, call);
    fixture->now_ns = call->done_ns;
    disk_end(fixture->disk, call);
    return call->status;
}

static sq_file opened(struct fixture *fixture, const char *name)
{
    struct disk_call call = {.method = DISK_OPEN, .name = name, .flags = SQ_OPEN_CREATE};
    CHECK_EQUAL(perform(fixture, &call), SQ_OK);
    CHECK(call.opened != 0);
    return call.opened;
}

static enum sq_status open_with(struct fixture *fixture, const char *name, uint32_t flags)
{
    struct disk_call call = {.method = DISK_OPEN, .name = name, .flags = flags};
    return perform(fixture, &call);
}

static enum sq_status closed(struct fixture *fixture, sq_file file)
{
    struct disk_call call = {.method = DISK_CLOSE, .file = file};
    return perform(fixture, &call);
}

static enum sq_status written(struct fixture *fixture, sq_file file, const void *data, size_t size,
                              uint64_t offset)
{
    struct disk_call call = {
        .method = DISK_WRITE, .file = file, .source = data, .size = size, .offset = offset};
    return perform(fixture, &call);
}

/* Fills `size` bytes from `offset` on. */
static enum sq_status filled(struct fixture *fixture, sq_file file, char value, size_t size,
                             uint64_t offset)
{
    static char data[1 << 20];
    ASSERT(size <= sizeof(data));
    memset(data, value, size);
    return written(fixture, file, data, size, offset);
}

static enum sq_status synced(struct fixture *fixture, sq_file file)
{
    struct disk_call call = {.method = DISK_SYNC, .file = file};
    return perform(fixture, &call);
}

static enum sq_status synced_dir(struct fixture *fixture)
{
    struct disk_call call = {.method = DISK_SYNC_DIR};
    return perform(fixture, &call);
}

static enum sq_status truncated(struct fixture *fixture, sq_file file, uint64_t size)
{
    struct disk_call call = {.method = DISK_TRUNCATE, .file = file, .offset = size};
    return perform(fixture, &call);
}

static enum sq_status removed(struct fixture *fixture, const char *name)
{
    struct disk_call call = {.method = DISK_REMOVE, .name = name};
    return perform(fixture, &call);
}

static enum sq_status renamed(struct fixture *fixture, const char *from, const char *to)
{
    struct disk_call call = {.method = DISK_RENAME, .name = from, .name_to = to};
    return perform(fixture, &call);
}

static int64_t size_of(struct fixture *fixture, sq_file file)
{
    struct disk_call call = {.method = DISK_SIZE, .file = file};
    CHECK_EQUAL(perform(fixture, &call), SQ_OK);
    return (int64_t)call.file_size;
}

/* How much was read of what was asked for. */
static size_t got(struct fixture *fixture, sq_file file, void *data, size_t size, uint64_t offset)
{
    struct disk_call call = {
        .method = DISK_READ, .file = file, .data = data, .size = size, .offset = offset};
    CHECK_EQUAL(perform(fixture, &call), SQ_OK);
    return call.got;
}

/* The first byte of a file, '-' when there is no such file, '0' when it is empty. */
static char content_of(struct fixture *fixture, const char *name)
{
    struct disk_call call = {.method = DISK_OPEN, .name = name};
    if (perform(fixture, &call) != SQ_OK) {
        CHECK_EQUAL(call.status, SQ_E_NOENT);
        return '-';
    }
    char value = '0';
    got(fixture, call.opened, &value, 1, 0);
    CHECK_EQUAL(closed(fixture, call.opened), SQ_OK);
    return value;
}

static bool is_all(const char *data, char value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (data[i] != value) {
            return false;
        }
    }
    return true;
}

/* ------------------------------------------------------------------------------------------------
 * what is visible */

TEST(disk, what_is_written_is_read_at_once_and_gaps_are_zeros)
{
    struct fixture fixture = fixture_new(SPEC_DIRECTORY_STRICT);
    fixture_reset(&fixture, 1);
    sq_file file = opened(&fixture, "a");
    char data[300];
    CHECK_EQUAL(got(&fixture, file, data, sizeof(data), 0), 0);
    CHECK_EQUAL(written(&fixture, file, "tail", 4, 3 * PAGE + 10), SQ_OK);
    CHECK_EQUAL(size_of(&fixture, file), 3 * PAGE + 14);
    CHECK_EQUAL(got(&fixture, file, data, 300, PAGE - 100), 300);
    CHECK(is_all(data, 0, 300));
    CHECK_EQUAL(got(&fixture, file, data, 300, 3 * PAGE + 8), 6);
    CHECK(memcmp(data, "\0\0tail", 6) == 0);
    CHECK_EQUAL(got(&fixture, file, data, 300, 4 * PAGE), 0);
    CHECK_EQUAL(got(&fixture, file, data, 300, UINT64_MAX), 0);
    CHECK_EQUAL(written(&fixture, file, NULL, 0, 0), SQ_OK);
    CHECK_EQUAL(size_of(&fixture, file), 3 * PAGE + 14);
    disk_free(fixture.disk);
}

TEST(disk, what_a_truncation_cut_off_does_not_come_back)
{
    struct fixture fixture = fixture_new(SPEC_DIRECTORY_STRICT);
    fixture_reset(&fixture, 1);
    sq_file file = opened(&fixture, "a");
    char data[3 * PAGE];
    CHECK_EQUAL(filled(&fixture, file, 'x', 3 * PAGE, 0), SQ_OK);
    CHECK_EQUAL(truncated(&fixture, file, 100), SQ_OK);
    CHECK_EQUAL(size_of(&fixture, file), 100);
    CHECK_EQUAL(truncated(&fixture, file, 3 * PAGE), SQ_OK);
    CHECK_EQUAL(got(&fixture, file, data, sizeof(data), 0), 3 * PAGE);
    CHECK(is_all(data, 'x', 100));
    CHECK(is_all(data + 100, 0, 3 * PAGE - 100));
    disk_free(fixture.disk);
}

TEST(disk, open_obeys_its_flags)
{
    struct fixture fixture = fixture_new(SPEC_DIRECTORY_STRICT);
    fixture_reset(&fixture, 1);
    CHECK_EQUAL(open_with(&fixture, "a", 0), SQ_E_NOENT);
    CHECK_EQUAL(open_with(&fixture, "a", SQ_OPEN_TRUNCATE), SQ_E_NOENT);
    CHECK(!disk_exists(fixture.disk, "a"));
    CHECK_EQUAL(open_with(&fixture, "a", SQ_OPEN_CREATE | SQ_OPEN_EXCLUSIVE), SQ_OK);
    CHECK(disk_exists(fixture.disk, "a"));
    CHECK_EQUAL(open_with(&fixture, "a", SQ_OPEN_CREATE | SQ_OPEN_EXCLUSIVE), SQ_E_EXIST);
    sq_file file = opened(&fixture, "a");
    CHECK_EQUAL(filled(&fixture, file, 'x', 10, 0), SQ_OK);
    CHECK_EQUAL(open_with(&fixture, "a", SQ_OPEN_CREATE), SQ_OK);
    CHECK_EQUAL(size_of(&fixture, file), 10);
    CHECK_EQUAL(open_with(&fixture, "a", SQ_OPEN_TRUNCATE), SQ_OK);
    CHECK_EQUAL(size_of(&fixture, file), 0);
    disk_free(fixture.disk);
}

TEST(disk, bad_names_files_and_sizes_are_refused)
{
    struct fixture fixture = fixture_new(SPEC_DIRECTORY_STRICT);
    fixture_reset(&fixture, 1);
    char name[257];
    memset(name, 'n', sizeof(name));
    name[256] = '\0';
    CHECK_EQUAL(open_with(&fixture, name, SQ_OPEN_CREATE), SQ_E_INVALID);
    CHECK_EQUAL(open_with(&fixture, "", SQ_OPEN_CREATE), SQ_E_INVALID);
    name[255] = '\0';
    CHECK_EQUAL(open_with(&fixture, name, SQ_OPEN_CREATE), SQ_OK);
    CHECK_TEXT(disk_list(fixture.disk, 0), name);
    CHECK_EQUAL(removed(&fixture, "a"), SQ_E_NOENT);
    CHECK_EQUAL(removed(&fixture, ""), SQ_E_INVALID);
    CHECK_EQUAL(renamed(&fixture, "a", "b"), SQ_E_NOENT);
    CHECK_EQUAL(renamed(&fixture, name, ""), SQ_E_INVALID);
    CHECK(!disk_exists(fixture.disk, ""));
    CHECK(!disk_exists(fixture.disk, "a"));
    sq_file file = opened(&fixture, "a");
    CHECK_EQUAL(closed(&fixture, file), SQ_OK);
    CHECK_EQUAL(closed(&fixture, file), SQ_E_INVALID);
    CHECK_EQUAL(closed(&fixture, 0), SQ_E_INVALID);
    sq_file again = opened(&fixture, "a");
    CHECK(again != file);
    CHECK_EQUAL(filled(&fixture, file, 'x', 10, 0), SQ_E_INVALID);
    CHECK_EQUAL(synced(&fixture, file), SQ_E_INVALID);
    CHECK_EQUAL(truncated(&fixture, 4095, 0), SQ_E_INVALID);
    CHECK_EQUAL(filled(&fixture, again, 'x', 10, UINT64_MAX - 4), SQ_E_NOSPC);
    CHECK_EQUAL(truncated(&fixture, again, UINT64_MAX), SQ_E_NOSPC);
    CHECK_EQUAL(size_of(&fixture, again), 0);
    disk_free(fixture.disk);
}

TEST(disk, too_many_open_files_are_refused_until_one_is_closed)
{
    struct fixture fixture = fixture_new(SPEC_DIRECTORY_STRICT);
    fixture_reset(&fixture, 1);
    sq_file first = opened(&fixture, "a");
    for (int i = 1; i < 4095; i++) {
        opened(&fixture, "a");
    }
    CHECK_EQUAL(open_with(&fixture, "a", 0), SQ_E_UNAVAILABLE);
    CHECK_EQUAL(open_with(&fixture, "b", SQ_OPEN_CREATE), SQ_E_UNAVAILABLE);
    CHECK(!disk_exists(fixture.disk, "b"));
    CHECK_EQUAL(closed(&fixture, first), SQ_OK);
    CHECK_EQUAL(open_with(&fixture, "a", 0), SQ_OK);
    disk_free(fixture.disk);
}

TEST(disk, names_are_listed_in_the_order_of_their_creation)
{
    struct fixture fixture = fixture_new(SPEC_DIRECTORY_ORDERED);
    fixture_reset(&fixture, 1);
    const char *names[] = {"z", "b", "a", "y"};
    for (uint32_t i = 0; i < ARRAY_COUNT(names); i++) {
        opened(&fixture, names[i]);
    }
    CHECK_EQUAL(removed(&fixture, "b"), SQ_OK);
    CHECK_EQUAL(renamed(&fixture, "z", "new"), SQ_OK);
    CHECK_EQUAL(renamed(&fixture, "y", "a"), SQ_OK);
    opened(&fixture, "b");
    const char *expected[] = {"a", "new", "b"};
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < ARRAY_COUNT(expected); i++) {
            CHECK_TEXT(disk_list(fixture.disk, i), expected[i]);
        }
        CHECK(disk_list(fixture.disk, 3) == NULL);
        CHECK_EQUAL(synced_dir(&fixture), SQ_OK);
        disk_power_loss(fixture.disk);
    }
    disk_free(fixture.disk);
}

TEST(disk, a_removed_file_lives_until_it_is_closed)
{
    struct fixture fixture = fixture_new(SPEC_DIRECTORY_STRICT);
    fixture_reset(&fixture, 1);
    sq_file file = opened(&fixture, "a");
    CHECK_EQUAL(filled(&fixture, file, 'x', 2 * PAGE, 0), SQ_OK);
    CHECK_EQUAL(removed(&fixture, "a"), SQ_OK);
    CHECK(!disk_exists(fixture.disk, "a"));
    sq_file other = opened(&fixture, "a");
    CHECK_EQUAL(filled(&fixture, other, 'y', 1, 0), SQ_OK);
    char value = 0;
    CHECK_EQUAL(got(&fixture, file, &value, 1, PAGE), 1);
    CHECK_EQUAL(value, 'x');
    CHECK_EQUAL(synced(&fixture, file), SQ_OK);
    CHECK_EQUAL(disk_used_bytes(fixture.disk), 3 * PAGE);
    CHECK_EQUAL(closed(&fixture, file), SQ_OK);
    CHECK_EQUAL(disk_used_bytes(fixture.disk), PAGE);
    CHECK_EQUAL(renamed(&fixture, "a", "a"), SQ_OK);
    CHECK_EQUAL(content_of(&fixture, "a"), 'y');
    disk_free(fixture.disk);
}

/* ------------------------------------------------------------------------------------------------
 * durability */

TEST(disk, what_was_synced_survives_every_power_loss)
{
    struct fixture fixture = fixture_new(SPEC_DIRECTORY_STRICT);
    char data[3 * PAGE];
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        fixture_reset(&fixture, seed);
        sq_file file = opened(&fixture, "a");
        filled(&fixture, file, 'a', 3 * PAGE, 0);
        synced(&fixture, file);
        synced_dir(&fixture);
        uint64_t digest = disk_durable_digest(fixture.disk);
        for (int i = 0; i < 3; i++) {
            disk_power_loss(fixture.disk);
        }
        CHECK_EQUAL(disk_durable_digest(fixture.disk), digest);
        file = opened(&fixture, "a");
        CHECK_EQUAL(got(&fixture, file, data, sizeof(data), 0), sizeof(data));
        CHECK(is_all(data, 'a', sizeof(data)));
        CHECK_EQUAL(disk_used_bytes(fixture.disk), 3 * PAGE);
    }
    CHECK_EQUAL(disk_syncs(fixture.disk), 2);
    disk_free(fixture.disk);
}

/* Which first bytes of `name` are seen after a power loss, over many seeds; `prepare` makes the
 * history. */
static void see_outcomes(enum spec_directory directory, void (*prepare)(struct fixture *fixture),
                         const char *name, char *seen)
{
    struct fixture fixture = fixture_new(directory);
    size_t count = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        fixture_reset(&fixture, seed);
        prepare(&fixture);
        disk_power_loss(fixture.disk);
        char value = content_of(&fixture, name);
        seen[count] = '\0';
        if (strchr(seen, value) == NULL) {
            seen[count] = value;
            count++;
        }
    }
    seen[count] = '\0';
    /* In alphabetical order, to be compared. */
    for (size_t i = 1; i < count; i++) {
        for (size_t j = i; j > 0 && seen[j] < seen[j - 1]; j--) {
            char swapped = seen[j];
            seen[j] = seen[j - 1];
            seen[j - 1] = swapped;
        }
    }
    disk_free(fixture.disk);
}

static void prepare_unsynced_name(struct fixture *fixture)
{
    sq_file file = opened(fixture, "a");
    filled(fixture, file, 'a', 100, 0);
    synced(fixture, file);
}

TEST(disk, a_synced_file_without_a_synced_name_may_be_lost_only_when_strict)
{
    char seen[8];
    see_outcomes(SPEC_DIRECTORY_STRICT, prepare_unsynced_name, "a", seen);
    CHECK_TEXT(seen, "-a");
    see_outcomes(SPEC_DIRECTORY_ORDERED, prepare_unsynced_name, "a", seen);
    CHECK_TEXT(seen, "a");
}

static void prepare_earlier_names(struct fixture *fixture)
{
    sq_file other = opened(fixture, "other");
    sq_file file = opened(fixture, "a");
    filled(fixture, file, 'a', 100, 0);
    synced(fixture, file);
    CHECK_EQUAL(removed(fixture, "a"), SQ_OK);
    synced(fixture, other);
}

TEST(disk, a_sync_of_another_file_commits_earlier_changes_only_when_ordered)
{
    char seen[8];
    see_outcomes(SPEC_DIRECTORY_ORDERED, prepare_earlier_names, "a", seen);
    CHECK_TEXT(seen, "-");
    see_outcomes(SPEC_DIRECTORY_STRICT, prepare_earlier_names, "a", seen);
    CHECK_TEXT(seen, "-a");
}

static void prepare_second_inode(struct fixture *fixture)
{
    sq_file file = opened(fixture, "a");
    filled(fixture, file, 'a', PAGE, 0);
    synced(fixture, file);
    synced_dir(fixture);
    CHECK_EQUAL(removed(fixture, "a"), SQ_OK);
    file = opened(fixture, "a");
    filled(fixture, file, 'b', 100, 0);
    synced(fixture, file);
}

TEST(disk, a_file_that_was_removed_and_created_again_is_the_old_or_the_new_one)
{
    char seen[8];
    see_outcomes(SPEC_DIRECTORY_STRICT, prepare_second_inode, "a", seen);
    CHECK_TEXT(seen, "-ab");
    see_outcomes(SPEC_DIRECTORY_ORDERED, prepare_second_inode, "a", seen);
    CHECK_TEXT(seen, "b");
    struct fixture fixture = fixture_new(SPEC_DIRECTORY_STRICT);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        fixture_reset(&fixture, seed);
        prepare_second_inode(&fixture);
        disk_power_loss(fixture.disk);
        char value = content_of(&fixture, "a");
        if (value != '-') {
            sq_file file = opened(&fixture, "a");
            CHECK_EQUAL(size_of(&fixture, file), value == 'a' ? PAGE : 100);
        }
    }
    disk_free(fixture.disk);
}

static void prepare_rename(struct fixture *fixture)
{
    sq_file file = opened(fixture, "a");
    filled(fixture, file, 'o', 100, 0);
    synced(fixture, file);
    synced_dir(fixture);
    file = opened(fixture, "a.tmp");
    filled(fixture, file, 'n', 100, 0);
    synced(fixture, file);
    CHECK_EQUAL(renamed(fixture, "a.tmp", "a"), SQ_OK);
}

TEST(disk, a_rename_is_atomic)
{
    char seen[8];
    for (int strict = 0; strict < 2; strict++) {
        enum spec_directory directory = strict ? SPEC_DIRECTORY_STRICT : SPEC_DIRECTORY_ORDERED;
        see_outcomes(directory, prepare_rename, "a", seen);
        CHECK_TEXT(seen, "no");
        see_outcomes(directory, prepare_rename, "a.tmp", seen);
        CHECK_TEXT(seen, strict ? "-n" : "-n");
        struct fixture fixture = fixture_new(directory);
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            fixture_reset(&fixture, seed);
            prepare_rename(&fixture);
            disk_power_loss(fixture.disk);
            /* The new content is never under both names. */
            bool is_new = content_of(&fixture, "a") == 'n';
            CHECK(!is_new || !disk_exists(fixture.disk, "a.tmp"));
        }
        disk_free(fixture.disk);
    }
}

static void prepare_overtaking(struct fixture *fixture)
{
    synced(fixture, opened(fixture, "lock"));
    synced_dir(fixture);
    opened(fixture, "first");
    opened(fixture, "second");
}

TEST(disk, later_names_overtake_earlier_ones_only_when_strict)
{
    for (int strict = 0; strict < 2; strict++) {
        struct fixture fixture =
            fixture_new(strict ? SPEC_DIRECTORY_STRICT : SPEC_DIRECTORY_ORDERED);
        uint32_t overtaken = 0;
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            fixture_reset(&fixture, seed);
            prepare_overtaking(&fixture);
            disk_power_loss(fixture.disk);
            bool is_second = disk_exists(fixture.disk, "second");
            overtaken += is_second && !disk_exists(fixture.disk, "first") ? 1 : 0;
            CHECK(disk_exists(fixture.disk, "lock"));
        }
        CHECK_EQUAL(overtaken > 0, strict);
        disk_free(fixture.disk);
    }
}

/* Overwrites 'A' by an unsynced 'B' and looks at what each unit of `unit` bytes holds after a
 * power loss. */
static void tear(uint32_t sector_bytes, bool is_in_flight)
{
    struct fixture fixture = fixture_new(SPEC_DIRECTORY_ORDERED);
    fixture.spec.sector_bytes = sector_bytes;
    uint32_t old = 0;
    uint32_t new = 0;
    uint32_t mixed = 0;
    static char data[4 * PAGE];
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        fixture_reset(&fixture, seed);
        sq_file file = opened(&fixture, "a");
        filled(&fixture, file, 'A', sizeof(data), 0);
        synced(&fixture, file);
        filled(&fixture, file, 'B', sizeof(data) - 2 * sector_bytes, sector_bytes);
        struct disk_call sync = {.method = DISK_SYNC, .file = file};
        if (is_in_flight) {
            disk_begin(fixture.disk, 0, &sync);
        }
        disk_power_loss(fixture.disk);
        if (is_in_flight) {
            disk_end(fixture.disk, &sync);
            CHECK_EQUAL(sync.status, SQ_E_CRASH);
        }
        file = opened(&fixture, "a");
        CHECK_EQUAL(got(&fixture, file, data, sizeof(data), 0), sizeof(data));
        uint32_t new_sectors = 0;
        for (size_t at = 0; at < sizeof(data); at += sector_bytes) {
            CHECK(is_all(data + at, data[at], sector_bytes));
            CHECK(data[at] == 'A' || data[at] == 'B');
            new_sectors += data[at] == 'B' ? 1 : 0;
        }
        CHECK_EQUAL(data[0], 'A');
        CHECK_EQUAL(data[sizeof(data) - 1], 'A');
        uint32_t all = (uint32_t)sizeof(data) / sector_bytes - 2;
        old += new_sectors == 0 ? 1 : 0;
        new += new_sectors == all ? 1 : 0;
        mixed += new_sectors > 0 && new_sectors < all ? 1 : 0;
    }
    CHECK(old > SEEDS / 4);
    CHECK(new > SEEDS / 4);
    CHECK(mixed > 0);
    disk_free(fixture.disk);
}

TEST(disk, unsynced_writes_tear_at_sectors_only)
{
    tear(512, false);
}

TEST(disk, large_sectors_do_not_tear_inside)
{
    tear(4096, false);
}

TEST(disk, a_sync_in_flight_may_leave_any_of_its_sectors)
{
    tear(512, true);
}

TEST(disk, an_append_may_leave_its_size_without_all_of_its_sectors)
{
    struct fixture fixture = fixture_new(SPEC_DIRECTORY_ORDERED);
    uint32_t holes = 0;
    uint32_t short_ones = 0;
    char data[8 * 512];
    for (uint64_t seed = 0; seed < 4 * SEEDS; seed++) {
        fixture_reset(&fixture, seed);
        sq_file file = opened(&fixture, "log");
        synced(&fixture, file);
        filled(&fixture, file, 'a', sizeof(data) - 12, 0);
        disk_power_loss(fixture.disk);
        file = opened(&fixture, "log");
        size_t size = got(&fixture, file, data, sizeof(data), 0);
        CHECK(size % 512 == 0 || size == sizeof(data) - 12);
        holes += size == sizeof(data) - 12 && data[size - 1] == 0 ? 1 : 0;
        short_ones += size > 0 && size < sizeof(data) - 12 ? 1 : 0;
        CHECK(size == 0 || size == sizeof(data) - 12 || data[size - 1] == 'a');
    }
    CHECK(holes > 0);
    CHECK(short_ones > 0);
    disk_free(fixture.disk);
}

/* Two appends within a sector: the page cache never held the second one without the first. */
TEST(disk, a_sector_holds_a_state_that_the_page_cache_had)
{
    struct fixture fixture = fixture_new(SPEC_DIRECTORY_ORDERED);
    uint32_t shorter = 0;
    char data[300];
    for (uint64_t seed = 0; seed < 4 * SEEDS; seed++) {
        fixture_reset(&fixture, seed);
        sq_file file = opened(&fixture, "log");
        synced(&fixture, file);
        for (uint32_t i = 0; i < 3; i++) {
            filled(&fixture, file, (char)('a' + i), 100, 100 * i);
        }
        disk_power_loss(fixture.disk);
        file = opened(&fixture, "log");
        size_t size = got(&fixture, file, data, sizeof(data), 0);
        CHECK_EQUAL(size % 100, 0);
        bool is_last = size == 300 && data[299] == 'c';
        CHECK(!is_last || (is_all(data, 'a', 100) && is_all(data + 100, 'b', 100)));
        shorter += size > 0 && size < 300 ? 1 : 0;
    }
    CHECK(shorter > 0);
    disk_free(fixture.disk);
}

TEST(disk, what_is_written_while_a_sync_is_in_flight_is_not_covered_by_it)
{
    struct fixture fixture = fixture_new(SPEC_DIRECTORY_ORDERED);
    uint32_t lost[2] = {0, 0};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        fixture_reset(&fixture, seed);
        sq_file file = opened(&fixture, "a");
        filled(&fixture, file, 'a', 512, 0);
        struct disk_call sync = {.method = DISK_SYNC, .file = file};
        disk_begin(fixture.disk, 0, &sync);
        filled(&fixture, file, 'b', 512, 512);
        opened(&fixture, "later");
        /* Closing and removing the file does not disturb its sync. */
        CHECK_EQUAL(closed(&fixture, file), SQ_OK);
        disk_end(fixture.disk, &sync);
        CHECK_EQUAL(sync.status, SQ_OK);
        disk_power_loss(fixture.disk);
        file = opened(&fixture, "a");
        char data[1024] = {0};
        size_t size = got(&fixture, file, data, sizeof(data), 0);
        CHECK(size >= 512);
        CHECK(is_all(data, 'a', 512));
        lost[0] += size < 1024 || data[512] != 'b' ? 1 : 0;
        lost[1] += disk_exists(fixture.disk, "later") ? 0 : 1;
    }
    CHECK(lost[0] > 0);
    CHECK(lost[0] < SEEDS);
    CHECK(lost[1] > 0);
    CHECK(lost[1] < SEEDS);
    disk_free(fixture.disk);
}

TEST(disk, syncs_that_end_in_another_order_keep_what_both_covered)
{
    struct fixture fixture = fixture_new(SPEC_DIRECTORY_ORDERED);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        fixture_reset(&fixture, seed);
        sq_file file = opened(&fixture, "a");
        struct disk_call syncs[2] = {{.method = DISK_SYNC, .file = file},
                                     {.method = DISK_SYNC, .file = file}};
        filled(&fixture, file, 'a', 512, 0);
        disk_begin(fixture.disk, 0, &syncs[0]);
        filled(&fixture, file, 'b', 512, 0);
        disk_begin(fixture.disk, 0, &syncs[1]);
        disk_end(fixture.disk, &syncs[1]);
        disk_end(fixture.disk, &syncs[0]);
        disk_power_loss(fixture.disk);
        CHECK_EQUAL(content_of(&fixture, "a"), 'b');
    }
    disk_free(fixture.disk);
}

/* ------------------------------------------------------------------------------------------------
 * crashes */

TEST(disk, a_crash_closes_files_and_keeps_the_page_cache)
{
    struct fixture fixture = fixture_new(SPEC_DIRECTORY_STRICT);
    fixture.spec.read = (struct dist){.kind = DIST_CONSTANT, .a = 5 * MS};
    fixture_reset(&fixture, 1);
    sq_file file = opened(&fixture, "a");
    filled(&fixture, file, 'a', 100, 0);
    struct disk_call read = {.method = DISK_READ, .file = file, .data = &read, .size = 1};
    disk_begin(fixture.disk, 0, &read);
    struct disk_call sync = {.method = DISK_SYNC, .file = file};
    disk_begin(fixture.disk, 0, &sync);
    disk_crash(fixture.disk);
    disk_end(fixture.disk, &sync);
    CHECK_EQUAL(sync.status, SQ_E_CRASH);
    disk_end(fixture.disk, &read);
    CHECK_EQUAL(read.status, SQ_E_INVALID);
    CHECK_EQUAL(filled(&fixture, file, 'b', 100, 0), SQ_E_INVALID);
    int64_t before_ns = fixture.now_ns;
    CHECK_EQUAL(content_of(&fixture, "a"), 'a');
    CHECK_EQUAL(fixture.now_ns, before_ns);
    CHECK(opened(&fixture, "a") != file);
    CHECK_EQUAL(disk_syncs(fixture.disk), 0);
    disk_free(fixture.disk);
}

TEST(disk, a_crash_leaves_the_data_of_syncs_in_flight_dirty)
{
    struct fixture fixture = fixture_new(SPEC_DIRECTORY_ORDERED);
    fixture.spec.write_bandwidth = 1000000;
    uint32_t lost = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        fixture_reset(&fixture, seed);
        sq_file file = opened(&fixture, "a");
        synced(&fixture, file);
        filled(&fixture, file, 'a', 100, 0);
        struct disk_call sync = {.method = DISK_SYNC, .file = file};
        disk_begin(fixture.disk, 0, &sync);
        CHECK_EQUAL(sync.done_ns, 100000);
        disk_crash(fixture.disk);
        if (seed % 2 == 0) {
            disk_power_loss(fixture.disk);
            lost += content_of(&fixture, "a") == 'a' ? 0 : 1;
        } else {
            sync = (struct disk_call){.method = DISK_SYNC, .file = opened(&fixture, "a")};
            disk_begin(fixture.disk, MS, &sync);
            CHECK_EQUAL(sync.done_ns, MS + 100000);
        }
    }
    CHECK(lost > 0);
    disk_free(fixture.disk);
}

TEST(disk, a_wipe_leaves_nothing)
{
    struct fixture fixture = fixture_new(SPEC_DIRECTORY_STRICT);
    fixture_reset(&fixture, 1);
    uint64_t empty = disk_durable_digest(fixture.disk);
    sq_file file = opened(&fixture, "a");
    filled(&fixture, file, 'a', 100, 0);
    struct disk_call sync = {.method = DISK_SYNC, .file = file};
    disk_begin(fixture.disk, 0, &sync);
    synced_dir(&fixture);
    CHECK(disk_durable_digest(fixture.disk) != empty);
    disk_wipe(fixture.disk);
    disk_end(fixture.disk, &sync);
    CHECK_EQUAL(sync.status, SQ_E_CRASH);
    CHECK(!disk_exists(fixture.disk, "a"));
    CHECK(disk_list(fixture.disk, 0) == NULL);
    CHECK_EQUAL(disk_used_bytes(fixture.disk), 0);
    CHECK_EQUAL(disk_durable_digest(fixture.disk), empty);
    CHECK_EQUAL(closed(&fixture, file), SQ_E_INVALID);
    file = opened(&fixture, "a");
    CHECK_EQUAL(size_of(&fixture, file), 0);
    disk_free(fixture.disk);
}

/* ------------------------------------------------------------------------------------------------
 * space */

TEST(disk, a_full_disk_refuses_writes_and_changes_nothing)
{
    struct fixture fixture = fixture_new(SPEC_DIRECTORY_STRICT);
    fixture.spec.capacity_bytes = 3 * PAGE;
    fixture_reset(&fixture, 1);
    sq_file file = opened(&fixture, "a");
    sq_file other = opened(&fixture, "b");
    CHECK_EQUAL(filled(&fixture, file, 'a', 1, 100 * PAGE), SQ_OK);
    CHECK_EQUAL(disk_used_bytes(fixture.disk), PAGE);
    CHECK_EQUAL(filled(&fixture, other, 'b', 2 * PAGE, 0), SQ_OK);
    CHECK_EQUAL(filled(&fixture, file, 'c', 2, 101 * PAGE - 1), SQ_E_NOSPC);
    CHECK_EQUAL(filled(&fixture, file, 'c', 1, 0), SQ_E_NOSPC);
    CHECK_EQUAL(size_of(&fixture, file), 100 * PAGE + 1);
    CHECK_EQUAL(content_of(&fixture, "a"), 0);
    /* What is there may be overwritten. */
    CHECK_EQUAL(filled(&fixture, other, 'B', 2 * PAGE, 0), SQ_OK);
    CHECK_EQUAL(truncated(&fixture, other, PAGE), SQ_OK);
    CHECK_EQUAL(disk_used_bytes(fixture.disk), 2 * PAGE);
    CHECK_EQUAL(filled(&fixture, file, 'c', 1, 0), SQ_OK);
    CHECK_EQUAL(filled(&fixture, file, 'c', 1, PAGE), SQ_E_NOSPC);
    CHECK_EQUAL(removed(&fixture, "b"), SQ_OK);
    CHECK_EQUAL(filled(&fixture, file, 'c', 1, PAGE), SQ_E_NOSPC);
    CHECK_EQUAL(closed(&fixture, other), SQ_OK);
    CHECK_EQUAL(filled(&fixture, file, 'c', 1, PAGE), SQ_OK);
    CHECK_EQUAL(disk_used_bytes(fixture.disk), 3 * PAGE);
    disk_free(fixture.disk);
}

TEST(disk, space_is_counted_again_after_a_power_loss)
{
    struct fixture fixture = fixture_new(SPEC_DIRECTORY_ORDERED);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        fixture_reset(&fixture, seed);
        sq_file file = opened(&fixture, "a");
        filled(&fixture, file, 'a', 2 * PAGE, 0);
        synced(&fixture, file);
        truncated(&fixture, file, 0);
        filled(&fixture, opened(&fixture, "b"), 'b', 5 * PAGE, 0);
        CHECK_EQUAL(disk_used_bytes(fixture.disk), 5 * PAGE);
        disk_power_loss(fixture.disk);
        int64_t expected = size_of(&fixture, opened(&fixture, "a"));
        CHECK(expected == 0 || expected == 2 * PAGE);
        if (disk_exists(fixture.disk, "b")) {
            int64_t size = size_of(&fixture, opened(&fixture, "b"));
            /* Holes do not count. */
            CHECK((int64_t)disk_used_bytes(fixture.disk) <= expected + size + PAGE);
            CHECK((int64_t)disk_used_bytes(fixture.disk) >= expected);
        } else {
            CHECK_EQUAL(disk_used_bytes(fixture.disk), expected);
        }
        removed(&fixture, "a");
        removed(&fixture, "b");
        disk_crash(fixture.disk);
        CHECK_EQUAL(disk_used_bytes(fixture.disk), 0);
    }
    disk_free(fixture.disk);
}

TEST(disk, thousands_of_names_that_nobody_syncs_are_committed_in_order)
{
    struct fixture fixture = fixture_new(SPEC_DIRECTORY_STRICT);
    fixture_reset(&fixture, 1);
    char name[32];
    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof(name), "journal-%d", i);
        sq_file file = opened(&fixture, name);
        filled(&fixture, file, 'j', 100, 0);
        CHECK_EQUAL(closed(&fixture, file), SQ_OK);
        if (i >= 10) {
            snprintf(name, sizeof(name), "journal-%d", i - 10);
            CHECK_EQUAL(removed(&fixture, name), SQ_OK);
        }
    }
    CHECK_EQUAL(disk_used_bytes(fixture.disk), 10 * PAGE);
    disk_power_loss(fixture.disk);
    CHECK(!disk_exists(fixture.disk, "journal-1"));
    CHECK(!disk_exists(fixture.disk, "journal-1000"));
    disk_free(fixture.disk);
}

TEST(disk, writes_that_nobody_syncs_are_written_back_when_there_are_too_many)
{
    struct fixture fixture = fixture_new(SPEC_DIRECTORY_ORDERED);
    static char data[1 << 20];
    for (uint64_t seed = 0; seed < 12; seed++) {
        fixture_reset(&fixture, seed);
        sq_file file = opened(&fixture, "a");
        synced(&fixture, file);
        for (char round = 1; round <= 40; round++) {
            CHECK_EQUAL(filled(&fixture, file, round, sizeof(data), 0), SQ_OK);
        }
        disk_power_loss(fixture.disk);
        file = opened(&fixture, "a");
        CHECK_EQUAL(got(&fixture, file, data, sizeof(data), 0), sizeof(data));
        for (size_t at = 0; at < sizeof(data); at += 512) {
            bool is_legal = data[at] >= 20 && data[at] <= 40 && data[at] == data[at + 511];
            REQUIRE(is_legal);
        }
    }
    disk_free(fixture.disk);
}

/* ------------------------------------------------------------------------------------------------
 * time */

TEST(disk, the_device_serves_one_request_after_another)
{
    struct fixture fixture = fixture_new(SPEC_DIRECTORY_STRICT);
    fixture.spec.sync = (struct dist){.kind = DIST_CONSTANT, .a = 2 * MS};
    fixture_reset(&fixture, 1);
    sq_file file = opened(&fixture, "a");
    struct disk_call calls[3] = {{.method = DISK_SYNC, .file = file},
                                 {.method = DISK_SYNC_DIR},
                                 {.method = DISK_SYNC, .file = file}};
    disk_begin(fixture.disk, MS, &calls[0]);
    disk_begin(fixture.disk, MS, &calls[1]);
    CHECK_EQUAL(calls[0].done_ns, 3 * MS);
    CHECK_EQUAL(calls[1].done_ns, 5 * MS);
    disk_begin(fixture.disk, 100 * MS, &calls[2]);
    CHECK_EQUAL(calls[2].done_ns, 102 * MS);
    for (uint32_t i = 0; i < 3; i++) {
        disk_end(fixture.disk, &calls[i]);
    }
    CHECK_EQUAL(disk_syncs(fixture.disk), 3);
    disk_free(fixture.disk);
}

TEST(disk, operations_per_second_are_a_floor_under_latency_and_transfer)
{
    struct fixture fixture = fixture_new(SPEC_DIRECTORY_STRICT);
    fixture.spec.sync = (struct dist){.kind = DIST_CONSTANT, .a = 1000};
    fixture.spec.iops = 3000;
    fixture.spec.write_bandwidth = 3000000;
    fixture_reset(&fixture, 1);
    sq_file file = opened(&fixture, "a");
    CHECK_EQUAL(synced(&fixture, file), SQ_OK);
    CHECK_EQUAL(fixture.now_ns, 333334);
    filled(&fixture, file, 'a', 100, 0);
    filled(&fixture, file, 'b', 150, 0);
    CHECK_EQUAL(fixture.now_ns, 333334);
    /* 250 bytes take 83334 ns, less than the floor. */
    CHECK_EQUAL(synced(&fixture, file), SQ_OK);
    CHECK_EQUAL(fixture.now_ns, 2 * 333334);
    /* 10000 bytes take 3333334 ns. */
    filled(&fixture, file, 'a', 10000, 0);
    CHECK_EQUAL(synced(&fixture, file), SQ_OK);
    CHECK_EQUAL(fixture.now_ns, 2 * 333334 + 1000 + 3333334);
    disk_free(fixture.disk);
}

TEST(disk, a_write_costs_its_own_latency_and_does_not_wait_for_the_device)
{
    struct fixture fixture = fixture_new(SPEC_DIRECTORY_STRICT);
    fixture.spec.write = (struct dist){.kind = DIST_CONSTANT, .a = 700};
    fixture.spec.sync = (struct dist){.kind = DIST_CONSTANT, .a = MS};
    fixture_reset(&fixture, 1);
    sq_file file = opened(&fixture, "a");
    struct disk_call sync = {.method = DISK_SYNC, .file = file};
    disk_begin(fixture.disk, 0, &sync);
    filled(&fixture, file, 'a', 100, 0);
    CHECK_EQUAL(fixture.now_ns, 700);
    disk_end(fixture.disk, &sync);
    disk_free(fixture.disk);
}

TEST(disk, reads_that_miss_the_page_cache_pay_for_pages_once)
{
    struct fixture fixture = fixture_new(SPEC_DIRECTORY_ORDERED);
    fixture.spec.read = (struct dist){.kind = DIST_CONSTANT, .a = MS};
    fixture.spec.read_bandwidth = 4096000;
    fixture_reset(&fixture, 1);
    sq_file file = opened(&fixture, "a");
    static char data[10 * PAGE];
    filled(&fixture, file, 'a', 3 * PAGE, 0);
    filled(&fixture, file, 'a', PAGE, 9 * PAGE);
    CHECK_EQUAL(got(&fixture, file, data, sizeof(data), 0), sizeof(data));
    synced(&fixture, file);
    CHECK_EQUAL(fixture.now_ns, 0);
    disk_power_loss(fixture.disk);
    file = opened(&fixture, "a");
    /* One byte brings in its page: latency and 1 ms of transfer. */
    CHECK_EQUAL(got(&fixture, file, data, 1, PAGE + 7), 1);
    CHECK_EQUAL(fixture.now_ns, 2 * MS);
    CHECK_EQUAL(got(&fixture, file, data, PAGE, PAGE), PAGE);
    CHECK_EQUAL(fixture.now_ns, 2 * MS);
    /* The other three pages in one request; holes are free. */
    CHECK_EQUAL(got(&fixture, file, data, sizeof(data), 0), sizeof(data));
    CHECK_EQUAL(fixture.now_ns, 6 * MS);
    CHECK_EQUAL(got(&fixture, file, data, sizeof(data), 0), sizeof(data));
    CHECK_EQUAL(fixture.now_ns, 6 * MS);
    disk_free(fixture.disk);
}

TEST(disk, huge_latencies_saturate)
{
    struct fixture fixture = fixture_new(SPEC_DIRECTORY_STRICT);
    fixture.spec.sync = (struct dist){.kind = DIST_CONSTANT, .a = INT64_MAX / 2};
    fixture_reset(&fixture, 1);
    sq_file file = opened(&fixture, "a");
    struct disk_call sync = {.method = DISK_SYNC, .file = file};
    for (int i = 0; i < 3; i++) {
        disk_begin(fixture.disk, MS, &sync);
        CHECK(sync.done_ns > INT64_MAX / 8);
        disk_end(fixture.disk, &sync);
    }
    disk_free(fixture.disk);
}

/* ------------------------------------------------------------------------------------------------
 * faults */

struct fault {
    struct disk_filter filter;
    uint32_t methods;
    enum sq_status status;
    int64_t extra_ns;
    bool is_lost_sync;
    bool is_rotten;
    uint32_t seen; /* bits of all calls */
    uint32_t count;
    char path[16];
};

static void fault_apply(struct disk_filter *filter, struct disk_call *call, uint32_t method_bit)
{
    struct fault *fault = (struct fault *)filter;
    fault->seen |= method_bit;
    fault->count++;
    snprintf(fault->path, sizeof(fault->path), "%s", call->path != NULL ? call->path : "-");
    if ((fault->methods & method_bit) != 0) {
        call->status = fault->status;
        call->extra_ns += fault->extra_ns;
        call->is_lost_sync = fault->is_lost_sync;
        call->is_rotten = fault->is_rotten;
    }
}

static struct fault fault_of(uint32_t methods)
{
    return (struct fault){.filter = {.apply = fault_apply}, .methods = methods, .status = SQ_OK};
}

TEST(disk, filters_see_the_method_and_the_name)
{
    struct fixture fixture = fixture_new(SPEC_DIRECTORY_STRICT);
    fixture_reset(&fixture, 1);
    struct fault fault = fault_of(0);
    disk_filter_add(fixture.disk, &fault.filter);
    sq_file file = opened(&fixture, "a");
    CHECK_EQUAL(fault.seen, SPEC_IO_OPEN | SPEC_IO_DIRECTORY);
    CHECK_TEXT(fault.path, "a");
    fault.seen = 0;
    opened(&fixture, "a");
    CHECK_EQUAL(fault.seen, SPEC_IO_OPEN);
    fault.seen = 0;
    filled(&fixture, file, 'a', 10, 0);
    CHECK_EQUAL(fault.seen, SPEC_IO_WRITE);
    truncated(&fixture, file, 5);
    CHECK_EQUAL(fault.seen, SPEC_IO_WRITE);
    renamed(&fixture, "a", "b");
    CHECK_TEXT(fault.path, "a");
    synced(&fixture, file);
    CHECK_TEXT(fault.path, "b");
    CHECK_EQUAL(fault.seen, SPEC_IO_WRITE | SPEC_IO_DIRECTORY | SPEC_IO_SYNC);
    CHECK_EQUAL(removed(&fixture, "b"), SQ_OK);
    fault.seen = 0;
    char data[10];
    CHECK_EQUAL(got(&fixture, file, data, sizeof(data), 0), 5);
    CHECK_EQUAL(fault.seen, SPEC_IO_READ);
    CHECK_TEXT(fault.path, "b");
    synced_dir(&fixture);
    CHECK_TEXT(fault.path, "-");
    uint32_t count = fault.count;
    size_of(&fixture, file);
    closed(&fixture, file);
    CHECK_EQUAL(fault.count, count);
    disk_filter_remove(fixture.disk, &fault.filter);
    opened(&fixture, "c");
    CHECK_EQUAL(fault.count, count);
    disk_free(fixture.disk);
}

TEST(disk, filters_see_the_name_that_a_power_loss_left)
{
    struct fixture fixture = fixture_new(SPEC_DIRECTORY_STRICT);
    bool is_seen[2] = {false, false};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        fixture_reset(&fixture, seed);
        opened(&fixture, "a");
        synced_dir(&fixture);
        renamed(&fixture, "a", "b");
        disk_power_loss(fixture.disk);
        const char *name = disk_list(fixture.disk, 0);
        REQUIRE(name != NULL);
        CHECK(disk_list(fixture.disk, 1) == NULL);
        sq_file file = opened(&fixture, name);
        struct fault fault = fault_of(0);
        disk_filter_add(fixture.disk, &fault.filter);
        synced(&fixture, file);
        CHECK_TEXT(fault.path, name);
        is_seen[name[0] - 'a'] = true;
        disk_filter_remove(fixture.disk, &fault.filter);
    }
    CHECK(is_seen[0]);
    CHECK(is_seen[1]);
    disk_free(fixture.disk);
}

TEST(disk, filters_add_up_in_the_order_of_their_insertion)
{
    struct fixture fixture = fixture_new(SPEC_DIRECTORY_STRICT);
    fixture.spec.sync = (struct dist){.kind = DIST_CONSTANT, .a = 1000};
    fixture_reset(&fixture, 1);
    struct fault slow = fault_of(SPEC_IO_SYNC | SPEC_IO_WRITE);
    struct fault slower = fault_of(SPEC_IO_SYNC);
    struct fault failing = fault_of(SPEC_IO_SYNC);
    slow.extra_ns = 10;
    slower.extra_ns = 200;
    failing.status = SQ_E_IO;
    disk_filter_add(fixture.disk, &failing.filter);
    disk_filter_add(fixture.disk, &slow.filter);
    disk_filter_add(fixture.disk, &slower.filter);
    sq_file file = opened(&fixture, "a");
    filled(&fixture, file, 'a', 10, 0);
    CHECK_EQUAL(fixture.now_ns, 10);
    /* The last one sets the status. Extra time does not occupy the device. */
    CHECK_EQUAL(synced(&fixture, file), SQ_OK);
    CHECK_EQUAL(fixture.now_ns, 10 + 1000 + 210);
    disk_filter_remove(fixture.disk, &slow.filter);
    disk_filter_remove(fixture.disk, &slower.filter);
    fixture.now_ns = 1010;
    CHECK_EQUAL(synced(&fixture, file), SQ_E_IO);
    CHECK_EQUAL(fixture.now_ns, 2010);
    /* A new run has no filters. */
    fixture_reset(&fixture, 2);
    CHECK_EQUAL(synced(&fixture, opened(&fixture, "a")), SQ_OK);
    disk_free(fixture.disk);
}

TEST(disk, calls_that_fail_change_nothing)
{
    struct fixture fixture = fixture_new(SPEC_DIRECTORY_STRICT);
    fixture_reset(&fixture, 1);
    sq_file file = opened(&fixture, "a");
    filled(&fixture, file, 'a', 100, 0);
    struct fault fault = fault_of(UINT32_MAX);
    fault.status = SQ_E_IO;
    disk_filter_add(fixture.disk, &fault.filter);
    char data[10] = "unchanged";
    struct disk_call read = {.method = DISK_READ, .file = file, .data = data, .size = 10};
    CHECK_EQUAL(perform(&fixture, &read), SQ_E_IO);
    CHECK_EQUAL(read.got, 0);
    CHECK_TEXT(data, "unchanged");
    CHECK_EQUAL(filled(&fixture, file, 'b', 200, 0), SQ_E_IO);
    CHECK_EQUAL(truncated(&fixture, file, 0), SQ_E_IO);
    CHECK_EQUAL(removed(&fixture, "a"), SQ_E_IO);
    CHECK_EQUAL(renamed(&fixture, "a", "b"), SQ_E_IO);
    CHECK_EQUAL(open_with(&fixture, "c", SQ_OPEN_CREATE), SQ_E_IO);
    CHECK_EQUAL(open_with(&fixture, "a", SQ_OPEN_TRUNCATE), SQ_E_IO);
    CHECK_EQUAL(synced_dir(&fixture), SQ_E_IO);
    disk_filter_remove(fixture.disk, &fault.filter);
    CHECK_EQUAL(size_of(&fixture, file), 100);
    CHECK_EQUAL(content_of(&fixture, "a"), 'a');
    CHECK_TEXT(disk_list(fixture.disk, 0), "a");
    CHECK(disk_list(fixture.disk, 1) == NULL);
    CHECK_EQUAL(disk_syncs(fixture.disk), 0);
    disk_free(fixture.disk);
}

/* A history whose first sync goes wrong in the way of `fault`; returns how often the data were
 * lost. */
static uint32_t lost_after(struct fault fault, bool is_synced_again)
{
    struct fixture fixture = fixture_new(SPEC_DIRECTORY_ORDERED);
    fixture.spec.write_bandwidth = 1000000;
    uint32_t lost = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        fixture_reset(&fixture, seed);
        sq_file file = opened(&fixture, "a");
        synced(&fixture, file);
        filled(&fixture, file, 'a', 100, 0);
        disk_filter_add(fixture.disk, &fault.filter);
        CHECK_EQUAL(synced(&fixture, file), fault.status);
        CHECK_EQUAL(fixture.now_ns, 100000);
        disk_filter_remove(fixture.disk, &fault.filter);
        if (is_synced_again) {
            CHECK_EQUAL(synced(&fixture, file), SQ_OK);
            /* A failed sync pays for its bytes again, a lost one has moved them out of the host. */
            CHECK_EQUAL(fixture.now_ns, fault.status == SQ_OK ? 100000 : 200000);
        }
        disk_power_loss(fixture.disk);
        lost += content_of(&fixture, "a") == 'a' ? 0 : 1;
    }
    disk_free(fixture.disk);
    return lost;
}

TEST(disk, a_failed_sync_leaves_the_data_dirty_for_the_next_one)
{
    struct fault fault = fault_of(SPEC_IO_SYNC);
    fault.status = SQ_E_IO;
    CHECK(lost_after(fault, false) > SEEDS / 4);
    CHECK_EQUAL(lost_after(fault, true), 0);
}

TEST(disk, a_lost_sync_says_ok_and_moves_nothing)
{
    struct fault fault = fault_of(SPEC_IO_SYNC);
    fault.is_lost_sync = true;
    CHECK(lost_after(fault, false) > SEEDS / 4);
    CHECK_EQUAL(lost_after(fault, true), 0);
}

static uint32_t bits_different(const char *left, const char *right, size_t size)
{
    uint32_t count = 0;
    for (size_t i = 0; i < size; i++) {
        count += (uint32_t)__builtin_popcount((unsigned char)(left[i] ^ right[i]));
    }
    return count;
}

TEST(disk, rot_flips_one_bit_of_what_comes_from_the_device)
{
    struct fixture fixture = fixture_new(SPEC_DIRECTORY_ORDERED);
    struct fault fault = fault_of(SPEC_IO_READ);
    fault.is_rotten = true;
    static char good[2 * PAGE];
    static char data[2 * PAGE];
    memset(good, 'a', sizeof(good));
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        fixture_reset(&fixture, seed);
        disk_filter_add(fixture.disk, &fault.filter);
        sq_file file = opened(&fixture, "a");
        written(&fixture, file, good, sizeof(good), 0);
        synced(&fixture, file);
        got(&fixture, file, data, sizeof(data), 0);
        CHECK_EQUAL(bits_different(data, good, sizeof(data)), 0);
        disk_power_loss(fixture.disk);
        file = opened(&fixture, "a");
        CHECK_EQUAL(got(&fixture, file, data, 100, PAGE - 50), 100);
        CHECK_EQUAL(bits_different(data, good, 100), 1);
        /* It stays, and what is cached does not rot any more. */
        CHECK_EQUAL(got(&fixture, file, data, sizeof(data), 0), sizeof(data));
        CHECK_EQUAL(bits_different(data, good, sizeof(data)), 1);
        disk_filter_remove(fixture.disk, &fault.filter);
        disk_power_loss(fixture.disk);
        file = opened(&fixture, "a");
        got(&fixture, file, data, sizeof(data), 0);
        CHECK_EQUAL(bits_different(data, good, sizeof(data)), 1);
    }
    disk_free(fixture.disk);
}

/* ------------------------------------------------------------------------------------------------
 * many runs */

/* A run with a bit of everything; a hash of all that was seen. */
static uint64_t busy_run(struct fixture *fixture, uint64_t seed)
{
    fixture_reset(fixture, seed);
    struct rng rng = rng_stream(seed, "test", 0, "busy");
    uint64_t digest = 0;
    char name[16];
    static char data[9000];
    for (uint32_t i = 0; i < 150; i++) {
        snprintf(name, sizeof(name), "file-%d", (int)rng_below(&rng, 5));
        sq_file file = opened(fixture, name);
        uint64_t offset = rng_below(&rng, 50000);
        size_t size = (size_t)rng_below(&rng, 9000) + 1;
        filled(fixture, file, (char)i, size, offset);
        uint64_t what = rng_below(&rng, 12);
        if (what < 4) {
            synced(fixture, file);
        } else if (what == 4) {
            truncated(fixture, file, offset / 2);
        } else if (what == 5) {
            removed(fixture, name);
        } else if (what == 6) {
            renamed(fixture, name, "file-0");
        } else if (what == 7) {
            disk_power_loss(fixture->disk);
        }
        size_t count = 0;
        if (what != 7) {
            count = got(fixture, file, data, sizeof(data), offset);
            closed(fixture, file);
        }
        digest = digest * 31 + count + (uint64_t)fixture->now_ns + file + (unsigned char)data[0];
        digest = digest * 31 + disk_used_bytes(fixture->disk);
    }
    return digest * 31 + disk_durable_digest(fixture->disk);
}

static struct fixture busy_fixture(void)
{
    struct fixture fixture = fixture_new(SPEC_DIRECTORY_STRICT);
    fixture.spec.read = (struct dist){.kind = DIST_UNIFORM, .a = 10000, .b = 90000};
    fixture.spec.sync = (struct dist){.kind = DIST_UNIFORM, .a = 100000, .b = 900000};
    return fixture;
}

TEST(disk, a_run_is_a_function_of_its_seed_whatever_ran_before)
{
    struct fixture fixture = busy_fixture();
    uint64_t first = busy_run(&fixture, 7);
    CHECK(busy_run(&fixture, 8) != first);
    CHECK_EQUAL(busy_run(&fixture, 7), first);
    disk_free(fixture.disk);
    fixture.disk = disk_new();
    CHECK_EQUAL(busy_run(&fixture, 7), first);
    disk_free(fixture.disk);
}

TEST(disk, two_disks_side_by_side_do_not_meet)
{
    struct fixture left = busy_fixture();
    struct fixture right = busy_fixture();
    uint64_t alone = busy_run(&left, 3);
    fixture_reset(&left, 5);
    sq_file file = opened(&left, "a");
    filled(&left, file, 'l', 100, 0);
    CHECK_EQUAL(busy_run(&right, 3), alone);
    CHECK_EQUAL(content_of(&left, "a"), 'l');
    CHECK(!disk_exists(right.disk, "a"));
    disk_power_loss(right.disk);
    CHECK_EQUAL(size_of(&left, file), 100);
    disk_free(right.disk);
    CHECK_EQUAL(content_of(&left, "a"), 'l');
    disk_free(left.disk);
}

TEST(disk, memory_is_reused_by_the_next_run)
{
    struct fixture fixture = busy_fixture();
    for (uint64_t seed = 0; seed < 5; seed++) {
        busy_run(&fixture, seed);
    }
    struct mallinfo2 before = mallinfo2();
    for (int round = 0; round < 20; round++) {
        for (uint64_t seed = 0; seed < 5; seed++) {
            busy_run(&fixture, seed);
        }
    }
    struct mallinfo2 after = mallinfo2();
    CHECK_EQUAL(after.uordblks + after.hblkhd, before.uordblks + before.hblkhd);
    disk_free(fixture.disk);
}

TEST(disk, a_disk_that_was_never_used_can_be_freed)
{
    disk_free(disk_new());
    disk_free(NULL);
    struct fixture fixture = fixture_new(SPEC_DIRECTORY_STRICT);
    fixture_reset(&fixture, 1);
    disk_crash(fixture.disk);
    disk_power_loss(fixture.disk);
    CHECK_EQUAL(disk_used_bytes(fixture.disk), 0);
    CHECK_EQUAL(disk_durable_digest(fixture.disk), 0);
    disk_free(fixture.disk);
}
