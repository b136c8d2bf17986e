"""Foreign text in a Slack message, shown as it is.

Of Slack's markup only `&`, `<` and `>` matter: `<!channel>` notifies everybody,
`<http://...|text>` is a link (https://docs.slack.dev/messaging/formatting-message-text).
"""

from __future__ import annotations

_ENTITIES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"))


def escaped(text: str) -> str:
    """`text` with Slack's three special characters as entities."""
    for character, entity in _ENTITIES:
        text = text.replace(character, entity)
    return text
