"""Every page of the administration."""

from app.web.administration import people, proposals, settings, systems

ROUTERS = (proposals.router, people.router, systems.router, settings.router)
