/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Closes the hidden inputs of code under test: libc's clocks, sleeps and entropy are defined here,
 * in the executable, so that shared libraries (libraft's tracer, libdb's ids, a user's plug-in)
 * reach these first. While a node's code runs they answer from its env; at any other time they do
 * what libc does, by system call.
 *
 * Not closed: environment variables, the time-stamp counter, direct system calls. `squall doctor`
 * looks for what leaks. */
#include "sim/base/base.h"
#include "sim/base/units.h"
#include "sim/node.h"

#include <errno.h>
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
