"""Foreign text in a Slack message: shown as it is, whatever it holds.

Of Slack's marks only `&`, `<` and `>` do anything to a reader: `<!channel>` rings everybody's
phone, `<http://...|text>` is a link (https://docs.slack.dev/messaging/formatting-message-text).
"""

from __future__ import annotations

_ENTITIES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"))


def escaped(text: str) -> str:
    """`text` with Slack's three special characters as entities."""
    for mark, entity in _ENTITIES:
        text = text.replace(mark, entity)
    return text
