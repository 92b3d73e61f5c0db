"""The order of tests: long tests first, because the whole suite waits for a long test that begins last."""

from __future__ import annotations

import pytest

#: Parts of test names, the longest test first. Other tests take a few seconds at most, with any number of workers.
_LONG = (
    "test_cron.py::",  # waits for two full minutes
    "test_over_two_hundred_commits",
    "test_chaos.py::",
    "test_kills.py::",
    "test_a_locked_database_is_waited_for",  # ten seconds, which a test cannot shorten
    "[functions of one name]",  # ten seconds, too
    "test_a_task_of_every_minute_runs_sixty_times",
    "test_kills_of_ticks_and_children",
    "test_a_database_locked_by_somebody",
    "test_a_rule_does_what_dateutil_does",
    "test_whatever_tasks_do_with_a_secret",
    "test_every_command_in_a_document",
    "test_every_name_is_an_id_or_a_problem",
    "test_a_file_or_link_in_the_place",
    "programs started from a large process",
    "test_following_a_flood",
    "test_a_long_slow_output",
    "test_a_bomb_a_hog_a_loop",
)


def long_ones_first(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """Return the tests in an order in which each worker begins with its share of the long ones.

    pytest-xdist splits the list into parts of equal length, one for each worker, and later moves the ends of parts.
    """
    ranks = {item.nodeid: rank for item in items if (rank := _rank(item.nodeid)) is not None}
    long = sorted((item for item in items if item.nodeid in ranks), key=lambda item: ranks[item.nodeid])
    short = [item for item in items if item.nodeid not in ranks]
    ordered: list[pytest.Item] = []
    for number in range(workers):
        share = long[number::workers]
        end = len(items) * (number + 1) // workers
        rest = max(0, end - len(ordered) - len(share))
        ordered += share + short[:rest]
        del short[:rest]
    return ordered + short


def _rank(name: str) -> int | None:
    return next((rank for rank, part in enumerate(_LONG) if part in name), None)
