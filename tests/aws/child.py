"""Runs a Python module or file as a process that ends when its parent does, however the parent ends.

The parent keeps the other end of standard input; end of file there means that it is gone.

    python child.py ministack
    python child.py ./proxy.py --upstream http://127.0.0.1:4566
"""

import os
import runpy
import sys
import threading


def _wait_for_parent() -> None:
    while os.read(0, 1024):
        pass
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=_wait_for_parent, daemon=True).start()
    program = sys.argv[1]
    sys.argv = sys.argv[1:]
    if program.endswith(".py"):
        sys.path.insert(0, os.path.dirname(os.path.abspath(program)))
        runpy.run_path(program, run_name="__main__")
    else:
        runpy.run_module(program, run_name="__main__", alter_sys=True)
