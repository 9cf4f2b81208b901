"""What an engine says while it trains, and how it is asked to stop."""

from typing import Protocol


class InterruptedRun(BaseException):
    """An engine without checkpoints was asked to stop.

    It is no `Exception`, so that no handler of errors on its way swallows it.
    """


class Control(Protocol):
    """Between an engine and the process that runs it; runs are named by their index in the cohort."""

    def should_stop(self) -> bool:
        """Return whether to write a checkpoint and return; asked once per environment step, also in evaluations."""

    def resumed(self, step: int) -> None:
        """Training goes on from this environment step; 0 if it begins. Called once, before any training."""

    def done(self, index: int, steps_per_s: float) -> None:
        """A run has made all its steps and its policy is saved.

        Args:
            index: Of the run.
            steps_per_s: Its environment steps per second of training without evaluation.
        """

    def diverged(self, index: int, cause: str, step: int) -> None:
        """A run is over because it produced NaN or infinity; the others go on.

        Args:
            index: Of the run.
            cause: What was not finite, and when.
            step: Environment steps of the run so far.
        """
