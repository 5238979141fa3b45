/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Faults. A table says which actions a kind has and which keys an action needs or may have; what
 * belongs to another action is an error, because a fault that silently does less than its text says
 * would make a scenario pass for the wrong reason.
 *
 * When: `at` once; `every` again and again, inside `between` if there is one; `between` alone lasts
 * the whole span. */
#include "sim/input/build.h"

#include "sim/base/base.h"
#include "sim/base/units.h"

#include <inttypes.h>
#include <string.h>

struct action_row {
    enum spec_fault_kind kind;
    enum spec_fault_action action;
    const char *name;
    const char *needed; /* keys, each between blanks */
    const char *allowed;
};

#define RATIO_ONE 1000000

#define SIDES " target direction clients "

static const struct action_row action_rows[] = {
    {SPEC_NODE_CHAOS, SPEC_ACTION_KILL, "kill", "", ""},
    {SPEC_NODE_CHAOS, SPEC_ACTION_PAUSE, "pause", "", ""},
    {SPEC_NODE_CHAOS, SPEC_ACTION_RESTART, "restart", "", ""},
    {SPEC_NODE_CHAOS, SPEC_ACTION_POWER_LOSS, "power-loss", "", ""},
    {SPEC_NODE_CHAOS, SPEC_ACTION_WIPE, "wipe", "", ""},
    {SPEC_NETWORK_CHAOS, SPEC_ACTION_PARTITION, "partition", "", SIDES},
    {SPEC_NETWORK_CHAOS, SPEC_ACTION_DELAY, "delay", " delay ", SIDES " delay "},
    {SPEC_NETWORK_CHAOS, SPEC_ACTION_LOSS, "loss", " loss ", SIDES " loss "},
    {SPEC_NETWORK_CHAOS, SPEC_ACTION_DUPLICATE, "duplicate", " duplicate ", SIDES " duplicate "},
    {SPEC_NETWORK_CHAOS, SPEC_ACTION_BANDWIDTH, "bandwidth", " bandwidth ", SIDES " bandwidth "},
    {SPEC_IO_CHAOS, SPEC_ACTION_IO_LATENCY, "latency", " delay ", " delay methods path percent "},
    {SPEC_IO_CHAOS, SPEC_ACTION_IO_FAULT, "fault", "", " errno methods path percent "},
    {SPEC_IO_CHAOS, SPEC_ACTION_LOST_FSYNC, "lostFsync", "", " path percent "},
    {SPEC_IO_CHAOS, SPEC_ACTION_BIT_ROT, "bitRot", "", " path percent "},
    {SPEC_TIME_CHAOS, SPEC_ACTION_CLOCK, "clock", "", " timeOffset drift "},
    {SPEC_STRESS_CHAOS, SPEC_ACTION_CPU, "cpu", " slowdown ", " slowdown "},
    {SPEC_STRESS_CHAOS, SPEC_ACTION_CAPACITY, "capacity", " factor ", " factor "},
    {SPEC_APP_CHAOS, SPEC_ACTION_SIGNAL, "signal", " signal ", " signal endValue count "},
    {SPEC_LOAD_CHAOS, SPEC_ACTION_SCALE, "scale", " factor ", " factor loads "},
    {SPEC_CLIENT_CHAOS, SPEC_ACTION_POLICY, "policy", " client ", " client loads groups "},
};

static const char *const kind_names[] = {"NodeChaos",   "NetworkChaos", "IOChaos",   "TimeChaos",
                                         "StressChaos", "AppChaos",     "LoadChaos", "ClientChaos"};

/* "a, b or c": the actions of a kind. */
static const char *list_actions(struct build *build, enum spec_fault_kind kind)
{
    const char *names[ARRAY_COUNT(action_rows)];
    uint32_t count = 0;
    for (uint32_t index = 0; index < ARRAY_COUNT(action_rows); index++) {
        if (action_rows[index].kind == kind) {
            names[count++] = action_rows[index].name;
        }
    }
    const char *list = names[0];
    for (uint32_t index = 1; index < count; index++) {
        list = arena_printf(build->arena, "%s%s%s", list, index + 1 == count ? " or " : ", ",
                            names[index]);
    }
    return list;
}

/* The row of a fault's kind and action; NULL after a complaint. */
static const struct action_row *find_action(struct build *build, struct view view)
{
    if (!view_has(view, "kind")) {
        return NULL;
    }
    enum spec_fault_kind kind = (enum spec_fault_kind)view_number(view, "kind", 0);
    ASSERT((size_t)kind < ARRAY_COUNT(kind_names));
    const char *action = view_text(view, "action");
    for (uint32_t index = 0; index < ARRAY_COUNT(action_rows); index++) {
        const struct action_row *row = &action_rows[index];
        bool has_usual =
            kind != SPEC_NODE_CHAOS && kind != SPEC_NETWORK_CHAOS && kind != SPEC_IO_CHAOS;
        bool is_meant = action == NULL ? has_usual : strcmp(action, row->name) == 0;
        if (row->kind == kind && is_meant) {
            return row;
        }
    }
    if (action == NULL) {
        build_complain(build, view, NULL, "'action' is missing: %s has %s", kind_names[kind],
                       list_actions(build, kind));
    } else {
        build_complain(build, view, "action", "%s has no action '%s': write %s", kind_names[kind],
                       action, list_actions(build, kind));
    }
    return NULL;
}

static bool has_word(const char *list, const char *word)
{
    char spaced[32];
    snprintf(spaced, sizeof(spaced), " %s ", word);
    return strstr(list, spaced) != NULL;
}

static void check_action_keys(struct build *build, struct view view, const struct action_row *row)
{
    static const char *const keys[] = {
        "target",  "direction", "clients", "delay",   "loss",       "duplicate", "bandwidth",
        "methods", "path",      "errno",   "percent", "timeOffset", "drift",     "slowdown",
        "signal",  "endValue",  "count",   "factor",  "loads",      "groups",    "client"};
    for (uint32_t index = 0; index < ARRAY_COUNT(keys); index++) {
        bool is_there = view_has(view, keys[index]);
        if (is_there && !has_word(row->allowed, keys[index])) {
            build_complain(build, view, keys[index], "'%s' does not belong to the action '%s'",
                           keys[index], row->name);
        }
        if (!is_there && has_word(row->needed, keys[index])) {
            build_complain(build, view, NULL, "the action '%s' needs '%s'", row->name, keys[index]);
        }
    }
    if (row->action == SPEC_ACTION_CLOCK && !view_has(view, "timeOffset") &&
        !view_has(view, "drift")) {
        build_complain(build, view, NULL, "the action 'clock' needs 'timeOffset' or 'drift'");
    }
}

/* `key` holds the mode's number: "value", or "count" where that means something else. */
static void read_mode(struct build *build, struct view view, const char *key,
                      struct spec_fault *fault)
{
    fault->mode = (enum spec_mode)view_number(view, "mode", SPEC_MODE_ONE);
    const char *value = view_text(view, key);
    bool is_number = fault->mode == SPEC_MODE_FIXED;
    bool is_percent =
        fault->mode == SPEC_MODE_FIXED_PERCENT || fault->mode == SPEC_MODE_RANDOM_MAX_PERCENT;
    const char *mode = view_text(view, "mode");
    if (!is_number && !is_percent) {
        if (value != NULL) {
            build_complain(build, view, key, "the mode '%s' has no %s", mode, key);
        }
        return;
    }
    const char *example = is_number ? "2" : "20%";
    if (value == NULL) {
        build_complain(build, view, "mode", "the mode '%s' needs a %s: write '%s: %s'", mode, key,
                       key, example);
        return;
    }
    uint64_t number = 0;
    int64_t millionths = 0;
    if (is_number && units_u64(value, &number, NULL) && number >= 1 && number <= 64) {
        fault->mode_value = (uint32_t)number;
    } else if (is_percent && units_ratio(value, &millionths, NULL) && millionths % 10000 == 0 &&
               millionths >= 10000 && millionths <= 1000000) {
        fault->mode_value = (uint32_t)(millionths / 10000);
    } else {
        build_complain(build, view, key, "the mode '%s' needs %s, such as %s", mode,
                       is_number ? "a number from 1 to 64" : "a whole percentage from 1% to 100%",
                       example);
    }
}

/* Nodes at a time: a number, or a percentage. */
static void read_batch(struct build *build, struct view view, struct spec_fault *fault)
{
    const char *text = view_text(view, "batch");
    uint64_t number = 0;
    int64_t millionths = 0;
    fault->batch = 1;
    if (text == NULL) {
        return;
    }
    if (units_u64(text, &number, NULL) && number >= 1 && number <= 64) {
        fault->batch = (uint32_t)number;
    } else if (units_ratio(text, &millionths, NULL) && millionths % 10000 == 0 &&
               millionths >= 10000 && millionths <= 1000000) {
        fault->batch = (uint32_t)(millionths / 10000);
        fault->is_batch_percent = true;
    } else {
        build_complain(build, view, "batch",
                       "a batch is 1 to 64 nodes, or a whole percentage from 1%% to 100%%");
    }
}

static void read_rolling(struct build *build, struct view view, struct spec_fault *fault)
{
    static const char *const keys[] = {"interval", "batch"};
    bool is_rolling = fault->mode == SPEC_MODE_ROLLING;
    for (uint32_t index = 0; index < ARRAY_COUNT(keys) && !is_rolling; index++) {
        if (view_has(view, keys[index])) {
            build_complain(build, view, keys[index], "'%s' goes with 'mode: rolling'", keys[index]);
        }
    }
    if (!is_rolling) {
        return;
    }
    read_batch(build, view, fault);
    fault->interval_ns = view_number(view, "interval", 0);
    if (fault->kind != SPEC_NODE_CHAOS && fault->kind != SPEC_APP_CHAOS) {
        build_complain(build, view, "mode", "the mode 'rolling' is for NodeChaos and AppChaos");
    } else if (!view_has(view, "interval")) {
        build_complain(build, view, "mode",
                       "the mode 'rolling' needs the time between batches: write 'interval: 5s'");
    } else if (fault->has_no_end) {
        build_complain(build, view, "duration", "the first batch would never end");
    } else if (view_has(view, "between") && !view_has(view, "every")) {
        build_complain(build, view, "between",
                       "the mode 'rolling' lasts as long as it takes: write 'at' or 'every', and "
                       "for a batch a 'duration'");
    }
}

/* from_ns and until_ns; false after a complaint. */
static bool read_between(struct build *build, struct view view, struct spec_fault *fault)
{
    fault->until_ns = build->spec->limit_ns;
    if (!view_has(view, "between")) {
        return true;
    }
    if (view_count(view, "between") != 2) {
        build_complain(build, view, "between",
                       "write the beginning and the end: 'between: [40s, 60s]'");
        return false;
    }
    fault->from_ns = view_item_number(view, "between", 0);
    fault->until_ns = view_item_number(view, "between", 1);
    if (fault->from_ns >= fault->until_ns) {
        build_complain(build, view, "between", "the end must come after the beginning");
        return false;
    }
    if (fault->from_ns >= build->spec->limit_ns) {
        build_complain(build, view, "between", "the fault begins after the end of the run");
        return false;
    }
    return true;
}

/* Once, at a time, or for the whole span between two. */
static void read_once(struct build *build, struct view view, struct spec_fault *fault)
{
    bool has_duration = view_has(view, "duration");
    fault->has_at = true;
    if (view_has(view, "at")) {
        fault->at_ns = view_number(view, "at", 0);
        if (view_has(view, "between")) {
            build_complain(build, view, "between", "'between' goes with 'every', not with 'at'");
        }
        if (fault->at_ns >= build->spec->limit_ns) {
            build_complain(build, view, "at", "the fault strikes after the end of the run");
        }
    } else if (view_has(view, "between")) {
        fault->at_ns = fault->from_ns;
        fault->duration =
            (struct dist){.kind = DIST_CONSTANT, .a = fault->until_ns - fault->from_ns};
        if (has_duration) {
            build_complain(build, view, "duration",
                           "'between' without 'every' lasts its whole span: remove 'duration', "
                           "or write 'at'");
        }
    } else {
        build_complain(build, view, NULL,
                       "when? write 'at: 30s', 'every: {mean: 30s}' or 'between: [40s, 60s]'");
    }
}

static void read_when(struct build *build, struct view view, const struct action_row *row,
                      struct spec_fault *fault)
{
    const struct yaml_node *duration = view_node(view, "duration");
    bool is_span = view_has(view, "between") && !view_has(view, "every");
    fault->has_no_end = duration != NULL && duration->kind == YAML_SCALAR &&
                        view_number(view, "duration", 0) == SCHEMA_WORD;
    if (!fault->has_no_end) {
        build_law(build, view, "duration", 0, &fault->duration);
    }
    bool is_instant = row != NULL && row->action == SPEC_ACTION_RESTART;
    bool may_last = row == NULL || row->action != SPEC_ACTION_SIGNAL;
    if (is_instant && (duration != NULL || is_span)) {
        build_complain(build, view, duration != NULL ? "duration" : "between",
                       "the action 'restart' takes no time: use 'kill' with a duration");
    } else if (!is_instant && may_last && duration == NULL && !is_span) {
        build_complain(build, view, NULL,
                       "how long? write for example 'duration: 10s', or 'duration: forever'");
    }
    if (!read_between(build, view, fault)) {
        return;
    }
    if (!view_has(view, "every")) {
        read_once(build, view, fault);
        return;
    }
    bool has_law = build_law(build, view, "every", 0, &fault->every);
    if (view_has(view, "at")) {
        build_complain(build, view, "at", "write 'at' or 'every', not both");
    }
    if (has_law && fault->every.kind == DIST_CONSTANT && fault->every.a == 0) {
        build_complain(build, view, "every", "the pause between strikes must be longer than 0");
    }
}

static void check_sides(struct build *build, struct view view, const struct spec_fault *fault)
{
    uint32_t nodes = build->spec->node_count;
    uint64_t all = nodes >= 64 ? UINT64_MAX : (UINT64_C(1) << nodes) - 1;
    bool is_everybody = fault->mode == SPEC_MODE_ALL && (fault->selector.nodes & all) == all &&
                        fault->selector.role == SQ_ROLE_NONE;
    if (fault->action == SPEC_ACTION_PARTITION && is_everybody && !fault->has_target &&
        !fault->targets_clients) {
        build_complain(build, view, "mode",
                       "a partition of all nodes cuts nobody off: select some of them, or write a "
                       "'target'");
    }
}

static void read_network(struct build *build, struct view view, struct spec_fault *fault)
{
    fault->has_target = view_has(view, "target");
    if (fault->has_target) {
        build_selector(build, view_at(view, "target"), &fault->target);
    }
    fault->targets_clients = view_number(view, "clients", 0) == 1;
    fault->direction = (enum spec_direction)view_number(view, "direction", SPEC_DIRECTION_BOTH);
    fault->bandwidth = view_number(view_at(view, "bandwidth"), "rate", 0);
    if (fault->action == SPEC_ACTION_LOSS) {
        fault->probability = (uint64_t)view_number(view_at(view, "loss"), "loss", 0);
    } else if (fault->action == SPEC_ACTION_DUPLICATE) {
        fault->probability = (uint64_t)view_number(view_at(view, "duplicate"), "duplicate", 0);
    }
    check_sides(build, view, fault);
}

static void read_disk(struct view view, struct spec_fault *fault)
{
    static const uint32_t methods[] = {SPEC_IO_READ, SPEC_IO_WRITE, SPEC_IO_SYNC, SPEC_IO_OPEN,
                                       SPEC_IO_DIRECTORY};
    fault->probability = (uint64_t)view_number(view, "percent", (int64_t)RNG_ALWAYS);
    fault->error = view_number(view, "errno", 0) == 0 ? SQ_E_IO : SQ_E_NOSPC;
    fault->methods = SPEC_IO_READ | SPEC_IO_WRITE | SPEC_IO_SYNC;
    if (fault->action == SPEC_ACTION_LOST_FSYNC) {
        fault->methods = SPEC_IO_SYNC | SPEC_IO_DIRECTORY; /* a sync of the directory is one */
    } else if (fault->action == SPEC_ACTION_BIT_ROT) {
        fault->methods = SPEC_IO_READ;
    } else if (view_has(view, "methods")) {
        fault->methods = 0;
        for (uint32_t index = 0; index < view_count(view, "methods"); index++) {
            int64_t method = view_item_number(view, "methods", index);
            ASSERT(method < (int64_t)ARRAY_COUNT(methods));
            fault->methods |= methods[method];
        }
    }
    if (view_has(view, "path")) {
        fault->path = view_text(view, "path");
    }
}

/* What is told, to models that all listen. */
static void read_signal(struct build *build, struct view view, struct spec_fault *fault)
{
    const struct run_spec *spec = build->spec;
    fault->signal = view_text(view, "signal");
    const char *value = view_text(view, "value");
    uint64_t number = 0;
    if (value != NULL && !(units_u64(value, &number, NULL) && number < INT64_MAX)) {
        build_complain(build, view, "value",
                       "the value of a signal is a whole number, such as 1000");
    }
    fault->signal_value = (int64_t)number;
    fault->has_end_value = view_has(view, "endValue");
    fault->signal_end_value = view_number(view, "endValue", 0);
    bool is_span = view_has(view, "between") && !view_has(view, "every");
    if (fault->has_end_value && !view_has(view, "duration") && !is_span) {
        build_complain(build, view, "endValue", "'endValue' is sent when the 'duration' is over");
    }
    for (uint32_t i = 0; i < spec->group_count; i++) {
        const struct spec_group *group = &spec->groups[i];
        for (sq_node node = group->first;
             node < group->first + group->count && node < BUILD_NODES_MAX; node++) {
            bool is_selected = (fault->selector.nodes & (UINT64_C(1) << node)) != 0;
            if (is_selected && group->model != NULL && group->model->signal == NULL) {
                build_complain(build, view, "signal", "the model '%s' takes no signals%s",
                               group->model_name,
                               spec->group_count > 1 ? ": select a group that does" : "");
                break;
            }
        }
    }
}

static void read_delay(struct build *build, struct view view, struct spec_fault *fault)
{
    struct view delay = view_at(view, "delay");
    if (delay.node == NULL) {
        return;
    }
    if (delay.node->kind == YAML_SCALAR) {
        fault->delay = (struct dist){.kind = DIST_CONSTANT, .a = view_number(delay, "latency", 0)};
        return;
    }
    build_delay(build, delay, &fault->delay);
}

static void read_others(struct build *build, struct view view, struct spec_fault *fault)
{
    fault->factor = (uint32_t)view_number(view, "factor", RATIO_ONE);
    if (fault->action == SPEC_ACTION_SIGNAL) {
        read_signal(build, view, fault);
    } else if (fault->action == SPEC_ACTION_SCALE) {
        build_scale(build, view, fault);
    } else if (fault->action == SPEC_ACTION_POLICY) {
        build_policy(build, view, fault);
    } else if (fault->action == SPEC_ACTION_CAPACITY && fault->factor > RATIO_ONE) {
        build_complain(build, view, "factor", "a fault leaves at most 100%% of the capacity");
    }
}

static void build_fault(struct build *build, struct view view, struct spec_fault *fault)
{
    const char *name = view_text(view, "name");
    const struct action_row *row = find_action(build, view);
    *fault = (struct spec_fault){
        .name = name != NULL ? name : "",
        .kind = (enum spec_fault_kind)view_number(view, "kind", 0),
        .action = row != NULL ? row->action : SPEC_ACTION_KILL,
        .path = "*",
        .clock_offset_ns = view_number(view, "timeOffset", 0),
        .clock_drift_ppm = view_number(view, "drift", 0),
        .slowdown_milli = (uint32_t)view_number(view, "slowdown", 1000),
        .is_swarm = view_number(view, "swarm", build->spec->is_swarm ? 1 : 0) == 1,
        .place = view.node->place,
    };
    if (row != NULL) {
        check_action_keys(build, view, row);
    }
    bool has_value = row != NULL && row->kind == SPEC_APP_CHAOS;
    read_mode(build, view, has_value ? "count" : "value", fault);
    build_selector(build, view_at(view, "selector"), &fault->selector);
    read_when(build, view, row, fault);
    read_rolling(build, view, fault);
    if (row != NULL && row->kind == SPEC_NETWORK_CHAOS) {
        read_network(build, view, fault);
    } else if (row != NULL && row->kind == SPEC_IO_CHAOS) {
        read_disk(view, fault);
    } else if (row != NULL) {
        read_others(build, view, fault);
    }
    read_delay(build, view, fault);
}

void build_faults(struct build *build)
{
    struct run_spec *spec = build->spec;
    uint32_t count = view_count(build->root, "faults");
    spec->faults = arena_alloc_array(build->arena, count + 1, sizeof(*spec->faults));
    spec->fault_count = count;
    const char **names = arena_alloc_array(build->arena, count + 1, sizeof(*names));
    for (uint32_t index = 0; index < count; index++) {
        build_fault(build, view_item(build->root, "faults", index), &spec->faults[index]);
        names[index] = spec->faults[index].name;
    }
    build_check_unique(build, build->root, "faults", names, count);
}
