"""A decision as stable JSON data, and back."""


def decision_to_json(d):
    raise NotImplementedError


def decision_from_json(d):
    raise NotImplementedError
