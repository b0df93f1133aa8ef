"""Every graph that a test makes is verified after every pass, and compiled code is kept in a folder of this run's own, also by child processes."""

import atexit
import os
import shutil
import tempfile

from tracejit import config

config.check = True
if "TRACEJIT_CACHE_DIR" not in os.environ or "PYTEST_XDIST_WORKER" not in os.environ:  # workers share the folder of the process that started them
    os.environ["TRACEJIT_CACHE_DIR"] = tempfile.mkdtemp(prefix="tracejit-tests-")
    atexit.register(shutil.rmtree, os.environ["TRACEJIT_CACHE_DIR"], ignore_errors=True)
config.cache_dir = os.environ["TRACEJIT_CACHE_DIR"]
