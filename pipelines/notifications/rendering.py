"""A message as people read it: title, facts and link, cleaned of what a receiver could take for more than text.

The one place that decides what is said and what is left out. A channel escapes the result for its own format and hands its
limit to :func:`fitted`; it puts no text of a message anywhere else.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar
from urllib.parse import urlsplit

from pipelines.notifications.message import Message

#: Longest title and value, in characters, and the most facts and items that any channel shows.
TITLE, VALUE, FACTS, ITEMS = 300, 1_500, 30, 50
#: Put into what would otherwise be a mention, a link or a template; readers do not see it.
BREAK = "\u200b"
_ELLIPSIS = "…"
#: A value of so many characters is left out rather than halved again.
_SHORT = 20
_JOINERS = "\u200c\u200d"  # needed by scripts and emoji; every other format character is dropped
_LIVE = re.compile(
    r"(?:@(?=\w)"  # @everyone, @here, @name
    r"|<(?=[!@#/%?A-Za-z])"  # <!here>, <@U012>, <at>, <script>, <%
    r"|\](?=[(\[])"  # [text](address) of Markdown
    r"|:(?=//)"  # an address that mail and chat clients make a link of
    r"|(?i:(?:javascript|data|vbscript)(?=:))"
    r"|\{(?=[{%#])|\}(?=\})|\$(?=\{)|%(?=\}))"  # templates
)
_OCCASIONS = {
    "acknowledged": "Acknowledged",
    "silenced": "Silenced",
    "resolved": "Resolved",
    "reopened": "Reopened",
    "renotified": "Still open",
    "escalated": "Escalated",
    "digest": "Digest",
    "test": "TEST",
}


@dataclass(frozen=True, slots=True)
class Rendered:
    """What one message says, as plain inert text.

    Attributes
    ----------
    title : str
        One line.
    facts : tuple of (label, value)
        One line each.
    items : tuple of str
        Of a digest, one line for each of what it gathers.
    link : str or None
        Where all of it can be read.
    cut : bool
        Whether something was left out.
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    items: tuple[str, ...]
    link: str | None
    cut: bool

    @property
    def more(self) -> str | None:
        """Return the line that says that something was left out, and where it is; None of a whole message."""
        if not self.cut:
            return None
        return f"{_ELLIPSIS} more: {self.link}" if self.link else f"{_ELLIPSIS} more: see `plumbline alerts show`"

    def lines(self) -> list[str]:
        """Return facts, items and link as lines of text."""
        facts = [f"{label}: {value}" for label, value in self.facts]
        items = [f"- {item}" for item in self.items]
        return [*facts, *items, *filter(None, [self.more or self.link])]

    def shorter(self) -> Rendered:
        """Return about half of it: fewer items, then fewer facts, then less of each, at last no link and less of the title."""
        if self.items:
            return replace(self, items=self.items[: len(self.items) // 2], cut=True)
        if len(self.facts) > 4:
            return replace(self, facts=self.facts[: len(self.facts) // 2], cut=True)
        if self.facts and all(len(value) <= _SHORT for _, value in self.facts):
            return replace(self, facts=(), cut=True)
        facts = tuple((label, shortened(value, max(len(value) // 2, _SHORT))) for label, value in self.facts)
        if len(self.title) > _SHORT:
            return replace(self, facts=facts, title=shortened(self.title, max(len(self.title) // 2, _SHORT)), cut=True)
        if self.link:
            # Where not even an address fits, as in a text message to a phone.
            return replace(self, facts=facts, link=None, cut=True)
        return replace(self, facts=facts, title=shortened(self.title, max(len(self.title) // 2, 1)), cut=True)


_Built = TypeVar("_Built")


def render(message: Message) -> Rendered:
    """Return what people are told of a message.

    Examples
    --------
    >>> from datetime import datetime
    >>> at = datetime(2026, 5, 4, 10, 30)
    >>> one = Message("0" * 16, "ops", "drift", "1" * 16, "resolved", "resolved", "critical", "<!here> {{ 7 }}", at, at)
    >>> render(one).title.replace(BREAK, "|")
    'Resolved · critical · <|!here> {|{ 7 }|}'
    """
    workflow = clean(message.workflow, VALUE) if message.workflow else None
    told = [_OCCASIONS.get(message.occasion), message.severity, workflow, clean(message.headline, VALUE)]
    whole = " · ".join(filter(None, told))
    title = shortened(whole, TITLE)
    known = {
        "What": clean(message.headline, VALUE) if title != whole else None,
        "State": message.state if message.kind not in ("digest", "test") else None,
        "Workflow": workflow,
        "Family": message.family,
        "Team": message.team,
        "Environment": message.environment,
        "Since": f"{message.opened_at:%Y-%m-%d %H:%M} UTC",
    }
    said = {label for label, _ in message.details}
    pairs = [*((label, value) for label, value in known.items() if value and label not in said), *message.details]
    facts = tuple((clean(label, 80), clean(value, VALUE)) for label, value in pairs[:FACTS])
    items = tuple(_item(item) for item in message.items[:ITEMS])
    long = [message.headline, *(value for _, value in message.details)]
    cut = len(pairs) > FACTS or len(message.items) > ITEMS or any(len(text) > VALUE for text in long)
    return Rendered(title, facts, items, web_link(message.link), cut)


def _item(message: Message) -> str:
    told = [_OCCASIONS.get(message.occasion), message.severity, message.workflow, message.headline]
    return clean(" · ".join(filter(None, told)), TITLE)


def fitted(
    rendered: Rendered, build: Callable[[Rendered], _Built], size: Callable[[_Built], int], limit: int
) -> _Built:
    """Return the fullest form of a message that a channel takes.

    Parameters
    ----------
    build : callable
        Makes the channel's payload.
    size : callable
        Measures one, in the unit of the limit.
    limit : int
        The most that the channel takes; what is left out is told with the link.

    Raises
    ------
    ValueError
        Not even a title of one character fits.
    """
    # Every step halves something: 2**40 characters are more than a message can have.
    for _ in range(40):
        built = build(rendered)
        if size(built) <= limit:
            return built
        rendered = rendered.shorter()
    raise ValueError(f"no form of the message fits {limit}")


def clean(text: str, most: int) -> str:
    """Return text as one inert line of at most ``most`` characters: no controls, marks of direction, mentions or templates."""
    # Cut first: a headline of a megabyte is not looked at to its end.
    kept = "".join(_kept(character) for character in text[: most + 1])
    line = " ".join(kept.split())
    return _LIVE.sub(lambda match: match[0] + BREAK, line if len(text) <= most else shortened(line + _ELLIPSIS, most))


def _kept(character: str) -> str:
    if character in _JOINERS:
        return character
    category = unicodedata.category(character)
    if category in ("Cc", "Zl", "Zp"):
        return " "
    # Unpaired surrogates can't be sent as UTF-8; private and unassigned code points show as anything.
    return "" if category == "Cf" else "\ufffd" if category in ("Cs", "Co", "Cn") else character


def shortened(text: str, most: int, escape: Callable[[str], str] = str) -> str:
    """Return text whose escaped form has at most ``most`` characters; what was cut ends in an ellipsis.

    Examples
    --------
    >>> shortened("a < b < c", 9, slack)
    'a < …'
    """
    if len(escape(text)) <= most:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if len(escape(text[:middle] + _ELLIPSIS)) <= most:
            low = middle
        else:
            high = middle - 1
    return text[:low] + _ELLIPSIS


def web_link(link: str | None) -> str | None:
    """Return an address that is safe to put behind a click, or None: http and https alone, nothing that ends a field."""
    if link is None or not link.isascii() or not link.isprintable() or re.search(r"[\s<>\"'|\\`{}]", link):
        return None
    try:
        parts = urlsplit(link)
    except ValueError:
        return None
    return link if parts.scheme in ("http", "https") and parts.netloc else None


def slack(text: str) -> str:
    """Return text for Slack's text objects, whose control characters are these three.

    References
    ----------
    docs.slack.dev, "Formatting message text", Escaping text.
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def mrkdwn(text: str) -> str:
    """Return text for a place where Slack also reads mrkdwn, which has no escape: its marks are parted from the words."""
    return re.sub(r"([*_~`])", rf"\1{BREAK}", slack(text))


def markup(text: str) -> str:
    """Return text for HTML, between tags and inside quoted attributes."""
    return html.escape(text, quote=True)
