"""One file per command, each with `HELP`, `add_arguments` and `run`.

A command imports Keras only when it runs, after the backend is chosen.
"""
