/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Arms are derived, not special: an arm is a run_spec like any other, so it has a digest, can be
 * replayed and costs the engine nothing to know about. A fault of the trigger is left out of the
 * list; a load of the trigger stays in its place with no duration, because its index is part of
 * names on the wire and of the values that other loads write. Named streams do the rest: nothing
 * else moves.
 *
 * Goodput is counted where an operation was intended and not where it was answered. The share that
 * a span of five seconds shows is then not blurred by what was in flight at its ends, which at
 * twenty operations a second is as much as the five percent that the judgement is about; and an
 * answer that comes forty seconds late, when the backlog drains, is no success of any second.
 *
 * The trigger arm's windows are those of the run itself. Sums are integers, compared by products in
 * 128 bits: the verdict has no rounding. */
#include "analysis/metastability.h"

#include "sim/base/base.h"
#include "sim/base/text.h"
#include "sim/base/units.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define MILLION INT64_C(1000000)

typedef unsigned __int128 wide;

const char *const metastability_checks[] = {"metastable", "permanent", "unstable", "verdict", NULL};

const char *metastability_description(const char *name)
{
    static const char *const texts[] = {
        "the run does not come back by itself after its trigger, but does once relieved",
        "the run does not come back after its trigger, nor once relieved",
        "the load is not served even without the trigger",
        "the run has another verdict than 'expect: {verdicts: ...}' says of its cell",
    };
    for (uint32_t i = 0; metastability_checks[i] != NULL; i++) {
        if (strcmp(metastability_checks[i], name) == 0) {
            return texts[i];
        }
    }
    return NULL;
}

/* ------------------------------------------------------------------------------------- deriving */

static void leave_trigger_out(const struct run_spec *spec, struct arena *arena,
                              struct run_spec *derived)
{
    derived->faults = arena_alloc_array(arena, spec->fault_count + 1, sizeof(*derived->faults));
    derived->fault_count = 0;
    for (uint32_t i = 0; i < spec->fault_count; i++) {
        if (!spec->faults[i].is_trigger) {
            derived->faults[derived->fault_count++] = spec->faults[i];
        }
    }
    derived->loads = arena_alloc_array(arena, spec->load_count + 1, sizeof(*derived->loads));
    for (uint32_t i = 0; i < spec->load_count; i++) {
        derived->loads[i] = spec->loads[i];
        if (spec->loads[i].is_trigger) {
            derived->loads[i].duration_ns = 0;
        }
    }
}

static void add_restart(const struct run_spec *spec, struct arena *arena, struct run_spec *derived)
{
    derived->faults = arena_alloc_array(arena, spec->fault_count + 1, sizeof(*derived->faults));
    for (uint32_t i = 0; i < spec->fault_count; i++) {
        derived->faults[i] = spec->faults[i];
    }
    derived->faults[derived->fault_count++] = (struct spec_fault){
        .name = "probe",
        .kind = SPEC_NODE_CHAOS,
        .action = SPEC_ACTION_RESTART,
        .mode = SPEC_MODE_ALL,
        .selector = {.nodes = UINT64_MAX, .role = SQ_ROLE_NONE},
        .has_at = true,
        .at_ns = spec->limit_ns,
        .duration = {.kind = DIST_CONSTANT, .a = 0},
    };
}

static int64_t probe_end(const struct run_spec *spec)
{
    const struct spec_metastability *asked = &spec->metastability;
    bool is_moment = asked->probe == SPEC_PROBE_RESTART;
    return spec->limit_ns + (is_moment ? 0 : asked->probe_ns);
}

void metastability_derive(const struct run_spec *spec, enum run_arm arm, struct arena *arena,
                          struct run_spec *derived)
{
    ASSERT(spec->metastability.is_asked);
    const struct spec_metastability *asked = &spec->metastability;
    *derived = *spec;
    if (arm == ARM_TRIGGER) {
        return;
    }
    derived->check_count = 0;
    derived->limit_ns = 2 * spec->limit_ns;
    if (arm == ARM_CONTROL) {
        leave_trigger_out(spec, arena, derived);
    } else if (arm == ARM_PROBE) {
        derived->limit_ns = probe_end(spec) + asked->within_ns + 2 * asked->hold_ns;
        derived->relief = (struct spec_relief){
            .from_ns = spec->limit_ns,
            .until_ns = probe_end(spec),
            .is_retries_off = asked->probe == SPEC_PROBE_RETRIES_OFF,
            .is_shed = asked->probe == SPEC_PROBE_SHED,
            .shed_to = asked->shed_to,
        };
        if (asked->probe == SPEC_PROBE_RESTART) {
            add_restart(spec, arena, derived);
        }
    }
    int64_t times = (derived->limit_ns + spec->limit_ns - 1) / spec->limit_ns;
    derived->event_limit = spec->event_limit * (uint64_t)times;
    derived->cpu_limit_ns = spec->cpu_limit_ns * times;
}

/* ---------------------------------------------------------------------------------------- spans */

/* Windows of one arm: a vec of result_window, or a stretch of result_arm_window. */
struct series {
    const char *first;
    size_t stride;
    uint32_t count;
    int64_t window_ns;
};

static struct series series_of(const struct vec *windows)
{
    const struct result_window *first = windows->items;
    return (struct series){windows->items, sizeof(struct result_window), windows->count,
                           windows->count > 0 ? first->duration_ns : NS_PER_S};
}

static struct series series_of_arm(const struct run_result *result, enum run_arm arm)
{
    const struct result_arm_window *all = result->arm_windows.items;
    struct series series = {NULL, sizeof(struct result_arm_window), 0, NS_PER_S};
    for (uint32_t i = 0; i < result->arm_windows.count; i++) {
        if (all[i].arm != arm) {
            continue;
        }
        if (series.count == 0) {
            series.first = (const char *)&all[i].window;
            series.window_ns = all[i].window.duration_ns;
        }
        series.count++;
    }
    return series;
}

static const struct result_window *window_at(const struct series *series, int64_t index)
{
    ASSERT(index >= 0);
    ASSERT(index < series->count);
    return (const struct result_window *)(const void *)(series->first +
                                                        (size_t)index * series->stride);
}

struct sum {
    uint64_t judged;
    uint64_t good;
    uint64_t attempts;
    uint64_t ok;
    uint64_t timeouts;
    uint64_t unwanted;
};

static struct sum sum_of(const struct series *series, int64_t from, int64_t until)
{
    struct sum sum = {0};
    for (int64_t i = from; i < until && i < series->count; i++) {
        const struct result_window *window = window_at(series, i);
        sum.judged += window->judged;
        sum.good += window->good;
        sum.attempts += window->attempts;
        sum.ok += window->ok;
        sum.timeouts += window->timeouts;
        sum.unwanted += window->unwanted;
    }
    return sum;
}

static bool is_good(const struct spec_metastability *asked, const struct sum *sum)
{
    return (wide)sum->good * (wide)MILLION >= (wide)sum->judged * (uint64_t)asked->ratio_millionths;
}

static bool is_healthy(const struct spec_metastability *asked, const struct sum *sum)
{
    bool is_quiet = (wide)sum->timeouts << 32 <= (wide)asked->timeouts_max * sum->attempts;
    return sum->judged > 0 && is_good(asked, sum) && is_quiet;
}

static int64_t windows_of(const struct series *series, int64_t ns)
{
    return (ns + series->window_ns - 1) / series->window_ns;
}

/* Is goodput there in the last `within`, as far as it lies after since_ns? Time-outs do not matter
 * here: over a long stretch a few of them are ordinary near capacity. */
static bool is_well_at_end(const struct spec_metastability *asked, const struct series *series,
                           int64_t since_ns)
{
    int64_t from = series->count - windows_of(series, asked->within_ns);
    int64_t first = windows_of(series, since_ns);
    struct sum sum = sum_of(series, from > first ? from : first, series->count);
    return sum.judged > 0 && is_good(asked, &sum);
}

/* Start of the first healthy span that lies in [since_ns, until_ns), in ns; -1: there is none. */
static int64_t find_healthy(const struct spec_metastability *asked, const struct series *series,
                            int64_t since_ns, int64_t until_ns)
{
    int64_t span = windows_of(series, asked->hold_ns);
    int64_t last = until_ns / series->window_ns;
    last = last < series->count ? last : series->count;
    for (int64_t at = windows_of(series, since_ns); at + span <= last; at++) {
        struct sum sum = sum_of(series, at, at + span);
        if (is_healthy(asked, &sum)) {
            return at * series->window_ns;
        }
    }
    return -1;
}

/* -------------------------------------------------------------------------------------- outcomes
 */

/* When the trigger was over in this run. */
struct trigger {
    int64_t end_ns;
    bool has_struck;
    bool is_over;
};

static bool is_trigger(const struct run_spec *spec, const char *name, bool *is_endless)
{
    *is_endless = false;
    for (uint32_t i = 0; i < spec->fault_count; i++) {
        if (strncmp(spec->faults[i].name, name, RESULT_NAME_SIZE - 1) == 0 &&
            spec->faults[i].is_trigger) {
            *is_endless = spec->faults[i].has_no_end;
            return true;
        }
    }
    for (uint32_t i = 0; i < spec->load_count; i++) {
        if (strncmp(spec->loads[i].name, name, RESULT_NAME_SIZE - 1) == 0 &&
            spec->loads[i].is_trigger) {
            return true;
        }
    }
    return false;
}

static struct trigger trigger_of(const struct run_spec *spec, const struct run_result *run)
{
    struct trigger trigger = {0, false, run->fault_total <= run->faults.count};
    for (uint32_t i = 0; i < run->faults.count; i++) {
        const struct result_fault *fault = vec_at(&run->faults, i);
        bool is_endless;
        if (!is_trigger(spec, fault->name, &is_endless)) {
            continue;
        }
        bool is_active = fault->end_ns == INT64_MAX;
        int64_t end_ns = is_endless || is_active ? fault->start_ns : fault->end_ns;
        trigger.has_struck = true;
        trigger.is_over = trigger.is_over && (is_endless || !is_active);
        trigger.end_ns = end_ns > trigger.end_ns ? end_ns : trigger.end_ns;
    }
    return trigger;
}

static bool is_stuck(const struct spec_metastability *asked, const struct series *series,
                     const struct series *control, int64_t since_ns)
{
    int64_t span = windows_of(series, asked->within_ns);
    int64_t from = series->count - span;
    int64_t first = windows_of(series, since_ns);
    from = from > first ? from : first;
    struct sum own = sum_of(series, from, series->count);
    struct sum other = sum_of(control, from, series->count);
    return own.judged > 0 && (wide)own.good * 2 * other.judged < (wide)other.good * own.judged;
}

static void count(struct result_arm *arm, const struct series *series, const struct series *control)
{
    int64_t from = windows_of(series, arm->since_ns);
    struct sum sum = sum_of(series, from, series->count);
    struct sum other = sum_of(control, from, series->count);
    arm->offered = sum.judged;
    arm->good = sum.good;
    arm->attempts = sum.attempts;
    arm->ok = sum.ok;
    arm->timeouts = sum.timeouts;
    arm->unwanted = sum.unwanted;
    arm->control_offered = other.judged;
    arm->control_good = other.good;
}

static void judge_control(const struct run_spec *spec, const struct series *series,
                          struct result_arm *arm)
{
    arm->since_ns = spec->warmup_ns;
    struct sum sum = sum_of(series, windows_of(series, arm->since_ns), series->count);
    bool is_held = sum.judged > 0 && is_good(&spec->metastability, &sum) &&
                   is_well_at_end(&spec->metastability, series, arm->since_ns);
    arm->outcome = is_held ? ARM_HELD : ARM_FAILED;
}

/* Is there a single window of [from_ns, end) with goodput? */
static bool has_moment(const struct spec_metastability *asked, const struct series *series,
                       int64_t from_ns)
{
    for (int64_t i = windows_of(series, from_ns); i < series->count; i++) {
        struct sum sum = sum_of(series, i, i + 1);
        if (sum.judged > 0 && is_good(asked, &sum)) {
            return true;
        }
    }
    return false;
}

/* A probe that did not bring it back for good says something only when the relief was enough: what
 * was well for a moment and fell back, or was still working for clients that had gone, may need
 * more. */
static void judge_failed_probe(const struct run_spec *spec, const struct series *series,
                               struct result_arm *arm)
{
    const struct spec_metastability *asked = &spec->metastability;
    int64_t end = windows_of(series, arm->since_ns);
    bool is_moment = asked->probe == SPEC_PROBE_RESTART;
    struct sum last = sum_of(series, end - windows_of(series, asked->hold_ns), end);
    if (!is_moment && last.unwanted > 0) {
        arm->outcome = ARM_DRAINING;
    } else if (has_moment(asked, series, spec->limit_ns)) {
        arm->outcome = ARM_DEGRADED;
    }
}

/* `control`: of the control arm; empty for the trigger arm, which is judged before it. */
static void judge_recovery(const struct run_spec *spec, const struct run_result *run,
                           const struct series *series, const struct series *control,
                           struct result_arm *arm)
{
    const struct spec_metastability *asked = &spec->metastability;
    struct trigger trigger = trigger_of(spec, run);
    int64_t horizon_ns = (int64_t)series->count * series->window_ns;
    bool is_probe = arm->arm == ARM_PROBE;
    arm->since_ns = is_probe ? probe_end(spec) : trigger.end_ns;
    if (!trigger.has_struck || !trigger.is_over || arm->since_ns >= horizon_ns) {
        arm->outcome = ARM_CUT;
        return;
    }
    arm->looked_ns = horizon_ns - arm->since_ns;
    int64_t at_ns = find_healthy(asked, series, arm->since_ns, horizon_ns);
    bool is_late = arm->arm != ARM_DOUBLED && at_ns - arm->since_ns > asked->within_ns;
    if (at_ns >= 0 && !is_late && is_well_at_end(asked, series, at_ns)) {
        arm->outcome = ARM_RECOVERED;
        arm->after_ns = at_ns - arm->since_ns;
        return;
    }
    arm->outcome = is_stuck(asked, series, control, arm->since_ns) ? ARM_STUCK : ARM_DEGRADED;
    if (is_probe) {
        judge_failed_probe(spec, series, arm);
    }
}

void metastability_add_arm(const struct run_spec *spec, enum run_arm arm,
                           const struct run_result *run, struct run_result *result)
{
    ASSERT(spec->metastability.is_asked);
    ASSERT(result_arm_find(result, arm) == NULL);
    struct result_arm *made = vec_push(&result->arms);
    made->arm = arm;
    made->digest = run->digest;
    made->events = run->events;
    made->sim_ns = run->sim_ns;
    made->after_ns = RESULT_RECOVERY_NEVER;
    for (uint32_t i = 0; i < run->windows.count; i++) {
        struct result_arm_window *window = vec_push(&result->arm_windows);
        window->arm = arm;
        window->window = *(const struct result_window *)vec_at(&run->windows, i);
    }
    struct series series = series_of(&run->windows);
    struct series control = series_of_arm(result, ARM_CONTROL);
    if (run->is_cut || run->verdict == VERDICT_ERROR || series.count == 0) {
        made->outcome = ARM_CUT;
    } else if (arm == ARM_CONTROL) {
        judge_control(spec, &series, made);
    } else {
        judge_recovery(spec, run, &series, &control, made);
    }
    count(made, &series, &control);
    struct result_arm *trigger = vec_at(&result->arms, 0);
    if (arm == ARM_CONTROL && trigger->arm == ARM_TRIGGER) {
        struct series before = series_of_arm(result, ARM_TRIGGER);
        count(trigger, &before, &control);
        bool is_down = trigger->outcome == ARM_DEGRADED &&
                       is_stuck(&spec->metastability, &before, &control, trigger->since_ns);
        trigger->outcome = is_down ? ARM_STUCK : trigger->outcome;
    }
}

/* --------------------------------------------------------------------------------------- verdict
 */

static enum arm_outcome outcome_of(const struct run_result *result, enum run_arm arm)
{
    const struct result_arm *one = result_arm_find(result, arm);
    return one == NULL ? ARM_OUTCOME_COUNT : one->outcome;
}

bool metastability_next(const struct run_result *result, enum run_arm *arm)
{
    bool is_open = true;
    if (result_arm_find(result, ARM_TRIGGER) == NULL) {
        *arm = ARM_TRIGGER;
    } else if (result_arm_find(result, ARM_CONTROL) == NULL) {
        *arm = ARM_CONTROL;
    } else if (outcome_of(result, ARM_CONTROL) != ARM_HELD || result->is_cut ||
               outcome_of(result, ARM_TRIGGER) == ARM_RECOVERED) {
        is_open = false;
    } else if (result_arm_find(result, ARM_DOUBLED) == NULL) {
        *arm = ARM_DOUBLED;
    } else if (outcome_of(result, ARM_DOUBLED) == ARM_STUCK &&
               result_arm_find(result, ARM_PROBE) == NULL) {
        *arm = ARM_PROBE;
    } else {
        is_open = false;
    }
    return is_open;
}

static enum metastability verdict_of(const struct run_result *result)
{
    enum arm_outcome control = outcome_of(result, ARM_CONTROL);
    enum arm_outcome doubled = outcome_of(result, ARM_DOUBLED);
    enum arm_outcome probe = outcome_of(result, ARM_PROBE);
    if (control == ARM_FAILED) {
        return METASTABILITY_UNSTABLE;
    }
    if (control != ARM_HELD) {
        return METASTABILITY_UNDECIDED;
    }
    if (outcome_of(result, ARM_TRIGGER) == ARM_RECOVERED || doubled == ARM_RECOVERED) {
        return METASTABILITY_STABLE;
    }
    if (doubled != ARM_STUCK) {
        return METASTABILITY_UNDECIDED;
    }
    return probe == ARM_RECOVERED ? METASTABILITY_METASTABLE
           : probe == ARM_STUCK   ? METASTABILITY_PERMANENT
                                  : METASTABILITY_UNDECIDED;
}

const struct result_arm *metastability_outcome(const struct run_result *result)
{
    const struct result_arm *doubled = result_arm_find(result, ARM_DOUBLED);
    return doubled != NULL ? doubled : result_arm_find(result, ARM_TRIGGER);
}

static double share(uint64_t part, uint64_t whole)
{
    return whole == 0 ? NAN : (double)part / (double)whole;
}

double metastability_goodput(const struct result_arm *arm)
{
    return share(arm->good, arm->offered);
}

double metastability_amplification(const struct result_arm *arm)
{
    return share(arm->attempts, arm->offered);
}

double metastability_useless(const struct result_arm *arm)
{
    return share(arm->unwanted, arm->unwanted + arm->ok);
}

double metastability_ratio(const struct result_arm *arm)
{
    return metastability_goodput(arm) / share(arm->control_good, arm->control_offered);
}

static enum spec_verdict verdict_bit(enum metastability verdict)
{
    switch (verdict) {
    case METASTABILITY_STABLE:
        return SPEC_VERDICT_STABLE;
    case METASTABILITY_METASTABLE:
        return SPEC_VERDICT_METASTABLE;
    case METASTABILITY_UNSTABLE:
        return SPEC_VERDICT_UNSTABLE;
    case METASTABILITY_PERMANENT:
        return SPEC_VERDICT_PERMANENT;
    case METASTABILITY_NONE:
    case METASTABILITY_UNDECIDED:
    case METASTABILITY_COUNT:
        break;
    }
    UNREACHABLE();
}

static const char *relief_text(const struct spec_metastability *asked)
{
    switch (asked->probe) {
    case SPEC_PROBE_RETRIES_OFF:
        return "a while without retries";
    case SPEC_PROBE_SHED:
        return "a while with less load";
    case SPEC_PROBE_RESTART:
        return "a restart of all nodes";
    case SPEC_PROBE_NONE:
        break; /* no verdict that says so */
    }
    UNREACHABLE();
}

static void explain(const struct run_spec *spec, const struct run_result *result, char *message,
                    size_t size)
{
    char looked[32];
    char after[32];
    if (result->metastability == METASTABILITY_UNSTABLE) {
        const struct result_arm *control = result_arm_find(result, ARM_CONTROL);
        snprintf(message, size,
                 "without the trigger only %.1f%% of the operations are answered in time, %.1f "
                 "sends each: this load collapses by itself",
                 100 * metastability_goodput(control), metastability_amplification(control));
        return;
    }
    const struct result_arm *arm = metastability_outcome(result);
    if (result->metastability == METASTABILITY_STABLE) {
        snprintf(message, size, "goodput is back %s after the trigger",
                 units_format_duration(arm->after_ns, after, sizeof(after)));
        return;
    }
    const struct result_arm *probe = result_arm_find(result, ARM_PROBE);
    ASSERT(probe != NULL);
    bool is_back = result->metastability == METASTABILITY_METASTABLE;
    snprintf(message, size,
             "for %s after the trigger goodput is %.1f%% of that without it, with %.1f sends for "
             "each operation; %s %s%s",
             units_format_duration(arm->looked_ns, looked, sizeof(looked)),
             100 * metastability_ratio(arm), metastability_amplification(arm),
             relief_text(&spec->metastability),
             is_back ? "brings it back for good, after " : "does not bring it back",
             is_back ? units_format_duration(probe->after_ns, after, sizeof(after)) : "");
}

/* "stable or metastable": what is expected of the cell. */
static void name_expected(uint32_t verdicts, char *text, size_t size)
{
    text[0] = '\0';
    for (uint32_t i = METASTABILITY_STABLE; i < METASTABILITY_UNDECIDED; i++) {
        if ((verdicts & 1u << verdict_bit((enum metastability)i)) != 0) {
            size_t used = strlen(text);
            snprintf(text + used, size - used, "%s%s", used > 0 ? " or " : "",
                     metastability_name((enum metastability)i));
        }
    }
}

static void violate(const struct run_spec *spec, const char *name, struct run_result *result)
{
    if (result->violations.count < RESULT_VIOLATIONS_MAX) {
        struct result_violation *violation = vec_push(&result->violations);
        const struct result_arm *arm = metastability_outcome(result);
        char why[sizeof(violation->message)];
        char expected[64];
        explain(spec, result, why, sizeof(why));
        name_expected(spec->verdicts_expected, expected, sizeof(expected));
        result_copy_text(violation->check, sizeof(violation->check), name);
        violation->time_ns = arm->since_ns;
        violation->event = RESULT_EVENT_NONE;
        violation->node = SQ_NODE_NONE;
        struct text message;
        text_init(&message);
        if (spec->verdicts_expected != 0) {
            text_printf(&message,
                        "%s, and %s was expected: ", metastability_name(result->metastability),
                        expected);
        }
        text_add(&message, why);
        result_copy_text(violation->message, sizeof(violation->message), text_of(&message));
        text_release(&message);
    }
    if (result->verdict != VERDICT_FAIL) {
        result->verdict = VERDICT_FAIL;
        result_copy_text(result->reason, sizeof(result->reason), name);
    }
}

void metastability_decide(const struct run_spec *spec, struct run_result *result)
{
    ASSERT(result->metastability == METASTABILITY_NONE);
    result->metastability = verdict_of(result);
    result->is_metastable = result->metastability == METASTABILITY_METASTABLE;
    bool is_open = result->metastability == METASTABILITY_UNDECIDED;
    bool is_asked = spec->verdicts_expected != 0;
    uint32_t allowed = is_asked ? spec->verdicts_expected : 1u << SPEC_VERDICT_STABLE;
    bool is_fine = !is_open && (allowed & 1u << verdict_bit(result->metastability)) != 0;
    const char *name = is_asked             ? "verdict"
                       : is_fine || is_open ? "metastable"
                                            : metastability_name(result->metastability);
    if (result->checks.count < RESULT_CHECKS_MAX) {
        struct result_check *row = vec_push(&result->checks);
        result_copy_text(row->name, sizeof(row->name), name);
        row->comparisons = is_open ? 0 : 1;
        row->is_violated = !is_fine && !is_open;
        row->is_unknown = is_open;
    }
    if (is_open && result->verdict == VERDICT_PASS) {
        result->verdict = VERDICT_UNKNOWN;
        result_copy_text(result->reason, sizeof(result->reason), "undecided");
    } else if (!is_fine && !is_open) {
        violate(spec, name, result);
    }
}
