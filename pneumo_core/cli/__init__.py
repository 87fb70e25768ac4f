"""The command line, behind `__main__`."""
