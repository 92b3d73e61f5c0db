"""What the wall holds, with the exact errno, and that the same act works with its grant."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import platform
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import landlockpy
import pytest
from landlockpy.flags import LATEST_ABI, fs_for_abi, net_for_abi, scope_for_abi

from runner.execution.sandbox import filters, landlock
from runner.execution.sandbox.wall import Wall

_ABI = landlock.abi()
_LIBC = ctypes.CDLL(None, use_errno=True)
_MACHINE = platform.machine()

pytestmark = pytest.mark.skipif(_ABI < 6, reason="needs Landlock with ABI 6 or later")

#: What Python itself reads.
_PYTHON = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", sys.base_prefix, sys.prefix, str(Path(__file__).parents[4]))


def _wall(
    *,
    read: tuple[str, ...] = (),
    write: tuple[str, ...] = (),
    ports: tuple[int, ...] = (),
    network: bool = False,
    start: bool = False,
    unix: bool = False,
    version: int = _ABI,
) -> Wall:
    program = filters.program(has_network=network, has_ports=bool(ports), has_unix=unix)
    readable = landlock.READ | (landlock.EXECUTE if start else 0)
    paths = [(path, readable) for path in (*_PYTHON, *read)]
    paths += [(path, landlock.WRITE | readable) for path in ("/dev/null", *write)]
    paths = [(path, landlock.access_to(path, access)) for path, access in paths]
    return Wall(version, program, paths, None if network else ports)


def _behind(wall: Wall, act: Callable[[], object]) -> str:
    """Do something in a child behind the wall; return `ok`, the name of the errno, or how the child was killed."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        said = "not begun"
        try:
            signal.alarm(20)
            wall.put_on(())
            act()
            said = "ok"
        except OSError as error:
            said = errno.errorcode.get(error.errno or 0, repr(error))
        except BaseException as error:  # noqa: BLE001 - the child says everything
            said = repr(error)
        finally:
            os.write(writer, said.encode())
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        said = pipe.read().decode()
    _, status = os.waitpid(pid, 0)
    return said or f"killed by {signal.Signals(os.WTERMSIG(status)).name}"


def _call(number: int, *arguments: object) -> None:
    if _LIBC.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "")


@pytest.fixture
def server() -> Iterator[int]:
    """A TCP server that accepts connections; its port."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=50)) as listening:
        yield listening.getsockname()[1]


def _read(path: str) -> None:
    with open(path, "rb") as file:
        file.read(1)


def _connect(kind: int, protocol: int, port: int) -> None:
    with socket.socket(socket.AF_INET, kind, protocol) as client:
        client.connect(("127.0.0.1", port))


@pytest.mark.parametrize("where", ["a file", "a folder", "through a link", "through /proc/self/root"])
def test_what_is_not_granted_cannot_be_read_and_what_is_can(tmp_path: Path, where: str) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "link").symlink_to("secret")
    act: dict[str, Callable[[], object]] = {
        "a file": partial(_read, str(tmp_path / "secret")),
        "a folder": partial(os.listdir, tmp_path),
        "through a link": partial(_read, str(tmp_path / "link")),
        "through /proc/self/root": partial(_read, f"/proc/self/root{tmp_path}/secret"),
    }

    assert _behind(_wall(), act[where]) == "EACCES"
    # /proc/self/root is a link of the kernel: its target is what counts.
    assert _behind(_wall(read=(str(tmp_path),)), act[where]) == "ok"


#: An act on a folder that may be read, and may only be written with the grant.
_WRITES: dict[str, Callable[[Path], object]] = {
    "write a new file": lambda folder: (folder / "new").write_text("x"),
    "write an old file": lambda folder: (folder / "old").write_text("x"),
    "append": lambda folder: (folder / "old").open("a").close(),
    "truncate": lambda folder: os.truncate(folder / "old", 0),
    "remove": lambda folder: (folder / "old").unlink(),
    "rename": lambda folder: (folder / "old").rename(folder / "other"),
    "make a folder": lambda folder: (folder / "folder").mkdir(),
    "make a link": lambda folder: (folder / "link").symlink_to("old"),
    "make a hard link": lambda folder: os.link(folder / "old", folder / "hard"),
    "make a fifo": lambda folder: os.mkfifo(folder / "fifo"),
}


@pytest.mark.parametrize("kind", _WRITES)
def test_what_may_be_read_cannot_be_changed_without_a_grant(tmp_path: Path, kind: str) -> None:
    (tmp_path / "old").write_text("old")
    act = partial(_WRITES[kind], tmp_path)

    assert _behind(_wall(read=(str(tmp_path),)), act) == "EACCES"
    assert _behind(_wall(write=(str(tmp_path),)), act) == "ok"


def test_a_tcp_port_is_reached_with_its_grant_only(server: int) -> None:
    act = partial(_connect, socket.SOCK_STREAM, 0, server)

    assert _behind(_wall(), act) == "EACCES"
    assert _behind(_wall(ports=(server + 1 if server < 65535 else 1,)), act) == "EACCES"
    assert _behind(_wall(ports=(server,)), act) == "ok"
    assert _behind(_wall(network=True), act) == "ok"


def _listen() -> None:
    socket.create_server(("127.0.0.1", 0)).close()


def _listen_anywhere() -> None:
    with socket.socket() as server:
        server.listen()  # the kernel chooses a port


@pytest.mark.parametrize("act", [_listen, _listen_anywhere])
def test_a_granted_port_is_not_one_to_listen_on(server: int, act: Callable[[], None]) -> None:
    assert _behind(_wall(ports=(server,)), act) == "EACCES"
    assert _behind(_wall(network=True), act) == "ok"


def _send_many(descriptor: int, port: int) -> None:
    """Send one message by sendmmsg(2), with TCP Fast Open."""
    address = ctypes.create_string_buffer(struct.pack("=HH4s8x", socket.AF_INET, socket.htons(port), b"\x7f\0\0\1"), 16)
    text = ctypes.create_string_buffer(b"x", 1)
    vector = ctypes.create_string_buffer(struct.pack("@PN", ctypes.addressof(text), 1))  # struct iovec
    header = struct.pack("@PI4xPNPNi4x", ctypes.addressof(address), 16, ctypes.addressof(vector), 1, 0, 0, 0)
    messages = ctypes.create_string_buffer(header + struct.pack("@I4x", 0))  # struct mmsghdr
    _call(307 if _MACHINE == "x86_64" else 269, descriptor, messages, 1, int(socket.MSG_FASTOPEN))


def _fast_open(port: int, call: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        if call == "sendto":
            client.sendto(b"x", socket.MSG_FASTOPEN, ("127.0.0.1", port))
        elif call == "sendmsg":
            client.sendmsg([b"x"], [], socket.MSG_FASTOPEN, ("127.0.0.1", port))
        elif call == "sendmmsg":
            _send_many(client.fileno(), port)
        else:
            client.setsockopt(socket.IPPROTO_TCP, 30, 1)
            client.connect(("127.0.0.1", port))


@pytest.mark.parametrize("call", ["sendto", "sendmsg", "sendmmsg", "setsockopt"])
def test_fast_open_does_not_lead_to_another_port(server: int, call: str) -> None:
    act = partial(_fast_open, server, call)

    assert _behind(_wall(ports=(1,)), act) == "EACCES"
    assert _behind(_wall(network=True), act) == "ok"


#: The family, type and protocol of a socket, and whether the grant of the whole network allows it.
_SOCKETS = {
    "MPTCP": (socket.AF_INET, socket.SOCK_STREAM, 262, False),
    "SCTP": (socket.AF_INET, socket.SOCK_STREAM, 132, False),
    "ICMP datagram": (socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP, False),
    "raw": (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP, False),
    "packet": (socket.AF_PACKET, socket.SOCK_RAW, 0, False),
    "vsock": (socket.AF_VSOCK, socket.SOCK_STREAM, 0, False),
    "alg": (socket.AF_ALG, socket.SOCK_SEQPACKET, 0, False),
    "xdp": (44, socket.SOCK_RAW, 0, False),
    "UDP": (socket.AF_INET, socket.SOCK_DGRAM, 0, True),
    "UDP over IPv6": (socket.AF_INET6, socket.SOCK_DGRAM, 17, True),
    "netlink": (socket.AF_NETLINK, socket.SOCK_RAW, 0, True),
    "netlink of audit": (socket.AF_NETLINK, socket.SOCK_RAW, 9, False),
    "unix": (socket.AF_UNIX, socket.SOCK_STREAM, 0, True),
    "unix datagram": (socket.AF_UNIX, socket.SOCK_DGRAM, 0, True),
}


@pytest.mark.parametrize("kind", _SOCKETS)
@pytest.mark.parametrize("flags", [0, socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC])
def test_other_sockets_than_those_of_tcp_are_refused(kind: str, flags: int) -> None:
    family, type_, protocol, is_granted = _SOCKETS[kind]

    def act() -> None:
        socket.socket(family, type_ | flags, protocol).close()

    assert _behind(_wall(ports=(443,)), act) == "EACCES"
    assert _behind(_wall(network=True), act) == ("ok" if is_granted else "EACCES")


def test_socketpairs_are_always_there() -> None:
    assert _behind(_wall(), socket.socketpair) == "ok"


def _start() -> None:
    subprocess.run(["/usr/bin/true"], check=True)


def test_programs_are_started_with_the_grant_only() -> None:
    assert _behind(_wall(), _start) == "EACCES"
    assert _behind(_wall(start=True), _start) == "ok"


def test_a_program_in_memory_is_not_started_either() -> None:
    def act() -> None:
        descriptor = os.memfd_create("x")
        os.write(descriptor, Path("/usr/bin/true").read_bytes())
        os.execve(descriptor, ["true"], {})  # noqa: S606 - no shell is wanted

    assert _behind(_wall(), act) == "EACCES"


def _forked(act: Callable[[], object]) -> None:
    """Do something in a process that a child has forked, in a session of its own; raise its OSError here."""
    pid = os.fork()
    if pid == 0:
        os.setsid()
        try:
            act()
        except OSError as error:
            os._exit(error.errno or 255)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code:
        raise OSError(code, "")


def test_the_wall_stands_around_what_a_task_forks_too(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    act = partial(_forked, partial(_read, str(tmp_path / "secret")))

    assert _behind(_wall(), act) == "EACCES"
    assert _behind(_wall(read=(str(tmp_path),)), act) == "ok"


def _prlimit(pid: int) -> None:
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, 3))


def _niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, 0)


#: What may not be done to the parent, by its pid.
_TO_OTHERS: dict[str, tuple[Callable[[int], object], str]] = {
    "signal": (lambda pid: os.kill(pid, 0), "EPERM"),
    "limits": (_prlimit, "EPERM"),
    "priority": (lambda pid: os.setpriority(os.PRIO_PROCESS, pid, 19), "EPERM"),
    "priority of all processes of the user": (lambda _: os.setpriority(os.PRIO_USER, 0, _niceness()), "EPERM"),
    "priority of the disk for all of them": (
        lambda _: _call(251 if _MACHINE == "x86_64" else 30, 3, 0, 2 << 13 | 4),
        "EPERM",
    ),
    "affinity": (lambda pid: os.sched_setaffinity(pid, {0}), "EPERM"),
    "scheduler": (lambda pid: os.sched_setscheduler(pid, os.SCHED_BATCH, os.sched_param(0)), "EPERM"),
    "memory": (lambda pid: _read(f"/proc/{pid}/mem"), "EACCES"),
    "environment": (lambda pid: _read(f"/proc/{pid}/environ"), "EACCES"),
    "connections": (lambda _: _read("/proc/net/tcp"), "EACCES"),
    "trace": (lambda pid: _call(101 if _MACHINE == "x86_64" else 117, 16, pid, 0, 0), "EPERM"),
    "descriptor": (lambda pid: _call(438, os.pidfd_open(pid), 0, 0), "EPERM"),
}


@pytest.mark.parametrize("kind", _TO_OTHERS)
def test_nothing_can_be_done_to_the_process_that_supervises(kind: str) -> None:
    act, expected = _TO_OTHERS[kind]

    assert _behind(_wall(network=True, start=True), partial(act, os.getpid())) == expected
    # At the address 0 there is no memory to read; to set a priority of all processes would change others than ours.
    assert "all" in kind or _without_wall(act) == ("EIO" if kind == "memory" else "ok")


def _without_wall(act: Callable[[int], object]) -> str:
    """Do to another process what a walled child could not; return `ok`, or the name of the errno."""
    victim = subprocess.Popen([sys.executable, "-S", "-c", "print(flush=True); input()"], stdin=-1, stdout=-1)
    with victim:
        assert victim.stdout is not None
        victim.stdout.readline()
        try:
            act(victim.pid)
        except OSError as error:
            return errno.errorcode[error.errno or 0]
        finally:
            victim.kill()
    return "ok"


def _lease(path: Path) -> None:
    with path.open() as file:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)


def test_no_lease_holds_up_others_who_open_a_file(tmp_path: Path) -> None:
    (tmp_path / "shared").write_text("x")

    assert _behind(_wall(write=(str(tmp_path),)), partial(_lease, tmp_path / "shared")) == "EPERM"
    _lease(tmp_path / "shared")


def _reopen(path: Path) -> None:
    with path.open() as file, open(f"/proc/self/fd/{file.fileno()}", "a", encoding="utf-8"):
        pass


def test_a_descriptor_leads_to_no_more_than_its_path(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("x")

    assert _behind(_wall(read=(str(tmp_path), "/proc")), partial(_reopen, tmp_path / "old")) == "EACCES"
    assert _behind(_wall(read=("/proc",), write=(str(tmp_path),)), partial(_reopen, tmp_path / "old")) == "ok"


def test_a_descriptor_that_another_process_hands_over_can_be_used(tmp_path: Path) -> None:
    """What docs/security.md lists as not held."""
    (tmp_path / "secret").write_text("x")
    ours, its = socket.socketpair()

    def receive() -> None:
        _, [descriptor], _, _ = socket.recv_fds(its, 1, 1)
        assert os.read(descriptor, 1) == b"x"

    with ours, its, (tmp_path / "secret").open() as secret:
        socket.send_fds(ours, [b"x"], [secret.fileno()])
        assert _behind(_wall(), receive) == "ok"


def test_a_task_may_set_its_own_limits_and_priority() -> None:
    def act() -> None:
        _prlimit(0)
        os.setpriority(os.PRIO_PROCESS, 0, 19)
        os.sched_setaffinity(0, os.sched_getaffinity(0))

    assert _behind(_wall(), act) == "ok"


#: Calls that no task has, by their number where it is the same everywhere, with arguments.
_FOREIGN: dict[str, tuple[tuple[Any, ...], str]] = {
    "io_uring_setup": ((425, 1, ctypes.create_string_buffer(120)), "EPERM"),
    "clone3": ((435, ctypes.create_string_buffer(88), 88), "ENOSYS"),
    "mount_setattr": ((442, -1, b"/", 0, None, 0), "EPERM"),
    "open_tree": ((428, -1, b"/", 1), "EPERM"),
    "fsopen": ((430, b"tmpfs", 0), "EPERM"),
}


@pytest.mark.parametrize("name", _FOREIGN)
def test_a_call_that_no_task_needs_is_refused(name: str) -> None:
    arguments, expected = _FOREIGN[name]

    assert _behind(_wall(network=True, start=True), partial(_call, *arguments)) == expected


@pytest.mark.parametrize("flag", filters._NAMESPACES)  # noqa: SLF001 - the table that is tested
def test_no_namespace_can_be_made(flag: int) -> None:
    number = {"x86_64": 56, "aarch64": 220}[_MACHINE]
    unshare = {"x86_64": 272, "aarch64": 97}[_MACHINE]

    assert _behind(_wall(), partial(_call, number, flag | signal.SIGCHLD, 0, 0, 0, 0)) == "EPERM"
    assert _behind(_wall(), partial(_call, unshare, flag)) == "EPERM"


@pytest.mark.skipif(_MACHINE != "x86_64", reason="x32 and i386 are calls of x86-64")
def test_calls_of_other_architectures_end_the_process() -> None:
    def old_call() -> None:
        # mov eax, 20 (getpid of i386); int 0x80; ret
        code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")
        address = ctypes.addressof(ctypes.c_char.from_buffer(code))
        ctypes.CFUNCTYPE(ctypes.c_int)(address)()

    assert _behind(_wall(), old_call) == "killed by SIGSYS"
    assert _behind(_wall(), partial(_call, 0x40000000 | 39)) == "killed by SIGSYS"


def test_threads_and_processes_of_a_task_work_as_without_the_wall() -> None:
    def act() -> None:
        thread = threading.Thread(target=lambda: None)
        thread.start()
        thread.join()
        _forked(lambda: None)

    assert _behind(_wall(), act) == "ok"


def test_nothing_has_a_capability_behind_the_wall() -> None:
    def act() -> None:
        status = dict(line.split(":\t") for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
        held = {name: status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb", "NoNewPrivs")}
        bounding = int(status["CapBnd"], 16) if os.geteuid() == 0 else 0
        assert (set(held.values()), bounding) == ({"0" * 16, "1"}, 0), held

    assert _behind(_wall(read=(f"/proc/{os.getpid()}", "/proc")), act) == "ok"


def test_the_constants_of_landlock_are_those_of_the_library() -> None:
    for version in range(1, LATEST_ABI + 1):
        expected = (int(fs_for_abi(version)), int(net_for_abi(version)), int(scope_for_abi(version)))
        assert landlock.handled(version) == expected
    assert {name: 1 << bit for name, bit in landlock.FS.items()} == {
        it.name: it.value for it in landlockpy.AccessFS if it.value
    }


@pytest.mark.parametrize("version", [1, 2, 3, 4, 5, 6])
def test_an_older_landlock_holds_what_it_can(version: int, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    act = partial(_read, str(tmp_path / "secret"))

    assert _behind(_wall(version=version), act) == "EACCES"
    assert _behind(_wall(version=version, read=(str(tmp_path),)), act) == "ok"
