"""The routers of the library, in the order in which their addresses are tried."""

from app.web.library import adopting, reading

ROUTERS = (adopting.router, reading.router)
