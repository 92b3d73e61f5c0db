"""Where a commit is shown on the web, for the forges whose addresses are known."""

from __future__ import annotations

import re
import shlex

# scheme://[user[:password]@]host[:port]/path or user@host:path, as git-clone(1) has them.
_URL = re.compile(r"(?:https?|ssh|git)://(?:[^@/]*@)?(?P<host>[^/:@]+)(?::\d+)?/(?P<path>[^?#]+)")
_SCP = re.compile(r"(?:[^@/:]+@)?(?P<host>[^/:@]+):(?P<path>[^:/][^:]*)")
#: What stands between the project and the id of a commit; by the name of the host, or the first part of it.
_COMMIT = {
    "github": "/commit/",
    "gitlab": "/-/commit/",
    "bitbucket": "/commits/",
    "codeberg": "/commit/",
}


#: What opens a request to merge a branch, by the name of the host; elsewhere a push prints where to go.
_REQUEST = {
    "github": "git push -u origin {branch} && gh pr create --fill --head {branch}",
    "gitlab": "git push -u origin {branch} -o merge_request.create",
}


def request_command(remote: str, branch: str) -> str:
    """Return the command that pushes a branch and asks for it to be merged, from the URL of a remote."""
    match = _URL.fullmatch(remote) or _SCP.fullmatch(remote)
    host = "" if match is None else match["host"].lower().split(".")[0]
    return _REQUEST.get(host, "git push -u origin {branch}").format(branch=shlex.quote(branch))


def commit_page(remote: str) -> str | None:
    """Return what an id is put behind to get its page, from the URL of a remote; None where the forge is not known.

    Whatever names a user or holds a password stays behind.
    """
    match = _URL.fullmatch(remote) or _SCP.fullmatch(remote)
    if match is None:
        return None
    host, path = match["host"].lower(), match["path"].strip("/").removesuffix(".git")
    between = _COMMIT.get(host.split(".")[0])
    return None if between is None or not path else f"https://{host}/{path}{between}"
