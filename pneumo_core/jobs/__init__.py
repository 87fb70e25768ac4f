"""Runs as jobs: submit, status, cancel, list. Nothing here imports a training framework; the worker is started by name."""
