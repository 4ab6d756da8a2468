"""See, feel and explain how gRPC connections live: a client pool whose every connection-state change lands in a frame and a timeline.

>>> import tinypool_nb as tp
>>> with tp.Pool() as pool:
...     pool.register("http-module-v1", "127.0.0.1:50051")
...     pool.health()
{'http-module-v1': <State.IDLE: 'IDLE'>}

Importing the package starts nothing and loads nothing heavy: each public name is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinypool_nb import course as course
    from tinypool_nb.channels.environment import grpc_logging as grpc_logging
    from tinypool_nb.channels.pool import ClientPool as ClientPool
    from tinypool_nb.channels.pooled import PooledChannel as PooledChannel
    from tinypool_nb.core.codes import Code as Code
    from tinypool_nb.core.diagnosis.causes import Cause as Cause
    from tinypool_nb.core.diagnosis.findings import Finding as Finding
    from tinypool_nb.core.events import Evidence as Evidence
    from tinypool_nb.core.events import Mark as Mark
    from tinypool_nb.core.keys import ModuleKey as ModuleKey
    from tinypool_nb.core.options import Backoff as Backoff
    from tinypool_nb.core.options import Keepalive as Keepalive
    from tinypool_nb.core.options import PoolOptions as PoolOptions
    from tinypool_nb.core.states import State as State
    from tinypool_nb.core.tls import Tls as Tls
    from tinypool_nb.errors import AccessError as AccessError
    from tinypool_nb.errors import AddressError as AddressError
    from tinypool_nb.errors import AmbiguousModuleError as AmbiguousModuleError
    from tinypool_nb.errors import CallCancelledError as CallCancelledError
    from tinypool_nb.errors import DestinationError as DestinationError
    from tinypool_nb.errors import ExerciseError as ExerciseError
    from tinypool_nb.errors import ForkedPoolError as ForkedPoolError
    from tinypool_nb.errors import GrpcLoadedError as GrpcLoadedError
    from tinypool_nb.errors import GrpcVersionError as GrpcVersionError
    from tinypool_nb.errors import HeldError as HeldError
    from tinypool_nb.errors import KubeconfigError as KubeconfigError
    from tinypool_nb.errors import LabError as LabError
    from tinypool_nb.errors import MessageRefusedError as MessageRefusedError
    from tinypool_nb.errors import MessageTooLargeError as MessageTooLargeError
    from tinypool_nb.errors import ModuleBusyError as ModuleBusyError
    from tinypool_nb.errors import ModuleFailedError as ModuleFailedError
    from tinypool_nb.errors import ModuleGoneError as ModuleGoneError
    from tinypool_nb.errors import ModuleNameError as ModuleNameError
    from tinypool_nb.errors import NotHeldError as NotHeldError
    from tinypool_nb.errors import NotReadyError as NotReadyError
    from tinypool_nb.errors import NotSyncedError as NotSyncedError
    from tinypool_nb.errors import OptionsError as OptionsError
    from tinypool_nb.errors import PoolClosedError as PoolClosedError
    from tinypool_nb.errors import RecordingError as RecordingError
    from tinypool_nb.errors import RecordingPathError as RecordingPathError
    from tinypool_nb.errors import ReportError as ReportError
    from tinypool_nb.errors import SendError as SendError
    from tinypool_nb.errors import SendTimeoutError as SendTimeoutError
    from tinypool_nb.errors import SharedChannelError as SharedChannelError
    from tinypool_nb.errors import TinypoolError as TinypoolError
    from tinypool_nb.errors import UnavailableError as UnavailableError
    from tinypool_nb.errors import UnknownArgumentError as UnknownArgumentError
    from tinypool_nb.errors import UnknownModuleError as UnknownModuleError
    from tinypool_nb.errors import WaitTimeoutError as WaitTimeoutError
    from tinypool_nb.errors import WireFormError as WireFormError
    from tinypool_nb.lab import Lab as Lab
    from tinypool_nb.notebook.diagram import state_diagram as state_diagram
    from tinypool_nb.notebook.explanation import Explanation as Explanation
    from tinypool_nb.notebook.pool import Pool as Pool
    from tinypool_nb.notebook.pool import close_all as close_all
    from tinypool_nb.notebook.pool import pools as pools
    from tinypool_nb.notebook.record import Record as Record
    from tinypool_nb.notebook.record import open_recording as open_recording

_HOMES = {
    "AccessError": "tinypool_nb.errors",
    "AddressError": "tinypool_nb.errors",
    "AmbiguousModuleError": "tinypool_nb.errors",
    "Backoff": "tinypool_nb.core.options",
    "CallCancelledError": "tinypool_nb.errors",
    "Cause": "tinypool_nb.core.diagnosis.causes",
    "ClientPool": "tinypool_nb.channels.pool",
    "Code": "tinypool_nb.core.codes",
    "DestinationError": "tinypool_nb.errors",
    "Evidence": "tinypool_nb.core.events",
    "ExerciseError": "tinypool_nb.errors",
    "Explanation": "tinypool_nb.notebook.explanation",
    "Finding": "tinypool_nb.core.diagnosis.findings",
    "ForkedPoolError": "tinypool_nb.errors",
    "GrpcLoadedError": "tinypool_nb.errors",
    "GrpcVersionError": "tinypool_nb.errors",
    "HeldError": "tinypool_nb.errors",
    "Keepalive": "tinypool_nb.core.options",
    "KubeconfigError": "tinypool_nb.errors",
    "Lab": "tinypool_nb.lab",
    "LabError": "tinypool_nb.errors",
    "Mark": "tinypool_nb.core.events",
    "MessageRefusedError": "tinypool_nb.errors",
    "MessageTooLargeError": "tinypool_nb.errors",
    "ModuleBusyError": "tinypool_nb.errors",
    "ModuleFailedError": "tinypool_nb.errors",
    "ModuleGoneError": "tinypool_nb.errors",
    "ModuleKey": "tinypool_nb.core.keys",
    "ModuleNameError": "tinypool_nb.errors",
    "NotHeldError": "tinypool_nb.errors",
    "NotReadyError": "tinypool_nb.errors",
    "NotSyncedError": "tinypool_nb.errors",
    "OptionsError": "tinypool_nb.errors",
    "Pool": "tinypool_nb.notebook.pool",
    "PoolClosedError": "tinypool_nb.errors",
    "PoolOptions": "tinypool_nb.core.options",
    "PooledChannel": "tinypool_nb.channels.pooled",
    "Record": "tinypool_nb.notebook.record",
    "RecordingError": "tinypool_nb.errors",
    "RecordingPathError": "tinypool_nb.errors",
    "ReportError": "tinypool_nb.errors",
    "SendError": "tinypool_nb.errors",
    "SendTimeoutError": "tinypool_nb.errors",
    "SharedChannelError": "tinypool_nb.errors",
    "State": "tinypool_nb.core.states",
    "TinypoolError": "tinypool_nb.errors",
    "Tls": "tinypool_nb.core.tls",
    "UnavailableError": "tinypool_nb.errors",
    "UnknownArgumentError": "tinypool_nb.errors",
    "UnknownModuleError": "tinypool_nb.errors",
    "WaitTimeoutError": "tinypool_nb.errors",
    "WireFormError": "tinypool_nb.errors",
    "close_all": "tinypool_nb.notebook.pool",
    "grpc_logging": "tinypool_nb.channels.environment",
    "open_recording": "tinypool_nb.notebook.record",
    "pools": "tinypool_nb.notebook.pool",
    "state_diagram": "tinypool_nb.notebook.diagram",
}
"""Where each public name comes from."""

__version__ = "0.1.0"
__all__ = [
    "AccessError",
    "AddressError",
    "AmbiguousModuleError",
    "Backoff",
    "CallCancelledError",
    "Cause",
    "ClientPool",
    "Code",
    "DestinationError",
    "Evidence",
    "ExerciseError",
    "Explanation",
    "Finding",
    "ForkedPoolError",
    "GrpcLoadedError",
    "GrpcVersionError",
    "HeldError",
    "Keepalive",
    "KubeconfigError",
    "Lab",
    "LabError",
    "Mark",
    "MessageRefusedError",
    "MessageTooLargeError",
    "ModuleBusyError",
    "ModuleFailedError",
    "ModuleGoneError",
    "ModuleKey",
    "ModuleNameError",
    "NotHeldError",
    "NotReadyError",
    "NotSyncedError",
    "OptionsError",
    "Pool",
    "PoolClosedError",
    "PoolOptions",
    "PooledChannel",
    "Record",
    "RecordingError",
    "RecordingPathError",
    "ReportError",
    "SendError",
    "SendTimeoutError",
    "SharedChannelError",
    "State",
    "TinypoolError",
    "Tls",
    "UnavailableError",
    "UnknownArgumentError",
    "UnknownModuleError",
    "WaitTimeoutError",
    "WireFormError",
    "close_all",
    "course",
    "grpc_logging",
    "open_recording",
    "pools",
    "state_diagram",
]


def load_ipython_extension(shell: Any) -> None:
    """What `%load_ext tinypool_nb` calls: `%pool` comes with it."""
    from tinypool_nb.notebook import magics

    magics.load(shell)


def __getattr__(name: str) -> Any:
    if name == "course":  # a room by itself: tp.course.check(...)
        return import_module("tinypool_nb.course")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
