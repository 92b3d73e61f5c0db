"""The module that multiprocessing runs in a fresh interpreter as the `__main__` of a task: see `spawning`."""

from runner.execution.child.namespace import run_again

run_again(globals())
