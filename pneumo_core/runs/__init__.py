"""Runs on disk: paths of their files, atomic writes and locks, and the state of a run."""
