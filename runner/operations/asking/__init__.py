"""Questions: which tasks there are, when they run, how they are, what happened and why. Nothing is written."""
