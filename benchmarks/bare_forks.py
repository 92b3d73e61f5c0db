"""A floor: fork, exit and wait, a thousand times, from the smallest possible Python process."""

import os

for _ in range(1000):
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
