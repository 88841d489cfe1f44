"""What the tests share. Without PyTorch, or without a GPU, the parts that need it are skipped with the reason."""
import atexit
import os
import shutil
import tempfile

import pytest

# Tests are of results; what tuning does is tested in tests/tune. To be set before the library is loaded.
os.environ.setdefault("ATTUNE_TUNING", "off")

# The user's cache is not for tests to fill, nor their results for it to decide. ctest gives them a folder, too.
if not os.environ.get("XDG_CACHE_HOME"):
    os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="attune-tests-")
    atexit.register(shutil.rmtree, os.environ["XDG_CACHE_HOME"], ignore_errors=True)


def _why_no_torch():
    try:
        import torch
    except ImportError as error:
        return f"PyTorch is not installed: {error}"
    return None if hasattr(torch.library, "custom_op") else f"PyTorch {torch.__version__} has no custom operators"


def _why_no_gpu():
    reason = _why_no_torch()
    if reason is None:
        import torch
        reason = None if torch.cuda.is_available() else "PyTorch sees no GPU"
    return reason


WHY_NOT = {"needs_torch": _why_no_torch(), "needs_gpu": _why_no_gpu()}


def pytest_configure(config):
    config.addinivalue_line("markers", "needs_torch: needs PyTorch")
    config.addinivalue_line("markers", "needs_gpu: needs PyTorch and a CUDA device")
    config.addinivalue_line("markers", "slow: more than some seconds")


def pytest_ignore_collect(collection_path, config):
    if collection_path.name.startswith("test_torch") and WHY_NOT["needs_torch"]:
        return True
    return None


def pytest_report_header(config):
    return [f"{what}: {reason}" for what, reason in WHY_NOT.items() if reason]


def pytest_collection_modifyitems(items):
    for item in items:
        for marker, reason in WHY_NOT.items():
            if reason and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))
