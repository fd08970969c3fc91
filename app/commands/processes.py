"""uvicorn's serving processes, whose death the first one notices at once.

uvicorn's first process asks each of the others in turn whether it is there, and waits for the
answer through a pipe of which it holds both ends itself. Of a process that died before it could
answer it never hears: the whole time allowed for an answer passes, in which no other process is
looked after and no signal obeyed. With the answering end held by the answerer alone, its death
ends the waiting.
"""

from uvicorn.supervisors import multiprocess


class Noticed(multiprocess.Process):
    """A serving process whose pipe ends with it."""

    def start(self) -> None:
        """Start it, and leave it its end of the pipe."""
        super().start()
        self.child_conn.close()


def notice_deaths() -> None:
    """Have uvicorn start processes of this kind; it offers no choice of its own."""
    multiprocess.Process = Noticed  # type: ignore[misc]
