/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What all PHOLD programs share, in the common subset of C and C++: the processes (64 bytes each),
 * the generator (xoshiro256**, seeded by splitmix64), delay (0.1 + Exp(0.9) s, libm's log) and
 * destination (uniform), the stop watch and the line that peers.sh reads. A program calls
 * model_event once for each event that fires; it starts the watch after the warm-up and prints the
 * line and exits when enough events have fired. */
#ifndef SQUALL_TESTS_BENCH_PEERS_MODEL_H
#define SQUALL_TESTS_BENCH_PEERS_MODEL_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

struct process {
    uint64_t state[4];
    uint64_t received;
    uint64_t unused[3];
};

struct model {
    const char *engine;
    uint64_t process_count;
    uint64_t warm_up;
    uint64_t events;
    uint64_t fired;
    struct process *processes;
    double begin_ns;
    double begin_bytes;
};

static inline uint64_t model_rotate(uint64_t value, int count)
{
    return (value << count) | (value >> (64 - count));
}

static inline uint64_t model_draw(struct process *process)
{
    uint64_t *s = process->state;
    uint64_t result = model_rotate(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = model_rotate(s[3], 45);
    return result;
}

static inline double model_delay_s(struct process *process)
{
    double uniform = ((double)(model_draw(process) >> 11) + 0.5) * 0x1p-53;
    return 0.1 - 0.9 * log(uniform);
}

static inline struct process *model_destination(struct model *model, struct process *from)
{
    uint64_t high = model_draw(from) >> 32;
    return &model->processes[(high * model->process_count) >> 32];
}

static inline double model_cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static inline double model_peak_bytes(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss * 1024;
}

/* argv: process count, events. */
static inline void model_init(struct model *model, const char *engine, const char *count,
                              const char *events)
{
    model->engine = engine;
    model->process_count = strtoull(count, NULL, 10);
    model->events = strtoull(events, NULL, 10);
    model->warm_up = model->events / 2;
    model->fired = 0;
    model->begin_ns = 0;
    model->begin_bytes = model_peak_bytes();
    size_t bytes = model->process_count * sizeof(struct process);
    model->processes = (struct process *)aligned_alloc(64, bytes);
    uint64_t seed = 1;
    for (uint64_t i = 0; i < model->process_count; i++) {
        for (int word = 0; word < 4; word++) {
            seed += UINT64_C(0x9e3779b97f4a7c15);
            uint64_t mixed = (seed ^ (seed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
            mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
            model->processes[i].state[word] = mixed ^ (mixed >> 31);
        }
        model->processes[i].received = 0;
    }
}

static inline void model_finish(struct model *model)
{
    double ns = (model_cpu_ns() - model->begin_ns) / (double)model->events;
    double bytes = (model_peak_bytes() - model->begin_bytes) / (double)model->process_count;
    printf("%s %llu %.1f %.0f\n", model->engine, (unsigned long long)model->process_count, ns,
           bytes);
    fflush(stdout);
    _Exit(0); /* tearing an engine down is not what is measured, and takes long in some */
}

static inline void model_event(struct model *model, struct process *process)
{
    process->received++;
    model->fired++;
    if (model->fired == model->warm_up) {
        model->begin_ns = model_cpu_ns();
    }
    if (model->fired == model->warm_up + model->events) {
        model_finish(model);
    }
}

#endif
