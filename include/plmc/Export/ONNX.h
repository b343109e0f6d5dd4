//===- ONNX.h - plm back to ONNX --------------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_EXPORT_ONNX_H
#define PLMC_EXPORT_ONNX_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"
#include <cstdint>

namespace plmc {

struct ONNXExportOptions {
  /// Weights of more bytes than this go to a file beside the model,
  /// PATH.data: protobuf readers refuse files of 2 GB and more.
  uint64_t inlineLimit = (uint64_t(1) << 31) - (uint64_t(1) << 24);
};

/// Writes @forward of a plm module (after import, recognition or compression;
/// not lowered further) as ONNX of opset 21, IR version 10. Names of inputs,
/// outputs, weights and dimensions are kept; plm.constraint has no counterpart
/// in ONNX and is dropped. Weights go from the mapped input straight to the
/// file. Writes beside, then renames; on failure nothing is left behind.
///
/// Errors: std::errc::not_supported for what ONNX cannot say (the message
/// names the node), anything else for weights that are absent (elided IR) or
/// a file that cannot be written.
llvm::Error exportONNX(mlir::ModuleOp module, llvm::StringRef path,
                       const ONNXExportOptions &options = {});

} // namespace plmc

#endif // PLMC_EXPORT_ONNX_H
