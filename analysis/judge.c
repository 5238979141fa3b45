/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One observer in front of many. At the start of a run the judge finds the checkers that the spec
 * names and lists, for each kind of report that nodes make, those that want it: an event costs one
 * look at a short list, and the shared view of the logs is kept only when a checker of the raft
 * family is there. Checkers see the view as it was before the event.
 *
 * VERDICT. A violation that is not a known defect fails the run. Otherwise a limit that was
 * reached, or a checker that could not decide, makes it unknown. Otherwise it passes. A check that
 * compared nothing has not been put to the test and is violated, but only when the run reached its
 * end and nothing else went wrong: a run that was cut short, or that stopped at another violation,
 * had no chance to compare. Recovery is different: in a run without any fault there is nothing to
 * recover from, which is not wrong; a campaign in which that is always so shows zero comparisons in
 * total.
 *
 * KNOWN DEFECTS (spec->known). A violation is known when an entry names its check and the version
 * of the code under test contains the entry's text; the code is that of the violation's node, or of
 * any group when no single node did it. One defect may be seen by several checks in turn, so after
 * a first known violation those of all checks on the list are known. A check that is not on the
 * list fails the run in any case.
 *
 * The model's own invariants are always judged: a model that says it is broken is believed without
 * being asked. */
#include "analysis/judge.h"

#include "analysis/check.h"
#include "analysis/elections.h"
#include "analysis/freshness.h"
#include "analysis/gauges.h"
#include "analysis/gray.h"
#include "analysis/metrics.h"
#include "analysis/user_view.h"
#include "analysis/visibility.h"
#include "sim/base/base.h"
#include "sim/base/units.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define ATTEMPTS_MAX           (UINT32_C(1) << 28)
#define RATIO_USUAL_MILLIONTHS 900000 /* for recovery_ns of a scenario without `recovers` */
#define NODES_MAX              64
#define HARVEST_GAUGE          "harvest" /* permille of the data that is in an answer */

struct probe {
    char name[RESULT_NAME_SIZE];
    uint64_t hits;
    bool is_asked;
};

struct group_leader {
    uint64_t term;
    sq_node node;
    bool is_known;
};

struct judge {
    struct sq_observer observer;
    enum judge_windows keep;
    void (*on_violation)(void *context, const struct result_violation *violation);
    void *on_violation_context;
    struct check checks[CHECK_COUNT]; /* instances, in the order of check_table */
    struct check_run run;
    struct metrics metrics;
    struct gauges gauges;
    struct user_view users;
    struct gray gray;
    struct freshness freshness;
    struct visibility visibility;
    struct elections elections;
    struct sq_node_info nodes[NODES_MAX];
    char node_names[NODES_MAX][RESULT_NAME_SIZE];
    uint64_t seed;
    /* Of this run: */
    struct check *active[CHECK_COUNT];
    uint32_t active_count;
    struct check *seers[SQ_SEE_COUNT][CHECK_COUNT];
    uint32_t seer_count[SQ_SEE_COUNT];
    bool needs_view;
    bool needs_history;
    bool needs_freshness;
    bool needs_visibility;
    bool needs_elections;
    bool was_known; /* a known defect has shown itself */
    bool is_running;
    struct vec violations;   /* struct result_violation */
    struct vec probes;       /* struct probe, in order of first use */
    struct vec last_attempt; /* sq_time by operation id */
    struct group_leader leaders[NODES_MAX];
};

/* ----------------------------------------------------------------------------------- violations */

static bool is_library(const struct spec_group *group, const struct spec_known *known)
{
    return known->library == NULL || (group->model != NULL && group->model->version != NULL &&
                                      strstr(group->model->version, known->library) != NULL);
}

static bool is_known_defect(const struct judge *judge, const char *check, const char *alias,
                            sq_node node)
{
    const struct run_spec *spec = judge->run.spec;
    for (uint32_t i = 0; i < spec->known_count; i++) {
        const struct spec_known *known = &spec->known[i];
        if (strcmp(known->check, check) != 0 &&
            (alias == NULL || strcmp(known->check, alias) != 0)) {
            continue;
        }
        if (judge->was_known) {
            return true;
        }
        for (uint32_t group = 0; group < spec->group_count; group++) {
            bool is_concerned =
                node >= judge->run.node_count || judge->run.nodes[node].group == group;
            if (is_concerned && is_library(&spec->groups[group], known)) {
                return true;
            }
        }
    }
    return false;
}

/* `alias`: a second name under which the violation may be known, or NULL. */
static void add_violation(struct judge *judge, const char *check, const char *alias,
                          const struct check_place *place, const char *message)
{
    if (judge->violations.count == RESULT_VIOLATIONS_MAX) {
        return;
    }
    bool is_known = is_known_defect(judge, check, alias, place->node);
    struct result_violation *violation = vec_push(&judge->violations);
    violation->time_ns = place->time;
    violation->event = place->event;
    violation->node = place->node;
    violation->is_known = is_known;
    result_copy_text(violation->check, sizeof(violation->check), check);
    result_copy_text(violation->message, sizeof(violation->message), message);
    if (place->node < judge->run.node_count) {
        result_copy_text(violation->node_name, sizeof(violation->node_name),
                         judge->run.nodes[place->node].name);
    }
    judge->was_known = judge->was_known || is_known;
    if (judge->on_violation != NULL) {
        judge->on_violation(judge->on_violation_context, violation);
    }
}

static void on_check_violation(void *context, const struct check *check,
                               const struct check_place *place, const char *message)
{
    add_violation(context, check->ops->name, NULL, place, message);
}

/* --------------------------------------------------------------------------------------- probes */

static struct probe *probe_named(struct judge *judge, const char *name)
{
    char cut[RESULT_NAME_SIZE];
    result_copy_text(cut, sizeof(cut), name);
    for (uint32_t i = 0; i < judge->probes.count; i++) {
        struct probe *probe = vec_at(&judge->probes, i);
        if (strcmp(probe->name, cut) == 0) {
            return probe;
        }
    }
    if (judge->probes.count == RESULT_PROBES_MAX) {
        return NULL;
    }
    struct probe *made = vec_push(&judge->probes);
    memcpy(made->name, cut, sizeof(cut));
    return made;
}

static void hit(struct judge *judge, const char *name)
{
    struct probe *probe = probe_named(judge, name);
    if (probe != NULL) {
        probe->hits++;
    }
}

static int compare_probes(const void *left, const void *right)
{
    const struct probe *a = left;
    const struct probe *b = right;
    return strcmp(a->name, b->name);
}

/* ------------------------------------------------------------------------------------- observer */

static void on_invoke(void *context, const struct sq_operation *operation)
{
    struct judge *judge = context;
    metrics_on_invoke(&judge->metrics, operation);
    user_view_on_invoke(&judge->users, operation);
    ASSERT(operation->id == judge->last_attempt.count);
    vec_append(&judge->last_attempt, &operation->invoked);
    if (!judge->needs_history) {
        return;
    }
    kv_history_on_invoke(&judge->run.history, operation);
    if (judge->needs_freshness) {
        freshness_on_invoke(&judge->freshness, &judge->run.history, operation->id);
    }
    for (uint32_t i = 0; i < judge->active_count; i++) {
        struct check *check = judge->active[i];
        if (check->ops->on_invoke != NULL) {
            check->ops->on_invoke(check, operation);
        }
    }
}

/* An attempt that follows the one before by at least the time-out follows a time-out. */
static void on_attempt(void *context, const struct sq_operation *operation, sq_time now)
{
    struct judge *judge = context;
    const struct run_spec *spec = judge->run.spec;
    metrics_on_attempt(&judge->metrics, operation, now);
    sq_time *last = (sq_time *)judge->last_attempt.items + operation->id;
    ASSERT(operation->id < judge->last_attempt.count);
    if (now > *last && spec->load_count > 0) {
        const struct spec_client *client = &spec->loads[operation->load % spec->load_count].client;
        if (now - *last >= client->timeout_ns) {
            hit(judge, "client.retried-after-timeout");
        }
    }
    *last = now;
}

/* Reads after the run's end are the audit's. */
static void show_freshness(struct judge *judge, const struct sq_operation *operation)
{
    struct freshness_verdict verdict =
        freshness_on_complete(&judge->freshness, &judge->run.history, operation->id);
    if (!verdict.is_judged || operation->invoked >= judge->run.spec->limit_ns) {
        return;
    }
    struct sq_seen seen = {
        .time = operation->completed,
        .node = operation->replied_by < judge->run.node_count ? operation->replied_by : 0,
        .what = SQ_SEE_GAUGE,
        .a = verdict.is_stale,
        .text = FRESHNESS_GAUGE,
    };
    gauges_on_seen(&judge->gauges, &seen);
}

static void on_complete(void *context, const struct sq_operation *operation)
{
    struct judge *judge = context;
    metrics_on_complete(&judge->metrics, operation);
    user_view_on_complete(&judge->users, operation);
    gray_on_complete(&judge->gray, operation);
    if (!judge->needs_history) {
        return;
    }
    kv_history_on_complete(&judge->run.history, operation);
    if (judge->needs_freshness) {
        show_freshness(judge, operation);
    }
    for (uint32_t i = 0; i < judge->active_count; i++) {
        struct check *check = judge->active[i];
        if (check->ops->on_complete != NULL) {
            check->ops->on_complete(check, operation);
        }
    }
}

static void note_leader(struct judge *judge, const struct sq_seen *seen)
{
    uint32_t group = judge->nodes[seen->node].group;
    struct group_leader *leader = &judge->leaders[group];
    if (leader->is_known && (leader->node != seen->node || leader->term != seen->a)) {
        hit(judge, "raft.leader-changed");
    }
    *leader = (struct group_leader){.term = seen->a, .node = seen->node, .is_known = true};
}

static void on_seen(void *context, const struct sq_seen *seen)
{
    struct judge *judge = context;
    ASSERT((unsigned)seen->what < SQ_SEE_COUNT);
    ASSERT(seen->node < judge->run.node_count);
    uint32_t count = judge->seer_count[seen->what];
    for (uint32_t i = 0; i < count; i++) {
        struct check *check = judge->seers[seen->what][i];
        check->ops->on_seen(check, seen);
    }
    if (seen->what == SQ_SEE_GAUGE || seen->what == SQ_SEE_COUNTER) {
        gauges_on_seen(&judge->gauges, seen);
        gray_on_seen(&judge->gray, seen);
        return;
    }
    if (judge->needs_visibility) {
        visibility_on_seen(&judge->visibility, &judge->freshness, &judge->run.history, judge->nodes,
                           seen);
    }
    if (judge->needs_view) {
        raft_view_on_seen(&judge->run.raft, seen);
    }
    if (seen->what == SQ_SEE_LEADER) {
        if (judge->needs_elections) {
            elections_on_leader(&judge->elections, judge->nodes, seen, &judge->gauges);
        }
        note_leader(judge, seen);
    }
}

static void on_life(void *context, const struct sq_life_event *life)
{
    struct judge *judge = context;
    ASSERT(life->node < judge->run.node_count);
    for (uint32_t i = 0; i < judge->active_count; i++) {
        struct check *check = judge->active[i];
        if (check->ops->on_life != NULL) {
            check->ops->on_life(check, life);
        }
    }
    if (judge->needs_elections) {
        elections_on_life(&judge->elections, judge->nodes, life);
    }
    if (judge->needs_view) {
        raft_view_on_life(&judge->run.raft, life);
    }
}

static void on_fault(void *context, const struct sq_fault_event *fault)
{
    struct judge *judge = context;
    bool is_new = fault->id == judge->metrics.fault_total;
    metrics_on_fault(&judge->metrics, fault);
    if (is_new) {
        hit(judge, "fault.struck");
    }
}

static bool is_detector(const struct judge *judge, uint32_t load)
{
    const struct spec_detector *detector = &judge->run.spec->availability.detector;
    return detector->is_asked && detector->load == load;
}

static void on_timeout(void *context, uint32_t load, sq_time now)
{
    struct judge *judge = context;
    if (!is_detector(judge, load)) {
        metrics_on_timeout(&judge->metrics, now);
    }
}

static void on_unwanted(void *context, uint32_t load, sq_time now)
{
    struct judge *judge = context;
    if (!is_detector(judge, load)) {
        metrics_on_unwanted(&judge->metrics, now);
    }
}

static void on_always(void *context, sq_node node, sq_time time, uint64_t event, const char *name,
                      const char *text)
{
    struct judge *judge = context;
    struct check_place place = {.time = time, .event = event, .node = node};
    char cut[RESULT_NAME_SIZE];
    result_copy_text(cut, sizeof(cut), name);
    for (uint32_t i = 0; i < judge->violations.count; i++) {
        const struct result_violation *violation = vec_at(&judge->violations, i);
        if (strcmp(violation->check, cut) == 0) {
            return;
        }
    }
    add_violation(judge, cut, check_model_always.name, &place,
                  text != NULL && text[0] != '\0' ? text : "the model's invariant does not hold");
}

static void on_sometimes(void *context, sq_node node, sq_time time, const char *name)
{
    (void)node;
    (void)time;
    hit(context, name);
}

/* ------------------------------------------------------------------------------ life of a judge */

struct judge *judge_new(void)
{
    struct judge *judge = calloc(1, sizeof(*judge));
    if (judge == NULL) {
        fprintf(stderr, "squall: out of memory (judge)\n");
        abort();
    }
    judge->keep = JUDGE_WINDOWS_FAILING;
    judge->observer = (struct sq_observer){
        .context = judge,
        .on_invoke = on_invoke,
        .on_attempt = on_attempt,
        .on_complete = on_complete,
        .on_seen = on_seen,
        .on_life = on_life,
        .on_fault = on_fault,
        .on_always = on_always,
        .on_sometimes = on_sometimes,
        .on_timeout = on_timeout,
        .on_unwanted = on_unwanted,
    };
    metrics_init(&judge->metrics);
    gauges_init(&judge->gauges);
    user_view_init(&judge->users);
    gray_init(&judge->gray);
    freshness_init(&judge->freshness);
    visibility_init(&judge->visibility);
    raft_view_init(&judge->run.raft);
    kv_history_init(&judge->run.history);
    vec_init(&judge->violations, sizeof(struct result_violation), RESULT_VIOLATIONS_MAX);
    vec_init(&judge->probes, sizeof(struct probe), RESULT_PROBES_MAX);
    vec_init(&judge->last_attempt, sizeof(sq_time), ATTEMPTS_MAX);
    for (uint32_t i = 0; i < CHECK_COUNT; i++) {
        struct check *check = &judge->checks[i];
        check->ops = check_table[i];
        check->run = &judge->run;
        check->listener =
            (struct check_listener){.on_violation = on_check_violation, .context = judge};
    }
    return judge;
}

void judge_free(struct judge *judge)
{
    if (judge == NULL) {
        return;
    }
    for (uint32_t i = 0; i < CHECK_COUNT; i++) {
        struct check *check = &judge->checks[i];
        if (check->state != NULL && check->ops->release != NULL) {
            check->ops->release(check);
        }
        free(check->state);
    }
    metrics_release(&judge->metrics);
    gauges_release(&judge->gauges);
    user_view_release(&judge->users);
    gray_release(&judge->gray);
    freshness_release(&judge->freshness);
    visibility_release(&judge->visibility);
    raft_view_release(&judge->run.raft);
    kv_history_release(&judge->run.history);
    vec_release(&judge->violations);
    vec_release(&judge->probes);
    vec_release(&judge->last_attempt);
    free(judge);
}

void judge_keep_windows(struct judge *judge, enum judge_windows windows)
{
    ASSERT(judge != NULL);
    judge->keep = windows;
}

void judge_on_violation(struct judge *judge,
                        void (*on_violation)(void *context,
                                             const struct result_violation *violation),
                        void *context)
{
    ASSERT(judge != NULL);
    judge->on_violation = on_violation;
    judge->on_violation_context = context;
}

const struct sq_observer *judge_observer(struct judge *judge)
{
    ASSERT(judge != NULL);
    return &judge->observer;
}

const struct vec *judge_violations(const struct judge *judge)
{
    return &judge->violations;
}

const struct result_violation *judge_first_violation(const struct judge *judge)
{
    for (uint32_t i = 0; i < judge->violations.count; i++) {
        const struct result_violation *violation = vec_at(&judge->violations, i);
        if (!violation->is_known) {
            return violation;
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------------------------------- begin */

static void activate(struct judge *judge, const struct check_ops *ops)
{
    struct check *check = NULL;
    for (uint32_t i = 0; i < CHECK_COUNT; i++) {
        if (check_table[i] == ops) {
            check = &judge->checks[i];
        }
    }
    ASSERT(check != NULL);
    for (uint32_t i = 0; i < judge->active_count; i++) {
        if (judge->active[i] == check) {
            return;
        }
    }
    judge->active[judge->active_count++] = check;
    for (uint32_t what = 0; what < SQ_SEE_COUNT; what++) {
        if (ops->sees >> what & 1) {
            judge->seers[what][judge->seer_count[what]++] = check;
        }
    }
    judge->needs_history = judge->needs_history || ops->on_complete != NULL || ops->finish != NULL;
    judge->needs_view = judge->needs_view || strncmp(ops->name, "raft.", 5) == 0;
}

/* Names are those that the engine gives: "n1", or "store-1" where there are several groups. */
static void derive_nodes(struct judge *judge, const struct run_spec *spec)
{
    ASSERT(spec->node_count <= NODES_MAX);
    for (uint32_t group = 0; group < spec->group_count; group++) {
        const struct spec_group *from = &spec->groups[group];
        ASSERT(from->first + from->count <= spec->node_count);
        for (uint32_t i = 0; i < from->count; i++) {
            char *name = judge->node_names[from->first + i];
            if (spec->group_count == 1) {
                snprintf(name, RESULT_NAME_SIZE, "n%u", i + 1);
            } else {
                snprintf(name, RESULT_NAME_SIZE, "%s-%u", from->name, i + 1);
            }
            judge->nodes[from->first + i] = (struct sq_node_info){.name = name,
                                                                  .group = group,
                                                                  .group_first = from->first,
                                                                  .group_size = from->count};
        }
    }
}

static void begin_checks(struct judge *judge)
{
    for (uint32_t i = 0; i < judge->active_count; i++) {
        struct check *check = judge->active[i];
        check->comparisons = 0;
        check->is_violated = false;
        check->is_unknown = false;
        if (check->state == NULL && check->ops->state_size > 0) {
            check->state = calloc(1, check->ops->state_size);
            ASSERT(check->state != NULL);
        }
        if (check->ops->begin != NULL) {
            check->ops->begin(check);
        }
    }
}

/* What is worked out only because a threshold asks for it. */
static void begin_gauges(struct judge *judge, const struct run_spec *spec)
{
    judge->needs_freshness = false;
    judge->needs_elections = false;
    judge->needs_visibility = false;
    visibility_begin(&judge->visibility);
    freshness_begin(&judge->freshness);
    elections_begin(&judge->elections);
    for (uint32_t i = 0; i < spec->threshold_count; i++) {
        const struct spec_threshold *asked = &spec->thresholds[i];
        struct threshold threshold;
        judge->needs_visibility |= strcmp(asked->metric, "visibility") == 0;
        if (asked->gauge.name == NULL ||
            !threshold_parse(asked->metric, asked->expression, &threshold, NULL)) {
            continue;
        }
        if (threshold.aggregation == THRESHOLD_MED ||
            threshold.aggregation == THRESHOLD_PERCENTILE) {
            gauges_want(&judge->gauges, asked->gauge.name);
        }
        judge->needs_freshness |= strcmp(asked->gauge.name, FRESHNESS_GAUGE) == 0;
        judge->needs_elections |= elections_is_gauge(asked->gauge.name);
    }
    judge->needs_freshness |= judge->needs_visibility;
    judge->needs_history = judge->needs_history || judge->needs_freshness;
}

void judge_begin(struct judge *judge, const struct run_spec *spec, uint64_t seed)
{
    ASSERT(judge != NULL);
    ASSERT(spec != NULL);
    judge->seed = seed;
    judge->active_count = 0;
    memset(judge->seer_count, 0, sizeof(judge->seer_count));
    memset(judge->leaders, 0, sizeof(judge->leaders));
    judge->needs_view = false;
    judge->needs_history = false;
    judge->was_known = false;
    vec_clear(&judge->violations);
    vec_clear(&judge->probes);
    vec_clear(&judge->last_attempt);
    derive_nodes(judge, spec);
    judge->run.spec = spec;
    judge->run.nodes = judge->nodes;
    judge->run.node_count = spec->node_count;
    raft_view_begin(&judge->run.raft, judge->nodes, spec->node_count);
    kv_history_begin(&judge->run.history, spec);
    metrics_begin(&judge->metrics, spec);
    gauges_begin(&judge->gauges, judge->metrics.window_ns, spec->limit_ns);
    user_view_begin(&judge->users, spec, judge->metrics.window_ns);
    gray_begin(&judge->gray, &spec->availability.detector);
    begin_gauges(judge, spec);
    for (uint32_t i = 0; i < spec->check_count; i++) {
        const struct spec_check *check = &spec->checks[i];
        if (check->word == SPEC_ALWAYS) {
            const struct check_ops *ops = check_find(check->name);
            ASSERT(ops != NULL);
            activate(judge, ops);
        } else if (check->word == SPEC_SOMETIMES) {
            struct probe *probe = probe_named(judge, check->name);
            ASSERT(probe != NULL);
            probe->is_asked = true;
        }
    }
    begin_checks(judge);
    judge->is_running = true;
}

/* --------------------------------------------------------------------------------------- finish */

/* What the run's recovery time is measured by: the first `eventually`, without its limit. */
static struct recovery_question usual_question(const struct run_spec *spec)
{
    struct recovery_question question = {RATIO_USUAL_MILLIONTHS, INT64_MAX, 0};
    for (uint32_t i = spec->check_count; i > 0; i--) {
        if (spec->checks[i - 1].word == SPEC_EVENTUALLY) {
            question.ratio_millionths = spec->checks[i - 1].ratio_millionths;
            question.hold_ns = spec->checks[i - 1].hold_ns;
        }
    }
    return question;
}

static void violate_at_end(struct judge *judge, const char *check, sq_time time, const char *format,
                           ...) __attribute__((format(printf, 4, 5)));
static void violate_at_end(struct judge *judge, const char *check, sq_time time, const char *format,
                           ...)
{
    char message[RESULT_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    struct check_place place = {.time = time, .event = RESULT_EVENT_NONE, .node = SQ_NODE_NONE};
    add_violation(judge, check, NULL, &place, message);
}

/* "120.5/s" */
static const char *format_rate(int64_t per_1000s, char *out, size_t size)
{
    snprintf(out, size, "%" PRId64 ".%" PRId64 "/s", per_1000s / 1000, per_1000s % 1000 / 100);
    return out;
}

static void judge_recovery(struct judge *judge, const struct spec_check *asked,
                           const struct judge_end *end, struct result_check *row)
{
    struct recovery_question question = {asked->ratio_millionths, asked->within_ns, asked->hold_ns};
    struct recovery recovery = metrics_recovery(&judge->metrics, &question);
    char before[32];
    char best[32];
    char within[32];
    switch (recovery.state) {
    case RECOVERY_NO_FAULT:
        return;
    case RECOVERY_REACHED:
        row->comparisons = 1;
        return;
    case RECOVERY_UNDECIDED:
        row->is_unknown = true;
        return;
    case RECOVERY_NO_BASELINE:
        row->comparisons = 1;
        violate_at_end(
            judge, asked->name, end->sim_ns,
            "there was no goodput before the first fault that recovery could be measured against");
        return;
    case RECOVERY_MISSED:
        row->comparisons = 1;
        violate_at_end(judge, asked->name, recovery.ends_ns + asked->within_ns,
                       "goodput was %s before the first fault and at best %s within %s of the end "
                       "of the last one",
                       format_rate(recovery.baseline_per_1000s, before, sizeof(before)),
                       recovery.best_per_1000s < 0
                           ? "0/s"
                           : format_rate(recovery.best_per_1000s, best, sizeof(best)),
                       units_format_duration(asked->within_ns, within, sizeof(within)));
        return;
    }
    UNREACHABLE();
}

static bool has_limit(const struct judge_end *end)
{
    return end->limit != NULL && end->limit[0] != '\0';
}

static struct check *active_named(const struct judge *judge, const char *name)
{
    for (uint32_t i = 0; i < judge->active_count; i++) {
        if (strcmp(judge->active[i]->ops->name, name) == 0) {
            return judge->active[i];
        }
    }
    return NULL;
}

/* One row for each always and eventually check, in the order of the spec. */
static void finish_checks(struct judge *judge, const struct judge_end *end,
                          struct run_result *result)
{
    const struct run_spec *spec = judge->run.spec;
    for (uint32_t i = 0; i < judge->active_count; i++) {
        struct check *check = judge->active[i];
        if (check->ops->finish != NULL) {
            check->ops->finish(check);
        }
    }
    bool is_complete = !has_limit(end) && judge_first_violation(judge) == NULL;
    for (uint32_t i = 0; i < spec->check_count && i < RESULT_CHECKS_MAX / 2; i++) {
        const struct spec_check *asked = &spec->checks[i];
        if (asked->word == SPEC_SOMETIMES) {
            continue;
        }
        struct result_check *row = result_check_row(result, asked->name);
        if (asked->word == SPEC_EVENTUALLY) {
            judge_recovery(judge, asked, end, row);
            continue;
        }
        struct check *check = active_named(judge, asked->name);
        ASSERT(check != NULL);
        row->comparisons = check->comparisons;
        row->is_unknown = check->is_unknown;
        if (check->comparisons == 0 && !check->is_violated && !check->is_unknown && is_complete) {
            check->is_violated = true;
            violate_at_end(judge, asked->name, end->sim_ns,
                           "compared nothing: no event of this run put the check to the test");
        }
    }
}

static void finish_probes(struct judge *judge, struct run_result *result)
{
    vec_sort(&judge->probes, compare_probes);
    for (uint32_t i = 0; i < judge->probes.count; i++) {
        const struct probe *probe = vec_at(&judge->probes, i);
        struct result_probe *row = vec_push(&result->probes);
        memcpy(row->name, probe->name, sizeof(row->name));
        row->hits = probe->hits;
        row->is_asked = probe->is_asked;
    }
}

static void decide(const struct judge *judge, const struct judge_end *end,
                   struct run_result *result)
{
    const struct result_violation *first = judge_first_violation(judge);
    const char *undecided = NULL;
    for (uint32_t i = 0; i < result->checks.count && undecided == NULL; i++) {
        const struct result_check *row = vec_at(&result->checks, i);
        undecided = row->is_unknown ? row->name : NULL;
    }
    result->verdict = VERDICT_PASS;
    const char *reason = "";
    if (first != NULL) {
        result->verdict = VERDICT_FAIL;
        reason = first->check;
    } else if (has_limit(end)) {
        result->verdict = VERDICT_UNKNOWN;
        reason = end->limit;
    } else if (undecided != NULL) {
        result->verdict = VERDICT_UNKNOWN;
        reason = undecided;
    }
    result_copy_text(result->reason, sizeof(result->reason), reason);
}

static bool has_metric(const struct run_result *result, const char *name)
{
    for (uint32_t i = 0; i < result->metrics.count; i++) {
        const struct result_metric *metric = vec_at(&result->metrics, i);
        if (strcmp(metric->name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Once for each name, and nothing for a NaN. */
static void add_metric(struct run_result *result, const char *name, double value)
{
    if (isnan(value) || result->metrics.count == RESULT_METRICS_MAX || has_metric(result, name)) {
        return;
    }
    struct result_metric *metric = vec_push(&result->metrics);
    result_copy_text(metric->name, sizeof(metric->name), name);
    metric->value = value;
}

/* What the thresholds on gauges and counters will be judged by. */
static void finish_gauges(struct judge *judge, int64_t sim_ns, struct run_result *result)
{
    const struct run_spec *spec = judge->run.spec;
    gauges_finish(&judge->gauges);
    for (uint32_t i = 0; i < spec->threshold_count; i++) {
        const struct spec_threshold *asked = &spec->thresholds[i];
        struct threshold threshold;
        if (asked->gauge.name == NULL || asked->is_elsewhere) {
            continue;
        }
        bool is_sound = threshold_parse(asked->metric, asked->expression, &threshold, NULL);
        ASSERT(is_sound);
        struct gauges_question question = {
            &asked->gauge,         threshold.metric == THRESHOLD_COUNTER,
            threshold.aggregation, threshold.percentile_milli,
            judge->nodes,          sim_ns < spec->limit_ns ? sim_ns : spec->limit_ns};
        char name[RESULT_METRIC_SIZE];
        double value = 0;
        threshold_metric_name(&threshold, asked->text, name, sizeof(name));
        if (gauges_value(&judge->gauges, &question, &value)) {
            add_metric(result, name, value);
        }
    }
}

/* How much of the data was in the answers, by models that show it; how many answers there were. */
static void finish_harvest(const struct judge *judge, struct run_result *result)
{
    const struct run_spec *spec = judge->run.spec;
    const struct spec_gauge gauge = {
        .name = HARVEST_GAUGE, .from_ns = spec->warmup_ns, .until_ns = spec->limit_ns};
    const struct gauges_question question = {.gauge = &gauge,
                                             .aggregation = THRESHOLD_AVG,
                                             .nodes = judge->nodes,
                                             .end_ns = spec->limit_ns};
    double permille = 0;
    if (gauges_value(&judge->gauges, &question, &permille)) {
        add_metric(result, "harvest", permille / 1000);
    }
    const uint64_t offered = result->offered - judge->metrics.cut_off;
    if (offered > 0) {
        add_metric(result, "yield", (double)result->ok / (double)offered);
    }
}

static void add_mcr(const struct user_view *users, int64_t window_ns, struct run_result *result)
{
    char name[RESULT_METRIC_SIZE];
    const struct user_share worst = user_view_worst(users, window_ns);
    threshold_mcr_name(window_ns, name, sizeof(name));
    add_metric(result, name, user_share_value(&worst));
}

/* The run as its users saw it; windows of the usual lengths, and those that thresholds ask for. */
static void finish_users(struct judge *judge, int64_t sim_ns, struct run_result *result)
{
    struct user_view *users = &judge->users;
    const struct run_spec *spec = judge->run.spec;
    user_view_finish(users, sim_ns);
    const struct user_share total = user_view_total(users);
    if (total.whole == 0) {
        return;
    }
    add_metric(result, "user_uptime", user_share_value(&total));
    add_metric(result, "user_measured_s", (double)users->measured_ns / 1e9);
    for (uint32_t i = 0; i < spec->threshold_count; i++) {
        if (spec->thresholds[i].window_ns > 0) {
            add_mcr(users, spec->thresholds[i].window_ns, result);
        }
    }
    int64_t window_ns = 0;
    for (uint32_t i = 0; user_view_window(users, i, &window_ns); i++) {
        add_mcr(users, window_ns, result);
    }
}

static void finish_gray(const struct judge *judge, struct run_result *result)
{
    if (!judge->run.spec->availability.detector.is_asked) {
        return;
    }
    const struct gray_table table = gray_table(&judge->gray, &judge->metrics);
    const int64_t sum = table.up_up + table.up_down + table.down_up + table.down_down;
    if (sum > 0) {
        add_metric(result, "gray", (double)table.up_down / (double)sum);
        add_metric(result, "gray_up_up_s", (double)table.up_up / 1e9);
        add_metric(result, "gray_up_down_s", (double)table.up_down / 1e9);
        add_metric(result, "gray_down_up_s", (double)table.down_up / 1e9);
        add_metric(result, "gray_down_down_s", (double)table.down_down / 1e9);
    }
}

void judge_finish(struct judge *judge, const struct judge_end *end, struct run_result *result)
{
    ASSERT(judge->is_running);
    ASSERT(end != NULL);
    judge->is_running = false;
    result_clear(result);
    result->seed = judge->seed;
    result->digest = end->digest;
    result->events = end->events;
    result->sim_ns = end->sim_ns;
    result->cpu_ns = end->cpu_ns;
    result->is_cut = has_limit(end);
    metrics_finish(&judge->metrics, end->sim_ns, result);
    struct recovery_question question = usual_question(judge->run.spec);
    struct recovery recovery = metrics_recovery(&judge->metrics, &question);
    result->baseline_per_1000s = recovery.baseline_per_1000s;
    result->recovery_ns = RESULT_RECOVERY_NEVER;
    if (recovery.state == RECOVERY_NO_FAULT) {
        result->recovery_ns = RESULT_RECOVERY_NO_FAULT;
    } else if (recovery.state == RECOVERY_REACHED) {
        result->recovery_ns = recovery.after_ns;
    }
    finish_checks(judge, end, result);
    for (uint32_t i = 0; i < judge->violations.count; i++) {
        vec_append(&result->violations, vec_at(&judge->violations, i));
    }
    result_mark_violated(result);
    finish_probes(judge, result);
    finish_gauges(judge, end->sim_ns, result);
    visibility_finish(&judge->visibility, end->sim_ns);
    histogram_merge(&result->visibility, &judge->visibility.too_early);
    finish_users(judge, end->sim_ns, result);
    finish_harvest(judge, result);
    finish_gray(judge, result);
    decide(judge, end, result);
    bool is_wanted = judge->keep == JUDGE_WINDOWS_ALL ||
                     (judge->keep == JUDGE_WINDOWS_FAILING && result->verdict != VERDICT_PASS);
    if (is_wanted) {
        metrics_windows(&judge->metrics, &result->windows);
        gauges_export(&judge->gauges, judge->nodes, result);
    }
}
