"""Pneumo Study: chest X-ray classifiers, their training, evaluation and use, apart from any user interface."""

__version__ = "0.2.0"
