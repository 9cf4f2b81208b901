"""From a collection of runs to everything that a page shows."""

from dataclasses import replace

from experiments.analysis.across import Normalised, aggregate, units_of
from experiments.analysis.clock import machines
from experiments.analysis.compare import compare, withheld
from experiments.analysis.comparison import Scope
from experiments.analysis.control import controls, plans
from experiments.analysis.groups import groups_of
from experiments.analysis.pairs import scopes
from experiments.analysis.results import Analysis
from experiments.analysis.verdict import judge
from experiments.collect.collection import Collection
from experiments.statistics.bootstrap import REPLICATES


def analyse(collection: Collection) -> Analysis:
    """What a study's runs show, and the answer in words. The same runs give the same analysis, to the last digit."""
    study = collection.study
    bare = groups_of(collection)
    units = units_of(study, bare)
    found = compare(study, bare, units)
    groups = tuple(
        replace(
            group,
            comparisons=found.get(Scope(((group.task, group.algorithm),)), ()),
            withheld=withheld(study, group),
        )
        for group in bare
    )
    asked = scopes(study)
    insides = [Normalised(groups, units, scope) for scope in asked]
    aggregates = tuple(
        # With a single stratum the comparisons are the group's.
        aggregate(study, inside, found[scope] if len(scope.strata) > 1 else ())
        for inside, scope in zip(insides, asked, strict=True)
    )
    checks = tuple(controls(study, groups, insides))
    return Analysis(
        collection,
        groups,
        aggregates,
        checks,
        tuple(plans(study, insides)),
        machines(collection),
        REPLICATES,
        judge(collection, groups, found, checks),
    )
