/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The staircase is said in the language of scenarios, as stages of a ramping-arrival-rate: of no
 * length to the next rate, and one dwell at it. So it is a cell like any other, with a digest, a
 * canonical text and a replay.
 *
 * Checks are left out: they are about a scenario's own load, and a run that tips on purpose would
 * violate them all. */
#include "sim/cli/staircase.h"

#include "sim/base/base.h"
#include "sim/base/text.h"
#include "sim/base/units.h"
#include "sim/input/axis.h"

#include <inttypes.h>
#include <string.h>

struct sets {
    struct arena *arena;
    const char **texts;
    uint32_t count;
    bool is_full;
};

static void add(struct sets *sets, const char *text)
{
    sets->is_full = sets->is_full || sets->count == STAIRCASE_SETS_MAX;
    if (!sets->is_full) {
        sets->texts[sets->count++] = text;
    }
}

static bool is_surge(const struct run_spec *spec, const struct spec_load *load)
{
    return load->start_ns > 0 && load->duration_ns < spec->limit_ns - load->start_ns;
}

static bool is_trigger(const struct run_spec *spec, const struct spec_load *load)
{
    return load->is_trigger || (!spec->metastability.is_asked && is_surge(spec, load));
}

const struct spec_load *staircase_load(const struct run_spec *spec)
{
    for (uint32_t i = 0; i < spec->load_count; i++) {
        if (!is_trigger(spec, &spec->loads[i])) {
            return &spec->loads[i];
        }
    }
    return NULL;
}

static void drop_triggers(const struct run_spec *spec, struct sets *sets)
{
    for (uint32_t i = 0; i < spec->fault_count; i++) {
        if (spec->faults[i].is_trigger || !spec->metastability.is_asked) {
            add(sets, arena_printf(sets->arena, "faults.%s=null", spec->faults[i].name));
        }
    }
    for (uint32_t i = 0; i < spec->load_count; i++) {
        if (is_trigger(spec, &spec->loads[i])) {
            add(sets, arena_printf(sets->arena, "load.%s=null", spec->loads[i].name));
        }
    }
}

/* Axes of keys that are replaced, or of parts that go. */
static void drop_axes(const struct run_spec *spec, const struct scenario *scenario,
                      struct sets *sets)
{
    uint32_t count;
    const struct scenario_axis *axes = scenario_axes(scenario, &count);
    for (uint32_t i = 0; i < count; i++) {
        static const char *const parts[] = {"metastability.", "checks", "thresholds", "time.limit",
                                            "time.warmup"};
        bool is_gone = false;
        for (uint32_t k = 0; k < ARRAY_COUNT(parts); k++) {
            is_gone |= strncmp(axes[i].path, parts[k], strlen(parts[k])) == 0;
        }
        for (uint32_t k = 0; k < spec->fault_count; k++) {
            const struct spec_fault *fault = &spec->faults[k];
            const char *path = arena_printf(sets->arena, "faults.%s.", fault->name);
            is_gone |= (fault->is_trigger || !spec->metastability.is_asked) &&
                       strncmp(axes[i].path, path, strlen(path)) == 0;
        }
        for (uint32_t k = 0; k < spec->load_count; k++) {
            const struct spec_load *load = &spec->loads[k];
            const char *path = arena_printf(sets->arena, "load.%s.", load->name);
            is_gone |= is_trigger(spec, load) && strncmp(axes[i].path, path, strlen(path)) == 0;
        }
        if (is_gone) {
            add(sets, arena_printf(sets->arena, "%s=null", axes[i].path));
        }
    }
}

static const char *stages_of(const struct hysteresis_ramp *ramp, struct arena *arena)
{
    struct text text;
    char rate[32];
    char dwell[32];
    text_init(&text);
    units_format_duration(ramp->dwell_ns, dwell, sizeof(dwell));
    for (uint32_t i = 0; i < hysteresis_steps(ramp); i++) {
        axis_format(AXIS_RATE, hysteresis_rate(ramp, i), rate, sizeof(rate));
        text_printf(&text, "%s{duration: 0s, target: %s}, {duration: %s, target: %s}",
                    i == 0 ? "" : ", ", rate, dwell, rate);
    }
    const char *stages = arena_strdup(arena, text_of(&text));
    text_release(&text);
    return stages;
}

static void replace_load(const struct spec_load *load, const struct hysteresis_ramp *ramp,
                         struct sets *sets)
{
    static const char *const others[] = {"rate",      "timeUnit",  "duration", "vus",
                                         "thinkTime", "startRate", "startTime"};
    for (uint32_t i = 0; i < ARRAY_COUNT(others); i++) {
        add(sets, arena_printf(sets->arena, "load.%s.%s=null", load->name, others[i]));
    }
    add(sets, arena_printf(sets->arena, "load.%s.executor=ramping-arrival-rate", load->name));
    add(sets,
        arena_printf(sets->arena, "load.%s.stages=[%s]", load->name, stages_of(ramp, sets->arena)));
}

static void set_limits(const struct run_spec *spec, const struct hysteresis_ramp *ramp,
                       struct sets *sets)
{
    char duration[32];
    int64_t end_ns = hysteresis_end_ns(ramp);
    uint64_t times = (uint64_t)(end_ns / spec->limit_ns) + 1;
    add(sets, arena_printf(sets->arena, "time.limit=%s",
                           units_format_duration(end_ns, duration, sizeof(duration))));
    add(sets, "time.warmup=0s");
    if (spec->event_limit <= UINT64_MAX / times) {
        add(sets, arena_printf(sets->arena, "time.eventLimit=%" PRIu64, spec->event_limit * times));
    }
    if (spec->cpu_limit_ns > 0 && spec->cpu_limit_ns <= INT64_MAX / (int64_t)times) {
        add(sets, arena_printf(sets->arena, "time.cpuLimit=%s",
                               units_format_duration(spec->cpu_limit_ns * (int64_t)times, duration,
                                                     sizeof(duration))));
    }
}

uint32_t staircase_sets(const struct run_spec *spec, const struct hysteresis_ramp *ramp,
                        const struct scenario *scenario, struct arena *arena, const char **sets)
{
    struct sets made = {.arena = arena, .texts = sets};
    const struct spec_load *load = staircase_load(spec);
    ASSERT(load != NULL);
    drop_axes(spec, scenario, &made);
    add(&made, "metastability=null");
    add(&made, "checks=null");
    add(&made, "thresholds=null");
    add(&made, "expect=null");
    drop_triggers(spec, &made);
    replace_load(load, ramp, &made);
    set_limits(spec, ramp, &made);
    return made.is_full ? UINT32_MAX : made.count;
}
