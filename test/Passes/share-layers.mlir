// RUN: %python %S/../Tools/Inputs/sequences.py %t.npz 40 9
// RUN: plmc-opt %S/Inputs/encoder.mlir --plm-share-layers="groups=0-1 method=mean" --plmc-counters 2>%t.err | FileCheck %s
// RUN: FileCheck %s --check-prefix=COUNT < %t.err
// RUN: plmc-opt %S/Inputs/encoder.mlir --plm-share-layers="method=mean part=attention" | FileCheck %s --check-prefix=ATTENTION
// RUN: plmc-opt %S/Inputs/encoder.mlir --plm-share-layers="count=1 part=ffn sweeps=1 calibration=%t.npz" --plmc-counters 2>%t.err | FileCheck %s --check-prefix=FFN
// RUN: FileCheck %s --check-prefix=FITTED < %t.err
// RUN: plmc-opt %S/Inputs/encoder.mlir --plm-share-layers="groups=0,1 method=mean" --plm-quantize-weights="bits=4 method=rtn min-elements=0" | FileCheck %s --check-prefix=QUANTIZED
// RUN: plmc-opt %S/Inputs/encoder.mlir --plm-share-layers="groups=0,1 method=mean" --plm-share-layers="groups=0,1 method=mean" --plmc-counters 2>&1 >%t.out | FileCheck %s --check-prefix=AGAIN
// RUN: not plmc-opt %S/Inputs/encoder.mlir --plm-share-layers 2>&1 | FileCheck %s --check-prefix=DATA
// RUN: not plmc-opt %S/Inputs/encoder.mlir --plm-share-layers="groups=0-2 method=mean" 2>&1 | FileCheck %s --check-prefix=RANGE
// RUN: not plmc-opt %S/Inputs/encoder.mlir --plm-share-layers="count=2 method=mean" 2>&1 | FileCheck %s --check-prefix=NUMBER
// RUN: not plmc-opt %S/Inputs/encoder.mlir --plm-share-layers="part=heads method=mean" 2>&1 | FileCheck %s --check-prefix=PART
// RUN: not plmc-opt %S/Inputs/encoder.mlir --plm-prune-heads="heads=1,2 calibration=%t.npz" --plm-share-layers="groups=0-1 method=mean" 2>&1 | FileCheck %s --check-prefix=WIDTHS
// RUN: not plmc-opt %S/Inputs/encoder.mlir --plm-set-precision="precision=int8 min-elements=0" --plm-share-layers="groups=0-1 method=mean" 2>&1 | FileCheck %s --check-prefix=ELEMENTS

// Six matrices instead of twelve; biases and norms stay.
// CHECK-DAG: plm.parameter @[[Q:wq0.*]] = {{.*}} : tensor<4x4xf32>
// CHECK-DAG: plm.parameter @wq1_b =
// CHECK-DAG: plm.parameter @g1 =
// CHECK-NOT: plm.parameter @wq1 =
// CHECK-NOT: plm.parameter @wd1 =
// CHECK-LABEL: func.func @forward
// CHECK: %[[W:.*]] = plm.get_parameter @wq0{{(_[0-9]+)?}} :
// CHECK: plm.linear %{{.*}}, %[[W]] bias
// CHECK: plm.layer_norm
// CHECK: plm.linear %{{.*}}, %[[W]] bias

// COUNT: plm-share-layers: layers 0,1 share: 1
// COUNT: plm-share-layers: bytes saved: 512

// ATTENTION-NOT: plm.parameter @wo1 =
// ATTENTION-DAG: plm.parameter @wu0 =
// ATTENTION-DAG: plm.parameter @wu1 =

// FFN-NOT: plm.parameter @wu1{{(_[0-9]+)?}} =
// FFN: func.func
// FITTED: plm-share-layers: layers 0,1 share: 1
// FFN-NOT: plm.get_parameter @wd1{{(_[0-9]+)?}} : tensor<8x4xf32>
// FFN: return

// QUANTIZED: %[[D:.*]] = plm.dequantize %{{.*}} {{.*}}bits = 4
// QUANTIZED: plm.linear %{{.*}}, %[[D]] bias %{{.*}} precision int8
// QUANTIZED: plm.layer_norm
// QUANTIZED: plm.linear %{{.*}}, %[[D]] bias %{{.*}} precision int8

// AGAIN: bytes saved: 512
// AGAIN: bytes saved: 0

// DATA: error: method=fit needs data: give calibration=FILE.npz, or method=mean
// RANGE: error: groups=0-2: '0-2' does not lie in the model's layers 0 to 1
// NUMBER: error: count=2: the model has 2 layers; give 1 to 1, or groups
// PART: error: part=heads: known are all, attention, ffn
// WIDTHS: error: layers 0 and 1 cannot share weights: their linear layer 0 is [4, 2] in one and [4, 4] in the other; share before pruning, or leave one out of the groups
// ELEMENTS: error: layer 0 has no weights to share: a weight is no f32 parameter; share before weights are quantized
