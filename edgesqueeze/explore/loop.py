"""Jobs side by side: as many as the crew does at a time, each moved on when its answer comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from edgesqueeze.base.signals import raise_if_asked_to_end
from edgesqueeze.explore.jobs import Job
from edgesqueeze.explore.tasks import Crew


def run(
    crew: Crew,
    jobs: Iterator[Job],
    *,
    stopping: Callable[[], bool] = lambda: False,
    moved: Callable[[int], None] = lambda running: None,
) -> None:
    """Do jobs until there are no more, or no new ones are to be begun.

    The next job is taken when there is room for it, so that it can depend on what came before.

    Args:
        crew: who does the tasks.
        jobs: the jobs.
        stopping: whether no new job is to be begun; those that run are done first.
        moved: called with the number of running jobs whenever something is done.

    Raises:
        Stopped: a signal asks to end.
    """
    running: dict[int, Job] = {}
    key, exhausted = 0, False
    while True:
        while len(running) < crew.size and not exhausted and not stopping():
            job = next(jobs, None)
            if job is None:
                exhausted = True
            elif _moved_on(crew, job, key, None):
                running[key] = job
            key += 1
            moved(len(running))
        if not running:
            # A job without a task is over at once, and leaves room for another one.
            if exhausted or stopping():
                return
            continue
        answers = crew.wait()
        # What a signal raised may have been lost while a task was done.
        raise_if_asked_to_end()
        for done, answer in answers:
            if not _moved_on(crew, running[done], done, answer):
                del running[done]
            moved(len(running))


def _moved_on(crew: Crew, job: Job, key: int, answer: object) -> bool:
    """Send an answer to a job and start its next task; false where it has none."""
    try:
        task = job.send(answer)  # type: ignore[arg-type]
    except StopIteration:
        return False
    crew.start(key, task)
    return True
