//===- Multiply.h - The one matrix product of the interpreter ---*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Products dominate the interpreter's time: MiniLM at 1x128 is 1.4 G
// multiply-adds. Textbook order (a dot product an element) would sum doubles
// one after the other, which the compiler must not reorder, and would read
// the right-hand matrix by columns. Here each row of the result is a row of
// accumulators to which multiples of the rows of B are added (order i, k, j):
// every inner loop runs over adjacent independent elements, which vectorises
// without changing a sum. A tile of 8 rows by 256 columns keeps the
// accumulators in the first-level cache while a row of B is used 8 times.
// Four rows of B at once quarter the traffic of the accumulators.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_INTERPRETER_MULTIPLY_H
#define PLMC_INTERPRETER_MULTIPLY_H

#include <algorithm>
#include <cstdint>

namespace plmc::interp {

/// C = A B (+ bias on each row): A is [m, k], B is [k, n], both row-major
/// and dense. `bias` ([n]) may be null. Sums are of type Acc: double for
/// floats, uint64_t for integers (which wrap). Calls
/// `store(i, j, values, count)` for pieces of rows of C.
template <typename Acc, typename T, typename Store>
void multiply(const T *a, const T *b, const T *bias, int64_t m, int64_t n,
              int64_t k, Store store) {
  constexpr int64_t tileRows = 8, tileColumns = 256;
  Acc sums[tileRows][tileColumns];
  for (int64_t j0 = 0; j0 < n; j0 += tileColumns) {
    int64_t columns = std::min(tileColumns, n - j0);
    for (int64_t i0 = 0; i0 < m; i0 += tileRows) {
      int64_t rows = std::min(tileRows, m - i0);
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < columns; ++j)
          sums[i][j] = bias ? static_cast<Acc>(bias[j0 + j]) : Acc(0);
      int64_t p = 0;
      for (; p + 4 <= k; p += 4) {
        const T *b0 = b + p * n + j0, *b1 = b0 + n, *b2 = b1 + n, *b3 = b2 + n;
        for (int64_t i = 0; i < rows; ++i) {
          const T *row = a + (i0 + i) * k + p;
          Acc a0 = row[0], a1 = row[1], a2 = row[2], a3 = row[3];
          Acc *__restrict sum = sums[i];
          for (int64_t j = 0; j < columns; ++j)
            sum[j] +=
                (a0 * static_cast<Acc>(b0[j]) + a1 * static_cast<Acc>(b1[j])) +
                (a2 * static_cast<Acc>(b2[j]) + a3 * static_cast<Acc>(b3[j]));
        }
      }
      for (; p < k; ++p)
        for (int64_t i = 0; i < rows; ++i) {
          Acc factor = a[(i0 + i) * k + p];
          for (int64_t j = 0; j < columns; ++j)
            sums[i][j] += factor * static_cast<Acc>(b[p * n + j0 + j]);
        }
      for (int64_t i = 0; i < rows; ++i)
        store(i0 + i, j0, &sums[i][0], columns);
    }
  }
}

} // namespace plmc::interp

#endif // PLMC_INTERPRETER_MULTIPLY_H
