// RUN: plmc-opt %s --plm-lower-to-plk=panel-width=16 | FileCheck %s
// RUN: plmc-opt %s --plm-lower-to-plk=panel-width=16 --plk-fuse | FileCheck %s --check-prefix=FUSED

!ids = tensor<?x?xi64, #plm.dims<"b", "s">>
!x = tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
!x8 = tensor<?x?x4xui8, #plm.dims<"b", "s", "4">>
plm.parameter @table = dense<1> : tensor<9x4xui8>
plm.parameter @w = dense<2> : tensor<4x4xi8>

// CHECK: module attributes {{.*}}plk.pack_mode = 1 :
// 8-bit tables and weights go into the section as they are; one number for a
// whole matrix is repeated for its columns.
// CHECK-DAG: plk.weight @table.plain [@table] [9, 4] transposed {{.*}} quantized ui8 scale @table.scale.plain zero_point @table.zero_point.plain
// CHECK-DAG: plk.weight @w.panels [@w] [4, 4] panel 16 transposed {{.*}} quantized i8 scale @w.scale.plain axis 1
// CHECK-DAG: plk.weight @w.scale.plain [@w.scale] [4]
// CHECK-NOT: plm.dequantize {{.*}}tensor<4x4
// A quantisation by numbers works on packed rows. Its range is that of all
// positions, so all of them are packed.
// CHECK-LABEL: func.func @forward
// CHECK: %[[E:.*]] = plk.embed %arg0 tables [@table.plain]
// CHECK: %[[M:.*]] = plm.reduce max %[[E]] [0, 1] : (tensor<?x4xf32
// CHECK: %[[Q:.*]] = plm.quantize %[[E]] scale %[[M]] : (tensor<?x4xf32
// CHECK: %[[D:.*]] = plm.dequantize %[[Q]] scale %[[M]]
// CHECK: plk.linear %[[D]], @w.panels
// CHECK: plk.attention

// The projections become one, their scales too.
// FUSED-DAG: plk.weight @[[S:.*]] [@w.scale, @w.scale, @w.scale] [12]
// FUSED-DAG: plk.weight @[[W:.*]] [@w, @w, @w] [4, 12] panel 16 transposed {{.*}} quantized i8 scale @[[S]] axis 1
// FUSED-NOT: plk.weight @w.panels
// FUSED: plk.linear %{{.*}}, @[[W]]
func.func @forward(%ids: !ids, %mask: !ids) -> !x {
  %t = plm.get_parameter @table : tensor<9x4xui8>
  %w = plm.get_parameter @w : tensor<4x4xi8>
  %half = plm.constant dense<0.5> : tensor<f32> : tensor<f32>
  %z = plm.constant dense<128> : tensor<ui8> : tensor<ui8>
  %table = plm.dequantize %t scale %half zero_point %z : (tensor<9x4xui8>, tensor<f32>, tensor<ui8>) -> tensor<9x4xf32>
  %weight = plm.dequantize %w scale %half : (tensor<4x4xi8>, tensor<f32>) -> tensor<4x4xf32>
  %e = plm.embedding %ids, %table : (!ids, tensor<9x4xf32>) -> !x
  %m = plm.reduce max %e [0, 1, 2] : (!x) -> tensor<f32>
  %q = plm.quantize %e scale %m : (!x, tensor<f32>) -> !x8
  %d = plm.dequantize %q scale %m : (!x8, tensor<f32>) -> !x
  %query = plm.linear %d, %weight : (!x, tensor<4x4xf32>) -> !x
  %key = plm.linear %d, %weight : (!x, tensor<4x4xf32>) -> !x
  %value = plm.linear %d, %weight : (!x, tensor<4x4xf32>) -> !x
  %a = plm.attention %query, %key, %value mask %mask {num_heads = 1 : i64, scale = 1.0 : f64} : (!x, !x, !x, !ids) -> !x
  return %a : !x
}
