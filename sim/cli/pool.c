/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Each worker is a child with one socket. The parent keeps a few orders ahead at every worker; the
 * child answers them in order. When a child dies, the first unanswered order is the one that
 * killed it: it becomes a result with verdict `error`, and the others go to a new child. What a
 * checker finds in the run as the scenario has it goes to the parent at once, as a result of its
 * own with one violation in it: if the process dies later, the error keeps what was found before.
 * Runs that violate nothing send nothing.
 *
 * Two watches end a run that does not come back to the event loop, where time.cpuLimit is looked
 * at; both send SIGPROF, which the parent reads as "hang". A timer of the child fires when the run
 * has used a second of processor time more than its limit. The parent looks at children that owe
 * an answer: one that only sleeps, and has used no processor time at all for as long as its run
 * may compute (and at least BLOCKED_TICKS_MIN), is blocked in a system call and would sleep for
 * ever. A child that is merely starved is runnable and not sleeping, so a busy machine kills
 * nothing. */
#include "sim/cli/pool.h"

#include "sim/base/base.h"
#include "sim/base/text.h"
#include "sim/base/units.h"
#include "sim/cli/arms.h"
#include "sim/cli/episodes.h"
#include "sim/cli/runner.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define AHEAD             8
#define IDLE_MS           100
#define JUDGE_S           600      /* processor time that judging may take */
#define TICK_NS           NS_PER_S /* between two looks at the workers */
#define BLOCKED_TICKS_MIN 5

struct answer {
    uint64_t number;
    uint64_t digest_again;
    uint64_t is_early; /* a violation, and the run goes on; else the result */
};

struct worker {
    pid_t pid; /* 0: not there */
    int socket;
    struct order orders[AHEAD]; /* unanswered, oldest first */
    uint32_t order_count;
    struct text input;      /* bytes of answers, not whole yet */
    struct vec seen;        /* struct result_violation: of the oldest order, so far */
    int64_t cpu_ns;         /* processor time at the last look */
    uint32_t blocked_ticks; /* looks in a row at which it slept and had used none */
};

struct pool {
    const struct pool_options *options;
    struct worker workers[JOBS_MAX];
    struct vec again; /* struct order: of dead workers */
    struct run_result result;
    bool is_exhausted;
    int64_t looked_ns; /* when the workers were looked at */
};

/* ------------------------------------------------------------------------------------ the child */

static bool write_all(int socket, const void *data, size_t size)
{
    const char *at = data;
    while (size > 0) {
        ssize_t wrote = send(socket, at, size, MSG_NOSIGNAL);
        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        if (wrote <= 0) {
            return false;
        }
        at += wrote;
        size -= (size_t)wrote;
    }
    return true;
}

static bool read_all(int socket, void *data, size_t size)
{
    char *at = data;
    while (size > 0) {
        ssize_t got = recv(socket, at, size, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return false;
        }
        at += got;
        size -= (size_t)got;
    }
    return true;
}

/* What a worker hands over. Not on the stack: violations are found on that of a fiber. */
struct mouth {
    int socket;
    uint64_t number; /* of the order */
    struct run_result early;
    struct vec bytes;
};

static void say(struct mouth *mouth, const struct run_result *result)
{
    vec_clear(&mouth->bytes);
    result_encode(result, &mouth->bytes);
}

static bool send_said(const struct mouth *mouth, const struct answer *answer)
{
    return write_all(mouth->socket, answer, sizeof(*answer)) &&
           write_all(mouth->socket, mouth->bytes.items, mouth->bytes.count);
}

/* A parent that is gone is noticed with the result. */
static void on_violation(void *context, const struct result_violation *violation)
{
    struct mouth *mouth = context;
    vec_clear(&mouth->early.violations);
    vec_append(&mouth->early.violations, violation);
    say(mouth, &mouth->early);
    send_said(mouth, &(struct answer){.number = mouth->number, .is_early = true});
}

/* Dies of SIGPROF once it has used so much more processor time; 0: never. */
static void watch(int64_t cpu_ns)
{
    struct itimerval timer = {.it_value = {cpu_ns / NS_PER_S, cpu_ns % NS_PER_S / 1000}};
    setitimer(ITIMER_PROF, &timer, NULL);
}

static void run_watched(struct runner *runner, const struct cell *cell, const struct run_spec *spec,
                        uint64_t seed, struct run_result *result)
{
    int64_t limit_ns = spec->cpu_limit_ns;
    watch(limit_ns > 0 ? limit_ns + NS_PER_S : 0);
    if (runner_estimate(spec, seed, result)) {
        watch(0);
        return;
    }
    int64_t started_ns = real_cpu_ns();
    runner_begin_spec(runner, cell, spec, seed);
    world_run(runner->world, INT64_MAX, UINT64_MAX);
    watch(JUDGE_S * NS_PER_S);
    runner_finish(runner, real_cpu_ns() - started_ns, result);
    watch(0);
}

struct order_run {
    struct runner *runner;
    const struct cell *cell;
    uint64_t seed;
};

static void run_arm(void *context, const struct run_spec *spec, struct run_result *result)
{
    struct order_run *run = context;
    run_watched(run->runner, run->cell, spec, run->seed, result);
}

static void run_episode(void *context, const struct run_spec *spec, uint64_t seed,
                        struct run_result *result)
{
    struct order_run *run = context;
    judge_keep_windows(run->runner->judge, JUDGE_WINDOWS_NONE);
    run_watched(run->runner, run->cell, spec, seed, result);
}

/* What a worker has besides its runner: for the further runs of an order, and to answer. */
struct helpers {
    struct arms arms;
    struct episodes episodes;
    struct mouth mouth;
};

/* The run of an order, with all arms or episodes when the scenario asks for them. */
static void run_order(struct runner *runner, struct helpers *helpers,
                      const struct pool_options *options, const struct order *order,
                      struct run_result *result)
{
    const struct cell *cell = &options->plan->cells[order->cell];
    const struct run_spec *spec = &cell->spec;
    enum judge_windows keep = order->keep_windows ? JUDGE_WINDOWS_ALL : options->windows;
    judge_keep_windows(runner->judge, spec->metastability.is_asked ? JUDGE_WINDOWS_ALL : keep);
    helpers->mouth.number = order->number;
    judge_on_violation(runner->judge, on_violation, &helpers->mouth);
    run_watched(runner, cell, spec, order->seed, result);
    judge_on_violation(runner->judge, NULL, NULL);
    struct order_run run = {runner, cell, order->seed};
    helpers->arms.control_key = cell->control_key;
    arms_run(&helpers->arms, spec, result, run_arm, &run);
    episodes_run(&helpers->episodes, cell, order->seed, result, run_episode, &run);
    bool is_kept = keep == JUDGE_WINDOWS_ALL ||
                   (keep == JUDGE_WINDOWS_FAILING && result->verdict != VERDICT_PASS);
    if (!is_kept) {
        vec_clear(&result->windows);
        vec_clear(&result->arm_windows);
    }
}

/* Digest of the same order run again; that of episodes is not in the run's own, so another one of
 * theirs must show in it. */
static uint64_t run_again(struct runner *runner, struct helpers *helpers, const struct cell *cell,
                          const struct order *order, struct run_result *result)
{
    const uint64_t digest = result->digest;
    const uint64_t episodes = episodes_digest(result);
    struct order_run run = {runner, cell, order->seed};
    run_watched(runner, cell, &cell->spec, order->seed, result);
    episodes_run(&helpers->episodes, cell, order->seed, result, run_episode, &run);
    if (digest == RUNNER_NO_DIGEST || result->digest == RUNNER_NO_DIGEST) {
        return digest;
    }
    return episodes_digest(result) == episodes ? result->digest : ~digest;
}

static _Noreturn void work(const struct pool_options *options, int socket)
{
    signal(SIGINT, SIG_IGN); /* the parent decides */
    signal(SIGPROF, SIG_DFL);
    struct runner runner;
    runner_init(&runner, options->sets, options->set_count);
    struct helpers *helpers = calloc(1, sizeof(*helpers));
    ASSERT(helpers != NULL);
    arms_init(&helpers->arms);
    episodes_init(&helpers->episodes, &runner);
    helpers->mouth.socket = socket;
    result_init(&helpers->mouth.early);
    vec_init(&helpers->mouth.bytes, 1, UINT32_MAX);
    struct run_result result;
    result_init(&result);
    struct order order;
    while (read_all(socket, &order, sizeof(order))) {
        const struct cell *cell = &options->plan->cells[order.cell];
        struct answer answer = {.number = order.number};
        run_order(&runner, helpers, options, &order, &result);
        say(&helpers->mouth, &result);
        if (order.is_recheck) {
            answer.digest_again = run_again(&runner, helpers, cell, &order, &result);
        }
        if (!send_said(&helpers->mouth, &answer)) {
            break;
        }
    }
    _exit(0);
}

/* ----------------------------------------------------------------------------------- the parent */

static bool hire(struct pool *pool, struct worker *worker, struct err *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) {
        return err_set(err, ERR_SYSTEM, "cannot make a socket for a worker: %s", strerror(errno));
    }
    fflush(stdout);
    fflush(stderr);
    pid_t pid = fork();
    if (pid < 0) {
        close(pair[0]);
        close(pair[1]);
        return err_set(err, ERR_SYSTEM, "cannot start a worker: %s", strerror(errno));
    }
    if (pid == 0) {
        close(pair[0]);
        for (uint32_t i = 0; i < pool->options->jobs; i++) {
            if (pool->workers[i].pid != 0) {
                close(pool->workers[i].socket);
            }
        }
        work(pool->options, pair[1]);
    }
    close(pair[1]);
    worker->pid = pid;
    worker->socket = pair[0];
    worker->order_count = 0;
    worker->cpu_ns = 0;
    worker->blocked_ticks = 0;
    text_clear(&worker->input);
    vec_clear(&worker->seen);
    return true;
}

/* Is there work for one more? Then it is the last of pool->again. */
static bool has_order(struct pool *pool)
{
    struct order order;
    if (pool->again.count == 0 && !pool->is_exhausted) {
        pool->is_exhausted = !pool->options->next(pool->options->context, &order);
        if (!pool->is_exhausted) {
            vec_append(&pool->again, &order);
        }
    }
    return pool->again.count > 0;
}

static void feed(struct pool *pool, struct worker *worker)
{
    uint32_t ahead = pool->options->ahead == 0 ? AHEAD : pool->options->ahead;
    while (worker->pid != 0 && worker->order_count < ahead && has_order(pool)) {
        struct order order = *(struct order *)vec_pop(&pool->again);
        worker->orders[worker->order_count++] = order;
        if (!write_all(worker->socket, &order, sizeof(order))) {
            return; /* it died: its end of file comes next */
        }
    }
}

static void deliver(struct pool *pool, struct worker *worker, uint64_t digest_again)
{
    struct delivery delivery = {worker->orders[0], &pool->result, digest_again};
    worker->order_count--;
    worker->blocked_ticks = 0;
    vec_clear(&worker->seen);
    pool->is_exhausted = false;
    memmove(worker->orders, worker->orders + 1, worker->order_count * sizeof(worker->orders[0]));
    pool->options->on_delivery(pool->options->context, &delivery);
    pool->is_exhausted = false; /* what waited for this may go on */
}

static void bury(struct pool *pool, struct worker *worker)
{
    int status = 0;
    close(worker->socket);
    while (waitpid(worker->pid, &status, 0) < 0 && errno == EINTR) {
    }
    worker->pid = 0;
    if (worker->order_count == 0) {
        return;
    }
    char reason[RESULT_NAME_SIZE];
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF) {
        snprintf(reason, sizeof(reason), "hang");
    } else if (WIFSIGNALED(status)) {
        snprintf(reason, sizeof(reason), "crash:SIG%s", sigabbrev_np(WTERMSIG(status)));
    } else {
        snprintf(reason, sizeof(reason), "exit:%d", WEXITSTATUS(status));
    }
    result_set_error(&pool->result, worker->orders[0].seed, reason);
    for (uint32_t i = 0; i < worker->seen.count; i++) {
        vec_append(&pool->result.violations, vec_at(&worker->seen, i));
    }
    result_mark_violated(&pool->result);
    deliver(pool, worker, 0);
    while (worker->order_count > 0) {
        vec_append(&pool->again, &worker->orders[--worker->order_count]);
    }
}

static void remember(struct worker *worker, const struct run_result *early)
{
    for (uint32_t i = 0; i < early->violations.count; i++) {
        if (worker->seen.count < RESULT_VIOLATIONS_MAX) {
            vec_append(&worker->seen, vec_at(&early->violations, i));
        }
    }
}

/* Takes whole answers out of the input; false when the worker sent nonsense. */
static bool digest_input(struct pool *pool, struct worker *worker, struct err *err)
{
    size_t at = 0;
    const char *bytes = text_of(&worker->input);
    while (worker->input.length - at >= sizeof(struct answer) + RESULT_HEADER_SIZE) {
        struct answer answer;
        memcpy(&answer, bytes + at, sizeof(answer));
        size_t size = result_encoded_size(bytes + at + sizeof(answer));
        if (size == 0 || worker->order_count == 0 || answer.number != worker->orders[0].number) {
            return err_set(err, ERR_SYSTEM, "a worker sent a malformed answer");
        }
        if (worker->input.length - at < sizeof(answer) + size) {
            break;
        }
        if (!result_decode(&pool->result, bytes + at + sizeof(answer), size, err)) {
            return false;
        }
        at += sizeof(answer) + size;
        if (answer.is_early) {
            remember(worker, &pool->result);
        } else {
            deliver(pool, worker, answer.digest_again);
        }
    }
    if (at > 0) {
        memmove(worker->input.data, bytes + at, worker->input.length - at);
        worker->input.length -= at;
    }
    return true;
}

static bool listen_to(struct pool *pool, struct worker *worker, struct err *err)
{
    uint8_t chunk[65536];
    ssize_t got = recv(worker->socket, chunk, sizeof(chunk), 0);
    if (got < 0 && errno == EINTR) {
        return true;
    }
    if (got <= 0) {
        bury(pool, worker);
        return true;
    }
    text_add_bytes(&worker->input, chunk, (size_t)got);
    return digest_input(pool, worker, err);
}

static bool is_busy(const struct pool *pool)
{
    for (uint32_t i = 0; i < pool->options->jobs; i++) {
        if (pool->workers[i].order_count > 0) {
            return true;
        }
    }
    return pool->again.count > 0 || !pool->is_exhausted;
}

/* ------------------------------------------------------------------------------ blocked workers */

/* Does the process sleep in a system call? (proc(5): the state follows the name in parentheses.) */
static bool is_sleeping(pid_t pid)
{
    char path[64];
    char line[512] = "";
    snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return false;
    }
    const char *name_end = fgets(line, sizeof(line), file) != NULL ? strrchr(line, ')') : NULL;
    fclose(file);
    return name_end != NULL && name_end[1] == ' ' && name_end[2] == 'S';
}

static int64_t cpu_time_of(pid_t pid)
{
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0) {
        return -1;
    }
    return (int64_t)used.tv_sec * NS_PER_S + used.tv_nsec;
}

/* Kills it when it has slept for too long over its oldest order. */
static void look_at(const struct pool *pool, struct worker *worker)
{
    if (worker->pid == 0 || worker->order_count == 0) {
        return;
    }
    int64_t cpu_ns = cpu_time_of(worker->pid);
    bool is_still = cpu_ns == worker->cpu_ns && is_sleeping(worker->pid);
    worker->cpu_ns = cpu_ns;
    worker->blocked_ticks = is_still ? worker->blocked_ticks + 1 : 0;
    const struct cell *cell = &pool->options->plan->cells[worker->orders[0].cell];
    int64_t ticks = cell->spec.cpu_limit_ns / TICK_NS;
    if (worker->blocked_ticks > (ticks > BLOCKED_TICKS_MIN ? ticks : BLOCKED_TICKS_MIN)) {
        kill(worker->pid, SIGPROF);
    }
}

static void look_around(struct pool *pool)
{
    int64_t now_ns = real_wall_ns();
    if (now_ns - pool->looked_ns < TICK_NS) {
        return;
    }
    pool->looked_ns = now_ns;
    for (uint32_t i = 0; i < pool->options->jobs; i++) {
        look_at(pool, &pool->workers[i]);
    }
}

static bool turn(struct pool *pool, struct err *err)
{
    struct pollfd polls[JOBS_MAX];
    uint32_t of[JOBS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < pool->options->jobs; i++) {
        struct worker *worker = &pool->workers[i];
        if (worker->pid == 0 && has_order(pool) && !hire(pool, worker, err)) {
            return false;
        }
        feed(pool, worker);
        if (worker->order_count > 0) {
            polls[count] = (struct pollfd){worker->socket, POLLIN, 0};
            of[count++] = i;
        }
    }
    if (count > 0 && poll(polls, count, IDLE_MS) > 0) {
        for (uint32_t i = 0; i < count; i++) {
            if (polls[i].revents != 0 && !listen_to(pool, &pool->workers[of[i]], err)) {
                return false;
            }
        }
    }
    return true;
}

bool pool_run(const struct pool_options *options, struct err *err)
{
    ASSERT(options->jobs >= 1);
    ASSERT(options->jobs <= JOBS_MAX);
    ASSERT(options->ahead <= AHEAD);
    struct pool *pool = calloc(1, sizeof(*pool));
    ASSERT(pool != NULL);
    pool->options = options;
    vec_init(&pool->again, sizeof(struct order), UINT32_MAX);
    result_init(&pool->result);
    for (uint32_t i = 0; i < options->jobs; i++) {
        text_init(&pool->workers[i].input);
        vec_init(&pool->workers[i].seen, sizeof(struct result_violation), RESULT_VIOLATIONS_MAX);
    }
    pool->looked_ns = real_wall_ns();
    bool is_fine = true;
    while (is_fine && is_busy(pool) && !options->is_cancelled(options->context)) {
        is_fine = turn(pool, err);
        look_around(pool);
        options->on_idle(options->context);
    }
    for (uint32_t i = 0; i < options->jobs; i++) {
        struct worker *worker = &pool->workers[i];
        if (worker->pid != 0) {
            close(worker->socket);
            if (worker->order_count > 0) {
                kill(worker->pid, SIGKILL);
            }
            waitpid(worker->pid, NULL, 0);
        }
        text_release(&worker->input);
        vec_release(&worker->seen);
    }
    vec_release(&pool->again);
    result_release(&pool->result);
    free(pool);
    return is_fine;
}
