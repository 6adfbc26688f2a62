"""`python -m bpref.regression` is `bpref-train`."""

import signal
import sys


def main() -> int:
    """Run the command of the shell; see `command.main`.

    Until the command waits for signals itself, Ctrl-C ends the process as it does any program.
    Python's own answer to it is a traceback, here through the imports.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else somebody's wish
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from bpref.regression import command

    return command.main()


if __name__ == "__main__":
    sys.exit(main())
