//===- NormalizationParts.h - What normalisations share ---------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_FRONTEND_ONNX_OPS_NORMALIZATIONPARTS_H
#define PLMC_FRONTEND_ONNX_OPS_NORMALIZATIONPARTS_H

#include "../Node.h"

namespace plmc::importer {

/// (x - mean) / sqrt(variance + epsilon) * scale + bias (may be null) over the
/// dimensions from `axis` on. Mean and 1 / standard deviation become outputs 1
/// and 2 where the node has them. Narrow floats are normalised in f32 unless
/// the attribute stash_type says otherwise.
Tensor layerNormalize(Node &node, const Tensor &input, const Tensor &scale,
                      const Tensor &bias, int64_t axis, double epsilon);
/// x / sqrt(mean(x^2) + epsilon) * scale, likewise; 1 / root is output 1.
Tensor rmsNormalize(Node &node, const Tensor &input, const Tensor &scale,
                    int64_t axis, double epsilon);

/// com.microsoft's sum of two or three embeddings and its norm. What is
/// optional may be null.
struct EmbeddingParts {
  Tensor ids, segments, words, positions, segmentTable, gamma, beta, mask,
      positionIds;
};
void embedAndNormalize(Node &node, EmbeddingParts parts);

} // namespace plmc::importer

#endif // PLMC_FRONTEND_ONNX_OPS_NORMALIZATIONPARTS_H
