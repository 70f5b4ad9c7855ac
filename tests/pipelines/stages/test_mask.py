"""Secrets in text: each shape is masked whole wherever it stands, and what only looks like one stays."""

from __future__ import annotations

import json
import random
import string

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contracts.secrets import rules
from pipelines.stages.mask import CUT, LONGEST_NAME, masked_texts, names_secret, pseudonyms

_ALPHABET = string.ascii_letters + string.digits


def _random(length: int, seed: int = 5, alphabet: str = _ALPHABET) -> str:
    return "".join(random.Random(seed).choices(alphabet, k=length))


# Made up here; split where a scanner of this repository would take them for real ones.
SECRETS = {
    "openai": "sk-" + "proj-" + _random(48),
    "openai-old": "sk-" + _random(20) + "T3Blbk" + "FJ" + _random(20),
    "anthropic": "sk-ant-" + "api03-" + _random(93) + "AA",
    "langfuse": "sk-lf-" + "0f3c5a1e-8d2b-4c6f-9a7e-5b1d2c3e4f50",
    "stripe": "rk_live_" + _random(24),
    "aws": "AK" + "IA" + _random(16, alphabet=string.ascii_uppercase),
    "github": "gh" + "p_" + _random(36),
    "github-fine": "github" + "_pat_" + _random(82),
    "gitlab": "gl" + "pat-" + _random(20),
    "slack": "xox" + "b-123456789012-1234567890123-" + _random(24),
    "google": "AI" + "za" + _random(35),
    "groq": "gs" + "k_" + _random(52),
    "hugging-face": "h" + "f_" + _random(34, alphabet=string.ascii_letters),
    "npm": "np" + "m_" + _random(36),
    "sendgrid": "S" + "G." + _random(22) + "." + _random(43),
    "databricks": "da" + "pi" + _random(32, alphabet="abcdef0123456789"),
    "web-token": "ey" + "J" + _random(20) + ".ey" + "J" + _random(40) + "." + _random(30),
    "azure": _random(3) + "8Q~" + _random(34),
    "e-mail": "ann.neil+x_y@mail.example.co.uk",
    "e-mail-idn": "jörg@bücher.example",
    "card": "4111 1111 1111 1111",
    "card-plain": "5555555555554444",
    "card-amex": "3782-822463-10005",
    "card-two": "2223003122003222",
}
WITH_NAME = {
    "bearer": ("Authorization: Bearer ", _random(24)),
    "basic": ("authorization: basic ", _random(24) + "=="),
    "password": ('"password": "', "hunter2-hunter2"),
    "escaped": (r"{\"api_key\": \"", _random(20)),
    "environment": ("AWS_SECRET_ACCESS_KEY=", _random(40)),
    "url": ("postgres://app:", "s3cr3t-pw@db/x"),
    "storage": ("AccountKey=", _random(60)),
}


def masked(text: str) -> str:
    return masked_texts(pl.Series([text])).item()


@pytest.mark.parametrize(
    "around", ["{}", "use {} now", "a\n{}\nb", r'[{{"text": "line\n{}\nline"}}]', "x={};", "({})", "„{}“"]
)
@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_masked_whole_wherever_it_stands(name: str, around: str) -> None:
    secret = SECRETS[name]
    found = masked(around.format(secret))
    assert found == around.format("[masked]"), found


@pytest.mark.parametrize("name", WITH_NAME)
def test_a_value_that_is_named_a_secret_is_masked_and_its_name_stays(name: str) -> None:
    before, value = WITH_NAME[name]
    found = masked(f"see {before}{value}")
    assert value.rstrip("=") not in found
    assert found.startswith(f"see {before}[masked]")


def test_a_private_key_is_masked_whole_even_when_it_is_cut_short() -> None:
    body = "\n".join(_random(64, seed) for seed in range(20))
    head, foot = "-----BEGIN RSA PRIV" + "ATE KEY-----", "-----END RSA PRIV" + "ATE KEY-----"
    assert masked(f"key:\n{head}\nProc-Type: 4,ENCRYPTED\n{body}\n{foot}\nend") == "key:\n[masked]\nend"
    assert masked(f"key:\n{head}\n{body}") == "key:\n[masked]"
    text = json.dumps({"key": f"{head}\n{body}", "next": 1})
    assert json.loads(masked(text)) == {"key": "[masked]", "next": 1}


@pytest.mark.parametrize(
    "plain",
    [
        "order 4111 1111 1111 1112",  # fails Luhn's sum
        "1788000000000000000",  # nanoseconds
        "1788000000000",  # milliseconds
        "0f3c5a1e-8d2b-4c6f-9a7e-5b1d2c3e4f50",
        "7b0d9e4f5a6c8b1d2e3f4a5b6c7d8e9f",
        "call_fdrRleyx3WCOPW3C5kSXMVyY",
        "@mention someone at example dot com",
        "max_tokens: 4096, output_tokens: 128",
        "the task-oriented desk, risk-weighted",
        "check_network_mode_preference",
        "http://localhost:8080/path?x=1",
        "what is my password? it is not here",
    ],
)
def test_what_only_looks_like_a_secret_stays(plain: str) -> None:
    assert masked(plain) == plain


def test_a_masked_number_leaves_json_readable() -> None:
    text = '{"card": 4111111111111111, "cards": [5555555555554444, 1], "to": "a@example.com"}'
    assert json.loads(masked(text)) == {"card": "[masked]", "cards": ["[masked]", 1], "to": "[masked]"}


@given(st.text(max_size=40), st.sampled_from(sorted(SECRETS)), st.text(max_size=40))
def test_no_text_around_it_makes_a_token_readable(before: str, name: str, after: str) -> None:
    if name.startswith("card"):  # digits beside a card's make another number of it
        before, after = f"{before} ", f" {after}" if not after[:1].isdigit() else f" x{after}"
        before = before.rstrip(" -0123456789") + " x "
    secret = SECRETS[name]
    # A token begins at a word's beginning; what stands beside it may be anything else.
    assert secret not in masked(f"{before} {secret}{after}")


@given(st.lists(st.one_of(st.none(), st.text(), st.sampled_from(sorted(SECRETS.values()))), max_size=30))
def test_masking_is_the_same_for_each_text_whatever_is_beside_it_and_done_once(texts: list[str | None]) -> None:
    series = pl.Series(texts, dtype=pl.String)
    found = masked_texts(series)
    assert found.to_list() == [None if text is None else masked(text) for text in texts]
    assert masked_texts(found).to_list() == found.to_list()


def test_equal_ids_stay_equal_and_different_ones_differ_under_their_pseudonyms() -> None:
    ids = pl.Series(["ann@example.com", "plain", "bob@example.com", "ann@example.com", None, "x" * 600, "x" * 601])
    found = pseudonyms(ids, "").to_list()
    assert found[0] == found[3] != found[2]
    assert found[1] == "plain" and found[4] is None
    assert found[5] != found[6]
    assert all(CUT in text and len(text) < LONGEST_NAME for text in found[5:])
    assert "@" not in str(found[0])
    assert pseudonyms(ids, "key").to_list()[0] != found[0]


def test_attributes_named_like_a_credential_are_known_by_name() -> None:
    frame = pl.DataFrame(
        {"key": ["db.password", "http.request.header.authorization", "api_key", "gen_ai.usage.output_tokens", "token"]}
    )
    assert frame.select(names_secret(pl.col("key"))).to_series().to_list() == [True, True, True, False, False]


def test_every_rule_compiles_and_its_hint_matches_wherever_its_pattern_does() -> None:
    everything = pl.Series([*SECRETS.values(), *(before + value for before, value in WITH_NAME.values())])
    for rule in rules():
        matched = everything.filter(everything.str.contains(rule.pattern))
        assert matched.str.contains(rule.hint).all(), rule.name
