"""A name means one ref, by its full name; a ref that cannot be read is named, and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import GitError, RepositoryError
from runner.repo import refs
from runner.repo.head import commit_at
from tests.support.damages import DAMAGES, write
from tests.support.project import Project

_MANY = (
    "main",
    "origin/main",
    "topic",
    "HEAD",
    "v1",
    "refs/heads/main",
    "FETCH_HEAD",
    "heads/main",
    "up/stream/x",
)


@pytest.fixture
def many(project: Project) -> tuple[Project, dict[str, str]]:
    """A repository in which each name of `_MANY` is a branch, a remote branch and a tag, each at another commit."""
    commits = {}
    names = [f"refs/{kind}/{name}" for kind in ("heads", "remotes", "tags") for name in _MANY]
    for path in ("refs/remotes/origin/HEAD", *names):
        commits[path] = project.commit(path)
        if path != "refs/heads/main":
            project.git("update-ref", path, commits[path])
    commits["HEAD"] = commits["refs/heads/main"] = project.commit("the tip of main")
    for name in ("origin", "up/stream"):
        project.git("remote", "add", name, "/nowhere")
    (project.root / ".git/FETCH_HEAD").write_text(f"{commits['refs/tags/main']}\t\tbranch 'main' of /nowhere\n")
    return project, commits


@pytest.mark.parametrize("packed", [False, True])
def test_a_name_means_what_its_docstring_promises(many: tuple[Project, dict[str, str]], *, packed: bool) -> None:
    project, commits = many
    if packed:
        project.git("pack-refs", "--all")
    expected = {
        "HEAD": "HEAD",
        "origin/main": "refs/remotes/origin/main",
        "up/stream/x": "refs/remotes/up/stream/x",
        "refs/heads/main": "refs/heads/main",
        "refs/heads/origin/main": "refs/heads/origin/main",
        "refs/tags/origin/main": "refs/tags/origin/main",
        "refs/tags/main": "refs/tags/main",
        "tags/main": "refs/tags/main",
    }
    found = {name: refs.find(str(project.root), name) for name in expected}

    assert {name: ref.path for name, ref in found.items()} == expected
    assert {name: ref.commit for name, ref in found.items()} == {name: commits[path] for name, path in expected.items()}
    for ref in found.values():
        assert commit_at(str(project.root), ref.path) == ref.commit


@pytest.mark.parametrize("name", ["main", "v1", "topic", "FETCH_HEAD", "heads/main"])
def test_a_name_of_two_branches_is_refused_with_the_names_that_can_be_meant(
    many: tuple[Project, dict[str, str]], name: str
) -> None:
    project, _ = many

    with pytest.raises(GitError, match=f"the ref '{name}' can be any of refs/heads/{name}, refs/") as caught:
        refs.find(str(project.root), name)

    assert caught.value.hint == f"write one of them in full, for example refs/heads/{name}"


@pytest.mark.parametrize("name", ["main", "v1", "topic", "FETCH_HEAD", "deadbeef"])
def test_a_branch_comes_before_a_tag_of_its_name_and_both_before_an_id(project: Project, name: str) -> None:
    tagged = project.commit("tagged")
    project.git("update-ref", f"refs/tags/{name}", tagged)
    root = str(project.root)
    assert (
        refs.find(root, name) == refs.Found(f"refs/tags/{name}", tagged)
        if name != "main"
        else refs.find(root, name).path == "refs/heads/main"
    )
    branch = project.commit("of the branch")
    project.git("update-ref", f"refs/heads/{name}", branch)

    assert refs.find(root, name) == refs.Found(f"refs/heads/{name}", branch)


@pytest.mark.parametrize(
    "missing", ["origin/main", "refs/heads/gone", "refs/remotes/origin/main", "heads/gone", "gone"]
)
def test_nothing_stands_in_for_a_ref_that_is_not_there(project: Project, missing: str) -> None:
    project.git("remote", "add", "origin", "/nowhere")
    for path in (f"refs/tags/{missing}", f"refs/heads/{missing}"):
        if missing not in {"gone", "heads/gone"} or path.startswith("refs/remotes"):
            project.git("update-ref", path, project.commit(path))
    root = str(project.root)
    project.commit()

    with pytest.raises(GitError, match="there is no ref"):
        refs.find(root, missing)
    assert commit_at(root, missing if missing.startswith("refs/") else f"refs/remotes/{missing}") is None


def test_steps_back_and_ids_whole_or_short_are_found(project: Project) -> None:
    first = project.commit("first")
    second = project.commit("second")
    project.git("update-ref", f"refs/heads/{first}", second)  # whoever may push may call a branch so
    root = str(project.root)

    assert refs.find(root, "main~1") == refs.Found("refs/heads/main~1", first)
    assert refs.find(root, "HEAD^") == refs.Found("HEAD^", first)
    assert commit_at(root, "refs/heads/main~1") == first
    assert refs.find(root, first) == refs.Found(first, first)
    assert refs.find(root, second[:7]) == refs.Found(second, second)
    with pytest.raises(GitError, match="main~9 names no commit"):
        refs.find(root, "main~9")
    with pytest.raises(GitError, match=f"there is no ref '{'0' * 40}'"):
        refs.find(root, "0" * 40)


def test_the_name_of_a_remote_means_its_default_branch(project: Project) -> None:
    commit = project.commit()
    project.git("update-ref", "refs/remotes/origin/main", commit)
    project.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")

    assert refs.find(str(project.root), "origin") == refs.Found("refs/remotes/origin/HEAD", commit)


def test_a_tag_of_a_tag_is_followed_to_the_commit(project: Project) -> None:
    commit = project.commit()
    project.git("tag", "-a", "-m", "inner", "inner")
    project.git("tag", "-a", "-m", "outer", "outer", "inner")
    root = str(project.root)

    assert refs.find(root, "outer") == refs.Found("refs/tags/outer", commit)
    assert commit_at(root, "refs/tags/outer") == commit


def test_an_unborn_branch_is_told_and_a_tag_called_head_does_not_stand_in_for_it(project: Project) -> None:
    root = str(project.root)
    with pytest.raises(GitError, match="the repository has no commit yet"):
        refs.commit_of(root, "HEAD")
    project.git("update-ref", "refs/tags/HEAD", project.commit())
    project.git("symbolic-ref", "HEAD", "refs/heads/unborn")

    assert commit_at(root, "HEAD") is None
    with pytest.raises(GitError, match="HEAD is at refs/heads/unborn, which has no commit"):
        refs.commit_of(root, "HEAD")


@pytest.mark.parametrize("kind", DAMAGES)
def test_what_is_damaged_is_named(project: Project, kind: str) -> None:
    about, damage, words = DAMAGES[kind]
    project.task("hello")
    project.commit()
    damage(project)

    with pytest.raises(GitError, match=words) as caught:
        refs.commit_of(str(project.root), "HEAD")

    assert not isinstance(caught.value, RepositoryError)
    assert (caught.value.about, about in caught.value.message) == (about, True)
    assert caught.value.hint


@pytest.mark.parametrize("name", ["main", "HEAD", "refs/heads/main", "v1"])
def test_packed_refs_that_are_damaged_are_named(project: Project, name: str) -> None:
    project.commit()
    project.git("tag", "v1")
    project.git("pack-refs", "--all")
    with (project.root / ".git/packed-refs").open("a") as file:
        file.write("garbage\n")

    with pytest.raises(GitError, match="packed-refs"):
        refs.find(str(project.root), name)


def test_a_damaged_branch_does_not_let_a_tag_take_its_place(project: Project) -> None:
    commit = project.commit()
    for name in ("topic", "round"):
        project.git("update-ref", f"refs/tags/{name}", commit)
    write("refs/heads/topic", "garbage\n")(project)
    write("refs/heads/round", "ref: refs/heads/round\n")(project)

    for name in ("topic", "round"):
        with pytest.raises(GitError, match=f"the ref refs/heads/{name} is damaged"):
            refs.find(str(project.root), name)


def test_a_folder_of_no_repository_is_told_apart_from_a_damaged_one(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="is not in a git repository"):
        refs.commit_of(str(tmp_path), "HEAD")


def test_a_bare_repository_inside_of_another_one_is_asked_and_not_the_other(project: Project) -> None:
    outer = project.commit("outer")
    project.git("clone", "--quiet", "--bare", ".", "bare.git")
    bare = Project(project.root / "bare.git", project.state)
    inner = bare.git("commit-tree", "-m", "inner", f"{outer}^{{tree}}")
    bare.git("update-ref", "refs/heads/main", inner)

    assert commit_at(str(bare.root), "HEAD") == inner
