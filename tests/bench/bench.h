/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Benchmarks: each is a row of the table in bench.c and prints one or more rows of results. Speed
 * on a shared machine wobbles, so compare ratios: where it makes sense a row carries the time of a
 * reference that is compiled into the same binary and was measured in the same minute. */
#ifndef SQUALL_TESTS_BENCH_H
#define SQUALL_TESTS_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bench {
    const char *name;
    const char *description;
    void (*run)(const struct bench *bench);
    bool is_long; /* runs only when its name is given */
};

/* One line of the result table; zero means "not applicable" and prints as a dash. */
struct bench_row {
    const char *name;
    const char *what;      /* of which the time is: "event", "draw" */
    double ns;             /* per operation, least of the repetitions, CPU time */
    double bytes;          /* per pending event */
    const char *reference; /* what it is compared with */
    double reference_ns;
};

void bench_print(const struct bench_row *row);
/* CPU time of this process in ns. */
int64_t bench_cpu_ns(void);
/* Resident memory of this process in bytes. */
size_t bench_resident_bytes(void);
/* Runs work(context, operations) `repetitions` times; least ns per operation. */
double bench_least(uint32_t repetitions, uint64_t operations, void *context,
                   void (*work)(void *context, uint64_t operations));
/* The compiler may not remove what computes this value. */
void bench_keep(uint64_t value);

/* phold.c */
void bench_phold_64(const struct bench *bench);
void bench_phold_1k(const struct bench *bench);
void bench_phold_16k(const struct bench *bench);
void bench_phold_64k(const struct bench *bench);
void bench_phold_1m(const struct bench *bench);
void bench_rearm(const struct bench *bench);
void bench_reset(const struct bench *bench);
/* micro.c */
void bench_fiber(const struct bench *bench);
void bench_rng(const struct bench *bench);
void bench_dist(const struct bench *bench);
/* product.c */
void bench_new_seed(const struct bench *bench);
void bench_cluster(const struct bench *bench);
void bench_raft_sqlite(const struct bench *bench);
void bench_seeds(const struct bench *bench);
/* availability.c */
void bench_availability(const struct bench *bench);
void bench_coverage(const struct bench *bench);

#endif
