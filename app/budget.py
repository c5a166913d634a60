"""How often stable may be asked in the canary's place."""


class Budget:
    """Rescues may add `share` of stable's traffic to stable, and BURST: when both arms fail, that is all."""

    BURST = 10.0  # rescues at once, there from the start

    def __init__(self, share: float) -> None:
        self.share, self.left = share, self.BURST

    def earn(self) -> None:
        """A request of stable's own has begun."""
        self.left = min(self.BURST, self.left + self.share)

    def spend(self) -> bool:
        if self.left < 1:
            return False
        self.left -= 1
        return True
