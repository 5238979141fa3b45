/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Seeds are the outer loop and cells the inner one, so an interrupted sweep has the same seeds in
 * every cell. What the file holds already is skipped: a campaign resumes by being started again.
 * Which runs are done twice is decided by (cell, seed), not by chance, so it is the same
 * everywhere. */
#include "sim/cli/campaign.h"

#include "analysis/fleet_store.h"
#include "sim/base/base.h"
#include "sim/base/hash.h"
#include "sim/cli/pool.h"
#include "sim/cli/progress.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define COMMIT_NS          INT64_C(1000000000)
#define KEEP_WINDOWS_SEEDS 3

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
    uint64_t next; /* number of the next (seed, cell) */
    uint64_t total;
    int64_t shard_id;
    int64_t committed_ns;
    bool is_failed;
    struct err *err;
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

static bool register_cell(struct results *results, struct plan *plan, uint32_t index,
                          int64_t scenario_id, int64_t build_id, int64_t *cell_id, struct err *err)
{
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
    struct results_cell row = {scenario_id,    build_id, cell->label,
                               cell->replicas, params,   cell->set_count};
    const struct spec_fleet *fleet = &cell->spec.fleet;
    return results_add_cell(results, &row, cell_id, err) &&
           (!fleet->is_asked || fleet_store_add(results, *cell_id, fleet, err));
}

bool campaign_register(struct results *results, struct plan *plan, int64_t **cell_ids,
                       struct err *err)
{
    struct results_scenario scenario = {plan->name, plan->canonical, 1};
    struct results_build build = {build_version(), SQUALL_COMMIT[0] == '\0' ? NULL : SQUALL_COMMIT,
                                  __VERSION__ " " SQUALL_FLAGS, models_json(plan)};
    int64_t scenario_id;
    int64_t build_id;
    if (!results_add_scenario(results, &scenario, &scenario_id, err) ||
        !results_add_build(results, &build, &build_id, err)) {
        return false;
    }
    *cell_ids = arena_alloc_array(&plan->arena, plan->cell_count, sizeof(**cell_ids));
    for (uint32_t i = 0; i < plan->cell_count; i++) {
        if (!register_cell(results, plan, i, scenario_id, build_id, &(*cell_ids)[i], err)) {
            return false;
        }
    }
    return true;
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

static bool next_order(void *context, struct order *order)
{
    struct campaign *campaign = context;
    struct plan *plan = campaign->plan;
    while (campaign->next < campaign->total && !is_out_of_time(campaign) &&
           !is_cancelled(campaign) && campaign->progress.failing < campaign->options->fail_fast) {
        uint64_t number = campaign->next++;
        uint64_t seed_index = number / plan->cell_count;
        uint32_t cell = (uint32_t)(number % plan->cell_count);
        uint64_t seed = plan_seed(plan, seed_index);
        bool has = false;
        if (!results_has_run(campaign->results, campaign->outcome->cell_ids[cell], seed, &has,
                             campaign->err)) {
            campaign->is_failed = true;
            return false;
        }
        if (has) {
            campaign->progress.skipped++;
            continue;
        }
        *order = (struct order){
            .number = number,
            .seed = seed,
            .cell = cell,
            .is_recheck = is_rechecked(campaign, cell, seed),
            .keep_windows = seed_index < KEEP_WINDOWS_SEEDS,
        };
        return true;
    }
    return false;
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
    campaign->progress.sim_ns += result->sim_ns;
    campaign->progress.failing +=
        result->verdict == VERDICT_FAIL || result->verdict == VERDICT_ERROR ? 1 : 0;
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
    return campaign_register(campaign->results, campaign->plan, &campaign->outcome->cell_ids,
                             err) &&
           results_begin_shard(campaign->results, &shard, &campaign->shard_id, err) &&
           results_commit(campaign->results, err);
}

static bool end(struct campaign *campaign, struct err *err)
{
    char now[32];
    struct campaign_outcome *outcome = campaign->outcome;
    outcome->runs = campaign->progress.done;
    outcome->skipped = campaign->progress.skipped;
    outcome->missing = campaign->total - outcome->runs - outcome->skipped;
    outcome->is_interrupted = signal_seen != 0;
    outcome->is_late = outcome->missing > 0 && is_out_of_time(campaign);
    return results_end_shard(campaign->results, campaign->shard_id, iso_now(now), outcome->runs, 0,
                             err) &&
           results_commit(campaign->results, err);
}

bool campaign_run(struct results *results, struct plan *plan,
                  const struct campaign_options *options, struct campaign_outcome *outcome,
                  struct err *err)
{
    struct campaign campaign = {
        .results = results, .plan = plan, .options = options, .outcome = outcome, .err = err};
    *outcome = (struct campaign_outcome){0};
    campaign.total = plan->seed_count * plan->cell_count;
    progress_init(&campaign.progress, campaign.total, options->is_quiet);
    campaign.progress.deadline_ns = options->deadline_ns;
    campaign.committed_ns = real_wall_ns();
    if (!begin(&campaign, err)) {
        return false;
    }
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
        .next = next_order,
        .on_delivery = on_delivery,
        .on_idle = on_idle,
        .is_cancelled = is_cancelled,
        .context = &campaign,
    };
    bool is_fine = pool_run(&pool, err) && !campaign.is_failed;
    progress_end(&campaign.progress);
    sigaction(SIGINT, &old_int, NULL);
    sigaction(SIGTERM, &old_term, NULL);
    struct err later = {0};
    bool is_ended = end(&campaign, is_fine ? err : &later);
    return is_fine && is_ended;
}
