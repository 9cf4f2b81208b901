"""Scores to hold results against: those of random actions, measured here, and those that others published.

Random scores: the mean undiscounted return of 100 episodes with seeds 0 to 99, actions uniform within their bounds from
`numpy.random.default_rng(0)`, stepped by `envs.make` on MuJoCo 3.17.

Reference scores: deterministic-policy evaluations at 1,000,000 steps on version 4 or 5 of the same task, the mean over
seeds. Version 4 differs from 5 in details (Walker2d's friction, when the reward for being healthy is given), so they
are for orientation. Where only older versions, other observations (Ant of version 4) or training returns exist, there
is none.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class ReferenceScore:
    """A published result.

    Attributes:
        algorithm: ``"td3"`` or ``"sac"``.
        steps: Environment steps of training.
        mean: Mean return over seeds.
        sd: Standard deviation over seeds, or None where the source states none.
        source: Where it is from, with the version of the task and the number of seeds.
    """

    algorithm: str
    steps: int
    mean: float
    sd: float | None
    source: str


RANDOM: dict[str, float] = {
    "Ant-v5": -50.5,
    "HalfCheetah-v5": -284.9,
    "Hopper-v5": 15.35,
    "Humanoid-v5": 112.4,
    "HumanoidStandup-v5": 33494.0,
    "InvertedDoublePendulum-v5": 44.48,
    "InvertedPendulum-v5": 4.42,
    "Pusher-v5": -148.5,
    "Reacher-v5": -43.42,
    "Swimmer-v5": 1.81,
    "Walker2d-v5": 0.91,
}

_TD7 = "TD3 baseline of the TD7 and MR.Q papers: version 4, 10 seeds"
_SIMBA = "SAC results shipped with SimbaV2 (DAVIAN-Robotics/SimbaV2): version 4, 10 seeds"
_V5 = "Kallinteris-Andreas/gymnasium-mujuco-v5-envs-validation: version 5, SB3 2.0 with its defaults, 10 seeds"


def _million(algorithm: str, mean: float, sd: float | None, source: str) -> ReferenceScore:
    return ReferenceScore(algorithm, 1_000_000, mean, sd, source)


REFERENCE: dict[str, tuple[ReferenceScore, ...]] = {
    "Ant-v5": (_million("td3", 3009.0, 657.0, _V5), _million("sac", 4332.0, 1062.0, _V5)),
    "HalfCheetah-v5": (_million("td3", 10574.0, None, _TD7), _million("sac", 11321.0, 1108.0, _SIMBA)),
    "Hopper-v5": (_million("td3", 3226.0, None, _TD7), _million("sac", 2787.0, 868.0, _SIMBA)),
    "Humanoid-v5": (_million("td3", 5165.0, None, _TD7), _million("sac", 4826.0, 1679.0, _SIMBA)),
    "Walker2d-v5": (_million("td3", 3946.0, None, _TD7), _million("sac", 4536.0, 495.0, _SIMBA)),
}
