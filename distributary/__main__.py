"""`python -m distributary` is the `distributary` command."""

from distributary.cli.main import main

if __name__ == "__main__":
    main()
