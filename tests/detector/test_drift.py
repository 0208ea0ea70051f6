"""How far scores have moved from those of the published scan."""

from __future__ import annotations

import numpy as np
import pytest

from detector.drift import BANDS, score_band, score_shares, stability_index


def test_bands_of_one_and_of_many_agree() -> None:
    scores = np.array([0.0, 0.0001, 0.00029, 0.0003, 0.01, 0.5, 0.8, 1.0])
    shares = score_shares(scores)
    found = [
        sum(score_band(score) == band for score in scores.tolist()) / len(scores) for band in range(BANDS)
    ]
    assert shares == found
    assert sum(shares) == pytest.approx(1)


def test_what_is_alike_has_not_drifted() -> None:
    scores = np.random.default_rng(1).beta(0.2, 5.0, 20_000)
    assert stability_index(score_shares(scores[:10_000]), score_shares(scores[10_000:])) < 0.01
    assert stability_index(score_shares(scores), score_shares(np.sqrt(scores))) > 0.25


def test_an_empty_band_is_no_infinite_surprise() -> None:
    assert stability_index([1.0, 0.0], [0.99, 0.01]) == pytest.approx(0.0456, abs=1e-3)
