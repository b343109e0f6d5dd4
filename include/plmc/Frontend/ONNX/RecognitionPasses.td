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

def RecognizeLinearPass : PLM_RecognitionPass<"plm-recognize-linear"> {
  let summary = "A product with a parameter, and its bias, becomes plm.linear";
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

#endif // PLMC_FRONTEND_ONNX_RECOGNITIONPASSES_TD
