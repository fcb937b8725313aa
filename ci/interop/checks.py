"""How the scripts of this folder check: one line each, exit 1 when one failed or none ran.

A script that runs isolated (`python -I`) puts this folder at the end of `sys.path` first, after its
other imports: a file here must not hide a package of the same name.
"""

import sys
import time

failures = []
count = 0


def check(name, condition, detail=""):
    """Notes and prints whether `condition` holds."""
    global count
    count += 1
    print(f"{'ok  ' if condition else 'FAIL'} {name}{f': {detail}' if detail else ''}", flush=True)
    if not condition:
        failures.append(name)


def until(condition, what, seconds=30):
    """The first true value of `condition`, or an end with an error after so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise SystemExit(f"FAIL no {what} within {seconds} s")


def finish():
    """Prints the count and ends the process."""
    print(f"{count} checks, {len(failures)} failed")
    sys.exit(1 if failures or count == 0 else 0)
