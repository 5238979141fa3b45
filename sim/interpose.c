/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Closes the hidden inputs of code under test: libc's clocks, sleeps, entropy and random numbers
 * are defined here, in the executable, so that shared libraries (libraft's tracer, libdb's ids, a
 * user's plug-in) reach these first. While a node's code runs they answer from its env; at any
 * other time they do what libc does, by system call (rand and random: another sequence than
 * libc's, just as repeatable).
 *
 * rand and random are closed although they are no entropy: their state belongs to the process, so
 * it would outlive crashes and lead from one run into the next. Inside a node srand and srandom do
 * nothing: a node's stream is its seed's.
 *
 * Not closed: environment variables, the time-stamp counter, direct system calls, drand48 and its
 * family. `squall doctor` looks for what leaks. */
#include "sim/base/base.h"
#include "sim/base/units.h"
#include "sim/node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

EXPORTED int clock_gettime(clockid_t id, struct timespec *result);
EXPORTED int gettimeofday(struct timeval *restrict result, void *restrict zone);
EXPORTED time_t time(time_t *result);
EXPORTED ssize_t getrandom(void *data, size_t size, unsigned int flags);
EXPORTED int getentropy(void *data, size_t size);
EXPORTED int nanosleep(const struct timespec *wanted, struct timespec *rest);
EXPORTED int usleep(useconds_t microseconds);
EXPORTED unsigned int sleep(unsigned int seconds);
EXPORTED int clock_nanosleep(clockid_t id, int flags, const struct timespec *wanted,
                             struct timespec *rest);
EXPORTED int timespec_get(struct timespec *result, int base);
EXPORTED int rand(void);
EXPORTED void srand(unsigned int seed);
EXPORTED long random(void);
EXPORTED void srandom(unsigned int seed);
EXPORTED uint32_t arc4random(void);
EXPORTED void arc4random_buf(void *data, size_t size);
EXPORTED uint32_t arc4random_uniform(uint32_t bound);

static int64_t node_time(struct sq_env *env, clockid_t id)
{
    bool is_date = id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE;
    return is_date ? env->clock->realtime(env) : env->clock->monotonic(env);
}

int clock_gettime(clockid_t id, struct timespec *result)
{
    struct sq_env *env = sq_env_current();
    if (env == NULL) {
        return (int)syscall(SYS_clock_gettime, id, result);
    }
    int64_t now = node_time(env, id);
    *result = (struct timespec){now / NS_PER_S, now % NS_PER_S};
    return 0;
}

int gettimeofday(struct timeval *restrict result, void *restrict zone)
{
    (void)zone;
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) {
        return -1;
    }
    *result = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *result)
{
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) {
        return (time_t)-1;
    }
    if (result != NULL) {
        *result = now.tv_sec;
    }
    return now.tv_sec;
}

ssize_t getrandom(void *data, size_t size, unsigned int flags)
{
    struct sq_env *env = sq_env_current();
    if (env == NULL) {
        return syscall(SYS_getrandom, data, size, flags);
    }
    env->rand->fill(env, data, size);
    return (ssize_t)size;
}

int getentropy(void *data, size_t size)
{
    return getrandom(data, size, 0) == (ssize_t)size ? 0 : -1;
}

int nanosleep(const struct timespec *wanted, struct timespec *rest)
{
    struct sq_env *env = sq_env_current();
    if (env == NULL) {
        return (int)syscall(SYS_nanosleep, wanted, rest);
    }
    env->clock->sleep(env, wanted->tv_sec * NS_PER_S + wanted->tv_nsec);
    return 0;
}

int usleep(useconds_t microseconds)
{
    struct timespec wanted = {microseconds / 1000000, (long)(microseconds % 1000000) * 1000};
    return nanosleep(&wanted, NULL);
}

unsigned int sleep(unsigned int seconds)
{
    struct timespec wanted = {seconds, 0};
    return nanosleep(&wanted, NULL) == 0 ? 0 : seconds;
}

int clock_nanosleep(clockid_t id, int flags, const struct timespec *wanted, struct timespec *rest)
{
    struct sq_env *env = sq_env_current();
    if (env == NULL) {
        return syscall(SYS_clock_nanosleep, id, flags, wanted, rest) == 0 ? 0 : errno;
    }
    int64_t delay = wanted->tv_sec * NS_PER_S + wanted->tv_nsec;
    if (flags & TIMER_ABSTIME) {
        delay -= node_time(env, id);
    }
    env->clock->sleep(env, delay);
    return 0;
}

int timespec_get(struct timespec *result, int base)
{
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, result) == 0 ? base : 0;
}

/* Outside of nodes: one generator for the thread, as libc has one for the process. */
static _Thread_local unsigned int outside_state = 1;

int rand(void)
{
    struct sq_env *env = sq_env_current();
    return env == NULL ? rand_r(&outside_state) : (int)(env->rand->u64(env) >> 33);
}

void srand(unsigned int seed)
{
    if (sq_env_current() == NULL) {
        outside_state = seed;
    }
}

long random(void)
{
    return rand();
}

void srandom(unsigned int seed)
{
    srand(seed);
}

void arc4random_buf(void *data, size_t size)
{
    char *at = data;
    while (size > 0) {
        ssize_t got = getrandom(at, size, 0);
        ASSERT(got > 0 || errno == EINTR);
        at += got > 0 ? got : 0;
        size -= got > 0 ? (size_t)got : 0;
    }
}

uint32_t arc4random(void)
{
    uint32_t value;
    arc4random_buf(&value, sizeof(value));
    return value;
}

uint32_t arc4random_uniform(uint32_t bound)
{
    uint64_t high = UINT32_MAX; /* values below the largest multiple of bound are fair */
    uint64_t fair = bound == 0 ? 0 : (high + 1) / bound * bound;
    uint64_t value = arc4random();
    while (fair > 0 && value >= fair) {
        value = arc4random();
    }
    return bound == 0 ? 0 : (uint32_t)(value % bound);
}
