"""Blank forms on paper, for the hours in which the service cannot be reached."""

from app.authoring.paper.blank import FORMATS, blank_form

__all__ = ["FORMATS", "blank_form"]
