"""Whether a settings file changed since it was looked at: a plain rule, for a thread of its own to ask now and then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from perps_actors.errors import SettingsError
from perps_actors.settings.toml import parsed


class SettingsFile:
    """A settings file that is looked at again and again.

    What counts is the content: a file that was touched, or replaced by one that holds the same, has not changed. It is compared as a
    whole each time, since two writes within a tick of the file system's clock leave the same time and may leave the same size. A file that
    is gone or empty is being replaced: no change.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._seen: bytes | str | None = None

    def look(self) -> dict[str, Any] | None:
        """Return the file's table, or None if it did not change since the last look. The first look returns what is there.

        Raises:
            SettingsError: it cannot be read, or is no TOML; said once, until it changes again.
        """
        now = self._now()
        if now is None or now == self._seen:
            return None
        self._seen = now
        if isinstance(now, str):
            raise SettingsError(field="config", value=str(self.path), why=now, place=str(self.path))
        return parsed(now, self.path, str(self.path))

    def _now(self) -> bytes | str | None:
        """Return its content, or why there is none; None while it is gone or empty."""
        try:
            content = self.path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            return error.strerror or str(error)
        return content if content.strip() else None
