"""The next batch is read, and this one looked at, on a second thread while the models predict."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Batch = TypeVar("Batch")


def ahead(batches: Iterator[Batch], look: Callable[[Batch], None]) -> Iterator[Batch]:
    """Give batches, one ahead being read, and let each be looked at meanwhile.

    Whatever goes wrong is raised where it would be on one thread: reading's where the batch would come, the look's when
    its batch is done with. So what uses the batch says first what is wrong with it.

    Args:
        batches: Read on the second thread only, each before the next.
        look: Called there with each batch, in order.

    Example:
        >>> looked = []
        >>> sum(ahead(iter([1, 2, 3]), looked.append)), looked
        (6, [1, 2, 3])
    """
    worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="abtest-ahead")
    try:
        coming = worker.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            look_done, coming = worker.submit(look, batch), worker.submit(next, batches, None)
            yield batch
            look_done.result()
    finally:
        worker.shutdown(cancel_futures=True)
