"""Who is ahead: a description of these seeds, not a claim. Arms with the same score are level, whatever their order."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from experiments.analysis.results import ArmResult, Group
from experiments.analysis.versions import versions_text
from experiments.statistics.arrays import level
from experiments.text import joined, number

_END, _AREA = "at the end of training", "on area under the curve"


@dataclass(frozen=True)
class Rank:
    """Arms with the same score."""

    arms: tuple[str, ...]
    score: float

    @property
    def subject(self) -> str:
        """The arms as a subject with its verb."""
        return f"{joined(self.arms)} {'is' if len(self.arms) == 1 else 'are'}"

    @property
    def scores(self) -> str:
        """The score, marked where several arms have it."""
        return number(self.score) if len(self.arms) == 1 else f"{number(self.score)} each"


def lead(groups: Sequence[Group]) -> str:
    """Who is ahead at the end and on area under the curve; groups whose runs differ in versions are not ranked."""
    if len(groups) == 1:
        return f"On {groups[0].name}, {_single(groups[0])}."
    comparable = [group for group in groups if not group.versions]
    ends = _contested(ranking(group.arms, "final") for group in comparable)
    areas = _contested(ranking(group.arms, "area") for group in comparable)
    if not ends:
        return "No arm is called ahead: on no combination of task and algorithm do two arms have comparable scores."
    text = _count(ends, _END, "No", " combinations of task and algorithm")
    if areas:
        text += f"; {_count(areas, _AREA, 'no')}"
    return f"{text}."


def ranking(arms: Sequence[ArmResult], score: str) -> list[Rank]:
    """The arms that have this score ("final" or "area") from best to worst, those with the same one together."""
    estimates = [(getattr(arm, score), arm.arm) for arm in arms]
    ranks: list[Rank] = []
    for value, name in sorted(((e.value, name) for e, name in estimates if e), key=lambda entry: -entry[0]):
        if ranks and level(ranks[-1].score, value):
            ranks[-1] = Rank((*ranks[-1].arms, name), ranks[-1].score)
        else:
            ranks.append(Rank((name,), value))
    return ranks


def _single(group: Group) -> str:
    if group.versions:
        return f"no arm is called ahead: the runs used different versions ({versions_text(group.versions)})"
    end, area = ranking(group.arms, "final"), ranking(group.arms, "area")
    if len(end) == 1 and len(end[0].arms) == 1:
        text = f"{end[0].arms[0]} has a final score of {end[0].scores}"
        return f"{text} and an area under the curve of {area[0].scores}" if area else text
    text = f"{_standing(end[0])} {_END} ({_before(end)})"
    if area:
        text += " and" if area[0].arms == end[0].arms else f", {_standing(area[0])}"
        text += f" {_AREA} ({_before(area)})"
    return text


def _standing(rank: Rank) -> str:
    return f"{rank.subject} {'ahead' if len(rank.arms) == 1 else 'level'}"


def _before(ranks: Sequence[Rank]) -> str:
    if len(ranks) == 1:
        return ranks[0].scores
    verb = "is" if len(ranks[1].arms) == 1 else "are"
    return f"{ranks[0].scores}; next {verb} {joined(ranks[1].arms)} with {ranks[1].scores}"


def _contested(rankings: Iterable[list[Rank]]) -> list[list[Rank]]:
    """Those with at least two arms: one alone is ahead of nobody."""
    return [ranks for ranks in rankings if sum(len(rank.arms) for rank in ranks) > 1]


def _count(rankings: Sequence[list[Rank]], where: str, no: str, unit: str = "") -> str:
    """Who leads alone on most of these rankings; nobody does where two arms lead on equally many."""
    alone = Counter(ranks[0].arms[0] for ranks in rankings if len(ranks[0].arms) == 1).most_common()
    shared = len(rankings) - sum(amount for _, amount in alone)
    if alone and (len(alone) == 1 or alone[0][1] > alone[1][1]):
        text = f"{alone[0][0]} is ahead {where} on {alone[0][1]} of {len(rankings)}{unit}"
        return f"{text} (several arms are level on {shared})" if shared else text
    parts = [f"{arm} on {amount}" for arm, amount in alone]
    parts += [f"several level on {shared}"] if shared else []
    return f"{no} arm is ahead {where} on more{unit} than every other: {joined(parts)} of {len(rankings)}"
