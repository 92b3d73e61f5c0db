"""Know the forges: the web page of a commit, and the command that opens a pull request."""

from __future__ import annotations

import re
import shlex

# scheme://[user[:password]@]host[:port]/path or user@host:path, as git-clone(1) has them.
_URL = re.compile(r"(?:https?|ssh|git)://(?:[^@/]*@)?(?P<host>[^/:@]+)(?::\d+)?/(?P<path>[^?#]+)")
_SCP = re.compile(r"(?:[^@/:]+@)?(?P<host>[^/:@]+):(?P<path>[^:/][^:]*)")
#: The part of the address between the project and the id of a commit, by the first part of the host's name.
_COMMIT = {
    "github": "/commit/",
    "gitlab": "/-/commit/",
    "bitbucket": "/commits/",
    "codeberg": "/commit/",
}


#: The command that pushes a branch and opens a pull request, by the host's name; other forges print the page on a
#: push.
_REQUEST = {
    "github": "git push -u origin {branch} && gh pr create --fill --head {branch}",
    "gitlab": "git push -u origin {branch} -o merge_request.create",
}


def request_command(remote: str, branch: str) -> str:
    """Return the command that pushes a branch and opens a pull request, by the URL of a remote."""
    match = _URL.fullmatch(remote) or _SCP.fullmatch(remote)
    host = "" if match is None else match["host"].lower().split(".")[0]
    return _REQUEST.get(host, "git push -u origin {branch}").format(branch=shlex.quote(branch))


def commit_page(remote: str) -> str | None:
    """Return the address of the page of a commit without the id at its end, by the URL of a remote.

    None where the forge is not known. A user name and a password in the URL are left out.
    """
    match = _URL.fullmatch(remote) or _SCP.fullmatch(remote)
    if match is None:
        return None
    host, path = match["host"].lower(), match["path"].strip("/").removesuffix(".git")
    between = _COMMIT.get(host.split(".")[0])
    return None if between is None or not path else f"https://{host}/{path}{between}"
