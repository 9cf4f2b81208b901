"""Which arms a study compares, and where: the families that corrections go over."""

from itertools import combinations

from experiments.analysis.comparison import Scope
from experiments.collect.plan import Study


def pairs(study: Study) -> tuple[tuple[str, str], ...]:
    """The study's primary pairs; where it names none, each arm against its control; without one, every pair."""
    if study.primary:
        return study.primary
    names = [arm.name for arm in study.arms]
    if study.control is not None:
        return tuple((name, study.control) for name in names if name != study.control)
    return tuple((later, earlier) for earlier, later in combinations(names, 2))


def scopes(study: Study) -> tuple[Scope, ...]:
    """Where the study's question is answered: all tasks with each algorithm and, with several, all algorithms together.

    With one task and one algorithm that is the one combination itself.
    """
    each = [Scope(tuple((task, algorithm) for task in study.tasks)) for algorithm in study.algorithms]
    if len(each) == 1:
        return tuple(each)
    return (*each, Scope(tuple(stratum for scope in each for stratum in scope.strata)))


def single_tasks(study: Study) -> tuple[Scope, ...]:
    """Every combination of task and algorithm that is not one of `scopes` itself."""
    asked = scopes(study)
    alone = [Scope(((task, algorithm),)) for task in study.tasks for algorithm in study.algorithms]
    return tuple(scope for scope in alone if scope not in asked)
