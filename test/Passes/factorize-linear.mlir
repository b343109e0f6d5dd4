// RUN: %python %S/../Tools/Inputs/sequences.py %t.npz 40 9
// RUN: plmc-opt %S/Inputs/encoder.mlir --plm-factorize-linear="rank=1 weights=^w[ud]0 min-elements=0 calibration=%t.npz" --plmc-counters 2>%t.err | FileCheck %s
// RUN: FileCheck %s --check-prefix=COUNT < %t.err
// RUN: plmc-opt %S/Inputs/encoder.mlir --plm-factorize-linear="energy=1 min-elements=0 calibration=%t.npz" | FileCheck %s --check-prefix=ALONE
// RUN: plmc-opt %S/Inputs/encoder.mlir --plm-factorize-linear="rank=2 weights=wq allow-growth min-elements=0 calibration=%t.npz" --plm-share-layers="groups=0-1 method=mean" | FileCheck %s --check-prefix=THEN
// RUN: not plmc-opt %S/Inputs/encoder.mlir --plm-factorize-linear="rank=2 min-elements=0 calibration=%t.npz" 2>&1 | FileCheck %s --check-prefix=GROWTH
// RUN: not plmc-opt %S/Inputs/encoder.mlir --plm-factorize-linear="rank=5 min-elements=0 calibration=%t.npz" 2>&1 | FileCheck %s --check-prefix=WIDTH
// RUN: not plmc-opt %S/Inputs/encoder.mlir --plm-factorize-linear="rank=1 min-elements=0" 2>&1 | FileCheck %s --check-prefix=DATA
// RUN: not plmc-opt %S/Inputs/encoder.mlir --plm-factorize-linear="rank=1 weights=none calibration=%t.npz" 2>&1 | FileCheck %s --check-prefix=NAME
// RUN: plmc-opt %S/Inputs/encoder.mlir --plm-factorize-linear="keep=0.5 weights=^w[ud]0 min-elements=0 calibration=%t.npz" --plmc-counters 2>%t.err | FileCheck %s
// RUN: not plmc-opt %S/Inputs/encoder.mlir --plm-factorize-linear="keep=2 calibration=%t.npz" 2>&1 | FileCheck %s --check-prefix=KEEP
// RUN: not plmc-opt %S/Inputs/encoder.mlir --plm-factorize-linear="energy=2 calibration=%t.npz" 2>&1 | FileCheck %s --check-prefix=SHARE

// CHECK-NOT: plm.parameter @wu0 =
// CHECK-LABEL: func.func @forward
// CHECK: %[[R:.*]] = plm.linear %{{.*}}, %{{.*}} : ({{.*}}, tensor<4x1xf32>) -> tensor<?x?x1xf32
// CHECK: plm.linear %[[R]], %{{.*}} bias %{{.*}} : ({{.*}}, tensor<1x8xf32>, tensor<8xf32>) -> tensor<?x?x8xf32
// CHECK: plm.activation
// CHECK: tensor<8x1xf32>
// CHECK: tensor<1x4xf32>

// COUNT: plm-factorize-linear: break-even rank of 4 x 8: 2

// All of the variance needs all ranks, which would be larger.
// ALONE: func.func @forward
// ALONE-NOT: -> tensor<?x?x{{[123]}}xf32
// ALONE: return

// Layers are still found, and share both factors.
// THEN-COUNT-2: tensor<2x4xf32>, tensor<4xf32>) -> tensor<?x?x4xf32

// GROWTH: error: rank=2 would not make @wq0 [4, 4] smaller; at most 1 do; leave it out with weights=REGEX, or give allow-growth=true
// WIDTH: error: rank=5 is over the width of @wq0 [4, 4]
// DATA: error: this pass needs data: give calibration=FILE.npz
// NAME: error: no linear layer in f32 has a weight of its own that matches none
// KEEP: error: keep must be above 0 and at most 1
// SHARE: error: energy must be above 0 and at most 1
