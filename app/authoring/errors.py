"""Named refusals of the bench; each says what, why and what to do next."""


class BenchRefused(Exception):
    """Something asked of the bench cannot be done; the message is for the author."""


class ProverAbsent(BenchRefused):
    """The prover is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "The prover is not installed, so nothing was proved. "
            "Install the extra `prove` (package z3-solver): pip install 'assent[prove]'."
        )
