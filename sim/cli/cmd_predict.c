/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * squall predict: what theory says of a server, its clients' retries and a trigger, before
 * anything is simulated. The models are in analysis/predict_*; here only the command line is read.
 * Options are kept until all are known, since they come on top of what a scenario says. */
#include "sim/cli/cli.h"

#include "analysis/predict_text.h"
#include "sim/base/base.h"
#include "sim/cli/predict.h"
#include "sim/base/units.h"

#include <argp.h>
#include <string.h>

static const char doc[] =
    "Predicts from theory whether a server comes back by itself: hidden capacity, saddle-node, "
    "fixed points, the shortest trigger that sticks, recovery time, and how long chance alone "
    "needs.\v"
    "The capacity is that of all servers together. Without --load: a table over all loads. The "
    "chain of queue and orbit is solved when capacity times time-out is below some fifty.\n\n"
    "A SCENARIO fills in load, clients, server (model server) and trigger, of its first cell; "
    "options come on top of it, and --set chooses another cell.\n\n"
    "--simulate runs what is predicted, the first cell of the scenario or a model server with "
    "these numbers, and prints both and the difference: hidden capacity, saddle-node, class, the "
    "shortest trigger that sticks, recovery time, sends. It takes seconds to a minute.\n\n"
    "Laws with a closed form, as --law NAME KEY=VALUE... ([...]: may be left out):\n"
    "  batch items=1200 service=10ms [workers=2] timeout=3s\n"
    "              is a batch that times out and asks again ever done?\n"
    "  error-path capacity=300/s cost=300% load=150/s\n"
    "              failures that cost so much of what a success costs\n"
    "  gc heap=170 service=690us [pause=380ms pausePerRequest=530us] workers=100\n"
    "     load=220/s\n"
    "              garbage collection that takes longer with more in memory\n"
    "  cache database=300/s hit=90% [fanOut=1]\n"
    "              load that a flush survives\n"
    "  refill keys=5000 [skew=99%] database=100/s load=300/s timeout=3s\n"
    "              the same for keys by Zipf's law, hot ones being back first\n"
    "  resync size=8GB save=120MB/s send=200MB/s load=100MB/s\n"
    "         [hard=256MB soft=64MB softTime=60s]\n"
    "              full copies that begin again\n"
    "  offered load=10100/s capacity=10000/s attempts=10\n"
    "              an overload with retries\n"
    "  queue-bound capacity=300/s timeout=1s\n"
    "              the queue that cannot stick\n"
    "  erlang capacity=300/s [servers=30] load=270/s\n"
    "              waiting in M/M/c\n"
    "  fleet machines=5 needed=3 life=99h repair=1h [crews=1 shocks=1%\n"
    "        failover=10s]\n"
    "              downtime of machines that fail and are repaired\n"
    "  copysets nodes=5000 [lost=1% replicas=3 scatter=10 trials=100000 seed=1]\n"
    "              data lost when many nodes are lost at once, with a simulation\n\n"
    "Examples:\n"
    "  squall predict --capacity 300/s --servers 30 --timeout 1s --retries 1\n"
    "  squall predict --capacity 300/s --timeout 1s --retries 1 --load 280/s \\\n"
    "                 --duration 10s\n"
    "  squall predict --capacity 300/s --timeout 1s --retries 3 --budget 10%\n"
    "  squall predict --capacity 1000/s --servers 2 --timeout 3s --retries 4 \\\n"
    "                 --load 380/s --trigger capacity --factor 20% --duration 10s\n"
    "  squall predict --capacity 10/s --timeout 4s --retries 3 --load 8/s \\\n"
    "                 --queue 100\n"
    "  squall predict hotos-retries --simulate --set client.retry.maxAttempts=2\n"
    "  squall predict --law batch items=1200 service=10ms workers=2 timeout=3s\n"
    "  squall predict --law fleet machines=5 needed=3 life=99h repair=1h\n\n"
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
    KEY_LAST = KEY_DURATION, /* of those above, which describe the system */
    KEY_SET,
    KEY_SIMULATE,
    KEY_SEEDS,
    KEY_LAW,
};

static const struct argp_option options[] = {
    {"capacity", KEY_CAPACITY, "RATE", 0, "requests served by all servers together, such as 300/s",
     0},
    {"servers", KEY_SERVERS, "N", 0, "servers that share one queue (default 1)", 0},
    {"service", KEY_SERVICE, "LAW", 0, "law of the service time: exponential (default) or constant",
     0},
    {"queue", KEY_QUEUE, "N", 0,
     "requests waiting and in service; the rest is lost (default no limit)", 0},
    {"timeout", KEY_TIMEOUT, "TIME", 0, "time-out of one attempt", 0},
    {"retries", KEY_RETRIES, "N", 0, "after the first attempt (default 0)", 0},
    {"retry-delay", KEY_DELAY, "TIME", 0, "between a time-out and the next attempt (default 0)", 0},
    {"budget", KEY_BUDGET, "SHARE", 0,
     "retries for each fresh call, such as 10% (default no budget)", 0},
    {"burst", KEY_BURST, "N", 0, "retries saved up in the budget at first, and at most (default 0)",
     0},
    {"load", KEY_LOAD, "RATE", 0, "fresh calls", 0},
    {"trigger", KEY_TRIGGER, "KIND", 0, "freeze (default), capacity or load", 0},
    {"factor", KEY_FACTOR, "SHARE", 0,
     "of the capacity or the load during the trigger, such as 20%", 0},
    {"duration", KEY_DURATION, "TIME", 0, "of the trigger (default: only the tipping duration)", 0},
    {"set", KEY_SET, "PATH=VALUE", 0, "override a key of the scenario, as `squall run` does", 0},
    {"simulate", KEY_SIMULATE, NULL, 0,
     "run it as well: prediction and simulation side by side, and their difference", 0},
    {"beside", KEY_SIMULATE, NULL, OPTION_ALIAS, NULL, 0},
    {"seeds", KEY_SEEDS, "N", 0, "seeds of each question to the simulation (default 5)", 0},
    {"seed", KEY_SEEDS, NULL, OPTION_ALIAS | OPTION_HIDDEN, NULL, 0},
    {"law", KEY_LAW, "NAME", 0,
     "a closed form instead: batch, error-path, gc, cache, refill, resync, offered, queue-bound, "
     "erlang, fleet or copysets",
     0},
    {0},
};

enum { GIVEN_MAX = 64 };

struct given {
    int key;
    const char *text;
};

enum trigger_kind { TRIGGER_FREEZE, TRIGGER_CAPACITY, TRIGGER_LOAD };

struct arguments {
    struct predict_request request;
    enum trigger_kind kind;
    double factor;
    bool has_kind;
    bool has_factor;
    struct given given[GIVEN_MAX]; /* options in the order of the command line */
    uint32_t given_count;
    const char *sets[GIVEN_MAX];
    uint32_t set_count;
    bool is_simulated;
    uint32_t seeds;
    struct opened opened; /* with is_simulated, the scenario */
    bool is_open;
    bool is_capacity_open; /* the scenario's model does not state it */
    const char *law;
    char **words; /* scenario, or what the law is given */
    uint32_t word_count;
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
        arguments->has_kind = true;
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

static uint32_t parse_seeds(struct argp_state *state, const char *text)
{
    struct err err = {0};
    uint64_t count = 0;
    if (!read_count(text, 1, STAND_SEEDS_MAX, &count, &err)) {
        argp_error(state, "--seeds: %s", err.text);
    }
    return (uint32_t)count;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    if (key >= KEY_CAPACITY && key <= KEY_LAW) {
        if (arguments->given_count == GIVEN_MAX || arguments->set_count == GIVEN_MAX) {
            argp_error(state, "more than %d options", GIVEN_MAX);
        }
    }
    if (key >= KEY_CAPACITY && key <= KEY_LAST) {
        arguments->given[arguments->given_count++] = (struct given){key, argument};
        return 0;
    }
    switch (key) {
    case KEY_SET:
        arguments->sets[arguments->set_count++] = argument;
        return 0;
    case KEY_SIMULATE:
        arguments->is_simulated = true;
        return 0;
    case KEY_SEEDS:
        arguments->seeds = parse_seeds(state, argument);
        return 0;
    case KEY_LAW:
        arguments->law = argument;
        return 0;
    case ARGP_KEY_ARGS:
        arguments->words = state->argv + state->next;
        arguments->word_count = (uint32_t)(state->argc - state->next);
        return 0;
    case ARGP_KEY_END:
        if (arguments->law == NULL && arguments->word_count > 1) {
            argp_error(state, "more than one scenario");
        }
        if (arguments->set_count > 0 && arguments->word_count == 0) {
            argp_error(state, "--set needs a scenario");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static bool read_given(struct arguments *arguments, struct err *err)
{
    for (uint32_t i = 0; i < arguments->given_count; i++) {
        struct given given = arguments->given[i];
        if (!read_option(given.key, given.text, arguments, err)) {
            uint32_t k = 0;
            while (options[k].key != given.key) {
                k++;
            }
            return err_wrap(err, "--%s", options[k].name);
        }
    }
    return true;
}

/* What only shows when all options are known. */
static bool complete(struct arguments *arguments, struct err *err)
{
    struct predict_request *request = &arguments->request;
    if (request->system.capacity_per_s <= 0) {
        return err_set(err, ERR_INPUT,
                       "--capacity is missing; `squall predict --help` shows examples");
    }
    if (request->system.timeout_s <= 0) {
        return err_set(err, ERR_INPUT, "--timeout is missing or zero");
    }
    if (request->budget_burst > 0 && request->system.budget < 0) {
        return err_set(err, ERR_INPUT, "--burst needs a --budget");
    }
    if (arguments->word_count > 0 && !arguments->has_kind && !arguments->has_factor) {
        return true; /* the scenario's trigger */
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

static int read_scenario(struct arguments *arguments, struct text *notes)
{
    struct opened opened;
    struct plan_options plan = {.sets = arguments->sets, .set_count = arguments->set_count};
    int status = open_plan(&opened, arguments->words[0], &plan);
    if (status != EXIT_HELD) {
        return status;
    }
    if (opened.plan.cell_count > 1) {
        text_printf(notes, "  - of %u cells the first: %s\n", opened.plan.cell_count,
                    opened.plan.cells[0].label);
    }
    struct err err = {0};
    if (!predict_from_spec(&opened.plan.cells[0].spec, &arguments->request, notes, &err)) {
        status = fail(&err);
    }
    if (status == EXIT_HELD && arguments->is_simulated) {
        arguments->opened = opened;
        arguments->is_open = true;
    } else {
        close_plan(&opened);
    }
    return status;
}

/* What is run is the scenario, so the numbers of the system must be the scenario's. */
static bool check_simulated(const struct arguments *arguments, struct err *err)
{
    for (uint32_t i = 0; i < arguments->given_count && arguments->word_count > 0; i++) {
        int key = arguments->given[i].key;
        bool is_of_run =
            key == KEY_LOAD || key == KEY_TRIGGER || key == KEY_FACTOR || key == KEY_DURATION;
        bool is_of_server =
            key == KEY_CAPACITY || key == KEY_SERVERS || key == KEY_SERVICE || key == KEY_QUEUE;
        if (!is_of_run && !(is_of_server && arguments->is_capacity_open)) {
            return err_set(err, ERR_INPUT,
                           "with a scenario --simulate takes --load, --trigger, --factor and "
                           "--duration (and --capacity of a model that states none); change the "
                           "rest by --set");
        }
    }
    return predict_system_is_valid(&arguments->request.system) ||
           err_set(err, ERR_INPUT,
                   "theory cannot read this system, so there is nothing beside "
                   "which to simulate");
}

static int simulate(struct arguments *arguments, struct text *text)
{
    struct err err = {0};
    if (!check_simulated(arguments, &err)) {
        return fail(&err);
    }
    struct opened *opened = arguments->is_open ? &arguments->opened : NULL;
    arguments->is_open = false;
    bool is_done = predict_simulate(opened, &arguments->request, arguments->seeds, text, &err);
    return is_done ? EXIT_HELD : fail(&err);
}

static int predict(struct arguments *arguments, struct text *text, struct text *notes)
{
    struct err err = {0};
    if (arguments->law != NULL) {
        bool is_fine = predict_law(arguments->law, arguments->words, arguments->word_count,
                                   arguments->is_simulated, text, &err);
        return is_fine ? EXIT_HELD : fail(&err);
    }
    if (arguments->word_count > 0) {
        int status = read_scenario(arguments, notes);
        if (status != EXIT_HELD) {
            return status;
        }
    }
    arguments->is_capacity_open = arguments->request.system.capacity_per_s <= 0;
    if (!read_given(arguments, &err) || !complete(arguments, &err)) {
        fputs(text_of(notes), stderr);
        return fail(&err);
    }
    predict_text_add(text, &arguments->request);
    if (arguments->is_simulated) {
        int status = simulate(arguments, text);
        if (status != EXIT_HELD) {
            return status;
        }
    }
    if (text_of(notes)[0] != '\0') {
        text_printf(text, "\nhow the scenario was read\n%s", text_of(notes));
    }
    return EXIT_HELD;
}

int cmd_predict(int argc, char **argv)
{
    static const struct argp argp = {options, parse, "[SCENARIO | KEY=VALUE...]", doc, NULL,
                                     NULL,    NULL};
    struct arguments arguments = {
        .request = {.system = {.servers = 1, .budget = -1}, .trigger = {.load_factor = 1}},
        .seeds = 5};
    argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    struct text text;
    struct text notes;
    text_init(&text);
    text_init(&notes);
    int status = predict(&arguments, &text, &notes);
    if (status == EXIT_HELD) {
        fputs(text_of(&text), stdout);
    }
    if (arguments.is_open) {
        close_plan(&arguments.opened);
    }
    text_release(&text);
    text_release(&notes);
    return status;
}
