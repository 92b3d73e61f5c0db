"""Check the names and the imports of a task's code before it runs. The code is known to be valid Python."""

from __future__ import annotations

import ast
import builtins
import warnings
from collections.abc import Callable, Iterator

from pyflakes import messages
from pyflakes.checker import Checker

from runner.model.context import RESERVED
from runner.model.problem import WARNING
from runner.taskfile.findings import Finding, close_to
from runner.value import Value, replace

#: Names that each module has, besides those of `builtins`.
_OF_MODULES = frozenset({"__file__", "__name__", "__builtins__"})
#: Exceptions by which code asks whether a module is there.
_ABSENCE = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})
#: What certainly raises an exception when the code comes there.
_CERTAIN = (messages.UndefinedName, messages.UndefinedLocal)
#: What is a matter of taste, or follows from `import *`, of which another message tells.
_LEFT_OUT = (messages.FStringMissingPlaceholders, messages.ImportStarUsage)
#: The least similarity of a name that is proposed, as difflib measures it.
_ALIKE = 0.75


class Scope(Value):
    """What the code can use: `names` are those in scope without import, None where they are not known.

    `offered` has the name of the context for each name that the task would have in scope with it. `can_import` returns
    whether there is a top-level module of a name; it is None where that is not known. `line_for` returns the line that
    grants the import of a dotted name, None for one that is granted; it is None where imports are not held.
    """

    names: frozenset[str] | None = RESERVED
    offered: dict[str, str] = {}  # noqa: RUF012 - values are frozen
    can_import: Callable[[str], bool] | None = None
    line_for: Callable[[str], str | None] | None = None


def check_code(code: str, scope: Scope, first_line: int = 1, indent: int = 0) -> Iterator[Finding]:
    """Yield findings about the code. Their positions are in the file, where the code begins in `first_line`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(code)
            found = Checker(tree, builtins=set(scope.names or ()) | _OF_MODULES).messages
    except (RecursionError, MemoryError):
        return  # nested too deeply to be looked at, though not to run
    findings = [*_check_names(found, tree, scope, first_line), *_check_imports(tree, scope)]
    for finding in findings:
        yield replace(finding, line=finding.line + first_line - 1, column=finding.column + indent)


def _check_names(found: list[messages.Message], tree: ast.Module, scope: Scope, first_line: int) -> Iterator[Finding]:
    for message in found:
        place = (message.lineno, message.col + 1)
        if not isinstance(message, _CERTAIN):
            if not isinstance(message, _LEFT_OUT):
                code, text = _warning(message, first_line)
                yield Finding(code, text, "", *place, WARNING)
        elif scope.names is not None:
            text, hint = _undefined(str(message.message_args[0]), tree, scope)
            yield Finding("undefined-name", text, hint, *place)


def _warning(message: messages.Message, first_line: int) -> tuple[str, str]:
    """Return the code and the text of a warning."""
    name, *others = message.message_args or ("",)
    if isinstance(message, messages.UnusedImport):
        return "unused-name", f"`{name}` is imported, and not used"
    if isinstance(message, messages.UnusedVariable):
        return "unused-name", f"`{name}` gets a value that is not used"
    if isinstance(message, messages.RedefinedWhileUnused):
        return "unused-name", f"`{name}` replaces that of line {others[0] + first_line - 1}, which is not used"
    return "python-warning", f"Python: {message.message % message.message_args}".replace("'", "`")


def _undefined(name: str, tree: ast.Module, scope: Scope) -> tuple[str, str]:
    """Return the message and the hint about a name without a value."""
    bound = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    if name in bound:
        return f"`{name}` has no value yet where it is used", "give it one before, or declare it `global`"
    message = f"nothing defines the name `{name}`"
    if name in scope.offered:
        return message, f"the context `{scope.offered[name]}` has it: add `context: {scope.offered[name]}`"
    in_scope = scope.names or frozenset()
    close = close_to(name, sorted(in_scope | bound | set(dir(builtins))), _ALIKE)
    return message, f"did you mean `{close}`?" if close else f"define or import it; in scope are {_listed(in_scope)}"


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names - {"print"}))


def _check_imports(tree: ast.Module, scope: Scope) -> Iterator[Finding]:
    for statement in _imports(tree, is_optional=False):
        place = (statement.lineno, statement.col_offset + 1)
        if isinstance(statement, ast.ImportFrom) and statement.level:
            message = "a task is no part of a package, from which it could import by a leading dot"
            hint = "modules of lib/ are imported by their names, without a dot"
            yield Finding("relative-import", message, hint, *place)
            continue
        for path in _paths(statement):
            fault = _import_fault(path, scope)
            if fault is not None:
                yield Finding(*fault, *place)


def _import_fault(path: str, scope: Scope) -> tuple[str, str, str] | None:
    """Return code, message and hint about an imported module; None if all is well."""
    name = path.partition(".")[0]
    if scope.can_import is not None and not scope.can_import(name):
        return "not-installed", f"there is no module `{name}` here", "install it beside runner, or put it into lib/"
    line = None if scope.line_for is None else scope.line_for(path)
    return (
        None if line is None else ("not-granted", f"the module `{path}` is not granted to this task", f"add `{line}`")
    )


def _paths(statement: ast.Import | ast.ImportFrom) -> list[str]:
    return [statement.module or ""] if isinstance(statement, ast.ImportFrom) else [it.name for it in statement.names]


def _imports(node: ast.AST, *, is_optional: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield the import statements whose failure the code does not expect."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        if not is_optional:
            yield node
        return
    if isinstance(node, ast.Try) and any(map(_is_about_absence, node.handlers)):
        for tried in node.body:
            yield from _imports(tried, is_optional=True)
        for part in (*node.handlers, *node.orelse, *node.finalbody):
            yield from _imports(part, is_optional=is_optional)
        return
    for child in ast.iter_child_nodes(node):
        yield from _imports(child, is_optional=is_optional)


def _is_about_absence(handler: ast.ExceptHandler) -> bool:
    """Return whether a handler catches the exception of a failed import."""
    if handler.type is None:
        return True
    return any(isinstance(node, ast.Name) and node.id in _ABSENCE for node in ast.walk(handler.type))
