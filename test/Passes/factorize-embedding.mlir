// RUN: plmc-opt %s --plm-factorize-embedding="rank=2 weighting=none" --plmc-counters 2>%t.err | FileCheck %s
// RUN: FileCheck %s --check-prefix=COUNT < %t.err
// RUN: plmc-opt %s --plm-factorize-embedding="energy=0.5 weighting=none allow-growth" | FileCheck %s --check-prefix=ENERGY
// RUN: plmc-opt %s --plm-factorize-embedding="rank=3 weighting=none table=types allow-growth" | FileCheck %s --check-prefix=NAMED
// RUN: not plmc-opt %s --plm-factorize-embedding="rank=5 weighting=none" 2>&1 | FileCheck %s --check-prefix=WIDTH
// RUN: not plmc-opt %s --plm-factorize-embedding="rank=3 weighting=none" 2>&1 | FileCheck %s --check-prefix=GROWTH
// RUN: not plmc-opt %s --plm-factorize-embedding="rank=2" 2>&1 | FileCheck %s --check-prefix=CALIBRATION
// RUN: not plmc-opt %s --plm-factorize-embedding="rank=2 calibration=%t.none.npz" 2>&1 | FileCheck %s --check-prefix=MISSING
// RUN: not plmc-opt %s --plm-factorize-embedding="rank=2 weighting=length" 2>&1 | FileCheck %s --check-prefix=WEIGHTING
// RUN: not plmc-opt %s --plm-factorize-embedding="rank=2 weighting=none table=none" 2>&1 | FileCheck %s --check-prefix=NAME
// RUN: not plmc-opt %s --plm-factorize-embedding="rank=2 weighting=none table=g" 2>&1 | FileCheck %s --check-prefix=SHAPE
// RUN: not plmc-opt %s --plm-factorize-embedding="energy=1.5 weighting=none" 2>&1 | FileCheck %s --check-prefix=SHARE
// RUN: plmc-opt %s --plm-factorize-embedding="keep=0.7 weighting=none" | FileCheck %s --check-prefix=KEEP
// RUN: not plmc-opt %s --plm-factorize-embedding="keep=0.3 weighting=none" 2>&1 | FileCheck %s --check-prefix=LITTLE
// RUN: not plmc-opt %s --plm-factorize-embedding="keep=1.5 weighting=none" 2>&1 | FileCheck %s --check-prefix=MUCH
// RUN: not plmc-opt %s --plm-factorize-embedding="rank=2 weighting=activation calibration=%t.none.npz" 2>&1 | FileCheck %s --check-prefix=NORM
// RUN: not plmc-opt %s --plm-set-precision="precision=int8 min-elements=0" --plm-factorize-embedding="rank=2 weighting=none" 2>&1 | FileCheck %s --check-prefix=QUANTISED

// WIDTH: error: rank=5 is not in [1, 4], the width of @words
// GROWTH: error: rank 3 would not make @words [9, 4] smaller; at most 2 do, or give allow-growth=true
// CALIBRATION: error: weighting=frequency needs calibration=FILE.npz with input_ids; or give weighting=none
// MISSING: error: {{.*}}none.npz
// WEIGHTING: error: weighting=length: known are frequency, activation, none
// NAME: error: table=none: there is no such parameter
// SHAPE: error: @g is no f32 table [rows, width]
// KEEP: plm.parameter @words.small = {{.*}}tensor<9x1xf32>
// LITTLE: error: keep leaves @words [9, 4] less than one column
// MUCH: error: keep must be above 0 and at most 1
// NORM: error: weighting=activation needs a layer norm behind @words, and there is none; give weighting=frequency
// SHARE: error: energy must be above 0 and at most 1
// QUANTISED: error: the word table, of 9 rows, is no parameter but computed or quantised already; run this pass before others that change it
// COUNT: plm-factorize-embedding: columns kept: 2
// COUNT: plm-factorize-embedding: energy lost, in millionths: {{[0-9]+}}
// COUNT: plm-factorize-embedding: bytes saved: 40

// The word table is the one with the most rows. A tied decoder follows it.
// CHECK-NOT: @words =
// CHECK-DAG: plm.parameter @words.small = {{.*}}tensor<9x2xf32>
// CHECK-DAG: plm.parameter @words.up = {{.*}}tensor<2x4xf32>
// CHECK-LABEL: func.func @forward
// CHECK: %[[E:.*]] = plm.embedding %arg0, %{{.*}} : ({{.*}}, tensor<9x2xf32>) -> tensor<?x?x2xf32
// CHECK: plm.linear %[[E]], %{{.*}} : ({{.*}}, tensor<2x4xf32>) -> tensor<?x?x4xf32
// CHECK: plm.embedding %arg1, %{{.*}} : ({{.*}}, tensor<2x4xf32>)
// CHECK: %[[D:.*]] = plm.linear %{{.*}}, %{{.*}} transposed : ({{.*}}, tensor<2x4xf32>) -> tensor<?x?x2xf32
// CHECK: plm.linear %[[D]], %{{.*}} bias %{{.*}} transposed : ({{.*}}, tensor<9x2xf32>, tensor<9xf32>) -> tensor<?x?x9xf32

// All 4 columns: ranks are rounded up to 8.
// ENERGY: plm.parameter @words.small = {{.*}}tensor<9x4xf32>
// NAMED: plm.parameter @types.small = {{.*}}tensor<2x3xf32>

!ids = tensor<?x?xi64, #plm.dims<"b", "s">>
!x = tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
!y = tensor<?x?x9xf32, #plm.dims<"b", "s", "9">>
plm.parameter @words = dense<[[1.0, 2.0, 3.0, 4.0], [2.0, 1.0, 0.0, 1.0], [0.0, 3.0, 1.0, 1.0], [1.0, 1.0, 1.0, 5.0], [0.0, 0.0, 2.0, 1.0], [4.0, 1.0, 0.0, 0.0], [1.0, 0.0, 1.0, 0.0], [3.0, 2.0, 1.0, 0.0], [0.0, 1.0, 1.0, 1.0]]> : tensor<9x4xf32>
plm.parameter @types = dense<[[1.0, 2.0, 3.0, 4.0], [5.0, 0.0, 7.0, 8.0]]> : tensor<2x4xf32>
plm.parameter @g = dense<1.0> : tensor<9xf32>
func.func @forward(%ids: !ids {plm.name = "ids"}, %types: !ids {plm.name = "types"}) -> (!y {plm.name = "y"}) {
  %w = plm.get_parameter @words : tensor<9x4xf32>
  %t = plm.get_parameter @types : tensor<2x4xf32>
  %g = plm.get_parameter @g : tensor<9xf32>
  %0 = plm.embedding %ids, %w : (!ids, tensor<9x4xf32>) -> !x
  %1 = plm.embedding %types, %t : (!ids, tensor<2x4xf32>) -> !x
  %2 = plm.binary add %0, %1 : (!x, !x) -> !x
  %3 = plm.linear %2, %w bias %g transposed : (!x, tensor<9x4xf32>, tensor<9xf32>) -> !y
  return %3 : !y
}
