/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * squall doctor: the determinism clinic. One seed is replayed in processes that differ in
 * everything that must not matter; all event records are compared, and the first that differs is
 * named. Then a few seeds are run with one worker and with many, and the digests of the result
 * files are compared. */
#include "sim/cli/cli.h"

#include "analysis/results.h"
#include "sim/base/base.h"
#include "sim/base/text.h"
#include "sim/base/units.h"
#include "sim/cli/trace_text.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char doc[] =
    "Replays one seed under different surroundings and says whether anything leaks into the run.\v"
    "Exit status 0: nothing does; 4: something does, and the first event that differs is shown.";
enum { KEY_SET = 256 };

static const struct argp_option options[] = {
    {"seed", 's', "SEED", 0, "the seed (default 1)", 0},
    {"seeds", 's', NULL, OPTION_ALIAS | OPTION_HIDDEN, NULL, 0},
    {"set", KEY_SET, "PATH=VALUE", 0, "override a key of the scenario", 0},
    {0},
};

struct arguments {
    const char *scenario;
    const char *seed;
    const char *sets[32];
    uint32_t set_count;
};

/* A way in which a process can differ. Variables are "NAME=VALUE". */
struct variant {
    const char *name;
    const char *variables[4];
    const char *flags[4];
};

static const struct variant variants[] = {
    {"as it is", {NULL}, {NULL}},
    {"address randomisation on, other heap addresses", {"SQUALL_KEEP_ASLR=1"}, {"--heap-slot=9"}},
    {"node memory filled with 0x00", {"MALLOC_PERTURB_=0"}, {"--heap-fill=0"}},
    {"node memory filled with 0xaa", {"MALLOC_PERTURB_=170"}, {"--heap-fill=170"}},
    {"another time zone, language and home",
     {"TZ=Asia/Kathmandu", "LC_ALL=tr_TR.UTF-8", "HOME=/nonexistent"},
     {NULL}},
    {"processor without FMA and AVX2",
     {"GLIBC_TUNABLES=glibc.cpu.hwcaps=-FMA,-AVX2,-AVX2_Usable,-FMA_Usable"},
     {NULL}},
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case 's':
        arguments->seed = argument;
        return 0;
    case KEY_SET:
        add_setting(state, arguments->sets, ARRAY_COUNT(arguments->sets), &arguments->set_count,
                    argument);
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) {
            argp_usage(state);
        }
        arguments->scenario = argument;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "no scenario given");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Runs this program with `words`; its output goes nowhere, its complaints to stderr unless it
 * `is_silent`. Returns the exit status, or -1. */
static int run_self(const char *const *words, const char *const *variables, bool is_silent)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        for (; variables != NULL && *variables != NULL; variables++) {
            char *copy = strdup(*variables);
            ASSERT(copy != NULL);
            putenv(copy);
        }
        int nowhere = open("/dev/null", O_WRONLY);
        dup2(nowhere, STDOUT_FILENO);
        if (is_silent) {
            dup2(nowhere, STDERR_FILENO);
        }
        execv("/proc/self/exe", (char *const *)(uintptr_t)words);
        _exit(127);
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status)) {
        return -1;
    }
    return WEXITSTATUS(status);
}

static int record_variant(const struct arguments *arguments, const struct variant *variant,
                          const char *path)
{
    const char *words[128] = {"squall",       "replay", arguments->scenario, "--out",
                              "/nonexistent", "--seed", arguments->seed};
    uint32_t count = 7;
    words[count++] = "--record";
    words[count++] = path;
    for (uint32_t i = 0; i < arguments->set_count; i++) {
        words[count++] = "--set";
        words[count++] = arguments->sets[i];
    }
    for (uint32_t i = 0; variant->flags[i] != NULL; i++) {
        words[count++] = variant->flags[i];
    }
    words[count] = NULL;
    return run_self(words, variant->variables, variant != variants);
}

static bool same_record(const struct trace_record *left, const struct trace_record *right)
{
    return left->time_ns == right->time_ns && left->kind == right->kind &&
           left->node == right->node && left->word == right->word && left->extra == right->extra;
}

static void show_record(const char *whose, const struct trace_record *record, bool is_there)
{
    if (!is_there) {
        printf("    %s: no such event\n", whose);
        return;
    }
    char when[32];
    printf("    %s: at %s, node %d, %s %016llx %016llx\n", whose,
           units_format_duration(record->time_ns, when, sizeof(when)), (int)record->node,
           trace_kind_name(record->kind), (unsigned long long)record->word,
           (unsigned long long)record->extra);
}

/* Prints the command that shows what happens around `time_ns`. */
static void show_command(const struct arguments *arguments, int64_t time_ns)
{
    printf("    look: squall replay %s", arguments->scenario);
    for (uint32_t i = 0; i < arguments->set_count; i++) {
        printf(" --set '%s'", arguments->sets[i]);
    }
    printf(" --seed %s --trace text --from %lldns --until %lldns\n", arguments->seed,
           (long long)time_ns, (long long)time_ns + 1);
}

/* Prints the first difference; true when there is none. */
static bool compare_files(const struct arguments *arguments, const char *left_path,
                          const char *right_path, uint64_t *events)
{
    FILE *left = fopen(left_path, "rb");
    FILE *right = fopen(right_path, "rb");
    bool is_same = left != NULL && right != NULL;
    bool is_more = is_same;
    *events = 0;
    while (is_more) {
        struct trace_record a;
        struct trace_record b;
        bool has_a = fread(&a, sizeof(a), 1, left) == 1;
        bool has_b = fread(&b, sizeof(b), 1, right) == 1;
        is_more = has_a && has_b;
        if (has_a != has_b || (has_a && !same_record(&a, &b))) {
            printf("DIFFERS at record %llu:\n", (unsigned long long)*events + 1);
            show_record("as it is ", &a, has_a);
            show_record("here     ", &b, has_b);
            show_command(arguments, has_a ? a.time_ns : b.time_ns);
            is_same = false;
            is_more = false;
        }
        *events += is_more ? 1 : 0;
    }
    if (left != NULL) {
        fclose(left);
    }
    if (right != NULL) {
        fclose(right);
    }
    return is_same;
}

static bool digest_of(const char *folder, char hex[17], struct err *err)
{
    char path[4200];
    snprintf(path, sizeof(path), "%s/results.sqlite", folder);
    struct results *results = results_open(path, RESULTS_READ, err);
    bool is_fine = results != NULL && results_digest(results, hex, err);
    struct err later;
    results_close(results, &later);
    return is_fine;
}

static int compare_jobs(const struct arguments *arguments, const char *folder)
{
    char digests[2][17];
    const char *const jobs[] = {"-j1", "-j4"};
    for (uint32_t i = 0; i < 2; i++) {
        char out[4100];
        snprintf(out, sizeof(out), "%s/%s", folder, jobs[i] + 1);
        const char *words[128] = {"squall",  "run",    arguments->scenario,
                                  "--quiet", "--seed", "1..8",
                                  jobs[i],   "--out",  out};
        uint32_t count = 9;
        for (uint32_t k = 0; k < arguments->set_count; k++) {
            words[count++] = "--set";
            words[count++] = arguments->sets[k];
        }
        words[count] = NULL;
        int status = run_self(words, NULL, true);
        struct err err = {0};
        if (status < 0 || status == EXIT_USAGE || status == EXIT_INTERNAL ||
            !digest_of(out, digests[i], &err)) {
            printf("  %-50s could not be run (status %d) %s\n", "8 seeds with -j1 and -j4", status,
                   err.text);
            return EXIT_INTERNAL;
        }
    }
    bool is_same = strcmp(digests[0], digests[1]) == 0;
    printf("  %-50s %s\n", "8 seeds with -j1 and -j4", is_same ? "same results" : "RESULTS DIFFER");
    return is_same ? EXIT_HELD : EXIT_NONDETERMINISM;
}

static int examine(const struct arguments *arguments, const char *folder)
{
    int status = EXIT_HELD;
    char base[4100];
    snprintf(base, sizeof(base), "%s/0", folder);
    for (uint32_t i = 0; i < ARRAY_COUNT(variants); i++) {
        char path[4100];
        snprintf(path, sizeof(path), "%s/%u", folder, i);
        int one = record_variant(arguments, &variants[i], path);
        if (one == EXIT_USAGE) {
            return one;
        }
        if (one < 0 || one == EXIT_INTERNAL || one >= 126) {
            printf("  %-50s could not be run (status %d)\n", variants[i].name, one);
            return EXIT_INTERNAL;
        }
        printf("  %-50s ", variants[i].name);
        uint64_t events = 0;
        if (compare_files(arguments, base, path, &events)) {
            printf("same %llu records\n", (unsigned long long)events);
        } else {
            status = EXIT_NONDETERMINISM;
        }
        if (i > 0) {
            unlink(path);
        }
    }
    return exit_worse(status, compare_jobs(arguments, folder));
}

static void remove_folder(const char *folder)
{
    static const char *const files[] = {"j1/results.sqlite", "j4/results.sqlite", "j1", "j4", "0"};
    for (uint32_t i = 0; i < ARRAY_COUNT(files); i++) {
        char path[4200];
        snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
        if (unlink(path) != 0) {
            rmdir(path);
        }
    }
    rmdir(folder);
}

int cmd_doctor(int argc, char **argv)
{
    static const struct argp argp = {options, parse, "SCENARIO", doc, NULL, NULL, NULL};
    struct arguments arguments = {.seed = "1"};
    argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    const char *temporary = getenv("TMPDIR");
    char folder[4000];
    snprintf(folder, sizeof(folder), "%s/squall-doctor-XXXXXX",
             temporary != NULL ? temporary : "/tmp");
    if (mkdtemp(folder) == NULL) {
        struct err err = {0};
        err_set(&err, ERR_SYSTEM, "cannot make a folder in '%s': %s",
                temporary != NULL ? temporary : "/tmp", strerror(errno));
        return fail(&err);
    }
    printf("%s, seed %s\n", arguments.scenario, arguments.seed);
    int status = examine(&arguments, folder);
    remove_folder(folder);
    if (status == EXIT_HELD) {
        printf("deterministic: nothing leaked\n");
    } else if (status == EXIT_NONDETERMINISM) {
        printf("NONDETERMINISM (exit 4)\n");
    }
    return status;
}
