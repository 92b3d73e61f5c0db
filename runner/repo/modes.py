"""The modes that git gives the entries of a tree and of an index (git-fast-import(1), filemodify)."""

FILE, PROGRAM, SYMLINK, SUBMODULE = "100644", "100755", "120000", "160000"
#: Of entries that have a content of their own.
WITH_CONTENT = frozenset({FILE, PROGRAM, SYMLINK})
