// RUN: %python %S/../Tools/Inputs/sequences.py %t.npz 40 9
// RUN: plmc-opt %S/Inputs/encoder.mlir --plm-prune-width="width=2 fit=-1 allow-growth=true calibration=%t.npz" | FileCheck %s
// RUN: not plmc-opt %S/Inputs/encoder.mlir --plm-prune-width 2>&1 | FileCheck %s --check-prefix=DATA
// RUN: not plmc-opt %S/Inputs/encoder.mlir --plm-prune-width="width=4 calibration=%t.npz" 2>&1 | FileCheck %s --check-prefix=MORE
// RUN: not plmc-opt %S/Inputs/encoder.mlir --plm-prune-width="width=5 calibration=%t.npz" 2>&1 | FileCheck %s --check-prefix=WIDE
// RUN: not plmc-opt %S/Inputs/encoder.mlir --plm-prune-width="width=1 calibration=%t.npz" 2>&1 | FileCheck %s --check-prefix=LEAST
// RUN: not plmc-opt %S/Inputs/encoder.mlir --plm-prune-width="basis=own calibration=%t.npz" 2>&1 | FileCheck %s --check-prefix=BASIS

// The first norm's part: the word vectors, which other layers read as they are,
// and the attention's output, in two columns.
// CHECK: %[[WORDS:.*]] = plm.embedding {{.*}} -> tensor<?x?x4xf32
// CHECK: %[[R:.*]] = plm.linear %[[WORDS]], {{.*}}tensor<4x2xf32>, tensor<2xf32>) -> tensor<?x?x2xf32
// CHECK: %[[O:.*]] = plm.linear {{.*}}tensor<4x2xf32>, tensor<2xf32>) -> tensor<?x?x2xf32
// CHECK: %[[SUM:.*]] = plm.binary add %[[O]], %[[R]]
// CHECK: %[[GAIN:.*]] = plm.get_parameter @stream.gain
// CHECK: %[[NORM:.*]] = plm.layer_norm %[[SUM]], %[[GAIN]] {epsilon
// From one norm to the next.
// CHECK: %[[R2:.*]] = plm.linear %[[NORM]], {{.*}}tensor<2x2xf32>
// CHECK: plm.linear %[[NORM]], {{.*}}tensor<2x8xf32>
// CHECK: %[[D:.*]] = plm.linear {{.*}}tensor<8x2xf32>
// CHECK: plm.binary add %[[D]], %[[R2]]
// The last one is wanted in full.
// CHECK: plm.linear {{.*}}(tensor<?x?x2xf32, {{.*}}tensor<2x4xf32>, tensor<4xf32>) -> tensor<?x?x4xf32
// CHECK: return

// DATA: error: this pass needs data: give calibration=FILE.npz
// MORE: error: cut to 4 of 4 columns, the matrices that residuals need behind norms would take more than is saved; cut more, before weights are quantized, or give allow-growth=true
// WIDE: error: width=5: the model's hidden width is 4
// LEAST: error: width must be at least 2
// BASIS: error: basis=own: known are each, shared
