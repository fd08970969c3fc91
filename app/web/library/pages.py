"""The routers of the library, in the order in which their addresses are tried."""

from app.web.library import adopting, drafts, reading, replays

ROUTERS = (adopting.router, drafts.router, replays.router, reading.router)
