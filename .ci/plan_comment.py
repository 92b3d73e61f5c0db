"""Post the plan from standard input as a comment on the pull or merge request, or update the comment posted earlier.

The environment of CI says which forge and which request (GitHub, "Variables reference"; GitLab, "Predefined CI/CD
variables"). This script uses only the standard library, so that CI needs nothing but Python.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

_MARK = "<!-- runner plan -->"
#: GitHub takes 65,536 characters, GitLab a million.
_LONGEST = 60_000
_CUT = "\n\n**The plan is longer than a comment may be.** `runner plan` shows all of it.\n"
_PAGE = 100
_PATIENCE = 30
#: Answers to a token that may not comment: that of a pull request from a fork, or none at all.
_REFUSED = {401, 403, 404}


@dataclass(frozen=True)
class Forge:
    """The addresses for comments. `comments` lists them and accepts new ones.

    A comment is at `comment`, a slash and its id. The HTTP method `method` changes it.
    """

    comments: str
    comment: str
    method: str
    headers: dict[str, str]


def find_forge(given: dict[str, str]) -> Forge | None:
    """Return the forge that an environment names, or None where CI does not run for a pull or merge request."""
    number = given.get("GITHUB_REF", "").removeprefix("refs/pull/").partition("/")[0]
    if given.get("GITHUB_API_URL") and number.isdigit():
        issues = f"{given['GITHUB_API_URL']}/repos/{given['GITHUB_REPOSITORY']}/issues"
        headers = {"Authorization": f"Bearer {given.get('GITHUB_TOKEN', '')}", "Accept": "application/vnd.github+json"}
        return Forge(f"{issues}/{number}/comments", f"{issues}/comments", "PATCH", headers)
    if given.get("CI_API_V4_URL") and given.get("CI_MERGE_REQUEST_IID"):
        project = f"{given['CI_API_V4_URL']}/projects/{given['CI_PROJECT_ID']}"
        notes = f"{project}/merge_requests/{given['CI_MERGE_REQUEST_IID']}/notes"
        return Forge(notes, notes, "PUT", {"PRIVATE-TOKEN": given.get("RUNNER_PLAN_TOKEN", "")})
    return None


def post(forge: Forge, body: str) -> str:
    """Post a comment with `body`, or update the one with the mark. Return `posted`, `updated` or `unchanged`.

    Raise OSError where the forge refuses it or cannot be reached.
    """
    found = _find(forge)
    if found is None:
        _ask(forge, "POST", forge.comments, {"body": body})
        return "posted"
    if found["body"].strip() == body.strip():
        return "unchanged"
    _ask(forge, forge.method, f"{forge.comment}/{found['id']}", {"body": body})
    return "updated"


def _find(forge: Forge) -> dict[str, Any] | None:
    page = 1
    while True:
        comments = _ask(forge, "GET", f"{forge.comments}?per_page={_PAGE}&page={page}")
        for comment in comments:
            if _MARK in (comment["body"] or ""):
                return dict(comment)
        if len(comments) < _PAGE:
            return None
        page += 1


def _ask(forge: Forge, method: str, url: str, data: object = None) -> Any:
    body = None if data is None else json.dumps(data).encode()
    headers = {**forge.headers, "Content-Type": "application/json", "User-Agent": "runner"}
    request = urllib.request.Request(url, body, headers, method=method)  # noqa: S310 - the address is from CI
    with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:  # noqa: S310
        return json.load(answer)


def _summarize(plan: str) -> None:
    """Add the plan to the summary of the job, where the forge has one (GitHub)."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if path:
        with open(path, "a", encoding="utf-8") as summary:
            summary.write(plan)


def main() -> int:
    """Post the plan from standard input. Return the exit code: 0 also where the token may not comment."""
    plan = sys.stdin.read()
    _summarize(plan)
    body = plan if _MARK in plan else f"{_MARK}\n{plan}"
    if len(body) > _LONGEST:
        body = body[:_LONGEST] + _CUT
    forge = find_forge(dict(os.environ))
    if forge is None:
        print(plan)
        return 0
    try:
        print(f"plan comment: {post(forge, body)}")
    except urllib.error.HTTPError as error:
        if error.code in _REFUSED:
            print(plan)
            print(f"plan comment: not posted, the token may not comment ({error.code}); the plan is printed above")
            return 0
        print(f"error: the forge answered {error.code} {error.reason}", file=sys.stderr)
        return 1
    except (OSError, ValueError, KeyError) as error:
        print(f"error: the plan could not be posted: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
