/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Fuzzer of the scenario parser:  fuzz ITERATIONS SEED FOLDER... [--only N]
 *
 * The corpus is every .yaml file below the folders. Each iteration takes one, mutates bytes, lines
 * and words, and loads, plans, prints and reloads the result. Nothing may crash, leak, hang or
 * trip an assertion or a sanitizer, and what is accepted must have a canonical text that loads to
 * itself. Iteration N is a function of SEED and N alone: a finding prints the command that repeats
 * it, and `--only N` also prints the input. */
#include "analysis/judge.h"
#include "analysis/threshold.h"
#include "models/models.h"
#include "sim/base/rng.h"
#include "sim/base/vec.h"
#include "sim/input/plan.h"
#include "sim/input/schema.h"
#include "tests/unit/input_catalog.h"

#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CORPUS_MAX     1000
#define FILE_BYTES_MAX ((size_t)1 << 18)
#define DEPTH_MAX      8
#define CELLS_MAX      40
#define SECONDS_MAX    30

struct sample {
    char *name;
    char *text;
    size_t size;
};

struct fuzz {
    struct vec corpus; /* struct sample */
    struct rng rng;
    struct text input;
    uint64_t accepted;
    uint64_t planned;
    FILE *null;
};

/* What the signal handler says. */
static volatile uint64_t current_iteration;
static volatile uint64_t current_seed;

/* Sanitizers abort, so that the handler can name the iteration. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
__attribute__((visibility("default"))) const char *__asan_default_options(void)
{
    return "abort_on_error=1";
}

static void on_signal(int number)
{
    char line[160];
    int length = snprintf(line, sizeof(line),
                          "fuzz: signal %d in iteration %" PRIu64 "; repeat with: fuzz 1 %" PRIu64
                          " FOLDER --only %" PRIu64 "\n",
                          number, current_iteration, current_seed, current_iteration);
    ssize_t written = write(STDERR_FILENO, line, (size_t)length);
    (void)written;
    signal(number, SIG_DFL);
    raise(number);
}

/* The models and checks that squall ships, so that its scenarios are accepted; no plug-ins. */
static const struct sq_model *find_any(void *context, const char *name, const char *base,
                                       struct err *err)
{
    for (uint32_t index = 0; models_builtin[index] != NULL; index++) {
        if (strcmp(models_builtin[index]->name, name) == 0) {
            return models_builtin[index];
        }
    }
    return catalog_find(context, name, base, err);
}

static struct catalog catalog = {
    .find_model = find_any, .model_names = catalog_models, .check_threshold = threshold_check};

/* ---------------------------------------------------------------------------------- the corpus */

static void add_file(struct fuzz *fuzz, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return;
    }
    char *text = malloc(FILE_BYTES_MAX);
    ASSERT(text != NULL);
    size_t size = fread(text, 1, FILE_BYTES_MAX, file);
    fclose(file);
    struct sample sample = {strdup(path), text, size};
    vec_append(&fuzz->corpus, &sample);
}

/* Recursive over folders, DEPTH_MAX deep. */
static void add_folder(struct fuzz *fuzz, const char *path, uint32_t depth)
{
    struct dirent **entries = NULL;
    int count = depth > DEPTH_MAX ? 0 : scandir(path, &entries, NULL, alphasort);
    for (int index = 0; index < count; index++) {
        const char *name = entries[index]->d_name;
        char below[1024];
        snprintf(below, sizeof(below), "%s/%s", path, name);
        struct stat status;
        size_t length = strlen(name);
        bool is_there = name[0] != '.' && stat(below, &status) == 0;
        if (is_there && S_ISDIR(status.st_mode)) {
            add_folder(fuzz, below, depth + 1);
        } else if (is_there && length > 5 && strcmp(name + length - 5, ".yaml") == 0 &&
                   fuzz->corpus.count < CORPUS_MAX) {
            add_file(fuzz, below);
        }
        free(entries[index]);
    }
    free(entries);
}

/* ---------------------------------------------------------------------------------- mutations */

/* Words that mean something somewhere, or look as if they did. */
static const char *const words[] = {
    "5ms",
    "0",
    "-1",
    "5",
    "100%",
    "0.0001%",
    "1e9",
    "forever",
    "none",
    "unlimited",
    "true",
    "null",
    "~",
    "[]",
    "{}",
    "[[[[[[",
    "{a: ",
    "&a ",
    "*a",
    "<<: *a",
    "!!int ",
    "? ",
    "- ",
    ": ",
    "\"",
    "'",
    "#",
    "|",
    ">",
    "---\n",
    "...\n",
    "%YAML 9.9\n",
    "sweep:\n  system.nodes: [1, 2]\n",
    "extends: base.yaml\n",
    "n1",
    "zone=a",
    "99999999999999999999",
    "9223372036854775807",
    "proportional(20%)",
    "1..5",
    "{median: 1ms, p99: 5ms}",
    "{mean: 1s}",
    "{points: [{at: 0%, value: 0s}, {at: 100%, value: 1s}]}",
    "365d",
    "3650d",
    "1ns",
    "\xc3\xa4",
    "\xff",
    "\xe2\x80\xa8",
    "preset: grpc",
    "between: [1s, 2s]",
    "every: 1ns",
    "kind: NodeChaos",
    "kind: LoadChaos, factor: 150%",
    "kind: ClientChaos, client: {retry: {preset: envoy}}",
    "kind: StressChaos, action: capacity, factor: 0%",
    "kind: AppChaos, signal: flush",
    "mode: rolling, interval: 1s, batch: 25%",
    "zip:\n  a: [system.nodes]\n",
    "executor: ramping-vus",
    "p(99) < 5ms",
    "rate < 0.1% @ 95%",
    "64",
    "65",
    "0x40",
    "16777216",
    "1000/s",
    "1x",
    "\t",
};

static uint64_t below(struct fuzz *fuzz, uint64_t bound)
{
    return rng_below(&fuzz->rng, bound);
}

/* Replaces `count` bytes at `at` by other bytes. */
static void splice(struct fuzz *fuzz, size_t at, size_t count, const char *with, size_t size)
{
    struct text next;
    text_init(&next);
    text_add_bytes(&next, fuzz->input.data, at);
    text_add_bytes(&next, with, size);
    text_add_bytes(&next, fuzz->input.data + at + count, fuzz->input.length - at - count);
    text_release(&fuzz->input);
    fuzz->input = next;
}

/* Start and length of a random line, its end included. */
static size_t pick_line(struct fuzz *fuzz, size_t *length)
{
    const char *data = fuzz->input.data;
    size_t at = below(fuzz, fuzz->input.length);
    while (at > 0 && data[at - 1] != '\n') {
        at--;
    }
    const char *end = memchr(data + at, '\n', fuzz->input.length - at);
    *length = end == NULL ? fuzz->input.length - at : (size_t)(end - data) + 1 - at;
    return at;
}

/* Start and length of a random word: what stands between blanks and punctuation. */
static size_t pick_word(struct fuzz *fuzz, size_t *length)
{
    static const char stops[] = " \n:,[]{}\"";
    const char *data = fuzz->input.data;
    size_t at = below(fuzz, fuzz->input.length);
    while (at > 0 && strchr(stops, data[at - 1]) == NULL) {
        at--;
    }
    *length = 0;
    while (at + *length < fuzz->input.length && strchr(stops, data[at + *length]) == NULL) {
        (*length)++;
    }
    return at;
}

static void mutate_bytes(struct fuzz *fuzz)
{
    size_t at = below(fuzz, fuzz->input.length);
    char byte = (char)below(fuzz, 256);
    switch (below(fuzz, 4)) {
    case 0:
        fuzz->input.data[at] = byte;
        return;
    case 1:
        splice(fuzz, at, 0, &byte, 1);
        return;
    case 2:
        splice(fuzz, at, 1 + below(fuzz, fuzz->input.length - at), "", 0);
        return;
    default:
        fuzz->input.data[at] = (char)(fuzz->input.data[at] ^ (1 << below(fuzz, 7)));
        return;
    }
}

static void mutate_lines(struct fuzz *fuzz)
{
    size_t length = 0;
    size_t at = pick_line(fuzz, &length);
    char *line = strndup(fuzz->input.data + at, length);
    ASSERT(line != NULL);
    uint64_t what = below(fuzz, 3);
    if (what != 2) {
        splice(fuzz, at, length, "", 0);
    }
    if (what != 0 && fuzz->input.length > 0) {
        size_t ignored = 0;
        size_t to = pick_line(fuzz, &ignored);
        splice(fuzz, to, 0, line, strlen(line));
    }
    free(line);
}

static void mutate_words(struct fuzz *fuzz)
{
    size_t length = 0;
    size_t at = pick_word(fuzz, &length);
    if (below(fuzz, 2) == 0) {
        const char *word = words[below(fuzz, ARRAY_COUNT(words))];
        splice(fuzz, at, length, word, strlen(word));
        return;
    }
    size_t other_length = 0;
    size_t other = pick_word(fuzz, &other_length);
    char *copy = strndup(fuzz->input.data + other, other_length);
    ASSERT(copy != NULL);
    splice(fuzz, at, length, copy, strlen(copy));
    free(copy);
}

/* A stretch of another file, put at a line. */
static void mutate_cross(struct fuzz *fuzz)
{
    const struct sample *other = vec_at(&fuzz->corpus, (uint32_t)below(fuzz, fuzz->corpus.count));
    if (other->size == 0) {
        return;
    }
    size_t from = below(fuzz, other->size);
    size_t size = below(fuzz, other->size - from) + 1;
    size_t ignored = 0;
    size_t at = pick_line(fuzz, &ignored);
    splice(fuzz, at, 0, other->text + from, size);
}

static void make_input(struct fuzz *fuzz)
{
    const struct sample *sample = vec_at(&fuzz->corpus, (uint32_t)below(fuzz, fuzz->corpus.count));
    text_clear(&fuzz->input);
    text_add_bytes(&fuzz->input, sample->text, sample->size);
    uint64_t count = below(fuzz, 2) == 0 ? 1 : 1 + below(fuzz, 6);
    for (uint64_t index = 0; index < count && fuzz->input.length > 0; index++) {
        uint64_t what = below(fuzz, 16);
        if (what < 3) {
            mutate_bytes(fuzz);
        } else if (what < 7) {
            mutate_lines(fuzz);
        } else if (what < 15) {
            mutate_words(fuzz);
        } else {
            mutate_cross(fuzz);
        }
        if (fuzz->input.length > FILE_BYTES_MAX) {
            fuzz->input.length = FILE_BYTES_MAX;
        }
    }
}

/* ---------------------------------------------------------------------------------- the target */

/* The canonical text must load, and to itself. */
static void check_canonical(const char *canonical)
{
    struct diag diag;
    struct arena arena;
    diag_init(&diag);
    arena_init(&arena);
    size_t size = strlen(canonical);
    struct scenario *again = scenario_parse("canonical.yaml", canonical, size, &catalog, &diag);
    if (again == NULL) {
        fputs(canonical, stderr);
        diag_print(&diag, stderr);
    }
    ASSERT(again != NULL);
    struct run_spec spec;
    bool is_compiled = scenario_compile(again, NULL, 0, &arena, &spec, &diag);
    ASSERT(is_compiled);
    ASSERT(strcmp(spec.canonical, canonical) == 0);
    scenario_free(again);
    arena_release(&arena);
    diag_release(&diag);
}

static uint64_t count_cells(const struct scenario *scenario)
{
    uint32_t count = 0;
    const struct scenario_axis *axes = scenario_axes(scenario, &count);
    uint64_t cells = 1;
    for (uint32_t index = 0; index < count && cells <= CELLS_MAX; index++) {
        cells *= axes[index].value_count;
    }
    return cells;
}

/* Plans with an override made of words of the input. */
static void try_plan(struct fuzz *fuzz, const struct scenario *scenario)
{
    static const char *const paths[] = {"system.nodes",
                                        "client.retry.preset",
                                        "faults[0].duration",
                                        "network.default.loss.loss",
                                        "load",
                                        "system.options.acks",
                                        "checks[0]",
                                        "time.limit",
                                        "faults",
                                        "labels.a"};
    char set[128];
    snprintf(set, sizeof(set), "%s=%s", paths[below(fuzz, ARRAY_COUNT(paths))],
             words[below(fuzz, ARRAY_COUNT(words))]);
    const char *const sets[] = {set};
    struct plan_options options = {
        .sets = sets, .set_count = (uint32_t)below(fuzz, 2), .is_quick = true};
    struct diag diag;
    diag_init(&diag);
    struct plan plan;
    if (plan_build(&plan, scenario, &options, &diag)) {
        fuzz->planned++;
        for (uint32_t index = 0; index < plan.cell_count && index < 2; index++) {
            check_canonical(plan.cells[index].spec.canonical);
        }
        ASSERT(plan.seed_count > 0);
        plan_release(&plan);
    } else {
        ASSERT(diag.count > 0);
    }
    diag_print(&diag, fuzz->null);
    diag_release(&diag);
}

static void run_iteration(struct fuzz *fuzz, uint64_t seed, uint64_t iteration, bool is_shown)
{
    current_iteration = iteration;
    char name[32];
    snprintf(name, sizeof(name), "%" PRIu64, iteration);
    fuzz->rng = rng_stream(seed, name, 0, "fuzz");
    make_input(fuzz);
    if (is_shown) {
        fwrite(text_of(&fuzz->input), 1, fuzz->input.length, stdout);
        fflush(stdout);
    }
    alarm(SECONDS_MAX);
    struct diag diag;
    diag_init(&diag);
    struct scenario *scenario =
        scenario_parse("input.yaml", text_of(&fuzz->input), fuzz->input.length, &catalog, &diag);
    ASSERT((scenario == NULL) == (diag.count > 0));
    diag_print(&diag, is_shown ? stderr : fuzz->null);
    diag_release(&diag);
    if (scenario != NULL) {
        fuzz->accepted++;
        if (count_cells(scenario) <= CELLS_MAX) {
            try_plan(fuzz, scenario);
        }
    }
    scenario_free(scenario);
    alarm(0);
}

int main(int argc, char **argv)
{
    struct fuzz fuzz = {.null = fopen("/dev/null", "w")};
    vec_init(&fuzz.corpus, sizeof(struct sample), CORPUS_MAX);
    text_init(&fuzz.input);
    const char *only = NULL;
    for (int index = 3; index < argc; index++) {
        if (strcmp(argv[index], "--only") == 0 && index + 1 < argc) {
            only = argv[++index];
        } else {
            add_folder(&fuzz, argv[index], 0);
        }
    }
    if (fuzz.null == NULL || fuzz.corpus.count == 0) {
        fprintf(stderr, "usage: fuzz ITERATIONS SEED FOLDER... [--only N]\n");
        return 2;
    }
    uint64_t count = strtoull(argv[1], NULL, 0);
    uint64_t seed = strtoull(argv[2], NULL, 0);
    current_seed = seed;
    catalog.check_names = checks_names;
    signal(SIGABRT, on_signal);
    signal(SIGALRM, on_signal);
    signal(SIGSEGV, on_signal);
    if (only != NULL) {
        run_iteration(&fuzz, seed, strtoull(only, NULL, 0), true);
        count = 0;
    }
    for (uint64_t iteration = 0; iteration < count; iteration++) {
        run_iteration(&fuzz, seed, iteration, false);
    }
    printf("fuzz: %" PRIu64 " iterations over %" PRIu32 " files, %" PRIu64 " accepted, %" PRIu64
           " planned\n",
           count, fuzz.corpus.count, fuzz.accepted, fuzz.planned);
    for (uint32_t index = 0; index < fuzz.corpus.count; index++) {
        struct sample *sample = vec_at(&fuzz.corpus, index);
        free(sample->name);
        free(sample->text);
    }
    vec_release(&fuzz.corpus);
    text_release(&fuzz.input);
    fclose(fuzz.null);
    return 0;
}
