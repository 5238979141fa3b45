/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The log store on a B+tree: against a plain array that remembers what was committed, on the real
 * simulated disk, stopped and robbed of its power at every event; where each page of the file is;
 * and what the free list costs. */
#include "models/boltlog/bolt.h"

#include "tests/unit/sqlite_lab.h"

#include "models/raft/bytes.h"

#define FILE_NAME "log.bolt"
#define KEYS      600
#define PAGE      4096

static const struct bolt_options plain = {.name = FILE_NAME, .is_silent = true};
static const struct bolt_options unsynced_list = {
    .name = FILE_NAME, .is_silent = true, .skips_freelist = true};

static struct bolt *open_store(struct sq_env *env, const struct bolt_options *options)
{
    struct bolt *bolt = NULL;
    const char *problem = "";
    CHECK_EQUAL(bolt_open(env, options, &bolt, &problem), SQ_OK);
    ASSERT(bolt != NULL);
    return bolt;
}

/* ------------------------------------------------------------------------------- the reference */

/* What a store must hold. An entry's bytes follow from its key, its stamp and its size. */
struct reference {
    uint32_t sizes[KEYS];
    uint64_t stamps[KEYS]; /* 0: no such entry */
    uint64_t numbers[BOLT_NUMBERS];
};

static uint8_t buffer[8][40000];

static void fill(uint8_t *data, uint64_t key, uint64_t stamp, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        data[i] = i < 32 || i % 97 == 0 ? (uint8_t)(key * 7 + stamp * 13 + i) : 0;
    }
}

struct comparison {
    const struct reference *reference;
    uint64_t next; /* key that comes next, if it is there */
    bool is_equal;
};

static bool compare_entry(void *context, uint64_t key, const uint8_t *value, uint32_t size)
{
    static uint8_t wanted[sizeof(buffer[0])];
    struct comparison *comparison = context;
    const struct reference *reference = comparison->reference;
    for (; comparison->next < key && comparison->next < KEYS; comparison->next++) {
        comparison->is_equal = comparison->is_equal && reference->stamps[comparison->next] == 0;
    }
    comparison->is_equal = comparison->is_equal && key < KEYS && reference->stamps[key] != 0 &&
                           size == reference->sizes[key];
    if (comparison->is_equal) {
        fill(wanted, key, reference->stamps[key], size);
        comparison->is_equal = memcmp(wanted, value, size) == 0;
    }
    comparison->next = key + 1;
    return comparison->is_equal;
}

static bool is_equal(struct bolt *bolt, const struct reference *reference)
{
    struct comparison comparison = {reference, 0, true};
    bool is_read = bolt_visit(bolt, 0, compare_entry, &comparison) == SQ_OK;
    for (; comparison.next < KEYS; comparison.next++) {
        comparison.is_equal = comparison.is_equal && reference->stamps[comparison.next] == 0;
    }
    for (uint32_t i = 0; i < BOLT_NUMBERS; i++) {
        comparison.is_equal = comparison.is_equal && bolt_number(bolt, i) == reference->numbers[i];
    }
    return is_read && comparison.is_equal;
}

static void check_pages(struct bolt *bolt)
{
    struct bolt_audit audit;
    struct bolt_stats stats;
    CHECK_EQUAL(bolt_audit(bolt, &audit), SQ_OK);
    bolt_stats(bolt, &stats);
    CHECK(audit.is_sound);
    CHECK_EQUAL(audit.metas, 2);
    CHECK_EQUAL(audit.pages, stats.pages);
    CHECK_EQUAL(audit.metas + audit.freelist + audit.tree + audit.free + audit.pending,
                stats.pages);
    CHECK_EQUAL(audit.free + audit.pending, stats.free_pages);
    CHECK_EQUAL(audit.pending, stats.pending_pages);
    CHECK_EQUAL(audit.freelist, stats.freelist_pages);
}

/* One transaction of random changes, to the store and to the reference. */
static void change(struct sq_env *env, struct bolt *bolt, struct reference *reference)
{
    static const uint32_t sizes[] = {0, 1, 24, 100, 700, 2000, 4000, 4056, 4057, 9000, 40000};
    uint64_t changes = 1 + env->rand->below(env, 8);
    CHECK_EQUAL(bolt_begin(bolt), SQ_OK);
    for (uint64_t i = 0; i < changes; i++) {
        uint64_t key = env->rand->below(env, KEYS);
        uint64_t what = env->rand->below(env, 10);
        if (what < 7) {
            uint32_t size = sizes[env->rand->below(env, ARRAY_COUNT(sizes))];
            reference->stamps[key] = 1 + env->rand->below(env, 1 << 20);
            reference->sizes[key] = size;
            fill(buffer[i], key, reference->stamps[key], size);
            bolt_put(bolt, key, buffer[i], size);
        } else if (what < 9) {
            uint64_t width = env->rand->below(env, 3) == 0 ? KEYS : 30;
            uint64_t last = key + env->rand->below(env, width);
            bolt_remove(bolt, key, last);
            for (uint64_t at = key; at <= last && at < KEYS; at++) {
                reference->stamps[at] = 0;
            }
        } else {
            uint32_t number = (uint32_t)env->rand->below(env, BOLT_NUMBERS);
            reference->numbers[number] = env->rand->u64(env);
            bolt_set(bolt, number, reference->numbers[number]);
        }
    }
    CHECK_EQUAL(bolt_commit(bolt), SQ_OK);
}

static void check_edges(struct bolt *bolt, const struct reference *reference)
{
    uint64_t first = 0;
    uint64_t last = KEYS - 1;
    uint64_t key;
    while (first < KEYS && reference->stamps[first] == 0) {
        first++;
    }
    while (last > 0 && reference->stamps[last] == 0) {
        last--;
    }
    bool is_empty = first == KEYS;
    CHECK_EQUAL(bolt_first(bolt, &key), is_empty ? SQ_E_KEY_NOT_FOUND : SQ_OK);
    CHECK(is_empty || key == first);
    CHECK_EQUAL(bolt_last(bolt, &key), is_empty ? SQ_E_KEY_NOT_FOUND : SQ_OK);
    CHECK(is_empty || key == last);
}

static const struct bolt_options *options_now;

static void script_random(struct sq_env *env)
{
    static struct reference reference;
    memset(&reference, 0, sizeof(reference));
    struct bolt *bolt = open_store(env, options_now);
    for (uint32_t i = 0; i < 250; i++) {
        change(env, bolt, &reference);
        uint64_t then = env->rand->below(env, 25);
        if (then == 0) {
            bolt_close(bolt);
            bolt = open_store(env, options_now);
        } else if (then == 1) {
            CHECK_EQUAL(bolt_compact(bolt), SQ_OK);
        }
        if (i % 5 == 0) {
            CHECK(is_equal(bolt, &reference));
            check_pages(bolt);
            check_edges(bolt, &reference);
        }
    }
    CHECK(is_equal(bolt, &reference));
    for (uint64_t key = 0; key < KEYS; key++) {
        void *value;
        uint32_t size;
        enum sq_status status = bolt_get(bolt, key, &value, &size);
        CHECK_EQUAL(status, reference.stamps[key] != 0 ? SQ_OK : SQ_E_KEY_NOT_FOUND);
        CHECK(status != SQ_OK || size == reference.sizes[key]);
        env->mem->free(env, value);
    }
}

static void run_random(const struct bolt_options *options)
{
    struct lab *lab = lab_new(1);
    options_now = options;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        lab_run(lab, script_random, seed, UINT64_MAX);
    }
    lab_free(lab);
}

TEST(bolt, holds_what_a_plain_array_holds)
{
    run_random(&plain);
}

TEST(bolt, holds_it_without_a_stored_free_list_too)
{
    run_random(&unsynced_list);
}

/* -------------------------------------------------------------------------------------- crashes */

static struct reference states[64]; /* after each commit; 0: empty */
static uint32_t begun;              /* transactions whose commit was called, */
static uint32_t done;               /* and that returned */

static void script_life(struct sq_env *env)
{
    struct bolt *bolt = open_store(env, options_now);
    begun = 0;
    done = 0;
    memset(&states[0], 0, sizeof(states[0]));
    for (uint32_t i = 1; i < 24; i++) {
        states[i] = states[i - 1];
        begun = i;
        if (i % 8 == 0) {
            CHECK_EQUAL(bolt_compact(bolt), SQ_OK);
        } else {
            change(env, bolt, &states[i]);
        }
        done = i;
    }
}

static void script_judge(struct sq_env *env)
{
    struct bolt *bolt = open_store(env, options_now);
    uint32_t found = begun + 1;
    for (uint32_t i = done; i <= begun; i++) {
        found = is_equal(bolt, &states[i]) ? i : found;
    }
    CHECK(found <= begun);
    check_pages(bolt);
    /* It goes on from there. */
    struct reference next = states[found <= begun ? found : 0];
    change(env, bolt, &next);
    CHECK(is_equal(bolt, &next));
    bolt_close(bolt);
    check_pages(open_store(env, options_now));
}

/* Every stride-th event, with a power loss whose outcome the seed draws, or a mere crash. */
static void rob(const struct bolt_options *options, uint64_t stride)
{
    struct lab *lab = lab_new(1);
    options_now = options;
    lab_run(lab, script_life, 1, UINT64_MAX);
    uint64_t events = lab->world->sched.stats.fired;
    CHECK_EQUAL(done, 23);
    for (uint64_t event = 1; event < events; event += stride) {
        begun = 0;
        done = 0;
        lab_run(lab, script_life, event, event);
        lab_again(lab, script_judge, event % 8 != 0);
    }
    lab_free(lab);
}

TEST(bolt, keeps_the_last_commit_through_a_power_loss_at_any_event)
{
    rob(&plain, 1);
}

TEST(bolt, keeps_it_without_a_stored_free_list_too)
{
    rob(&unsynced_list, 2);
}

/* ------------------------------------------------------------------------------------ free list */

struct list_head {
    uint64_t page;
    uint64_t pages;
    uint64_t count;
    bool is_ascending;
};

/* Reads the free list of the file as it lies on the disk. */
static struct list_head read_list(struct sq_env *env)
{
    struct list_head head = {.is_ascending = true};
    uint8_t meta[PAGE];
    uint64_t newest = 0;
    sq_file file;
    size_t got;
    CHECK_EQUAL(env->disk->open(env, FILE_NAME, 0, &file), SQ_OK);
    for (uint64_t i = 0; i < 2; i++) {
        env->disk->read(env, file, meta, PAGE, i * PAGE, &got);
        if (get_u64(meta + 16 + 40) > newest) {
            newest = get_u64(meta + 16 + 40);
            head.page = get_u64(meta + 16 + 24);
        }
    }
    env->disk->read(env, file, meta, PAGE, head.page * PAGE, &got);
    CHECK_EQUAL(get_u64(meta), head.page);
    head.count = get_u16(meta + 10);
    head.pages = (uint64_t)get_u32(meta + 12) + 1;
    uint64_t start = head.page * PAGE + 16;
    if (head.count == 0xFFFF) {
        head.count = get_u64(meta + 16);
        start += 8;
    }
    uint64_t last = 0;
    for (uint64_t i = 0; i < head.count; i++) {
        uint64_t id = 0;
        env->disk->read(env, file, &id, 8, start + 8 * i, &got);
        head.is_ascending = head.is_ascending && id > last;
        last = id;
    }
    env->disk->close(env, file);
    return head;
}

/* 16 bytes, 8 for each page and 8 for a count of 65535 or more; pages as bolt reckons them before
 * it takes them off the list. */
static void check_list(struct sq_env *env, struct bolt *bolt)
{
    struct bolt_stats stats;
    struct list_head head = read_list(env);
    bolt_stats(bolt, &stats);
    CHECK(head.is_ascending);
    CHECK_EQUAL(head.count, stats.free_pages);
    CHECK_EQUAL(head.pages, stats.freelist_pages);
    CHECK_EQUAL(stats.freelist_bytes, 16 + 8 * (head.count + (head.count >= 0xFFFF)));
    CHECK(head.pages * PAGE >= stats.freelist_bytes);
    CHECK(head.pages * PAGE <= stats.freelist_bytes + 8 * head.pages + 2 * PAGE);
}

/* Appends `count` entries of `size` bytes, in one transaction, behind `last`. */
static void append(struct bolt *bolt, uint64_t last, uint32_t count, uint32_t size)
{
    CHECK_EQUAL(bolt_begin(bolt), SQ_OK);
    for (uint32_t i = 1; i <= count; i++) {
        bolt_put(bolt, last + i, buffer, size);
    }
    CHECK_EQUAL(bolt_commit(bolt), SQ_OK);
}

static void remove_range(struct bolt *bolt, uint64_t first, uint64_t last)
{
    CHECK_EQUAL(bolt_begin(bolt), SQ_OK);
    bolt_remove(bolt, first, last);
    CHECK_EQUAL(bolt_commit(bolt), SQ_OK);
}

static void script_list(struct sq_env *env)
{
    struct bolt *bolt = open_store(env, &plain);
    uint64_t last = 0;
    memset(buffer, 0, sizeof(buffer));
    for (uint32_t i = 0; i < 20; i++) {
        append(bolt, last, 64, 4000);
        last += 64;
        check_list(env, bolt);
    }
    remove_range(bolt, 1, last - 20);
    check_list(env, bolt);
    check_pages(bolt);
    for (uint32_t i = 0; i < 20; i++) {
        append(bolt, last, 4, 4000);
        last += 4;
        check_list(env, bolt);
    }
    check_pages(bolt);
}

TEST(bolt, writes_the_whole_list_in_the_size_of_the_formula)
{
    lab_do(script_list);
}

/* The count of the list goes through 65535, where it takes a slot of its own. */
static void script_wide(struct sq_env *env)
{
    enum { BIG = 256 * PAGE - 64 };
    struct bolt *bolt = open_store(env, &plain);
    uint8_t *big = env->mem->alloc(env, BIG);
    memset(big, 0, BIG);
    for (uint64_t i = 0; i < 65; i++) {
        CHECK_EQUAL(bolt_begin(bolt), SQ_OK);
        for (uint64_t j = 0; j < 4; j++) {
            bolt_put(bolt, 4 * i + j, big, BIG);
        }
        CHECK_EQUAL(bolt_commit(bolt), SQ_OK);
    }
    remove_range(bolt, 0, UINT64_MAX);
    struct bolt_stats stats;
    bolt_stats(bolt, &stats);
    CHECK(stats.free_pages > 0xFFFF);
    check_list(env, bolt);
    bolt_close(bolt);
    bolt = open_store(env, &plain);
    check_list(env, bolt);
    check_pages(bolt);
    /* Down to the narrow form, page by page around the limit. */
    uint64_t last = 0;
    bolt_stats(bolt, &stats);
    uint32_t step = (uint32_t)(stats.free_pages - 0xFFFF) - 20;
    for (uint32_t left = step; left > 0;) {
        uint32_t count = left < 500 ? left : 500;
        append(bolt, last, count, 4000);
        last += count;
        left -= count;
    }
    for (uint32_t i = 0; i < 60; i++) {
        append(bolt, last++, 1, 4000);
        bolt_stats(bolt, &stats);
        if (stats.free_pages > 0xFFFF - 5 && stats.free_pages < 0xFFFF + 5) {
            check_list(env, bolt);
        }
    }
    CHECK(stats.free_pages < 0xFFFF);
    bolt_close(bolt);
    check_pages(open_store(env, &plain));
}

TEST(bolt, counts_more_free_pages_than_its_header_can)
{
    lab_do(script_wide);
}

static uint64_t free_of(struct bolt *bolt)
{
    struct bolt_stats stats;
    bolt_stats(bolt, &stats);
    return stats.free_pages;
}

static void script_hold(struct sq_env *env)
{
    struct bolt *bolt = open_store(env, &plain);
    struct bolt_stats before;
    struct bolt_stats after;
    memset(buffer, 0, sizeof(buffer));
    append(bolt, 0, 400, 4000);
    bolt_stats(bolt, &before);
    uint64_t hold = bolt_hold(bolt);
    CHECK_EQUAL(bolt_hold(bolt), hold);
    bolt_let_go(bolt, hold);
    remove_range(bolt, 1, 300);
    append(bolt, 400, 100, 4000);
    bolt_stats(bolt, &after);
    CHECK(after.pending_pages >= 300);
    CHECK(after.pages >= before.pages + 100); /* nothing could be reused */
    bolt_let_go(bolt, hold);
    append(bolt, 500, 100, 4000);
    bolt_stats(bolt, &before);
    CHECK(before.pages <= after.pages);
    CHECK(before.pending_pages < 20);
    check_pages(bolt);
}

TEST(bolt, reuses_no_page_that_a_reader_may_look_at)
{
    lab_do(script_hold);
}

/* A commit of four entries of a page each, at 16 000 entries: leaves, branches, list, meta. */
static void script_cost(struct sq_env *env)
{
    struct bolt *synced = open_store(env, &plain);
    struct bolt_options other = unsynced_list;
    other.name = "other.bolt";
    struct bolt *unsynced = open_store(env, &other);
    struct bolt_stats stats[2];
    memset(buffer, 0, sizeof(buffer));
    for (uint64_t last = 0; last < 16000; last += 500) {
        append(synced, last, 500, 4000);
        append(unsynced, last, 500, 4000);
    }
    append(synced, 16000, 4, 4000);
    append(unsynced, 16000, 4, 4000);
    bolt_stats(synced, &stats[0]);
    bolt_stats(unsynced, &stats[1]);
    CHECK_EQUAL(stats[0].last_bytes, (4 + 3 + 1 + 1) * PAGE);
    CHECK_EQUAL(stats[1].last_bytes, (4 + 3 + 1) * PAGE);
    CHECK_EQUAL(stats[0].free_pages, 4);
    remove_range(synced, 1, 15000);
    remove_range(unsynced, 1, 15000);
    append(synced, 16004, 4, 4000);
    append(unsynced, 16004, 4, 4000);
    bolt_stats(synced, &stats[0]);
    bolt_stats(unsynced, &stats[1]);
    CHECK(stats[0].free_pages > 15000);
    CHECK(stats[0].last_bytes > stats[0].freelist_bytes);
    CHECK(stats[0].last_bytes < stats[0].freelist_bytes + 10 * PAGE);
    CHECK(stats[1].last_bytes <= 8 * PAGE);
    bolt_close(unsynced);
    uint64_t free_pages = stats[1].free_pages;
    unsynced = open_store(env, &other); /* by a scan */
    CHECK_EQUAL(free_of(unsynced), free_pages);
    CHECK_EQUAL(bolt_compact(synced), SQ_OK);
    append(synced, 16008, 4, 4000);
    bolt_stats(synced, &stats[0]);
    CHECK(stats[0].last_bytes <= 9 * PAGE);
    CHECK(stats[0].pages < 1100);
    check_pages(synced);
}

TEST(bolt, pays_for_a_list_until_it_is_compacted_or_left_out)
{
    lab_do(script_cost);
}

/* A file that has a list is opened by a store that leaves it out, and the other way round. */
static void script_switch(struct sq_env *env)
{
    struct bolt *bolt = open_store(env, &plain);
    memset(buffer, 0, sizeof(buffer));
    append(bolt, 0, 200, 4000);
    remove_range(bolt, 1, 150);
    for (uint32_t i = 0; i < 4; i++) {
        bolt_close(bolt);
        bolt = open_store(env, i % 2 == 0 ? &unsynced_list : &plain);
        check_pages(bolt);
        append(bolt, 200 + 2 * i, 2, 4000);
        check_pages(bolt);
    }
}

TEST(bolt, changes_between_stored_and_scanned_lists)
{
    lab_do(script_switch);
}

/* --------------------------------------------------------------------------- errors and fibers */

struct broken_disk {
    struct disk_filter filter; /* first */
    int64_t calls_left;
};

static struct broken_disk broken_disk;

static void fail_once(struct disk_filter *filter, struct disk_call *call, uint32_t method_bit)
{
    struct broken_disk *broken = (struct broken_disk *)filter;
    if ((method_bit & (SPEC_IO_WRITE | SPEC_IO_SYNC)) != 0 && --broken->calls_left == 0) {
        call->status = SQ_E_IO;
    }
}

static void script_errors(struct sq_env *env)
{
    struct bolt *bolt = open_store(env, &plain);
    memset(buffer, 0, sizeof(buffer));
    append(bolt, 0, 50, 4000);
    bool is_failed = true;
    for (int64_t call = 1; is_failed && call < 100; call++) {
        uint64_t last;
        CHECK_EQUAL(bolt_last(bolt, &last), SQ_OK);
        CHECK_EQUAL(bolt_begin(bolt), SQ_OK);
        bolt_put(bolt, last + 1, buffer, 4000);
        broken_disk.calls_left = call;
        enum sq_status status = bolt_commit(bolt);
        broken_disk.calls_left = 0;
        is_failed = status != SQ_OK;
        if (is_failed) {
            CHECK_EQUAL(status, SQ_E_IO);
            CHECK_EQUAL(bolt_begin(bolt), SQ_E_IO);
            CHECK_EQUAL(bolt_compact(bolt), SQ_E_IO);
            bolt_close(bolt);
            bolt = open_store(env, &plain);
            uint64_t found;
            CHECK_EQUAL(bolt_last(bolt, &found), SQ_OK);
            CHECK(found == last || found == last + 1);
            check_pages(bolt);
        }
    }
    CHECK(!is_failed); /* every call has failed once */
}

TEST(bolt, writes_nothing_more_after_an_error_of_the_disk)
{
    struct lab *lab = lab_new(1);
    lab_script = script_errors;
    lab_finished = 0;
    broken_disk = (struct broken_disk){.filter = {.apply = fail_once}};
    world_reset(lab->world, &lab->spec, 1, NULL);
    disk_filter_add(lab->world->nodes[0].disk, &broken_disk.filter);
    world_run(lab->world, LAB_RUN_NS, UINT64_MAX);
    CHECK_EQUAL(lab_finished, 1);
    lab_free(lab);
}

static struct bolt *shared;
static uint32_t order[4];
static uint32_t finished;

static void append_one(struct sq_env *env, void *argument)
{
    (void)env;
    uint32_t number = *(uint32_t *)argument;
    append(shared, 10 * (uint64_t)number, 3, 100);
    order[finished++] = number;
}

static void script_fibers(struct sq_env *env)
{
    static uint32_t numbers[] = {1, 2, 3, 4};
    shared = open_store(env, &plain);
    finished = 0;
    memset(buffer, 0, sizeof(buffer));
    for (uint32_t i = 0; i < 4; i++) {
        env->fiber->spawn(env, append_one, &numbers[i]);
    }
    while (finished < 4) {
        env->clock->sleep(env, NS_PER_MS);
    }
    for (uint32_t i = 0; i < 4; i++) {
        void *value;
        uint32_t size;
        CHECK_EQUAL(order[i], i + 1);
        CHECK_EQUAL(bolt_get(shared, 10 * (uint64_t)(i + 1) + 3, &value, &size), SQ_OK);
        env->mem->free(env, value);
    }
}

TEST(bolt, lets_one_writer_wait_for_another_in_order)
{
    lab_do(script_fibers);
}

static void script_corrupt(struct sq_env *env)
{
    struct bolt *bolt = open_store(env, &plain);
    memset(buffer, 0, sizeof(buffer));
    append(bolt, 0, 500, 4000);
    bolt_close(bolt);
    static const uint64_t places[] = {2, 3, 100};
    static const uint8_t garbage[PAGE] = {1, 2, 3};
    const char *problem = "";
    sq_file file;
    CHECK_EQUAL(env->disk->open(env, FILE_NAME, 0, &file), SQ_OK);
    /* One meta may be damaged, not both. */
    CHECK_EQUAL(env->disk->write(env, file, garbage, 512, 0), SQ_OK);
    bolt = open_store(env, &plain);
    bolt_close(bolt);
    CHECK_EQUAL(env->disk->write(env, file, garbage, 512, PAGE), SQ_OK);
    CHECK_EQUAL(bolt_open(env, &plain, &bolt, &problem), SQ_E_INVALID);
    CHECK_TEXT(problem, "no valid meta page");
    CHECK_EQUAL(env->disk->remove(env, FILE_NAME), SQ_OK);
    /* A page of the tree that is another one's, or nothing, is seen and not followed. */
    for (uint32_t i = 0; i < ARRAY_COUNT(places); i++) {
        bolt = open_store(env, &unsynced_list);
        append(bolt, 0, 500, 4000);
        bolt_close(bolt);
        CHECK_EQUAL(env->disk->open(env, FILE_NAME, 0, &file), SQ_OK);
        for (uint64_t page = places[i]; page < 510; page++) {
            CHECK_EQUAL(env->disk->write(env, file, garbage, PAGE, page * PAGE), SQ_OK);
        }
        CHECK_EQUAL(bolt_open(env, &unsynced_list, &bolt, &problem), SQ_E_INVALID);
        CHECK_EQUAL(env->disk->remove(env, FILE_NAME), SQ_OK);
    }
}

TEST(bolt, refuses_a_file_that_is_not_its_own)
{
    lab_do(script_corrupt);
}

/* ------------------------------------------------------------------------------------- ranges */

struct counting {
    uint64_t next;
    uint64_t count;
    bool is_gapless;
};

static bool count_entry(void *context, uint64_t key, const uint8_t *value, uint32_t size)
{
    struct counting *counting = context;
    (void)value;
    (void)size;
    counting->is_gapless = counting->is_gapless && (counting->count == 0 || key == counting->next);
    counting->next = key + 1;
    counting->count++;
    return true;
}

/* The store holds exactly `first` to `last`. */
static void check_range(struct bolt *bolt, uint64_t first, uint64_t last)
{
    struct counting counting = {.is_gapless = true};
    uint64_t key = 0;
    CHECK_EQUAL(bolt_visit(bolt, 0, count_entry, &counting), SQ_OK);
    CHECK(counting.is_gapless);
    CHECK_EQUAL(counting.count, last + 1 - first);
    CHECK_EQUAL(bolt_first(bolt, &key), SQ_OK);
    CHECK_EQUAL(key, first);
    CHECK_EQUAL(bolt_last(bolt, &key), SQ_OK);
    CHECK_EQUAL(key, last);
}

/* Five entries to a leaf, and leaves enough for several branches: every cut leaves another rest in
 * the leaf and in the branch where it falls. */
static void script_cuts(struct sq_env *env)
{
    enum { LAST = 2000, SIZE = 700 };
    struct bolt *bolt = open_store(env, &plain);
    memset(buffer, 0, sizeof(buffer));
    append(bolt, 0, LAST, SIZE);
    for (uint64_t cut = 2; cut < LAST; cut += 11) {
        remove_range(bolt, cut, UINT64_MAX);
        check_range(bolt, 1, cut - 1);
        append(bolt, cut - 1, (uint32_t)(LAST - cut + 1), SIZE);
        check_range(bolt, 1, LAST);
    }
    check_pages(bolt);
    uint64_t first = 1;
    for (uint64_t last = LAST; last < 3 * LAST; last += 23) {
        CHECK_EQUAL(bolt_begin(bolt), SQ_OK);
        for (uint64_t i = 1; i <= 23; i++) {
            bolt_put(bolt, last + i, buffer, SIZE);
        }
        bolt_remove(bolt, 0, first + 20);
        first += 21;
        CHECK_EQUAL(bolt_commit(bolt), SQ_OK);
        check_range(bolt, first, last + 23);
    }
    check_pages(bolt);
}

TEST(bolt, cuts_at_any_place)
{
    lab_do(script_cuts);
}

/* What a process left in the page cache is durable once the next one has seen it. */
static uint64_t seen_last;

static bool read_last(struct sq_env *env, uint64_t *last)
{
    struct bolt *bolt = open_store(env, &plain);
    return bolt_last(bolt, last) == SQ_OK;
}

static void script_appends(struct sq_env *env)
{
    struct bolt *bolt = open_store(env, &plain);
    memset(buffer, 0, sizeof(buffer));
    for (uint64_t last = 0; last < 4; last++) {
        append(bolt, last, 1, 100);
    }
}

static void script_see(struct sq_env *env)
{
    seen_last = 0;
    read_last(env, &seen_last);
}

static void script_see_again(struct sq_env *env)
{
    uint64_t last = 0;
    read_last(env, &last);
    CHECK_EQUAL(last, seen_last);
}

TEST(bolt, shows_nothing_after_a_crash_that_a_power_loss_takes_back)
{
    struct lab *lab = lab_new(1);
    lab_run(lab, script_appends, 1, UINT64_MAX);
    uint64_t events = lab->world->sched.stats.fired;
    for (uint64_t event = 1; event < events; event++) {
        for (uint64_t image = 0; image < 4; image++) {
            lab_run(lab, script_appends, event * 4 + image, event);
            lab_again(lab, script_see, false);
            lab_again(lab, script_see_again, true);
        }
    }
    lab_free(lab);
}
