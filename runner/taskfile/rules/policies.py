"""The rule that the policies of a task do not contradict each other, and that no secret is in `env`."""

from collections.abc import Iterator

from runner.model.statuses import ALL, REPLACE
from runner.taskfile.draft import Draft
from runner.taskfile.findings import Finding


def check(draft: Draft) -> Iterator[Finding]:
    """Yield a finding for policies that contradict each other, and for each secret that `env` sets as well."""
    if draft.get("catchup") == ALL and draft.get("concurrency_policy") == REPLACE:
        message = (
            "with `concurrency_policy: replace`, `catchup: all` would end the run of each missed slot but the last"
        )
        yield draft.finding("catchup", "policy", message, "write `catchup: latest`, or another policy")
    env = draft.get("env") or {}
    for number, name in enumerate(draft.get("secrets") or ()):
        if name in env:
            yield draft.document.finding(
                ("secrets", number),
                "secret",
                f"`{name}` is in `env` as well",
                "take it out of `env`: this file is in git",
            )
