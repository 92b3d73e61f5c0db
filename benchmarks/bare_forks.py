"""A floor: fork, exit and wait, a thousand times, from a process as small as Python makes it."""

import os

for _ in range(1000):
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
