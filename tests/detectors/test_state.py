"""State to and from bytes: whole, versioned, and a clear word where it can't be used."""

from __future__ import annotations

import contextlib
import hashlib
import json
import struct
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from detectors import Monitor, MonitorSettings, StateError, state
from detectors import packed as codec
from detectors.earlier import mixes
from detectors.kernels import rate
from tests.detectors.conftest import Frame


@settings(deadline=None)  # the first example compiles
@given(
    st.dictionaries(
        st.text(min_size=1, max_size=8),
        arrays_of.arrays(
            st.sampled_from(["u1", "i4", "i8", "u8", "f4", "f8"]),
            arrays_of.array_shapes(max_dims=3, min_side=0, max_side=5),
        ),
        max_size=4,
    )
)
def test_arrays_come_back_as_they_went(arrays: state.Arrays) -> None:
    header, back = codec.decode(codec.encode({"any": ["thing", 1]}, arrays))
    assert header == {"any": ["thing", 1]}
    assert list(back) == list(arrays)
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        assert back[name].shape == array.shape
        assert back[name].tobytes() == array.tobytes()
        assert back[name].flags.writeable


def test_a_restored_monitor_knows_every_stream(small_fleet: pl.DataFrame) -> None:
    for end in (0, 10, 900, 2000, 3000):
        monitor = Monitor()
        monitor.update(small_fleet[:end])
        restored = Monitor.decode(monitor.encode())
        assert restored.streams().equals(monitor.streams())
        assert restored.encode() == monitor.encode()


def test_rearming_after_a_restart_is_the_same_as_before_it(small_fleet: pl.DataFrame, frame: Frame) -> None:
    one = Monitor()
    one.update(small_fleet)
    other = Monitor.decode(one.encode())
    assert one.rearm(relearn=True) == other.rearm(relearn=True) == 4
    more = frame(np.arange(300.0), workflow="a")
    assert one.update(more).equals(other.update(more))
    assert one.encode() == other.encode()


def test_another_version_is_named(small_fleet: pl.DataFrame) -> None:
    data = Monitor().encode()
    for version in (1, codec.VERSION + 1):
        other = data[:4] + struct.pack(">H", version) + data[6:]
        said = f"version {version}.*reads version 4 to {codec.VERSION}.*remove this checkpoint"
        with pytest.raises(StateError, match=said):
            Monitor.decode(other)


def test_a_state_that_version_3_wrote_is_named() -> None:
    begin = bytes.fromhex("504c4d42000300000e0128b52ffd0048d51c0066686e215067dc0683d3312db28c4412dbd7c8bf8d0199998da3")
    with pytest.raises(StateError, match=r"version 3, this program reads version 4 to 6: .*learn their reference anew"):
        Monitor.decode(begin)


def test_a_state_that_version_4_wrote_is_read() -> None:
    """Two workflows' 80 streams watched and a third's 40 in warm-up, as version 4 encoded and decoded them."""
    data = (Path(__file__).parent / "states/version-4.bin").read_bytes()
    header, arrays = codec.decode(data)
    digest = hashlib.sha256(b"".join(name.encode() + array.tobytes() for name, array in arrays.items())).hexdigest()
    assert digest == "a0c9500ba9bbcba8e309d114e93c057b38ebca20b1e9dadf39c57b27c1d6d4a1"
    settings_ = MonitorSettings(warm_up_continuous=30, warm_up_rate=30, warm_up_mix=30)
    monitor = Monitor.decode(data, settings_)
    assert dict(monitor.streams()["state"].value_counts().rows()) == {"watching": 80, "needs_data": 40}
    again, same = codec.decode(monitor.encode())
    assert again == {**header, "retired": []}, "nobody had counted them"
    assert same.keys() == arrays.keys()
    for name, array in arrays.items():
        expected = mixes(array) if name == "mix.table" else state.turned(same[name].dtype, array)
        assert expected.tobytes() == same[name].tobytes()


def test_groups_of_a_mix_that_version_5_wrote_are_joined(frame: Frame) -> None:
    """Two workflows' mixes of eight groups each, 200 runs after their warm-up, and one of five."""
    data = (Path(__file__).parent / "states/version-5.bin").read_bytes()
    before = codec.decode(data)[1]["mix.table"]
    assert before["starts"].tolist() == [8, 8, 5], "the test shows nothing without more groups than there are now"
    settings_ = MonitorSettings(warm_up_continuous=30, warm_up_rate=30, warm_up_mix=200)
    monitor = Monitor.decode(data, settings_)
    after = codec.decode(monitor.encode())[1]["mix.table"]
    assert after["starts"].tolist() == [6, 6, 5]
    np.testing.assert_allclose(after["statistic"].sum(axis=2), before["statistic"].sum(axis=2), rtol=1e-5)
    np.testing.assert_array_equal(after["start_n"][:2, 1:], before["start_n"][:2, 3:])
    np.testing.assert_array_equal(after["start_n"][2, :5], before["start_n"][2, :5])
    np.testing.assert_allclose(after["start_shares"].sum(axis=1), after["start_n"], rtol=1e-4)
    for row in range(2):
        says_most = before["statistic"][row, :, :3].sum(axis=0).argmax()
        assert after["start_n"][row, 0] == before["start_n"][row, says_most]
    assert not after["alone"].any()
    moved = frame(["0"] * 60, workflow="b", metric="tool_mix", kind="mix").with_columns(family=pl.lit("tool"))
    assert monitor.update(moved)["kind"].to_list() == ["mix"]


def test_arrays_that_were_stored_with_their_axes_the_other_way_round_are_turned() -> None:
    rng = np.random.default_rng(1)
    before = state.records({"shares": ((3, 16), "f4"), "n": ((), "i8"), "square": ((2, 2), "f4")}, 5)
    before["shares"], before["n"], before["square"] = rng.random((5, 3, 16)), range(5), rng.random((5, 2, 2))
    now = state.as_records({"shares": ((16, 3), "f4"), "n": ((), "i8"), "square": ((2, 2), "f4")}, before)
    np.testing.assert_array_equal(now["shares"], before["shares"].swapaxes(1, 2))
    np.testing.assert_array_equal(now["square"], before["square"])
    assert now["n"].tolist() == [0, 1, 2, 3, 4]
    assert now["shares"].flags.writeable


def test_records_of_another_build_are_named(small_fleet: pl.DataFrame) -> None:
    monitor = Monitor()
    monitor.update(small_fleet)
    header, arrays = codec.decode(monitor.encode())
    layout = {name: form for name, form in rate.LAYOUT.items() if name != "run_n"}
    for changed, told in (
        (layout, "run_n"),
        (rate.LAYOUT | {"more": ((), "u1")}, "more"),
        ({"n": ((), "u1")}, "n, observations"),
    ):
        other = arrays | {"rate.table": np.zeros(1, state.record_form(changed))}
        with pytest.raises(StateError, match=rf"another build of this version \({told}.*remove this checkpoint"):
            Monitor.decode(codec.encode(header, other))


@settings(deadline=None)
@given(st.lists(st.integers(0, 400), max_size=300), st.booleans())
def test_times_come_back_from_their_places(picked: list[int], far: bool) -> None:
    layout: state.Layout = {"first_at": ((), "i8"), "low_at": ((3,), "i8"), "n": ((), "u1")}
    table = state.records(layout, len(picked) * (40 if far else 1))
    numbers = np.resize(np.array(picked, np.int64), len(table)) * 10**12 + (np.arange(len(table)) if far else 0)
    table["first_at"], table["low_at"] = numbers, numbers[:, None] - np.array([0, 7, 0])
    _, back = codec.decode(codec.encode({}, {"table": table}))
    assert back["table"].tobytes() == table.tobytes()


@settings(deadline=None)
@given(
    rows=st.sampled_from([0, 1, 63, 64, 65, 8192, 8255, 20_000]),
    shares=st.lists(st.floats(0, 1), min_size=4, max_size=4),
    seed=st.integers(0, 2**32 - 1),
)
def test_numbers_that_are_often_zero_come_back(rows: int, shares: list[float], seed: int) -> None:
    layout: state.Layout = {"few": ((3,), "f4"), "n": ((), "i8"), "code": ((), "u1"), "last_at": ((), "i8")}
    table = state.records(layout, rows)
    rng = np.random.default_rng(seed)
    for name, share in zip(layout, shares, strict=True):
        drawn = rng.integers(1, 200, table[name].shape) * (rng.random(table[name].shape) < share)
        table[name] = -drawn if name in ("few", "n") else drawn  # -0.0 is not 0
    _, back = codec.decode(codec.encode({}, {"table": table}))
    assert back["table"].tobytes() == table.tobytes()


def test_what_is_zero_in_most_streams_takes_little_room() -> None:
    layout: state.Layout = {"few": ((8,), "f4")}
    table = state.records(layout, 20_000)
    rng = np.random.default_rng(5)
    some = rng.random((20_000, 8)) < 0.1
    table["few"][some] = rng.random(some.sum(), np.float32)
    # Three bytes of noise and an exponent for each number, less than half a bit for each zero.
    assert len(codec.encode({}, {"table": table})) < 3.5 * some.sum() + some.size / 14


@settings(deadline=None)
@given(at=st.floats(0, 1), bits=st.integers(1, 255))
def test_a_damaged_state_is_refused_or_read(at: float, bits: int) -> None:
    data = bytearray((Path(__file__).parent / "states/version-4.bin").read_bytes())
    data[int(at * (len(data) - 1))] ^= bits
    with contextlib.suppress(StateError):
        codec.decode(bytes(data))


@pytest.mark.parametrize(
    ("part", "wrong"),
    [("bytes", [-1]), ("bytes", [64]), ("times", [8]), ("sparse", [1, 0]), ("present", [0, 0]), ("present", [99, 0])],
)
def test_planes_that_do_not_fit_their_array_are_refused(part: str, wrong: list[int]) -> None:
    table = state.records({"few": ((2,), "f4"), "last_at": ((), "i8")}, 100)
    table["few"][::3] = np.arange(1, 35)[:, None]
    table["last_at"][::2] = np.arange(1, 51)
    data = codec.encode({}, {"table": table})
    length = codec.PREFIX.unpack_from(data)[2]
    end = codec.PREFIX.size + length
    document = json.loads(zstandard.decompress(data[codec.PREFIX.size : end]))
    section = document["sections"][0]
    assert len(section["sparse"]) == len(section["present"]) == 2
    section[part] = wrong + section[part][len(wrong) :]
    index = zstandard.compress(json.dumps(document).encode())
    with pytest.raises(StateError, match="damaged"):
        codec.decode(codec.PREFIX.pack(codec.MAGIC, codec.VERSION, len(index)) + index + data[end:])


def test_bytes_that_are_no_state_are_refused(small_fleet: pl.DataFrame) -> None:
    monitor = Monitor()
    monitor.update(small_fleet)
    data = monitor.encode()
    damaged = data[:60] + b"\0\0\0\0" + data[64:]
    for wrong in (b"", b"PLMB", b"hello world, this is no state", data[:-20], data[:200], damaged):
        with pytest.raises(StateError):
            Monitor.decode(wrong)


def test_other_warm_ups_are_refused_and_another_budget_is_not() -> None:
    data = Monitor().encode()
    with pytest.raises(StateError, match=r"warm-up of 200, the settings say 300 \(rate streams\)"):
        Monitor.decode(data, MonitorSettings(warm_up_rate=300))
    assert Monitor.decode(data, MonitorSettings(alarm_budget_per_week=1.0)).settings.alarm_budget_per_week == 1.0


def test_a_second_opinion_can_be_asked_for_later(small_fleet: pl.DataFrame) -> None:
    monitor = Monitor()
    monitor.update(small_fleet[:1500])
    restored = Monitor.decode(monitor.encode(), MonitorSettings(second_opinion=True))
    signals = restored.update(small_fleet[1500:])
    assert signals.height == 4
    assert signals["detail"].str.contains("second_opinion").all()
