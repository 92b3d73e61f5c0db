"""Who owns runs, and whether the owner is gone: by locked files, in every container and for every user."""
