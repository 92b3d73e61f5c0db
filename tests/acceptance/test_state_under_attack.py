"""A task that removes or replaces folders of runner harms at most itself, and holds up nobody."""

from __future__ import annotations

import pytest

from tests.support.project import MINUTE, NOON, Project

_PRELUDE = "import os, shutil, time\nstate = {state!r}\nhere = os.getcwd()\nprint('begun')\n"
_WAYS = {
    "its own folder": "shutil.rmtree(here)",
    "its own folder, for a file": "os.chdir('/'); shutil.rmtree(here); open(here, 'w').close()",
    "its own folder, for a link": "os.chdir('/'); shutil.rmtree(here); os.symlink('/nowhere', here)",
    "its own folder, moved away": "os.rename(here, state + '-moved')",
    "all private folders": "shutil.rmtree(state + '/work')",
    "all private folders, for a file": "shutil.rmtree(state + '/work'); open(state + '/work', 'w').close()",
    "live files": "time.sleep(0.8); print('live'); shutil.rmtree(state + '/live'); print('x' * 3_000_000)",
    "live files, for a file": "time.sleep(0.8); shutil.rmtree(state + '/live'); open(state + '/live', 'w').close(); print('x')",
    "live files, for a folder": "time.sleep(0.8); path = f'{state}/live/{task.run_id}-1'; os.unlink(path); os.mkdir(path)",
    "slots": "shutil.rmtree(state + '/slots')",
    "owners": "shutil.rmtree(state + '/owners')",
    "everything but the database": "[shutil.rmtree(e.path) for e in os.scandir(state) if e.is_dir()]",
}


_TAKES_THE_OWNER = {"owners", "everything but the database"}


@pytest.mark.parametrize("way", _WAYS)
def test_a_task_that_removes_or_replaces_a_folder_is_on_record_and_the_next_tick_goes_on(
    project: Project, way: str
) -> None:
    project.task("once", _PRELUDE.format(state=str(project.state)) + _WAYS[way], kill_grace="0s")
    project.task("other", "print('fine')")
    project.commit()
    done = project.runner("tick", now=NOON, timeout=50)

    if way in _TAKES_THE_OWNER:
        # Without its owner file a tick begins nothing more, because others regard its owner as gone.
        assert done.returncode == 0 or "another process may have taken the run" in done.stderr
    else:
        assert (done.returncode, done.stderr) == (0, "")
        [once] = project.runs("once")
        assert (once.status, once.exit_code) == ("succeeded", 0), once
        assert project.show(once.run_id).output.startswith(b"begun\n")

    mended = project.state / "work"
    if mended.is_file():
        mended.unlink()
    project.task("once", "print('again')")
    project.commit()
    assert project.runner("tick", now=NOON + MINUTE, timeout=50).returncode == 0
    assert "succeeded" in {run.status for run in project.runs("once")}
    # What was handed back runs now, and its next slot is skipped behind it.
    assert "succeeded" in {run.status for run in project.runs("other")}
    assert "running" not in {run.status for run in project.runs("other")}


def test_a_spare_folder_that_another_task_has_removed_is_not_missed(project: Project) -> None:
    code = f"import os, shutil\nfor name in os.listdir({str(project.state / 'work')!r}):\n"
    code += f"    shutil.rmtree({str(project.state / 'work')!r} + '/' + name)"
    for number in range(6):
        project.task(f"{number}", code if number % 2 else "print('fine')", retry={"attempts": 1})
    project.write("runner.yaml", "max_parallel: 1\n")
    project.commit()
    done = project.runner("tick", now=NOON, timeout=50)

    assert (done.returncode, done.stderr) == (0, "")
    assert [run.status for run in project.runs()] == ["succeeded"] * 6


def test_a_child_does_not_make_a_state_folder_again_that_a_task_has_removed(project: Project) -> None:
    # The folder is moved, so that nothing but what the children do is seen in its place.
    project.task(
        "a",
        f"import os, time\nos.rename({str(project.state)!r}, {str(project.state) + '-moved'!r})\ntime.sleep(1)\nprint('x')",
    )
    project.commit()
    project.runner("tick", now=NOON, timeout=100)

    assert not (project.state / "work").exists()
    assert not (project.state / "live").exists()
