"""Runs the ``serbench-runtime`` command by ``python -m serbench_runtime``."""

from serbench_runtime.cli.app import main

if __name__ == "__main__":
    main()
