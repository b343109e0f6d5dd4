//===- RecognitionPasses.td - From tensor operations to transformers --*- tablegen -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_FRONTEND_ONNX_RECOGNITIONPASSES_TD
#define PLMC_FRONTEND_ONNX_RECOGNITIONPASSES_TD

include "mlir/Pass/PassBase.td"

class PLM_RecognitionPass<string name> : Pass<name, "::mlir::ModuleOp"> {
  let dependentDialects = ["::plmc::plm::PLMDialect"];
}

def PromoteFloatsPass : PLM_RecognitionPass<"plm-promote-floats"> {
  let summary = "Compute f16, bf16 and f64 models in f32";
  let description = [{
    Parameters, constants and values become f32 and casts between float types
    vanish. Arguments and results of the function keep their types; one cast
    each stands at the boundary. Finite doubles beyond the range of f32 become
    its largest value, so that mask fills stay finite.
  }];
}

def NormalizePass : PLM_RecognitionPass<"plm-normalize"> {
  let summary = "Bring tensor operations into the forms that recognisers expect";
  let description = [{
    Folds small constants, removes operations that change nothing, decides
    comparisons of positions, reduces chains of reshape and transpose, and
    keeps token tensors [batch, sequence, width] where an exporter flattened
    them around a product. No floating-point result changes.
  }];
}

def RecognizeLayerNormPass : PLM_RecognitionPass<"plm-recognize-layer-norm"> {
  let summary = "Layer normalisation in any spelling becomes plm.layer_norm";
}

def RecognizeActivationPass : PLM_RecognitionPass<"plm-recognize-activation"> {
  let summary = "Spelled-out activation functions become plm.activation";
}

def RecognizeQuantizedPass : PLM_RecognitionPass<"plm-recognize-quantized"> {
  let summary = "Integer products become products of dequantised operands";
  let description = [{
    Scales and zero points, whether applied by DequantizeLinear or by
    arithmetic, before a product or behind it, end in `plm.dequantize` on the
    8-bit parameter and on the quantised activation.
  }];
}

def RecognizeLinearPass : PLM_RecognitionPass<"plm-recognize-linear"> {
  let summary = "A product with a parameter, and its bias, becomes plm.linear";
}

def SplitLinearPass : PLM_RecognitionPass<"plm-split-linear"> {
  let summary = "A linear layer that is only read in slices becomes one a slice";
  let description = [{
    Fused query, key and value projections, and the two halves of a gated
    feed-forward, become layers of their own with columns of the weight.
  }];
}

def RecognizeAttentionPass : PLM_RecognitionPass<"plm-recognize-attention"> {
  let summary = "Attention around each softmax becomes plm.attention";
}

def RecognizeEmbeddingPass : PLM_RecognitionPass<"plm-recognize-embedding"> {
  let summary = "Gathers of parameter rows become embeddings";
}

def RecognizePoolingPass : PLM_RecognitionPass<"plm-recognize-pooling"> {
  let summary = "Pooling over the sequence becomes plm.pool, L2 normalisation "
                "plm.l2_normalize";
}

def SettleParametersPass : PLM_RecognitionPass<"plm-settle-parameters"> {
  let summary = "Views of parameters that a layer reads become parameters";
  let description = [{
    Reshapes, transposes and slices in front of a weight are computed now.
    Equal views of one parameter become one parameter, so sharing is kept;
    parameters of which only views were read are removed.
  }];
}

#endif // PLMC_FRONTEND_ONNX_RECOGNITIONPASSES_TD
