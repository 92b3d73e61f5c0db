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
#: Those of them of which most is nothing to a task.
_TOO_MUCH = frozenset(("/", "/dev", "/home", "/proc", "/root", "/sys"))
#: Folders of many programs in the home of a user.
_OF_USERS = frozenset((".cache", ".config", ".local"))
#: Files and folders of credentials, by the names of their parts, wherever they are.
_CREDENTIALS = frozenset(
    (
        *(".ssh", ".aws", ".azure", ".gnupg", ".kube", ".docker", ".netrc", ".pgpass", ".my.cnf", ".git-credentials"),
        *(".npmrc", ".pypirc", ".password-store", ".mozilla", ".vault-token", ".boto", ".s3cfg", ".terraform.d"),
    )
)
_CREDENTIALS_BELOW = ("/.config/gcloud", "/.config/gh", "/.config/rclone", "/.local/share/keyrings")
_CREDENTIALS_OF_SYSTEM = tuple(
    f"/etc/{name}" for name in ("shadow", "gshadow", "sudoers", "ssh", "ssl/private", "krb5.keytab", "runner/secrets")
)


def is_shared(path: str) -> bool:
    """Return whether a path is a folder of many programs, or the home of a user."""
    return path in _SHARED or is_home(path) or os.path.basename(path) in _OF_USERS


def is_home(path: str) -> bool:
    """Return whether a path is the home of a user."""
    return path == os.path.expanduser("~") or os.path.dirname(path) == "/home"


def is_too_much(path: str) -> bool:
    """Return whether a path is a folder that nobody should grant as a whole."""
    return path in _TOO_MUCH or is_home(path)


def has_credentials(path: str) -> bool:
    """Return whether a path leads to credentials of the user or of the system."""
    has_them = not _CREDENTIALS.isdisjoint(path.split("/")) or any(
        f"{part}/" in f"{path}/" for part in _CREDENTIALS_BELOW
    )
    return has_them or path.startswith(_CREDENTIALS_OF_SYSTEM)
