"""One file a command, each with `HELP`, `add_arguments` and `run`.

A command imports Keras only when it runs: the backend is fixed by then.
"""
