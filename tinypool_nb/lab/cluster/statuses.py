"""How the API server says no: `Status` objects, worded as a real one words them.

Source: Kubernetes API conventions, "Response Status Kind".
"""

from collections.abc import Mapping, Sequence

from tinypool_nb.lab.cluster.schema import Cause
from tinypool_nb.lab.cluster.tinymodule import GROUP, KIND, PLURAL

RESOURCE = f"{PLURAL}.{GROUP}"


class ApiStatusError(Exception):
    """A request is answered with a failure.

    Args:
        code: of HTTP.
        reason: one word for programs, such as NotFound.
        message: a sentence for people.
        details: which object it is about, and causes.
        retry_after: whole seconds after which the client may ask again.
        continuation: for an expired page: the token with which the rest can be had all the same.

    >>> ApiStatusError(401, "Unauthorized", "Unauthorized").status()["code"]
    401
    """

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: Mapping[str, object] | None = None,
        retry_after: int | None = None,
        continuation: str = "",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = {**(details or {}), **({} if retry_after is None else {"retryAfterSeconds": retry_after})}
        self.retry_after = retry_after
        self.continuation = continuation

    def status(self) -> dict[str, object]:
        """The object that goes to the client."""
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {"continue": self.continuation} if self.continuation else {},
            "status": "Failure",
            "message": self.message,
            **({"reason": self.reason} if self.reason else {}),
            **({"details": self.details} if self.details else {}),
            "code": self.code,
        }


def success(**details: object) -> dict[str, object]:
    """The answer to a deletion."""
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def bad_request(message: str) -> ApiStatusError:
    """400: the request makes no sense."""
    return ApiStatusError(400, "BadRequest", message)


def not_found(name: str, *, group: str = GROUP, plural: str = PLURAL) -> ApiStatusError:
    """404: there is no object of that name.

    >>> str(not_found("http-module-v1"))
    'tinymodules.operator.tinysystems.io "http-module-v1" not found'
    """
    resource = f"{plural}.{group}" if group else plural
    details = {"name": name, **({"group": group} if group else {}), "kind": plural}
    return ApiStatusError(404, "NotFound", f'{resource} "{name}" not found', details=details)


def already_exists(name: str, *, group: str = GROUP, plural: str = PLURAL) -> ApiStatusError:
    """409 for a creation."""
    resource = f"{plural}.{group}" if group else plural
    details = {"name": name, **({"group": group} if group else {}), "kind": plural}
    return ApiStatusError(409, "AlreadyExists", f'{resource} "{name}" already exists', details=details)


def conflict(name: str, why: str) -> ApiStatusError:
    """409 for a change whose resourceVersion or uid is not the object's."""
    message = f'Operation cannot be fulfilled on {RESOURCE} "{name}": {why}'
    return ApiStatusError(409, "Conflict", message, details={"name": name, "group": GROUP, "kind": PLURAL})


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def invalid(name: str, causes: Sequence[Cause]) -> ApiStatusError:
    """422: the object breaks a rule.

    >>> str(invalid("a", [Cause("status.name", "FieldValueRequired", "Required value")]))
    'TinyModule.operator.tinysystems.io "a" is invalid: status.name: Required value'
    """
    texts = [f"{cause.field}: {cause.message}" for cause in causes]
    told = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    details = {
        "name": name,
        "group": GROUP,
        "kind": KIND,
        "causes": [{"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in causes],
    }
    return ApiStatusError(422, "Invalid", f'{KIND}.{GROUP} "{name}" is invalid: {told}', details=details)


def expired(message: str, continuation: str = "") -> ApiStatusError:
    """410: the version is older than what is remembered."""
    return ApiStatusError(410, "Expired", message, continuation=continuation)
