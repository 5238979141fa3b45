/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * bench [NAME...]: runs the benchmarks whose names begin with one of the arguments, or all, and
 * prints a table.
 *
 * Times are CPU time per operation, the least of several repetitions. A new benchmark is a function
 * with the type of bench->run and a row in the table below. */
#include "tests/bench/bench.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct bench benches[] = {
    {"phold-64", "64 events pending, 8 kinds of handler", bench_phold_64, false},
    {"phold-1k", "1,024 events pending, 8 kinds of handler", bench_phold_1k, false},
    {"phold-16k", "16,384 events pending, 8 kinds of handler", bench_phold_16k, false},
    {"phold-64k", "65,536 events pending, 8 kinds of handler", bench_phold_64k, false},
    {"phold-1m", "1,000,000 events pending, 8 kinds of handler", bench_phold_1m, false},
    {"rearm", "every event moves the time-out of its node", bench_rearm, false},
    {"reset", "a short run and a reset", bench_reset, false},
    {"fiber", "resume and yield", bench_fiber, false},
    {"rng", "raw draws", bench_rng, false},
    {"dist", "draws from distributions", bench_dist, false},
    {"new-seed", "reset a world of five idle nodes and boot them", bench_new_seed, false},
    {"cluster", "three nodes of libraft, checkers on", bench_cluster, false},
    {"raft-sqlite", "three nodes of libraft with SQLite, checkers on", bench_raft_sqlite, false},
    {"seeds", "10 s of raft-sqlite with a leader crash, all checkers", bench_seeds, false},
    {"availability", "estimates of a fleet to 10 %, up to twenty nines", bench_availability, false},
    {"coverage", "how often intervals of estimates hold the truth", bench_coverage, true},
};
#define BENCH_COUNT (sizeof(benches) / sizeof(benches[0]))

void bench_print(const struct bench_row *row)
{
    char bytes[24] = "-";
    char reference[64] = "-";
    if (row->bytes > 0) {
        (void)snprintf(bytes, sizeof(bytes), "%.1f", row->bytes);
    }
    if (row->reference_ns > 0) {
        (void)snprintf(reference, sizeof(reference), "%5.2fx %s (%.1f ns)",
                       row->reference_ns / row->ns, row->reference, row->reference_ns);
    }
    (void)printf("%-22s %8.2f ns/%-8s %9.2f M/s %9s  %s\n", row->name, row->ns, row->what,
                 1e3 / row->ns, bytes, reference);
    (void)fflush(stdout);
}

int64_t bench_cpu_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

size_t bench_resident_bytes(void)
{
    long total = 0;
    long resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL) {
        return 0;
    }
    int fields = fscanf(file, "%ld %ld", &total, &resident);
    (void)fclose(file);
    return fields == 2 ? (size_t)resident * (size_t)sysconf(_SC_PAGESIZE) : 0;
}

double bench_least(uint32_t repetitions, uint64_t operations, void *context,
                   void (*work)(void *context, uint64_t operations))
{
    double least = 0;
    for (uint32_t i = 0; i < repetitions; i++) {
        int64_t begin = bench_cpu_ns();
        work(context, operations);
        double ns = (double)(bench_cpu_ns() - begin) / (double)operations;
        least = i == 0 || ns < least ? ns : least;
    }
    return least;
}

void bench_keep(uint64_t value)
{
    __asm__ volatile("" : : "r"(value) : "memory");
}

static bool is_wanted(const struct bench *bench, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strncmp(bench->name, argv[i], strlen(argv[i])) == 0) {
            return true;
        }
    }
    return argc < 2 && !bench->is_long;
}

int main(int argc, char **argv)
{
    uint32_t count = 0;
    (void)printf("%-22s %20s %13s %9s  %s\n", "benchmark", "least CPU time", "rate", "B/pending",
                 "faster than");
    for (size_t i = 0; i < BENCH_COUNT; i++) {
        if (is_wanted(&benches[i], argc, argv)) {
            benches[i].run(&benches[i]);
            count++;
        }
    }
    if (count > 0) {
        return 0;
    }
    (void)fprintf(stderr, "bench: no such benchmark; these exist:\n");
    for (size_t i = 0; i < BENCH_COUNT; i++) {
        (void)fprintf(stderr, "  %-12s %s\n", benches[i].name, benches[i].description);
    }
    return 2;
}
