// RUN: plmc-opt %s -split-input-file --plm-product-quantize="weighting=none codes=3" --plmc-counters 2>%t.err | FileCheck %s
// RUN: FileCheck %s --check-prefix=COUNT < %t.err
// RUN: plmc-opt %s -split-input-file --plm-product-quantize="weighting=none sub-vector=2 codebook-bits=32" | FileCheck %s --check-prefix=FLOATS
// RUN: plmc-opt %s --plm-factorize-embedding="rank=4 weighting=none allow-growth" --plm-product-quantize="weighting=none codes=3" --plm-set-precision="precision=int8 min-elements=0" | FileCheck %s --check-prefix=COMPOSED
// RUN: not plmc-opt %s --plm-product-quantize="weighting=none sub-vector=3" 2>&1 | FileCheck %s --check-prefix=WIDTH
// RUN: not plmc-opt %s --plm-product-quantize="weighting=none codes=300" 2>&1 | FileCheck %s --check-prefix=CODES
// RUN: not plmc-opt %s --plm-product-quantize="weighting=none codebook-bits=16" 2>&1 | FileCheck %s --check-prefix=BITS
// RUN: not plmc-opt %s --plm-product-quantize="weighting=none iterations=0" 2>&1 | FileCheck %s --check-prefix=ITERATIONS
// RUN: not plmc-opt %s --plm-product-quantize 2>&1 | FileCheck %s --check-prefix=CALIBRATION
// RUN: not plmc-opt %s --plm-product-quantize="weighting=none" --plm-product-quantize="weighting=none" 2>&1 | FileCheck %s --check-prefix=TWICE
// RUN: not plmc-opt %S/factorize-embedding.mlir --plm-product-quantize="weighting=none" 2>&1 | FileCheck %s --check-prefix=TIED
// RUN: echo 'func.func @forward(%%x: tensor<2xf32>) -> tensor<2xf32> { return %%x : tensor<2xf32> }' > %t.none.mlir
// RUN: not plmc-opt %t.none.mlir --plm-product-quantize="weighting=none" 2>&1 | FileCheck %s --check-prefix=NONE

// WIDTH: error: sub-vector=3 does not divide the width of @words, 8
// CODES: error: codes=300 is not in [2, 256]
// BITS: error: codebook-bits=16: known are 8, 32
// ITERATIONS: error: iterations must be at least 1
// CALIBRATION: error: weighting=frequency needs calibration=FILE.npz
// TWICE: error: the word table, of 5 rows, is no parameter but computed or quantised already
// TIED: error: @words is also the weight of a plm.linear (a tied decoder), which cannot read codes
// NONE: error: there is no word table: no plm.embedding reads one
// COUNT: plm-product-quantize: rows in codes: 5
// COUNT: plm-product-quantize: bytes saved: {{[0-9]+}}

// Rows 0 and 2, and 1 and 4, are alike: three entries say all.
// CHECK-NOT: @words =
// CHECK-DAG: plm.parameter @words.codes = {{.*}}tensor<5x2xui8>
// CHECK-DAG: plm.parameter @words.codebooks = {{.*}}tensor<2x3x4xi8>
// CHECK-DAG: plm.parameter @words.codebooks.scale = {{.*}}tensor<2xf32>
// CHECK-LABEL: func.func @forward
// CHECK: %[[B:.*]] = plm.dequantize %{{.*}} scale %{{.*}} : (tensor<2x3x4xi8>, tensor<2xf32>) -> tensor<2x3x4xf32>
// CHECK: %[[T:.*]] = plm.codebook_lookup %{{.*}}, %[[B]] : (tensor<5x2xui8>, tensor<2x3x4xf32>) -> tensor<5x8xf32>
// CHECK: plm.embedding %arg0, %[[T]]

// No more entries than rows.
// FLOATS: plm.parameter @words.codebooks = {{.*}}tensor<4x5x2xf32>
// FLOATS-NOT: plm.dequantize

// COMPOSED: plm.parameter @words.small.codes = {{.*}}tensor<5x1xui8>
// COMPOSED: plm.parameter @words.small.codebooks = {{.*}}tensor<1x3x4xi8>
// COMPOSED: plm.parameter @words.up.q8 = {{.*}}tensor<4x8xi8>
// COMPOSED: %[[T:.*]] = plm.codebook_lookup
// COMPOSED: %[[E:.*]] = plm.embedding %arg0, %[[T]]
// COMPOSED: plm.linear %[[E]], %{{.*}} precision int8

!ids = tensor<?x?xi64, #plm.dims<"b", "s">>
!x = tensor<?x?x8xf32, #plm.dims<"b", "s", "8">>
plm.parameter @words = dense<[[1.0, 2.0, 3.0, 4.0, 0.0, 1.0, 0.0, 1.0], [2.0, 1.0, 0.0, 1.0, 5.0, 5.0, 5.0, 5.0], [1.0, 2.0, 3.0, 4.0, 0.0, 1.0, 0.0, 1.0], [1.0, 1.0, 1.0, 5.0, 0.0, 0.0, 9.0, 0.0], [2.0, 1.0, 0.0, 1.0, 5.0, 5.0, 5.0, 5.0]]> : tensor<5x8xf32>
func.func @forward(%ids: !ids {plm.name = "ids"}) -> (!x {plm.name = "x"}) {
  %w = plm.get_parameter @words : tensor<5x8xf32>
  %0 = plm.embedding %ids, %w : (!ids, tensor<5x8xf32>) -> !x
  return %0 : !x
}
