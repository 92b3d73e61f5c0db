"""The seccomp filter of a task, compiled once for each set of grants in the process that forks (seccomp(2)).

Landlock alone lets through MPTCP, TCP Fast Open, UDP, and what one process may do to another.
"""

from __future__ import annotations

import errno
import socket
import struct
from functools import cache

from seccompy import Filter
from seccompy.filter import ArgCmp, CmpOp
from seccompy.syscalls import syscall_nr

from runner.execution.learning.calls import CALLS

_INT = 0xFFFFFFFF  # the bits of an argument that the kernel reads as `int`
_SOCKET_TYPE = 0xF  # the bits of the second argument of socket(2) that say which type it is
_FAST_OPEN = 0x20000000  # MSG_FASTOPEN
_TCP_FASTOPEN_CONNECT = 30
#: CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET, NEWTIME: bits of the flags of clone(2).
_NAMESPACES = 0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000, 0x00000080
#: Of x32, a second set of calls for the architecture x86-64 (syscall(2)).
_X32 = 0x40000000
_LOAD_NUMBER = struct.pack("=HBBI", 0x20, 0, 0, 0)
_SKIP_IF_BELOW = struct.pack("=HBBI", 0x35, 0, 1, _X32)
_KILL = struct.pack("=HBBI", 0x06, 0, 0, 0x80000000)

#: What no task may do, whatever it is granted.
_NEVER = (
    *("io_uring_setup", "io_uring_enter", "io_uring_register"),
    *("ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "process_madvise", "kcmp"),
    *("unshare", "setns", "chroot", "pivot_root", "mount", "umount2", "move_mount", "open_tree", "mount_setattr"),
    *("fsopen", "fsconfig", "fsmount", "fspick", "swapon", "swapoff", "reboot", "kexec_load", "kexec_file_load"),
    *(
        "init_module",
        "finit_module",
        "delete_module",
        "acct",
        "quotactl",
        "quotactl_fd",
        "fanotify_init",
        "settimeofday",
        "clock_settime",
    ),
    *("adjtimex", "clock_adjtime", "sethostname", "setdomainname", "bpf", "perf_event_open", "userfaultfd"),
    *("add_key", "keyctl", "request_key", "open_by_handle_at", "name_to_handle_at", "vhangup", "syslog"),
    *("shmget", "shmat", "shmctl", "shmdt", "semget", "semop", "semctl", "semtimedop"),
    *("msgget", "msgsnd", "msgrcv", "msgctl", "mq_open", "mq_unlink"),
)
#: Calls that may be about this process only: which argument has a pid, where 0 is this process.
_OWN_ONLY = {
    "prlimit64": 0,
    "setpriority": 1,
    "ioprio_set": 1,
    "sched_setaffinity": 0,
    "sched_setscheduler": 0,
    "sched_setparam": 0,
    "sched_setattr": 0,
}
#: Which processes a call is about: the value of the first argument that means all of the user (setpriority(2)).
_ALL_OF_USER = {"setpriority": 2, "ioprio_set": 3}
#: The order of fcntl(2) for a lease: the kernel holds up others who open the file, for 45 s each.
_SET_LEASE = 1024


@cache
def learning_program() -> bytes:
    """Return the program of a filter that lets everything go on, and tells of what a learning run is about.

    Calls of x32 are refused: nobody could read what they touch.
    """
    made = Filter()
    for name in filter(_is_known, CALLS):
        # A call of sendto(2) without an address sends to where the socket is connected.
        made.notify(name, args=[ArgCmp(4, CmpOp.NE, 0)] if name == "sendto" else None)
    return _LOAD_NUMBER + _SKIP_IF_BELOW + _KILL + made.program


def learned_calls() -> tuple[tuple[int, str], ...]:
    """Return the numbers and the names of the calls of which that filter tells."""
    return tuple((syscall_nr(name), name) for name in filter(_is_known, CALLS))


@cache
def program(*, has_network: bool, has_ports: bool, has_unix: bool) -> bytes:
    """Return the program of the kernel's filter for these grants."""
    made = Filter()
    for name in filter(_is_known, _NEVER):
        made.errno(name, errno.EPERM)
    for name, index in _OWN_ONLY.items():
        made.errno(name, errno.EPERM, args=[ArgCmp(index, CmpOp.NE, 0)])
    for name, value in _ALL_OF_USER.items():
        made.errno(name, errno.EPERM, args=[ArgCmp(0, CmpOp.MASKED_EQ, value, _INT)])
    made.errno("fcntl", errno.EPERM, args=[ArgCmp(1, CmpOp.MASKED_EQ, _SET_LEASE, _INT)])
    for flag in _NAMESPACES:
        made.errno("clone", errno.EPERM, args=[ArgCmp(0, CmpOp.MASKED_EQ, flag, flag)])
    # Its flags are in memory, which no filter can read; C libraries then use clone(2).
    made.errno("clone3", errno.ENOSYS)
    _sockets(made, has_network=has_network, has_ports=has_ports, has_unix=has_unix)
    if not has_network:
        _ways_around_ports(made, has_ports=has_ports)
    return _LOAD_NUMBER + _SKIP_IF_BELOW + _KILL + made.program


def _sockets(made: Filter, *, has_network: bool, has_ports: bool, has_unix: bool) -> None:
    families = (socket.AF_INET, socket.AF_INET6)
    if has_network or has_ports:
        for family in families:
            _allow(made, family, socket.SOCK_STREAM, 0, socket.IPPROTO_TCP)
    if has_network:
        for family in families:
            _allow(made, family, socket.SOCK_DGRAM, 0, socket.IPPROTO_UDP)
        for kind in (socket.SOCK_RAW, socket.SOCK_DGRAM):
            _allow(made, socket.AF_NETLINK, kind, 0)  # NETLINK_ROUTE, by which C libraries look at addresses
    if has_unix or has_network:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
            _allow(made, socket.AF_UNIX, kind, 0)
    made.errno("socket", errno.EACCES)


def _ways_around_ports(made: Filter, *, has_ports: bool) -> None:
    """Refuse what Landlock does not count as connecting or listening."""
    if has_ports:
        made.errno("listen", errno.EACCES)  # the kernel chooses a port for a socket that has none
    for name, index in (("sendto", 3), ("sendmsg", 2), ("sendmmsg", 3)):
        made.errno(name, errno.EACCES, args=[ArgCmp(index, CmpOp.MASKED_EQ, _FAST_OPEN, _FAST_OPEN)])
    tcp, option = socket.IPPROTO_TCP, _TCP_FASTOPEN_CONNECT
    made.errno(
        "setsockopt",
        errno.EACCES,
        args=[ArgCmp(1, CmpOp.MASKED_EQ, tcp, _INT), ArgCmp(2, CmpOp.MASKED_EQ, option, _INT)],
    )


def _allow(made: Filter, family: int, kind: int, *protocols: int) -> None:
    for protocol in protocols:
        made.allow(
            "socket",
            args=[
                ArgCmp(0, CmpOp.EQ, family),
                ArgCmp(1, CmpOp.MASKED_EQ, kind, _SOCKET_TYPE),
                ArgCmp(2, CmpOp.EQ, protocol),
            ],
        )


def _is_known(name: str) -> bool:
    """Return whether this architecture has a call of this name."""
    try:
        syscall_nr(name)
    except (KeyError, ValueError):
        return False
    return True
