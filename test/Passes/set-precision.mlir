// RUN: plmc-opt %s --plm-set-precision="precision=int8 min-elements=16" --plmc-counters 2>%t.err | FileCheck %s
// RUN: FileCheck %s --check-prefix=COUNT < %t.err
// RUN: plmc-opt %s --plm-set-precision="precision=bf16 min-elements=16" | FileCheck %s --check-prefix=BF16
// RUN: plmc-opt %s --plm-set-precision="precision=int4 group-size=32 min-elements=16" | FileCheck %s --check-prefix=INT4
// RUN: plmc-opt %s --plm-set-precision="precision=int2 group-size=32 min-elements=16" | FileCheck %s --check-prefix=INT2
// RUN: plmc-opt %s --plm-set-precision="precision=int8 min-elements=16" --plm-lower-to-plk --plk-fuse | FileCheck %s --check-prefix=PLK
// RUN: plmc-opt %s --plm-set-precision | FileCheck %s --check-prefix=F32
// RUN: not plmc-opt %s --plm-set-precision=precision=int7 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: not plmc-opt %s --plm-set-precision="precision=int4 group-size=7" 2>&1 | FileCheck %s --check-prefix=GROUP

// RUN: not plmc-opt %s --plm-set-precision="precision=int4 table-bits=5" 2>&1 | FileCheck %s --check-prefix=TABLE
// TABLE: table-bits=5: known are 0, 2, 3, 4, 8

// UNKNOWN: precision=int7: known are f32, bf16, int8, int4, int3, int2
// GROUP: group-size=7: known are 0, 32, 64, 128
// COUNT-COUNT-2: plm-set-precision: parameters quantised: 1
// COUNT-COUNT-1: plm-set-precision: products in int8: 1
// COUNT-NOT: parameters

// A column's greatest magnitude is 127 steps. A parameter that two products
// read in the same way is quantised once. Small ones stay.
// CHECK: plm.parameter @small = {{.*}}tensor<2x2xf32>
// CHECK: plm.parameter @w.q8 = {{.*}} : tensor<64x2xi8>
// CHECK: plm.parameter @w.scale = {{.*}} : tensor<2xf32>
// CHECK-NOT: tensor<64x2xf32>
// CHECK-LABEL: @forward
// CHECK: %[[Q:.*]] = plm.get_parameter @w.q8 : tensor<64x2xi8>
// CHECK: %[[S:.*]] = plm.get_parameter @w.scale : tensor<2xf32>
// CHECK: %[[W:.*]] = plm.dequantize %[[Q]] scale %[[S]] {axis = 1 : i64} :
// CHECK: plm.linear %arg0, %[[W]] precision int8 :
// CHECK: plm.linear {{.*}}transposed precision int8
// CHECK: plm.linear {{.*}} : ({{.*}}, tensor<2x2xf32>)

// BF16-COUNT-3: precision bf16
// BF16-NOT: dequantize
// INT4: plm.parameter @w.scale = {{.*}} : tensor<2x2xf32>
// INT4: plm.dequantize {{.*}} {bits = 4 : i64, block_size = 32 : i64}
// INT2: plm.parameter @w.q2 = {{.*}} : tensor<64x2xi8>
// INT2: plm.parameter @w.scale = {{.*}} : tensor<2x2xf32>
// INT2: plm.parameter @w.zero_point = {{.*}} : tensor<2x2xi8>
// INT2: plm.dequantize {{.*}} zero_point {{.*}} {bits = 2 : i64, block_size = 32 : i64}
// INT2: plm.linear {{.*}} precision int8
// F32-NOT: precision

// PLK: plk.weight @w.q8.panels [@w.q8] [64, 2] panel 16 transposed [false] quantized i8 scale @w.q8.scale.panels axis 1 precision int8
// PLK: %[[ROWS:.*]] = plk.encode_rows %{{.*}} int8 : {{.*}} -> tensor<?x?x{{[0-9]+}}xi8,
// PLK: plk.linear %[[ROWS]], @w.q8.panels
plm.parameter @small = dense<1.0> : tensor<2x2xf32>
plm.parameter @w = dense<0.5> : tensor<64x2xf32>
plm.parameter @v = dense<0.25> : tensor<64x2xf32>
func.func @forward(%x: tensor<?x?x64xf32, #plm.dims<"b", "s", "64">> {plm.name = "x"}) -> (tensor<?x?x2xf32, #plm.dims<"b", "s", "2">> {plm.name = "y"}) {
  %w = plm.get_parameter @w : tensor<64x2xf32>
  %v = plm.get_parameter @v : tensor<64x2xf32>
  %small = plm.get_parameter @small : tensor<2x2xf32>
  %0 = plm.linear %x, %w : (tensor<?x?x64xf32, #plm.dims<"b", "s", "64">>, tensor<64x2xf32>) -> tensor<?x?x2xf32, #plm.dims<"b", "s", "2">>
  %1 = plm.linear %0, %v transposed : (tensor<?x?x2xf32, #plm.dims<"b", "s", "2">>, tensor<64x2xf32>) -> tensor<?x?x64xf32, #plm.dims<"b", "s", "64">>
  %2 = plm.linear %0, %small : (tensor<?x?x2xf32, #plm.dims<"b", "s", "2">>, tensor<2x2xf32>) -> tensor<?x?x2xf32, #plm.dims<"b", "s", "2">>
  %3 = plm.linear %1, %w : (tensor<?x?x64xf32, #plm.dims<"b", "s", "64">>, tensor<64x2xf32>) -> tensor<?x?x2xf32, #plm.dims<"b", "s", "2">>
  %4 = plm.binary add %2, %3 : (tensor<?x?x2xf32, #plm.dims<"b", "s", "2">>, tensor<?x?x2xf32, #plm.dims<"b", "s", "2">>) -> tensor<?x?x2xf32, #plm.dims<"b", "s", "2">>
  return %4 : tensor<?x?x2xf32, #plm.dims<"b", "s", "2">>
}
