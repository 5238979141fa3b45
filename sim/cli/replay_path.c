/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A trajectory is a function of its path: seed, replication, and the branch that was taken at each
 * split. It is gone twice: once to find its longest outage, and once more to print what happened
 * from the last time that all was whole until then. There is no snapshot to keep and none to lose.
 */
#include "sim/cli/replay_path.h"

#include "analysis/results.h"
#include "sim/base/base.h"

#include <string.h>
#include <unistd.h>

#define NS_IN_AN_HOUR 3.6e12

struct story {
    const struct spec_fleet *fleet;
    int64_t from_ns;
    int64_t until_ns;
    bool was_up;
};

static double hours_of(int64_t time_ns)
{
    return (double)time_ns / NS_IN_AN_HOUR;
}

/* "machine 3", "rack 1". */
static const char *name_of(const struct spec_fleet *fleet, uint32_t part, char *out, size_t size)
{
    if (part < fleet->machines) {
        snprintf(out, size, "machine %u", part);
    } else {
        const uint32_t group = part - fleet->machines;
        snprintf(out, size, "%s %u", fleet->groups[fleet_group_kind(fleet, group)].name,
                 fleet_group_number(fleet, group));
    }
    return out;
}

static void describe(const struct fleet *fleet, const struct fleet_event *event, char *out,
                     size_t size)
{
    char name[96];
    switch (event->kind) {
    case FLEET_EVENT_NONE:
        snprintf(out, size, "nothing");
        return;
    case FLEET_EVENT_FAILS:
    case FLEET_EVENT_REPAIRED:
        snprintf(out, size, "%s %s", name_of(fleet->spec, event->index, name, sizeof(name)),
                 event->kind == FLEET_EVENT_FAILS ? "fails" : "is repaired");
        return;
    case FLEET_EVENT_SHOCK:
        if (event->index == 0) {
            snprintf(out, size, "a shock: all machines fail");
        } else {
            snprintf(out, size, "a shock: machines of %s fail",
                     name_of(fleet->spec, event->index, name, sizeof(name)));
        }
        return;
    case FLEET_EVENT_MAINTENANCE:
        if (fleet->absent == UINT32_MAX) {
            snprintf(out, size, "maintenance ends, or is skipped");
        } else {
            snprintf(out, size, "machine %u is maintained", fleet->absent);
        }
        return;
    case FLEET_EVENT_LEADER:
        snprintf(out, size, "machine %u leads %s", fleet->services[event->index].machine,
                 fleet->spec->services[event->index].name);
        return;
    }
    UNREACHABLE();
}

static void print_event(void *context, const struct fleet *fleet, const struct fleet_event *event,
                        bool is_up)
{
    struct story *story = context;
    char what[256];
    const bool was_up = story->was_up;
    story->was_up = is_up;
    if (event->time_ns < story->from_ns || event->time_ns > story->until_ns) {
        return;
    }
    describe(fleet, event, what, sizeof(what));
    printf("  %16.6f h  %-36s %2u of %u there%s\n", hours_of(event->time_ns), what,
           fleet_available_count(fleet), fleet->spec->machines,
           is_up == was_up ? ""
           : is_up         ? "  UP"
                           : "  DOWN");
}

static bool find_service(const struct spec_fleet *fleet, const char *name, uint32_t *service)
{
    for (uint32_t i = 0; i < fleet->service_count; i++) {
        if (name == NULL || strcmp(fleet->services[i].name, name) == 0) {
            *service = i;
            return true;
        }
    }
    return false;
}

/* ------------------------------------------------------------------------------- what is stored */

static bool take_hash(void *context, const struct results_row *row)
{
    snprintf(context, 17, "%s", row->values[0].text);
    return false;
}

/* The digest that results.sqlite has for this very path; "": none. */
static void stored_hash(const struct plan *plan, const struct cell *cell,
                        const struct replay_path *path, const char *service, char hex[17])
{
    static const char sql[] =
        "SELECT e.worst_hash FROM estimate e JOIN run r USING(run_id) JOIN cell c USING(cell_id) "
        "JOIN scenario s USING(scenario_id) JOIN build b USING(build_id) WHERE s.name=?1 AND "
        "c.label=?2 AND e.worst_path=?3 AND e.service=?4 AND b.version=?5";
    char file[4096];
    struct err err = {0};
    hex[0] = '\0';
    snprintf(file, sizeof(file), "%s%s/results.sqlite", path->folder != NULL ? "" : "out/",
             path->folder != NULL ? path->folder : plan->name);
    if (access(file, R_OK) != 0) {
        return;
    }
    struct results *results = results_open(file, RESULTS_READ, &err);
    const char *const parameters[] = {plan->name, cell->label, path->text, service,
                                      build_version()};
    if (results == NULL || !results_query(results, sql, parameters, 5, take_hash, hex, &err)) {
        fprintf(stderr, "squall: nothing to compare with: %s\n", err.text);
    }
    if (results != NULL) {
        results_close(results, &err);
    }
}

static int compare(const char *hex, const char *other, const char *whose)
{
    if (other == NULL || other[0] == '\0') {
        return EXIT_HELD;
    }
    const bool is_same = strcmp(hex, other) == 0;
    printf(is_same ? "  digest is the %s one\n" : "  NONDETERMINISM: the %s digest is %s\n", whose,
           other);
    return is_same ? EXIT_HELD : EXIT_NONDETERMINISM;
}

/* -------------------------------------------------------------------------------------- public */

static void print_outage(const struct estimate_trajectory *trajectory)
{
    if (trajectory->outage_ns == 0) {
        printf("  no outage\n");
        return;
    }
    printf("  longest outage %.6g h, from %.6f h on\n", hours_of(trajectory->outage_ns),
           hours_of(trajectory->outage_from_ns));
}

int replay_trajectory(const struct plan *plan, const struct cell *cell,
                      const struct replay_path *path)
{
    const struct spec_fleet *fleet = &cell->spec.fleet;
    struct estimate_path parsed;
    struct estimate_trajectory trajectory;
    struct err err = {0};
    uint32_t service = 0;
    if (!fleet->is_asked) {
        err_set(&err, ERR_INPUT, "'%s' has no fleet, so no trajectories of one", plan->name);
        return fail(&err);
    }
    const enum spec_estimator estimator =
        fleet->estimator == SPEC_ESTIMATOR_AUTO ? estimate_choose(fleet, NULL) : fleet->estimator;
    if (estimator != SPEC_ESTIMATOR_RESTART) {
        err_set(&err, ERR_INPUT,
                "%s is the path of a trajectory of the estimator restart, and this fleet is asked "
                "by another: add '--set availability.estimator=restart'",
                path->text);
        return fail(&err);
    }
    if (!find_service(fleet, path->service, &service)) {
        err_set(&err, ERR_INPUT, "the fleet has no service '%s'", path->service);
        return fail(&err);
    }
    if (!estimate_path_parse(path->text, &parsed, &err) ||
        !estimate_replay(fleet, service, &parsed, NULL, NULL, &trajectory, &err)) {
        return fail(&err);
    }
    const int64_t outage_end_ns = trajectory.outage_from_ns + trajectory.outage_ns;
    struct story story = {.fleet = fleet,
                          .from_ns = path->is_traced ? path->from_ns : trajectory.whole_ns,
                          .until_ns = path->is_traced ? INT64_MAX : outage_end_ns,
                          .was_up = true};
    printf("%s trajectory %s, service %s\n", plan->name, path->text, fleet->services[service].name);
    estimate_replay(fleet, service, &parsed, print_event, &story, &trajectory, &err);
    char hex[17];
    char stored[17];
    snprintf(hex, sizeof(hex), "%016llx", (unsigned long long)trajectory.digest);
    print_outage(&trajectory);
    printf("  digest %s, %llu events, until %.6f h\n", hex, (unsigned long long)trajectory.events,
           hours_of(trajectory.end_ns));
    stored_hash(plan, cell, path, fleet->services[service].name, stored);
    return exit_worse(compare(hex, path->expected, "expected"), compare(hex, stored, "stored"));
}

void replay_print_estimate(const struct cell *cell, const struct estimate_sums *sums)
{
    const double confidence = (double)cell->spec.fleet.confidence_millionths / 1e6;
    const struct estimate estimate = estimate_of(sums, confidence);
    printf("  %s: %s %.6g, %.4g .. %.4g by %s, %llu hits\n", sums->service,
           cell->spec.fleet.placement.is_asked ? "share of losses that cost data"
                                               : "unavailability",
           estimate.unavailability, estimate.interval.low, estimate.interval.high,
           estimate_method_name(sums->method), (unsigned long long)estimate.hits);
    if (sums->worst_path[0] != '\0') {
        printf("    longest outage %.4g h in trajectory %s\n", sums->worst_h, sums->worst_path);
    }
}
