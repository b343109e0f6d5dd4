//===- Progress.cpp - One line that says what is going on -----------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Progress.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/raw_ostream.h"

using namespace plmc;

Progress::Progress() : terminal(llvm::sys::Process::StandardErrIsDisplayed()) {}

Progress::~Progress() { clear(); }

void Progress::show(const llvm::Twine &what) {
  if (!terminal)
    return;
  // Longer lines would wrap, and then not be overwritten.
  unsigned columns = llvm::sys::Process::StandardErrColumns();
  std::string text = what.str();
  if (columns > 1 && text.size() >= columns)
    text.resize(columns - 1);
  llvm::errs() << "\r\033[K" << text;
  shown = true;
}

void Progress::clear() {
  if (shown)
    llvm::errs() << "\r\033[K";
  shown = false;
}
