"""Entry point of the command line: ``python -m pneumo_core``."""

from pneumo_core.cli.main import main

if __name__ == "__main__":
    main()
