"""What people put into their CI: the very files of this repository, against a forge on the loopback."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.project import Project

_ROOT = Path(__file__).resolve().parents[2]
_POST = _ROOT / ".ci/plan_comment.py"
_WORKFLOW = _ROOT / ".github/workflows/tasks.yml"
_GITLAB = _ROOT / ".gitlab/tasks.gitlab-ci.yml"
_MARK = "<!-- runner plan -->"
_TOKEN = "a-token-that-nobody-may-see"  # noqa: S105 - of a forge that lives as long as a test


class Forge:
    """Comments as GitHub and GitLab keep them, behind real HTTP."""

    def __init__(self) -> None:
        self.comments: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.answer = 200
        forge = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def _reply(self, value: object) -> None:
                body = json.dumps(value).encode()
                self.send_response(forge.answer)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def _body(self) -> str:
                forge.asked.append(f"{self.command} {self.path}")
                size = int(self.headers.get("Content-Length", 0))
                return str(json.loads(self.rfile.read(size))["body"]) if size else ""

            def do_GET(self) -> None:
                self._body()
                page = int(re.findall(r"[?&]page=(\d+)", self.path)[0])
                self._reply(forge.comments[100 * (page - 1) : 100 * page])

            def do_POST(self) -> None:
                body = self._body()
                if forge.answer == 200:
                    forge.comments.append({"id": len(forge.comments) + 1, "body": body})
                self._reply({})

            def do_PATCH(self) -> None:
                body = self._body()
                next(it for it in forge.comments if str(it["id"]) == self.path.rpartition("/")[2])["body"] = body
                self._reply({})

            def do_PUT(self) -> None:
                self.do_PATCH()

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def forge() -> Iterator[Forge]:
    """A forge that lives as long as the test."""
    made = Forge()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def _github(url: str) -> dict[str, str]:
    return {
        "GITHUB_API_URL": url,
        "GITHUB_REPOSITORY": "o/r",
        "GITHUB_REF": "refs/pull/7/merge",
        "GITHUB_TOKEN": _TOKEN,
    }


def _gitlab(url: str) -> dict[str, str]:
    return {"CI_API_V4_URL": url, "CI_PROJECT_ID": "3", "CI_MERGE_REQUEST_IID": "7", "RUNNER_PLAN_TOKEN": _TOKEN}


def _post(environment: dict[str, str], plan: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, str(_POST)],
        input=plan,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert _TOKEN not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.mark.parametrize("given", [_github, _gitlab])
def test_the_plan_is_one_comment_which_later_pushes_update(forge: Forge, given: Any) -> None:
    environment = given(forge.url)
    forge.comments.append({"id": 1, "body": "looks good"})

    said = [_post(environment, f"{_MARK}\n{plan}\n").stdout for plan in ("one", "one", "two")]

    assert said == ["plan comment: posted\n", "plan comment: unchanged\n", "plan comment: updated\n"]
    assert [comment["body"] for comment in forge.comments] == ["looks good", f"{_MARK}\ntwo\n"]


def test_the_addresses_are_those_of_each_forge(forge: Forge) -> None:
    _post(_github(forge.url), _MARK)
    _post(_github(forge.url), f"{_MARK} new")
    forge.comments.clear()
    _post(_gitlab(forge.url), _MARK)
    _post(_gitlab(forge.url), f"{_MARK} new")

    assert [line.partition("?")[0] for line in forge.asked] == [
        *("GET /repos/o/r/issues/7/comments", "POST /repos/o/r/issues/7/comments"),
        *("GET /repos/o/r/issues/7/comments", "PATCH /repos/o/r/issues/comments/1"),
        *("GET /projects/3/merge_requests/7/notes", "POST /projects/3/merge_requests/7/notes"),
        *("GET /projects/3/merge_requests/7/notes", "PUT /projects/3/merge_requests/7/notes/1"),
    ]


def test_the_comment_is_found_behind_a_hundred_others(forge: Forge) -> None:
    forge.comments += [{"id": number, "body": "talk"} for number in range(250)]
    forge.comments.append({"id": 999, "body": f"{_MARK}\nold"})

    _post(_github(forge.url), f"{_MARK}\nnew")

    assert (len(forge.comments), forge.comments[-1]["body"]) == (251, f"{_MARK}\nnew")


@pytest.mark.parametrize("code", [401, 403, 404])
def test_a_token_that_may_not_write_leaves_the_plan_in_the_log_and_the_summary(
    forge: Forge, tmp_path: Path, code: int
) -> None:
    forge.answer = code
    summary = tmp_path / "summary.md"

    done = _post(_github(forge.url) | {"GITHUB_STEP_SUMMARY": str(summary)}, "the plan")

    assert done.returncode == 0
    assert done.stdout.startswith("the plan\nplan comment: not posted, the token may not")
    assert summary.read_text() == "the plan"


def test_a_forge_that_fails_is_one_line(forge: Forge) -> None:
    forge.answer = 500

    done = _post(_github(forge.url), "the plan")

    assert (done.returncode, done.stdout, done.stderr) == (
        1,
        "",
        "error: the forge answered 500 Internal Server Error\n",
    )


def test_a_forge_that_is_not_there_is_one_line(forge: Forge) -> None:
    forge.server.server_close()

    done = _post(_github(forge.url), "the plan")

    assert done.returncode == 1
    assert done.stderr.startswith("error: the plan could not be posted: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_plan_longer_than_a_comment_may_be_is_cut_and_says_so(forge: Forge) -> None:
    _post(_github(forge.url), f"{_MARK}\n" + "x" * 100_000)

    assert len(forge.comments[0]["body"]) < 65_536
    assert "The plan is longer than a comment may be" in forge.comments[0]["body"]


def test_outside_of_a_request_to_merge_the_plan_is_printed() -> None:
    assert _post({}, "the plan").stdout == "the plan\n"


@pytest.fixture
def change(project: Project) -> Project:
    """A repository with our CI parts, and a branch that runs a task more often."""
    shutil.copytree(_ROOT / ".ci", project.root / ".ci")
    (project.root / ".venv/bin").mkdir(parents=True)
    for name in ("runner", "python"):
        (project.root / ".venv/bin" / name).symlink_to(Path(sys.executable).parent / name)
    project.write(".gitignore", ".venv/\n*.md\n*.json\n")
    project.task("sync", frequency=15, unit="minutes")
    project.commit()
    project.git("update-ref", "refs/remotes/origin/main", "HEAD")
    project.git("switch", "--quiet", "--create", "faster")
    project.task("sync", frequency=5, unit="minutes")
    project.commit()
    return project


def _bash(change: Project, script: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    own = change.environment() | {"CI": "true", **environment}
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script],
        cwd=change.root,
        env=own,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )


def _steps() -> dict[str, str]:
    steps = yaml.safe_load(_WORKFLOW.read_text())["jobs"]["review"]["steps"]
    return {step["name"]: step["run"] for step in steps if "run" in step}


def test_the_steps_of_the_github_workflow_post_the_plan_of_the_change(forge: Forge, change: Project) -> None:
    environment = _github(forge.url) | {"GITHUB_BASE_REF": "main"}

    done = _bash(change, _steps()["Show what the change does"], environment)

    assert (done.returncode, done.stderr) == (0, "")
    assert forge.comments[0]["body"].startswith(_MARK)
    assert "every 15 minutes" in forge.comments[0]["body"]
    assert "every 5 minutes" in forge.comments[0]["body"]


def test_the_github_workflow_shows_problems_on_their_lines_and_plans_all_the_same(
    forge: Forge, change: Project
) -> None:
    change.task("broken", "print(")
    change.commit()

    shown = _bash(change, _steps()["Show problems on their lines"], {})
    planned = _bash(change, _steps()["Show what the change does"], _github(forge.url) | {"GITHUB_BASE_REF": "main"})

    assert shown.returncode == 1
    assert shown.stdout.startswith("::error file=tasks/broken.yaml,line=5,col=8,title=python::")
    assert planned.returncode == 0
    assert "tasks/broken.yaml" in forge.comments[0]["body"]


def test_the_script_of_the_gitlab_job_posts_the_plan_and_reports_problems(forge: Forge, change: Project) -> None:
    change.task("broken", "print(")
    change.commit()
    change.git("remote", "add", "origin", str(change.root))
    report, *rest = yaml.safe_load(_GITLAB.read_text())["tasks"]["after_script"]
    environment = _gitlab(forge.url) | {"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main"}

    assert _bash(change, report, environment).returncode == 1
    done = _bash(change, "\n".join(rest), environment)

    assert (done.returncode, done.stderr) == (0, "")
    assert "every 5 minutes" in forge.comments[0]["body"]
    [found] = json.loads((change.root / "gl-code-quality.json").read_text())
    assert (found["location"], found["severity"]) == ({"path": "tasks/broken.yaml", "lines": {"begin": 5}}, "major")
    assert len(found["fingerprint"]) == 64


def test_both_begin_with_make_dry_run_and_the_workflow_may_write_nothing_but_comments() -> None:
    workflow = yaml.safe_load(_WORKFLOW.read_text())
    job = yaml.safe_load(_GITLAB.read_text())["tasks"]

    assert next(iter(_steps().values())) == job["script"][0] == "make dry-run"
    assert workflow["permissions"] == {"contents": "read", "pull-requests": "write"}
    # "on" is read as true (YAML 1.1). Code from a fork must never run with a token that may write.
    assert list(workflow[True]) == ["pull_request"]


def test_the_pre_commit_hook_refuses_a_broken_task(project: Project) -> None:
    [hook] = yaml.safe_load((_ROOT / ".pre-commit-hooks.yaml").read_text())
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    project.task("good")
    assert _bash(project, hook["entry"], {"PATH": path}).returncode == 0
    project.task("bad", "print(")

    done = _bash(project, hook["entry"], {"PATH": path})

    assert done.returncode == 1
    assert "tasks/bad.yaml:5:8: error: Python: '(' was never closed" in done.stdout
    assert [
        bool(re.search(hook["files"], name)) for name in ("tasks/a/b.yaml", "runner.yaml", "docs/a.yaml", "tasks/a.csv")
    ] == [*(True, True, False, False)]


@pytest.mark.parametrize("path", sorted((_ROOT / "tasks").rglob("*.yaml")), ids=lambda path: path.stem)
def test_the_first_line_of_every_sample_leads_an_editor_to_the_schema(path: Path) -> None:
    name = path.read_text().splitlines()[0].removeprefix("# yaml-language-server: $schema=")

    assert (path.parent / name).resolve() == _ROOT / "schema/task.schema.json"
