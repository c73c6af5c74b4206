"""What a server was asked to serve, and how."""

from __future__ import annotations

from dataclasses import dataclass, field

from abtest.errors import InvalidInputError
from abtest.live.assignment import share_of
from abtest.live.server.keys import Keys
from abtest.registry import Reference

MAX_ROWS = 10_000
MAX_BODY = 16 * 2**20
_LOOPBACK = ("localhost", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What a server was asked to serve, and how: plain data, so that it goes to workers as it is.

    Attributes:
        tracking_uri: Of the registry's tracking server.
        registry_uri: Of the registry.
        model_name: The registered model; None of what a run logged.
        reference: The version that serves; None for the one in Production, else with the alias ``champion``.
        run_id: The run whose model serves, registered or not.
        store: URL of the log; None where nothing is logged, and no experiment runs.
        durable: Whether a prediction is answered only after it is in the log.
        log_features: Share of the rows whose features are kept, in [0, 1].
        keys: Who may ask.
        max_rows: Most rows of a request.
        max_body: Most bytes of a request's body.
        deadline: Seconds that a challenger has in a split before the champion answers for it.
        host: Where it listens.
        port: Likewise; 0 for any that is free.
        workers: Processes that answer.

    Raises:
        InvalidInputError: A value is outside its range.
    """

    tracking_uri: str | None = None
    registry_uri: str | None = None
    model_name: str | None = None
    reference: Reference | None = None
    run_id: str | None = None
    store: str | None = None
    durable: bool = False
    log_features: float = 0.0
    keys: Keys = field(default_factory=Keys)
    max_rows: int = MAX_ROWS
    max_body: int = MAX_BODY
    deadline: float = 1.0
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1

    def __post_init__(self) -> None:
        share_of(self.log_features, "log-features")
        for name, value in (("max-rows", self.max_rows), ("max-body", self.max_body), ("workers", self.workers)):
            if value < 1:
                raise InvalidInputError(f"{name} must be at least 1, got {value}.")
        if not 0 <= self.port <= 65535:
            raise InvalidInputError(f"port must be in 0 to 65535, got {self.port}.")
        if not self.deadline > 0:
            raise InvalidInputError(f"deadline must be above 0 seconds, got {self.deadline:g}.")
        if self.store is None and (self.durable or self.log_features):
            option = "durable" if self.durable else "log-features"
            raise InvalidInputError(f"{option} needs a log, and --no-log says that there is none.")

    @property
    def is_exposed(self) -> bool:
        """Whether other machines reach it."""
        return not (self.host in _LOOPBACK or self.host.startswith("127."))
