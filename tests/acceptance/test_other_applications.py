"""The examples of `docs/contexts.md` for applications without Django, and what such an application may rely on."""

from __future__ import annotations

import gzip
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.support.django import python_for
from tests.support.project import NOON, Project

_PAGE = Path(__file__).parents[2] / "docs" / "contexts.md"
_BLOCKS = re.findall(r"^```python\n(# shop/tasks\.py\n.*?)^```$", _PAGE.read_text(), re.MULTILINE | re.DOTALL)

_SQLALCHEMY = """\
import os
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
class Base(DeclarativeBase): pass
class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    price: Mapped[int]
engine = create_engine(os.environ["DATABASE_URL"])
Base.metadata.create_all(engine)
engine.dispose()
"""
_FLASK = """\
from flask_sqlalchemy import SQLAlchemy
db = SQLAlchemy()
class Order(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    price = db.Column(db.Integer)
"""
_FLASK_APP = """\
import os
from flask import Flask
def create_app():
    from shop.models import db
    app = Flask("shop")
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"]
    db.init_app(app)
    with app.app_context():
        db.create_all()
    return app
"""


@pytest.fixture
def shop(project: Project) -> Project:
    """A repository with an application in `shop/` beside it, whose database is a file."""
    folder = project.root.parent / "app"
    (folder / "shop").mkdir(parents=True)
    (folder / "shop" / "__init__.py").touch()
    (folder / ".env").write_text(f"DATABASE_URL=sqlite:///{folder / 'shop.db'}\n")
    project.write(
        "runner.yaml",
        f"contexts:\n  shop:\n    path: ../app\n    python: {python_for('others')}\n    env_file: ../app/.env\n"
        '    setup: "shop.tasks:setup"\n',
    )
    return project


def _write(project: Project, name: str, text: str) -> None:
    (project.root.parent / "app" / "shop" / name).write_text(text)


def _tick(project: Project, **codes: str) -> list[str]:
    """Run tasks with these codes; return their output in this order."""
    for name, code in codes.items():
        project.task(name, code, context="shop")
    project.commit()
    assert project.runner("tick", now=NOON).returncode == 0
    runs = {run.task: project.show(run.run_id) for run in project.runs()}
    assert {run.run.status for run in runs.values()} == {"succeeded"}, [run.output for run in runs.values()]
    return [runs[name].output.decode() for name in codes]


def test_with_the_documented_set_up_of_sqlalchemy_each_run_has_a_session_of_its_own(shop: Project) -> None:
    [text] = [block for block in _BLOCKS if "create_engine" in block]
    _write(shop, "tasks.py", text)
    _write(shop, "models.py", _SQLALCHEMY)

    uncommitted, committed = (
        "session.add(Order(price=1))\nsession.flush()",
        "session.add(Order(price=2))\nsession.commit()",
    )
    _tick(shop, forgotten=uncommitted)
    _tick(shop, kept=committed)

    [read] = _tick(shop, read="print([order.price for order in session.query(Order)])")
    assert read == "[2]\n"


def test_with_the_documented_set_up_of_flask_the_application_context_is_active(shop: Project) -> None:
    [text] = [block for block in _BLOCKS if "create_app" in block]
    _write(shop, "tasks.py", text)
    _write(shop, "__init__.py", _FLASK_APP)
    _write(shop, "models.py", _FLASK)

    _tick(
        shop,
        kept="from flask import current_app\ndb.session.add(Order(price=2))\ndb.session.commit()\nprint(current_app.name)",
    )

    [name, read] = _tick(
        shop, name="from flask import current_app\nprint(current_app.name)", read="print(Order.query.count())"
    )
    assert (name, read) == ("shop\n", "1\n")


@contextmanager
def _sentry() -> Iterator[tuple[str, list[bytes]]]:
    """Yield the DSN of a server that keeps what Sentry's client sends, and what it has kept."""
    received: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(gzip.decompress(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://key@127.0.0.1:{server.server_port}/1", received
        finally:
            server.shutdown()
            thread.join()


def test_what_a_run_gives_to_sentry_is_sent_before_its_process_ends(shop: Project) -> None:
    with _sentry() as (address, received):
        _write(
            shop,
            "tasks.py",
            "import sentry_sdk\ndef setup():\n"
            f"    sentry_sdk.init({address!r}, auto_enabling_integrations=False, http_proxy='')\n"
            "    return {'capture': sentry_sdk.capture_message}\n",
        )

        _tick(shop, told="capture('the disk is nearly full')")

    assert [b"the disk is nearly full" in envelope for envelope in received] == [True]


def test_exit_handlers_and_logs_are_finished_at_the_end_of_a_run(shop: Project) -> None:
    _write(shop, "tasks.py", "def setup(): pass\n")

    [said] = _tick(shop, told="import atexit\natexit.register(print, 'second')\natexit.register(print, 'first')")

    assert said == "first\nsecond\n"


def test_an_exit_handler_that_hangs_is_interrupted_and_the_others_are_called(shop: Project) -> None:
    _write(shop, "tasks.py", "def setup(): pass\n")
    code = "import atexit, time\natexit.register(print, 'last')\natexit.register(time.sleep, 1000)"

    [said] = _tick(shop, told=code)

    assert "ExitHandlersTimeout: exit handlers took longer than 10 s" in said
    assert said.endswith("last\n")


def test_a_teardown_that_fails_fails_the_run(shop: Project) -> None:
    _write(shop, "tasks.py", "def setup(): pass\ndef teardown(): raise RuntimeError('not closed')\n")
    shop.task("torn", "print('done')", context="shop")
    shop.commit()

    shop.runner("run", "torn", now=NOON)

    shown = shop.json("show", "torn")
    assert (shown["status"], shown["output"].splitlines()[0]) == ("failed", "done")
    assert (shown["error"]["type"], shown["error"]["message"]) == ("RuntimeError", "not closed")
    assert "/runner/" not in shown["traceback"] + shown["output"]


def test_the_error_of_the_code_is_the_one_on_record_where_the_teardown_fails_too(shop: Project) -> None:
    _write(shop, "tasks.py", "def setup(): pass\ndef teardown(): raise RuntimeError('not closed')\n")
    shop.task("torn", "raise ValueError('wrong')", context="shop")
    shop.commit()

    shop.runner("run", "torn", now=NOON)

    shown = shop.json("show", "torn")
    assert (shown["error"]["type"], "RuntimeError: not closed" in shown["output"]) == ("ValueError", True)


#: What `setup` returns → what the reason of the run says.
_WRONG = {
    "no mapping": ("[1]", "`shop.tasks:setup` returned list, and not a mapping of names, or None"),
    "no name": ("{'an order': 1}", "an order"),
    "a name of runner": ("{'task': 1}", "task"),
}


@pytest.mark.parametrize("kind", _WRONG)
def test_a_set_up_that_returns_no_names_fails_with_a_reason(shop: Project, kind: str) -> None:
    value, reason = _WRONG[kind]
    _write(shop, "tasks.py", f"def setup():\n    return {value}\n")
    shop.task("one", context="shop")
    shop.commit()

    shop.runner("run", "one", now=NOON)

    assert reason in shop.json("show", "one")["reason"]
