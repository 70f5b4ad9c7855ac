"""At equal false alarms: ADWIN and ours on each case's own law, both at the run length that they are measured to have there.

The calibration of the other tables is of one null a kind, as a user's would be: on another law the same knob gives another number
of false alarms. Here each law has a knob of its own, of ADWIN's the confidence and of ours the threshold, and millions of
observations to find it on.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.benchmarks.detection import cases, measure, ours, peers
from tests.benchmarks.detection.cases import Case, Values

#: What each case was before its change: the null of that name.
LAWS = {
    "normal": "normal", "ramp": "normal", "cost": "lognormal, mean 1", "rate 1%": "Bernoulli 1 %", "rate 5%": "Bernoulli 5 %",
    "mix": "mix of 10", "tokens, code": "tokens, code, shuffled", "tokens, conv": "tokens, conv, shuffled",
}  # fmt: skip
PEER = {"continuous": "ADWIN", "rate": "ADWIN on 0/1", "mix": "10 × ADWIN"}
LOOSE, STRICT = 0.9, 1e-12  # of ADWIN's confidence; heavy tails need a stricter one than `peers` bisects to
STEPS = 12


def law_of(case: Case) -> str | None:
    """Name the null that a case is before its change; None where no law is tuned."""
    return next((law for start, law in LAWS.items() if case.name.startswith(start)), None)


def measured(options: dict[str, int]) -> dict[str, Any]:
    """Measure delays of both at equal run lengths, and those run lengths."""
    own = options | {"seed": options["seed"] + 2, "repetitions": options["equal_repetitions"]}
    nulls = {case.name: case for case in cases.nulls()}
    laws = {name: _law(nulls[name], own) for name in dict.fromkeys(LAWS.values()) if name in nulls}
    rows = []
    for case in cases.changes():
        law = law_of(case)
        if law not in laws:
            continue
        values, found = cases.with_change(case, own), laws[law]
        delays = {"ours": measure.delays(ours.run(case, values, found["ours"]["knob"]), case.change_at(own))}
        if found["peer"]["knob"] is not None:
            theirs = peers.run(PEER[case.kind], found["peer"]["knob"], values, own["processes"])
            delays["peer"] = measure.delays(theirs, case.change_at(own))
        rows.append({"case": case.name, "law": law, "peer": PEER[case.kind], "delays": delays})
    at = f"{datetime.now(UTC):%Y-%m-%d}"
    return {"repetitions": own["repetitions"], "at": at, "laws": laws, "rows": rows}


def _law(case: Case, options: dict[str, int]) -> dict[str, Any]:
    """Find both knobs on one set of values, and measure the run lengths that they give on another."""
    arl, name = options["arl"], PEER[case.kind]
    tune, check = (_null(case, part, options) for part in ("tune", "check"))
    warm_up = max(options["warm_up"], cases.DAY) if case.kind == "continuous" else options["warm_up"]
    promised = measure.run_length(ours.run(case, tune, arl), warm_up)
    # The mean run is proportional to the threshold, so one run is enough to correct it.
    knob = arl * arl / (promised["arl"] or arl)

    def reaches(delta: float) -> bool:
        found = measure.run_length(peers.run(name, delta, tune, options["processes"]))["arl"]
        return found is None or found >= arl

    delta = peers.loosest(LOOSE, STRICT, STEPS, reaches)
    theirs = None if delta is None else measure.run_length(peers.run(name, delta, check, options["processes"]))
    return {
        "promised": promised,
        "ours": {"knob": knob, "null": measure.run_length(ours.run(case, check, knob), warm_up)},
        "peer": {"knob": delta, "null": theirs},
        "usual": _usual(case, check, options),
    }


def _usual(case: Case, values: Values, options: dict[str, int]) -> dict[str, Any]:
    """Measure the run length that the peer's default has on the law."""
    name = PEER[case.kind]
    return measure.run_length(peers.run(name, peers.PEERS[name][2], values, options["processes"]))


def _null(case: Case, part: str, options: dict[str, int]) -> Values:
    streams, n = options["equal_null_streams"], options["peer_null_observations"]
    return case.before(cases.numbers(options, f"equal {case.name} {part}"), streams, n)
