"""The `distributary` command: one module per group of commands."""
