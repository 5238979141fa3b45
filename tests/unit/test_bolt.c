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
