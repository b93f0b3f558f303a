"""What a GPU's TF32 mode does to convolutions and matrix products, on any device."""

import torch
from torch.overrides import TorchFunctionMode

CONVOLUTIONS_AND_PRODUCTS = {
    torch.conv1d, torch.conv2d, torch.conv3d, torch.nn.functional.conv1d, torch.nn.functional.conv2d,
    torch.nn.functional.conv3d, torch.nn.functional.linear, torch.matmul, torch.mm, torch.bmm, torch.addmm,
    torch.baddbmm, torch.einsum, torch.Tensor.matmul, torch.Tensor.mm, torch.Tensor.bmm,
    torch.Tensor.__matmul__, torch.Tensor.__rmatmul__,
}  # fmt: skip


class tf32_arithmetic(TorchFunctionMode):
    """Every convolution and matrix product within sees its inputs with TF32's 10 bits of fraction."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function in CONVOLUTIONS_AND_PRODUCTS:
            args = tuple(_rounded(a) for a in args)
        return function(*args, **(kwargs or {}))


def _rounded(value):
    if not (isinstance(value, torch.Tensor) and value.dtype == torch.float32):
        return value
    bits = value.contiguous().view(torch.int32)
    return ((bits + 0x1000) & ~0x1FFF).view(torch.float32)
