/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The two history checkers on short histories that are right, and on such with one defect. */
#include "tests/unit/judge_fixture.h"

static struct fixture f;

/* ---------------------------------------------------------------------------------- lost writes */

TEST(check_history, an_acknowledged_write_that_is_read_back_is_not_lost)
{
    fixture_start(&f, 1, "no-lost-acked-write");
    fixture_write(&f, 1, 10, SQ_OUTCOME_OK);
    fixture_read(&f, 1, 10);
    fixture_write(&f, 1, 11, SQ_OUTCOME_OK);
    fixture_read(&f, 1, 11);
    CHECK_SOUND(&f);
}

TEST(check_history, a_key_that_is_gone_after_an_acknowledged_write_is_lost)
{
    fixture_start(&f, 1, "no-lost-acked-write");
    fixture_write(&f, 1, 10, SQ_OUTCOME_OK);
    fixture_read(&f, 1, 0);
    fixture_finish(&f);
    const struct result_violation *first = result_first_violation(&f.result);
    REQUIRE(first != NULL);
    CHECK_TEXT(first->check, "no-lost-acked-write");
    CHECK(strstr(first->message, "update #0 to 10 was acknowledged") != NULL);
    CHECK(strstr(first->message, "(no such key)") != NULL);
    CHECK(first->event == RESULT_EVENT_NONE);
    fixture_release(&f);
}

TEST(check_history, an_older_value_after_an_acknowledged_write_is_a_loss)
{
    fixture_start(&f, 1, "no-lost-acked-write");
    fixture_write(&f, 1, 10, SQ_OUTCOME_OK);
    fixture_write(&f, 1, 11, SQ_OUTCOME_OK);
    fixture_read(&f, 1, 10);
    CHECK_BROKEN(&f, "no-lost-acked-write");
}

TEST(check_history, keys_are_apart)
{
    fixture_start(&f, 1, "no-lost-acked-write");
    fixture_write(&f, 1, 10, SQ_OUTCOME_OK);
    fixture_write(&f, 2, 11, SQ_OUTCOME_OK);
    fixture_read(&f, 1, 10);
    fixture_read(&f, 2, 11);
    CHECK_SOUND(&f);
}

TEST(check_history, a_write_that_was_never_acknowledged_may_be_lost)
{
    fixture_start(&f, 1, "no-lost-acked-write");
    fixture_write(&f, 1, 10, SQ_OUTCOME_OK);
    fixture_write(&f, 1, 11, SQ_OUTCOME_INFO);
    fixture_write(&f, 1, 12, SQ_OUTCOME_FAIL);
    fixture_read(&f, 1, 10);
    CHECK_SOUND(&f);
}

TEST(check_history, a_write_of_unknown_outcome_may_win_at_any_time)
{
    fixture_start(&f, 1, "no-lost-acked-write");
    fixture_write(&f, 1, 10, SQ_OUTCOME_INFO);
    fixture_write(&f, 1, 11, SQ_OUTCOME_OK);
    fixture_read(&f, 1, 10);
    CHECK_SOUND(&f);
}

TEST(check_history, of_two_writes_that_overlap_either_may_win)
{
    fixture_start(&f, 1, "no-lost-acked-write");
    uint64_t first = fixture_invoke(&f, SQ_KV_UPDATE, 1, 10);
    uint64_t second = fixture_invoke(&f, SQ_KV_UPDATE, 1, 11);
    fixture_complete(&f, first, SQ_OUTCOME_OK, 0);
    fixture_complete(&f, second, SQ_OUTCOME_OK, 0);
    fixture_read(&f, 1, 10);
    CHECK_SOUND(&f);
}

TEST(check_history, a_read_that_began_before_the_acknowledgement_owes_nothing)
{
    fixture_start(&f, 1, "no-lost-acked-write");
    fixture_write(&f, 1, 9, SQ_OUTCOME_OK);
    uint64_t write = fixture_invoke(&f, SQ_KV_UPDATE, 1, 10);
    uint64_t read = fixture_invoke(&f, SQ_KV_READ, 1, 0);
    fixture_complete(&f, write, SQ_OUTCOME_OK, 0);
    fixture_complete(&f, read, SQ_OUTCOME_OK, 9);
    CHECK_SOUND(&f);
}

TEST(check_history, writes_that_nobody_reads_were_not_compared)
{
    fixture_start(&f, 1, "no-lost-acked-write");
    fixture_write(&f, 1, 10, SQ_OUTCOME_OK);
    CHECK_BROKEN(&f, "no-lost-acked-write");
}

TEST(check_history, the_violation_is_reported_at_the_read)
{
    fixture_start(&f, 1, "no-lost-acked-write");
    fixture_write(&f, 1, 10, SQ_OUTCOME_OK);
    CHECK(judge_first_violation(f.judge) == NULL);
    fixture_read(&f, 1, 0);
    CHECK(judge_first_violation(f.judge) != NULL);
    fixture_finish(&f);
    fixture_release(&f);
}

/* --------------------------------------------------------------------------------- linearizable */

TEST(check_history, a_register_that_behaves_is_linearizable)
{
    fixture_start(&f, 1, "linearizable");
    fixture_read(&f, 1, 0);
    fixture_write(&f, 1, 10, SQ_OUTCOME_OK);
    uint64_t write = fixture_invoke(&f, SQ_KV_UPDATE, 1, 11);
    fixture_read(&f, 1, 10);
    fixture_read(&f, 1, 11);
    fixture_complete(&f, write, SQ_OUTCOME_OK, 0);
    fixture_read(&f, 2, 0);
    CHECK_SOUND(&f);
}

TEST(check_history, a_value_that_comes_back_is_not_linearizable)
{
    fixture_start(&f, 1, "linearizable");
    fixture_write(&f, 7, 10, SQ_OUTCOME_OK);
    fixture_write(&f, 7, 11, SQ_OUTCOME_INFO);
    fixture_read(&f, 7, 11);
    fixture_read(&f, 7, 10);
    fixture_finish(&f);
    const struct result_violation *first = result_first_violation(&f.result);
    REQUIRE(first != NULL);
    CHECK_TEXT(first->check, "linearizable");
    CHECK(strstr(first->message, "key 7: ") != NULL);
    CHECK(strstr(first->message, "read #2") != NULL);
    CHECK(strstr(first->message, "read #3") != NULL);
    CHECK_EQUAL(first->time_ns, f.operations[3].completed);
    fixture_release(&f);
}

TEST(check_history, a_value_of_a_write_that_failed_is_a_phantom)
{
    fixture_start(&f, 1, "linearizable");
    fixture_write(&f, 7, 10, SQ_OUTCOME_FAIL);
    fixture_read(&f, 7, 10);
    CHECK_BROKEN(&f, "linearizable");
}

TEST(check_history, a_pending_write_may_show_late_or_never)
{
    fixture_start(&f, 1, "linearizable");
    fixture_write(&f, 7, 10, SQ_OUTCOME_INFO);
    fixture_write(&f, 7, 11, SQ_OUTCOME_INFO);
    fixture_read(&f, 7, 0);
    fixture_read(&f, 7, 11);
    CHECK_SOUND(&f);
}

TEST(check_history, reads_that_did_not_return_say_nothing)
{
    fixture_start(&f, 1, "linearizable");
    fixture_write(&f, 7, 10, SQ_OUTCOME_OK);
    fixture_complete(&f, fixture_invoke(&f, SQ_KV_READ, 7, 0), SQ_OUTCOME_INFO, 0);
    fixture_complete(&f, fixture_invoke(&f, SQ_KV_READ, 7, 0), SQ_OUTCOME_FAIL, 0);
    CHECK_SOUND(&f);
}

TEST(check_history, values_written_twice_are_searched)
{
    fixture_start(&f, 1, "linearizable");
    fixture_write(&f, 7, 10, SQ_OUTCOME_OK);
    fixture_write(&f, 7, 11, SQ_OUTCOME_OK);
    fixture_write(&f, 7, 10, SQ_OUTCOME_OK);
    fixture_read(&f, 7, 10);
    CHECK_SOUND(&f);
    fixture_start(&f, 1, "linearizable");
    fixture_write(&f, 7, 10, SQ_OUTCOME_OK);
    fixture_write(&f, 7, 11, SQ_OUTCOME_OK);
    fixture_write(&f, 7, 10, SQ_OUTCOME_OK);
    fixture_read(&f, 7, 11);
    CHECK_BROKEN(&f, "linearizable");
}

TEST(check_history, the_earliest_key_is_the_one_reported)
{
    fixture_start(&f, 1, "linearizable");
    fixture_write(&f, 1, 10, SQ_OUTCOME_OK);
    fixture_write(&f, 2, 20, SQ_OUTCOME_OK);
    fixture_read(&f, 2, 0);
    fixture_read(&f, 1, 0);
    fixture_finish(&f);
    const struct result_violation *first = result_first_violation(&f.result);
    REQUIRE(first != NULL);
    CHECK(strstr(first->message, "key 2: ") != NULL);
    fixture_release(&f);
}

TEST(check_history, the_earliest_key_is_the_one_reported_whatever_their_order)
{
    fixture_start(&f, 1, "linearizable");
    fixture_write(&f, 2, 20, SQ_OUTCOME_OK);
    fixture_write(&f, 1, 10, SQ_OUTCOME_OK);
    fixture_read(&f, 2, 0);
    fixture_read(&f, 1, 0);
    fixture_finish(&f);
    const struct result_violation *first = result_first_violation(&f.result);
    REQUIRE(first != NULL);
    CHECK(strstr(first->message, "key 2: ") != NULL);
    fixture_release(&f);
}

TEST(check_history, a_judge_forgets_the_run_before)
{
    fixture_start(&f, 1, "linearizable");
    fixture_write(&f, 1, 10, SQ_OUTCOME_OK);
    fixture_read(&f, 1, 0);
    CHECK_EQUAL(fixture_finish(&f), VERDICT_FAIL);
    fixture_begin(&f);
    fixture_read(&f, 1, 0);
    CHECK_EQUAL(fixture_finish(&f), VERDICT_PASS);
    fixture_release(&f);
}
