"""The store of compiled code on disk: what it gives back, and what it refuses to trust."""

import os
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tracejit import config
from tracejit.lowering import disk_cache
from tracejit.lowering.disk_cache import DiskCache

KEY = ("object", "target", "text")


@pytest.fixture
def cache(tmp_path):
    return DiskCache(str(tmp_path / "below" / "code"), limit=100_000)


def files(cache):
    return sorted(os.path.join(cache.folder, name) for name in os.listdir(cache.folder))


def test_what_is_put_comes_back_to_any_process(cache):
    assert cache.get(KEY) is None and cache.info().files == 0
    assert cache.put(KEY, b"contents") and cache.get(KEY) == b"contents"
    assert DiskCache(cache.folder, cache.limit).get(KEY) == b"contents"
    assert cache.put(KEY, b"other") and cache.get(KEY) == b"other"
    assert cache.put(("empty",), b"") and cache.get(("empty",)) == b""
    info = cache.info()
    assert info.files == 2 and 5 < info.bytes < 500 and info.limit == 100_000 and info.problem is None
    cache.clear()
    assert cache.get(KEY) is None and cache.info().files == 0


def test_parts_of_a_key_are_kept_apart(cache):
    cache.put(("ab", "c"), b"1")
    assert cache.get(("a", "bc")) is None and cache.get(("abc",)) is None and cache.get(("ab", "c", "")) is None


def test_folder_and_files_are_for_the_user_alone(cache):
    cache.put(KEY, b"contents")
    assert stat.S_IMODE(os.stat(cache.folder).st_mode) == 0o700
    assert [stat.S_IMODE(os.stat(file).st_mode) for file in files(cache)] == [0o600]


@pytest.mark.parametrize("damage", ["cut", "emptied", "flipped", "longer", "of another key"])
def test_damaged_files_are_absent_and_deleted(cache, damage):
    cache.put(KEY, b"contents" * 100)
    (file,) = files(cache)
    data = bytearray(open(file, "rb").read())
    if damage == "of another key":
        cache.put(("another",), b"evil" * 200)
        (other,) = set(files(cache)) - {file}
        data = open(other, "rb").read()
    elif damage == "flipped":
        data[-20] ^= 1
    else:
        data = {"cut": data[:-1], "emptied": b"", "longer": data + b"x"}[damage]
    with open(file, "wb") as stream:
        stream.write(data)
    assert cache.get(KEY) is None and file not in files(cache)
    assert cache.put(KEY, b"again") and cache.get(KEY) == b"again"


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_that_others_can_write_is_refused(cache, mode):
    cache.put(KEY, b"contents")
    os.chmod(cache.folder, mode)
    other = DiskCache(cache.folder, cache.limit)
    with pytest.warns(RuntimeWarning, match="other users can write into it.*chmod 700"):
        assert other.get(KEY) is None
    assert not other.put(KEY, b"more") and other.info().folder is None and "other users" in other.info().problem


def test_a_folder_of_another_user_is_refused(cache, monkeypatch):
    cache.put(KEY, b"contents")
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.warns(RuntimeWarning, match="belongs to the user"):
        assert cache.get(KEY) is None


def test_a_file_that_others_can_write_or_a_link_is_not_read(cache, tmp_path):
    cache.put(KEY, b"contents")
    (file,) = files(cache)
    os.chmod(file, 0o666)
    assert cache.get(KEY) is None
    cache.put(KEY, b"contents")
    elsewhere = tmp_path / "elsewhere"
    os.rename(file, elsewhere)
    os.symlink(elsewhere, file)
    assert cache.get(KEY) is None
    os.symlink(cache.folder, tmp_path / "link")
    assert not DiskCache(str(tmp_path / "link"), 1000).put(KEY, b"x")


def test_places_where_there_can_be_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    for place in ("file", "file/below"):
        cache = DiskCache(str(tmp_path / place), 1000)
        assert not cache.put(KEY, b"x") and cache.get(KEY) is None and cache.info().files == 0


def test_what_cannot_be_written_is_left(cache, monkeypatch):
    """A folder that is read-only, as in a container; root may write anywhere, so the refusal is the system's answer."""
    cache.put(KEY, b"contents")

    def refuse(*args, **kwargs):
        raise PermissionError

    monkeypatch.setattr(os, "rename", refuse)
    assert not cache.put(("other",), b"x") and cache.get(KEY) == b"contents"
    assert len(files(cache)) == 1  # nothing half-written stays


def test_what_was_used_longest_ago_goes_first(cache):
    for number in range(12):
        cache.put((str(number),), bytes(10_000))
        (new,) = [file for file in files(cache) if os.stat(file).st_mtime > time.time() - 1000]
        os.utime(new, (0, time.time() - 10_000 + number))
        if number == 5:
            assert cache.get(("0",)) is not None  # stamps it
            stamped = next(file for file in files(cache) if os.stat(file).st_mtime > time.time() - 1000)
            os.utime(stamped, (0, time.time() - 5000))
    cache.trim()
    assert cache.info().bytes <= cache.limit and cache.info().files >= 8
    assert cache.get(("0",)) is not None and cache.get(("11",)) is not None and cache.get(("1",)) is None


def test_the_size_is_bounded(cache):
    for number in range(60):
        cache.put((str(number),), bytes(5_000))
    assert cache.info().bytes <= cache.limit * 17 // 16 + 5_200
    assert not cache.put(("large",), bytes(30_000))


def test_leftovers_of_dead_writers_are_deleted(cache):
    cache.put(KEY, b"contents")
    left = os.path.join(cache.folder, "x.bin.1.2.tmp")
    for age in (0, 7200):
        with open(left, "w"):
            pass
        os.utime(left, (0, time.time() - age))
        cache.trim()
        assert os.path.exists(left) == (age == 0)


def test_many_writers_and_readers(cache):
    def work(number):
        key = (str(number % 4),)
        contents = key[0].encode() * 5000
        cache.put(key, contents)
        return cache.get(key) == contents

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(80)))
    writer = "import sys; from tracejit.lowering.disk_cache import DiskCache as D\nfor i in range(300): D(sys.argv[1], 10**8).put('k', b'v' * 40000)"
    writers = [subprocess.Popen([sys.executable, "-c", writer, cache.folder]) for _ in range(2)]
    while any(process.poll() is None for process in writers):
        assert cache.get("k") in (None, b"v" * 40000)
    assert [process.returncode for process in writers] == [0, 0] and cache.get("k") is not None
    assert not [file for file in files(cache) if file.endswith(".tmp")]


def test_settings(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "cache_dir", str(tmp_path / "code"))
    monkeypatch.setattr(config, "cache", True)
    made = []

    def make():
        made.append(1)
        return b"made"

    assert disk_cache.fetch(KEY, make) == disk_cache.fetch(KEY, make) == b"made" and len(made) == 1
    monkeypatch.setattr(config, "cache", False)
    assert disk_cache.current() is None and disk_cache.fetch(KEY, make) == b"made" and len(made) == 2


@pytest.mark.parametrize("environment, expected", [
    ({"TRACEJIT_CACHE": "0"}, "False None"),
    ({"TRACEJIT_CACHE": ""}, "False None"),
    ({"TRACEJIT_CACHE_DIR": "/somewhere/else"}, "True /somewhere/else"),
    ({"XDG_CACHE_HOME": "/home/me/cache"}, "True /home/me/cache/tracejit"),
])  # fmt: skip
def test_environment(environment, expected):
    code = "from tracejit import config; from tracejit.lowering import disk_cache as d; c = d.current(); print(config.cache, c and c.folder)"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TRACEJIT_CACHE")}
    done = subprocess.run([sys.executable, "-c", code], env=clean | environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == expected
