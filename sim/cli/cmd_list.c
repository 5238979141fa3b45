/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * squall list: what there is to choose from. */
#include "sim/cli/cli.h"

#include "analysis/judge.h"
#include "analysis/metastability.h"
#include "models/models.h"
#include "sim/base/base.h"
#include "sim/base/text.h"

#include <argp.h>
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char doc[] = "Lists models, checks, probes or scenarios.\v"
                          "`squall explain model.NAME` shows a model's options.";

struct arguments {
    const char *what;
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    if (key == ARGP_KEY_ARG && state->arg_num == 0) {
        arguments->what = argument;
        return 0;
    }
    if (key == ARGP_KEY_NO_ARGS || (key == ARGP_KEY_ARG && state->arg_num > 0)) {
        argp_usage(state);
    }
    return ARGP_ERR_UNKNOWN;
}

static void list_models(void)
{
    for (uint32_t i = 0; models_builtin[i] != NULL; i++) {
        const struct sq_model *model = models_builtin[i];
        printf("%-16s %s\n%-16s (%s)\n", model->name, model->description, "", model->version);
    }
}

static void list_names(const char *const *names)
{
    for (; *names != NULL; names++) {
        const char *description = checks_description(*names);
        printf("%-28s %s\n", *names, description != NULL ? description : "");
    }
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* Scenario files below `folder`, in order of name; folders nest at most twice. */
static void list_folder(const char *folder, struct arena *arena, uint32_t depth)
{
    DIR *stream = opendir(folder);
    if (stream == NULL) {
        return;
    }
    struct vec names;
    vec_init(&names, sizeof(char *), 100000);
    for (struct dirent *entry = readdir(stream); entry != NULL; entry = readdir(stream)) {
        if (entry->d_name[0] != '.') {
            char *path = arena_printf(arena, "%s/%s", folder, entry->d_name);
            vec_append(&names, &path);
        }
    }
    closedir(stream);
    vec_sort(&names, compare_names);
    for (uint32_t i = 0; i < names.count; i++) {
        const char *path = *(char **)vec_at(&names, i);
        struct stat status;
        if (stat(path, &status) == 0 && S_ISDIR(status.st_mode) && depth < 2) {
            list_folder(path, arena, depth + 1);
        } else if (text_glob("*.yaml", path)) {
            printf("%s\n", path);
        }
    }
    vec_release(&names);
}

int cmd_list(int argc, char **argv)
{
    static const struct argp argp = {NULL, parse, "models|checks|probes|scenarios", doc, NULL,
                                     NULL, NULL};
    static const char *const kinds[] = {"models", "checks", "probes", "scenarios"};
    struct arguments arguments = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    if (strcmp(arguments.what, "models") == 0) {
        list_models();
    } else if (strcmp(arguments.what, "checks") == 0) {
        list_names(checks_names);
        printf("%-28s %s\n", "recovers", checks_description("recovers"));
        for (uint32_t i = 0; metastability_checks[i] != NULL; i++) {
            printf("%-28s %s ('metastability')\n", metastability_checks[i],
                   metastability_description(metastability_checks[i]));
        }
    } else if (strcmp(arguments.what, "probes") == 0) {
        list_names(checks_probes);
    } else if (strcmp(arguments.what, "scenarios") == 0) {
        struct arena arena;
        arena_init(&arena);
        bool is_here = access("scenarios", R_OK) == 0;
        list_folder(is_here ? "scenarios" : installed_scenarios(), &arena, 0);
        arena_release(&arena);
    } else {
        const char *nearest = text_nearest(arguments.what, kinds, ARRAY_COUNT(kinds));
        fprintf(stderr, "squall: cannot list '%s'%s%s%s\n", arguments.what,
                nearest != NULL ? "; did you mean '" : "", nearest != NULL ? nearest : "",
                nearest != NULL ? "'?" : "; try models, checks, probes, scenarios");
        return EXIT_USAGE;
    }
    return EXIT_HELD;
}
