"""What huggingface_hub makes of a hub, for the tests of weights/hub.

The hub is the fake one of weights/hub/hubtest, so the Go test runs this script:

    COCA_HUB_PYTHON=python go test ./weights/hub -run TestPython            both ways, live
    COCA_HUB_PYTHON=python go test ./weights/hub -run TestPython -update    and writes ../golden/hub/cache.json

    hub.py fetch CACHE   reads [[repo, revision, file], …] from standard input, fetches each
                         through HF_ENDPOINT, and prints the versions and the tree of CACHE
    hub.py read CACHE    the same files from CACHE alone; prints the SHA-256 of each, or why not
"""

import hashlib
import json
import os
import platform
import sys

import filelock
import huggingface_hub
from huggingface_hub import _CACHED_NO_EXIST, hf_hub_download, scan_cache_dir, try_to_load_from_cache
from huggingface_hub.utils import EntryNotFoundError


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def tree(cache):
    """Every file below cache: a link's target, or size and SHA-256."""
    out = {}
    for folder, _, files in os.walk(cache):
        for name in files:
            path = os.path.join(folder, name)
            key = os.path.relpath(path, cache).replace(os.sep, "/")
            if os.path.islink(path):
                out[key] = {"link": os.readlink(path).replace(os.sep, "/")}
            else:
                out[key] = {"size": os.path.getsize(path), "sha256": digest(path)}
    return out


def fetch(cache, steps):
    for repo, revision, file in steps:
        try:
            hf_hub_download(repo, file, revision=revision, cache_dir=cache)
        except EntryNotFoundError:
            pass
    versions = {
        "python": platform.python_version(),
        "huggingface_hub": huggingface_hub.__version__,
        "filelock": filelock.__version__,
    }
    return {"versions": versions, "tree": tree(cache)}


def read(cache, steps):
    out = []
    for repo, revision, file in steps:
        found = try_to_load_from_cache(repo, file, cache_dir=cache, revision=revision)
        if found is _CACHED_NO_EXIST:
            out.append("known to be absent")
        elif found is None:
            out.append("not cached")
        else:
            again = hf_hub_download(repo, file, revision=revision, cache_dir=cache, local_files_only=True)
            out.append(digest(again))
    report = scan_cache_dir(cache)
    return {"files": out, "warnings": [str(w) for w in report.warnings], "repos": sorted(r.repo_id for r in report.repos)}


def main():
    command, cache = sys.argv[1:]
    steps = json.load(sys.stdin)
    json.dump({"fetch": fetch, "read": read}[command](cache, steps), sys.stdout)


main()
