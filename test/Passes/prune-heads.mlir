// RUN: %python %S/../Tools/Inputs/sequences.py %t.npz 40 9
// RUN: plmc-opt %S/Inputs/encoder.mlir --plm-prune-heads="heads=1,2 calibration=%t.npz" | FileCheck %s
// RUN: plmc-opt %S/Inputs/encoder.mlir --plm-prune-heads="keep=0.75 allocation=damage calibration=%t.npz" | FileCheck %s --check-prefix=DAMAGE
// RUN: not plmc-opt %S/Inputs/encoder.mlir --plm-prune-heads 2>&1 | FileCheck %s --check-prefix=DATA
// RUN: not plmc-opt %S/Inputs/encoder.mlir --plm-prune-heads="heads=3 calibration=%t.npz" 2>&1 | FileCheck %s --check-prefix=TOO-MANY
// RUN: not plmc-opt %S/Inputs/encoder.mlir --plm-prune-heads="heads=1,1,1 calibration=%t.npz" 2>&1 | FileCheck %s --check-prefix=LIST
// RUN: not plmc-opt %S/Inputs/encoder.mlir --plm-prune-heads="heads=1 allocation=damage calibration=%t.npz" 2>&1 | FileCheck %s --check-prefix=BOTH
// RUN: not plmc-opt %S/Inputs/encoder.mlir --plm-set-precision="precision=int8 min-elements=0" --plm-prune-heads="calibration=%t.npz heads=1" 2>&1 | FileCheck %s --check-prefix=NONE

// A layer has one head of width 2, the other keeps both.
// CHECK: plm.attention {{.*}}num_heads = 1 {{.*}} -> tensor<?x?x2xf32
// CHECK: plm.linear %{{.*}} : (tensor<?x?x2xf32, {{.*}}>, tensor<2x4xf32>, tensor<4xf32>)
// CHECK: plm.attention {{.*}}num_heads = 2 {{.*}} -> tensor<?x?x4xf32

// One of the four, of either layer.
// DAMAGE-COUNT-1: num_heads = 1
// DAMAGE-NOT: num_heads = 1

// DATA: error: this pass needs data: give calibration=FILE.npz
// TOO-MANY: error: heads=3: layer 0 has 2
// LIST: error: heads has 3 numbers, the model 2 layers; give one for all or one for each
// BOTH: error: heads says how many stay in each layer, so does allocation=damage; give one of them
// NONE: error: the model has no attention between linear layers in f32
