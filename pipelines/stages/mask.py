"""Secrets are masked before anything is stored: keys, tokens, card numbers and e-mail addresses in trace text."""

from __future__ import annotations

import polars as pl

MASK = "[masked]"

#: Published shapes of credentials, and of personal numbers; one alternation, so that one pass of Rust's regex decides.
_SECRETS = "|".join(
    (
        r"\b(?:sk|pk|rk)[-_](?:[A-Za-z0-9]+[-_])*[A-Za-z0-9]{16,}",  # OpenAI, Anthropic, Stripe
        r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",  # AWS access key id
        r"\bgh[pousr]_[A-Za-z0-9]{30,}",  # GitHub
        r"\bxox[abprs]-[A-Za-z0-9-]{10,}",  # Slack
        r"\bAIza[A-Za-z0-9_-]{30,}",  # Google
        r"(?i:bearer)\s+[A-Za-z0-9._~+/-]{16,}=*",
        r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",  # JSON Web Token
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?",
        r"\b[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}\b",
        r"\b(?:4\d{3}|5[1-5]\d{2}|6011|65\d{2})[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}\b",
        r"\b3[47]\d{2}[ -]?\d{6}[ -]?\d{5}\b",
    )
)


def masked(text: pl.Expr) -> pl.Expr:
    """Return text with every secret replaced by ``[masked]``."""
    return pl.when(text.str.contains(_SECRETS)).then(text.str.replace_all(_SECRETS, MASK)).otherwise(text)
