"""The command as a test starts it with torchrun: a signal comes to process 1 alone.

Usage: distributed_command.py SIGNAL ARGUMENT ...; with SIGNAL 0 none comes.
"""

import os
import signal
import sys

from bpref.regression.command import main

STEP = 6


def signal_at(number):
    from bpref.regression.running import Stop

    original = Stop.on_step

    def on_step(self, state):
        if state.step == STEP:
            os.kill(os.getpid(), number)
        return original(self, state)

    Stop.on_step = on_step  # only process 1 has it: process 0 saves


if __name__ == "__main__":
    number, *arguments = sys.argv[1:]
    if int(number) and os.environ["RANK"] == "1":
        signal_at(signal.Signals(int(number)))
    sys.exit(main(arguments))
