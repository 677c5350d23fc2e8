"""``python -m serbench`` is the ``serbench`` command."""

from serbench.cli import main

if __name__ == "__main__":
    main()
