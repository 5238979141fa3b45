/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The line of requests that wait for a worker, and who is next: the queue discipline. */
#ifndef SQUALL_MODELS_SERVER_QUEUE_H
#define SQUALL_MODELS_SERVER_QUEUE_H

#include "squall.h"

enum discipline { /* in the order of the choices of the option discipline */
                  DISCIPLINE_FIFO,
                  DISCIPLINE_LIFO,
                  DISCIPLINE_CODEL,    /* first in first out, with drops that hold the delay down */
                  DISCIPLINE_DEADLINE, /* earliest deadline first; what has expired is dropped */
};

/* A request on its way through the server. */
struct job {
    struct job *next;
    struct job *previous;
    struct sq_reply_to reply_to;
    sq_time arrived;
    sq_time deadline; /* INT64_MAX: none */
    sq_time work;     /* service time */
    sq_timer timer;   /* when the caller's cancellation comes; 0: not awaited */
    uint32_t slot;    /* names the timer */
    bool is_queued;
    bool is_gone;        /* answered; only the timer still knows it */
    bool is_turned_away; /* by this server, which had too many */
    bool is_downstream;  /* a worker is held until the answer */
    sq_fiber holder;
    enum sq_status status; /* of a failure */
    uint32_t in_flight;    /* requests in the server when it came, itself included */
    uint64_t memory;       /* that it takes, in parts of a request */
    uint32_t size;
    uint8_t data[];
};

/* Controlled delay: K. Nichols, V. Jacobson, A. McGregor, J. Iyengar, RFC 8289 (2018). */
struct codel {
    sq_time target;
    sq_time interval;
    sq_time first_above; /* when the delay will have been above target for an interval; 0: it is
                            not */
    sq_time drop_next;
    uint32_t count; /* drops since it began dropping */
    uint32_t last_count;
    bool is_dropping;
};

struct queue {
    enum discipline discipline;
    bool drops_expired; /* whatever the discipline */
    sq_time slack;      /* who has less than this left to its deadline has expired */
    struct codel codel;
    struct job *first;
    struct job *last;
    uint32_t count;
};

/* Adds a job; the queue keeps the pointer until it is taken or removed. */
void queue_put(struct queue *queue, struct job *job);
/* The job whose turn it is, or NULL. Those that the discipline drops come back as a chain (by next)
 * in the order in which they were dropped. */
struct job *queue_take(struct queue *queue, sq_time now, struct job **dropped);
/* Takes out a job that waits. */
void queue_remove(struct queue *queue, struct job *job);
/* Has its caller given up, or will it before `slack` is over? */
bool queue_is_expired(const struct queue *queue, const struct job *job, sq_time now);
/* The one that has waited longest (LIFO: `first` is the newest), or NULL. */
struct job *queue_oldest(const struct queue *queue);

#endif
