"""Runs one command from a process that is nearly empty, and writes down what it cost.

``python -S -E launch.py REPORT COMMAND...``. On Linux a new process begins with the peak memory of the one that it
split off from; started from a test run with all its imports, every figure would be that of the test run.
"""

import json
import os
import sys


def main() -> None:
    """Writes seconds of CPU, KiB of peak memory and the exit code to REPORT, of the command and all it waited for."""
    report, *command = sys.argv[1:]
    child = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(child, 0)
    with open(report, "w", encoding="ascii") as file:
        cpu = usage.ru_utime + usage.ru_stime
        json.dump({"cpu": cpu, "peak": usage.ru_maxrss, "code": os.waitstatus_to_exitcode(status)}, file)


main()
