"""Runs on disk: where their files lie, how they stay whole, and what state a run is in."""
