"""The GPU that PyTorch uses."""

import torch


def torch_gpu() -> dict[str, str]:
    """Return the name of the first GPU and PyTorch's version of CUDA; empty if PyTorch cannot use a GPU."""
    if not torch.cuda.is_available():
        return {}
    return {"name": torch.cuda.get_device_name(0), "cuda": str(torch.version.cuda)}
