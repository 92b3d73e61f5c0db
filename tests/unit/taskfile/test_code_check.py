"""What is wrong with names and imports in the code of a task, where, and what to do."""

from __future__ import annotations

import pytest

from runner.taskfile.code_check import Scope, check_code

_SCOPE = Scope(offered={"User": "django"}, can_import=lambda name: name in {"os", "json", "csv"})
_IN_SCOPE = "define or import it; in scope are datetime, logger, task, timedelta, timezone"

#: Code → its errors as (line, column, code, message, hint).
_ERRORS: dict[str, list[tuple[int, int, str, str, str]]] = {
    "pritn(1)": [(1, 1, "undefined-name", "nothing defines the name `pritn`", "did you mean `print`?")],
    "x = 1\nprint(x + y)": [(2, 11, "undefined-name", "nothing defines the name `y`", _IN_SCOPE)],
    "print(User)": [
        (
            1,
            7,
            "undefined-name",
            "nothing defines the name `User`",
            "the context `django` has it: add `context: django`",
        )
    ],
    "print(timezome.now())": [
        (1, 7, "undefined-name", "nothing defines the name `timezome`", "did you mean `timezone`?")
    ],
    "print(later)\nlater = 1": [
        (
            1,
            7,
            "undefined-name",
            "`later` has no value yet where it is used",
            "give it one before, or declare it `global`",
        )
    ],
    "def f():\n    return total_price\ntotal_prize = 1\nf()": [
        (2, 12, "undefined-name", "nothing defines the name `total_price`", "did you mean `total_prize`?")
    ],
    "import requests\nrequests.get('/')": [
        (1, 1, "not-installed", "there is no module `requests` here", "install it beside runner, or put it into lib/")
    ],
    "def f():\n    from requests.auth import HTTPBasicAuth\n    return HTTPBasicAuth": [
        (2, 5, "not-installed", "there is no module `requests` here", "install it beside runner, or put it into lib/")
    ],
    "from . import helper\nhelper()": [
        (
            1,
            1,
            "relative-import",
            "a task is no part of a package, from which it could import by a leading dot",
            "modules of lib/ are imported by their names, without a dot",
        )
    ],
}


@pytest.mark.parametrize("code", _ERRORS)
def test_an_error_in_the_names_of_code_has_its_position_and_a_hint(code: str) -> None:
    found = [finding for finding in check_code(code, _SCOPE) if finding.severity == "error"]

    assert [(it.line, it.column, it.code, it.message, it.hint) for it in found] == _ERRORS[code]


#: Code → its warnings as (line, column, message).
_WARNINGS: dict[str, list[tuple[int, int, str]]] = {
    "import os": [(1, 1, "`os` is imported, and not used")],
    "def f():\n    a = 1": [(2, 5, "`a` gets a value that is not used")],
    "def f(): pass\ndef f(): pass\nf()": [(2, 1, "`f` replaces that of line 1, which is not used")],
    "print('%s %s' % (1,))": [(1, 7, "Python: `...` % ... has 2 placeholder(s) but 1 substitution(s)")],
}


@pytest.mark.parametrize("code", _WARNINGS)
def test_what_is_not_used_or_surely_meant_otherwise_is_a_warning(code: str) -> None:
    found = list(check_code(code, _SCOPE))

    assert [(it.line, it.column, it.message, it.severity) for it in found] == [
        (*warning, "warning") for warning in _WARNINGS[code]
    ]


#: Code that is right, though a hasty check would say otherwise.
_RIGHT = {
    "names of every task": "print(task.id, timezone.now(), timedelta(1), datetime.date.today())\nlogger.info('x')",
    "names of a module": "if __name__ == '__main__':\n    print(__file__)",
    "built in": "print(len(sorted(map(str, range(3)))), __import__('os').sep)",
    "a function that calls itself": "def f(n):\n    return n and f(n - 1)\nprint(f(3))",
    "a function before its helper": "def f():\n    return g()\ndef g():\n    return 1\nf()",
    "a comprehension": "print([x for x in range(3) if x])",
    "a class": "from dataclasses import dataclass\n@dataclass\nclass A:\n    x: 'A | None' = None\nprint(A())",
    "a module that may be missing": "try:\n    import requests\nexcept ImportError:\n    requests = None\nprint(requests)",
    "a module that may be missing, with others": (
        "try:\n    import requests\nexcept (ValueError, ModuleNotFoundError):\n    requests = None\nprint(requests)"
    ),
    "a name that is asked for": "try:\n    print(missing)\nexcept NameError:\n    print('missing')",
    "a global": "count = 0\ndef f():\n    global count\n    count += 1\nf()",
    "a loop variable": "for number in range(3):\n    pass\nprint(number)",
    "walrus and match": "if (n := len('x')) > 0:\n    print(n)\nmatch n:\n    case {'a': b}:\n        print(b)",
    "an f-string": "x = 1\nprint(f'{x:>{x}}', f'plain')",
    "future annotations": "from __future__ import annotations\ndef f(x: Later) -> None:\n    print(x)\nclass Later: pass\nf(1)",
}


@pytest.mark.parametrize("kind", _RIGHT)
def test_code_that_is_right_has_no_findings(kind: str) -> None:
    scope = Scope(can_import=lambda name: name in {"os", "dataclasses", "__future__"})

    assert list(check_code(_RIGHT[kind], scope)) == []


def test_undefined_names_are_not_judged_where_the_names_in_scope_are_not_known() -> None:
    assert list(check_code("print(User, Ticket)", Scope(None))) == []


def test_a_name_that_import_star_may_define_is_no_error() -> None:
    assert [it.severity for it in check_code("from json import *\nprint(dumps(1))", _SCOPE)] == ["warning"]


def test_positions_are_those_of_the_file() -> None:
    [finding] = check_code("x = 1\nprint(y, x)", _SCOPE, first_line=7, indent=4)

    assert (finding.line, finding.column) == (8, 11)
