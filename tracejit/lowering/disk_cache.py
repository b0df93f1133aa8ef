"""Compiled code that outlives the process: bytes by key, in one folder of the user's.

    code = disk_cache.fetch(("llvm object", target, text), compile_it)

A key is a sequence of texts that says everything the bytes depend on; its digest is the name of a file.  A file is a header, the digest of key and
contents, and the contents.  What cannot be trusted is not used:

- Contents are machine code that will be run, so the folder must belong to this user and be writable by nobody else, and so must each file in it; no
  symbolic link is followed.  A folder that others can write is refused with a warning, once.
- A file whose digest is wrong (cut short when the power failed, damaged, of another format) counts as absent and is deleted.
- Files are written beside their place under a name of their own and renamed, so several processes may write and read at once: each finds a whole
  file or none.  Two that write one key write the same contents.

The cache holds at most `config.cache_bytes` (512 MiB), a little more between two counts: a count takes some time (2 us a file), so it is made once
for every sixteenth of the limit that a process writes, and otherwise by one process in 64.  What was used longest ago goes first; a file that is read
gets a new time stamp if the old one is an hour old.

`config.cache` (`TRACEJIT_CACHE=0`) turns it off, `config.cache_dir` (`TRACEJIT_CACHE_DIR`) says where it is instead of in the user's cache folder
(`~/.cache/tracejit` on Linux).  A folder that cannot be written is read, and a disk that is full stays so: a cache must never make a program fail.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import stat
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from ..config import config

_MAGIC = b"tracejit cache 1\n"
_DIGEST_BYTES = 32
_SUFFIX = ".bin"
_HOUR = 3600.0
_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_SUPPORTED = hasattr(os, "geteuid") and os.open in os.supports_dir_fd and os.rename in os.supports_dir_fd


class DiskInfo(NamedTuple):
    """Where compiled code is kept, how many files there are and their bytes, and how many bytes there may be. `folder` is None where the cache is
    off, or refused; `problem` says why it was."""

    folder: str | None
    files: int
    bytes: int
    limit: int
    problem: str | None


class DiskCache:
    """The files in one folder, which is made when it is first needed.

    >>> import tempfile
    >>> cache = DiskCache(os.path.join(tempfile.mkdtemp(), "code"), limit=1_000_000)
    >>> cache.get(("key",)) is None
    True
    >>> cache.put(("key",), b"contents")
    True
    >>> cache.get(("key",))
    b'contents'
    """

    def __init__(self, folder: str, limit: int):
        self.folder, self.limit = folder, limit
        self.problem: str | None = None
        self._uncounted = 0  # bytes written by this process since it counted

    # -- by key
    def get(self, key: Sequence[str]) -> bytes | None:
        """The contents that were put under an equal key, in whatever process, or None."""
        digest = _digest(key)
        with self._open() as folder:
            return None if folder is None else self._read(folder, digest)

    def put(self, key: Sequence[str], contents: bytes) -> bool:
        """Keep contents; whether that was possible. Contents larger than a quarter of the limit are not kept."""
        if len(contents) > self.limit // 4:
            return False
        digest = _digest(key)
        with self._open(make=True) as folder:
            return folder is not None and self._write(folder, digest, contents)

    # -- as a whole
    def info(self) -> DiskInfo:
        """What there is now; it is counted."""
        with self._open() as folder:
            found = [] if folder is None else list(_files(folder))
        return DiskInfo(None if self.problem else self.folder, len(found), sum([size for _, _, size in found]), self.limit, self.problem)

    def clear(self) -> None:
        """Delete all files of the cache."""
        with self._open() as folder:
            if folder is not None:
                for name in os.listdir(folder):
                    if name.endswith((_SUFFIX, ".tmp")):
                        _remove(folder, name)

    def trim(self) -> None:
        """Where there is more than the limit, delete what was used longest ago until seven eighths of it are left; and what dead writers left."""
        with self._open() as folder:
            if folder is not None:
                self._trim(folder)

    # -- in an open folder
    @contextlib.contextmanager
    def _open(self, make: bool = False) -> Iterator[int | None]:
        """A descriptor of the folder, or None where there is none that can be trusted. What is opened relative to it cannot be exchanged."""
        descriptor = self._descriptor(make)
        try:
            yield descriptor
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def _descriptor(self, make: bool) -> int | None:
        if not _SUPPORTED or self.problem is not None:
            return None
        try:
            try:
                descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | _NO_LINK)
            except FileNotFoundError:
                if not make:
                    return None
                os.makedirs(os.path.dirname(self.folder) or ".", exist_ok=True)
                with contextlib.suppress(FileExistsError):
                    os.mkdir(self.folder, 0o700)
                descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | _NO_LINK)
        except OSError:
            return None  # a home that is not there, a file or a link in the folder's place
        found = os.fstat(descriptor)
        if _is_private(found):
            return descriptor
        os.close(descriptor)
        whose = "other users can write into it" if found.st_uid == os.geteuid() else f"it belongs to the user with the number {found.st_uid}"
        self.problem = f"{self.folder} is not used as a cache of compiled code: {whose}"
        advice = "Run chmod 700, set TRACEJIT_CACHE_DIR to a folder of your own, or TRACEJIT_CACHE=0"
        warnings.warn(f"{self.problem}. {advice}", RuntimeWarning, stacklevel=2)
        return None

    def _read(self, folder: int, digest: bytes) -> bytes | None:
        name = digest.hex() + _SUFFIX
        try:
            file = os.open(name, os.O_RDONLY | _NO_LINK, dir_fd=folder)
        except OSError:
            return None
        with open(file, "rb") as stream:
            found = os.fstat(file)
            whole = stream.read() if stat.S_ISREG(found.st_mode) and _is_private(found) else b""
            if time.time() - found.st_mtime > _HOUR:
                with contextlib.suppress(OSError):
                    os.utime(file)
        head = len(_MAGIC) + _DIGEST_BYTES
        contents = whole[head:]
        if whole[:head] != _header(digest, contents):
            _remove(folder, name)
            return None
        return contents

    def _write(self, folder: int, digest: bytes, contents: bytes) -> bool:
        name = digest.hex() + _SUFFIX
        temporary = f"{name}.{os.getpid()}.{time.monotonic_ns():x}.tmp"
        try:
            file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK, 0o600, dir_fd=folder)
            try:
                with open(file, "wb") as stream:
                    stream.write(_header(digest, contents))
                    stream.write(contents)
                os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            except OSError:
                _remove(folder, temporary)
                raise
        except OSError:  # a folder that may only be read, a full disk
            return False
        self._uncounted += len(contents)
        if self._uncounted > self.limit // 16 or digest[0] < 4:
            self._trim(folder)
        return True

    def _trim(self, folder: int) -> None:
        self._uncounted = 0
        newest_first = sorted(_files(folder), key=lambda file: file[1], reverse=True)
        total = sum([size for _, _, size in newest_first])
        left = self.limit - self.limit // 8 if total > self.limit else total
        while total > left and newest_first:
            name, _, size = newest_first.pop()
            _remove(folder, name)
            total -= size
        long_ago = time.time() - _HOUR
        for name in os.listdir(folder):
            if name.endswith(".tmp"):
                with contextlib.suppress(OSError):
                    if os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime < long_ago:
                        _remove(folder, name)


def _digest(key: Sequence[str]) -> bytes:
    """Of the parts with their lengths, so that no two keys are one text."""
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for part in key:
        data = part.encode()
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.digest()


def _header(key_digest: bytes, contents: bytes) -> bytes:
    return _MAGIC + hashlib.blake2b(contents, digest_size=_DIGEST_BYTES, key=key_digest).digest()


def _is_private(found: os.stat_result) -> bool:
    return found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _files(folder: int) -> Iterator[tuple[str, float, int]]:
    """Name, time of last use and size of each file."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(_SUFFIX):
                with contextlib.suppress(OSError):  # another process has deleted it
                    found = entry.stat(follow_symlinks=False)
                    yield entry.name, found.st_mtime, found.st_size


def _remove(folder: int, name: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(name, dir_fd=folder)


# ------------------------------------------------------------------------------------------------------------------- the cache of this process
def current() -> DiskCache | None:
    """The cache that the settings say, or None where they turn it off."""
    if not config.cache or not _SUPPORTED:
        return None
    folder = config.cache_dir or _user_folder()
    return _cache(folder, config.cache_bytes) if os.path.isabs(folder) else None  # a user without a home has none


@functools.cache
def _cache(folder: str, limit: int) -> DiskCache:
    return DiskCache(folder, limit)


@functools.cache
def _user_folder() -> str:
    from platformdirs import user_cache_dir  # 3 ms

    return user_cache_dir("tracejit", appauthor=False)


def fetch(key: Sequence[str], make: Callable[[], bytes]) -> bytes:
    """What `make()` gives, from the cache if an equal key was met before.

    >>> fetch(("doctest", "a key"), lambda: b"made") == fetch(("doctest", "a key"), lambda: b"made")
    True
    """
    cache = current()
    if cache is None:
        return make()
    contents = cache.get(key)
    if contents is None:
        contents = make()
        cache.put(key, contents)
    return contents


__all__ = ["DiskCache", "DiskInfo", "current", "fetch"]
