"""Every drift and failure mode that the field names is found, each on its own workflow of one simulated week."""

from __future__ import annotations

import pytest

from pipelines.simulate import TWELVE, simulate

from .twelve import detect, judged


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory):
    """Verdict per name, and the number of false alarms."""
    folder = tmp_path_factory.mktemp("twelve")
    truth = simulate(folder, seed=1, workflows=12, rate=7, drifts=["all"])
    found, false = judged(truth, detect(folder, truth))
    return {each.name: each for each in found}, false


@pytest.mark.parametrize("name", TWELVE)
def test_it_is_found_on_a_stream_that_it_should_move(name: str, outcome) -> None:
    found, _ = outcome
    assert found[name].delay is not None, f"{name} on {found[name].workflow} was missed"
    assert found[name].stream


def test_nothing_is_said_of_a_workflow_before_its_drift(outcome) -> None:
    assert outcome[1] == 0
