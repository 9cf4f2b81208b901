"""What was planned: `study.json`, read here and nowhere else in the report."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from experiments.collect.errors import ReportError, first_problem
from experiments.problems import InputError
from experiments.study_folder import STUDY_FILE, read_study_file
from experiments.text import count, whole


class _Record(BaseModel):
    # Keys of later versions are ignored: a page from an older checkout is better than no page.
    model_config = ConfigDict(frozen=True, extra="ignore")


class Arm(_Record):
    """One arm: which activation the actor and the critic have, one spec for all hidden layers or one per layer."""

    name: str
    actor: tuple[str, ...]
    critic: tuple[str, ...]
    activation_lr: float | None = None
    seeds: tuple[int, ...]

    @field_validator("actor", "critic", mode="before")
    @classmethod
    def _as_list(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value


class Evaluation(_Record):
    """How often a run was evaluated (environment steps) and over how many episodes; None where logs do not tell."""

    every: int = Field(ge=1)
    episodes: int | None = Field(default=None, ge=1)


class Study(_Record):
    """The plan of a study, as its `study.json` states it, or (`inferred`) as logs without a plan suggest it.

    An inferred plan asks for the runs that were found, `found` of them, which need not fill a grid.
    """

    format: Literal[1]
    name: str
    description: str | None = None
    algorithms: tuple[str, ...] = Field(min_length=1)
    tasks: tuple[str, ...] = Field(min_length=1)
    arms: tuple[Arm, ...] = Field(min_length=1)
    steps: int = Field(ge=1)
    evaluation: Evaluation
    hyperparameters: dict[str, Any] = Field(default_factory=dict)
    primary: tuple[tuple[str, str], ...] = ()
    margin: float | None = None
    control: str | None = None
    final_evaluations: int | None = Field(default=None, ge=1)
    thresholds: dict[str, tuple[float, ...]] = Field(default_factory=dict)
    budgets: tuple[float, ...] = ()
    command: str | None = None
    inferred: bool = False
    found: int | None = Field(default=None, ge=0)
    returns_kind: Literal["evaluation", "training"] = "evaluation"

    @model_validator(mode="after")
    def _arms_exist(self) -> "Study":
        known = {arm.name for arm in self.arms}
        named = [arm for pair in self.primary for arm in pair] + ([self.control] if self.control else [])
        unknown = [arm for arm in named if arm not in known]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is compared but is no arm (arms: {', '.join(sorted(known))})")
        return self

    @property
    def planned(self) -> int:
        """Number of runs that the study asks for."""
        if self.found is not None:
            return self.found
        return len(self.tasks) * len(self.algorithms) * sum(len(arm.seeds) for arm in self.arms)

    @property
    def returns_text(self) -> str:
        """What a return is here, for an axis."""
        if self.returns_kind == "training":
            return "return of training episodes"
        episodes = self.evaluation.episodes
        return "return, deterministic policy" + (f",\nmean of {count(episodes, 'episode')}" if episodes else "")

    @property
    def evaluation_text(self) -> str:
        """How often returns were taken, and of what."""
        every = f"every {whole(self.evaluation.every)} steps"
        if self.returns_kind == "training":
            return f"training episodes, averaged {every}"
        episodes = self.evaluation.episodes
        return f"{every}, {count(episodes, 'episode') if episodes else 'number of episodes not recorded'}"


def read_study(study_dir: Path) -> Study:
    """Read `study.json` in a study's folder.

    Raises:
        ReportError: the folder or the file is missing, or the file is damaged or of another format; in the words of
            the other commands.
    """
    try:
        content = read_study_file(study_dir)
    except InputError as error:
        raise ReportError(str(error)) from error
    try:
        return Study.model_validate(content)
    except ValidationError as error:
        path = study_dir / STUDY_FILE
        raise ReportError(f"{path} is damaged ({first_problem(error)}): run the study's command again") from None
