/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A scenario as theory sees it: one server, one kind of client, one trigger. Everything else the
 * scenario has is named as a limit of the prediction and not looked at. */
#include "sim/cli/predict.h"

#include "sim/base/base.h"

#include <string.h>

#define PER_1000S 1000.0
#define NS_IN_A_S 1e9
#define MILLI     1000.0

/* The value of an option of the group's model; NULL when it has none of that name. */
static const struct sq_value *option_of(const struct spec_group *group, const char *name)
{
    for (uint32_t i = 0; i < group->model->option_count; i++) {
        if (strcmp(group->model->options[i].name, name) == 0) {
            return &group->options[i];
        }
    }
    return NULL;
}

static bool is_choice(const struct spec_group *group, const char *name, const char *choice)
{
    const struct sq_value *value = option_of(group, name);
    return value == NULL || value->text == NULL || strcmp(value->text, choice) == 0;
}

static void note_extras(const struct spec_group *group, struct text *notes)
{
    static const char *const extras[] = {"loadFactor", "errorCost", "gcHeap", "holdTime",
                                         "pushback"};
    for (uint32_t i = 0; i < ARRAY_COUNT(extras); i++) {
        const struct sq_value *value = option_of(group, extras[i]);
        if (value != NULL && value->number != 0) {
            text_printf(notes, "  - the server's %s is not considered\n", extras[i]);
        }
    }
    if (!is_choice(group, "target", "")) {
        text_add(notes, "  - the group that the server itself calls is not considered\n");
    }
}

static void read_server(const struct spec_group *group, struct predict_system *system,
                        struct text *notes)
{
    const struct sq_value *time = option_of(group, "serviceTime");
    const struct sq_value *servers = option_of(group, "servers");
    const struct sq_value *limit = option_of(group, "queueLimit");
    if (time == NULL) {
        text_printf(notes,
                    "  - model %s states no service time: the capacity must come from --capacity\n",
                    group->model_name);
        return;
    }
    system->servers = servers == NULL || servers->number < 1 ? 1 : (uint32_t)servers->number;
    double per_request_s = (double)(time->number + group->host.per_message_ns);
    system->capacity_per_s = per_request_s > 0 ? system->servers * NS_IN_A_S / per_request_s : 0;
    system->queue_limit = limit == NULL ? 0 : (double)limit->number;
    if (is_choice(group, "serviceLaw", "deterministic")) {
        system->service = PREDICT_CONSTANT;
    } else if (!is_choice(group, "serviceLaw", "exponential")) {
        text_add(notes, "  - service times are taken to be exponential\n");
    }
    if (group->count > 1) {
        text_add(notes, "  - one node of the group is taken for all: no balancing is considered\n");
    }
    if (!is_choice(group, "discipline", "fifo")) {
        text_add(notes, "  - requests are taken to be served in order of arrival (fifo)\n");
    }
    if (!is_choice(group, "cancellation", "none")) {
        text_add(notes, "  - the server is taken not to cancel what clients gave up\n");
    }
    if (!is_choice(group, "limiter", "none")) {
        text_add(notes, "  - the concurrency limiter is not considered\n");
    }
    note_extras(group, notes);
    if (system->queue_limit > 0 && !is_choice(group, "onFull", "drop")) {
        text_add(notes, "  - a full queue is taken to lose requests in silence, not to answer\n");
    }
}

static void read_client(const struct spec_client *client, struct predict_request *request,
                        struct text *notes)
{
    struct predict_system *system = &request->system;
    system->timeout_s = (double)client->timeout_ns / NS_IN_A_S;
    system->retries = client->attempts_max == 0 ? 0 : client->attempts_max - 1;
    if (system->retries > PREDICT_RETRIES_MAX) {
        text_printf(notes, "  - retries are counted up to %d\n", PREDICT_RETRIES_MAX);
        system->retries = PREDICT_RETRIES_MAX;
    }
    if (client->deadline_ns < INT64_MAX && client->timeout_ns > 0) {
        int64_t sends = (client->deadline_ns - 1) / client->timeout_ns + 1;
        if (sends - 1 < system->retries) {
            system->retries = (uint32_t)(sends - 1);
            text_printf(notes, "  - the deadline leaves time for %u retries\n", system->retries);
        }
    }
    if ((client->retry_on & (UINT64_C(1) << SQ_E_TIMEOUT)) == 0) {
        system->retries = 0;
    }
    if (client->backoff != SPEC_BACKOFF_NONE) {
        system->retry_delay_s = (double)client->backoff_initial_ns / NS_IN_A_S;
        if (client->backoff != SPEC_BACKOFF_FIXED || client->jitter != SPEC_JITTER_NONE) {
            text_add(notes, "  - every retry is taken to wait for the initial back-off\n");
        }
    }
    if (system->retries > 0 && !client->ignores_late) {
        text_add(notes, "  - late answers are taken to be ignored (client.lateAnswers)\n");
    }
    uint32_t cost = client->budget_timeout_cost;
    if (client->budget == SPEC_BUDGET_TOKENS && cost > 0) {
        system->budget = client->budget_success_milli / MILLI / cost;
        request->budget_burst = (double)client->budget_capacity / cost;
        text_add(notes, "  - the budget is taken to grow with calls, not with successes\n");
    }
    bool is_other = client->budget == SPEC_BUDGET_GRPC || client->budget == SPEC_BUDGET_CONCURRENCY;
    if (is_other || client->hedging.is_enabled || client->breaker.is_enabled ||
        client->pacing.is_enabled || client->limits.retries > 0 || client->concurrency_max > 0) {
        text_add(notes, "  - of the client's policy only time-out, retries, back-off and a bucket "
                        "of tokens are considered\n");
    }
}

static void read_trigger(const struct run_spec *spec, double load_per_s,
                         struct predict_request *request, struct text *notes)
{
    struct fluid_trigger *trigger = &request->trigger;
    for (uint32_t i = 0; i < spec->fault_count; i++) {
        const struct spec_fault *fault = &spec->faults[i];
        bool is_pause = fault->action == SPEC_ACTION_PAUSE;
        if (fault->action == SPEC_ACTION_CAPACITY || fault->action == SPEC_ACTION_SCALE) {
            const double factor = (double)fault->factor / 1e6;
            const bool is_load = fault->action == SPEC_ACTION_SCALE;
            *trigger = (struct fluid_trigger){is_load ? 1 : factor, is_load ? factor : 1,
                                              (double)dist_mean(&fault->duration) / NS_IN_A_S};
            return;
        }
        if (is_pause || (fault->action == SPEC_ACTION_CPU && fault->slowdown_milli > 0)) {
            *trigger =
                (struct fluid_trigger){0, 1, (double)dist_mean(&fault->duration) / NS_IN_A_S};
            trigger->capacity_factor = is_pause ? 0 : MILLI / fault->slowdown_milli;
            return;
        }
    }
    for (uint32_t i = 0; i < spec->load_count; i++) {
        const struct spec_load *load = &spec->loads[i];
        if (load->is_trigger && load->duration_ns < INT64_MAX && load_per_s > 0) {
            double extra = (double)load->rate_per_1000s / PER_1000S;
            *trigger = (struct fluid_trigger){1, 1 + extra / load_per_s,
                                              (double)load->duration_ns / NS_IN_A_S};
            return;
        }
    }
    if (spec->fault_count > 0) {
        text_add(notes, "  - the scenario's faults are not of a kind the fluid knows\n");
    }
}

bool predict_from_spec(const struct run_spec *spec, struct predict_request *request,
                       struct text *notes, struct err *err)
{
    const struct spec_load *load = NULL;
    for (uint32_t i = 0; i < spec->load_count && load == NULL; i++) {
        load = spec->loads[i].is_trigger ? NULL : &spec->loads[i];
    }
    if (load == NULL) {
        return err_set(err, ERR_INPUT, "the scenario has no load but triggers");
    }
    ASSERT(load->client.target_group < spec->group_count);
    if (load->rate_per_1000s > 0) {
        request->load_per_s = (double)load->rate_per_1000s / PER_1000S;
    }
    if (load->stage_count > 0) {
        text_printf(notes, "  - the load '%s' changes; its first rate is taken\n", load->name);
    }
    if (load->rate_per_1000s == 0) {
        text_printf(notes, "  - the load '%s' has no rate of its own: give --load\n", load->name);
    }
    read_server(&spec->groups[load->client.target_group], &request->system, notes);
    read_client(&load->client, request, notes);
    read_trigger(spec, request->load_per_s, request, notes);
    return true;
}
