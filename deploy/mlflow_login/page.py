"""The login page: one file, no script, nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from html import escape

_STYLE = """
:root { color-scheme: light dark; --ink: #1b2733; --paper: #f4f6f8; --card: #fff; --line: #8593a1;
  --act: #0b5394; --on-act: #fff; --bad: #a4161a; --bad-paper: #fdecec; --soft: #4d5b69 }
@media (prefers-color-scheme: dark) { :root { --ink: #e6ebf0; --paper: #14191f; --card: #1e252d;
  --line: #7a8794; --act: #8ec1f0; --on-act: #10202f; --bad: #ffb3b3; --bad-paper: #3a1f22;
  --soft: #b3bfca } }
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem;
  font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper) }
main { width: 100%; max-width: 24rem; padding: 2rem; background: var(--card); border-radius: .5rem;
  border: 1px solid color-mix(in srgb, var(--line) 40%, transparent) }
h1 { margin: 0 0 .25rem; font-size: 1.375rem; line-height: 1.25 }
p { margin: 0 0 1.25rem; color: var(--soft) }
label { display: block; margin-bottom: .25rem; font-weight: 600 }
input { width: 100%; margin-bottom: 1rem; padding: .5rem .75rem; font: inherit; color: inherit;
  background: var(--card); border: 1px solid var(--line); border-radius: .25rem }
button { width: 100%; margin-top: .5rem; padding: .625rem; font: inherit; font-weight: 600;
  color: var(--on-act); background: var(--act); border: 0; border-radius: .25rem; cursor: pointer }
input:focus-visible, button:focus-visible { outline: 3px solid var(--act); outline-offset: 2px }
.message { padding: .625rem .75rem; border-radius: .25rem; color: var(--ink);
  background: var(--paper); border-left: 4px solid var(--act) }
.message.bad { color: var(--bad); background: var(--bad-paper); border-color: var(--bad) }
footer { margin-top: 1.5rem; font-size: .875rem; color: var(--soft) }
code { font-size: .875em }
"""

_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; img-src data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""The Content-Security-Policy that goes with it."""


def login_page(*, user: str = "", fault: str = "", notice: str = "") -> str:
    """The page; `fault` says why a login was refused, `notice` is any other message."""
    message = ""
    if fault:
        message = f'<p class="message bad" role="alert" id="fault">{escape(fault)}</p>'
    elif notice:
        message = f'<p class="message" role="status">{escape(notice)}</p>'
    wrong = ' aria-invalid="true" aria-describedby="fault"' if fault else ""
    first, second = ("", " autofocus") if user else (" autofocus", "")
    # No action: the form then goes to the page's own address with its fragment, which a browser
    # carries on to where the answer leads. MLflow's links are all fragments of one page.
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in to MLflow - Plimsoll</title>
<link rel="icon" href="data:,">
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>Sign in to MLflow</h1>
<p>Runs, versions and promotion cards of Plimsoll</p>
{message}
<form method="post">
<label for="user">User</label>
<input id="user" name="user" value="{escape(user)}" required{wrong}{first}
  autocomplete="username" autocapitalize="none" spellcheck="false">
<label for="password">Password</label>
<input id="password" name="password" type="password" required{wrong}{second}
  autocomplete="current-password">
<button>Sign in</button>
</form>
<footer>The login lies in the file that <code>make up</code> names or, with docker compose, in
<code>.env</code>. Programs send <code>MLFLOW_TRACKING_TOKEN</code>.</footer>
</main>
</body>
</html>
"""
