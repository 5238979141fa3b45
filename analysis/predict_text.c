/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The order is that of a reader's questions: how much can it take, what is it in at this load, what
 * trigger is too much, how long does it take to come back, does it tip by itself, and why any of
 * this might be wrong. What a model does not cover is said beside its numbers.
 *
 * The chain is solved only when it fits: the queue is cut at two and a half time-outs of work where
 * it has no limit, the orbit at one and a half times its mean when stuck. */
#include "analysis/predict_text.h"

#include "analysis/predict_chain.h"
#include "analysis/predict_laws.h"
#include "sim/base/base.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NEVER_S      1e12 /* longer times only say "never" */
#define TABLE_LINES  9
#define SHORT        10.0 /* times: service against the time-out */
#define TINY_PERCENT 1e-9
#define CLOSE        0.9 /* of the saddle-node: where chance tips a small system */

const char *predict_format_time(double seconds, char *out, size_t size)
{
    if (isnan(seconds)) {
        snprintf(out, size, "unknown");
    } else if (isinf(seconds)) {
        snprintf(out, size, "never");
    } else if (seconds > NEVER_S) {
        snprintf(out, size, ">1e12s");
    } else if (seconds < 1e-3 && seconds > 0) {
        snprintf(out, size, "%.4gus", seconds * 1e6);
    } else if (seconds < 1 && seconds > 0) {
        snprintf(out, size, "%.4gms", seconds * 1e3);
    } else {
        snprintf(out, size, seconds < 1e5 ? "%.5gs" : "%.3gs", seconds);
    }
    return out;
}

static void add_number(struct text *text, const char *label, double value, const char *unit,
                       const char *meaning)
{
    char number[48];
    bool is_plain = value <= 0 || (value >= 1 && value < 1e9);
    snprintf(number, sizeof(number), is_plain ? "%.2f%s" : "%.4g%s", value, unit);
    text_printf(text, "%-20s %14s   %s\n", label, number, meaning);
}

static void add_time(struct text *text, const char *label, double seconds, const char *meaning)
{
    char number[32];
    text_printf(text, "%-20s %14s   %s\n", label,
                predict_format_time(seconds, number, sizeof(number)), meaning);
}

static void add_system(struct text *text, const struct predict_request *request)
{
    const struct predict_system *system = &request->system;
    char service[32];
    char timeout[32];
    text_printf(
        text, "%.6g/s by %u server%s (%s service of %s), time-out %s, %u retr%s",
        system->capacity_per_s, system->servers, system->servers == 1 ? "" : "s",
        system->service == PREDICT_CONSTANT ? "constant" : "exponential",
        predict_format_time(system->servers / system->capacity_per_s, service, sizeof(service)),
        predict_format_time(system->timeout_s, timeout, sizeof(timeout)), system->retries,
        system->retries == 1 ? "y" : "ies");
    if (system->retry_delay_s > 0) {
        text_printf(text, " after %s",
                    predict_format_time(system->retry_delay_s, service, sizeof(service)));
    }
    if (system->budget >= 0) {
        text_printf(text, ", budget %.4g%%", system->budget * 100);
        if (request->budget_burst > 0) {
            text_printf(text, " (burst %.6g)", request->budget_burst);
        }
    }
    if (system->queue_limit > 0) {
        text_printf(text, ", queue of %.6g\n\n", system->queue_limit);
    } else {
        text_add(text, ", no limit of the queue\n\n");
    }
}

static bool is_budget_binding(const struct predict_system *system)
{
    return system->budget >= 0 && system->budget < system->retries;
}

static bool is_queue_short(const struct predict_system *system)
{
    return system->queue_limit > 0 &&
           system->queue_limit <= law_queue_bound(system->capacity_per_s, system->timeout_s);
}

static void add_capacity(struct text *text, const struct predict_request *request)
{
    const struct predict_system *system = &request->system;
    char meaning[160];
    const char *why =
        is_budget_binding(system) ? "capacity / (1 + budget)" : "capacity / (retries + 1)";
    why = is_queue_short(system) ? "the queue is too short to be late" : why;
    snprintf(meaning, sizeof(meaning), "below it every trigger is survived: %s", why);
    add_number(text, "hidden capacity", mean_field_hidden_capacity(system), "/s", meaning);
    add_number(text, "saddle-node", mean_field_saddle_node(system), "/s",
               "from it on the server collapses without any trigger");
    add_number(text, "queue bound", law_queue_bound(system->capacity_per_s, system->timeout_s), "",
               "a queue of at most this many cannot hold it stuck");
}

static void add_roots(struct text *text, const struct predict_request *request)
{
    struct mean_field_root roots[MEAN_FIELD_ROOTS_MAX];
    uint32_t count = mean_field_roots(&request->system, request->load_per_s, roots);
    text_printf(text, "\n%-20s %14s %10s %14s\n", "fixed points", "attempts/s", "time out",
                "answered/s");
    for (uint32_t i = 0; i < count; i++) {
        const char *name = roots[i].is_stable ? "healthy" : "separatrix";
        name = roots[i].is_stable && roots[i].timeout_share > 0.5 ? "stuck" : name;
        char share[32];
        double percent = roots[i].timeout_share * 100;
        bool is_tiny = percent > 0 && percent < TINY_PERCENT;
        snprintf(share, sizeof(share), is_tiny ? "<%.3g%%" : "%.3g%%",
                 is_tiny ? TINY_PERCENT : percent);
        text_printf(text, "  %-18s %14.2f %10s %14.2f\n", name, roots[i].attempts_per_s, share,
                    roots[i].goodput_per_s);
    }
}

static const char *trigger_name(struct fluid_trigger trigger, char *out, size_t size)
{
    if (trigger.capacity_factor <= 0) {
        snprintf(out, size, "freeze");
    } else if (trigger.capacity_factor < 1) {
        snprintf(out, size, "capacity x %.4g", trigger.capacity_factor);
    } else {
        snprintf(out, size, "load x %.4g", trigger.load_factor);
    }
    return out;
}

/* The fluid has no time of service. The first correction for it: who waits longer than the time-out
 * less one service is late, and still sends again one time-out after the first attempt. */
static void add_corrected(struct text *text, const struct predict_request *request)
{
    struct predict_system system = request->system;
    double service = system.servers / system.capacity_per_s;
    if (service >= system.timeout_s / 2 || service < system.timeout_s / 1000 ||
        system.queue_limit > 0) {
        return;
    }
    system.timeout_s -= service;
    system.retry_delay_s += service;
    double tipping = fluid_tipping_duration(&system, request->load_per_s, request->trigger,
                                            request->budget_burst);
    add_time(text, "  with own service", tipping,
             "the same, with one mean service in the time-out");
}

static void add_trigger(struct text *text, const struct predict_request *request)
{
    char name[48];
    char duration[32];
    char back[32];
    struct fluid_trigger trigger = request->trigger;
    trigger_name(trigger, name, sizeof(name));
    double tipping = fluid_tipping_duration(&request->system, request->load_per_s, trigger,
                                            request->budget_burst);
    text_printf(text, "\ntrigger              %14s\n", name);
    if (mean_field_class(&request->system, request->load_per_s) == PREDICT_UNSTABLE) {
        text_add(text, "  none is needed: at this load the server collapses by itself\n");
        return;
    }
    add_time(text, "  tipping duration", tipping,
             isinf(tipping) ? "no such trigger sticks" : "the shortest that sticks");
    if (!isinf(tipping)) {
        add_corrected(text, request);
    }
    if (trigger.duration_s <= 0) {
        return;
    }
    struct fluid_run run =
        fluid_through(&request->system, request->load_per_s, trigger, request->budget_burst);
    text_printf(text, "  after %-11s ", predict_format_time(trigger.duration_s, duration, 32));
    switch (run.end) {
    case FLUID_RECOVERED:
        text_printf(text, "%14s   nothing is late or lost any more from %s after its end,\n",
                    "recovers", predict_format_time(run.late_until_s, back, sizeof(back)));
        text_printf(text, "%-35s   and the queue is empty from %s\n", "",
                    predict_format_time(run.empty_at_s, back, sizeof(back)));
        break;
    case FLUID_STUCK:
        text_printf(text, "%14s   the retries alone keep it late for ever\n", "stuck");
        break;
    case FLUID_UNDECIDED:
        text_printf(text, "%14s   it oscillates\n", "undecided");
        break;
    }
    if (run.end != FLUID_STUCK) {
        add_number(text, "  longest queue", run.queue_max, "", "requests");
    }
    add_number(text, "  most attempts", run.amplification_max, "", "for each fresh call");
}

/* Loads from half the hidden capacity to the saddle-node. */
static void add_loads(struct text *text, const struct predict_request *request)
{
    char name[48];
    char numbers[3][32];
    double low = mean_field_hidden_capacity(&request->system);
    double high = mean_field_saddle_node(&request->system);
    if (high <= 0) {
        text_add(text,
                 "\nno load is answered in time: the service takes longer than the time-out\n");
        return;
    }
    bool has_duration = request->trigger.duration_s > 0;
    trigger_name(request->trigger, name, sizeof(name));
    text_printf(text, "\n%12s  %-12s %18s", "load", "class", "tipping duration");
    if (has_duration) {
        text_printf(
            text, "   back after %s",
            predict_format_time(request->trigger.duration_s, numbers[0], sizeof(numbers[0])));
    }
    text_printf(text, "   (%s)\n", name);
    for (int32_t i = -2; i < TABLE_LINES; i++) {
        double load = i < 0 ? low * (1 + 0.25 * i) : low + (high - low) * (i + 0.5) / TABLE_LINES;
        if (i >= 0 && high <= low) {
            break;
        }
        enum predict_class class = load < low ? PREDICT_STABLE : PREDICT_VULNERABLE;
        double tipping =
            fluid_tipping_duration(&request->system, load, request->trigger, request->budget_burst);
        text_printf(text, "%10.2f/s  %-12s %18s", load, predict_class_name(class),
                    predict_format_time(tipping, numbers[1], sizeof(numbers[1])));
        if (has_duration) {
            struct fluid_run run =
                fluid_through(&request->system, load, request->trigger, request->budget_burst);
            double back = run.end == FLUID_UNDECIDED ? NAN : run.late_until_s;
            text_printf(text, "   %s", predict_format_time(back, numbers[2], sizeof(numbers[2])));
        }
        text_add(text, "\n");
    }
}

static void solve_chain(struct text *text, const struct chain_model *model)
{
    struct chain *chain = NULL;
    struct err err = {0};
    if (!chain_new(model, &chain, &err)) {
        text_printf(text, "not solved: %s\n", err.text);
        return;
    }
    size_t count = (size_t)model->queue_states * model->orbit_states;
    double *values = calloc(count, sizeof(double));
    ASSERT(values != NULL);
    uint32_t full = model->queue_states - 1;
    uint32_t crowd = model->orbit_states - 1;
    chain_hitting_times(chain, (struct chain_set){full - full / 10, full, 0, crowd}, values);
    text_printf(text, "%u x %u states\n", model->queue_states, model->orbit_states);
    add_time(text, "  healthy to full", values[0], "mean time to tip by chance alone");
    chain_hitting_times(chain, (struct chain_set){0, 0, 0, crowd}, values);
    add_time(text, "  full to empty", values[count - 1], "mean time to come back by chance alone");
    chain_stationary(chain, values);
    double late = 0;
    for (size_t i = 0; i < count; i++) {
        late += i / model->orbit_states > full / 2 ? values[i] : 0;
    }
    char share[32];
    snprintf(share, sizeof(share), "%.3g%%", late * 100);
    text_printf(text, "%-20s %14s   in the long run, with the queue more than half full\n",
                "  share of time", share);
    add_time(text, "  mixing time", log2(100) * chain_relaxation_time(chain),
             "log2(100) relaxation times");
    text_add(text,
             "  The chain forgets how long a client has waited: times are right to a factor of "
             "three.\n");
    free(values);
    chain_free(chain);
}

static void add_chain(struct text *text, const struct predict_request *request)
{
    const struct predict_system *system = &request->system;
    double work = system->capacity_per_s * system->timeout_s;
    double queue = system->queue_limit > 0 ? system->queue_limit : ceil(2.5 * work);
    double orbit = ceil(1.5 * (system->retries + 1) * request->load_per_s * system->timeout_s);
    text_add(text, "\nchain of queue and orbit   ");
    if (is_budget_binding(system) || system->service != PREDICT_EXPONENTIAL) {
        text_add(text, "not applicable: it knows no budget and only exponential service\n");
        return;
    }
    if (system->retries == 0 || is_queue_short(system)) {
        text_add(text, "not applicable: there is no second state\n");
        return;
    }
    if (queue > 1e5 || orbit > 1e5) {
        text_printf(text, "not solved: some %.6g x %.6g states are too many\n", queue, orbit);
        return;
    }
    struct chain_model model = {
        .load_per_s = request->load_per_s,
        .service_per_s = system->capacity_per_s / system->servers,
        .servers = system->servers,
        .timeout_s = system->timeout_s,
        .retries = system->retries,
        .queue_states = (uint32_t)fmax(3, queue + 1),
        .orbit_states = (uint32_t)orbit + 1,
        .alpha = 1,
        .tail = CHAIN_TAIL_EXACT,
    };
    solve_chain(text, &model);
}

static void add_limits(struct text *text, const struct predict_request *request)
{
    const struct predict_system *system = &request->system;
    double service = system->servers / system->capacity_per_s;
    double load = request->load_per_s;
    text_add(text, "\nwhere this does not hold\n");
    if (service * SHORT >= system->timeout_s) {
        text_printf(text,
                    "  - the mean service is %.3g of the time-out, not short against it: attempts "
                    "time out\n    while they are served, and the fluid's durations are off\n",
                    service / system->timeout_s);
    }
    if (system->queue_limit <= 0) {
        text_add(text, "  - the queue has no limit: a stuck server's backlog grows for ever, and "
                       "after the load\n    falls below the hidden capacity it must be worked off "
                       "first, which can look stuck\n");
    }
    if (load > CLOSE * mean_field_saddle_node(system) && system->service == PREDICT_EXPONENTIAL &&
        mean_field_class(system, load) == PREDICT_VULNERABLE) {
        text_add(text,
                 "  - the load is close to the saddle-node: chance alone may tip it; triggers "
                 "shorter than\n    the tipping duration then stick with some probability\n");
    }
    if (system->retry_delay_s > 0) {
        text_add(text, "  - fixed points neglect the delay before a retry; it does not move the "
                       "hidden capacity\n");
    }
    text_add(text,
             "  - clients are open: calls arrive whatever becomes of earlier ones; the server "
             "works on\n    attempts in order of arrival and does not learn that a client gave "
             "up\n");
}

void predict_text_add(struct text *text, const struct predict_request *request)
{
    ASSERT(predict_system_is_valid(&request->system));
    ASSERT(request->load_per_s >= 0);
    add_system(text, request);
    add_capacity(text, request);
    if (request->load_per_s <= 0) {
        add_loads(text, request);
        add_limits(text, request);
        return;
    }
    enum predict_class class = mean_field_class(&request->system, request->load_per_s);
    add_number(text, "load", request->load_per_s, "/s", predict_class_name(class));
    add_roots(text, request);
    add_trigger(text, request);
    add_chain(text, request);
    add_limits(text, request);
}
