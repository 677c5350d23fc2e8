"""``python -m serbench_runtime`` is the ``serbench-runtime`` command."""

from serbench_runtime.cli.app import main

if __name__ == "__main__":
    main()
