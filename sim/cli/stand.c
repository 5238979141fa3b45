/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A run is a spec derived from the scenario's, as arms are: the load at a constant rate from the
 * start, all other triggers gone, and one trigger of the kind that the prediction has: a freeze
 * (pause) or a slow processor of the group that is called, or a second load beside the first.
 * Checks are left out. Warm-up is none: the trigger comes late enough.
 *
 * The series is in quarters of a time-out, so that times of recovery have that resolution. */
#include "sim/cli/stand.h"

#include "sim/base/base.h"
#include "sim/base/units.h"

#include <inttypes.h>
#include <string.h>

#define PER_1000S 1000.0
#define MILLI     1000.0
#define NS_IN_A_S 1e9
#define QUARTERS  4
#define HEALTHY   0.95
#define HOLD      5 /* time-outs */

/* The nearest whole number of something that is not negative. */
static int64_t whole_of(double value)
{
    return (int64_t)(value + 0.5);
}

static bool find_load(struct stand *stand, struct err *err)
{
    const struct run_spec *spec = &stand->cell->spec;
    for (uint32_t i = 0; i < spec->load_count; i++) {
        if (!spec->loads[i].is_trigger) {
            stand->load = i;
            stand->timeout_ns = spec->loads[i].client.timeout_ns;
            return true;
        }
    }
    return err_set(err, ERR_INPUT, "the scenario has no load but triggers");
}

bool stand_open(struct stand *stand, struct opened *opened, struct err *err)
{
    *stand = (struct stand){.opened = *opened, .cell = &opened->plan.cells[0]};
    if (!find_load(stand, err)) {
        close_plan(&stand->opened);
        return false;
    }
    runner_init(&stand->runner, NULL, 0);
    judge_keep_windows(stand->runner.judge, JUDGE_WINDOWS_ALL);
    result_init(&stand->result);
    arena_init(&stand->arena);
    return true;
}

static const char template[] =
    "squall: 1\nname: prediction\ntime: {warmup: 0s, limit: 1s}\n"
    "system:\n  model: server\n  nodes: 1\n"
    "  options: {serviceTime: %" PRId64 "ns, serviceLaw: %s, servers: %u, queueLimit: %.0f, "
    "%s}\n"
    "  host: {cores: %u, queue: {limit: 100000000}, cpu: {perMessage: 0s, perByte: 0ns, perTimer: "
    "0s}}\n"
    "network:\n  default: {latency: 0s, bandwidth: unlimited}\n"
    "  clients: {latency: 0s, bandwidth: unlimited}\n"
    "load:\n  fresh:\n    executor: constant-arrival-rate\n    rate: 1/s\n    arrivals: %s\n"
    "    workload: {recordCount: 1, readProportion: 100%%, updateProportion: 0%%}\n"
    "client:\n  deadline: none\n  timeout: %" PRId64 "ns\n  lateAnswers: ignore\n"
    "  retry: {maxAttempts: %u, %s, retryOn: [timeout, overloaded]%s}\nseeds: 1..1\n";

/* A thousand tokens are one retry, so that shares of a tenth of a percent are whole tokens. */
static const char *budget_of(const struct predict_request *request, struct arena *arena)
{
    if (request->system.budget < 0) {
        return "";
    }
    double capacity = request->budget_burst * 1000;
    capacity = capacity > 1e6 ? 1e6 : capacity < 1000 ? 1000 : capacity;
    return arena_printf(arena,
                        ", budget: {type: token-bucket, capacity: %.0f, retryCost: 1000, "
                        "timeoutCost: 1000, successCredit: %.3f}",
                        capacity, request->system.budget * 1000);
}

static const char *scenario_text(const struct predict_request *request, const char *full,
                                 struct arena *arena)
{
    const struct predict_system *system = &request->system;
    bool is_constant = system->service == PREDICT_CONSTANT;
    const char *backoff =
        system->retry_delay_s > 0
            ? arena_printf(arena, "backoff: fixed, initialBackoff: %" PRId64 "ns, jitter: none",
                           whole_of(system->retry_delay_s * NS_IN_A_S))
            : "backoff: none";
    return arena_printf(
        arena, template, whole_of(system->servers * NS_IN_A_S / system->capacity_per_s),
        is_constant ? "deterministic" : "exponential", system->servers, system->queue_limit, full,
        system->servers, is_constant ? "uniform" : "poisson",
        whole_of(system->timeout_s * NS_IN_A_S), system->retries + 1, backoff,
        budget_of(request, arena));
}

bool stand_open_text(struct stand *stand, const char *text, struct err *err)
{
    struct opened opened = {0};
    struct diag diag;
    diag_init(&diag);
    struct plan_options options = {0};
    opened.scenario = scenario_parse("prediction", text, strlen(text), catalog_get(), &diag);
    bool is_fine =
        opened.scenario != NULL && plan_build(&opened.plan, opened.scenario, &options, &diag);
    if (!is_fine) {
        err_set(err, ERR_INPUT, "this cannot be simulated: %s",
                diag.kept > 0 ? diag.entries[0].text : "no scenario says it");
        scenario_free(opened.scenario);
    }
    diag_release(&diag);
    return is_fine && stand_open(stand, &opened, err);
}

bool stand_open_system(struct stand *stand, const struct predict_request *request, const char *full,
                       struct err *err)
{
    struct arena arena;
    arena_init(&arena);
    bool is_open = stand_open_text(stand, scenario_text(request, full, &arena), err);
    arena_release(&arena);
    return is_open;
}

void stand_close(struct stand *stand)
{
    result_release(&stand->result);
    runner_release(&stand->runner);
    arena_release(&stand->arena);
    close_plan(&stand->opened);
}

/* ---------------------------------------------------------------------------------- one run */

static void add_fault(const struct stand *stand, const struct stand_run *run, int64_t at_ns,
                      struct run_spec *spec)
{
    const struct spec_group *group = &spec->groups[spec->loads[stand->load].client.target_group];
    uint64_t nodes = 0;
    for (uint32_t i = 0; i < group->count; i++) {
        nodes |= UINT64_C(1) << (group->first + i);
    }
    bool is_freeze = run->trigger.capacity_factor <= 0;
    double slowdown = is_freeze ? 1 : MILLI / run->trigger.capacity_factor;
    spec->faults[spec->fault_count++] = (struct spec_fault){
        .name = "trigger",
        .kind = is_freeze ? SPEC_NODE_CHAOS : SPEC_STRESS_CHAOS,
        .action = is_freeze ? SPEC_ACTION_PAUSE : SPEC_ACTION_CPU,
        .mode = SPEC_MODE_ALL,
        .selector = {.nodes = nodes, .role = SQ_ROLE_NONE},
        .has_at = true,
        .at_ns = at_ns,
        .duration = {.kind = DIST_CONSTANT, .a = whole_of(run->trigger.duration_s * NS_IN_A_S)},
        .slowdown_milli = (uint32_t)whole_of(slowdown),
        .is_trigger = true,
    };
}

static int64_t rate_of(double per_s)
{
    int64_t rate = whole_of(per_s * PER_1000S);
    return rate > 0 ? rate : 1;
}

static void set_loads(struct stand *stand, const struct stand_run *run, int64_t at_ns,
                      struct run_spec *spec)
{
    const struct spec_load *from = stand->cell->spec.loads;
    spec->loads = arena_alloc_array(&stand->arena, spec->load_count + 1, sizeof(*spec->loads));
    for (uint32_t i = 0; i < spec->load_count; i++) {
        spec->loads[i] = from[i];
        if (from[i].is_trigger) {
            spec->loads[i].duration_ns = 0;
        }
    }
    struct spec_load *load = &spec->loads[stand->load];
    load->executor = SPEC_CONSTANT_ARRIVAL_RATE;
    load->rate_per_1000s = rate_of(run->load_per_s);
    load->start_ns = 0;
    load->duration_ns = INT64_MAX;
    load->stage_count = 0;
    if (run->is_jittered) {
        load->client.jitter = SPEC_JITTER_FULL;
        load->client.backoff_initial_ns *= 2;
        load->client.backoff_max_ns = load->client.backoff_initial_ns;
    }
    if (run->has_trigger && run->trigger.load_factor > 1) {
        struct spec_load *more = &spec->loads[spec->load_count++];
        *more = *load;
        more->name = "trigger";
        more->rate_per_1000s = rate_of(run->load_per_s * (run->trigger.load_factor - 1));
        more->start_ns = at_ns;
        more->duration_ns = whole_of(run->trigger.duration_s * NS_IN_A_S);
        more->is_trigger = true;
    }
}

bool stand_run(struct stand *stand, const struct stand_run *run)
{
    const struct run_spec *base = &stand->cell->spec;
    arena_reset(&stand->arena);
    struct run_spec spec = *base;
    int64_t at_ns = STAND_BEFORE * stand->timeout_ns;
    spec.limit_ns = whole_of(run->limit_s * NS_IN_A_S);
    spec.warmup_ns = 0;
    spec.window_ns = stand->timeout_ns / QUARTERS > 0 ? stand->timeout_ns / QUARTERS : 1;
    spec.check_count = 0;
    spec.metastability.is_asked = false;
    spec.fault_count = 0;
    spec.faults = arena_alloc_array(&stand->arena, 1, sizeof(*spec.faults));
    int64_t times = spec.limit_ns / base->limit_ns + 1;
    spec.event_limit = base->event_limit > UINT64_MAX / (uint64_t)times
                           ? UINT64_MAX
                           : base->event_limit * (uint64_t)times;
    spec.cpu_limit_ns =
        base->cpu_limit_ns > INT64_MAX / times ? INT64_MAX : base->cpu_limit_ns * times;
    set_loads(stand, run, at_ns, &spec);
    if (run->has_trigger && run->trigger.capacity_factor < 1) {
        add_fault(stand, run, at_ns, &spec);
    }
    struct run_spec *kept = arena_alloc(&stand->arena, sizeof(*kept));
    *kept = spec;
    stand->runs++;
    runner_begin_spec(&stand->runner, stand->cell, kept, run->seed);
    world_run(stand->runner.world, INT64_MAX, UINT64_MAX);
    runner_finish(&stand->runner, 0, &stand->result);
    return !stand->result.is_cut;
}

bool stand_run_as_is(struct stand *stand, uint64_t seed)
{
    stand->runs++;
    runner_run(&stand->runner, stand->cell, seed, &stand->result);
    return !stand->result.is_cut;
}

/* --------------------------------------------------------------------------------- its series */

struct sums {
    uint64_t offered;
    uint64_t judged;
    uint64_t good;
    uint64_t attempts;
};

static struct sums sums_of(const struct stand *stand, double from_s, double until_s)
{
    struct sums sums = {0};
    for (uint32_t i = 0; i < stand->result.windows.count; i++) {
        const struct result_window *window = vec_at(&stand->result.windows, i);
        double at_s = (double)window->t_ns / NS_IN_A_S;
        if (at_s >= from_s && at_s < until_s) {
            sums.offered += window->offered;
            sums.judged += window->judged;
            sums.good += window->good;
            sums.attempts += window->attempts;
        }
    }
    return sums;
}

double stand_goodput(const struct stand *stand, double from_s, double until_s)
{
    struct sums sums = sums_of(stand, from_s, until_s);
    return sums.judged > 0 ? (double)sums.good / (double)sums.judged : __builtin_nan("");
}

double stand_sends(const struct stand *stand, double from_s, double until_s)
{
    struct sums sums = sums_of(stand, from_s, until_s);
    return sums.offered > 0 ? (double)sums.attempts / (double)sums.offered : __builtin_nan("");
}

double stand_recovery_s(const struct stand *stand, const struct stand_run *run)
{
    const struct vec *windows = &stand->result.windows;
    double end_s = (double)(STAND_BEFORE * stand->timeout_ns) / NS_IN_A_S + run->trigger.duration_s;
    uint32_t held = 0;
    for (uint32_t i = 0; i < windows->count; i++) {
        const struct result_window *window = vec_at(windows, i);
        bool is_well =
            window->judged == 0 || (double)window->good >= HEALTHY * (double)window->judged;
        bool is_after = (double)window->t_ns / NS_IN_A_S >= end_s;
        held = is_well && is_after ? held + 1 : 0;
        if (held == HOLD * QUARTERS) {
            const struct result_window *first = vec_at(windows, i + 1 - held);
            return (double)first->t_ns / NS_IN_A_S - end_s;
        }
    }
    return __builtin_inf();
}
