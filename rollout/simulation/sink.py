"""A sink that keeps what it is given, and can be told to refuse."""

from collections import deque

from rollout.ports import Alert, Later


class SimulatedSink:
    """``ports.Sink``. ``answers`` come next: ``None`` takes the alert, a ``Later`` refuses it; when they are
    used up, ``down`` decides (why; empty: it works).
    """

    def __init__(self) -> None:
        self.arrived: list[Alert] = []
        self.answers: deque[Later | None] = deque()
        self.down = ""

    async def deliver(self, alert: Alert) -> None:
        answer = self.answers.popleft() if self.answers else Later(self.down) if self.down else None
        if answer is not None:
            raise answer
        self.arrived.append(alert)
