"""attune for PyTorch: attention with autograd, on GPUs by attune's kernels, on CPUs by its reference.

attention                       with every option; (batch, head, sequence, dim) or (batch, sequence, head, dim)
scaled_dot_product_attention    torch.nn.functional's signature
flash_attn_func, flash_attn_qkvpacked_func, flash_attn_varlen_func, flash_attn_with_kvcache
                                the flash-attn package's signatures

The operators are torch.ops.attune.attention and .attention_backward. They work under torch.compile, in CUDA graphs and with
autocast. attune is compiled against no PyTorch: 2.4 and later are supported.
"""
from attune.torch._attention import attention
from attune.torch._flash_attn import (flash_attn_func, flash_attn_qkvpacked_func, flash_attn_varlen_func,
                                      flash_attn_with_kvcache)
from attune.torch._sdpa import scaled_dot_product_attention

__all__ = ["attention", "flash_attn_func", "flash_attn_qkvpacked_func", "flash_attn_varlen_func",
           "flash_attn_with_kvcache", "scaled_dot_product_attention"]
