"""Pneumo Study: chest X-ray classifiers, their training, evaluation and use, apart from any user interface."""

import os

__version__ = "0.2.0"

# Before ONNX Runtime is imported: by default it writes an id of the machine into the home folder, and reports the
# models that it loads to its maker (from 1.32 on; docs/Privacy.md in its repository).
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
