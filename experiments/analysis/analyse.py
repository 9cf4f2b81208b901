"""From runs to everything that a page shows."""

from experiments.analysis.aggregate import aggregate
from experiments.analysis.results import Analysis
from experiments.analysis.verdict import judge
from experiments.collect.collection import Collection
from experiments.statistics.scores import REPLICATES


def analyse(collection: Collection) -> Analysis:
    """All groups with their comparisons, and the verdict."""
    groups = aggregate(collection)
    return Analysis(collection, groups, (), (), (), (), REPLICATES, judge(collection, groups))
