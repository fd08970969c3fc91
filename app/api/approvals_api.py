"""The routers of everything about approvals, one for each resource."""

from app.api import requests

ROUTERS = (requests.router,)
