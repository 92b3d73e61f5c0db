"""Settings of git that people may have: each of them changes the output or the results of some git command."""

from __future__ import annotations

from pathlib import Path

#: Settings by topic: names (section and key) and values.
HOSTILE: dict[str, tuple[tuple[str, str], ...]] = {
    "signatures": (("log.showSignature", "true"), ("gpg.format", "ssh"), ("commit.gpgSign", "true"), ("gpg.program", "/nowhere")),
    "logs": (
        *(("log.date", "relative"), ("log.decorate", "full"), ("log.follow", "true"), ("log.abbrevCommit", "true")),
        *(("log.mailmap", "true"), ("log.showRoot", "false"), ("log.diffMerges", "first-parent"), ("format.pretty", "oneline")),
        *(("format.notes", "true"), ("notes.displayRef", "refs/notes/*")),
    ),
    "encodings": (("i18n.logOutputEncoding", "UTF-16"), ("core.quotePath", "true"), ("core.precomposeUnicode", "true")),
    "colours": (
        *(("color.ui", "always"), ("color.status", "always"), ("color.diff", "always"), ("color.branch", "always")),
        ("color.decorate.HEAD", "red"),
    ),
    "differences": (
        *(("diff.renames", "copies"), ("diff.renameLimit", "1"), ("diff.noprefix", "true"), ("diff.external", "false")),
        *(("diff.mnemonicPrefix", "true"), ("diff.orderFile", "/nowhere"), ("diff.relative", "true")),
        *(("diff.algorithm", "patience"), ("diff.submodule", "log"), ("diff.suppressBlankEmpty", "true")),
        *(("diff.ignoreSubmodules", "all"), ("diff.wsErrorHighlight", "all")),
        *(("diff.context", "0"), ("diff.interHunkContext", "9"), ("diff.statGraphWidth", "1"), ("diff.colorMoved", "zebra")),
        *(("diff.odd.binary", "true"), ("diff.odd.textconv", "false"), ("diff.odd.command", "false")),
    ),
    "the index": (
        *(("core.fsmonitor", "/nowhere"), ("core.untrackedCache", "true"), ("core.preloadIndex", "false"), ("index.threads", "1")),
        *(("status.showUntrackedFiles", "no"), ("status.short", "true"), ("status.branch", "true"), ("status.renames", "copies")),
        *(("status.relativePaths", "false"), ("status.submoduleSummary", "true"), ("status.displayCommentPrefix", "true")),
    ),
    "programs": (
        *(("core.pager", "false"), ("pager.log", "true"), ("core.editor", "false"), ("interactive.diffFilter", "false")),
        *(("alias.log", "!false"), ("alias.rev-parse", "!false"), ("alias.diff-tree", "!false"), ("alias.status", "!false")),
    ),
    "names": (
        *(("core.abbrev", "5"), ("core.warnAmbiguousRefs", "false"), ("core.disambiguate", "blob")),
        *(("advice.graftFileDeprecated", "true"), ("core.logAllRefUpdates", "false"), ("column.ui", "always")),
        *(("help.autoCorrect", "immediate"), ("feature.experimental", "true")),
    ),
}  # fmt: skip


def config(path: Path, settings: tuple[tuple[str, str], ...]) -> Path:
    """Write a configuration file of git; return its path."""
    lines = []
    for name, value in settings:
        section, key = name.split(".", 1)
        lines.append(f'[{section}]\n\t{key} = "{value}"\n' if "." not in key else _with_subsection(section, key, value))
    path.write_text("".join(lines))
    return path


def _with_subsection(section: str, key: str, value: str) -> str:
    subsection, _, name = key.partition(".")
    return f'[{section} "{subsection}"]\n\t{name} = "{value}"\n'
