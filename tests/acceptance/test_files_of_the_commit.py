"""A run sees the files of its commit, read-only; what is to last from run to run has a folder of its own."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from runner.model.run import RunDetails
from tests.support.project import MINUTE, NOON, RUNNER, Project

_SHOW = "print((task.root / 'tasks/reports/sales.csv').read_text().strip())"


def _ran(project: Project, task: str = "reports/report", minutes: float = 0) -> RunDetails:
    """Tick, and return the run that was started of a task."""
    [run] = [run for run in project.tick(NOON + minutes * MINUTE).started if run.task == task]
    return project.show(run.run_id)


def _printed(project: Project, code: str, **keys: Any) -> str:
    project.task("reports/report", code, **keys)
    project.commit()
    details = _ran(project)
    assert details.run.status == "succeeded", details.output
    return details.output.decode().strip()


@pytest.fixture
def sales(project: Project) -> Project:
    project.write("tasks/reports/sales.csv", "committed")
    project.write("lib/shop.py", "def total(): return 'from lib'\n")
    return project


@pytest.mark.parametrize(
    "code",
    [
        _SHOW,
        "import os, pathlib\nprint(pathlib.Path(os.environ['RUNNER_ROOT'], 'tasks/reports/sales.csv').read_text())",
        "import pathlib\nprint((pathlib.Path(__file__).parent / 'sales.csv').read_text())",
        "import os\nprint(open(os.path.join(os.path.dirname(__file__), 'sales.csv')).read())",
        "import subprocess\nprint(subprocess.check_output('cat $RUNNER_ROOT/tasks/reports/sales.csv', shell=True).decode())",
    ],
)
def test_a_task_reads_the_data_of_its_commit_and_not_of_the_work_tree(sales: Project, code: str) -> None:
    sales.task("reports/report", code)
    sales.commit()
    sales.write("tasks/reports/sales.csv", "edited")

    assert _ran(sales).output.strip() == b"committed"


def test_with_another_ref_the_data_come_from_that_ref(sales: Project) -> None:
    sales.write("runner.yaml", "git: {ref: release}\n")
    sales.task("reports/report", _SHOW)
    sales.commit()
    sales.git("branch", "release")
    sales.write("tasks/reports/sales.csv", "of main")
    sales.commit()

    assert _ran(sales).output.strip() == b"committed"


def test_a_module_in_lib_is_imported_after_the_standard_library(sales: Project) -> None:
    sales.write("lib/json.py", "raise SystemExit('lib/json.py')\n")
    sales.write("lib/pack/__init__.py", "")
    sales.write("lib/pack/part.py", "name = __name__\n")

    assert _printed(sales, "import json, shop, pack.part\nprint(shop.total(), pack.part.name)") == "from lib pack.part"


def test_a_process_that_multiprocessing_starts_afresh_imports_from_lib_and_finds_the_files(sales: Project) -> None:
    code = (
        "import multiprocessing, shop\n"
        "def work(_): return shop.total() + (task.root / 'tasks/reports/sales.csv').read_text()\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        print(pool.map(work, [1]))"
    )

    assert _printed(sales, code) == "['from libcommitted']"


@pytest.mark.parametrize("path", ["vendor", "{root}/vendor", "elsewhere:vendor"])
def test_a_python_path_of_the_task_is_searched_below_its_root(sales: Project, path: str) -> None:
    sales.write("runner.yaml", "files: [tasks, vendor]\n")
    sales.write("vendor/bought.py", "name = 'bought'\n")
    code = (
        "import bought, subprocess, sys\n"
        "print(bought.name, flush=True)\n"
        "subprocess.run([sys.executable, '-c', 'import bought'], check=True)"
    )

    assert _printed(sales, code, env={"PYTHONPATH": path.format(root=sales.root)}) == "bought"


def test_the_file_of_a_task_is_there_where_the_code_names_it(sales: Project) -> None:
    assert "frequency" in _printed(
        sales, "print(open(__file__).read(), __file__ == str(task.root / 'tasks/reports/report.yaml'))"
    )


def test_only_what_the_settings_name_is_there_and_no_other_task_file(sales: Project) -> None:
    sales.write("runner.yaml", "files: [tasks, data/eu, README.md]\n")
    for path in ("data/eu/a.csv", "data/us/b.csv", "README.md", "tasks/reports/.hidden", "lib/more.py"):
        sales.write(path, "x")
    sales.task("another")
    code = "print(sorted(str(it.relative_to(task.root)) for it in task.root.rglob('*') if it.is_file()))"

    found = _printed(sales, code)

    assert found == str(["README.md", "data/eu/a.csv", "tasks/reports/.hidden", "tasks/reports/sales.csv"])


def test_a_dot_names_everything_beside_the_task_files(sales: Project) -> None:
    sales.write("runner.yaml", "files: [.]\n")
    sales.write("top.txt", "x")
    code = "print(sorted(str(it.relative_to(task.root)) for it in task.root.rglob('*') if it.is_file()))"

    assert _printed(sales, code) == str(["lib/shop.py", "runner.yaml", "tasks/reports/sales.csv", "top.txt"])


def test_a_root_below_the_top_of_its_repository_has_its_own_files(tmp_path: Path) -> None:
    top = Project.create(tmp_path / "top")
    below = Project(top.root / "jobs", tmp_path / "state")
    top.write("lib/shop.py", "raise SystemExit('of the top')\n")
    top.write("jobs/lib/shop.py", "def total(): return 'from below'\n")
    below.task("reports/report", "import shop\nprint(shop.total())")
    top.commit()

    assert below.show(below.tick().started[0].run_id).output == b"from below\n"


def test_nothing_of_a_checkout_can_be_changed_and_modes_and_links_are_those_of_git(sales: Project) -> None:
    program = sales.write("lib/tool.sh", "#!/bin/sh\necho ran\n")
    program.chmod(0o755)
    (sales.root / "lib/link.csv").symlink_to("../tasks/reports/sales.csv")
    code = (
        "import os, subprocess\n"
        "print(subprocess.check_output([task.root / 'lib/tool.sh']).decode().strip(), (task.root / 'lib/link.csv').read_text())\n"
        "print({oct(os.stat(task.root / it).st_mode)[-3:] for it in ('tasks/reports/sales.csv', 'lib', '.', 'lib/tool.sh')})"
    )

    assert _printed(sales, code).splitlines()[0] == "ran committed"
    for path in _checkout(sales).rglob("*"):
        assert path.is_symlink() or not stat.S_IMODE(path.stat().st_mode) & 0o222


def _checkout(project: Project) -> Path:
    """Return the folder that the only checkout leads to."""
    [tree] = {path.resolve() for path in (project.state / "files").iterdir() if path.name != "trees"}
    return tree


def test_commits_that_change_no_such_file_share_a_checkout_and_others_do_not(sales: Project) -> None:
    sales.task("reports/report", _SHOW)
    first = sales.commit()
    _ran(sales)
    sales.task("another")
    second = sales.commit()
    _ran(sales, minutes=1)
    sales.write("tasks/reports/sales.csv", "changed")
    third = sales.commit()

    assert _ran(sales, minutes=2).output == b"changed\n"
    trees = [(sales.state / "files" / commit).resolve() for commit in (first, second, third)]
    assert trees[0] == trees[1] != trees[2]
    assert len(list((sales.state / "files/trees").iterdir())) == 2


def test_a_replay_sees_the_files_of_the_first_run_and_those_of_now_where_that_is_asked(sales: Project) -> None:
    sales.task("reports/report", _SHOW)
    sales.commit()
    run_id = _ran(sales).run.run_id
    sales.write("tasks/reports/sales.csv", "of now")
    sales.commit()
    sales.git("gc", "--quiet")

    assert sales.runner("replay", str(run_id), now=NOON + MINUTE).stdout.startswith("committed\n")
    assert sales.runner("replay", str(run_id), "--at-commit", "head", now=NOON + MINUTE).stdout.startswith("of now\n")


def test_a_trial_sees_the_work_tree_and_keeps_what_it_keeps_apart(sales: Project) -> None:
    code = f"{_SHOW}\n(task.state / 'seen').write_text('x')\nprint(sorted(it.name for it in task.state.iterdir()), task.state)"
    sales.task("reports/report", code)
    sales.commit()
    _ran(sales)
    sales.write("tasks/reports/sales.csv", "edited")

    tried = sales.runner("run", "reports/report", "--worktree", now=NOON + MINUTE).stdout

    assert tried.startswith("edited\n['seen']")
    assert sorted(os.listdir(sales.state / "data")) == ["reports+report", "reports+report~worktree"]


def test_what_a_task_keeps_lasts_from_run_to_run_and_over_a_rename(project: Project) -> None:
    code = (
        "import os\n"
        "assert str(task.state) == os.environ['RUNNER_DATA']\n"
        "seen = task.state / 'seen'\n"
        "number = int(seen.read_text()) if seen.exists() else 0\n"
        "seen.write_text(str(number + 1))\n"
        "print(number)"
    )
    project.task("first/name", code)
    project.commit()
    assert _ran(project, "first/name").output == b"0\n"
    assert _ran(project, "first/name", 1).output == b"1\n"
    (project.root / "tasks/second").mkdir()
    (project.root / "tasks/first/name.yaml").rename(project.root / "tasks/second/name.yaml")
    project.commit()
    assert _ran(project, "second/name", 2).output == b"2\n"
    project.task("first/name", code)
    project.commit()

    assert _ran(project, "first/name", 3).output == b"0\n"


def test_two_tasks_never_keep_things_in_one_folder(project: Project) -> None:
    code = "(task.state / 'seen').touch()\nprint(task.state)"
    ids = ["a", "a/2", "a.2", "a-2", "b/a", "b.a"]
    for task_id in ids:
        project.task(task_id, code)
    project.commit()

    outputs = {project.show(run.run_id).output for run in project.tick().started}

    assert len(outputs) == len(ids)


@pytest.mark.parametrize(
    "name", ["tasks/reports/sales.csv", "./tasks/reports/sales.csv", "lib/shop.py", "tasks/reports"]
)
def test_a_file_that_is_not_found_by_a_relative_path_is_said_to_be_in_the_commit(sales: Project, name: str) -> None:
    how = f"open({name!r})" if "." in name else f"__import__('os').listdir({name!r})"
    sales.task("reports/report", how)
    sales.commit()

    details = _ran(sales)

    said = f'it is in the commit of this run: task.root / "{name}"'
    assert details.run.error is not None
    assert details.run.error.message.endswith(said)
    assert said in details.output.decode()


@pytest.mark.parametrize("name", ["nowhere.csv", "/nowhere/sales.csv"])
def test_nothing_is_said_of_a_file_that_is_nowhere(sales: Project, name: str) -> None:
    sales.task("reports/report", f"open({name!r})")
    sales.commit()

    assert b"task.root" not in _ran(sales).output


def test_a_file_of_the_work_tree_that_the_settings_do_not_name_is_said_to_be_left_out(sales: Project) -> None:
    sales.write("data/eu.csv", "x")
    sales.task("reports/report", "open('data/eu.csv')")
    sales.commit()

    assert "data/eu.csv is in the repository, but not among the `files` of runner.yaml" in _ran(sales).output.decode()


def test_a_commit_that_git_has_lost_fails_the_run_with_a_reason_and_the_tick_goes_on(sales: Project) -> None:
    sales.task("reports/report", _SHOW)
    sales.commit()
    blob = sales.git("rev-parse", "HEAD:tasks/reports/sales.csv").strip()
    lost = sales.root / ".git/objects" / blob[:2] / blob[2:]
    lost.chmod(0o600)
    lost.unlink()

    details = _ran(sales)

    assert details.run.status == "failed"
    assert "the files of commit" in str(details.run.reason)
    assert blob in str(details.run.reason)
    assert not list((sales.state / "files/trees").iterdir())


def test_a_checkout_that_was_cut_short_is_made_anew(sales: Project) -> None:
    sales.task("reports/report", _SHOW)
    sales.commit()
    left = sales.state / "files/unfinished-abc"
    left.mkdir(parents=True)
    (sales.state / "files" / sales.git("rev-parse", "HEAD").strip()).symlink_to("trees/nowhere")

    assert _ran(sales).output == b"committed\n"


@pytest.mark.parametrize("bad", ["/etc", "../elsewhere", "a/../../b", "lib/", "", "a\\b", "./lib"])
def test_a_path_that_leads_out_of_the_repository_is_no_path_of_files(project: Project, bad: str) -> None:
    project.write("runner.yaml", f"files: [{json.dumps(bad)}]\n")
    project.task("hello")

    assert [problem["file"] for problem in project.json("validate", "--format", "json")["problems"]] == ["runner.yaml"]


def test_two_ticks_that_meet_a_new_commit_at_one_moment_both_find_its_files(sales: Project) -> None:
    for number in range(8):
        sales.task(f"task-{number}", "print((task.root / 'tasks/reports/sales.csv').read_text())", jitter="0s")
        sales.write(f"lib/module_{number}.py", "x = 1\n" * 1000)
    sales.write("runner.yaml", "max_parallel: 8\n")
    sales.commit()
    ids = [f"--task=task-{number}" for number in range(8)]
    ticks = [subprocess.Popen([RUNNER, "tick", word], cwd=sales.root, env=sales.environment(NOON)) for word in ids]

    assert [tick.wait(100) for tick in ticks] == [0] * 8

    assert {sales.show(run.run_id).output for run in sales.runs()} == {b"committed\n"}
    assert len(sales.runs()) == 8
    assert len(list((sales.state / "files/trees").iterdir())) == 1
    assert not list((sales.state / "files").glob("unfinished-*"))


def test_a_repository_with_ids_of_sha_256_has_files_as_well(tmp_path: Path) -> None:
    project = Project(tmp_path / "project", tmp_path / "state")
    project.root.mkdir()
    project.git("init", "--quiet", "--object-format=sha256", "--initial-branch=main")
    project.write("tasks/reports/sales.csv", "committed")
    project.task("reports/report", _SHOW)
    project.commit()

    assert _ran(project).output == b"committed\n"


def test_a_plan_says_that_runs_see_other_files(sales: Project) -> None:
    sales.commit()
    sales.write("runner.yaml", "files: [tasks, data]\n")

    [change] = sales.json("plan", "--json", now=NOON)["settings"]

    assert (change["name"], change["before"], change["after"]) == ("files", "tasks, lib", "tasks, data")
