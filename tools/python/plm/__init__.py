# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Run encoder models that plmc has compiled to native libraries.

    import plm
    model = plm.Model("student.so")
    out = model(input_ids=ids, attention_mask=mask)
    out["last_hidden_state"]
"""

from ._abi import Error
from ._model import Model, Outputs, Tensor

__all__ = ["Error", "Model", "Outputs", "Tensor"]
__version__ = "0.1.0"
