/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The scheduler against a sorted list. A script of pushes, cancels, re-arms and pops is run on
 * both; whatever can be observed (what fires when, what a cancel answers, the time of the next
 * event) goes into a digest, and the digests must be equal for the heap, the wheel and the set that
 * migrates, for all laws of delays. */
#include "sim/sched.h"
#include "sim/base/base.h"
#include "sim/base/hash.h"
#include "sim/base/rng.h"
#include "tests/unit/harness.h"

#include <stdlib.h>
#include <sys/resource.h>

enum law {
    LAW_EXPONENTIAL,
    LAW_LOOKAHEAD, /* exponential and a constant */
    LAW_CONSTANT,
    LAW_ZERO, /* now, mostly */
    LAW_COARSE,
    LAW_DATA_CENTRE,
    LAW_CAMEL,
    LAW_HEAVY_TAIL,
    LAW_COUNT,
};

#define MS INT64_C(1000000)

/* Roughly exponential: what the order of events is tested with does not need more. */
static int64_t draw_exponential(struct rng *rng, int64_t mean)
{
    uint64_t draw = rng_u64(rng);
    int64_t halvings = __builtin_clzll(draw | 1);
    return (halvings * mean + (int64_t)(draw % (uint64_t)mean)) * 69 / 100;
}

static int64_t draw_delay(struct rng *rng, enum law law)
{
    uint64_t draw = rng_u64(rng);
    uint64_t percent = draw % 100;
    switch (law) {
    case LAW_EXPONENTIAL:
        return draw_exponential(rng, 1000 * MS);
    case LAW_LOOKAHEAD:
        return 100 * MS + draw_exponential(rng, 900 * MS);
    case LAW_CONSTANT:
        return MS;
    case LAW_ZERO:
        return percent < 95 ? 0 : (int64_t)(draw >> 60);
    case LAW_COARSE:
        return (int64_t)(percent / 34) * MS;
    case LAW_DATA_CENTRE:
        if (percent < 60) {
            return 50000 + draw_exponential(rng, 200000);
        }
        if (percent < 85) {
            return draw_exponential(rng, 5000);
        }
        return percent < 90 ? draw_exponential(rng, 10 * MS) : 1000 * MS;
    case LAW_CAMEL:
        return (percent < 90 ? 0 : 100 * MS) + (int64_t)((draw >> 20) % (uint64_t)MS);
    case LAW_HEAVY_TAIL:
        return (int64_t)(draw >> (20 + draw % 44));
    case LAW_COUNT:
        break;
    }
    UNREACHABLE();
}

/* The reference: entries sorted by time and sequence number. */
struct entry {
    int64_t time_ns;
    uint64_t sequence;
    uint32_t name;
};

struct list {
    struct entry *entries;
    uint32_t count;
    uint64_t sequence;
};

static void list_push(struct list *list, uint32_t name, int64_t time_ns)
{
    uint32_t low = 0;
    uint32_t high = list->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (list->entries[middle].time_ns <= time_ns) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    memmove(list->entries + low + 1, list->entries + low,
            (list->count - low) * sizeof(struct entry));
    list->entries[low] = (struct entry){time_ns, list->sequence++, name};
    list->count++;
}

static bool list_remove(struct list *list, uint32_t name)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->entries[i].name == name) {
            list->count--;
            memmove(list->entries + i, list->entries + i + 1,
                    (list->count - i) * sizeof(struct entry));
            return true;
        }
    }
    return false;
}

/* One of the two, and the script that drives it. */
struct drive {
    bool is_list;
    struct list list;
    struct sched sched;
    sched_handle *handles; /* by name */
    uint32_t names;
    uint32_t names_max;
    int64_t now_ns;
    uint32_t pending;
    uint64_t digest;
    enum law law;
    struct rng rng;
};

static void note(struct drive *drive, uint64_t what, uint64_t value)
{
    drive->digest = hash_mix(drive->digest ^ what, value);
}

static void on_fire(void *context, struct sched_event *event)
{
    struct drive *drive = context;
    note(drive, (uint64_t)event->time_ns, event->words[0]);
    note(drive, event->kind, event->words[3]);
}

static void drive_push_at(struct drive *drive, int64_t time_ns)
{
    uint32_t name = drive->names++;
    REQUIRE(name < drive->names_max);
    drive->pending++;
    if (drive->is_list) {
        list_push(&drive->list, name, time_ns);
        return;
    }
    struct sched_event *event = sched_push(&drive->sched, time_ns, &drive->handles[name]);
    event->fire = on_fire;
    event->context = drive;
    event->kind = name % 1000;
    event->words[0] = name;
}

static void drive_push(struct drive *drive)
{
    drive_push_at(drive, drive->now_ns + draw_delay(&drive->rng, drive->law));
}

static void drive_cancel(struct drive *drive, uint32_t name)
{
    bool done = drive->is_list ? list_remove(&drive->list, name)
                               : sched_cancel(&drive->sched, drive->handles[name]);
    drive->pending -= done;
    note(drive, 1, done);
}

static void drive_rearm(struct drive *drive, uint32_t name, int64_t time_ns)
{
    bool done;
    if (drive->is_list) {
        done = list_remove(&drive->list, name);
        if (done) {
            list_push(&drive->list, name, time_ns);
        }
    } else {
        done = sched_rearm(&drive->sched, drive->handles[name], time_ns);
    }
    note(drive, 2, done);
}

static void drive_look(struct drive *drive)
{
    int64_t time_ns = INT64_MAX;
    if (!drive->is_list) {
        time_ns = sched_next_time(&drive->sched);
    } else if (drive->list.count > 0) {
        time_ns = drive->list.entries[0].time_ns;
    }
    note(drive, 3, (uint64_t)time_ns);
}

static bool drive_pop(struct drive *drive, int64_t limit_ns)
{
    struct sched_event event;
    if (!drive->is_list) {
        if (!sched_pop(&drive->sched, limit_ns, &event)) {
            return false;
        }
        CHECK(!sched_is_pending(&drive->sched, drive->handles[event.words[0]]));
        event.fire(event.context, &event);
        drive->now_ns = event.time_ns;
        drive->pending--;
        return true;
    }
    struct list *list = &drive->list;
    if (list->count == 0 || list->entries[0].time_ns > limit_ns) {
        return false;
    }
    struct entry first = list->entries[0];
    memmove(list->entries, list->entries + 1, --list->count * sizeof(struct entry));
    event = (struct sched_event){
        .time_ns = first.time_ns, .kind = first.name % 1000, .words = {first.name}};
    on_fire(drive, &event);
    drive->now_ns = first.time_ns;
    drive->pending--;
    return true;
}

static void drive_init(struct drive *drive, bool is_list, enum sched_queue_kind kind, enum law law,
                       uint32_t names_max)
{
    *drive = (struct drive){.is_list = is_list, .law = law, .names_max = names_max};
    drive->rng = rng_keyed(7, law, 0, 1);
    drive->handles = calloc(names_max, sizeof(*drive->handles));
    if (is_list) {
        drive->list.entries = calloc(names_max + 1, sizeof(struct entry));
    } else {
        sched_init(&drive->sched, kind);
    }
}

static void drive_release(struct drive *drive)
{
    if (!drive->is_list) {
        CHECK_EQUAL(drive->sched.pending, drive->pending);
        CHECK_EQUAL(drive->sched.stats.pushed,
                    drive->sched.stats.fired + drive->sched.stats.cancelled + drive->pending);
        sched_release(&drive->sched);
    }
    free(drive->list.entries);
    free(drive->handles);
}

/* One of the things that code under test does, at random. */
static void drive_step(struct drive *drive)
{
    uint32_t recent = drive->names < 3000 ? drive->names : 3000;
    uint32_t name = drive->names - 1 - (uint32_t)(rng_u64(&drive->rng) % recent);
    uint64_t choice = rng_u64(&drive->rng) % 100;
    if (choice < 10) {
        drive_cancel(drive, name);
        drive_push(drive);
    } else if (choice < 35) {
        int64_t delay_ns = draw_delay(&drive->rng, drive->law);
        drive_rearm(drive, name, drive->now_ns + (choice < 20 ? 2 * delay_ns : delay_ns / 2));
    } else if (choice < 38) {
        drive_look(drive);
    } else if (choice < 40) {
        int64_t limit_ns = drive->now_ns + draw_delay(&drive->rng, drive->law) / 4;
        for (int i = 0; i < 5 && drive_pop(drive, limit_ns); i++) {
            drive_push(drive);
        }
    } else if (drive_pop(drive, INT64_MAX)) {
        drive_push(drive);
    }
}

static uint64_t script_hold(bool is_list, enum sched_queue_kind kind, enum law law,
                            uint32_t population)
{
    struct drive drive;
    uint32_t steps = 2500 + population;
    drive_init(&drive, is_list, kind, law, population + 6 * steps);
    for (uint32_t i = 0; i < population; i++) {
        drive_push(&drive);
    }
    for (uint32_t i = 0; i < steps; i++) {
        drive_step(&drive);
    }
    while (drive_pop(&drive, INT64_MAX)) {
    }
    drive_look(&drive);
    CHECK_EQUAL(drive.pending, 0);
    uint64_t digest = drive.digest;
    drive_release(&drive);
    return digest;
}

static void check_hold(uint32_t population)
{
    for (uint32_t law = 0; law < LAW_COUNT; law++) {
        uint64_t expected = script_hold(true, SCHED_QUEUE_AUTO, law, population);
        CHECK_EQUAL(script_hold(false, SCHED_QUEUE_HEAP, law, population), expected);
        CHECK_EQUAL(script_hold(false, SCHED_QUEUE_WHEEL, law, population), expected);
        CHECK_EQUAL(script_hold(false, SCHED_QUEUE_AUTO, law, population), expected);
    }
}

TEST(sched, few_events_fire_in_the_order_of_a_sorted_list)
{
    check_hold(1);
    check_hold(20);
}

/* Near the bounds of the migration. */
TEST(sched, some_events_fire_in_the_order_of_a_sorted_list)
{
    check_hold(90);
    check_hold(200);
}

TEST(sched, many_events_fire_in_the_order_of_a_sorted_list)
{
    check_hold(1500);
}

/* Tides: the set grows and shrinks across the bounds of the migration, in both directions, many
 * times. */
static uint64_t script_tides(bool is_list, enum sched_queue_kind kind, enum law law)
{
    struct drive drive;
    drive_init(&drive, is_list, kind, law, 40000);
    for (uint32_t tide = 0; tide < 8; tide++) {
        for (uint32_t i = 0; i < 400; i++) {
            drive_push(&drive);
            drive_step(&drive);
            drive_push(&drive);
        }
        while (drive.pending > (tide % 3) * 60) {
            drive_pop(&drive, INT64_MAX);
        }
    }
    uint64_t digest = drive.digest;
    drive_release(&drive);
    return digest;
}

TEST(sched, migration_in_both_directions_keeps_the_order)
{
    for (uint32_t law = 0; law < LAW_COUNT; law++) {
        uint64_t expected = script_tides(true, SCHED_QUEUE_AUTO, law);
        CHECK_EQUAL(script_tides(false, SCHED_QUEUE_AUTO, law), expected);
        CHECK_EQUAL(script_tides(false, SCHED_QUEUE_WHEEL, law), expected);
    }
}

/* A burst of near events while the wheel's run spans hours: the run is cut short and the base of
 * the wheel goes back. The far timers are of many scales, so that the old and the new base differ
 * at several levels. */
static uint64_t script_burst(bool is_list, enum sched_queue_kind kind, uint32_t bursts)
{
    struct drive drive;
    drive_init(&drive, is_list, kind, LAW_DATA_CENTRE, 60000);
    for (uint32_t i = 1; i <= 1500; i++) {
        drive_push_at(&drive, (int64_t)i * i * 7919 * MS);
    }
    drive_look(&drive);
    for (uint32_t burst = 0; burst < bursts; burst++) {
        for (uint32_t i = 0; i < 2500; i++) {
            drive_push(&drive);
        }
        for (uint32_t i = 0; i < 200; i++) {
            drive_push_at(&drive, drive.now_ns + 3 * MS); /* ties, out of order in the heap */
        }
        for (uint32_t i = 0; i < 3000; i++) {
            drive_step(&drive);
        }
        while (drive.pending > 1400) {
            drive_pop(&drive, INT64_MAX);
        }
    }
    uint64_t digest = drive.digest;
    drive_release(&drive);
    return digest;
}

TEST(sched, bursts_before_far_timers_keep_the_order)
{
    uint64_t expected = script_burst(true, SCHED_QUEUE_AUTO, 3);
    CHECK_EQUAL(script_burst(false, SCHED_QUEUE_HEAP, 3), expected);
    CHECK_EQUAL(script_burst(false, SCHED_QUEUE_WHEEL, 3), expected);
    CHECK_EQUAL(script_burst(false, SCHED_QUEUE_AUTO, 3), expected);
}

/* Thousands of ties whose sequence numbers do not come in order: time-outs moved at random to one
 * time. */
static uint64_t script_ties(bool is_list, enum sched_queue_kind kind)
{
    struct drive drive;
    drive_init(&drive, is_list, kind, LAW_COARSE, 8000);
    for (uint32_t i = 0; i < 3000; i++) {
        drive_push_at(&drive, (int64_t)(rng_u64(&drive.rng) % (uint64_t)MS));
    }
    for (uint32_t i = 0; i < 3000; i++) {
        drive_rearm(&drive, (uint32_t)(rng_u64(&drive.rng) % 3000), 2 * MS);
    }
    for (uint32_t i = 0; i < 2000; i++) {
        drive_push_at(&drive, 2 * MS);
    }
    while (drive_pop(&drive, INT64_MAX)) {
        if (drive.names < 7900) {
            drive_push_at(&drive, 2 * MS);
            drive_rearm(&drive, (uint32_t)(rng_u64(&drive.rng) % 3000), 2 * MS);
        }
    }
    uint64_t digest = drive.digest;
    drive_release(&drive);
    return digest;
}

TEST(sched, ties_fire_in_the_order_of_pushes_and_rearms)
{
    uint64_t expected = script_ties(true, SCHED_QUEUE_AUTO);
    CHECK_EQUAL(script_ties(false, SCHED_QUEUE_HEAP), expected);
    CHECK_EQUAL(script_ties(false, SCHED_QUEUE_WHEEL), expected);
    CHECK_EQUAL(script_ties(false, SCHED_QUEUE_AUTO), expected);
}

static void on_nothing(void *context, struct sched_event *event)
{
    (void)context;
    (void)event;
}

static sched_handle push_plain(struct sched *sched, int64_t time_ns, uint64_t word)
{
    sched_handle handle;
    struct sched_event *event = sched_push(sched, time_ns, &handle);
    event->fire = on_nothing;
    event->words[0] = word;
    return handle;
}

/* Ties of which the first are in the run and the others in the wheel, when a burst before them cuts
 * the run: the first go back to the wheel, behind the others. */
static uint64_t script_cut_ties(bool is_list, enum sched_queue_kind kind, int64_t near_ns)
{
    struct drive drive;
    drive_init(&drive, is_list, kind, LAW_COARSE, 8000);
    for (uint32_t i = 0; i < 1000; i++) {
        drive_push_at(&drive, 1000 * MS);
    }
    drive_look(&drive);
    for (uint32_t i = 0; i < 2000; i++) {
        drive_push_at(&drive, near_ns + (int64_t)(rng_u64(&drive.rng) % 999));
    }
    while (drive_pop(&drive, INT64_MAX)) {
    }
    uint64_t digest = drive.digest;
    drive_release(&drive);
    return digest;
}

TEST(sched, ties_cut_by_a_burst_keep_the_order)
{
    static const int64_t near_ns[] = {0, 999 * MS, 1000 * MS - 1000};
    for (uint32_t i = 0; i < ARRAY_COUNT(near_ns); i++) {
        uint64_t expected = script_cut_ties(true, SCHED_QUEUE_AUTO, near_ns[i]);
        CHECK_EQUAL(script_cut_ties(false, SCHED_QUEUE_WHEEL, near_ns[i]), expected);
        CHECK_EQUAL(script_cut_ties(false, SCHED_QUEUE_AUTO, near_ns[i]), expected);
    }
}

/* The same with ties that are already out of order in the wheel when its base goes back. */
static uint64_t script_cut_disorder(bool is_list, enum sched_queue_kind kind)
{
    struct drive drive;
    drive_init(&drive, is_list, kind, LAW_COARSE, 8000);
    for (uint32_t i = 0; i < 1200; i++) {
        drive_push_at(&drive, (int64_t)(rng_u64(&drive.rng) % (uint64_t)MS));
    }
    for (uint32_t i = 0; i < 1200; i++) {
        drive_rearm(&drive, i, 1000 * MS + (i < 200 ? 0 : 300));
    }
    for (uint32_t i = 0; i < 300; i++) {
        drive_push_at(&drive, 1000 * MS + 300);
    }
    drive_look(&drive);
    for (uint32_t i = 0; i < 4000; i++) {
        drive_push_at(&drive, 999 * MS + (int64_t)(rng_u64(&drive.rng) % 999));
    }
    while (drive_pop(&drive, INT64_MAX)) {
    }
    uint64_t digest = drive.digest;
    drive_release(&drive);
    return digest;
}

TEST(sched, disordered_ties_cut_by_a_burst_keep_the_order)
{
    uint64_t expected = script_cut_disorder(true, SCHED_QUEUE_AUTO);
    CHECK_EQUAL(script_cut_disorder(false, SCHED_QUEUE_WHEEL), expected);
    CHECK_EQUAL(script_cut_disorder(false, SCHED_QUEUE_AUTO), expected);
}

/* Far away, small buckets span more than the sort by ranks distinguishes. */
TEST(sched, near_ties_in_the_far_future_are_in_order)
{
    for (uint32_t shift = 30; shift < 63; shift++) {
        struct sched sched;
        sched_init(&sched, SCHED_QUEUE_WHEEL);
        int64_t far_ns = INT64_C(1) << shift;
        for (int64_t i = 0; i < 50; i++) {
            push_plain(&sched, far_ns + (i * 37) % 50, (uint64_t)((i * 37) % 50));
        }
        for (uint64_t i = 0; i < 50; i++) {
            struct sched_event event;
            CHECK(sched_pop(&sched, INT64_MAX, &event));
            CHECK_EQUAL(event.words[0], i);
        }
        sched_release(&sched);
    }
}

/* Times that differ from each other in every byte, up to the last. */
static uint64_t script_scales(bool is_list, enum sched_queue_kind kind)
{
    struct drive drive;
    drive_init(&drive, is_list, kind, LAW_HEAVY_TAIL, 4000);
    for (uint32_t i = 0; i < 3000; i++) {
        uint64_t draw = rng_u64(&drive.rng);
        drive_push_at(&drive, (int64_t)(draw >> (1 + rng_u64(&drive.rng) % 63)));
    }
    drive_push_at(&drive, INT64_MAX);
    drive_push_at(&drive, 0);
    while (drive_pop(&drive, INT64_MAX)) {
    }
    CHECK_EQUAL(drive.now_ns, INT64_MAX);
    uint64_t digest = drive.digest;
    drive_release(&drive);
    return digest;
}

TEST(sched, all_times_of_63_bits_are_in_order)
{
    uint64_t expected = script_scales(true, SCHED_QUEUE_AUTO);
    CHECK_EQUAL(script_scales(false, SCHED_QUEUE_HEAP), expected);
    CHECK_EQUAL(script_scales(false, SCHED_QUEUE_WHEEL), expected);
    CHECK_EQUAL(script_scales(false, SCHED_QUEUE_AUTO), expected);
}

TEST(sched, handles_die_when_the_event_fires_or_is_cancelled)
{
    struct sched sched;
    sched_init(&sched, SCHED_QUEUE_AUTO);
    CHECK(!sched_cancel(&sched, 0));
    CHECK(!sched_is_pending(&sched, 0));
    CHECK(!sched_cancel(&sched, UINT64_MAX));
    sched_handle first = push_plain(&sched, 10, 1);
    sched_handle second = push_plain(&sched, 20, 2);
    CHECK(first != 0);
    CHECK(first != second);
    CHECK(sched_is_pending(&sched, first));
    CHECK(sched_cancel(&sched, second));
    CHECK(!sched_cancel(&sched, second));
    CHECK(!sched_rearm(&sched, second, 30));
    CHECK_EQUAL(sched.pending, 1);
    struct sched_event event;
    CHECK(sched_pop(&sched, INT64_MAX, &event));
    CHECK_EQUAL(event.words[0], 1);
    CHECK(!sched_is_pending(&sched, first));
    CHECK(!sched_cancel(&sched, first));
    sched_handle third = push_plain(&sched, 20, 3); /* in the slot of an earlier one */
    CHECK(!sched_cancel(&sched, first));
    CHECK(!sched_cancel(&sched, second));
    CHECK(sched_is_pending(&sched, third));
    CHECK(sched_pop(&sched, INT64_MAX, &event));
    CHECK_EQUAL(event.words[0], 3);
    CHECK(!sched_pop(&sched, INT64_MAX, &event));
    CHECK_EQUAL(sched.stats.pushed, 3);
    CHECK_EQUAL(sched.stats.fired, 2);
    CHECK_EQUAL(sched.stats.cancelled, 1);
    sched_release(&sched);
}

TEST(sched, a_limit_leaves_later_events_and_the_clock_alone)
{
    struct sched sched;
    sched_init(&sched, SCHED_QUEUE_AUTO);
    CHECK_EQUAL(sched_next_time(&sched), INT64_MAX);
    sched_handle first = push_plain(&sched, 100, 1);
    push_plain(&sched, 200, 2);
    struct sched_event event;
    CHECK(!sched_pop(&sched, 99, &event));
    CHECK_EQUAL(sched.now_ns, 0);
    CHECK_EQUAL(sched_next_time(&sched), 100);
    CHECK(sched_pop(&sched, 100, &event));
    CHECK_EQUAL(sched.now_ns, 100);
    CHECK(!sched_cancel(&sched, first));
    CHECK(!sched_pop(&sched, 199, &event));
    CHECK_EQUAL(sched.now_ns, 100);
    CHECK(sched_pop(&sched, INT64_MAX, &event));
    CHECK_EQUAL(event.time_ns, 200);
    CHECK_EQUAL(sched_next_time(&sched), INT64_MAX);
    sched_release(&sched);
}

TEST(sched, a_cancelled_event_is_not_the_next)
{
    struct sched sched;
    sched_init(&sched, SCHED_QUEUE_AUTO);
    sched_handle first = push_plain(&sched, 100, 1);
    sched_handle second = push_plain(&sched, 150, 2);
    push_plain(&sched, 200, 3);
    CHECK(sched_cancel(&sched, first));
    CHECK(sched_rearm(&sched, second, 300));
    CHECK_EQUAL(sched_next_time(&sched), 200);
    CHECK_EQUAL(sched.pending, 2);
    sched_release(&sched);
}

TEST(sched, a_rearmed_event_keeps_its_handle_and_payload)
{
    struct sched sched;
    sched_init(&sched, SCHED_QUEUE_AUTO);
    sched_handle timer = push_plain(&sched, 100, 1);
    sched_handle other = push_plain(&sched, 500, 2);
    CHECK(sched_rearm(&sched, timer, 500)); /* now after the other */
    CHECK(sched_rearm(&sched, timer, 50));
    CHECK(sched_rearm(&sched, timer, 400));
    CHECK(sched_rearm(&sched, timer, 500));
    struct sched_event event;
    CHECK(sched_pop(&sched, INT64_MAX, &event));
    CHECK_EQUAL(event.words[0], 2);
    CHECK(!sched_is_pending(&sched, other));
    CHECK(sched_is_pending(&sched, timer));
    CHECK(sched_pop(&sched, INT64_MAX, &event));
    CHECK_EQUAL(event.words[0], 1);
    CHECK_EQUAL(event.time_ns, 500);
    CHECK(!sched_is_pending(&sched, timer));
    CHECK(!sched_rearm(&sched, timer, 600));
    CHECK_EQUAL(sched.pending, 0);
    CHECK_EQUAL(sched.stats.rearmed, 4);
    sched_release(&sched);
}

TEST(sched, rearming_to_the_same_time_goes_behind_its_ties)
{
    struct sched sched;
    sched_init(&sched, SCHED_QUEUE_WHEEL);
    sched_handle timer = push_plain(&sched, 100, 1);
    push_plain(&sched, 100, 2);
    CHECK(sched_rearm(&sched, timer, 100));
    push_plain(&sched, 100, 3);
    static const uint64_t expected[] = {2, 1, 3};
    for (uint32_t i = 0; i < 3; i++) {
        struct sched_event event;
        CHECK(sched_pop(&sched, INT64_MAX, &event));
        CHECK_EQUAL(event.words[0], expected[i]);
    }
    sched_release(&sched);
}

/* A time-out that every message moves must not leave a key in the queue each time. */
TEST(sched, rearming_later_does_not_use_memory)
{
    struct sched sched;
    sched_init(&sched, SCHED_QUEUE_AUTO);
    sched_handle timer = push_plain(&sched, 1000, 1);
    CHECK(sched_rearm(&sched, timer, 1000));
    size_t before = sched_memory_bytes(&sched);
    struct sched_event event;
    for (int64_t i = 0; i < 20000; i++) {
        push_plain(&sched, i, 2);
        CHECK(sched_pop(&sched, INT64_MAX, &event));
        CHECK_EQUAL(event.words[0], 2);
        CHECK(sched_rearm(&sched, timer, i + 1000));
    }
    CHECK_EQUAL(sched_memory_bytes(&sched), before);
    CHECK(sched_pop(&sched, INT64_MAX, &event));
    CHECK_EQUAL(event.time_ns, 19999 + 1000);
    sched_release(&sched);
}

/* Time-outs that are cancelled long before they are due, which is what they are for. */
TEST(sched, cancelled_events_do_not_use_memory_for_ever)
{
    static const enum law laws[] = {LAW_CONSTANT, LAW_HEAVY_TAIL, LAW_LOOKAHEAD};
    for (uint32_t i = 0; i < ARRAY_COUNT(laws); i++) {
        struct sched sched;
        sched_init(&sched, SCHED_QUEUE_AUTO);
        struct rng rng = rng_keyed(4, 0, 0, 0);
        sched_handle handles[500];
        uint32_t cancelled = 0;
        for (uint32_t push = 0; push < 200000; push++) {
            sched_handle *handle = &handles[push % ARRAY_COUNT(handles)];
            cancelled += push >= ARRAY_COUNT(handles) && sched_cancel(&sched, *handle);
            *handle = push_plain(&sched, INT64_MAX / 4 + draw_delay(&rng, laws[i]), push);
        }
        CHECK_EQUAL(cancelled, 200000 - ARRAY_COUNT(handles));
        CHECK(sched_memory_bytes(&sched) < 5 << 19);
        int64_t last_ns = 0;
        struct sched_event event;
        for (uint32_t left = ARRAY_COUNT(handles); left > 0; left--) {
            CHECK_EQUAL(sched.pending, left);
            CHECK(sched_pop(&sched, INT64_MAX, &event));
            CHECK(event.time_ns >= last_ns);
            CHECK(event.words[0] >= 200000 - ARRAY_COUNT(handles));
            last_ns = event.time_ns;
        }
        CHECK(!sched_pop(&sched, INT64_MAX, &event));
        sched_release(&sched);
    }
}

TEST(sched, what_the_caller_does_not_fill_is_zero)
{
    struct sched sched;
    sched_init(&sched, SCHED_QUEUE_AUTO);
    struct sched_event *event = sched_push(&sched, 1, NULL);
    *event = (struct sched_event){.time_ns = event->time_ns,
                                  .fire = on_nothing,
                                  .sequence = event->sequence,
                                  .kind = (1U << 23) - 1,
                                  .context = &sched,
                                  .words = {1, 2, 3, 4}};
    struct sched_event popped;
    CHECK(sched_pop(&sched, INT64_MAX, &popped));
    CHECK_EQUAL(popped.kind, (1U << 23) - 1);
    CHECK_EQUAL(popped.words[3], 4);
    event = sched_push(&sched, 2, NULL);
    CHECK(event->fire == NULL);
    CHECK(event->context == NULL);
    CHECK_EQUAL(event->kind, 0);
    CHECK_EQUAL(event->words[0] | event->words[1] | event->words[2] | event->words[3], 0);
    sched_release(&sched);
}

/* Runs and resets: each run must be as if on a new scheduler. */
TEST(sched, a_reset_scheduler_is_a_new_one)
{
    static const enum sched_queue_kind kinds[] = {SCHED_QUEUE_AUTO, SCHED_QUEUE_HEAP,
                                                  SCHED_QUEUE_WHEEL};
    for (uint32_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        struct drive drive;
        drive_init(&drive, false, kinds[i], LAW_DATA_CENTRE, 30000);
        uint64_t expected = 0;
        size_t memory_bytes = 0;
        for (uint32_t run = 0; run < 5; run++) {
            drive.rng = rng_keyed(9, 1, 0, 1);
            drive.names = 0;
            drive.now_ns = 0;
            drive.digest = 0;
            for (uint32_t step = 0; step < 2500; step++) {
                drive_push(&drive);
                drive_step(&drive);
            }
            CHECK(run == 0 || drive.digest == expected);
            CHECK(run == 0 || sched_memory_bytes(&drive.sched) == memory_bytes);
            expected = drive.digest;
            memory_bytes = sched_memory_bytes(&drive.sched);
            CHECK(drive.sched.pending > 500);
            sched_handle last = drive.handles[drive.names - 1];
            sched_reset(&drive.sched);
            drive.pending = 0;
            CHECK_EQUAL(drive.sched.pending, 0);
            CHECK_EQUAL(drive.sched.now_ns, 0);
            CHECK_EQUAL(drive.sched.sequence, 1);
            CHECK_EQUAL(drive.sched.stats.pushed, 0);
            CHECK_EQUAL(sched_next_time(&drive.sched), INT64_MAX);
            CHECK(!sched_cancel(&drive.sched, last));
        }
        drive_release(&drive);
    }
}

TEST(sched, handles_from_before_a_reset_are_dead)
{
    struct sched sched;
    sched_init(&sched, SCHED_QUEUE_AUTO);
    sched_handle before[100];
    for (uint32_t i = 0; i < ARRAY_COUNT(before); i++) {
        before[i] = push_plain(&sched, 5, i);
    }
    sched_reset(&sched);
    for (uint32_t i = 0; i < ARRAY_COUNT(before); i++) {
        push_plain(&sched, 5, i);
    }
    for (uint32_t i = 0; i < ARRAY_COUNT(before); i++) {
        CHECK(!sched_is_pending(&sched, before[i]));
        CHECK(!sched_cancel(&sched, before[i]));
        CHECK(!sched_rearm(&sched, before[i], 6));
    }
    CHECK_EQUAL(sched.pending, ARRAY_COUNT(before));
    sched_release(&sched);
}

TEST(sched, two_schedulers_live_side_by_side)
{
    struct sched one;
    struct sched two;
    sched_init(&one, SCHED_QUEUE_AUTO);
    sched_init(&two, SCHED_QUEUE_AUTO);
    sched_handle handle = push_plain(&one, 10, 1);
    push_plain(&two, 20, 2);
    CHECK(sched_cancel(&one, handle));
    struct sched_event event;
    CHECK(sched_pop(&two, INT64_MAX, &event));
    CHECK_EQUAL(event.words[0], 2);
    CHECK_EQUAL(one.now_ns, 0);
    sched_release(&one);
    sched_release(&two);
}

/* 64 bytes for the event, 16 for the key, and a few for chunks that are not full. */
TEST(sched, a_pending_event_takes_less_than_90_bytes)
{
    struct sched sched;
    sched_init(&sched, SCHED_QUEUE_AUTO);
    struct rng rng = rng_keyed(3, 0, 0, 0);
    enum { COUNT = 100000 };
    for (uint32_t i = 0; i < COUNT; i++) {
        push_plain(&sched, draw_delay(&rng, LAW_LOOKAHEAD), i);
    }
    struct sched_event event;
    for (uint32_t i = 0; i < COUNT / 4; i++) {
        CHECK(sched_pop(&sched, INT64_MAX, &event));
        push_plain(&sched, sched.now_ns + draw_delay(&rng, LAW_LOOKAHEAD), i);
    }
    CHECK(sched_memory_bytes(&sched) / COUNT < 90);
    CHECK(sched_memory_bytes(&sched) / COUNT >= 80);
    sched_release(&sched);
}

static void push_into_the_past(void *unused)
{
    (void)unused;
    struct sched sched;
    struct sched_event event;
    sched_init(&sched, SCHED_QUEUE_AUTO);
    push_plain(&sched, 10, 1);
    (void)sched_pop(&sched, INT64_MAX, &event);
    push_plain(&sched, 9, 1);
}

static void rearm_into_the_past(void *unused)
{
    (void)unused;
    struct sched sched;
    struct sched_event event;
    sched_init(&sched, SCHED_QUEUE_AUTO);
    push_plain(&sched, 10, 1);
    sched_handle timer = push_plain(&sched, 20, 1);
    (void)sched_pop(&sched, INT64_MAX, &event);
    (void)sched_rearm(&sched, timer, 9);
}

static void fire_nothing(void *unused)
{
    (void)unused;
    struct sched sched;
    struct sched_event event;
    sched_init(&sched, SCHED_QUEUE_AUTO);
    (void)sched_push(&sched, 10, NULL);
    (void)sched_pop(&sched, INT64_MAX, &event);
}

TEST(sched, misuse_is_an_assertion)
{
    CHECK(unit_aborts(push_into_the_past, NULL, "time_ns >= sched->now_ns"));
    CHECK(unit_aborts(rearm_into_the_past, NULL, "time_ns >= sched->now_ns"));
    CHECK(unit_aborts(fire_nothing, NULL, "event->fire != NULL"));
}

#if defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#endif

/* AddressSanitizer itself needs terabytes of addresses. */
#ifndef HAS_ASAN
static void push_many(void *user)
{
    const struct rlimit few = {128 << 20, 128 << 20};
    (void)setrlimit(RLIMIT_AS, &few);
    struct sched sched;
    sched_init(&sched, SCHED_QUEUE_AUTO);
    uint32_t count = *(uint32_t *)user;
    for (uint32_t i = 0; i < count; i++) {
        push_plain(&sched, i % 7, i);
    }
}

TEST(sched, scarce_addresses_mean_fewer_events_and_too_many_are_an_assertion)
{
    uint32_t enough = 60000;
    uint32_t too_many = 10000000;
    CHECK(!unit_aborts(push_many, &enough, ""));
    CHECK(unit_aborts(push_many, &too_many, "slot < store->slot_limit"));
}
#endif
