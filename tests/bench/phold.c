/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * PHOLD (Fujimoto 1990) on the engine: N logical processes, one event in flight for each; an event
 * draws a delay of 0.1 + Exp(0.9) s and a uniform destination and sends itself on. The loop is that
 * of a run: pop, digest, flight record, call through the event's function pointer. The peers'
 * programs (tests/bench/peers) draw the same numbers with the same generator and libm's log, which
 * costs a third of our time; a real run draws from tables. Handlers are of eight kinds at random,
 * as in a real run, where the call of the handler is rarely predicted.
 *
 * The reference is the loop that a textbook would have: a binary heap of 64-byte nodes, ordered by
 * time and sequence number, with the same dispatch, digest and record. */
#include "sim/base/hash.h"
#include "sim/base/rng.h"
#include "sim/sched.h"
#include "tests/bench/bench.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define RING               4096
#define KINDS              8
#define REPETITIONS        5
#define MESSAGES_A_TIMEOUT 100

struct process {
    struct rng rng;
    struct phold *phold;
    uint64_t received;
    uint64_t sum;
    sched_handle timer;
};

struct record {
    int64_t time_ns;
    uint32_t kind;
    uint32_t node;
    uint64_t word;
    uint64_t extra;
};

struct heap {
    struct sched_event *nodes; /* root at 1; nodes[].sequence is the tie-break */
    uint32_t count;
    uint64_t sequence;
    int64_t now_ns;
};

struct phold {
    struct sched sched;
    struct heap heap;
    bool is_reference;
    int64_t delay_divisor;
    uint32_t process_count;
    struct process *processes;
    uint64_t digest;
    uint64_t fired;
    struct record ring[RING];
};

static bool node_is_before(const struct sched_event *left, const struct sched_event *right)
{
    return left->time_ns < right->time_ns ||
           (left->time_ns == right->time_ns && left->sequence < right->sequence);
}

static void heap_push(struct heap *heap, struct sched_event node)
{
    node.sequence = heap->sequence++;
    uint32_t hole = ++heap->count;
    while (hole > 1 && node_is_before(&node, &heap->nodes[hole / 2])) {
        heap->nodes[hole] = heap->nodes[hole / 2];
        hole /= 2;
    }
    heap->nodes[hole] = node;
}

static struct sched_event heap_pop(struct heap *heap)
{
    struct sched_event top = heap->nodes[1];
    struct sched_event last = heap->nodes[heap->count--];
    uint32_t hole = 1;
    uint32_t child;
    while ((child = 2 * hole) <= heap->count) {
        if (child < heap->count && node_is_before(&heap->nodes[child + 1], &heap->nodes[child])) {
            child++;
        }
        if (!node_is_before(&heap->nodes[child], &last)) {
            break;
        }
        heap->nodes[hole] = heap->nodes[child];
        hole = child;
    }
    heap->nodes[hole] = last;
    return top;
}

static int64_t delay_draw(struct rng *rng)
{
    double uniform = ((double)(rng_u64(rng) >> 11) + 0.5) * 0x1p-53;
    return (int64_t)((0.1 - 0.9 * log(uniform)) * 1e9);
}

static void phold_send(struct phold *phold, struct process *from);

/* Handlers differ a little, so that the compiler keeps them apart and the branch predictor has to
 * guess. */
#define HANDLER(index)                                                                             \
    static void on_event_##index(void *context, struct sched_event *event)                         \
    {                                                                                              \
        struct process *process = context;                                                         \
        process->received++;                                                                       \
        process->sum += event->words[0] ^ index;                                                   \
        phold_send(process->phold, process);                                                       \
    }
HANDLER(0)
HANDLER(1)
HANDLER(2)
HANDLER(3)
HANDLER(4)
HANDLER(5)
HANDLER(6)
HANDLER(7)

static void (*const handlers[KINDS])(void *, struct sched_event *) = {
    on_event_0, on_event_1, on_event_2, on_event_3, on_event_4, on_event_5, on_event_6, on_event_7};

static void phold_send(struct phold *phold, struct process *from)
{
    int64_t delay_ns = delay_draw(&from->rng) / phold->delay_divisor;
    uint64_t draw = rng_u64(&from->rng);
    uint32_t to = (uint32_t)(((unsigned __int128)draw * phold->process_count) >> 64);
    uint32_t kind = draw % KINDS;
    struct process *process = &phold->processes[to];
    if (phold->is_reference) {
        heap_push(&phold->heap, (struct sched_event){.time_ns = phold->heap.now_ns + delay_ns,
                                                     .fire = handlers[kind],
                                                     .context = process,
                                                     .kind = kind,
                                                     .words = {draw}});
        return;
    }
    struct sched_event *event = sched_push(&phold->sched, phold->sched.now_ns + delay_ns, NULL);
    event->fire = handlers[kind];
    event->context = process;
    event->kind = kind;
    event->words[0] = draw;
}

static inline void phold_note(struct phold *phold, const struct sched_event *event)
{
    uint64_t digest = hash_mix(phold->digest ^ (uint64_t)event->time_ns, event->kind);
    phold->digest = digest ^ event->words[0];
    phold->ring[phold->fired++ & (RING - 1)] =
        (struct record){.time_ns = event->time_ns, .kind = event->kind, .word = event->words[0]};
}

static void phold_run(void *context, uint64_t events)
{
    struct phold *phold = context;
    struct sched_event event;
    for (uint64_t i = 0; i < events && sched_pop(&phold->sched, INT64_MAX, &event); i++) {
        phold_note(phold, &event);
        event.fire(event.context, &event);
    }
}

static void phold_run_reference(void *context, uint64_t events)
{
    struct phold *phold = context;
    for (uint64_t i = 0; i < events; i++) {
        struct sched_event event = heap_pop(&phold->heap);
        phold->heap.now_ns = event.time_ns;
        phold_note(phold, &event);
        event.fire(event.context, &event);
    }
}

static struct phold *phold_new(uint32_t processes, int64_t delay_divisor, bool is_reference)
{
    struct phold *phold = calloc(1, sizeof(*phold));
    phold->delay_divisor = delay_divisor;
    phold->process_count = processes;
    phold->is_reference = is_reference;
    phold->processes = aligned_alloc(64, (size_t)processes * sizeof(struct process));
    if (is_reference) {
        phold->heap.nodes = aligned_alloc(64, ((size_t)processes + 2) * sizeof(struct sched_event));
    } else {
        sched_init(&phold->sched, SCHED_QUEUE_AUTO);
    }
    for (uint32_t i = 0; i < processes; i++) {
        phold->processes[i] = (struct process){.rng = rng_keyed(1, i, 0, 2), .phold = phold};
    }
    for (uint32_t i = 0; i < processes; i++) {
        phold_send(phold, &phold->processes[i]);
    }
    return phold;
}

static void phold_free(struct phold *phold)
{
    if (phold->is_reference) {
        free(phold->heap.nodes);
    } else {
        sched_release(&phold->sched);
    }
    free(phold->processes);
    free(phold);
}

/* One repetition of warm-up, then REPETITIONS. */
static double phold_measure(uint32_t processes, bool is_reference, double *bytes, uint64_t *digest)
{
    uint64_t events = processes < 100000 ? 2000000 : 3000000;
    size_t before = bench_resident_bytes();
    struct phold *phold = phold_new(processes, 1, is_reference);
    void (*run)(void *, uint64_t) = is_reference ? phold_run_reference : phold_run;
    run(phold, events);
    double ns = bench_least(REPETITIONS, events, phold, run);
    *bytes = ((double)bench_resident_bytes() - (double)before) / processes;
    *digest = phold->digest;
    phold_free(phold);
    return ns;
}

static void phold_bench(const char *name, uint32_t processes)
{
    double bytes;
    double reference_bytes;
    uint64_t digest;
    uint64_t reference_digest;
    double ns = phold_measure(processes, false, &bytes, &digest);
    double reference_ns = phold_measure(processes, true, &reference_bytes, &reference_digest);
    if (digest != reference_digest) {
        (void)fprintf(stderr, "bench: %s: the order differs from the reference's\n", name);
        exit(1);
    }
    bench_print(&(struct bench_row){.name = name,
                                    .what = "event",
                                    .ns = ns,
                                    .bytes = processes >= 65536 ? bytes : 0,
                                    .reference = "binary heap",
                                    .reference_ns = reference_ns});
}

void bench_phold_64(const struct bench *bench)
{
    phold_bench(bench->name, 64);
}

void bench_phold_1k(const struct bench *bench)
{
    phold_bench(bench->name, 1024);
}

void bench_phold_16k(const struct bench *bench)
{
    phold_bench(bench->name, 16384);
}

void bench_phold_64k(const struct bench *bench)
{
    phold_bench(bench->name, 65536);
}

void bench_phold_1m(const struct bench *bench)
{
    phold_bench(bench->name, 1000000);
}

/* Time-outs: each process has one; every event moves the time-out of its process 1 s ahead, which
 * is how a message from a leader moves the election time-out of its follower. A process gets about
 * a hundred messages in that time. The reference cancels and pushes. */
struct timers {
    struct phold *phold;
    bool is_reference;
};

static void on_timeout(void *context, struct sched_event *event)
{
    struct process *process = context;
    process->sum += event->words[0];
    process->timer = 0;
}

static void timer_push(struct sched *sched, struct process *process)
{
    struct sched_event *timer = sched_push(sched, sched->now_ns + 1000000000, &process->timer);
    timer->fire = on_timeout;
    timer->context = process;
}

static void timers_run(void *context, uint64_t events)
{
    struct timers *timers = context;
    struct sched *sched = &timers->phold->sched;
    struct sched_event event;
    for (uint64_t i = 0; i < events && sched_pop(sched, INT64_MAX, &event); i++) {
        struct process *process = event.context;
        phold_note(timers->phold, &event);
        event.fire(process, &event);
        if (timers->is_reference) {
            (void)sched_cancel(sched, process->timer);
            timer_push(sched, process);
        } else if (!sched_rearm(sched, process->timer, sched->now_ns + 1000000000)) {
            timer_push(sched, process);
        }
    }
}

static double timers_measure(uint32_t processes, bool is_reference, uint64_t *digest)
{
    struct phold *phold = phold_new(processes, MESSAGES_A_TIMEOUT, false);
    struct timers timers = {phold, is_reference};
    uint64_t events = 1000000;
    timers_run(&timers, events);
    double ns = bench_least(REPETITIONS, events, &timers, timers_run);
    *digest = phold->digest;
    phold_free(phold);
    return ns;
}

void bench_rearm(const struct bench *bench)
{
    static const uint32_t counts[] = {64, 4096, 65536};
    for (uint32_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        char name[32];
        uint64_t digest;
        uint64_t reference_digest;
        (void)snprintf(name, sizeof(name), "%s %u", bench->name, counts[i]);
        double ns = timers_measure(counts[i], false, &digest);
        double reference_ns = timers_measure(counts[i], true, &reference_digest);
        if (digest != reference_digest) {
            (void)fprintf(stderr, "bench: %s: re-arming differs from cancel and push\n", name);
            exit(1);
        }
        bench_print(&(struct bench_row){.name = name,
                                        .what = "event",
                                        .ns = ns,
                                        .reference = "cancel and push",
                                        .reference_ns = reference_ns});
    }
}

/* Runs of 1,000 events on 16 processes; the reference has a new scheduler for each. */
static void short_run(struct phold *phold)
{
    for (uint32_t i = 0; i < phold->process_count; i++) {
        phold_send(phold, &phold->processes[i]);
    }
    phold_run(phold, 1000);
}

static void work_reset(void *context, uint64_t runs)
{
    struct phold *phold = context;
    for (uint64_t i = 0; i < runs; i++) {
        short_run(phold);
        sched_reset(&phold->sched);
    }
}

static void work_renew(void *context, uint64_t runs)
{
    struct phold *phold = context;
    for (uint64_t i = 0; i < runs; i++) {
        short_run(phold);
        sched_release(&phold->sched);
        sched_init(&phold->sched, SCHED_QUEUE_AUTO);
    }
}

void bench_reset(const struct bench *bench)
{
    struct phold *phold = phold_new(16, 1, false);
    sched_reset(&phold->sched);
    double ns = bench_least(REPETITIONS, 1000, phold, work_reset);
    double reference_ns = bench_least(REPETITIONS, 1000, phold, work_renew);
    bench_print(&(struct bench_row){.name = bench->name,
                                    .what = "run",
                                    .ns = ns,
                                    .reference = "a new one each",
                                    .reference_ns = reference_ns});
    phold_free(phold);
}
