"""What the parts of the panel have in common: they end without leaving a comm behind."""

import anywidget


class Part(anywidget.AnyWidget):
    """A widget that closes what belongs to it, too; `close` may be called twice, and by the garbage collector."""

    def close(self) -> None:
        """Take the widget away, with its comm and its layout's."""
        if self.comm is None:
            return  # ipywidgets calls it from the garbage collector too, which must wait for no lock
        self.leave()
        layout = self.layout
        super().close()
        layout.close()

    def leave(self) -> None:
        """What there is to do before."""
