/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Capacity: what is in service is retimed to the nanosecond, nothing drifts, and the k-th job of a
 * core ends at the first nanosecond at which the integral of the capacity has reached the work of
 * the first k, whatever the capacity did. */
#include "tests/unit/scripted_model.h"

#include "sim/cpu.h"

#define MS       NS_PER_MS
#define FIFTH    (CPU_CAPACITY_FULL / 5)
#define HALF     (CPU_CAPACITY_FULL / 2)
#define LINE_MAX 400

/* A processor of its own in a world where nothing else happens. */
struct bench {
    struct world_fixture fixture;
    struct world *world;
    struct cpu cpu;
};

struct timed {
    struct cpu_job job; /* first */
    struct bench *bench;
    int64_t done_ns;    /* -1: not yet */
    struct timed *next; /* submitted when this one is done; or NULL */
};

static void on_done(struct cpu_job *job)
{
    struct timed *timed = (struct timed *)job;
    timed->done_ns = world_now(timed->bench->world);
    if (timed->next != NULL) {
        cpu_submit(&timed->bench->cpu, &timed->next->job);
    }
}

static void bench_begin(struct bench *bench, uint32_t cores)
{
    bench->world = begin(&bench->fixture, 1, (struct script){0});
    bench->fixture.spec.limit_ns = INT64_MAX / 2;
    bench->fixture.spec.load_count = 0;
    reset(bench->world, &bench->fixture, 1);
    cpu_init(&bench->cpu, bench->world, cores);
}

static void nothing(void *context, struct sched_event *event)
{
    (void)context;
    (void)event;
}

/* Runs and leaves the clock exactly there. */
static void advance(struct bench *bench, int64_t until_ns)
{
    struct sched_event *event = sched_push(&bench->world->sched, until_ns, NULL);
    event->fire = nothing;
    world_run(bench->world, until_ns, UINT64_MAX);
    ASSERT(world_now(bench->world) == until_ns);
}

static struct timed timed_of(struct bench *bench, int64_t ns)
{
    return (struct timed){.job = {.ns = ns, .on_done = on_done}, .bench = bench, .done_ns = -1};
}

TEST(cpu, a_cut_reaches_the_job_in_service_at_once)
{
    struct bench bench;
    bench_begin(&bench, 1);
    struct timed job = timed_of(&bench, 10 * MS);
    cpu_submit(&bench.cpu, &job.job);
    advance(&bench, 4 * MS);
    cpu_set_capacity(&bench.cpu, FIFTH);
    advance(&bench, 34 * MS);
    CHECK_EQUAL(job.done_ns, 34 * MS); /* 6 ms at a fifth */
    job = timed_of(&bench, 10 * MS);
    cpu_submit(&bench.cpu, &job.job);
    advance(&bench, 44 * MS); /* 2 ms are done */
    cpu_set_capacity(&bench.cpu, CPU_CAPACITY_FULL);
    advance(&bench, 60 * MS);
    CHECK_EQUAL(job.done_ns, 52 * MS);
    world_free(bench.world);
}

TEST(cpu, at_no_capacity_everything_stands_still_and_keeps_its_core)
{
    struct bench bench;
    bench_begin(&bench, 1);
    struct timed first = timed_of(&bench, 10 * MS);
    struct timed second = timed_of(&bench, 5 * MS);
    struct timed last = timed_of(&bench, 0);
    cpu_submit(&bench.cpu, &first.job);
    cpu_submit(&bench.cpu, &second.job);
    advance(&bench, 3 * MS);
    cpu_set_capacity(&bench.cpu, 0);
    cpu_submit(&bench.cpu, &last.job);
    advance(&bench, NS_PER_S);
    CHECK_EQUAL(first.done_ns, -1);
    CHECK_EQUAL(bench.cpu.busy, 1);
    advance(&bench, NS_PER_S + 3 * MS);
    cpu_set_capacity(&bench.cpu, CPU_CAPACITY_FULL);
    advance(&bench, 2 * NS_PER_S);
    CHECK_EQUAL(first.done_ns, NS_PER_S + 10 * MS); /* to the nanosecond a second later */
    CHECK_EQUAL(second.done_ns, NS_PER_S + 15 * MS);
    CHECK_EQUAL(last.done_ns, NS_PER_S + 15 * MS);
    world_free(bench.world);
}

/* A job whose end falls on the instant of the cut is done, and not held for the length of it. */
TEST(cpu, what_ends_at_the_instant_of_a_freeze_ends)
{
    struct bench bench;
    bench_begin(&bench, 1);
    struct sched_event *before = sched_push(&bench.world->sched, 10 * MS, NULL);
    before->fire = nothing; /* the world stands at 10 ms with the end of the job still to come */
    struct timed job = timed_of(&bench, 10 * MS);
    cpu_submit(&bench.cpu, &job.job);
    while (world_now(bench.world) < 10 * MS) {
        world_run(bench.world, 10 * MS, world_event(bench.world) + 1);
    }
    CHECK_EQUAL(job.done_ns, -1);
    cpu_set_capacity(&bench.cpu, 0);
    advance(&bench, 20 * MS);
    CHECK_EQUAL(job.done_ns, 10 * MS);
    world_free(bench.world);
}

TEST(cpu, a_job_without_a_core_follows_capacity_and_pauses_but_waits_for_nobody)
{
    struct bench bench;
    bench_begin(&bench, 1);
    struct timed core = timed_of(&bench, 100 * MS);
    struct timed pass[3];
    cpu_submit(&bench.cpu, &core.job);
    for (uint32_t i = 0; i < 3; i++) {
        pass[i] = timed_of(&bench, 10 * MS);
        pass[i].job.has_no_core = true;
        pass[i].job.node = i;
        cpu_submit(&bench.cpu, &pass[i].job);
    }
    CHECK_EQUAL(bench.cpu.busy, 1);
    bench.cpu.slowdown_milli = 3000; /* not its affair, and what runs keeps its speed */
    advance(&bench, 4 * MS);
    cpu_stop(&bench.cpu, 1);
    cpu_cancel(&pass[2].job);
    cpu_set_capacity(&bench.cpu, HALF);
    advance(&bench, 8 * MS);
    cpu_continue(&bench.cpu, 1);
    cpu_set_capacity(&bench.cpu, CPU_CAPACITY_FULL);
    advance(&bench, NS_PER_S);
    CHECK_EQUAL(pass[0].done_ns, 12 * MS);
    CHECK_EQUAL(pass[1].done_ns, 14 * MS);
    CHECK_EQUAL(pass[2].done_ns, -1);
    CHECK_EQUAL(core.done_ns, 102 * MS);
    CHECK_EQUAL(bench.cpu.busy, 0);
    world_free(bench.world);
}

TEST(cpu, a_pause_under_a_cut_loses_no_fraction)
{
    struct bench bench;
    bench_begin(&bench, 1);
    struct timed job = timed_of(&bench, 1000);
    cpu_submit(&bench.cpu, &job.job);
    cpu_set_capacity(&bench.cpu, 333333);
    /* Stopped and going on a hundred times, each after 7 ns: 2.333331 ns of work. */
    for (int64_t i = 0; i < 100; i++) {
        advance(&bench, i * 10 + 7);
        cpu_stop(&bench.cpu, 0);
        advance(&bench, i * 10 + 10);
        cpu_continue(&bench.cpu, 0);
    }
    cpu_set_capacity(&bench.cpu, CPU_CAPACITY_FULL);
    advance(&bench, 3000);
    CHECK_EQUAL(job.done_ns, 1000 + 767); /* 1000 - 233.3331 = 766.6669, rounded up once */
    world_free(bench.world);
}

/* ------------------------------------------------------------------------------ against the
 * integral */

struct change {
    int64_t at_ns;
    uint32_t capacity;
};

/* The first nanosecond at which the integral of the capacity is `work`. */
static int64_t first_reaching(const struct change *changes, uint32_t count, cpu_amount work)
{
    cpu_amount sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        const int64_t end_ns = i + 1 < count ? changes[i + 1].at_ns : INT64_MAX / 4;
        const cpu_amount part = (cpu_amount)(end_ns - changes[i].at_ns) * changes[i].capacity;
        if (changes[i].capacity > 0 && sum + part >= work) {
            const cpu_amount left = work - sum + changes[i].capacity - 1;
            return changes[i].at_ns + (int64_t)(left / changes[i].capacity);
        }
        sum += part;
    }
    UNREACHABLE();
}

static void submit_line(struct bench *bench, struct timed *line, uint32_t count, bool is_chained)
{
    for (uint32_t i = 0; i < count; i++) {
        if (is_chained && i > 0) {
            line[i - 1].next = &line[i];
        } else {
            cpu_submit(&bench->cpu, &line[i].job);
        }
    }
}

/* Jobs that all wait, or that come one by one, each from the end of the one before. */
TEST(cpu, a_busy_core_does_what_the_integral_of_its_capacity_says)
{
    static struct timed line[LINE_MAX];
    static const uint32_t capacities[] = {CPU_CAPACITY_FULL, 0, FIFTH, HALF, 333333, 1, 999999};
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct rng rng = rng_keyed(seed, 0, 0, 0);
        struct bench bench;
        bench_begin(&bench, 1);
        struct change changes[50] = {{0, CPU_CAPACITY_FULL}};
        for (uint32_t i = 1; i < ARRAY_COUNT(changes); i++) {
            changes[i].at_ns = changes[i - 1].at_ns + (int64_t)rng_below(&rng, 4000);
            changes[i].capacity = capacities[rng_below(&rng, ARRAY_COUNT(capacities))];
        }
        changes[ARRAY_COUNT(changes) - 1].capacity = 700001;
        for (uint32_t i = 0; i < LINE_MAX; i++) {
            line[i] = timed_of(&bench, (int64_t)rng_below(&rng, 700));
            line[i].job.has_no_core =
                seed % 4 == 3; /* a fiber that lets time pass again and again */
        }
        submit_line(&bench, line, LINE_MAX, seed % 2 == 1);
        for (uint32_t i = 1; i < ARRAY_COUNT(changes); i++) {
            advance(&bench, changes[i].at_ns);
            cpu_set_capacity(&bench.cpu, changes[i].capacity);
        }
        advance(&bench, NS_PER_S);
        cpu_amount work = 0;
        for (uint32_t i = 0; i < LINE_MAX; i++) {
            work += (cpu_amount)line[i].job.ns * CPU_CAPACITY_FULL;
            CHECK_EQUAL(line[i].done_ns, first_reaching(changes, ARRAY_COUNT(changes), work));
        }
        world_free(bench.world);
    }
}

/* Half the capacity for two seconds is a freeze of one, as to what is done in the end. */
TEST(cpu, half_the_capacity_for_twice_as_long_is_a_freeze)
{
    int64_t ends_ns[2];
    for (uint32_t i = 0; i < 2; i++) {
        static struct timed line[LINE_MAX];
        struct bench bench;
        bench_begin(&bench, 1);
        for (uint32_t at = 0; at < LINE_MAX; at++) {
            line[at] = timed_of(&bench, 10 * MS + at);
        }
        submit_line(&bench, line, LINE_MAX, false);
        advance(&bench, 503 * MS);
        cpu_set_capacity(&bench.cpu, i == 0 ? HALF : 0);
        advance(&bench, 503 * MS + (i == 0 ? 2 : 1) * NS_PER_S);
        cpu_set_capacity(&bench.cpu, CPU_CAPACITY_FULL);
        advance(&bench, 10 * NS_PER_S);
        ends_ns[i] = line[LINE_MAX - 1].done_ns;
        for (uint32_t at = 0; at < LINE_MAX; at++) {
            CHECK(line[at].done_ns >= 0);
        }
        world_free(bench.world);
    }
    CHECK_EQUAL(ends_ns[0], ends_ns[1]);
    CHECK_EQUAL(ends_ns[1], 5 * NS_PER_S + LINE_MAX * (LINE_MAX - 1) / 2);
}

TEST(cpu, several_cores_share_a_line_and_a_cut)
{
    struct bench bench;
    bench_begin(&bench, 2);
    static struct timed line[LINE_MAX];
    for (uint32_t i = 0; i < LINE_MAX; i++) {
        line[i] = timed_of(&bench, 10 * MS);
    }
    submit_line(&bench, line, LINE_MAX, false);
    advance(&bench, 5 * MS);
    cpu_set_capacity(&bench.cpu, FIFTH);
    advance(&bench, 1005 * MS);
    cpu_set_capacity(&bench.cpu, CPU_CAPACITY_FULL);
    advance(&bench, 10 * NS_PER_S);
    /* 2 s of work on two cores, 0.8 s of each lost. */
    CHECK_EQUAL(line[LINE_MAX - 1].done_ns, 2800 * MS);
    CHECK_EQUAL(bench.cpu.busy_ns, 2 * 2800 * MS);
    world_free(bench.world);
}
