"""What the package says of itself."""
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import attune


def test_info_tells_the_library_and_its_plans():
    q = np.ones((1, 2, 3, 8), np.float32)
    attune.attention(q, q, q, causal=True)
    info = attune.info()
    assert info.version == attune.__version__ and pathlib.Path(info.library).exists()
    reference = next(device for device in info.devices if device.device == "reference")
    plan = next(plan for plan in reference.plans if plan.head_dim == 8 and plan.causal == "bottom_right")
    assert (plan.operation, plan.config, plan.match, plan.workspace_bytes) == ("forward", "reference", "default", 0)
    assert plan.max_seqlen_q >= 3
    has_gpu = any(device.backend == "cuda" for device in info.devices)
    assert has_gpu or "driver" in (info.no_gpu_because or "")


def test_lengths_share_plans():
    for length in range(70, 128):
        q = np.ones((1, 1, length, 4), np.float32)
        attune.attention(q, q, q)
    plans = [plan for device in attune.info().devices for plan in device.plans if plan.head_dim == 4]
    assert [plan.max_seqlen_q for plan in plans].count(128) == 1


def test_the_programs_come_along():
    program = pathlib.Path(attune.info().programs) / "attune-inspect"
    if not program.exists():
        pytest.skip(f"{program} is not built")
    assert "usage" in subprocess.run([program, "--help"], check=True, capture_output=True, text=True).stdout.lower()


def test_tuning_on_the_emulator():
    attune.tune(heads=1, head_dim=16, seqlen=8, batch=1, dtype="f32", operation="forward", seconds=1, device="simt")


def test_the_users_cache_is_left_alone(tmp_path):
    """By these tests, run without ctest."""
    environment = {name: value for name, value in os.environ.items() if name not in ("XDG_CACHE_HOME", "ATTUNE_CACHE_DIR")}
    environment |= {"HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, "-k", "tuning_on_the_emulator"],
                   check=True, timeout=120, env=environment)
    assert not (tmp_path / ".cache").exists()
