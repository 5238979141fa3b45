/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What several commands share: exit statuses, errors, the catalog of models and checks, opening a
 * scenario. */
#include "sim/cli/cli.h"

#include "analysis/estimate.h"
#include "analysis/judge.h"
#include "analysis/threshold.h"
#include "models/models.h"
#include "sim/base/base.h"
#include "sim/base/hash.h"
#include "sim/base/units.h"
#include "sim/plugin.h"

#include <argp.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int severity(int status)
{
    static const int order[] = {EXIT_HELD,           EXIT_UNKNOWN,     EXIT_THRESHOLD,
                                EXIT_CHECK_FAILED,   EXIT_INTERRUPTED, EXIT_INTERNAL,
                                EXIT_NONDETERMINISM, EXIT_USAGE};
    for (uint32_t i = 0; i < ARRAY_COUNT(order); i++) {
        if (order[i] == status) {
            return (int)i;
        }
    }
    return (int)ARRAY_COUNT(order);
}

int exit_worse(int left, int right)
{
    return severity(left) >= severity(right) ? left : right;
}

void add_setting(struct argp_state *state, const char **sets, uint32_t limit, uint32_t *count,
                 const char *setting)
{
    if (*count == limit) {
        argp_error(state, "too many --set");
    }
    sets[(*count)++] = setting;
}

uint64_t parse_count(struct argp_state *state, const char *text, uint64_t maximum)
{
    struct err err = {0};
    uint64_t value = 0;
    if (!units_u64(text, &value, &err)) {
        argp_error(state, "%s", err.text);
    }
    if (value < 1 || value > maximum) {
        argp_error(state, "'%s' is not in 1 .. %llu", text, (unsigned long long)maximum);
    }
    return value;
}

uint32_t parse_jobs(struct argp_state *state, const char *text)
{
    return (uint32_t)parse_count(state, text, JOBS_MAX);
}

int64_t parse_deadline(struct argp_state *state, const char *text)
{
    struct err err = {0};
    int64_t budget_ns = 0;
    if (!units_duration(text, &budget_ns, &err)) {
        argp_error(state, "--time-budget: %s", err.text);
    }
    int64_t now_ns = real_wall_ns();
    return budget_ns < INT64_MAX - now_ns ? now_ns + budget_ns : INT64_MAX;
}

uint32_t jobs_usual(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    return processors < 1 ? 1 : processors > JOBS_MAX ? JOBS_MAX : (uint32_t)processors;
}

void add_command_line(struct text *text, const char *command, char **argv)
{
    text_printf(text, "squall %s", command);
    for (uint32_t i = 1; argv[i] != NULL; i++) {
        text_printf(text, " %s", argv[i]);
    }
}

int fail(const struct err *err)
{
    fprintf(stderr, "squall: %s\n", err->text);
    return err->code == ERR_INPUT ? EXIT_USAGE : EXIT_INTERNAL;
}

/* ---------------------------------------------------------------------------------- the catalog */

static const char *model_names[64];

static bool is_path(const char *name)
{
    size_t length = strlen(name);
    return strchr(name, '/') != NULL || (length > 3 && strcmp(name + length - 3, ".so") == 0);
}

static const struct sq_model *load_plugin(const char *name, const char *base, struct err *err)
{
    char path[4096];
    bool is_relative = name[0] != '/' && base != NULL && base[0] != '\0';
    int length = snprintf(path, sizeof(path), "%s%s%s", is_relative ? base : "",
                          is_relative ? "/" : "", name);
    if (length < 0 || (size_t)length >= sizeof(path)) {
        err_set(err, ERR_INPUT, "path of plug-in '%s' is too long", name);
        return NULL;
    }
    if (strchr(path, '/') == NULL) {
        char local[4096];
        snprintf(local, sizeof(local), "./%.4000s", path);
        memcpy(path, local, strlen(local) + 1);
    }
    return plugin_load(path, err);
}

static const struct sq_model *find_model(void *context, const char *name, const char *base,
                                         struct err *err)
{
    (void)context;
    if (is_path(name)) {
        return load_plugin(name, base, err);
    }
    uint32_t count = 0;
    for (; models_builtin[count] != NULL; count++) {
        if (strcmp(models_builtin[count]->name, name) == 0) {
            return models_builtin[count];
        }
    }
    const char *nearest = text_nearest(name, model_names, count);
    if (nearest != NULL) {
        err_set(err, ERR_INPUT, "unknown model '%s'; did you mean '%s'?", name, nearest);
    } else {
        err_set(err, ERR_INPUT,
                "unknown model '%s'; `squall list models` shows them, './name.so' loads a plug-in",
                name);
    }
    return NULL;
}

const struct catalog *catalog_get(void)
{
    static struct catalog catalog;
    if (catalog.find_model == NULL) {
        for (uint32_t i = 0; models_builtin[i] != NULL; i++) {
            ASSERT(i + 1 < ARRAY_COUNT(model_names));
            model_names[i] = models_builtin[i]->name;
        }
        catalog = (struct catalog){NULL, find_model, model_names, checks_names, threshold_check};
    }
    return &catalog;
}

/* ------------------------------------------------------------------------------------ scenarios */

/* A name stands for itself, and then for a file of the shipped scenarios. */
static bool is_file(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && !S_ISDIR(status.st_mode);
}

const char *installed_scenarios(void)
{
    static char folder[4200];
    char program[4096];
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
    program[length > 0 ? length : 0] = '\0';
    for (uint32_t i = 0; i < 2; i++) { /* PREFIX/bin/squall */
        char *slash = strrchr(program, '/');
        *(slash != NULL ? slash : program) = '\0';
    }
    snprintf(folder, sizeof(folder), "%s/share/squall/scenarios", program);
    return folder;
}

/* The first file, in order of name, that fits the pattern of the shell. */
static bool find_by_pattern(const char *pattern, char *path, size_t size)
{
    glob_t found;
    bool is_found = glob(pattern, GLOB_NOESCAPE, NULL, &found) == 0 && is_file(found.gl_pathv[0]) &&
                    strlen(found.gl_pathv[0]) < size;
    if (is_found) {
        memcpy(path, found.gl_pathv[0], strlen(found.gl_pathv[0]) + 1);
    }
    globfree(&found);
    return is_found;
}

/* `name` itself where there is no such file: opening it will say so. */
static const char *find_scenario(const char *name, char *path, size_t size)
{
    if (is_file(name)) {
        return name;
    }
    int length = snprintf(path, size, "%s.yaml", name);
    if (length > 0 && (size_t)length < size && is_file(path)) {
        return path;
    }
    static const char *const middles[] = {"", "", "*/", "*/"};
    static const char *const endings[] = {"", ".yaml", "", ".yaml"};
    const char *const folders[] = {"scenarios", installed_scenarios()};
    for (uint32_t i = 0; name[0] != '\0' && i < 2 * ARRAY_COUNT(middles); i++) {
        char pattern[8192];
        length =
            snprintf(pattern, sizeof(pattern), "%s/%s%s%s", folders[i / ARRAY_COUNT(middles)],
                     middles[i % ARRAY_COUNT(middles)], name, endings[i % ARRAY_COUNT(middles)]);
        if (length > 0 && (size_t)length < sizeof(pattern) &&
            find_by_pattern(pattern, path, size)) {
            return path;
        }
    }
    return name;
}

static void prepare(const struct sq_model *model)
{
    static struct vec done; /* const struct sq_model * */
    if (done.item_size == 0) {
        vec_init(&done, sizeof(model), 1024);
    }
    for (uint32_t i = 0; i < done.count; i++) {
        if (*(const struct sq_model **)vec_at(&done, i) == model) {
            return;
        }
    }
    vec_append(&done, &model);
    if (model->prepare != NULL) {
        model->prepare();
    }
}

/* Only the models that will run: one that an override replaces may configure the same library. */
static void prepare_models(const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->cell_count; i++) {
        const struct run_spec *spec = &plan->cells[i].spec;
        for (uint32_t j = 0; j < spec->group_count; j++) {
            prepare(spec->groups[j].model);
        }
    }
}

/* What estimators can do is known without running them. */
static bool check_fleets(const struct plan *plan, struct diag *diag)
{
    for (uint32_t i = 0; i < plan->cell_count && diag->kept < DIAG_MAX; i++) {
        const struct spec_fleet *fleet = &plan->cells[i].spec.fleet;
        struct err err = {0};
        if (fleet->is_asked && !estimate_check(fleet, &err)) {
            diag_error(diag, fleet->place, 1, "%s", err.text);
        }
    }
    return diag->count == 0;
}

int open_plan(struct opened *opened, const char *path, const struct plan_options *options)
{
    static char found[4096];
    struct diag diag;
    diag_init(&diag);
    int status = EXIT_USAGE;
    opened->scenario =
        scenario_load(find_scenario(path, found, sizeof(found)), catalog_get(), &diag);
    if (opened->scenario != NULL) {
        const bool is_built = plan_build(&opened->plan, opened->scenario, options, &diag);
        if (is_built && check_fleets(&opened->plan, &diag)) {
            prepare_models(&opened->plan);
            status = EXIT_HELD;
        } else {
            if (is_built) {
                plan_release(&opened->plan);
            }
            scenario_free(opened->scenario);
        }
    }
    diag_print(&diag, stderr);
    diag_release(&diag);
    return status;
}

void close_plan(struct opened *opened)
{
    plan_release(&opened->plan);
    scenario_free(opened->scenario);
}

/* ---------------------------------------------------------------------------------- the machine */

const char *build_version(void)
{
    static char version[64];
    if (version[0] != '\0') {
        return version;
    }
    uint64_t digest = 0;
    FILE *file = fopen("/proc/self/exe", "rb");
    if (file != NULL) {
        static char chunk[65536];
        for (size_t got = fread(chunk, 1, sizeof(chunk), file); got > 0;
             got = fread(chunk, 1, sizeof(chunk), file)) {
            digest = hash_mix(digest, hash_bytes(chunk, got));
        }
        fclose(file);
    }
    snprintf(version, sizeof(version), "%s (build %016llx)", SQUALL_VERSION,
             (unsigned long long)digest);
    return version;
}

static int64_t clock_ns(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t real_wall_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

int64_t real_cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}
