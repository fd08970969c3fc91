"""Proposals of approvals for lines that no pass matched for want of a usable NHS number.

A proposal never matches by itself: a person accepts it, which is then a decision by hand, or
refuses it. What is shown of a comparison is whether a field agrees, never a value.
"""
