"""The parameters of a request, read as a real server reads them.

Source: Kubernetes API reference, "Common parameters".
"""

from collections.abc import Mapping
from urllib.parse import parse_qs

from tinypool_nb.lab.cluster.statuses import ApiStatusError, bad_request


class Query:
    """What stands after the question mark.

    >>> query = Query("watch=True&limit=5&labelSelector=tier%3Dweb")
    >>> query.flag("watch"), query.integer("limit"), query.text("labelSelector"), query.flag("allowWatchBookmarks")
    (True, 5, 'tier=web', False)
    """

    def __init__(self, text: str) -> None:
        self._values: Mapping[str, list[str]] = parse_qs(text, keep_blank_values=True)

    def text(self, name: str) -> str:
        """A text; "" if it is not given."""
        return self._values.get(name, [""])[0]

    def flag(self, name: str) -> bool:
        """Whether it is given, and is neither "false" nor "0"."""
        return name in self._values and self.text(name).lower() not in {"false", "0"}

    def integer(self, name: str) -> int:
        """A whole number; 0 if it is not given.

        Raises:
            ApiStatusError: 400, it is none.
        """
        text = self.text(name)
        try:
            return int(text) if text else 0
        except ValueError:
            raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None

    def version(self) -> int | None:
        """The resourceVersion; None if it is not given.

        Raises:
            ApiStatusError: 422 of a list and 400 of a watch in real servers; here 400.
        """
        text = self.text("resourceVersion")
        if not text:
            return None
        if not text.isdecimal():
            raise ApiStatusError(400, "BadRequest", f'invalid resource version: invalid value "{text}"')
        return int(text)
