"""The part of MLflow that is served: tracking, registry, artifacts and the pages that show them.

MLflow 3 has more under the same roof: an assistant that runs shell commands on the server, a
gateway that keeps keys and calls other servers, jobs, webhooks, scorers. Whoever signs in to look
at a card must not get a shell of the user who runs MLflow, so none of that is served. The list
names what is, because the next release will have more of the other.
"""

from __future__ import annotations

import re

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_PAGES = (
    "|health|version|graphql|get-artifact|model-versions/get-artifact|static-files/.*"  # "" is /
)
_TRACKING = (
    "artifacts|experiments|logged-models|metrics|model-versions|registered-models|runs|"
    "upload-artifact|traces|unified-traces|get-trace-artifact|get-online-trace-details"
)
_LATER = (
    "datasets|server-info|traces|get-trace-artifact|ui-telemetry|workspaces|label-schemas|"
    "review-queues|issues"
)
_SERVED = re.compile(
    rf"/(?:{_PAGES}"
    rf"|(?:ajax-)?api/2\.0/mlflow-artifacts/.*"
    rf"|(?:ajax-)?api/2\.0/mlflow/(?:{_TRACKING})(?:/.*)?"
    r"|(?:ajax-)?api/2\.0mlflow/experiments/search-datasets"  # MLflow 3.17 spells it so
    rf"|(?:ajax-)?api/3\.0/mlflow/(?:{_LATER})(?:/.*)?)",
    re.DOTALL,
)
NOT_SERVED = {
    "error_code": "ENDPOINT_NOT_FOUND",
    "message": "This MLflow serves tracking, registry and artifacts. Its assistant, gateway, jobs, "
    "scorers and webhooks are switched off: they act with the rights of the server.",
}


class OnlyServed:
    """ASGI middleware: hands on what is in the list, and answers 404 to everything else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] == "lifespan" or (scope["type"] == "http" and is_served(scope["path"])):
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await JSONResponse(NOT_SERVED, status_code=404)(scope, receive, send)
        else:  # MLflow's tracking has no WebSockets
            await send({"type": "websocket.close", "code": 1008})


def is_served(path: str) -> bool:
    """Whether a decoded path, as MLflow's routing reads it, belongs to what is served."""
    return _SERVED.fullmatch(path) is not None
