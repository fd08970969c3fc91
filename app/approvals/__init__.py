"""Treatments, requests, decisions and approvals, and their lifecycle."""
