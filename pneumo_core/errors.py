"""The expected errors of the package.

    PneumoError
    ├── ConfigError            a setting is unknown or out of its range
    ├── DataError              a data set cannot be used as requested
    │   ├── ImageError         one image cannot be read (`reason` is a short code)
    │   └── DownloadError      the data set could not be fetched
    ├── StoreError             artifacts cannot be read or written
    │   └── CorruptError       a file under artifacts/ is not what was written
    ├── RunError               a run is not in the required state
    │   ├── RunNotFoundError   there is no such run
    │   └── CancelledError     the run was cancelled
    └── TrainingError          training cannot go on

Messages state what is required, then ``Received: name=value``, then what to do next, on one line. Only `PneumoError` becomes
an error message on a page or exit status 1 on the command line: anything else is a bug and keeps its traceback.
"""


class PneumoError(Exception):
    """Base of every expected error."""


class ConfigError(PneumoError):
    """A setting is unknown or out of its range."""


class DataError(PneumoError):
    """A data set cannot be used as requested."""


class ImageError(DataError):
    """One image cannot be read.

    Attributes:
        reason: Code in snake_case that tests and tables can rely on, such as ``"too_large"``.
        problem: What is required and what was received.
        advice: What to do about it, in the imperative, else "".
    """

    def __init__(self, reason: str, problem: str, advice: str = "") -> None:
        super().__init__(f"{problem}; {advice}" if advice else problem)
        self.reason, self.problem, self.advice = reason, problem, advice


class DownloadError(DataError):
    """The data set could not be fetched."""


class StoreError(PneumoError):
    """Artifacts cannot be read or written."""


class CorruptError(StoreError):
    """A file under artifacts/ is not what was written."""


class RunError(PneumoError):
    """A run is not in the required state."""


class RunNotFoundError(RunError):
    """There is no such run."""


class CancelledError(RunError):
    """The run was cancelled."""


class TrainingError(PneumoError):
    """Training cannot go on."""
