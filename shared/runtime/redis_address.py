"""The address of Redis: read from the environment, its password from a file, and never shown whole."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit

from shared.runtime.errors import SettingsRefused
from shared.runtime.secret_files import read_secret_file

URL_VARIABLE = "DUTCHBOOK_REDIS_URL"
PASSWORD_FILE_VARIABLE = "DUTCHBOOK_REDIS_PASSWORD_FILE"  # noqa: S105 - the name of a variable


def redis_url_in(environ: Mapping[str, str]) -> str:
    """Return the address with the password of ``DUTCHBOOK_REDIS_PASSWORD_FILE`` in it, when that is set.

    Raises SettingsRefused without an address, for a second password, and for a file that is not kept well.
    """
    url = environ.get(URL_VARIABLE, "")
    if not url:
        raise SettingsRefused(f"{URL_VARIABLE} is not set")
    path = environ.get(PASSWORD_FILE_VARIABLE, "")
    if not path:
        return url
    password = read_secret_file(Path(path), PASSWORD_FILE_VARIABLE).reveal().decode(errors="replace").strip("\r\n")
    scheme, found, rest = url.partition("://")
    user, at, place = rest.rpartition("@")
    if not found or ":" in user or "password=" in urlsplit(url).query:
        raise SettingsRefused(
            f"{URL_VARIABLE}={without_password(url)!r}: expected an address without a password beside "
            f"{PASSWORD_FILE_VARIABLE}, as redis://host:6379/0 or redis://user@host:6379/0"
        )
    return f"{scheme}://{user}:{quote(password, safe='')}@{place if at else rest}"


def without_password(url: str) -> str:
    """Return an address as it may be shown: nothing of what stands before the host, and no query.

    A password with a mark in it that should have been written as ``%2F`` is no less secret.
    """
    scheme, _, rest = url.partition("://")
    _, at, place = rest.rpartition("@")
    shown = f"{scheme}://{'…@' if at else ''}{place}" if rest else url
    address, asked, _ = shown.partition("?")
    return f"{address}?…" if asked else address
