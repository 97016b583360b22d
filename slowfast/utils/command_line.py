"""How every command line ends: a clear line and exit code 2 for the user's errors, never a traceback for them."""

import sys

from slowfast.utils.errors import EXIT_LOST, EXIT_USAGE, JobError, UserError
from slowfast.utils.logging import setup_logging

EXIT_INTERRUPTED = 130


def run_command(main):
    """Call main() and return its exit code; UserError becomes lines on stderr and exit code 2, JobError exit code 1."""
    setup_logging()
    try:
        return main()
    except (UserError, JobError) as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        return EXIT_USAGE if isinstance(error, UserError) else EXIT_LOST
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from the last checkpoint", file=sys.stderr)
        return EXIT_INTERRUPTED
