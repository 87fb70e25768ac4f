"""The command line; `__main__` is its entry point."""
