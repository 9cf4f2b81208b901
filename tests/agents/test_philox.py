"""Counter-based random numbers: the published test vectors, and that numbers depend on their key alone."""

import pytest
import torch

from agents.draws import Draws
from agents.philox import Stream, below, normal, normals, philox, uniform, words

CPU = torch.device("cpu")


# From the known-answer tests of Random123 (kat_vectors, philox4x32 with 10 rounds).
@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_known_answers(counter: list[int], key: list[int], expected: list[int]) -> None:
    c0, c1, c2, c3 = (torch.tensor([word]) for word in counter)
    found = philox((c0, c1, c2, c3), (torch.tensor([key[0]]), torch.tensor([key[1]])))
    assert [int(word) for word in found] == expected


def test_words_do_not_depend_on_neighbours_or_blocks() -> None:
    seeds, steps = torch.tensor([3, 7, 2**32 - 1]), torch.arange(5)
    together = words(seeds, Stream.SAMPLE, steps, 10)
    assert together.shape == (5, 3, 10)
    assert torch.equal(words(seeds[1:2], Stream.SAMPLE, steps[4:], 7)[0, 0], together[4, 1, :7])


def test_words_depend_on_seed_stream_step_and_position() -> None:
    seeds, steps = torch.tensor([0, 1]), torch.tensor([0, 1, 2**32])
    everything = torch.stack([words(seeds, stream, steps, 50) for stream in Stream])
    assert len(set(everything.flatten().tolist())) > 0.999 * everything.numel()
    assert int(everything.min()) >= 0
    assert int(everything.max()) < 2**32


def test_uniform_is_open_at_both_ends_also_in_single_precision() -> None:
    ends = uniform(torch.tensor([0, 2**32 - 1]), torch.float32)
    assert ends.tolist() == [2.0**-24, 1.0 - 2.0**-24]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_normal_numbers_are_standard_normal(dtype: torch.dtype) -> None:
    numbers = normals(torch.tensor([11]), Stream.TARGET_NOISE, torch.arange(100), 2000, dtype).double().flatten()
    assert numbers.numel() == 200_000
    # Four standard errors: of the mean 1/sqrt(n), of the variance sqrt(2/n), of the fourth moment sqrt(96/n).
    assert abs(float(numbers.mean())) < 4 / 200_000**0.5
    assert abs(float(numbers.var()) - 1) < 4 * (2 / 200_000) ** 0.5
    assert abs(float((numbers**4).mean()) - 3) < 4 * (96 / 200_000) ** 0.5
    neighbours = float((numbers[0::2] * numbers[1::2]).mean())
    assert abs(neighbours) < 4 / 100_000**0.5


def test_normal_pairs_by_hand() -> None:
    # u1 = 1/2 up to 2^-24, u2 = 1/4: radius sqrt(2 ln 2) = 1.1774100226, angle pi/2.
    first, second = normal(torch.tensor([2**31, 2**30]), torch.float64).tolist()
    assert first == pytest.approx(0.0, abs=1e-6)
    assert second == pytest.approx(1.1774100226, abs=1e-6)


def test_below_covers_the_range() -> None:
    bits = words(torch.tensor([5]), Stream.SAMPLE, torch.arange(100), 1000)
    counts = torch.bincount(below(bits, 7).flatten(), minlength=7)
    assert counts.numel() == 7
    assert float((counts - 100_000 / 7).abs().max()) < 5 * (100_000 / 7) ** 0.5
    assert below(torch.tensor([2**32 - 1]), 1_000_000).tolist() == [999_999]


def test_draws_are_the_single_steps() -> None:
    draws = Draws([4, 9], [Stream.POLICY, Stream.NEXT_POLICY], 30, "normal", CPU, torch.float32)
    for step in (0, 1, 2000, 5, 1):
        first, second = draws.at(step)
        steps = torch.tensor([step])
        assert torch.equal(first, normals(torch.tensor([4, 9]), Stream.POLICY, steps, 30, torch.float32)[0])
        assert torch.equal(second, normals(torch.tensor([4, 9]), Stream.NEXT_POLICY, steps, 30, torch.float32)[0])


def test_uniform_draws_fill_the_interval_from_minus_one_to_one() -> None:
    draws = Draws([0], [Stream.WARM_UP], 3000, "uniform", CPU, torch.float32)
    numbers = draws.at(0)[0]
    assert float(numbers.min()) < -0.99
    assert float(numbers.max()) > 0.99
    assert abs(float(numbers.mean())) < 4 * (1 / 3) ** 0.5 / 3000**0.5
