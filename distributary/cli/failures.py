"""Failures that are not ours, in words: what a command ends with instead of a traceback.

A failure that is not told here is a defect of this program, and its traceback is what we need.
"""

import errno
import sys
from collections.abc import Callable

from distributary.cli.output import print_error
from distributary.errors import DistributaryError, ExitCode, InputError, UnavailableError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_UNUSABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR}
_UNUSABLE |= {errno.ENAMETOOLONG, errno.ELOOP}


def explain(error: BaseException) -> DistributaryError | None:
    """What happened and what to do, where the place or the server is at fault; None: a defect."""
    if isinstance(error, DistributaryError):
        return error
    if isinstance(error, OSError):
        return _explain_file(error)
    # Imported already if one of its errors stands here; commands that do not need it start faster.
    return _explain_postgres(error) if "psycopg" in sys.modules else None


def _explain_file(error: OSError) -> DistributaryError | None:
    reason = (error.strerror or "").partition(":")[0]
    if error.errno in _FULL:
        return DistributaryError(
            "The disk is full: free space and repeat the command.",
            value=error.filename,
            code="disk_full",
        )
    if error.errno in _UNUSABLE:
        return InputError(
            f"A file or folder cannot be used ({reason}): mend it, or name another place by the "
            "command's own option, DISTRIBUTARY_HOME, DISTRIBUTARY_CACHE or DISTRIBUTARY_LAKE.",
            value=error.filename,
            code="file_unusable",
        )
    return None


def _explain_postgres(error: BaseException) -> DistributaryError | None:
    from psycopg import InterfaceError, OperationalError, errors

    if isinstance(error, errors.UndefinedTable | errors.UndefinedColumn | errors.InvalidSchemaName):
        return UnavailableError(
            "The database lacks our tables, or has those of an older version: run `distributary "
            "up`, which prepares it.",
            code="no_schema",
        )
    if isinstance(error, errors.InsufficientPrivilege):
        return InputError(
            "Postgres does not permit this to the role in DISTRIBUTARY_POSTGRES: use the owner of "
            "the schema, or grant the role that the reference names for it.",
            code="not_permitted",
        )
    if isinstance(error, OperationalError | InterfaceError):
        return UnavailableError("Postgres went away: see `distributary status`.")
    return None


def run_in_words(main: Callable[[], int | None]) -> int:
    """Runs a program to its exit code; what `explain` knows is one line on stderr."""
    try:
        return main() or ExitCode.OK
    except KeyboardInterrupt:
        return 128 + 2
    except BrokenPipeError:
        return ExitCode.FAILED
    except Exception as error:
        told = explain(error)
        if told is None:
            raise
        print_error(told)
        return told.exit_code
