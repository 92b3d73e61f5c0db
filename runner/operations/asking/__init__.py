"""Questions: what there is, when it runs, how it is, what happened and why. Nothing is changed."""
