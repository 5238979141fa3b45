/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * squall: the program. A table of commands; each has its own file and its own --help. */
#include "sim/cli/cli.h"

#include "sim/base/base.h"
#include "sim/base/text.h"

#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <unistd.h>

const struct command commands[] = {
    {"run", "run the seeds of a scenario, judge, write results.sqlite", cmd_run},
    {"replay", "run one seed again, exactly; compare its digest; trace it", cmd_replay},
    {"report", "plots and tables of a results file", cmd_report},
    {"map", "which triggers stick at which load: a heat map, beside theory", cmd_map},
    {"tip", "the smallest trigger that sticks, in each seed, beside theory", cmd_tip},
    {"predict", "what theory says: does a server with retries come back by itself?", cmd_predict},
    {"hysteresis", "the load climbs and comes down again: where does goodput go, and return?",
     cmd_hysteresis},
    {"recovery", "how long does it take to come back, the closer to the hidden capacity?",
     cmd_recovery},
    {"check", "validate scenarios; --normalise, --schema", cmd_check},
    {"list", "models, checks, scenarios", cmd_list},
    {"explain", "what a key of the scenario language means", cmd_explain},
    {"doctor", "look for nondeterminism in one seed", cmd_doctor},
    {NULL, NULL, NULL},
};

static void usage(FILE *out)
{
    fprintf(out, "Usage: squall COMMAND [OPTION...]\n"
                 "Runs real storage and replication code against faults, in virtual time.\n\n");
    for (const struct command *command = commands; command->name != NULL; command++) {
        fprintf(out, "  %-10s %s\n", command->name, command->summary);
    }
    fprintf(
        out,
        "\n`squall COMMAND --help` tells more. Exit status: 0 held, 1 a check failed, 2 usage or\n"
        "scenario error, 3 unknown, 4 nondeterminism, 5 squall's own failure, 99 only thresholds\n"
        "crossed, 130 interrupted.\n");
}

static int unknown_command(const char *name)
{
    const char *names[ARRAY_COUNT(commands)];
    uint32_t count = 0;
    for (const struct command *command = commands; command->name != NULL; command++) {
        names[count++] = command->name;
    }
    const char *nearest = text_nearest(name, names, count);
    fprintf(stderr, "squall: unknown command '%s'", name);
    if (nearest != NULL) {
        fprintf(stderr, "; did you mean '%s'?", nearest);
    }
    fprintf(stderr, "\nTry `squall --help`.\n");
    return EXIT_USAGE;
}

/* Pointers leak into the decisions of some libraries: where the kernel allows it, this program
 * runs itself again with address randomisation off, or with SQUALL_KEEP_ASLR, which doctor uses to
 * compare both, on: the setting is inherited. */
static void fix_addresses(char **argv)
{
    int persona = personality(0xffffffff);
    bool is_random_wanted = getenv("SQUALL_KEEP_ASLR") != NULL;
    if (persona < 0 || ((persona & ADDR_NO_RANDOMIZE) == 0) == is_random_wanted) {
        return;
    }
    int wanted = persona ^ ADDR_NO_RANDOMIZE;
    if (personality((unsigned long)wanted) >= 0 && personality(0xffffffff) == wanted) {
        execv("/proc/self/exe", argv);
    }
}

/* What was printed may be all that was wanted: a full disk behind it must not look like success. */
static int check_output(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) {
        return status;
    }
    fprintf(stderr, "squall: cannot write the output: %s\n", strerror(errno));
    return exit_worse(status, EXIT_INTERNAL);
}

int main(int argc, char **argv)
{
    fix_addresses(argv);
    signal(SIGXFSZ,
           SIG_IGN); /* a limit on the size of files is an error of write, and is reported */
    argp_err_exit_status = EXIT_USAGE;
    argp_program_version = "squall " SQUALL_VERSION;
    if (argc < 2) {
        usage(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        usage(stdout);
        return EXIT_HELD;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        printf("%s\n", argp_program_version);
        return EXIT_HELD;
    }
    for (const struct command *command = commands; command->name != NULL; command++) {
        if (strcmp(argv[1], command->name) == 0) {
            char name[64];
            snprintf(name, sizeof(name), "squall %s", command->name);
            argv[1] = name;
            return check_output(command->run(argc - 1, argv + 1));
        }
    }
    return unknown_command(argv[1]);
}
