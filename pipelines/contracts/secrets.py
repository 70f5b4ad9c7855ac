"""The shapes of secrets, as data: ``secrets.csv``, most rows of it from gitleaks' maintained rule pack.

``python -m pipelines.contracts.secrets GITLEAKS.toml`` takes gitleaks' rows anew from its ``config/gitleaks.toml``: those
whose token has a shape of its own. Its other rules look for a vendor's name beside any string of some length, which in an
agent's conversation masks order numbers and hashes; our rows cover names like ``password`` beside a value.
"""

from __future__ import annotations

import csv
import re
import sys
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "secrets.csv"
VERSION = "gitleaks 8.30.1"
_COLUMNS = ("rule", "hint", "pattern", "source")
#: A token may stand behind an escaped line break of the JSON text that it is in, where no word boundary is.
_START = r"(?:(?P<keep>\\[nrtbf])|(?-u:\b))"
_AT_END = re.compile(r"""\(\?:\[(?:\\x60'"|\^)(?:[^()]|\([^()]*\))*\)$""")
#: Keywords that ordinary text is full of, and what says the same more sharply.
_SHARPER = {
    "1password-secret-key": r"A3-[A-Z0-9]{6}-",
    "clickhouse-cloud-api-secret-key": "4b1d[A-Za-z0-9]{12}",
    "facebook-page-access-token": "EAA[MC][A-Za-z0-9]{20}",
    "flyio-access-token": "f[mo]1[ar]?_|fm2_",
    "intra42-client-secret": "s-s4t2",
    "jwt": r"ey[a-zA-Z0-9]{17,}\.ey",
    "sendgrid-api-token": r"SG\.[\w=-]{10}",
    "slack-app-token": "xapp-",
    "twilio-api-key": "SK[0-9a-fA-F]{8}",
    "vault-service-token": r"hvs\.",
}
_LEFT_OUT = {
    "aws-access-token",  # ours does not end at a word's end
    "authress-service-client-access-key",  # begins like text_ and desc_
    "azure-ad-client-secret",  # takes the quotes around it along: ours does not
    "curl-auth-header",  # a command line, not a token: ours mask the header's value
    "curl-auth-user",
    "aws-amazon-bedrock-api-key-short-lived",  # its fixed beginning, not the key
    "facebook-access-token",  # any long number and a bar
    "grafana-api-key",  # a JSON Web Token's beginning
    "jwt-base64",
    "private-key",  # ours also masks a key that was cut short
    "sidekiq-sensitive-url",  # ours masks the password in any URL
    "sourcegraph-access-token",  # any commit hash
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One shape of secret.

    Attributes
    ----------
    name, source : str
        What it is, and who says so.
    hint : str
        A cheap regular expression that matches wherever the pattern might.
    pattern : str
        A regular expression of Rust's dialect. A group named ``keep`` stays in the text, the rest of the match is masked.
    """

    name: str
    hint: str
    pattern: str
    source: str


@cache
def rules() -> tuple[Rule, ...]:
    """Return ``secrets.csv``, in its order: the first to match masks."""
    with FILE.open(encoding="utf-8", newline="") as file:
        lines = (line for line in file if not line.startswith("#"))
        return tuple(Rule(*(row[name] for name in _COLUMNS)) for row in csv.DictReader(lines))


def from_gitleaks(pack: dict[str, Any]) -> list[Rule]:
    """Return the rules of a gitleaks configuration that name a token by its own shape."""
    found: list[Rule] = []
    for rule in pack["rules"]:
        name, pattern = rule["id"], rule.get("regex", "")
        by_neighbour = r"[\w.-]{0,50}?" in pattern
        if not pattern or by_neighbour or "path" in rule or name in _LEFT_OUT:
            continue
        hint = _SHARPER.get(name) or "|".join(re.escape(word) for word in _spelled(rule["keywords"], pattern))
        # Delimiters at the end would be masked with the token: a quote that JSON needs.
        shape = _ascii(_AT_END.sub("", pattern))
        shape = _START + shape.removeprefix(r"\b") if shape.startswith(r"\b") else shape
        found.append(Rule(name, hint, shape.replace(r"(?i)\b", f"(?i){_START}", 1), VERSION))
    return found


def _spelled(keywords: list[str], pattern: str) -> list[str]:
    """Gitleaks' lower-case keywords as the pattern spells them: an expression of plain literals is the quickest."""
    plain = pattern.replace("\\", "")
    found = [re.search(re.escape(word), plain, re.IGNORECASE) for word in keywords]
    words = {match[0] if match else word for match, word in zip(found, keywords, strict=True)}
    return sorted(words | {word.upper() for word in words} if pattern.startswith("(?i)") else words)


def _ascii(pattern: str) -> str:
    r"""``\w`` as Go means it; Rust's would take in every script, and counted a hundred times grow past its size limit."""
    parts = re.split(r"(\[(?:\\.|\[:\w+:\]|[^\]\\])*\])", pattern)
    inside = [part.replace(r"\w", "A-Za-z0-9_") if part.startswith("[") else part for part in parts]
    return "".join(part if part.startswith("[") else part.replace(r"\w", "[A-Za-z0-9_]") for part in inside)


def _write(gitleaks: list[Rule]) -> None:
    notice = [line for line in FILE.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    own = [rule for rule in rules() if not rule.source.startswith("gitleaks")]
    with FILE.open("w", encoding="utf-8", newline="") as file:
        file.write("".join(f"{line}\n" for line in notice))
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows((rule.name, rule.hint, rule.pattern, rule.source) for rule in [*own, *gitleaks])


if __name__ == "__main__":
    _write(from_gitleaks(tomllib.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
