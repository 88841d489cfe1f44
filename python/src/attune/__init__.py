"""attune: fused attention kernels that tune themselves to the GPU they run on.

attune.attention(q, k, v)   attention on arrays of NumPy, CuPy, JAX, PyTorch, and others with __dlpack__
attune.torch                operators for PyTorch: autograd, torch.compile, signatures of other libraries
attune.tune(...)            tuning ahead of time
attune.info()               versions, devices, plans
attune.close()              closes the library
"""
from attune._attention import attention
from attune._contexts import close
from attune._errors import ContextLost, Error, InvalidArgument, OutOfMemory, Unsupported, WrongType
from attune._info import DeviceInfo, Info, PlanInfo, info, version
from attune._tuning import tune

__version__ = version()

__all__ = ["ContextLost", "DeviceInfo", "Error", "Info", "InvalidArgument", "OutOfMemory", "PlanInfo", "Unsupported",
           "WrongType", "attention", "close", "info", "tune", "version"]
