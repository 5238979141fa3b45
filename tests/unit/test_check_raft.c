/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Each consensus checker passes a run that is right and fails one with a single planted defect. */
#include "tests/unit/judge_fixture.h"

static struct fixture f;

#define HASH(index) ((index)*1000 + 7)

static void append(sq_node node, uint64_t index, uint64_t term)
{
    fixture_see(&f, node, SQ_SEE_APPEND, index, term, HASH(index) + term);
}

static void durable(sq_node node, uint64_t index, uint64_t term)
{
    fixture_see(&f, node, SQ_SEE_DURABLE, index, term, HASH(index) + term);
}

static void both(sq_node node, uint64_t index, uint64_t term)
{
    append(node, index, term);
    durable(node, index, term);
}

static void leader(sq_node node, uint64_t term)
{
    fixture_see(&f, node, SQ_SEE_LEADER, term, 0, 0);
}

static void commit(sq_node node, uint64_t index, uint64_t term, bool is_leader)
{
    fixture_see(&f, node, SQ_SEE_COMMIT, index, term, is_leader);
}

static void restart(sq_node node, uint64_t first, uint64_t last, uint64_t snapshot)
{
    fixture_life(&f, node, SQ_LIFE_CRASH);
    fixture_life(&f, node, SQ_LIFE_BOOT);
    fixture_see(&f, node, SQ_SEE_LOADED, first, last, snapshot);
}

/* ----------------------------------------------------------------------------- elections, votes */

TEST(check_raft, two_leaders_in_different_terms_are_fine)
{
    fixture_start(&f, 3, "raft.election-safety");
    leader(0, 1);
    leader(1, 2);
    leader(0, 3);
    CHECK_SOUND(&f);
}

TEST(check_raft, two_leaders_in_one_term_break_election_safety)
{
    fixture_start(&f, 3, "raft.election-safety");
    leader(0, 1);
    leader(1, 2);
    leader(2, 2);
    fixture_finish(&f);
    const struct result_violation *first = result_first_violation(&f.result);
    REQUIRE(first != NULL);
    CHECK_TEXT(first->check, "raft.election-safety");
    CHECK_TEXT(first->message, "n2 and n3 were both elected leader in term 2");
    CHECK_TEXT(first->node_name, "n3");
    CHECK_EQUAL(first->time_ns, 3 * NS_PER_MS);
    CHECK_EQUAL(first->event, 3);
    CHECK_EQUAL(f.result.verdict, VERDICT_FAIL);
    CHECK_TEXT(f.result.reason, "raft.election-safety");
    fixture_release(&f);
}

TEST(check_raft, a_run_without_an_election_compared_nothing)
{
    fixture_start(&f, 3, "raft.election-safety");
    CHECK_BROKEN(&f, "raft.election-safety");
}

TEST(check_raft, a_vote_repeated_is_one_vote)
{
    fixture_start(&f, 3, "raft.vote-once");
    fixture_see(&f, 0, SQ_SEE_VOTE, 1, 2, 0);
    fixture_see(&f, 0, SQ_SEE_VOTE, 1, 2, 0);
    fixture_see(&f, 0, SQ_SEE_VOTE, 2, 3, 0);
    fixture_see(&f, 1, SQ_SEE_VOTE, 1, 3, 0);
    CHECK_SOUND(&f);
}

TEST(check_raft, a_second_vote_after_a_restart_is_caught)
{
    fixture_start(&f, 3, "raft.vote-once");
    fixture_see(&f, 0, SQ_SEE_VOTE, 1, 2, 0);
    fixture_life(&f, 0, SQ_LIFE_POWER);
    fixture_life(&f, 0, SQ_LIFE_BOOT);
    fixture_see(&f, 0, SQ_SEE_VOTE, 1, 3, 0);
    CHECK_BROKEN(&f, "raft.vote-once");
}

TEST(check_raft, a_wiped_node_is_not_bound_by_its_votes)
{
    fixture_start(&f, 3, "raft.vote-once");
    fixture_see(&f, 0, SQ_SEE_VOTE, 1, 2, 0);
    fixture_life(&f, 0, SQ_LIFE_WIPE);
    fixture_see(&f, 0, SQ_SEE_VOTE, 1, 3, 0);
    CHECK_SOUND(&f);
}

/* ----------------------------------------------------------------------------------------- logs */

TEST(check_raft, equal_logs_match)
{
    fixture_start(&f, 3, "raft.log-matching");
    for (sq_node node = 0; node < 3; node++) {
        append(node, 1, 1);
        append(node, 2, 1);
        append(node, 3, 2);
    }
    CHECK_SOUND(&f);
}

TEST(check_raft, a_different_command_at_the_same_index_and_term_is_caught)
{
    fixture_start(&f, 3, "raft.log-matching");
    append(0, 1, 1);
    fixture_see(&f, 1, SQ_SEE_APPEND, 1, 1, 99);
    CHECK_BROKEN(&f, "raft.log-matching");
}

TEST(check_raft, a_different_predecessor_of_the_same_entry_is_caught)
{
    fixture_start(&f, 3, "raft.log-matching");
    append(0, 1, 1);
    append(0, 2, 3);
    append(1, 1, 2);
    append(1, 2, 3);
    CHECK_BROKEN(&f, "raft.log-matching");
}

TEST(check_raft, entries_of_deposed_leaders_match_among_themselves)
{
    fixture_start(&f, 3, "raft.log-matching");
    append(0, 1, 1);
    append(0, 2, 2);
    append(1, 1, 1);
    append(1, 2, 3);
    append(2, 1, 1);
    append(2, 2, 3);
    fixture_see(&f, 0, SQ_SEE_TRUNCATE, 2, 0, 0);
    append(0, 2, 3);
    CHECK_SOUND(&f);
}

TEST(check_raft, a_deposed_entry_that_differs_is_caught_too)
{
    fixture_start(&f, 3, "raft.log-matching");
    append(0, 1, 1);
    append(1, 1, 2);
    fixture_see(&f, 2, SQ_SEE_APPEND, 1, 2, 99);
    CHECK_BROKEN(&f, "raft.log-matching");
}

TEST(check_raft, a_log_that_goes_on_after_a_snapshot_matches)
{
    fixture_start(&f, 3, "raft.log-matching");
    append(0, 1, 1);
    append(0, 2, 2);
    append(0, 3, 2);
    fixture_see(&f, 1, SQ_SEE_SNAPSHOT, 2, 2, 0);
    append(1, 3, 2);
    CHECK_SOUND(&f);
}

TEST(check_raft, a_snapshot_of_another_term_than_the_entry_it_stands_for_is_caught)
{
    fixture_start(&f, 3, "raft.log-matching");
    append(0, 1, 1);
    append(0, 2, 2);
    append(0, 3, 2);
    fixture_see(&f, 1, SQ_SEE_SNAPSHOT, 2, 1, 0);
    append(1, 3, 2);
    CHECK_BROKEN(&f, "raft.log-matching");
}

/* Its own old entry before the snapshot must not hide the term that the snapshot ends with. */
TEST(check_raft, a_snapshot_replaces_a_log_that_ends_before_it)
{
    fixture_start(&f, 3, "raft.log-matching");
    append(0, 1, 1);
    append(0, 2, 2);
    append(0, 3, 2);
    append(1, 1, 1);
    fixture_see(&f, 1, SQ_SEE_SNAPSHOT, 2, 1, 0);
    append(1, 3, 2);
    CHECK_BROKEN(&f, "raft.log-matching");
}

/* A stale leader with a tail longer than the snapshot: no entry of that tail is before what comes.
 */
TEST(check_raft, a_snapshot_replaces_a_log_that_contradicts_it)
{
    fixture_start(&f, 3, "raft.log-matching");
    append(0, 1, 1);
    append(0, 2, 2);
    append(0, 3, 2);
    append(1, 1, 1);
    append(1, 2, 1);
    append(1, 3, 1);
    fixture_see(&f, 1, SQ_SEE_TRUNCATE, 3, 0, 0);
    fixture_see(&f, 1, SQ_SEE_SNAPSHOT, 2, 2, 0);
    append(1, 3, 2);
    CHECK_SOUND(&f);
}

TEST(check_raft, one_node_alone_compares_with_itself)
{
    fixture_start(&f, 1, "raft.log-matching");
    append(0, 1, 1);
    CHECK_SOUND(&f);
}

TEST(check_raft, a_leader_that_appends_is_append_only)
{
    fixture_start(&f, 3, "raft.leader-append-only");
    append(0, 1, 1);
    leader(0, 2);
    append(0, 2, 2);
    append(0, 3, 2);
    CHECK_SOUND(&f);
}

TEST(check_raft, a_leader_that_truncates_and_goes_on_is_caught)
{
    fixture_start(&f, 3, "raft.leader-append-only");
    leader(0, 2);
    append(0, 1, 2);
    append(0, 2, 2);
    fixture_see(&f, 0, SQ_SEE_TRUNCATE, 2, 0, 0);
    append(0, 2, 2);
    CHECK_BROKEN(&f, "raft.leader-append-only");
}

TEST(check_raft, a_leader_that_truncates_and_commits_is_caught)
{
    fixture_start(&f, 3, "raft.leader-append-only");
    leader(0, 2);
    append(0, 1, 2);
    append(0, 2, 2);
    fixture_see(&f, 0, SQ_SEE_TRUNCATE, 2, 0, 0);
    commit(0, 1, 2, true);
    CHECK_BROKEN(&f, "raft.leader-append-only");
}

TEST(check_raft, a_leader_that_replaces_its_own_entry_is_caught)
{
    fixture_start(&f, 3, "raft.leader-append-only");
    append(0, 1, 1);
    leader(0, 2);
    append(0, 1, 2);
    CHECK_BROKEN(&f, "raft.leader-append-only");
}

/* It heard of a newer leader: the truncation comes before anything that shows the newer term. */
TEST(check_raft, a_leader_that_stepped_down_may_truncate)
{
    fixture_start(&f, 3, "raft.leader-append-only");
    leader(0, 2);
    append(0, 1, 2);
    append(0, 2, 2);
    fixture_see(&f, 0, SQ_SEE_TRUNCATE, 2, 0, 0);
    append(0, 2, 3);
    leader(0, 4);
    append(0, 3, 4);
    CHECK_SOUND(&f);
}

/* --------------------------------------------------------------------------------- completeness */

static void commit_two(void)
{
    for (sq_node node = 0; node < 2; node++) {
        both(node, 1, 1);
        both(node, 2, 1);
    }
    commit(0, 2, 1, true);
}

TEST(check_raft, a_later_leader_with_all_committed_entries_is_complete)
{
    fixture_start(&f, 3, "raft.leader-completeness");
    leader(0, 1);
    commit_two();
    leader(1, 2);
    fixture_finish(&f);
    CHECK_EQUAL(f.result.verdict, VERDICT_PASS);
    const struct result_check *row = vec_at(&f.result.checks, 0);
    CHECK_EQUAL(row->comparisons, 4);
    fixture_release(&f);
}

TEST(check_raft, a_later_leader_without_a_committed_entry_is_caught)
{
    fixture_start(&f, 3, "raft.leader-completeness");
    leader(0, 1);
    commit_two();
    append(2, 1, 1);
    leader(2, 2);
    fixture_finish(&f);
    const struct result_violation *first = result_first_violation(&f.result);
    REQUIRE(first != NULL);
    CHECK_TEXT(first->message, "n3 became leader of term 2 without entry 2 (term 1), which was "
                               "committed in term 1");
    fixture_release(&f);
}

TEST(check_raft, a_later_leader_with_another_entry_is_caught)
{
    fixture_start(&f, 3, "raft.leader-completeness");
    leader(0, 1);
    commit_two();
    append(2, 1, 1);
    append(2, 2, 2);
    leader(2, 3);
    CHECK_BROKEN(&f, "raft.leader-completeness");
}

TEST(check_raft, a_late_leader_of_an_old_term_owes_nothing)
{
    fixture_start(&f, 3, "raft.leader-completeness");
    leader(0, 2);
    both(0, 1, 2);
    both(1, 1, 2);
    commit(0, 1, 2, true);
    leader(2, 1);
    CHECK_SOUND(&f);
}

TEST(check_raft, a_snapshot_stands_for_committed_entries)
{
    fixture_start(&f, 3, "raft.leader-completeness");
    leader(0, 1);
    commit_two();
    fixture_see(&f, 2, SQ_SEE_SNAPSHOT, 2, 1, 0);
    leader(2, 2);
    CHECK_SOUND(&f);
}

TEST(check_raft, a_snapshot_in_the_middle_of_a_log_stands_for_what_it_replaced)
{
    fixture_start(&f, 3, "raft.leader-completeness");
    leader(0, 1);
    commit_two();
    append(2, 1, 1);
    fixture_see(&f, 2, SQ_SEE_SNAPSHOT, 2, 1, 0);
    append(2, 3, 1);
    leader(2, 2);
    CHECK_SOUND(&f);
}

TEST(check_raft, a_committed_entry_that_a_leader_lost_later_is_caught_at_its_next_election)
{
    fixture_start(&f, 3, "raft.leader-completeness");
    leader(0, 1);
    commit_two();
    leader(1, 2);
    fixture_see(&f, 1, SQ_SEE_TRUNCATE, 2, 0, 0);
    leader(1, 3);
    CHECK_BROKEN(&f, "raft.leader-completeness");
}

TEST(check_raft, a_leader_that_lost_its_log_in_a_restart_is_caught)
{
    fixture_start(&f, 3, "raft.leader-completeness");
    leader(0, 1);
    commit_two();
    leader(1, 2);
    restart(1, 1, 1, 0);
    leader(1, 3);
    CHECK_BROKEN(&f, "raft.leader-completeness");
}

/* ----------------------------------------------------------------------------------- durability */

TEST(check_raft, an_entry_durable_on_a_majority_may_be_committed)
{
    fixture_start(&f, 3, "raft.committed-durable");
    commit_two();
    commit(1, 2, 1, false);
    CHECK_SOUND(&f);
}

TEST(check_raft, an_entry_durable_on_a_minority_may_not)
{
    fixture_start(&f, 3, "raft.committed-durable");
    both(0, 1, 1);
    append(1, 1, 1);
    append(2, 1, 1);
    commit(0, 1, 1, true);
    fixture_finish(&f);
    const struct result_violation *first = result_first_violation(&f.result);
    REQUIRE(first != NULL);
    CHECK_TEXT(first->message,
               "n1 committed entry 1 in term 1 while it was durable on 1 of 3 nodes");
    fixture_release(&f);
}

TEST(check_raft, an_entry_of_another_term_does_not_count_as_durable)
{
    fixture_start(&f, 3, "raft.committed-durable");
    both(0, 1, 2);
    both(1, 1, 1);
    commit(0, 1, 2, true);
    CHECK_BROKEN(&f, "raft.committed-durable");
}

TEST(check_raft, an_entry_that_was_cut_does_not_count_as_durable)
{
    fixture_start(&f, 3, "raft.committed-durable");
    both(0, 1, 1);
    both(1, 1, 1);
    fixture_see(&f, 1, SQ_SEE_CUT, 1, 0, 0);
    commit(0, 1, 1, true);
    CHECK_BROKEN(&f, "raft.committed-durable");
}

TEST(check_raft, what_was_durable_stays_so_in_a_crash)
{
    fixture_start(&f, 3, "raft.committed-durable");
    both(0, 1, 1);
    both(1, 1, 1);
    fixture_life(&f, 1, SQ_LIFE_CRASH);
    commit(0, 1, 1, true);
    CHECK_SOUND(&f);
}

TEST(check_raft, what_was_wiped_is_not_durable)
{
    fixture_start(&f, 3, "raft.committed-durable");
    both(0, 1, 1);
    both(1, 1, 1);
    fixture_life(&f, 1, SQ_LIFE_WIPE);
    commit(0, 1, 1, true);
    CHECK_BROKEN(&f, "raft.committed-durable");
}

TEST(check_raft, what_a_power_loss_took_is_not_durable)
{
    fixture_start(&f, 3, "raft.committed-durable");
    both(0, 1, 1);
    both(0, 2, 1);
    both(1, 1, 1);
    both(1, 2, 1);
    fixture_life(&f, 1, SQ_LIFE_POWER);
    restart(1, 1, 1, 0);
    commit(0, 2, 1, true);
    CHECK_BROKEN(&f, "raft.committed-durable");
}

TEST(check_raft, a_durable_snapshot_counts_for_all_that_it_stands_for)
{
    fixture_start(&f, 3, "raft.committed-durable");
    both(0, 1, 1);
    both(0, 2, 1);
    fixture_see(&f, 2, SQ_SEE_SNAPSHOT, 2, 1, 0);
    commit(0, 2, 1, true);
    CHECK_SOUND(&f);
}

TEST(check_raft, what_was_found_on_disk_counts)
{
    fixture_start(&f, 3, "raft.committed-durable");
    restart(0, 1, 1, 0);
    restart(1, 1, 1, 0);
    both(0, 2, 1);
    both(1, 2, 1);
    commit(0, 2, 1, true);
    CHECK_SOUND(&f);
}

TEST(check_raft, only_voters_count)
{
    fixture_start(&f, 3, "raft.committed-durable");
    fixture_see(&f, 0, SQ_SEE_CONFIG, 2, 3, 0); /* n1 and n2 */
    both(0, 1, 1);
    both(2, 1, 1);
    commit(0, 1, 1, true);
    CHECK_BROKEN(&f, "raft.committed-durable");
}

TEST(check_raft, each_of_several_entries_committed_at_once_is_examined)
{
    fixture_start(&f, 3, "raft.committed-durable");
    both(0, 1, 1);
    both(0, 2, 1);
    both(0, 3, 1);
    both(1, 1, 1);
    durable(2, 3, 1);
    append(1, 2, 1);
    both(1, 3, 1);
    fixture_see(&f, 1, SQ_SEE_CUT, 2, 0, 0);
    commit(0, 3, 1, true);
    CHECK_BROKEN(&f, "raft.committed-durable");
}

TEST(check_raft, a_leader_commits_entries_of_its_own_term)
{
    fixture_start(&f, 3, "raft.commit-current-term");
    append(0, 1, 1);
    append(0, 2, 3);
    commit(0, 2, 3, true);
    CHECK_SOUND(&f);
}

TEST(check_raft, a_leader_that_commits_an_old_entry_by_counting_is_caught)
{
    fixture_start(&f, 3, "raft.commit-current-term");
    append(0, 1, 1);
    append(0, 2, 2);
    commit(0, 2, 4, true);
    CHECK_BROKEN(&f, "raft.commit-current-term");
}

TEST(check_raft, an_old_entry_that_was_committed_before_is_no_decision)
{
    fixture_start(&f, 3, "raft.commit-current-term");
    append(0, 1, 1);
    append(1, 1, 1);
    commit(1, 1, 1, true);
    commit(0, 1, 4, true);
    CHECK_SOUND(&f);
}

TEST(check_raft, a_follower_that_is_told_to_commit_decides_nothing)
{
    fixture_start(&f, 3, "raft.commit-current-term");
    append(0, 1, 1);
    append(0, 2, 3);
    append(1, 1, 1);
    commit(1, 1, 3, false);
    commit(0, 2, 3, true);
    CHECK_SOUND(&f);
}

TEST(check_raft, a_stray_message_is_caught)
{
    fixture_start(&f, 3, "raft.no-stray-message");
    fixture_life(&f, 0, SQ_LIFE_BOOT);
    fixture_see(&f, 0, SQ_SEE_STRAY, 9, 0, 0);
    CHECK_BROKEN(&f, "raft.no-stray-message");
}

TEST(check_raft, no_stray_message_is_fine_as_long_as_nodes_boot)
{
    fixture_start(&f, 3, "raft.no-stray-message");
    fixture_life(&f, 0, SQ_LIFE_BOOT);
    CHECK_SOUND(&f);
}

/* ------------------------------------------------------------------------------- state machines */

TEST(check_raft, replicas_that_apply_the_same_agree)
{
    fixture_start(&f, 3, "state-machine-agreement");
    for (sq_node node = 0; node < 3; node++) {
        for (uint64_t position = 1; position < 5; position++) {
            fixture_see(&f, node, SQ_SEE_APPLY, position, position * 11, 0);
            fixture_see(&f, node, SQ_SEE_STATE, position, position * 13, 0);
        }
    }
    CHECK_SOUND(&f);
}

TEST(check_raft, a_different_command_at_a_position_is_caught)
{
    fixture_start(&f, 3, "state-machine-agreement");
    fixture_see(&f, 0, SQ_SEE_APPLY, 1, 11, 0);
    fixture_see(&f, 2, SQ_SEE_APPLY, 1, 12, 0);
    CHECK_BROKEN(&f, "state-machine-agreement");
}

TEST(check_raft, a_different_content_at_a_position_is_caught)
{
    fixture_start(&f, 3, "state-machine-agreement");
    fixture_see(&f, 0, SQ_SEE_STATE, 3, 11, 0);
    fixture_see(&f, 1, SQ_SEE_STATE, 3, 12, 0);
    CHECK_BROKEN(&f, "state-machine-agreement");
}

TEST(check_raft, a_node_alone_must_replay_what_it_applied)
{
    fixture_start(&f, 1, "state-machine-agreement");
    fixture_see(&f, 0, SQ_SEE_APPLY, 1, 11, 0);
    fixture_life(&f, 0, SQ_LIFE_BOOT);
    fixture_see(&f, 0, SQ_SEE_APPLY, 1, 12, 0);
    CHECK_BROKEN(&f, "state-machine-agreement");
}

TEST(check_raft, a_corrupt_database_is_caught)
{
    fixture_start(&f, 1, "sqlite.integrity");
    fixture_see(&f, 0, SQ_SEE_INTEGRITY, 1, 0, 0);
    fixture_see(&f, 0, SQ_SEE_INTEGRITY, 0, 0, 0);
    CHECK_BROKEN(&f, "sqlite.integrity");
}

TEST(check_raft, a_database_that_is_never_examined_is_not_sound)
{
    fixture_start(&f, 1, "sqlite.integrity");
    CHECK_BROKEN(&f, "sqlite.integrity");
}

/* More entries than the view keeps: the oldest are forgotten, nothing is invented. */
TEST(check_raft, a_log_longer_than_what_is_kept_gives_no_false_alarm)
{
    fixture_init(&f, 3);
    fixture_add_check(&f, SPEC_ALWAYS, "raft.log-matching");
    fixture_add_check(&f, SPEC_ALWAYS, "raft.committed-durable");
    fixture_add_check(&f, SPEC_ALWAYS, "raft.leader-completeness");
    f.spec.limit_ns = INT64_MAX / 4;
    fixture_begin(&f);
    leader(0, 1);
    for (uint64_t index = 1; index < 300000; index++) {
        both(0, index, 1);
        both(1, index, 1);
        commit(0, index, 1, true);
    }
    leader(1, 2);
    CHECK_SOUND(&f);
}

TEST(check_raft, a_late_commit_of_forgotten_entries_gives_no_false_alarm)
{
    fixture_init(&f, 3);
    fixture_add_check(&f, SPEC_ALWAYS, "raft.committed-durable");
    fixture_add_check(&f, SPEC_ALWAYS, "raft.commit-current-term");
    f.spec.limit_ns = INT64_MAX / 4;
    fixture_begin(&f);
    for (uint64_t index = 1; index < 300000; index++) {
        both(0, index, 1);
        both(1, index, 1);
    }
    commit(0, 10, 1, true);
    CHECK_SOUND(&f);
}
