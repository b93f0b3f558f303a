"""The subcommands of `python -m s2vt_model`: each a module with `add_arguments` and `run`."""
