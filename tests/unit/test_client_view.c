/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Time down as clients see it, on histories written by hand. */
#include "analysis/client_view.h"
#include "sim/base/base.h"
#include "sim/base/rng.h"
#include "tests/unit/harness.h"

#include <stdlib.h>

static struct sq_operation operation_of(uint64_t id, uint32_t load, int64_t intended, bool is_ok)
{
    return (struct sq_operation){.id = id,
                                 .load = load,
                                 .intended = intended,
                                 .outcome = is_ok ? SQ_OUTCOME_OK : SQ_OUTCOME_INFO};
}

struct view_fixture {
    struct client_view view;
    struct sq_operation operations[64];
    uint32_t count;
};

static void add(struct view_fixture *fixture, uint32_t load, int64_t intended, bool is_ok)
{
    fixture->operations[fixture->count] = operation_of(fixture->count, load, intended, is_ok);
    fixture->count++;
}

static struct client_span span_of(struct view_fixture *fixture, int64_t from, int64_t until)
{
    client_view_init(&fixture->view);
    client_view_read(&fixture->view, fixture->operations, fixture->count, 2);
    struct client_span span = client_view_span(&fixture->view, from, until);
    client_view_release(&fixture->view);
    return span;
}

/* The example of "Meaningful Availability": good at 0 and 10, bad at 20 and 30, good at 40. */
static void add_example(struct view_fixture *fixture)
{
    for (uint32_t i = 0; i < 5; i++) {
        add(fixture, 0, 10 * i, i != 2 && i != 3);
    }
}

TEST(client_view, between_two_operations_it_is_what_the_first_one_got)
{
    struct view_fixture fixture = {0};
    add_example(&fixture);
    struct client_span span = span_of(&fixture, 0, 50);
    CHECK_EQUAL(span.down_ns, 20);
    CHECK_EQUAL(span.last_down_ns, 40);
    CHECK_EQUAL(span.outages, 1);
    CHECK_EQUAL(span.asked, 5);
    CHECK_EQUAL(span.ok, 3);
}

TEST(client_view, a_storm_of_retries_changes_nothing)
{
    struct view_fixture fixture = {0};
    add_example(&fixture);
    for (uint32_t i = 0; i < 9; i++) {
        add(&fixture, 0, 21 + i, false);
    }
    CHECK_EQUAL(span_of(&fixture, 0, 50).down_ns, 20);
}

TEST(client_view, spans_add_up)
{
    struct view_fixture fixture = {0};
    add_example(&fixture);
    for (int64_t cut = 0; cut <= 50; cut++) {
        CHECK_EQUAL(span_of(&fixture, 0, cut).down_ns + span_of(&fixture, cut, 50).down_ns, 20);
    }
}

TEST(client_view, the_audit_is_not_a_client)
{
    struct view_fixture fixture = {0};
    add_example(&fixture);
    add(&fixture, 2, 5, false);
    CHECK_EQUAL(span_of(&fixture, 0, 50).down_ns, 20);
}

TEST(client_view, loads_are_one_service)
{
    struct view_fixture fixture = {0};
    add_example(&fixture);
    add(&fixture, 1, 15, false); /* out of order: it was intended before the others */
    struct client_span span = span_of(&fixture, 0, 50);
    CHECK_EQUAL(span.down_ns, 25);
    CHECK_EQUAL(span.outages, 1);
}

TEST(client_view, nothing_asked_is_nothing_seen)
{
    struct view_fixture fixture = {0};
    struct client_span span = span_of(&fixture, 10, 20);
    CHECK_EQUAL(span.down_ns, 0);
    CHECK_EQUAL(span.last_down_ns, -1);
    CHECK_EQUAL(span.asked, 0);
    add(&fixture, 0, 15, false);
    CHECK_EQUAL(span_of(&fixture, 10, 20).down_ns, 5);
    CHECK_EQUAL(span_of(&fixture, 20, 30).down_ns, 10); /* still so, as far as anybody knows */
    CHECK_EQUAL(span_of(&fixture, 20, 30).asked, 0);
    CHECK_EQUAL(span_of(&fixture, 0, 10).down_ns, 0);
}

TEST(client_view, random_arrivals_see_an_outage_at_its_length_on_average)
{
    const uint32_t runs = 2000;
    const int64_t outage = 1000;
    struct rng rng = rng_keyed(7, 0, 0, 0);
    struct client_view view;
    struct sq_operation *operations = calloc(4000, sizeof(*operations));
    int64_t total = 0;
    client_view_init(&view);
    REQUIRE(operations != NULL);
    for (uint32_t run = 0; run < runs; run++) {
        uint32_t count = 0;
        int64_t at = 0;
        for (;;) { /* geometric gaps of mean 200: a Poisson process on the grid */
            do {
                at++;
            } while (rng_below(&rng, 200) != 0);
            if (at >= 9000 || count == 4000) {
                break;
            }
            operations[count] = operation_of(count, 0, at, at < 5000 || at >= 5000 + outage);
            count++;
        }
        client_view_read(&view, operations, count, 1);
        total += client_view_span(&view, 2000, 9000).down_ns;
    }
    CHECK(llabs(total / runs - outage) < 40);
    client_view_release(&view);
    free(operations);
}
