/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Also sets the assertion context: whatever fails inside a run names the scenario, the seed, the
 * instant and the command that repeats it. */
#include "sim/cli/runner.h"

#include "sim/base/base.h"
#include "sim/base/units.h"
#include "sim/fleet.h"

#include <string.h>

static void print_quoted(FILE *out, const char *word)
{
    bool is_plain = word[0] != '\0' &&
                    strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                 "-_=./,:%+@") == strlen(word);
    if (is_plain) {
        fputs(word, out);
        return;
    }
    fputc('\'', out);
    for (; *word != '\0'; word++) {
        fputs(*word == '\'' ? "'\\''" : (char[]){*word, '\0'}, out);
    }
    fputc('\'', out);
}

static const char *path_of(const char *setting, size_t *length)
{
    *length = strcspn(setting, "=");
    return setting;
}

/* Does a later setting of the cell decide the same key? */
static bool is_decided(const struct cell *cell, const char *setting)
{
    size_t length;
    path_of(setting, &length);
    for (uint32_t i = 0; i < cell->set_count; i++) {
        size_t other;
        path_of(cell->sets[i], &other);
        if (other == length && strncmp(cell->sets[i], setting, length) == 0) {
            return true;
        }
    }
    return false;
}

void replay_path_line(FILE *out, const struct cell *cell, const char *const *sets,
                      uint32_t set_count, const char *folder, const char *seed)
{
    fputs("squall replay ", out);
    print_quoted(out, cell->spec.file);
    for (uint32_t i = 0; i < set_count; i++) {
        if (!is_decided(cell, sets[i])) {
            fputs(" --set ", out);
            print_quoted(out, sets[i]);
        }
    }
    for (uint32_t i = 0; i < cell->set_count; i++) {
        fputs(" --set ", out);
        print_quoted(out, cell->sets[i]);
    }
    if (folder != NULL) {
        fputs(" --out ", out);
        print_quoted(out, folder);
    }
    fprintf(out, " --seed %s", seed);
}

void replay_line(FILE *out, const struct cell *cell, const char *const *sets, uint32_t set_count,
                 const char *folder, uint64_t seed)
{
    char text[24];
    snprintf(text, sizeof(text), "0x%016llx", (unsigned long long)seed);
    replay_path_line(out, cell, sets, set_count, folder, text);
}

static void print_context(void *user, FILE *out)
{
    const struct runner *runner = user;
    if (runner->cell == NULL) {
        return;
    }
    char now[32];
    units_format_duration(world_now(runner->world), now, sizeof(now));
    fprintf(out, "  scenario %s, seed 0x%016llx, at %s, event %llu\n  ", runner->cell->spec.name,
            (unsigned long long)runner->seed, now, (unsigned long long)world_event(runner->world));
    const bool is_episode = runner->episode != NULL;
    replay_line(out, runner->cell, runner->sets, runner->set_count, NULL,
                is_episode ? runner->episode_of : runner->seed);
    fprintf(out, "%s%s\n", is_episode ? " --episode " : "", is_episode ? runner->episode : "");
}

void runner_init(struct runner *runner, const char *const *sets, uint32_t set_count)
{
    *runner = (struct runner){
        .world = world_new(), .judge = judge_new(), .sets = sets, .set_count = set_count};
    runner->world->cpu_clock_ns = real_cpu_ns;
    static struct assert_context context;
    context = (struct assert_context){print_context, runner};
    assert_context_set(&context);
}

void runner_release(struct runner *runner)
{
    runner->cell = NULL;
    assert_context_set(NULL);
    judge_free(runner->judge);
    world_free(runner->world);
}

void runner_begin(struct runner *runner, const struct cell *cell, uint64_t seed)
{
    runner_begin_spec(runner, cell, &cell->spec, seed);
}

void runner_begin_spec(struct runner *runner, const struct cell *cell, const struct run_spec *spec,
                       uint64_t seed)
{
    runner->cell = cell;
    runner->seed = seed;
    judge_begin(runner->judge, spec, seed);
    world_reset(runner->world, spec, seed, judge_observer(runner->judge));
}

static const char *limit_of(enum world_end end)
{
    switch (end) {
    case WORLD_EVENT_LIMIT:
        return "event-limit";
    case WORLD_CPU_LIMIT:
        return "cpu-limit";
    case WORLD_RUNNING:
    case WORLD_STOPPED:
        return "stopped";
    case WORLD_TIME_LIMIT:
        return NULL;
    }
    UNREACHABLE();
}

void runner_finish(struct runner *runner, int64_t cpu_ns, struct run_result *result)
{
    struct world *world = runner->world;
    world_finish(world);
    struct judge_end end = {
        .digest = world->end == WORLD_CPU_LIMIT ? RUNNER_NO_DIGEST : world_digest(world),
        .events = world->sched.stats.fired,
        .sim_ns = world_now(world),
        .cpu_ns = cpu_ns,
        .limit = limit_of(world->end),
    };
    judge_finish(runner->judge, &end, result);
    runner->cell = NULL;
}

void print_violations(const struct vec *violations)
{
    for (uint32_t i = 0; i < violations->count; i++) {
        const struct result_violation *violation = vec_at(violations, i);
        char when[32];
        printf("  %s %s at %s", violation->is_known ? "known " : "FAIL  ", violation->check,
               units_format_duration(violation->time_ns, when, sizeof(when)));
        if (violation->event != RESULT_EVENT_NONE) {
            printf(", event %llu", (unsigned long long)violation->event);
        }
        if (violation->node_name[0] != '\0') {
            printf(", %s", violation->node_name);
        }
        printf(": %s\n", violation->message);
    }
}

bool runner_is_estimate(const struct run_spec *spec)
{
    return spec->fleet.is_asked && spec->fleet.estimator != SPEC_ESTIMATOR_DECOMPOSE;
}

bool runner_estimate(const struct run_spec *spec, uint64_t seed, struct run_result *result)
{
    const struct spec_fleet *fleet = &spec->fleet;
    struct err err = {0};
    struct estimate_sums sums[FLEET_SERVICES];
    if (!runner_is_estimate(spec)) {
        return false;
    }
    const int64_t started_ns = real_cpu_ns();
    result_clear(result);
    result->seed = seed;
    if (!estimate_run(fleet, seed, sums, &result->digest, &result->events, &err)) {
        result_set_error(result, seed, err.text);
        return true;
    }
    for (uint32_t i = 0; i < fleet->service_count; i++) {
        vec_append(&result->estimates, &sums[i]);
    }
    result->cpu_ns = real_cpu_ns() - started_ns;
    return true;
}

void runner_run(struct runner *runner, const struct cell *cell, uint64_t seed,
                struct run_result *result)
{
    int64_t started = real_cpu_ns();
    if (runner_estimate(&cell->spec, seed, result)) {
        return;
    }
    runner_begin(runner, cell, seed);
    world_run(runner->world, INT64_MAX, UINT64_MAX);
    runner_finish(runner, real_cpu_ns() - started, result);
}
