"""Paths that are never proposed to be granted, because too much is in them."""

from __future__ import annotations

import os

#: Folders that belong to many programs.
_SHARED = frozenset(
    (
        *("/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/mnt", "/opt", "/proc", "/root", "/run"),
        *("/sbin", "/srv", "/sys", "/tmp", "/usr", "/usr/local", "/var", "/var/lib", "/var/log", "/var/tmp"),  # noqa: S108
    )
)
#: Files and folders of credentials, by the names of their parts, wherever they are.
_CREDENTIALS = frozenset(
    (
        *(".ssh", ".aws", ".azure", ".gnupg", ".kube", ".docker", ".netrc", ".pgpass", ".my.cnf", ".git-credentials"),
        *(".npmrc", ".pypirc", ".password-store", ".mozilla", ".vault-token", ".boto", ".s3cfg", ".terraform.d"),
        *("gcloud", "gh", "keyrings", "shadow", "gshadow", "sudoers", "sudoers.d"),
    )
)


def is_shared(path: str) -> bool:
    """Return whether a path is a folder of many programs, or the home of a user."""
    return path in _SHARED or path == os.path.expanduser("~") or os.path.dirname(path) == "/home"


def has_credentials(path: str) -> bool:
    """Return whether a path leads to credentials of the user or of the system."""
    return not _CREDENTIALS.isdisjoint(path.split("/")) or path.startswith("/etc/ssl/private")
