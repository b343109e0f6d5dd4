//===- LabelledTexts.h - Texts as a model reads them ------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_EVALUATION_LABELLEDTEXTS_H
#define PLMC_LIB_EVALUATION_LABELLEDTEXTS_H

#include "plmc/Evaluation/LabelledSet.h"
#include "plmc/Evaluation/TokenBatches.h"
#include "plmc/Tokenizer/Tokenizer.h"

namespace plmc {

/// A sequence a text; in pairs one for both, or, if they are read `apart`, one
/// after the other. Cut to what the tokenizer and the model take, at most 512
/// tokens. An error if there are more ids than the model's table has rows, or a
/// text is without any token.
llvm::Expected<CalibrationSet> encodeTexts(const LabelledSet &set, bool apart,
                                           const Tokenizer &tokenizer,
                                           const InputRoles &roles);

} // namespace plmc

#endif // PLMC_LIB_EVALUATION_LABELLEDTEXTS_H
