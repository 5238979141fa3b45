/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Seeds are the outer loop and cells the inner one, so an interrupted sweep has the same seeds in
 * every cell (sim/cli/stopping.h; a cell that is estimated precisely enough leaves). What the file
 * holds already is skipped: a campaign resumes by being started again. Which runs are done twice is
 * decided by (cell, seed), not by chance, so it is the same everywhere. */
#include "sim/cli/campaign.h"

#include "analysis/fleet_store.h"
#include "sim/base/base.h"
#include "sim/base/hash.h"
#include "sim/cli/pool.h"
#include "sim/cli/progress.h"
#include "sim/cli/runner.h"
#include "sim/cli/stopping.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define COMMIT_NS          INT64_C(1000000000)
#define KEEP_WINDOWS_SEEDS 3
#define SOURCE_AHEAD       2 /* what comes next depends on what comes out */

static volatile sig_atomic_t signal_seen;

static void on_signal(int number)
{
    signal_seen = number;
}

struct campaign {
    struct results *results;
    struct plan *plan;
    const struct campaign_options *options;
    struct campaign_outcome *outcome;
    struct progress progress;
    struct stopping stopping;
    uint64_t next; /* orders so far */
    uint64_t total;
    int64_t shard_id;
    int64_t committed_ns;
    bool is_failed;
    struct err *err;
};

/* What the file says of a run. */
struct stored {
    enum metastability verdict;
    enum arm_outcome doubled;
};

/* ----------------------------------------------------------------------------------------- rows */

static const char *models_json(struct plan *plan)
{
    struct arena *arena = &plan->arena;
    const char *text = "";
    for (uint32_t c = 0; c < plan->cell_count; c++) {
        const struct run_spec *spec = &plan->cells[c].spec;
        for (uint32_t g = 0; g < spec->group_count; g++) {
            const struct sq_model *model = spec->groups[g].model;
            const char *entry = arena_printf(arena, "\"%s\": \"%s\"", model->name, model->version);
            if (strstr(text, entry) == NULL) {
                text = arena_printf(arena, "%s%s%s", text, *text == '\0' ? "" : ", ", entry);
            }
        }
    }
    return arena_printf(arena, "{%s}", text);
}

/* The line that the summary prints for a run, up to the seed. */
static bool keep_replay(struct campaign *campaign, const struct cell *cell, int64_t cell_id,
                        struct err *err)
{
    static const char end[] = " --seed ";
    char *line = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&line, &size);
    if (out == NULL) {
        return err_set(err, ERR_SYSTEM, "cannot keep the replay line: out of memory");
    }
    replay_path_line(out, cell, campaign->options->sets, campaign->options->set_count, NULL, "");
    fclose(out);
    ASSERT(size > strlen(end));
    line[size - strlen(end)] = '\0';
    bool is_fine = results_set_replay(campaign->results, cell_id, line, err);
    free(line);
    return is_fine;
}

/* The row of the cell, unless it is known to be there. */
static bool register_cell(struct campaign *campaign, uint32_t index, struct err *err)
{
    struct plan *plan = campaign->plan;
    struct campaign_outcome *outcome = campaign->outcome;
    if (outcome->cell_ids[index] != 0) {
        return true;
    }
    const struct cell *cell = &plan->cells[index];
    struct results_param *params =
        arena_alloc_array(&plan->arena, cell->set_count, sizeof(*params));
    for (uint32_t i = 0; i < cell->set_count; i++) {
        const char *equals = strchr(cell->sets[i], '=');
        ASSERT(equals != NULL);
        params[i].name =
            arena_strndup(&plan->arena, cell->sets[i], (size_t)(equals - cell->sets[i]));
        params[i].value = equals + 1;
    }
    struct results_cell row = {
        outcome->scenario_id, outcome->build_id, cell->label, cell->replicas, params,
        cell->set_count};
    const struct spec_fleet *fleet = &cell->spec.fleet;
    return results_add_cell(campaign->results, &row, &outcome->cell_ids[index], err) &&
           keep_replay(campaign, cell, outcome->cell_ids[index], err) &&
           (!fleet->is_asked ||
            fleet_store_add(campaign->results, outcome->cell_ids[index], fleet, err));
}

static bool register_plan(struct campaign *campaign, struct err *err)
{
    struct plan *plan = campaign->plan;
    struct campaign_outcome *outcome = campaign->outcome;
    struct results_scenario scenario = {plan->name, plan->canonical, 1};
    struct results_build build = {build_version(), SQUALL_COMMIT[0] == '\0' ? NULL : SQUALL_COMMIT,
                                  __VERSION__ " " SQUALL_FLAGS, models_json(plan)};
    if (!results_add_scenario(campaign->results, &scenario, &outcome->scenario_id, err) ||
        !results_add_build(campaign->results, &build, &outcome->build_id, err)) {
        return false;
    }
    outcome->cell_ids =
        arena_alloc_array(&plan->arena, plan->cell_count, sizeof(*outcome->cell_ids));
    bool is_fine = true;
    for (uint32_t i = 0; i < plan->cell_count && campaign->options->source == NULL; i++) {
        is_fine = is_fine && register_cell(campaign, i, err);
    }
    return is_fine;
}

/* ------------------------------------------------------------------------- the pool's questions */

static bool is_rechecked(const struct campaign *campaign, uint32_t cell, uint64_t seed)
{
    uint64_t draw = hash_mix(hash_mix(UINT64_C(0x726563), cell), seed) % 100;
    return draw < campaign->options->recheck_percent;
}

static bool is_out_of_time(const struct campaign *campaign)
{
    return real_wall_ns() >= campaign->progress.deadline_ns;
}

static bool is_cancelled(void *context)
{
    struct campaign *campaign = context;
    return signal_seen != 0 || campaign->is_failed;
}

/* The next of all seeds of all cells that are still wanted, or what the source says. */
static bool next_run(struct campaign *campaign, uint32_t *cell, uint64_t *seed_index)
{
    const struct campaign_source *source = campaign->options->source;
    if (source != NULL) {
        campaign->next++;
        return source->next(source->context, cell, seed_index);
    }
    campaign->next++;
    return stopping_next(&campaign->stopping, cell, seed_index);
}

static bool on_stored(void *context, const struct results_row *row)
{
    struct stored *stored = context;
    for (uint32_t i = 0; i < METASTABILITY_COUNT; i++) {
        if (strcmp(row->values[0].text, metastability_name((enum metastability)i)) == 0) {
            stored->verdict = (enum metastability)i;
        }
    }
    for (uint32_t i = 0; i < ARM_OUTCOME_COUNT; i++) {
        if (strcmp(row->values[1].text, arm_outcome_name((enum arm_outcome)i)) == 0) {
            stored->doubled = (enum arm_outcome)i;
        }
    }
    return false;
}

/* Tells the source what the file says of a run that it holds. */
static bool tell_stored(struct campaign *campaign, uint32_t cell, uint64_t seed_index)
{
    static const char sql[] =
        "SELECT m.verdict, a.outcome FROM metastability m LEFT JOIN arm a ON a.run_id=m.run_id AND "
        "a.arm='doubled' WHERE m.run_id=CAST(?1 AS INTEGER)";
    const struct campaign_source *source = campaign->options->source;
    if (source == NULL) {
        return true;
    }
    char id[24];
    snprintf(id, sizeof(id), "%lld",
             (long long)results_run_id(campaign->outcome->cell_ids[cell],
                                       plan_seed(campaign->plan, seed_index)));
    const char *const parameters[] = {id};
    struct stored stored = {METASTABILITY_NONE, ARM_OUTCOME_COUNT};
    if (!results_query(campaign->results, sql, parameters, 1, on_stored, &stored, campaign->err)) {
        return false;
    }
    source->on_verdict(source->context, cell, seed_index, stored.verdict, stored.doubled);
    return true;
}

/* A run of that cell is in the file. */
static void finish_run(struct campaign *campaign, uint32_t cell)
{
    if (campaign->options->source != NULL) {
        return;
    }
    if (!stopping_finish(&campaign->stopping, campaign->results, cell,
                         campaign->outcome->cell_ids[cell], campaign->err)) {
        campaign->is_failed = true;
    }
    campaign->progress.total = campaign->total - campaign->stopping.spared;
}

static bool next_order(void *context, struct order *order)
{
    struct campaign *campaign = context;
    uint32_t cell;
    uint64_t seed_index;
    while (!is_out_of_time(campaign) && !is_cancelled(campaign) &&
           campaign->progress.failing < campaign->options->fail_fast &&
           next_run(campaign, &cell, &seed_index)) {
        uint64_t seed = plan_seed(campaign->plan, seed_index);
        bool has = false;
        if (!register_cell(campaign, cell, campaign->err) ||
            !results_has_run(campaign->results, campaign->outcome->cell_ids[cell], seed, &has,
                             campaign->err)) {
            campaign->is_failed = true;
            return false;
        }
        if (has) {
            campaign->progress.skipped++;
            campaign->is_failed = !tell_stored(campaign, cell, seed_index);
            finish_run(campaign, cell);
            continue;
        }
        *order = (struct order){
            .number = campaign->next,
            .seed = seed,
            .seed_index = seed_index,
            .cell = cell,
            .is_recheck = is_rechecked(campaign, cell, seed),
            .keep_windows = seed_index < KEEP_WINDOWS_SEEDS && !campaign->options->has_no_windows,
        };
        return true;
    }
    return false;
}

static enum arm_outcome doubled_of(const struct run_result *result)
{
    const struct result_arm *doubled = result_arm_find(result, ARM_DOUBLED);
    return doubled != NULL ? doubled->outcome : ARM_OUTCOME_COUNT;
}

static void on_delivery(void *context, const struct delivery *delivery)
{
    struct campaign *campaign = context;
    const struct run_result *result = delivery->result;
    if (campaign->is_failed) { /* of several errors the first one says what is wrong */
        return;
    }
    int64_t cell_id = campaign->outcome->cell_ids[delivery->order.cell];
    struct results_cost cost = {campaign->shard_id, 0, 0};
    bool is_fine = results_add_run(campaign->results, cell_id, result, &cost, NULL, campaign->err);
    if (is_fine && delivery->order.is_recheck && result->verdict != VERDICT_ERROR) {
        is_fine = results_add_recheck(campaign->results, cell_id, result->seed,
                                      delivery->digest_again, campaign->shard_id, campaign->err);
    }
    if (!is_fine) {
        campaign->is_failed = true;
        return;
    }
    campaign->progress.done++;
    finish_run(campaign, delivery->order.cell);
    campaign->progress.sim_ns += result->sim_ns;
    campaign->progress.failing +=
        result->verdict == VERDICT_FAIL || result->verdict == VERDICT_ERROR ? 1 : 0;
    const struct campaign_source *source = campaign->options->source;
    if (source != NULL) {
        source->on_verdict(source->context, delivery->order.cell, delivery->order.seed_index,
                           result->metastability, doubled_of(result));
    }
}

static void on_idle(void *context)
{
    struct campaign *campaign = context;
    progress_tick(&campaign->progress);
    int64_t now = real_wall_ns();
    if (!campaign->is_failed && now - campaign->committed_ns > COMMIT_NS) {
        campaign->is_failed = !results_commit(campaign->results, campaign->err);
        campaign->committed_ns = now;
    }
}

/* --------------------------------------------------------------------------------- the campaign */

static const char *iso_now(char out[32])
{
    time_t now = time(NULL);
    struct tm parts;
    gmtime_r(&now, &parts);
    strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return out;
}

static bool begin(struct campaign *campaign, struct err *err)
{
    char host[256] = "";
    char now[32];
    gethostname(host, sizeof(host) - 1);
    struct results_shard shard = {.campaign = campaign->plan->name,
                                  .index = 1,
                                  .of = 1,
                                  .engine = "squall " SQUALL_VERSION,
                                  .host = host,
                                  .argv = campaign->options->command_line,
                                  .started_at = iso_now(now)};
    return register_plan(campaign, err) &&
           results_begin_shard(campaign->results, &shard, &campaign->shard_id, err) &&
           results_commit(campaign->results, err);
}

static bool end(struct campaign *campaign, struct err *err)
{
    char now[32];
    struct campaign_outcome *outcome = campaign->outcome;
    outcome->runs = campaign->progress.done;
    outcome->skipped = campaign->progress.skipped;
    bool is_counted = campaign->options->source == NULL;
    outcome->spared = is_counted ? campaign->stopping.spared : 0;
    outcome->missing =
        is_counted ? campaign->total - outcome->spared - outcome->runs - outcome->skipped : 0;
    outcome->is_interrupted = signal_seen != 0;
    outcome->is_late = (outcome->missing > 0 || !is_counted) && is_out_of_time(campaign);
    return results_end_shard(campaign->results, campaign->shard_id, iso_now(now), outcome->runs, 0,
                             err) &&
           results_commit(campaign->results, err);
}

static bool are_all_estimates(const struct plan *plan)
{
    bool are_all = true;
    for (uint32_t i = 0; i < plan->cell_count; i++) {
        are_all = are_all && runner_is_estimate(&plan->cells[i].spec);
    }
    return are_all;
}

bool campaign_run(struct results *results, struct plan *plan,
                  const struct campaign_options *options, struct campaign_outcome *outcome,
                  struct err *err)
{
    struct campaign campaign = {
        .results = results, .plan = plan, .options = options, .outcome = outcome, .err = err};
    *outcome = (struct campaign_outcome){0};
    campaign.total =
        options->source != NULL ? options->source->expected : plan->seed_count * plan->cell_count;
    progress_init(&campaign.progress, campaign.total, options->is_quiet);
    campaign.progress.unit = are_all_estimates(plan) ? "replications" : "seeds";
    campaign.progress.deadline_ns = options->deadline_ns;
    campaign.committed_ns = real_wall_ns();
    if (!begin(&campaign, err)) {
        return false;
    }
    stopping_init(&campaign.stopping, plan);
    signal_seen = 0;
    struct sigaction action = {.sa_handler = on_signal};
    struct sigaction old_int;
    struct sigaction old_term;
    sigaction(SIGINT, &action, &old_int);
    sigaction(SIGTERM, &action, &old_term);
    struct pool_options pool = {
        .plan = plan,
        .sets = options->sets,
        .set_count = options->set_count,
        .jobs = options->jobs,
        .windows = options->windows,
        .ahead = options->source != NULL ? SOURCE_AHEAD : 0,
        .next = next_order,
        .on_delivery = on_delivery,
        .on_idle = on_idle,
        .is_cancelled = is_cancelled,
        .context = &campaign,
    };
    bool is_fine = pool_run(&pool, err) && !campaign.is_failed;
    progress_end(&campaign.progress);
    stopping_release(&campaign.stopping);
    sigaction(SIGINT, &old_int, NULL);
    sigaction(SIGTERM, &old_term, NULL);
    struct err later = {0};
    bool is_ended = end(&campaign, is_fine ? err : &later);
    return is_fine && is_ended;
}
