/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * squall predict: what theory says of a server, its clients' retries and a trigger, before anything is
 * simulated. The models are in analysis/predict_*; here only the command line is read. */
#include "sim/cli/cli.h"

#include "analysis/predict_text.h"
#include "sim/base/base.h"
#include "sim/base/units.h"

#include <argp.h>
#include <string.h>

static const char doc[] =
    "Predicts from theory whether a server comes back by itself: hidden capacity, saddle-node, fixed\n"
    "points, the shortest trigger that sticks, recovery time, and how long chance alone needs.\v"
    "The capacity is that of all servers together. Without --load: a table over all loads. The chain\n"
    "of queue and orbit is solved when the capacity times the time-out is below about fifty.\n\n"
    "Examples:\n"
    "  squall predict --capacity 300/s --servers 30 --timeout 1s --retries 1\n"
    "  squall predict --capacity 300/s --timeout 1s --retries 1 --load 280/s --duration 10s\n"
    "  squall predict --capacity 300/s --timeout 1s --retries 3 --budget 10% --load 280/s\n"
    "  squall predict --capacity 1000/s --servers 2 --timeout 3s --retries 4 --load 380/s \\\n"
    "                 --trigger capacity --factor 20% --duration 10s\n"
    "  squall predict --capacity 10/s --timeout 4s --retries 3 --load 8/s --queue 100\n\n"
    "Exit status 0: the prediction was printed; 2: the command line is wrong.";

enum {
    KEY_CAPACITY = 256,
    KEY_SERVERS,
    KEY_SERVICE,
    KEY_TIMEOUT,
    KEY_RETRIES,
    KEY_DELAY,
    KEY_BUDGET,
    KEY_BURST,
    KEY_LOAD,
    KEY_QUEUE,
    KEY_TRIGGER,
    KEY_FACTOR,
    KEY_DURATION,
};

static const struct argp_option options[] = {
    {"capacity", KEY_CAPACITY, "RATE", 0, "requests served by all servers together, such as 300/s", 0},
    {"servers", KEY_SERVERS, "N", 0, "servers that share one queue (default 1)", 0},
    {"service", KEY_SERVICE, "LAW", 0, "law of the service time: exponential (default) or constant", 0},
    {"queue", KEY_QUEUE, "N", 0, "requests waiting and in service; the rest is lost (default no limit)", 0},
    {"timeout", KEY_TIMEOUT, "TIME", 0, "time-out of one attempt", 0},
    {"retries", KEY_RETRIES, "N", 0, "after the first attempt (default 0)", 0},
    {"retry-delay", KEY_DELAY, "TIME", 0, "between a time-out and the next attempt (default 0)", 0},
    {"budget", KEY_BUDGET, "SHARE", 0, "retries for each fresh call, such as 10% (default no budget)", 0},
    {"burst", KEY_BURST, "N", 0, "retries saved up in the budget at first, and at most (default 0)", 0},
    {"load", KEY_LOAD, "RATE", 0, "fresh calls", 0},
    {"trigger", KEY_TRIGGER, "KIND", 0, "freeze (default), capacity or load", 0},
    {"factor", KEY_FACTOR, "SHARE", 0, "of the capacity or the load during the trigger, such as 20%", 0},
    {"duration", KEY_DURATION, "TIME", 0, "of the trigger (default: only the tipping duration)", 0},
    {0},
};

enum trigger_kind { TRIGGER_FREEZE, TRIGGER_CAPACITY, TRIGGER_LOAD };

struct arguments {
    struct predict_request request;
    enum trigger_kind kind;
    double factor;
    bool has_factor;
};

static bool read_rate(const char *text, double *per_s, struct err *err)
{
    int64_t per_1000s = 0;
    if (!units_rate(text, &per_1000s, err)) {
        return false;
    }
    if (per_1000s <= 0) {
        return err_set(err, ERR_INPUT, "'%s' must be above 0", text);
    }
    *per_s = (double)per_1000s / 1000;
    return true;
}

static bool read_time(const char *text, double *seconds, struct err *err)
{
    int64_t ns = 0;
    if (!units_duration(text, &ns, err)) {
        return false;
    }
    if (ns < 0) {
        return err_set(err, ERR_INPUT, "'%s' must not be negative", text);
    }
    *seconds = (double)ns / 1e9;
    return true;
}

static bool read_share(const char *text, double *share, struct err *err)
{
    int64_t millionths = 0;
    if (!units_ratio(text, &millionths, err)) {
        return false;
    }
    *share = (double)millionths / 1e6;
    return true;
}

static bool read_count(const char *text, uint64_t low, uint64_t high, uint64_t *count,
                       struct err *err)
{
    if (!units_u64(text, count, err)) {
        return false;
    }
    if (*count < low || *count > high) {
        return err_set(err, ERR_INPUT, "'%s' is not between %llu and %llu", text,
                       (unsigned long long)low, (unsigned long long)high);
    }
    return true;
}

static bool read_kind(const char *text, enum trigger_kind *kind, struct err *err)
{
    static const char *const names[] = {"freeze", "capacity", "load"};
    for (uint32_t i = 0; i < ARRAY_COUNT(names); i++) {
        if (strcmp(text, names[i]) == 0) {
            *kind = (enum trigger_kind)i;
            return true;
        }
    }
    return err_set(err, ERR_INPUT, "'%s' is none of freeze, capacity, load", text);
}

static bool read_service(const char *text, enum predict_service *service, struct err *err)
{
    bool is_constant = strcmp(text, "constant") == 0;
    if (!is_constant && strcmp(text, "exponential") != 0) {
        return err_set(err, ERR_INPUT, "'%s' is none of exponential, constant", text);
    }
    *service = is_constant ? PREDICT_CONSTANT : PREDICT_EXPONENTIAL;
    return true;
}

static bool read_option(int key, const char *text, struct arguments *arguments, struct err *err)
{
    struct predict_request *request = &arguments->request;
    struct predict_system *system = &request->system;
    uint64_t count = 0;
    bool is_fine = true;
    switch (key) {
    case KEY_CAPACITY:
        return read_rate(text, &system->capacity_per_s, err);
    case KEY_SERVERS:
        is_fine = read_count(text, 1, PREDICT_SERVERS_MAX, &count, err);
        system->servers = (uint32_t)count;
        return is_fine;
    case KEY_SERVICE:
        return read_service(text, &system->service, err);
    case KEY_QUEUE:
        is_fine = read_count(text, 1, 1000000000, &count, err);
        system->queue_limit = (double)count;
        return is_fine;
    case KEY_TIMEOUT:
        return read_time(text, &system->timeout_s, err);
    case KEY_RETRIES:
        is_fine = read_count(text, 0, PREDICT_RETRIES_MAX, &count, err);
        system->retries = (uint32_t)count;
        return is_fine;
    case KEY_DELAY:
        return read_time(text, &system->retry_delay_s, err);
    case KEY_BUDGET:
        return read_share(text, &system->budget, err);
    case KEY_BURST:
        is_fine = read_count(text, 0, 1000000000, &count, err);
        request->budget_burst = (double)count;
        return is_fine;
    case KEY_LOAD:
        return read_rate(text, &request->load_per_s, err);
    case KEY_TRIGGER:
        return read_kind(text, &arguments->kind, err);
    case KEY_FACTOR:
        arguments->has_factor = true;
        return read_share(text, &arguments->factor, err);
    case KEY_DURATION:
        return read_time(text, &request->trigger.duration_s, err);
    default:
        UNREACHABLE();
    }
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    if (key < KEY_CAPACITY || key > KEY_DURATION) {
        return ARGP_ERR_UNKNOWN;
    }
    struct err err = {0};
    if (!read_option(key, argument, state->input, &err)) {
        const char *name = "";
        for (uint32_t i = 0; options[i].name != NULL; i++) {
            name = options[i].key == key ? options[i].name : name;
        }
        argp_error(state, "--%s: %s", name, err.text);
    }
    return 0;
}

/* What only shows when all options are known. */
static bool complete(struct arguments *arguments, struct err *err)
{
    struct predict_request *request = &arguments->request;
    if (request->system.capacity_per_s <= 0) {
        return err_set(err, ERR_INPUT, "--capacity is missing; `squall predict --help` shows examples");
    }
    if (request->system.timeout_s <= 0) {
        return err_set(err, ERR_INPUT, "--timeout is missing or zero");
    }
    if (request->budget_burst > 0 && request->system.budget < 0) {
        return err_set(err, ERR_INPUT, "--burst needs a --budget");
    }
    request->trigger.capacity_factor = 1;
    request->trigger.load_factor = 1;
    switch (arguments->kind) {
    case TRIGGER_FREEZE:
        request->trigger.capacity_factor = 0;
        return !arguments->has_factor ||
               err_set(err, ERR_INPUT, "--factor needs '--trigger capacity' or '--trigger load'");
    case TRIGGER_CAPACITY:
        request->trigger.capacity_factor = arguments->factor;
        return (arguments->has_factor && arguments->factor < 1) ||
               err_set(err, ERR_INPUT, "'--trigger capacity' needs a --factor below 100%%");
    case TRIGGER_LOAD:
        request->trigger.load_factor = arguments->factor;
        return (arguments->has_factor && arguments->factor > 1) ||
               err_set(err, ERR_INPUT, "'--trigger load' needs a --factor above 100%%");
    }
    UNREACHABLE();
}

int cmd_predict(int argc, char **argv)
{
    static const struct argp argp = {options, parse, NULL, doc, NULL, NULL, NULL};
    struct arguments arguments = {.request = {.system = {.servers = 1, .budget = -1}}};
    argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    struct err err = {0};
    if (!complete(&arguments, &err)) {
        return fail(&err);
    }
    struct text text;
    text_init(&text);
    predict_text_add(&text, &arguments.request);
    fputs(text_of(&text), stdout);
    text_release(&text);
    return EXIT_HELD;
}
