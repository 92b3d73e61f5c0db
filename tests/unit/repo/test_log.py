"""What a commit's message and a remote's URL tell."""

from __future__ import annotations

import pytest

from runner.repo import log
from runner.repo.forge import commit_page
from tests.support.project import Project


@pytest.mark.parametrize(
    ("message", "number"),
    [
        ("Merge pull request #12 from ada/earlier\n\nRun it earlier", 12),
        ("Run it earlier (#13)", 13),
        ("Merge branch 'earlier' into 'main'\n\nRun it earlier\n\nSee merge request jobs/tasks!14", 14),
        ("Merged in earlier (pull request #15)", 15),
        ("Merged PR 16: run it earlier", 16),
        ("Run it earlier, see #17", None),
        ("Mend (#99999999999999999999)", None),
        ("Run it earlier", None),
    ],
)
def test_the_number_of_a_pull_request_is_read_from_the_message(
    project: Project, message: str, number: int | None
) -> None:
    commit = project.commit(message)

    assert log.commits(str(project.root), [commit])[commit].pull_request == number


@pytest.mark.parametrize(
    ("remote", "page"),
    [
        ("https://github.com/ada/tasks.git", "https://github.com/ada/tasks/commit/"),
        ("https://ada:secret@github.com/ada/tasks", "https://github.com/ada/tasks/commit/"),
        ("git@github.com:ada/tasks.git", "https://github.com/ada/tasks/commit/"),
        ("ssh://git@gitlab.example.org:2222/jobs/tasks.git", "https://gitlab.example.org/jobs/tasks/-/commit/"),
        ("git@bitbucket.org:ada/tasks.git", "https://bitbucket.org/ada/tasks/commits/"),
        ("https://codeberg.org/ada/tasks/", "https://codeberg.org/ada/tasks/commit/"),
        ("https://example.org/ada/tasks.git", None),
        ("/srv/git/tasks.git", None),
        ("../tasks", None),
    ],
)
def test_a_commit_has_a_page_where_the_forge_is_known_and_no_password_in_it(remote: str, page: str | None) -> None:
    assert commit_page(remote) == page


def test_a_commit_is_known_by_author_and_subject_and_has_a_page(project: Project) -> None:
    project.git("remote", "add", "origin", "git@github.com:ada/tasks.git")
    name = project.commit("Run it earlier\n\nBecause of the mail.")
    commit = log.commits(str(project.root), [name, "0" * 40, "worktree", "--all"])[name]

    assert commit.in_words() == f"{name[:12]} Ada: Run it earlier"
    assert commit.url == f"https://github.com/ada/tasks/commit/{name}"


def test_outside_of_a_repository_no_commit_is_known(tmp_path: object) -> None:
    assert log.commits(str(tmp_path), ["0" * 40]) == {}
